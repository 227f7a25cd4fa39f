"""Real steps of the product on a pretended card: any family, method and optimizer, tiny or of full size.

The whole product of them, minutes of CPU time: `python -m tests.card.steps [words that a case's line must hold]`.
"""

from __future__ import annotations

import atexit
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import torch
from torch import Tensor, nn

from modules.check.memory.step_memory import BatchShape, StepBytes, _batch, step_bytes
from modules.data.batches import Batch
from modules.families import Family, LoadOptions, family_class
from modules.methods import attach
from modules.preset.files.set_option import apply_overrides
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.setting_info import kind_of
from modules.preset.validate import preset_of
from modules.trainer.preparation import load_options
from modules.trainer.step.learner import Learner
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests import tiny
from tests.card.pretended import Watch, plugged, pretended_card, register
from tests.families import tiny_models
from tests.trainer.optimizer_kinds import ALL

FAMILIES = {
    "sd": tiny.tiny_sd, "sdxl": tiny.tiny_sdxl, "sd3": tiny_models.tiny_sd3, "flux1": tiny_models.tiny_flux1,
    "flux2": tiny_models.tiny_flux2, "flux2_klein": tiny_models.tiny_flux2_klein, "chroma": tiny_models.tiny_chroma,
    "qwen_image": tiny_models.tiny_qwen_image, "krea2": tiny_models.tiny_krea2, "zimage": tiny_models.tiny_zimage,
    "anima": tiny_models.tiny_anima,
}  # fmt: skip
UNETS = {"sd": {"unet": tiny.SMALLEST}, "sdxl": {"unet": tiny.SMALLEST_XL}}
WORD = ("method.kind=embedding", "words.0.token=<new>")
METHODS: dict[str, tuple[str, ...]] = {
    "lora": ("method.kind=lora", "method.dropout=0.1", "method.rank_dropout=0.1"),
    "dora": ("method.kind=lora", "method.dora=true", "method.conv=true"),
    "loha": ("method.kind=loha", "method.conv=true"),
    "lokr": ("method.kind=lokr", "method.dora=true"),
    "oft": ("method.kind=oft",),
    "full": ("method.kind=full", "training.weights=bf16"),
    "embedding": WORD,
}
OPTIMIZERS = {kind_of(kind): kind for kind in ALL if kind_of(kind) != "other"}


@dataclass(frozen=True)
class Seen:
    """What the last of some steps did, and the highest bytes of all of them."""

    waits: tuple[str, ...]
    copies: tuple[str, ...]
    late: tuple[str, ...]
    peak: int


class TwoLayers(nn.Module):
    """A denoiser with a weight of every shape, and hardly an operation: what an optimizer does costs less to see."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(4, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor, *_: Any, **more: Any) -> tuple[Tensor]:
        return (self.linear(self.norm(self.conv(x)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2),)


@cache
def tiny_family(name: str) -> Family:
    """Opened from a folder of small files, once for a process; none of its weights are read."""
    folder = Path(mkdtemp(prefix="card-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    FAMILIES[name](folder, **UNETS.get(name, {}))
    return family_class(name).load(str(folder), LoadOptions())


def preset_for(family: str, *settings: str) -> Preset:
    values = {"version": Preset.VERSION, "model": {"family": family, "dtype": "bf16"}, "general": {"threads": 1}}
    preset = preset_of(apply_overrides({**values, "training": {"batch_size": 2}}, list(settings)))
    assert not conflicts(preset), conflicts(preset)
    return preset


def learned(
    family: Family, preset: Preset, *, size: int = 64, steps: int = 1, denoiser: nn.Module | None = None
) -> Seen:
    """Take steps on the card; the last one is watched. `denoiser`: in the place of the family's."""
    import_module(preset.optimizer.source.partition(":")[0])
    with pretended_card() as watch:
        batch, learner = batch_for(family, preset, size), learner_on_card(family, preset, denoiser)
        watch.restart()
        for number in range(steps):
            watch.watching = number == steps - 1
            learner.learn([batch])
            learner.clock.tick(1000)
        watch.watching = False
        return seen_by(watch)


def seen_by(watch: Watch) -> Seen:
    return Seen(*(tuple(sorted({*said})) for said in (watch.waits, watch.copies, watch.late)), watch.peak)


def learner_on_card(family: Family, preset: Preset, denoiser: nn.Module | None = None) -> Learner:
    """A learner as a run makes it."""
    twin = family.meta_copy(on_card(preset), held(family, preset) - ({"denoiser"} if denoiser else set()))
    if denoiser is not None:
        placed = denoiser.to(twin.options.device, twin.options.dtype).requires_grad_(False).eval()
        twin._take("denoiser", placed)  # type: ignore[attr-defined]
    method = attach(twin, preset)
    if preset.training.checkpointed:
        use_gradient_checkpointing(twin, method.modified_components | {"denoiser"})
    return Learner(preset, twin, method, steps=1000)


def on_card(preset: Preset) -> LoadOptions:
    return replace(load_options(preset), device=register())


def held(family: Family, preset: Preset) -> set[str]:
    """The components that stay while it trains."""
    return {"denoiser", *(family.text_encoders if preset.trains_text else ())}


def batch_for(family: Family, preset: Preset, size: int) -> Batch:
    """In main memory; captions are read once for all tests of a family."""
    key = (family.name, preset.trains_text, size)
    if key not in _batches:
        parts = () if preset.trains_text else family.text_encoders
        shape = BatchShape((size, size), "a robot", caches_text=not preset.trains_text)
        _batches[key] = _batch(family.meta_copy(on_card(preset), parts), preset, shape)
    return _batches[key]


_batches: dict[tuple[str, bool, int], Batch] = {}


def said_by_the_check(family: Family, preset: Preset, size: int = 64) -> StepBytes:
    """What the check counts for a step on the card."""
    shape = BatchShape((size, size), "a robot", caches_text=not preset.trains_text)
    with plugged():
        return step_bytes(family, preset, shape, held(family, preset))


def cases() -> Iterator[tuple[str, str, str]]:
    for family in FAMILIES:
        for method in METHODS:
            if family in UNETS or method != "embedding":
                yield from ((family, method, optimizer) for optimizer in OPTIMIZERS)


def main(words: list[str]) -> None:
    bad = 0
    for case in cases():
        family, method, optimizer = case
        if not all(word in " ".join(case) for word in words):
            continue
        kind = OPTIMIZERS[optimizer]
        weights = ("training.weights=fp32",) if kind.is_schedule_free else ()
        rate = ("training.learning_rate=1",) if kind.is_learning_rate_free else ()
        settings = (*METHODS[method], f"optimizer.kind={optimizer}", *weights, *rate)
        try:
            seen = learned(tiny_family(family), preset_for(family, *settings), steps=3)
        except Exception:  # noqa: BLE001 - the next case is told, too
            bad, seen = bad + 1, None
            print(*case, traceback.format_exc(limit=-3))  # noqa: T201
        if seen and (seen.waits or seen.late) and not kind.synchronizes:
            bad += 1
            print(*case, seen.waits, seen.late)  # noqa: T201
    print(f"{bad} bad")  # noqa: T201
    sys.exit(bad > 0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
