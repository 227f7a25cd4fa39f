"""Which ways there are to make a run fit, and in which order they are tried. Data only.

In each, checkpointing is of as few blocks as fit, and a batch is divided into as few parts; both leave the result as it
is. What rounds comes after what only costs time, except where a person prefers speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from modules.messages import Exactness
from modules.preset.preset import Preset

Prefer = Literal["exact", "balanced", "fast"]
EXACTNESS: dict[str, Exactness] = {"off": "exact", "int8": "near", "fp8": "near", "nf4": "less"}


@dataclass(frozen=True)
class Way:
    """How frozen weights are held."""

    quantization: str = "off"
    offloads: bool = False  # as few blocks in main memory as fit
    gradients: str = "card"

    @property
    def exactness(self) -> Exactness:
        return EXACTNESS[self.quantization]


WHOLE, INT8, NF4 = Way(), Way("int8"), Way("nf4")
WHOLE_OFFLOADED, INT8_OFFLOADED, NF4_OFFLOADED = Way("off", True), Way("int8", True), Way("nf4", True)
GRADIENTS_ASIDE = Way(gradients="main_memory")
LADDERS: dict[str, tuple[Way, ...]] = {
    "exact": (WHOLE, WHOLE_OFFLOADED),
    "balanced": (WHOLE, INT8, INT8_OFFLOADED, NF4, NF4_OFFLOADED),
    "fast": (WHOLE, INT8, NF4, INT8_OFFLOADED, NF4_OFFLOADED),
}
# What is shown below a ladder, so that a person sees what there is besides
OTHERS: dict[str, tuple[Way, ...]] = {
    "exact": (INT8, INT8_OFFLOADED, NF4, NF4_OFFLOADED),
    "balanced": (WHOLE_OFFLOADED,),
    "fast": (WHOLE_OFFLOADED,),
}


SHARES = ("25 %", "50 %", "75 %", "all")  # of the blocks in main memory, where memory has run out


def wants_compiler(preset: Preset) -> bool:
    """Whether blocks are to be compiled where that works, as far as nobody has said so or otherwise."""
    return preset.general.prefer == "fast" and preset.general.compile == "auto"


def descent(preset: Preset, on_card: bool) -> Iterator[dict[str, str]]:
    """Settings that take less and less, for a run whose memory has run out: every block is computed twice."""
    for way in ladder(preset, on_card=on_card)[0]:
        for share in SHARES if way.offloads else ("none",):
            yield {
                "model.quantization": way.quantization,
                "model.offload": share,
                "training.gradient_checkpointing": "all",
                "training.gradients": way.gradients,
            }


def ladder(preset: Preset, *, on_card: bool) -> tuple[list[Way], list[Way]]:
    """The ways that may be taken, first to last, and those that are only shown. What a person has set stays so."""
    if preset.method.kind == "full" and "denoiser" in preset.trained_parts():
        ways = (WHOLE, GRADIENTS_ASIDE) if on_card else (WHOLE,)
        return [way for way in ways if preset.training.gradients in ("auto", way.gradients)], []
    return frozen_ladder(preset, on_card=on_card)


def frozen_ladder(preset: Preset, *, on_card: bool) -> tuple[list[Way], list[Way]]:
    """The same of a denoiser that is not trained itself."""
    model, prefer = preset.model, preset.general.prefer
    ways, others = LADDERS[prefer], OTHERS[prefer]
    if model.quantization != "auto":
        ways, others = (Way(model.quantization), Way(model.quantization, offloads=True)), ()
    offloads = {False, on_card} if model.offload == "auto" else {bool(model.offloaded)}
    return tuple([way for way in row if way.offloads in offloads] for row in (ways, others))  # type: ignore[return-value]
