"""Numbers as people read them, and that nobody else writes their units by hand."""

import ast
import re

import pytest

from modules.event_text import progress_text, sentence
from modules.messages import Finished, ModelSaved, Note, Paused, Progress, Result, SampleReady, Started, Validated
from modules.system.bundled import ROOT
from modules.text import (
    GB,
    MB,
    ago,
    amount,
    bytes_of,
    counted,
    duration,
    in_bytes,
    in_percent,
    listed,
    percent,
    percent_done,
    rate,
    time_left,
)  # fmt: skip
from tests.sources import FILES, nodes, text_of

HOME = ("modules/text.py", "modules/sentences/", "modules/check/")
# The notation of presets, which is read again ("1 epoch", "30 minutes"), and a limit in round numbers.
NOTATION = {"modules/preset/text/interval.py", "modules/preset/text/share.py", "modules/preset/files/jsonfile.py"}
UNIT = re.compile(
    r"^ ?(B|kB|MB|GB|TB|KiB|MiB|GiB|h|min|hours?|minutes?|seconds?|days?|it/s|s/it|steps/s|s/step)\b|^ ?%$"
)
ABROAD = [path for path in FILES if not path.relative_to(ROOT).as_posix().startswith(HOME)]


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 kB"), (1, "1 kB"), (870_400, "850 kB"), (1.5 * MB, "1.5 MB"), (12 * MB, "12 MB"), (993 * MB, "1.0 GB"),
     (23.5e9, "21.9 GB"), (120 * GB, "120 GB"), (1024 * GB, "1.0 TB")],
)  # fmt: skip
def test_bytes_are_counted_as_nvidia_smi_counts_them(size: float, words: str) -> None:
    assert in_bytes(size) == words
    assert amount(size, "bytes") == words


def test_used_and_total_memory_have_the_same_unit() -> None:
    assert bytes_of(10.7 * GB, 12 * GB) == "10.7 / 12 GB"


@pytest.mark.parametrize(
    ("seconds", "words", "left"),
    [(0.08, "80 milliseconds", "0.08 s"), (1, "1 second", "1 s"), (45, "45 seconds", "45 s"),
     (200, "3 minutes", "3 min 20 s"), (3600, "60 minutes", "1 h 00 min"), (12_000, "3 hours 20 minutes", "3 h 20 min"),
     (40_000, "11 hours", "11 h 06 min"), (188_000, "2 days 4 hours", "52 h 13 min")],
)  # fmt: skip
def test_durations(seconds: float, words: str, left: str) -> None:
    assert duration(seconds) == words
    assert time_left(seconds) == left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (61, "1 minute ago"), (7300, "2 hours ago"), (90_000, "yesterday"), (1e6, "11 days ago")],
)
def test_how_long_ago(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_counts_shares_and_lists() -> None:
    assert [counted(1, "batch", "batches"), counted(2000, "image")] == ["1 batch", "2,000 images"]
    shares = [percent(share).replace("\u00a0", " ") for share in (0, 0.001, 0.5, 0.999, 1)]
    assert shares == ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]
    assert in_percent(0.1722, 1) == "17.2\u00a0%", "a line never breaks before the sign"
    assert [percent_done(599, 600), percent_done(3, 3)] == ["99\u00a0%", "100\u00a0%"]
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", 3])] == ["", "a", "a and b", "a, b and 3"]
    assert [rate(steps) for steps in (0, 0.25, 1.92)] == ["", "4.0 s/it", "1.92 it/s"]
    assert [amount(120, "captions"), amount(1, "images"), amount(0.25, "")] == ["120 captions", "1 image", "0.25"]
    assert amount(0.12, "share") == "12\u00a0%"


def test_events_in_words() -> None:
    assert sentence(Started("runs/cat", 600, 4, 150)) == "Run cat: 600 steps in 4 epochs"
    assert (
        sentence(Started("runs/cat", 1, 1, 1, 0), full_paths=True)
        == "Run runs/cat: 1 step in 1 epoch, continued from step 0"
    )
    assert sentence(Note("Mind this.", "warning")) == "Warning: Mind this."
    assert sentence(SampleReady("s/a.png", "cat", 1500, 1), full_paths=True) == "Sample at step 1,500: s/a.png"
    assert sentence(ModelSaved("models/a.safetensors", 7)) == "Model at step 7: a.safetensors"
    assert sentence(Finished(7, path="a.safetensors")) == "Finished at step 7: a.safetensors"
    assert sentence(Finished(7, stopped=True)) == "Stopped at step 7"
    assert sentence(Paused(7, "The disk is full.")) == "Paused at step 7: The disk is full."
    assert sentence(Result("size", "3 GB")) == "3 GB"
    assert sentence(object()) == ""


def test_a_validation_says_whether_it_was_ever_as_low() -> None:
    first = Validated(0, 0.5, 0.01, 8, {}, [], best=True, best_step=0, best_mean=0.5)
    assert sentence(first) == "Validation at step 0: 0.50000 \u00b1 0.01000, before training"
    later = Validated(9, 0.6, 0.0, 1, {}, [], best=False, best_step=0, best_mean=0.5)
    assert sentence(later) == "Validation at step 9: 0.60000, the best is 0.50000 of step 0"


def test_where_a_run_stands() -> None:
    assert progress_text(Progress(1840, 12_040, 3, 20)) == "epoch 4 of 20, step 1,840 of 12,040"


def by_hand(source: str, *, plurals: bool = True) -> list[int]:
    """Lines where a number gets a unit of bytes or time, or a word its plural, without modules/text.py."""
    found: list[int] = []
    for node in nodes(source, ast.JoinedStr):
        pairs = zip(node.values, node.values[1:], strict=False)
        found += [
            node.lineno
            for number, text in pairs
            if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant) and UNIT.match(str(text.value))
        ]
    for node in nodes(source, ast.IfExp) if plurals else ():
        if {"", "s"} == {end.value for end in (node.body, node.orelse) if isinstance(end, ast.Constant)}:
            found.append(node.lineno)
    return found


def test_nobody_writes_units_or_plurals_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in ABROAD
        if path.relative_to(ROOT).as_posix() not in NOTATION
        for line in by_hand(text_of(path), plurals=path.is_relative_to(ROOT / "app"))
    ]
    assert found == []


def test_the_search_for_units_finds_them() -> None:
    assert by_hand('f"{size / 1e9:.1f} GB"') == [1]
    assert by_hand("f\"{n} image{'' if n == 1 else 's'}\"") == [1]
    assert by_hand('f"{in_bytes(size)} on the card"') == []
