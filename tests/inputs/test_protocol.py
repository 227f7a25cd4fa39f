"""What comes through the pipe of the engine and is no message: refused with a note, and the engine goes on."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest

from modules import messages as m
from modules.engine import Engine
from modules.sentences.problem import problem
from modules.wire import KINDS, decode, encode

pytestmark = pytest.mark.timeout(60)


def line(kind: str, **values: Any) -> str:
    return json.dumps({"kind": kind, **values})


LINES = {
    "nothing": "",
    "spaces": "   ",
    "words": "train the robot please",
    "half a message": '{"kind": "Stop", "no',
    "a list": "[1, 2]",
    "null": "null",
    "a number": "5",
    "a text": '"Stop"',
    "no kind": "{}",
    "a kind of another program": line("Delete"),
    "a dunder": line("__class__"),
    "a kind that is null": '{"kind": null}',
    "a kind that is a list": '{"kind": []}',
    "a kind in capitals": line("STOP"),
    "a field that is unknown": line("Stop", why="x"),
    "a field of 1 MB": line("Stop", **{"x" * 2**20: 1}),
    "a field that is missing": line("Change", path="x"),
    "a switch as number": line("Stop", now=1),
    "a switch as text": line("Stop", now="yes"),
    "a preset as text": line("Train", preset="robot.json"),
    "a preset as list": line("Train", preset=[1]),
    "a preset as null": line("Train", preset=None),
    "resume as a switch": line("Train", preset={}, resume=True),
    "a prompt as text": line("SampleNow", prompt="a robot"),
    "settings of a tool as list": line("RunTool", name="convert", settings=[]),
    "a tool as number": line("RunTool", name=5, settings={}),
    "a path as number": line("Change", path=5, value=1),
    "a step as fraction": line("Paused", step=1.5),
    "a step as switch": line("Paused", step=True),
    "a level of another word": line("Note", text="x", level="fatal"),
    "a severity of another word": line("Finding", name="a", severity="bad", title="x"),
    "a mend without changes": line("Failed", message="x", fixes=[{"label": "x"}]),
    "a mend of other fields": line("Failed", message="x", fixes=[{"label": "x", "changes": {}, "run": "rm"}]),
    "a mend that is a text": line("Failed", message="x", fixes=["x"]),
    "bars of three": line("Finding", name="a", severity="info", title="x", bars=[["a", 1, 2]]),
    "losses of text": line("Progress", step=1, steps=2, epoch=1, epochs=1, losses=[["1", "2"]]),
    "rates of text": line("Progress", step=1, steps=2, epoch=1, epochs=1, rates={"denoiser": "fast"}),
    "100,000 brackets": "[" * 100_000,
    "100,000 objects": '{"kind":' * 100_000,
    "10 MB of letters": "x" * 10_000_000,
    "a number of 5000 digits": '{"kind": "Paused", "step": ' + "9" * 5000 + "}",
    "control characters": '{"kind": "\x1b[2J\u202e"}',
    "zero bytes": "\0\0\0",
    "a pickle": "\x80\x04cos\nsystem",
    "markup": "<html></html>",
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_what_is_no_message_is_refused_in_a_short_sentence(name: str) -> None:
    with pytest.raises(ValueError) as refusal:
        decode(LINES[name])
    assert len(str(refusal.value)) < 400


def examples() -> list[m.Message]:
    """Every kind of message, with values in all of its fields."""
    mend = m.Fix("Halve it", {"training.batch_size": 1})
    rung = m.Rung({"model.offload": "25 %"}, 3, [("a", 1.0)], 3, 4, 1, 2, 1, 0.5, "near", fits=True)
    values: dict[str, Any] = {
        "preset": {"version": 1}, "settings": {"out": "x"}, "prompt": {"prompt": "x"}, "value": [1],
        "losses": [[1, 0.5]], "rates": {"denoiser": 1e-4}, "fixes": [mend], "bars": [("a", 1.0)], "items": ["x"],
        "level": "error", "severity": "error", "values": {"count": 3},
        "problems": [problem("value.int", value="x")], "concepts": {"robot": 0.5}, "times": [(0.5, 0.25)],
        "prompts": [("cat", 0.5)], "practised": 0.5, "held_out": 0.25, "cosine": 0.75,
        "changes": {"training.epochs": [1, 2]}, "rungs": [rung], "pinned": ["x"], "enough": [mend],
        "what": "tags", "scores": [("red hair", "general", 0.5)], "thresholds": {"general": 0.35},
        "cards": [m.CardFit("x", 3, 3, "int8", 1, 0.5, fits=True)],
    }  # fmt: skip
    plain = {"str": "x", "int": 3, "Count": 3, "float": 0.5, "bool": True}
    made: list[m.Message] = []
    for kind in KINDS.values():
        given = {f.name: plain.get(str(f.type), values.get(f.name)) for f in dataclasses.fields(kind)}
        assert None not in given.values(), (kind, given)
        made.append(kind(**given))
    return made


@pytest.mark.parametrize("message", examples(), ids=lambda message: type(message).__name__)
def test_every_kind_of_message_crosses_unchanged(message: m.Message) -> None:
    assert decode(encode(message)) == message
    bare = {f.name for f in dataclasses.fields(message) if f.default is f.default_factory is dataclasses.MISSING}
    least = type(message)(**{name: getattr(message, name) for name in bare})
    assert decode(encode(least)) == least


def test_the_engine_says_what_it_did_not_understand_and_goes_on(tmp_path: Path) -> None:
    told = io.StringIO()
    lines = [text.replace("\n", " ").replace("\r", " ") for text in LINES.values()]
    engine = Engine(io.StringIO("\n".join([*lines, line("Quit")]) + "\n"), told)
    engine._listen()
    engine._send()
    answers = [decode(text) for text in told.getvalue().splitlines()]
    assert len(answers) == len(lines)
    assert all(isinstance(a, m.Note) and a.text.startswith("Not understood: ") for a in answers)
    assert all(len(a.text) < 500 and not set("\0\x1b\u202e") & set(a.text) for a in answers if isinstance(a, m.Note))
