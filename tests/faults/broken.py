"""Take each guard out of a copy of the program, and see its test fail: `python -m tests.faults.broken`.

A guard that can be taken out without a test failing is either no guard or has no test. Every row is a file, the text
that is the guard, what stands there without it, and the test that must then fail. With `--only WORD` some of them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from modules.system.bundled import ROOT
from modules.system.runtime import python_command, python_environment
from tests.faults.guards import GUARDS, Guard

COPIED = ("app", "modules", "presets", "resources", "tests", "pyproject.toml")
PATIENCE = 300  # seconds for one test
FAILED = 1  # what pytest says of tests that failed; 2 and more are mistakes in the asking


def main(arguments: list[str]) -> int:
    """Break one guard after another; the exit code is 1 if a test did not notice."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.broken", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="only guards whose name holds this")
    chosen = [guard for guard in GUARDS if parser.parse_args(arguments).only in guard.name]
    began, noticed = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="broken-") as place:
        copy = _copy(Path(place))
        _say("| guard | taken out of | noticed by | |\n|---|---|---|---|")
        whole = _pytest(copy, *dict.fromkeys(guard.test for guard in chosen))
        for guard in chosen:
            said = _tried(copy, guard) if whole == 0 else "not tried: tests fail as it is"
            noticed += said == "fails"
            _say(f"| {guard.name} | {guard.file} | {guard.test} | {said} |")
    _say(f"\n{noticed} of {len(chosen)} broken guards were noticed, {time.monotonic() - began:.0f} s.")
    return 0 if noticed == len(chosen) else 1


def _copy(place: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, place / name)
    return place


def _tried(copy: Path, guard: Guard) -> str:
    file = copy / guard.file
    whole = file.read_text(encoding="utf-8")
    if whole.count(guard.text) != 1:
        return f"NOT TRIED: its text is there {whole.count(guard.text)} times"
    file.write_text(whole.replace(guard.text, guard.instead), encoding="utf-8")
    try:
        code = _pytest(copy, guard.test)
    finally:
        file.write_text(whole, encoding="utf-8")
    # Below nought: without its guard the test was killed, as a user would be.
    return "fails" if code == FAILED or code < 0 else f"DOES NOT FAIL (pytest says {code})"


def _pytest(copy: Path, *tests: str) -> int:
    """The exit code of some tests. A test that hangs without its guard has noticed, too."""
    # No bytecode: a file that is changed twice within a second has the same stamp.
    environment = {**python_environment(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = python_command("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests)
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, check=False, timeout=PATIENCE * len(tests)
        )
    except subprocess.TimeoutExpired:
        return FAILED
    if len(tests) > 1 and done.returncode:
        _say(done.stdout.decode(errors="replace")[-3000:])
    return done.returncode


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
