"""What a run holds in each of its phases, and the highest of them: `estimate`.

What a phase counts is what modules/run.py keeps at that time: the VAE and the text encoders while the cache is filled,
then the denoiser with what is trained; a reading of the saved model beside it at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch

from modules.check.memory.memory_tracker import counts_for_a_card
from modules.check.memory.step_memory import (
    BatchShape,
    Part,
    StepBytes,
    ema_is_on_cpu,
    image_bytes,
    sample_bytes,
    step_bytes,
    text_bytes,
)
from modules.check.memory.weight_bytes import largest_tensor, offloaded_bytes, part_bytes
from modules.families import Family
from modules.families.parts.vae_tiling import WHOLE_SHARE
from modules.messages import Bar
from modules.preset.preset import Preset
from modules.preset.text.interval import Interval
from modules.sentences.problem import Problem
from modules.system.devices import CARD_CONTEXT, DTYPES, card_budget, device_named
from modules.system.read_cache import ReadCache
from modules.system.stamps import ALWAYS
from modules.trainer.preparation import with_precision
from modules.trainer.retention.schedule import LONG

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

    code: str  # rows of the catalogue, as are the names of the parts
    parts: dict[str, int]

    @property
    def bars(self) -> list[Bar]:
        """What there is, the largest first."""
        rows = sorted(self.parts.items(), key=lambda row: -row[1])
        return [(Problem(part), float(size)) for part, size in rows if size]

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

    They are kept until the program ends, and in the read cache for the next one, so that a second look at the same
    model takes no time.
    """

    def __init__(self, family: Family, cache: Path | None = None) -> None:
        self._cache = cache
        shapes = {name: sorted(family.weights(name).shapes.items()) for name in family.component_names}
        self._model = hashlib.sha256(json.dumps([family.name, family.inpaints, shapes]).encode()).hexdigest()

    def get(self, what: object, preset: Preset, sections: Iterable[str], count: Callable[[], T]) -> T:
        """What was counted before for the same model and settings, or is counted now."""
        held = preset.model_dump(mode="json", include={"model", *sections}, exclude=NOT_COUNTED)
        device = device_named(preset.general.device)
        key = json.dumps([self._model, str(what), str(device), counts_for_a_card(device), held], sort_keys=True)
        if key not in _CACHED:
            if len(_CACHED) >= MAX_CACHED:
                _CACHED.clear()
            _CACHED[key] = self._kept(hashlib.sha256(key.encode()).hexdigest(), count)
        return _CACHED[key]  # type: ignore[return-value]

    def _kept(self, name: str, count: Callable[[], T]) -> T:
        """What an earlier program counted, or what is counted now and kept for later ones."""
        with ReadCache(self._cache) as kept:
            if found := kept.get(TABLE, {name: ALWAYS}).get(name):
                return _restored(found)
            counted = count()
            if stored := _stored(counted):
                kept.put(TABLE, {name: (ALWAYS, stored)})
            return counted


# Raise the number when the same settings count otherwise than before.
TABLE = f"memory counts 3 {torch.__version__} {diffusers.__version__}"


def _stored(value: object) -> bytes:
    """As a file holds it; nothing of what is counted in no time."""
    if isinstance(value, StepBytes):
        return json.dumps({"step": asdict(value)}).encode()
    return json.dumps({"value": value}).encode() if isinstance(value, int | tuple | dict) else b""


def _restored(content: bytes) -> Any:
    found: dict[str, Any] = json.loads(content)
    if "step" in found:
        return StepBytes(**found["step"])
    return tuple(found["value"]) if isinstance(found["value"], list) else found["value"]


# How long a run is changes none of its sizes, and shapes say all of a model that a size depends on.
NOT_COUNTED = {"model": {"source", "vae"}, "training": {"steps", "epochs"}}
MAX_CACHED = 1000
WHOLE = 2**62  # bytes: a text encoder of any size is held whole
_CACHED: dict[str, object] = {}


@dataclass(frozen=True)
class Vae:
    """Work of the VAE, and of what is done with it: the peaks, the VAE's own last."""

    whole: tuple[int, ...]
    tiled: Callable[[], tuple[int, ...]] | None  # in tiles; None: nobody but the setting decides

    def within(self, room: int, beside: int) -> tuple[int, ...]:
        """In tiles where that is left open, and it has no room beside the rest."""
        fits = not room or beside + self.whole[-1] <= room
        return self.whole if fits or self.tiled is None else self.tiled()


@dataclass(frozen=True)
class Work:
    """What the phases are made of: bytes. None: that is not done."""

    parts: dict[str, int]  # weights of each component, as they are loaded
    streamed: dict[str, int]  # those of text encoders that a card has no room for, and that are read block by block
    step: StepBytes
    images: Vae | None  # for the cache
    texts: int | None
    samples: Vae | None  # drawing and decoding
    aside: int  # blocks in main memory, beside a card
    largest: int  # tensor of the model, which is read by itself


def estimate(family: Family, preset: Preset, batch_shape: BatchShape, held: set[str], counts: SizeCache) -> Estimate:
    """Count the phases of a run. `held`: parts that stay loaded while it trains."""
    return phases_of(family, preset, count_work(family, preset, batch_shape, held, counts), held)


def count_work(family: Family, preset: Preset, batch_shape: BatchShape, held: set[str], counts: SizeCache) -> Work:
    """Count everything that a run does."""
    step = count_step(family, preset, batch_shape, held, counts)
    preset = with_precision(preset)

    def images(preset: Preset) -> tuple[int, ...]:
        name = f"images {batch_shape.size}"
        return counts.get(name, preset, (), lambda: (image_bytes(family, preset, batch_shape),))

    on_card = counts_for_a_card(device_named(preset.general.device))
    names, texts = family.component_names, family.text_encoders
    return Work(
        counts.get("parts", preset, (), lambda: part_bytes(family, preset, names, WHOLE if on_card else None)),
        counts.get("streamed", preset, (), lambda: part_bytes(family, preset, texts, 0)) if on_card else {},
        step,
        _vae(preset, images) if batch_shape.caches_latents else None,
        counts.get(
            ("text", batch_shape.caption, batch_shape.captions), preset, (),
            lambda: text_bytes(family, preset, batch_shape),
        ) if batch_shape.caches_text else None,
        sample_work(family, preset, counts) if _draws(preset) else None,
        counts.get("offloaded", preset, (), lambda: offloaded_bytes(family, preset)) if preset.model.offloaded else 0,
        counts.get("largest", preset, (), lambda: largest_tensor(family)),
    )  # fmt: skip


def sample_work(family: Family, preset: Preset, counts: SizeCache) -> Vae:
    """Count drawing and decoding of the preset's prompts, beside weights."""

    def samples(preset: Preset) -> tuple[int, ...]:
        return counts.get("samples", preset, ("method", "sampling", "training"), lambda: sample_bytes(family, preset))

    return _vae(with_precision(preset), samples)


def count_step(
    family: Family, preset: Preset, batch_shape: BatchShape, held: set[str], counts: SizeCache, part: Part = "all"
) -> StepBytes:
    """Count what a run does again and again, or a part of that."""
    preset = with_precision(preset)
    if batch_shape.caches_latents:
        preset = _tiled(preset, "auto")  # whose VAE works before, and between
    recipe = ("training", "optimizer", "method", "objective")
    return counts.get(
        ("step", part, batch_shape, sorted(held)), preset, recipe,
        lambda: step_bytes(family, preset, batch_shape, held, part),
    )  # fmt: skip


def _tiled(preset: Preset, mode: str) -> Preset:
    return preset.model_copy(update={"model": preset.model.model_copy(update={"vae_tiling": mode})})


def _vae(preset: Preset, count: Callable[[Preset], tuple[int, ...]]) -> Vae:
    if preset.model.vae_tiling != "auto" or not counts_for_a_card(device_named(preset.general.device)):
        return Vae(count(preset), None)
    return Vae(count(_tiled(preset, "off")), lambda: count(_tiled(preset, "on")))


def phases_of(family: Family, preset: Preset, work: Work, held: set[str], room: int = 0) -> Estimate:
    """The phases of a run that does this work. `room`: bytes that a card has for it; 0: those of this computer's."""
    preset, device = with_precision(preset), device_named(preset.general.device)
    on_card, room = counts_for_a_card(device), room or card_budget(device)
    step = work.step
    start = {"bar.pytorch": CARD_CONTEXT} if on_card else {"bar.programs": IMPORTS + KERNELS}
    kept = {"bar.known-answers": size} if (size := _known_answers(family, preset)) else {}
    phases = [*_caching(family, work, room), *_training(step), *_sampling(preset, work, held, room)]
    saving = _saving(preset, step, work.parts)
    if not on_card:
        phases = [Phase(phase.code, phase.parts | kept) for phase in (*phases, *saving)]
        lost = [{"bar.lost": round(FRAGMENTATION * phase.total)} for phase in phases]
        return Estimate([Phase(p.code, start | p.parts | more) for p, more in zip(phases, lost, strict=True)], on_card)
    found = [Phase(phase.code, {**start, **phase.parts}) for phase in phases]
    beside = {"bar.offloaded": work.aside} if work.aside else {}
    copies, there = "bar.copies", {"bar.programs": IMPORTS, **beside, **kept, **_ema_on_cpu(preset, step)}
    there |= {"bar.gradients": step.gradients_aside} if step.gradients_aside else {}
    files = [Phase(phase.code, {**there, copies: phase.parts[copies]}) for phase in saving]
    loading = Phase("phase.loading", {"bar.programs": IMPORTS, **beside, "bar.on-its-way": work.largest})
    return Estimate(found, on_card, [loading, *files])


TEXT_SHARE = 3 / 4  # of what a card has free that a text encoder may take (families/parts/pipeline.py)


def _known_answers(family: Family, preset: Preset) -> int:
    """Points at which forgetting is measured (fp32), and what the base answers there twice (fp16): of a long run."""
    side = preset.resolution // family.downscale
    points = LONG.points(len(preset.known_prompts)) if preset.examine.enabled else 0
    return points * family.channels * side**2 * 8


def _text_encoder(work: Work, name: str, room: int) -> int:
    """Whole, or block by block where that would be too much for a card with so much room; as counted without one."""
    too_large = room and name in work.streamed and work.parts[name] > TEXT_SHARE * (room - CARD_CONTEXT)
    return work.streamed[name] if too_large else work.parts[name]


def _caching(family: Family, work: Work, room: int) -> Iterator[Phase]:
    weights = {"bar.vae": work.parts["vae"]}
    if work.images is not None:
        encoding = work.images.within(round(WHOLE_SHARE * room), 0)[-1]
        yield Phase("phase.images", {**weights, "bar.image-work": encoding})
    if work.texts is not None:
        weights |= {"bar.text-encoders": sum(_text_encoder(work, name, room) for name in family.text_encoders)}
        yield Phase("phase.captions", {**weights, "bar.caption-work": work.texts})


def _held(step: StepBytes) -> dict[str, int]:
    """What is there from step to step."""
    names = {"denoiser": "bar.denoiser", "vae": "bar.vae"}
    rows = {names.get(name, "bar.frozen-text-encoders"): 0 for name in step.weights}
    for name, size in step.weights.items():
        rows[names.get(name, "bar.frozen-text-encoders")] += size
    rows |= {"bar.trained": step.trained + step.extra, "bar.optimizer": step.state, "bar.average": step.average}
    return {name: size for name, size in rows.items() if size}


def _training(step: StepBytes) -> list[Phase]:
    going, update = step.passes - step.passes_gradients, step.update - step.gradients
    return [
        Phase("phase.training", {**_held(step), "bar.gradients": step.passes_gradients, "bar.activations": going}),
        Phase("phase.updating", {**_held(step), "bar.gradients": step.gradients, "bar.optimizer-work": max(0, update)}),
    ]


def _draws(preset: Preset) -> bool:
    sampled = preset.sampling.first or preset.sampling.last or Interval.parse(preset.sampling.every).unit != "never"
    return sampled and any(prompt.enabled for prompt in preset.sampling.prompts)


def _sampling(preset: Preset, work: Work, held: set[str], room: int) -> Iterator[Phase]:
    if work.samples is None:
        return
    rows = {**_held(work.step), **_finished(preset, work.step)}
    with_vae = rows if "vae" in held else {**rows, "bar.vae": work.parts["vae"]}
    beside = sum(with_vae.values()) + CARD_CONTEXT
    drawing, decoding = work.samples.within(room, beside)
    yield Phase("phase.drawing", {**rows, "bar.sample-work": drawing})
    yield Phase("phase.decoding", {**with_vae, "bar.sample-work": decoding})


def _ema_on_cpu(preset: Preset, step: StepBytes) -> dict[str, int]:
    """A moving average beside a card, in fp32, and the weights that are on their way to it."""
    if not ema_is_on_cpu(preset):
        return {}
    numbers = step.trained // DTYPES[preset.training.weights].itemsize
    return {"bar.average": 4 * numbers + step.trained}


def _finished(preset: Preset, step: StepBytes) -> dict[str, int]:
    """A second set of trained weights, where samples and files are made from an average."""
    swaps = preset.training.ema or preset.optimizer.is_schedule_free
    return {"bar.averaged": step.trained} if swaps else {}


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
    return [Phase("phase.saving", {**_held(step), **_finished(preset, step), "bar.copies": copies})]


def _width(component: str, preset: Preset) -> int:
    dtype: torch.dtype = DTYPES[preset.model.vae_dtype if component == "vae" else preset.model.dtype]
    return dtype.itemsize
