"""What a check found, as a person reads it in a terminal."""

import io
import shlex

import pytest

from app.findings import report, setting_option
from app.terminal import LogLines, ProgressBar
from modules.messages import Finding, Fix, Result, Stage
from modules.preset.files.set_option import apply_overrides
from modules.preset.paths import get

CUT = Finding(
    "test.cut",
    "warning",
    "model.max_chunks",
    {},
    [Fix("Read 3 chunks", {"model.max_chunks": 3, "schedule.warmup": "5 %"})],
    [("1 to 75", 38), ("76 to 150", 62)],
    "captions",
    ["blue sky", "a\x1b[31mred\nhat"],
    "62 % of the captions are cut.",
    "What stands behind the cut is never learnt. " * 5,
)
SEE = Finding(
    "memory.parts", "info", title="It takes 11.2 GB.", bars=[("weights", 7.5 * 2**30), ("none", 0)], unit="bytes"
)
STOP = Finding("test.no-model", "error", title="There is no model.")


def test_the_worst_stands_first_and_nothing_is_left_out() -> None:
    text = report([SEE, CUT, STOP])
    places = [text.index(words) for words in ("PROBLEMS", "There is no model", "WARNINGS", "62 %", "NOTES", "11.2 GB")]
    assert places == sorted(places)
    assert report([]) == ""
    assert "WARNINGS" not in report([SEE])


def test_a_finding_is_told_with_reason_mends_bars_and_items() -> None:
    lines = report([CUT]).splitlines()
    assert lines[2] == "* 62 % of the captions are cut."
    assert all(len(line) <= 110 for line in lines)
    assert "  Read 3 chunks: --set model.max_chunks=3 --set 'schedule.warmup=5 %'" in lines
    assert "    76 to 150 ############################## 62 captions" in lines
    assert "    - blue sky" in lines
    assert "    weights ############################## 7.5 GB" in report([SEE])
    assert "       none                                0 kB" in report([SEE])


def test_what_strangers_wrote_cannot_move_the_terminal() -> None:
    assert "    - a\\x1b[31mred\\nhat" in report([CUT]).splitlines()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.max_chunks", 3),
        ("training.ema", False),
        ("training.learning_rate", 1e-5),
        ("backup.every", "30 minutes"),
        ("concepts.0.prefix", 'it\'s "<new>" $HOME; '),
        ("sampling.prompts", [{"prompt": 'a "red" cat'}]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_printed_can_be_typed(path: str, value: object) -> None:
    option, setting = shlex.split(setting_option(path, value))
    assert option == "--set"
    assert get(apply_overrides({"concepts": [{}]}, [setting]), path) == value


@pytest.mark.parametrize("kind", [ProgressBar, LogLines])
def test_findings_are_gathered_and_told_once_before_the_summary(kind: type[ProgressBar | LogLines]) -> None:
    out = io.StringIO()
    shown = kind(out)
    for event in (Stage("Looking", 1, 2), CUT, Stage("Reading"), STOP, Result("check", "1 will hurt.")):
        shown.show(event)
    shown.close()
    text = out.getvalue()
    assert text.count("62 % of the captions are cut.") == 1
    assert text.index("There is no model") < text.index("62 %") < text.index("1 will hurt.")


@pytest.mark.parametrize("kind", [ProgressBar, LogLines])
def test_what_was_found_before_a_check_was_left_is_told(kind: type[ProgressBar | LogLines]) -> None:
    out = io.StringIO()
    shown = kind(out)
    shown.show(CUT)
    shown.close()
    assert "62 %" in out.getvalue()
