"""How a run fits a graphics card, as far as that can be known before it."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from modules.messages.message import Bar, Count, message
from modules.sentences.problem import Fix

Exactness = Literal["exact", "near", "less"]  # int8 is near, nf4 is less exact


@message
class Rung:
    """A way to hold a model and to do its work, and what it comes to."""

    settings: dict[str, Any]  # that it sets, by path; those that a person has set are as they are
    peak: Count  # bytes
    parts: list[Bar]  # of the peak, by what they are for, the largest first
    main_memory: Count  # bytes of the computer's own memory that lie there for the card
    blocks: Count  # of the denoiser
    offloaded: Count  # of these
    checkpointed: Count  # of these
    batch_parts: Count  # in which a batch is learnt from
    seconds: float  # that a step takes, about; 0: nobody knows
    exactness: Exactness
    fits: bool


@message
class CardFit:
    """What a card would do with a run."""

    name: str
    total: Count  # bytes
    peak: Count
    quantization: str
    offloaded: Count  # blocks
    seconds: float
    fits: bool


@message
class MemoryPlan:
    """How a run fits a card: the rungs of the ladder, in the order in which they are tried."""

    card: str  # its name; "" is the computer's own memory
    here: bool  # whether it is what this computer trains with
    total: Count  # bytes
    usable: Count  # of them, by a run
    prefer: str  # "exact", "balanced" or "fast"
    dtype: str  # of weights that are not quantized: "bf16"
    rungs: list[Rung]
    chosen: int  # the first that fits; the smallest if none does
    pinned: list[str]  # settings of the ladder that a person has set, by path
    cards: list[CardFit] = field(default_factory=list[CardFit])  # what usual cards would do
    room: Count = 0  # of `usable`, that an estimate may come to; 0 in runs of older versions
    enough: list[Fix] = field(default_factory=list[Fix])  # the smallest change with which it fits, where it does not
