"""Real steps of the product on a pretended card: any family, method and optimizer, tiny or of full size.

The whole product of them: `python -m tests.card.steps [names of a family, a method, optimizers]`: one to two hours of
CPU time, of which a family and method take 40 to 100 s with all optimizers, and 6 s with one. What waits, and what is
copied late, is printed with its file and line.
"""

from __future__ import annotations

import atexit
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from itertools import product
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modules.check.memory import memory_tracker, step_memory
from modules.check.memory.step_memory import BatchShape, StepBytes, _batch, step_bytes
from modules.data.batches import Batch
from modules.families import Family, LoadOptions, family_class
from modules.methods import attach
from modules.preset.files.set_option import apply_overrides
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.setting_info import kind_of
from modules.preset.validate import preset_of
from modules.trainer import preparation
from modules.trainer.preparation import load_options
from modules.trainer.step.learner import Learner
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests import tiny
from tests.card.pretended import FakeTensors, Watch, plugged, pretended_card, register
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
        return seen_steps(watch, learner, partial(_whole, batch), steps)


def seen_by(watch: Watch) -> Seen:
    return Seen(*(tuple(sorted({*said})) for said in (watch.waits, watch.copies, watch.late)), watch.peak)


def learner_on_card(family: Family, preset: Preset, denoiser: nn.Module | None = None) -> Learner:
    """A learner as a run makes it."""
    twin = family.meta_copy(on_card(preset), held(family, preset) - ({"denoiser"} if denoiser else set()))
    if denoiser is not None:
        placed = denoiser.to(twin.options.device, twin.options.dtype).requires_grad_(False).eval()
        twin._take("denoiser", placed)  # type: ignore[attr-defined]
    method = attach(twin, preset)
    use_gradient_checkpointing(twin, method.modified_components | {"denoiser"}, preset.training.checkpointed)
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


def said_on_the_card(monkeypatch: pytest.MonkeyPatch, family: Family, preset: Preset, size: int = 64) -> StepBytes:
    """What the check counts for a step on the card; from here on the settings mean the card in all that is done."""
    monkeypatch.setattr(memory_tracker, "FakeTensorMode", FakeTensors)
    for module in (step_memory, preparation):
        monkeypatch.setattr(module, "device_named", lambda _: register())
    shape = BatchShape((size, size), "a robot", caches_text=not preset.trains_text)
    with plugged():
        return step_bytes(family, preset, shape, held(family, preset))


def groups(words: Collection[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Family, method and optimizers of all, or of those that are named."""
    named = {*words} & OPTIMIZERS.keys()
    optimizers = {name: kind for name, kind in OPTIMIZERS.items() if not named or name in named}
    for family, method in product(FAMILIES, METHODS):
        if (family in UNETS or method != "embedding") and {*words} - named <= {family, method}:
            yield family, method, optimizers


def seen_of_group(family: Family, method: str, optimizers: Mapping[str, Any]) -> Iterator[tuple[str, Seen]]:
    """Whole steps of AdamW, and the update of every other optimizer, with gradients that are not computed anew."""
    for weights in ("bf16", "fp32"):  # the latter where schedule-free optimizers want it
        chosen = {name: kind for name, kind in optimizers.items() if kind.is_schedule_free == (weights == "fp32")}
        if not chosen:
            continue
        own = (*METHODS[method], *((f"training.weights={weights}",) if method == "full" else ()))
        with pretended_card() as watch:
            preset = preset_for(family.name, *own)
            batch, learner = batch_for(family, preset, 64), learner_on_card(family, preset)
            yield "a step", seen_steps(watch, learner, partial(_whole, batch))
            for name, kind in chosen.items():
                rate = ("training.learning_rate=1",) if kind.is_learning_rate_free else ()
                preset = preset_for(family.name, *own, f"optimizer.kind={name}", *rate)
                import_module(preset.optimizer.source.partition(":")[0])
                yield name, seen_steps(watch, Learner(preset, learner.family, learner.method, 1000), updated)


def _whole(batch: Batch, learner: Learner) -> None:
    learner.learn([batch] * learner.preset.training.accumulation)


def updated(learner: Learner) -> None:
    """The second half of a step, after gradients have come from anywhere."""
    for parameter in learner.method.parameters().values():
        parameter.grad = torch.ones_like(parameter)
    learner._update(torch.ones((), device=learner.device))


def seen_steps(watch: Watch, learner: Learner, act: Callable[[Learner], object], steps: int = 3) -> Seen:
    for said in (watch.waits, watch.copies, watch.late):
        said.clear()
    watch.restart()
    for number in range(steps):
        watch.watching = number == steps - 1
        act(learner)
        learner.clock.tick(1000)
    watch.watching = False
    return seen_by(watch)


def main(words: list[str]) -> None:
    bad = 0
    for family, method, optimizers in groups(words):
        began, count = time.process_time(), 0
        try:
            for name, seen in seen_of_group(tiny_family(family), method, optimizers):
                count += 1
                waits = name in OPTIMIZERS and OPTIMIZERS[name].synchronizes
                if (seen.waits or seen.late) and not waits:
                    bad += 1
                    print(family, method, name, *seen.waits, *seen.late, sep="\n    ")  # noqa: T201
        except Exception:  # noqa: BLE001 - the next group is told, too
            bad += 1
            print(family, method, f"after {count}:", traceback.format_exc(limit=-3))  # noqa: T201
        seconds = time.process_time() - began
        print(f"{family} {method}: {count} seen, {seconds:.0f} CPU s", flush=True)  # noqa: T201
    print(f"{bad} bad")  # noqa: T201
    sys.exit(bad > 0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
