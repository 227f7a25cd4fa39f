"""What a check found, as text: by severity, each with its reason, what would help as `--set`, a histogram, examples."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from modules.messages import Finding, Fix, Severity
from modules.sentences.printable import printable
from modules.sentences.render import PLAIN
from modules.text import amount

SEVERITY_HEADINGS: dict[Severity, str] = {"error": "PROBLEMS", "warning": "WARNINGS", "info": "NOTES"}
LINE_WIDTH = 110  # columns; lines that are to be copied are never broken
BAR_WIDTH = 30


def report(findings: Sequence[Finding]) -> str:
    """All findings in one text; "" for none."""
    blocks: list[str] = []
    for severity, heading in SEVERITY_HEADINGS.items():
        if first_names := [finding for finding in findings if finding.severity == severity]:
            blocks.append(
                "\n\n".join(
                    [
                        heading,
                        *(
                            "\n".join(printable(line, line=True) for line in _finding_lines(finding))
                            for finding in first_names
                        ),
                    ]
                )
            )
    return "\n\n\n".join(blocks)


def setting_option(path: str, value: Any) -> str:
    """What to type to change a setting, quoted for the shell of this system."""
    option = f"{path}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
    quoted = subprocess.list2cmdline([option]) if os.name == "nt" else shlex.quote(option)
    return f"--set {quoted}"


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield from textwrap.wrap(finding.title, LINE_WIDTH, initial_indent="* ", subsequent_indent="  ")
    yield from textwrap.wrap(finding.text, LINE_WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield from _histogram(finding)
    for fix in finding.fixes:
        yield f"  {fix.label}: {_set_options(fix) or 'on the page Check of the window'}"
    for item in finding.items:
        yield f"    - {PLAIN.words(item)}"


def _set_options(fix: Fix) -> str:
    return " ".join(setting_option(path, value) for path, value in fix.changes.items())


def _histogram(finding: Finding) -> Iterator[str]:
    most = max((value for _, value in finding.bars), default=0)
    bars = [(PLAIN.words(label), value) for label, value in finding.bars]
    names = max((len(label) for label, _ in bars), default=0)
    for label, value in bars:
        length = round(BAR_WIDTH * value / most) if most > 0 else 0
        bar = "#" * max(length, 1 if value > 0 else 0)
        yield f"    {label:>{names}} {bar:<{BAR_WIDTH}} {amount(value, finding.unit)}"
