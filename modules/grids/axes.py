"""The axes of a grid: what each head says, and what it changes in the cells below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modules.errors import UserError
from modules.grids.prompts import prompts_of
from modules.grids.settings import Kind
from modules.grids.subject import Picked, Subject
from modules.grids.values import (
    MOST,
    NUMBERS,
    RANGE,
    number_of,
    sampler_of,
    sampler_title,
    size_of,
    switch_of,
    values_of,
)
from modules.language import tr

EMPTY_LABEL = "empty prompt"
TITLES: dict[str, str] = {
    "none": "", "step": "step", "run": "run", "model": "base model", "strength": "strength", "prompt": "prompt",
    "replace": "prompt", "seed": "seed", "guidance": "guidance", "steps": "sampling steps", "sampler": "sampler",
    "size": "size", "ratio": "merge ratio", "trigger": "trigger word",
}  # fmt: skip
USUAL: dict[str, tuple[str, ...]] = {
    "step": ("usual",), "prompt": ("@usual",), "strength": ("0", "0.5", "0.75", "1"), "guidance": ("3", "5", "7"),
    "steps": ("10", "20", "30"), "seed": ("1-4",), "ratio": ("0-1 [5]",), "trigger": ("on", "off"),
    "sampler": ("euler", "dpmpp_2m", "unipc"),
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """One value of an axis."""

    value: str  # as settings have it
    label: str  # for people, in full
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what it sets in its cells, by kind
    step: int = -1
    star: bool = False  # a saved model
    backup: bool = False
    forgotten: float | None = None
    learnt: float | None = None
    balance: float | None = None


@dataclass(frozen=True)
class Axis:
    """Columns, rows or tabs; of kind "none" with one head that says and changes nothing."""

    kind: Kind
    title: str
    heads: tuple[Head, ...]


def axis_of(kind: Kind, values: Sequence[str], subject: Subject, path: str) -> Axis:
    """The axis that these settings make. `path`: of the setting, for what is wrong with it.

    Raises:
        UserError: a value is wrong, or there is none.
    """
    if kind == "none":
        return Axis(kind, "", (Head("", ""),))
    try:
        heads = _heads(kind, values or USUAL.get(kind, ()), subject)
    except UserError as error:
        raise UserError(replace(error.problem, path=error.problem.path or path)) from None
    if not heads:
        raise UserError("grid.no-values", path, axis=tr(TITLES[kind]))
    if len(heads) > MOST:
        raise UserError("grid.too-many", path, most=MOST)
    return Axis(kind, TITLES[kind], tuple(heads))


def _heads(kind: Kind, values: Sequence[str], subject: Subject) -> list[Head]:
    if kind == "prompt":
        texts = [prompt for value in values for prompt in prompts_of(value, subject.preset)]
        return [_prompt(text) for text in dict.fromkeys(texts)]
    if kind == "replace":
        return [Head(text, text or tr("nothing"), {"replace": (values[0], text)}) for text in dict.fromkeys(values)]
    if kind == "step":
        return _steps(values, subject)
    spelled = [each for value in values for each in values_of(kind, value)]
    return [HEADS[kind](kind, value) for value in dict.fromkeys(spelled)]


def _steps(values: Sequence[str], subject: Subject) -> list[Head]:
    """Steps by name or number; of a range, those that the run has nearest to it."""
    found: dict[str, Head] = {}
    for text in values:
        near = RANGE.fullmatch(text.strip()) is not None
        for value in subject.spelled_out([text] if Path(text).is_file() else values_of("step", text)):
            picked = subject.picked(value, near=near)
            name = str(picked.step) if near else value
            found.setdefault(name, _step(name, picked, subject))
    return [*found.values()]


def _prompt(text: str) -> Head:
    return Head(text or "@empty", text or tr(EMPTY_LABEL), {"prompt": text})


def _step(value: str, picked: Picked, subject: Subject) -> Head:
    measured = subject.numbers.at(picked.step) if picked.step >= 0 else None
    numbers = vars(measured) if measured else {}
    word, _, rest = value.partition(" ")
    label = f"{picked.step:,} {rest.upper()}".strip() if word.isdecimal() else value
    if value in ("best", "last"):
        label = f"{value} ({picked.step:,})"
    elif picked.step < 0:
        label = Path(value).stem
    return Head(value, label, {"step": value}, picked.step, picked.saved, picked.backup, **numbers)


def _number(kind: str, value: str) -> Head:
    number = number_of(kind, value)
    return Head(value, f"{number:,}" if isinstance(number, int) and kind != "seed" else f"{value}", {kind: number})


def _sampler(kind: str, value: str) -> Head:
    settings = sampler_of(value)
    return Head(value, sampler_title(settings), {kind: settings})


def _size(kind: str, value: str) -> Head:
    width, height = size_of(value)
    return Head(value, f"{width} \u00d7 {height}", {kind: (width, height)})


def _trigger(kind: str, value: str) -> Head:
    on = switch_of(value)
    return Head(value, tr("with trigger word") if on else tr("without trigger word"), {kind: on})


def _place(kind: str, value: str) -> Head:
    return Head(value, Path(value).stem or value, {kind: value})


HEADS: dict[str, Callable[[str, str], Head]] = {
    **dict.fromkeys(NUMBERS, _number), "sampler": _sampler, "size": _size, "trigger": _trigger, "run": _place,
    "model": _place,
}  # fmt: skip
