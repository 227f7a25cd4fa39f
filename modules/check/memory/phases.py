"""What a run holds in each of its phases, and the highest of them: `estimate`.

What a phase counts is what modules/run.py keeps at that time: the VAE and the text encoders while the cache is filled,
then the denoiser with what is trained; a reading of the saved model beside it at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from modules.check.memory.step_memory import (
    BatchShape,
    StepBytes,
    ema_is_on_cpu,
    image_bytes,
    largest_tensor,
    offloaded_bytes,
    part_bytes,
    sample_bytes,
    step_bytes,
    text_bytes,
)
from modules.families import Family
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval
from modules.system.devices import DTYPES, card_memory, device_named, is_card
from modules.trainer.preparation import with_precision

# What PyTorch's context takes of a card before the first tensor, about; it differs by card and driver.
CARD_CONTEXT = 500 * 2**20
# Resident memory after the imports of a run, measured on Linux (tests/benchmarks/memory.py, "imports").
IMPORTS = 450 * 2**20
# What stays resident after PyTorch's kernels have run for the first time: their code, packed weights, threads' buffers;
# measured with a step of a tiny model.
KERNELS = 50 * 2**20
# Share of what tensors take on a CPU that lies between them: an allocator keeps what is freed, and the next block does
# not always fit there. It was 6 to 27 % where it was measured (tests/benchmarks/RESULTS.md).
FRAGMENTATION = 0.15
T = TypeVar("T")


@dataclass(frozen=True)
class Phase:
    """What is in memory at the worst moment of one phase, by what it is for; bytes."""

    title: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True)
class Estimate:
    """The phases of a run on its device, and on a card what the computer's own memory holds meanwhile."""

    phases: list[Phase]
    on_card: bool
    main_memory: list[Phase] = field(default_factory=list[Phase])

    @property
    def peak(self) -> Phase:
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def main_peak(self) -> Phase:
        return max(self.main_memory or self.phases, key=lambda phase: phase.total)


class SizeCache:
    """Counts for one model that estimates share: a mend or an edit of one setting leaves most of them as they were.

    They are kept until the program ends, so that the next look at the same model takes no time.
    """

    def __init__(self, family: Family) -> None:
        shapes = {name: sorted(family.weights(name).shapes.items()) for name in family.component_names}
        self._model = hashlib.sha256(json.dumps([family.name, family.inpaints, shapes]).encode()).hexdigest()

    def get(self, what: object, preset: Preset, sections: Iterable[str], count: Callable[[], T]) -> T:
        """What was counted before for the same model and settings, or is counted now."""
        held = preset.model_dump(mode="json", include={"model", *sections}, exclude=NOT_COUNTED)
        key = json.dumps([self._model, str(what), preset.general.device, held], sort_keys=True)
        if key not in _CACHED:
            if len(_CACHED) >= MAX_CACHED:
                _CACHED.clear()
            _CACHED[key] = count()
        return _CACHED[key]  # type: ignore[return-value]


# How long a run is changes none of its sizes, and shapes say all of a model that a size depends on.
NOT_COUNTED = {"model": {"source", "vae"}, "training": {"steps", "epochs"}}
MAX_CACHED = 1000
_CACHED: dict[str, object] = {}


def estimate(family: Family, preset: Preset, batch_shape: BatchShape, held: set[str], counts: SizeCache) -> Estimate:
    """Count the phases of a run. `held`: parts that stay loaded while it trains."""
    preset, on_card = with_precision(preset), is_card(device_named(preset.general.device))
    parts = counts.get("parts", preset, (), lambda: part_bytes(family, preset))
    recipe = ("training", "optimizer", "method", "objective")
    step = counts.get(
        ("step", batch_shape, sorted(held)), preset, recipe, lambda: step_bytes(family, preset, batch_shape, held)
    )
    start = {"PyTorch": CARD_CONTEXT} if on_card else {"Programs": IMPORTS + KERNELS}
    phases = [
        *_caching(family, preset, batch_shape, parts, counts),
        *_training(step),
        *_sampling(family, preset, step, parts, held, counts),
    ]
    saving = _saving(preset, step, parts)
    if not on_card:
        phases += saving
    if not on_card:
        lost = [{"Lost between tensors": round(FRAGMENTATION * phase.total)} for phase in phases]
        return Estimate([Phase(p.title, start | p.parts | more) for p, more in zip(phases, lost, strict=True)], on_card)
    found = [Phase(phase.title, {**start, **phase.parts}) for phase in phases]
    aside = (
        counts.get("offloaded", preset, (), lambda: offloaded_bytes(family, preset)) if preset.model.offloaded else 0
    )
    beside = {"Offloaded blocks": aside} if aside else {}
    copies, there = "Copies for the file", {"Programs": IMPORTS, **beside, **_ema_on_cpu(preset, step)}
    files = [Phase(phase.title, {**there, copies: phase.parts[copies]}) for phase in saving]
    loading = Phase("Loading", {"Programs": IMPORTS, **beside, "A tensor on its way": largest_tensor(family)})
    return Estimate(found, on_card, [loading, *files])


def _caching(
    family: Family, preset: Preset, batch_shape: BatchShape, parts: dict[str, int], counts: SizeCache
) -> list[Phase]:
    found: list[Phase] = []
    weights = {"VAE": parts["vae"]}
    if batch_shape.caches_latents:
        work = counts.get(
            f"images {batch_shape.size}", preset, ("model", "general"), lambda: image_bytes(family, preset, batch_shape)
        )
        found.append(Phase("Encoding images", {**weights, "Work on images": work}))
    if batch_shape.caches_text:
        weights |= {"Text encoders": sum(parts[name] for name in family.text_encoders)}
        work = counts.get(
            ("text", batch_shape.caption, batch_shape.captions),
            preset,
            (),
            lambda: text_bytes(family, preset, batch_shape),
        )
        found.append(Phase("Encoding captions", {**weights, "Work on captions": work}))
    return found


def _held(step: StepBytes) -> dict[str, int]:
    """What is there from step to step."""
    names = {"denoiser": "Denoiser, frozen", "vae": "VAE"}
    rows = {names.get(name, "Text encoders, frozen"): 0 for name in step.weights}
    for name, size in step.weights.items():
        rows[names.get(name, "Text encoders, frozen")] += size
    rows |= {"Trained weights": step.trained + step.extra, "Optimizer": step.state, "Moving average": step.average}
    return {name: size for name, size in rows.items() if size}


def _training(step: StepBytes) -> list[Phase]:
    going, update = step.passes - step.passes_gradients, step.update - step.gradients
    return [
        Phase("Training", {**_held(step), "Gradients": step.passes_gradients, "Activations": going}),
        Phase(
            "Updating weights", {**_held(step), "Gradients": step.gradients, "Work of the optimizer": max(0, update)}
        ),
    ]


def _sampling(
    family: Family, preset: Preset, step: StepBytes, parts: dict[str, int], held: set[str], counts: SizeCache
) -> list[Phase]:
    sampled = preset.sampling.first or preset.sampling.last or Interval.parse(preset.sampling.every).unit != "never"
    if not sampled or not any(prompt.enabled for prompt in preset.sampling.prompts):
        return []
    rows = {**_held(step), **_finished(preset, step)}
    with_vae = rows if "vae" in held else {**rows, "VAE": parts["vae"]}
    drawing, decoding = _work_on_samples(family, preset, sum(with_vae.values()), counts)
    return [
        Phase("Drawing samples", {**rows, "Work on samples": drawing}),
        Phase("Decoding samples", {**with_vae, "Work on samples": decoding}),
    ]


def _work_on_samples(family: Family, preset: Preset, beside: int, counts: SizeCache) -> tuple[int, int]:
    """Of drawing and of decoding: in tiles where the setting leaves it open and a card has no room beside the rest."""

    def counted(preset: Preset) -> tuple[int, int]:
        recipe = ("method", "sampling", "training")
        return counts.get("samples", preset, recipe, lambda: sample_bytes(family, preset))

    def tiled(mode: str) -> Preset:
        return preset.model_copy(update={"model": preset.model.model_copy(update={"vae_tiling": mode})})

    device = device_named(preset.general.device)
    if preset.model.vae_tiling != "auto" or not is_card(device):
        return counted(preset)
    whole = counted(tiled("off"))
    fits = CARD_CONTEXT + beside + whole[1] <= card_memory(device)[1]
    return whole if fits else counted(tiled("on"))


def _ema_on_cpu(preset: Preset, step: StepBytes) -> dict[str, int]:
    """A moving average beside a card, in fp32, and the weights that are on their way to it."""
    if not ema_is_on_cpu(preset):
        return {}
    numbers = step.trained // DTYPES[preset.training.weights].itemsize
    return {"Moving average": 4 * numbers + step.trained}


def _finished(preset: Preset, step: StepBytes) -> dict[str, int]:
    """A second set of trained weights, where samples and files are made from an average."""
    swaps = preset.training.ema or preset.optimizer.is_schedule_free
    return {"Averaged weights, put in": step.trained} if swaps else {}


def _saving(preset: Preset, step: StepBytes, parts: dict[str, int]) -> list[Phase]:
    """What is written is read back and compared: in main memory, part after part, in the precision of the file."""
    width = DTYPES[preset.output.dtype].itemsize
    if preset.method.kind != "full":
        copies = 2 * step.trained // DTYPES[preset.training.weights].itemsize * width
    else:
        numbers = {name: size // _width(name, preset) for name, size in parts.items()}
        largest = max(numbers[name] for name in preset.trained_parts())
        trained = step.trained // DTYPES[preset.training.weights].itemsize
        beside = 0 if preset.output.parts == "trained" else numbers["vae"]
        copies = (min(trained, largest) + largest + beside) * width
    return [Phase("Saving the model", {**_held(step), **_finished(preset, step), "Copies for the file": copies})]


def _width(component: str, preset: Preset) -> int:
    dtype: torch.dtype = DTYPES[preset.model.vae_dtype if component == "vae" else preset.model.dtype]
    return dtype.itemsize
