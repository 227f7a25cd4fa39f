"""How far weights have moved, as data: what `weight-shift.json` holds and the window draws. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from modules.errors import UserError
from modules.system.reading import read_bytes

NAME = "weight-shift"  # of the files, without their endings
LARGEST = 200_000_000  # bytes of the file; a large model has some thousand layers


@dataclass(frozen=True)
class Layer:
    """One tensor. `relative`: the change's norm beside the weight's; None where that is not known, or it is 0."""

    name: str  # "denoiser|mid_block.attentions.0...to_q.weight"
    block: str
    kind: str
    norm: float  # of the change (Frobenius)
    weight: float | None  # the norm of the base's tensor
    relative: float | None
    largest: float | None  # singular value of the change; None: not asked for, or no matrix
    cosine: float | None  # with the other change; None: there is none, or one of them is 0


@dataclass(frozen=True)
class Cell:
    """All tensors of a kind in a block."""

    block: str
    kind: str
    count: int
    norm: float
    relative: float | None
    largest: float | None
    cosine: float | None


@dataclass(frozen=True)
class StepShift:
    """A step of a run: of the whole model, and by kind."""

    step: int
    relative: float
    kinds: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Shift:
    """Rows are `kinds`, columns `blocks`, in the net's order."""

    base: str
    tuned: str
    other: str
    relative: float | None  # of the whole model
    norm: float
    blocks: list[str]
    kinds: list[str]
    cells: list[Cell]
    layers: list[Layer]  # those that moved most first
    steps: list[StepShift] = field(default_factory=list[StepShift])


def read_shift(folder: Path) -> Shift:
    """What was measured into a folder.

    Raises:
        UserError: nothing was, or the file is damaged.
    """
    file = folder / f"{NAME}.json"
    try:
        return TypeAdapter(Shift).validate_json(read_bytes(file, LARGEST))
    except (OSError, ValidationError) as error:
        raise UserError("shift.damaged", file=file) from error
