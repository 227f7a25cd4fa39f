"""What crosses between window and engine: plain, frozen, one line of JSON each."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Sequence
from typing import Any

import pytest

from modules.messages import (
    CardFit,
    Change,
    Channel,
    Command,
    Event,
    Finding,
    Fix,
    Job,
    Mailbox,
    Note,
    Progress,
    Rung,
    SampleNow,
    Stage,
    Stop,
    Train,
)
from modules.sentences.problem import Problem, problem
from modules.wire import KINDS, decode, encode

EXAMPLES: dict[Any, Any] = {
    str: "naïve 猫\n\"quoted\" \\", int: 2**60, float: 0.1, bool: True, dict[str, Any]: {"a": [1, {"b": None}]},
    list[str]: ["a", "b"], list[dict[str, Any]]: [{"prompt": "x"}], list[list[float]]: [[1.0, 0.5]],
    dict[str, list[Any]]: {"training.steps": [600, None], "concepts": ["1 entries", "猫"]},
    dict[str, float]: {"denoiser": 1e-4}, dict[str, Any] | None: {"prompt": "x"}, Any: [1, "two", None],
    typing.Literal["error", "warning", "info"]: "warning",
    list[Fix]: [Fix("Raise it", {"model.max_chunks": 4})],
    list[Problem]: [problem("value.int", "training.steps", "training.epochs", value="3.5")],
    Sequence[str | Problem]: ["a.png", problem("item.reason", file="b.png", reason="x")],
    Sequence[tuple[str | Problem, float]]: [("75 and less", 12.0), (problem("bar.tokens", first=1, last=9), 3.0)],
    list[tuple[float, float]]: [(0.125, 0.7)],
    list[tuple[str, float]]: [("a cat", 0.3)], float | None: 0.5,
    list[Rung]: [Rung({"model.offload": "25 %"}, 2**40, [("PyTorch", 1.0)], 0, 57, 14, 57, 1, 2.4, "near", fits=True)],
    typing.Literal["tags", "sentences"]: "tags", list[tuple[str, str, float]]: [("^_^", "general", 0.75)],
    list[CardFit]: [CardFit("RTX 3060", 2**33, 2**32, "int8", 14, 2.4, fits=False)],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_message_survives_the_wire(kind: Any) -> None:
    hints = typing.get_type_hints(kind)
    message = kind(**{field.name: EXAMPLES[hints[field.name]] for field in dataclasses.fields(kind)})
    line = encode(message)
    assert "\n" not in line
    assert decode(line) == message


def test_every_event_and_command_is_known_on_the_wire() -> None:
    every = {*typing.get_args(Event), *typing.get_args(Command), *typing.get_args(Job)}
    assert set(KINDS.values()) == every
    assert all(kind.__dataclass_params__.frozen for kind in every)


@pytest.mark.parametrize(("old", "new"), [("stop", "error"), ("hurt", "warning"), ("know", "info")])
def test_a_finding_of_an_earlier_release_has_its_severity(old: str, new: str) -> None:
    line = f'{{"kind": "Finding", "code": "captions.cut", "severity": "{old}", "title": "62 % are cut.", "mends": []}}'
    found = decode(line)
    assert isinstance(found, Finding) and found.severity == new
    with pytest.raises(ValueError, match="severity"):
        decode(line.replace(f'"{old}"', '["stop"]'))


def test_a_stage_of_an_earlier_release_is_what_it_said() -> None:
    assert decode('{"kind": "Phase", "title": "Writing a backup", "done": 0, "total": 0}') == Stage(
        title="Writing a backup"
    )


def test_a_loss_that_is_no_number_is_told_as_it_is() -> None:
    told = decode(encode(Progress(1, 2, 0, 1, [[1.0, math.nan], [2.0, math.inf]])))
    assert isinstance(told, Progress)
    assert math.isnan(told.losses[0][1])
    assert told.losses[1][1] == math.inf


@pytest.mark.parametrize(
    "line",
    ["", "garbage", "[]", "3", "null", "{}", '{"kind": "Nothing"}', '{"kind": []}', '{"kind": "Stop", "colour": 1}',
     '{"kind": "Change"}', '{"now": true}', '{"kind": "Stop"'],
)  # fmt: skip
def test_what_is_no_message_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"not a message|has no|needs"):
        decode(line)


def test_what_is_left_out_has_its_default() -> None:
    assert decode('{"kind": "Stop"}') == Stop()
    assert decode('{"kind": "SampleNow"}') == SampleNow()
    assert decode('{"kind": "Train", "preset": {}}') == Train({}, "")


def test_a_mailbox_is_emptied_in_order_and_never_waited_on() -> None:
    box: Mailbox[int] = Mailbox()
    assert not list(box.drain())
    for number in range(5):
        box.put(number)
    assert list(box.drain(at_most=2)) == [0, 1]
    assert list(box.drain()) == [2, 3, 4]


def test_a_drain_is_bounded_so_that_a_window_stays_awake() -> None:
    box: Mailbox[int] = Mailbox()
    for number in range(1000):
        box.put(number)
    assert len(list(box.drain())) == 200


def test_a_channel_keeps_events_and_commands_apart() -> None:
    channel = Channel.open()
    channel.events.put(Note("x"))
    channel.commands.put(Change("a", 1))
    assert list(channel.commands.drain()) == [Change("a", 1)]
    assert list(channel.events.drain()) == [Note("x")]


@pytest.mark.parametrize(
    "losses", ["[[NaN, 0.5]]", "[[Infinity, 0.5]]", "[[1.5, 0.5]]", "[[1]]", "[[]]", "[[1, 2, 3]]"]
)
def test_a_loss_without_its_step_is_no_message(losses: str) -> None:
    """Who reads events takes them as they come: the type of the message says what they are."""
    with pytest.raises(ValueError, match="losses"):
        decode(f'{{"kind": "Progress", "step": 3, "steps": 10, "epoch": 1, "epochs": 1, "losses": {losses}}}')


def test_a_step_of_five_hundred_digits_is_no_message() -> None:
    with pytest.raises(ValueError, match=r"SampleReady\.step"):
        decode(f'{{"kind": "SampleReady", "path": "", "prompt": "", "number": 1, "step": 1{"0" * 500}}}')
