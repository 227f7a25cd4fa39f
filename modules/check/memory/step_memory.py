"""Counts what each thing that a run does will hold: the run's own code, on tensors that have shapes and no numbers.

A step is the real `Learner.learn`, with the real method and the real optimizer, so that a new family, method or
optimizer needs nothing here.

Shapes: B batch, C latent channels, h w latent size, H W pixel size.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from modules.check.example_batch import Row, example_batch
from modules.check.memory.memory_tracker import Ledger, bytes_in, counted, counts_for_a_card
from modules.check.memory.omitted import Omitted
from modules.check.memory.repeated import Run, countable_runs, last_two, with_few_blocks
from modules.check.memory.seen_chunks import SeenChunks
from modules.check.memory.timeline import Timeline
from modules.data.batches import Batch
from modules.data.cache.fill import TEXTS_AT_ONCE
from modules.data.index import Bucket, Item
from modules.data.source.folders import on_disk
from modules.families import Condition, Family
from modules.families.family import unheard
from modules.families.parts.building import saved_tensors
from modules.methods import Method, attach
from modules.placement.holding import AS_THEY_ARE
from modules.preset.preset import Preset
from modules.system.devices import autocast, device_named, is_card
from modules.trainer.preparation import load_options
from modules.trainer.sampling.sampler import PIXELS_AT_ONCE as PIXELS_SAMPLED_AT_ONCE
from modules.trainer.step.encoders import FamilyEncoders
from modules.trainer.step.learner import Learner
from modules.trainer.step.optimizers import CHUNK, MixedPrecisionOptimizer
from modules.trainer.step.out_of_memory import use_gradient_checkpointing


@dataclass(frozen=True)
class BatchShape:
    """What a batch is made of."""

    size: Bucket  # height and width in pixels of the largest bucket
    caption: str  # the one that takes most chunks
    caches_latents: bool = True
    caches_text: bool = True
    captions: int = 2**30  # that are read


@dataclass(frozen=True)
class StepBytes:
    """Bytes of a training step. Every field is beside the others, but for the two peaks, which are never together."""

    weights: dict[str, int]  # by part, as long as nobody trains them
    trained: int  # weights, adapters or words that are trained
    extra: int  # what the method keeps beside them
    gradients: int
    state: int  # of the optimizer
    average: int  # EMA
    passes: int  # peak of forward and backward, above all that stays from step to step
    passes_gradients: int  # how much of `passes` is gradients
    update: int  # peak of the optimizer's work, above all that stays; gradients are in it
    flops: int = 0  # of matrices, forward and back, for a batch
    launches: int = 0  # operations for a batch
    gradients_aside: int = 0  # in main memory beside a card; then those above are none

    @property
    def held(self) -> int:
        """What is there from step to step."""
        return sum(self.weights.values()) + self.trained + self.extra + self.state + self.average


def ema_is_on_cpu(preset: Preset) -> bool:
    """Whether a card trains and its moving average lies in main memory."""
    on_card = counts_for_a_card(device_named(preset.general.device))
    return on_card and preset.training.ema and preset.training.ema_device == "cpu"


Part = Literal["all", "passes", "update"]  # of a step: forward and backward, and what the optimizer does with it


def step_bytes(
    family: Family, preset: Preset, batch_shape: BatchShape, held: set[str], part: Part = "all"
) -> StepBytes:  # fmt: skip
    """Count one step; `held` names the parts that stay loaded. Passes leave no state but what a model keeps of them."""
    import_module(preset.optimizer.source.partition(":")[0])
    if ema_is_on_cpu(preset):
        training = preset.training.model_copy(update={"ema": False})
        preset = preset.model_copy(update={"training": training})
    runs = countable_runs(family, preset)
    if preset.method.kind != "full" or not runs or part == "passes":
        return _step_bytes(family, preset, batch_shape, held, runs, part)
    # An update takes a few weights at a time, wherever they are: it is that of the whole model
    passes = _step_bytes(family, preset, batch_shape, held, runs, "passes")
    update = _step_bytes(family, preset, batch_shape, held, (), "update")
    return replace(
        update, passes=passes.passes, passes_gradients=passes.passes_gradients, flops=passes.flops,
        launches=passes.launches + update.launches, state=passes.state + update.state,
    )  # fmt: skip


def _step_bytes(
    whole: Family, preset: Preset, batch_shape: BatchShape, held: set[str], runs: Sequence[Run] = (),
    part: Part = "all",
) -> StepBytes:  # fmt: skip
    family = with_few_blocks(whole, runs)
    parts = held | (set[str]() if batch_shape.caches_latents else {"vae"})
    with _meta_copy(family, preset, [name for name in family.component_names if name in parts]) as (ledger, copy):
        row = _row(_texts(whole, preset, batch_shape)) if batch_shape.caches_text else None
        batch = _batch(copy, preset, batch_shape, row)
        copy.unload(*(parts - held))
        method = attach(copy, preset)
        use_gradient_checkpointing(copy, method.modified_components | {"denoiser"}, preset.training.checkpointed)
        learner = Learner(preset, copy, method, steps=1000, on_card=counts_for_a_card(copy.options.device))
        learner.scaler = torch.amp.GradScaler(enabled=False)  # it would read "infinite" from tensors without numbers
        judges, learner.judges_steps = learner.judges_steps, False  # as would the guard
        found = measure_step(ledger, learner, batch, held, runs, part)
        if part != "passes" and judges and counts_for_a_card(copy.options.device):
            numbers = sum(parameter.numel() for parameter in method.parameters().values())
            all_numbers = numbers * found.trained // bytes_in(method.parameters().values())
            chunks = min(CHUNK, all_numbers) / min(CHUNK, numbers)
            return replace(found, update=found.update + round(chunks * learner.optimizer.restorable_bytes))
        return found


def measure_step(
    ledger: Ledger, learner: Learner, batch: Batch, loaded: Iterable[str], runs: Sequence[Run] = (), part: Part = "all",
) -> StepBytes:  # fmt: skip
    """Take steps and count them; `loaded` names the parts that are loaded, and everything since is in the ledger.

    `runs`: rows of blocks of which the model has a few each; all of them are counted.
    """
    method, omitted = learner.method, Omitted(learner, runs)
    trained = bytes_in(method.parameters().values())
    aside = learner.gradients.nbytes
    average = 0 if learner.ema is None else bytes_in(learner.ema.values.values())
    weights = {name: bytes_in(_untrained(method, name)) for name in loaded}
    given = bytes_of_batch(batch)
    beside = 0 if is_card(learner.device) else aside  # main memory is what is counted, and stands for a card
    extra = ledger.live - sum(weights.values()) - trained - average - given - beside
    batches = [batch] * min(learner.preset.training.accumulation, 2)
    still = ledger.live
    timeline = Timeline(ledger, method.family.denoiser, last_two(runs), method.parameters())
    timeline.started = omitted.see_what_passes_need
    SeenChunks(ledger, learner.optimizer)
    _before_step(learner.optimizer, timeline.finish, instead=part == "passes")
    launches = ledger.launches
    if part == "update":
        _update(learner)
    else:
        learner.learn(batches)
    held, more = ledger.live, omitted.bytes()
    passes = timeline.passes(omitted.counts, more.for_passes)
    updates = (ledger.launches - launches - timeline.passes({}).launches) * (1 + omitted.share)
    return StepBytes(
        weights=weights | ({"denoiser": weights["denoiser"] + more.weights} if runs else {}),
        trained=trained + more.trained,
        extra=extra,
        gradients=0 if aside else trained + more.trained,
        state=held - still + more.state,
        average=average + more.average,
        passes=passes.peak - still + given,
        passes_gradients=passes.gradients,
        update=ledger.peak - held + given + more.trained + more.for_passes,
        flops=passes.flops // len(batches),
        launches=round(passes.launches + updates) // len(batches),
        gradients_aside=aside,
    )


def _before_step(optimizer: MixedPrecisionOptimizer, act: Callable[[], None], *, instead: bool) -> None:
    step = optimizer.step

    def stepped(*args: Any) -> None:
        act()
        if not instead:
            step(*args)

    vars(optimizer)["step"] = stepped


def _update(learner: Learner) -> None:
    """The second half of a step, where every weight has got a gradient."""
    for parameter in learner.method.parameters().values():
        parameter.grad = torch.empty_like(parameter)
    learner._update(torch.zeros((), device=learner.device))  # pyright: ignore[reportPrivateUsage]


def image_bytes(family: Family, preset: Preset, batch_shape: BatchShape) -> int:
    """Peak of the VAE at work for the cache, one image after the other, beside its weights."""
    height, width = batch_shape.size
    with _meta_copy(family, preset, ["vae"]) as (ledger, copy):
        still = _restarted(ledger)
        FamilyEncoders(copy).encode_image(torch.empty(1, 3, height, width))
        return ledger.peak - still


def text_bytes(family: Family, preset: Preset, batch_shape: BatchShape) -> int:
    """Peak of the text encoders at work for the cache, beside their weights."""
    return _texts(family, preset, batch_shape).peak


class _Texts(NamedTuple):
    """What text encoders take at work, and what they give for the caption."""

    peak: int
    row: Mapping[str, tuple[torch.Size, torch.dtype]]


_TEXTS: WeakKeyDictionary[Family, dict[str, _Texts]] = WeakKeyDictionary()


def _texts(family: Family, preset: Preset, shape: BatchShape) -> _Texts:
    """Worked out once for all steps of a family that read the same."""
    options = replace(load_options(preset), holding=AS_THEY_ARE, report=unheard)
    known, key = _TEXTS.setdefault(family, {}), repr((options, shape.caption, min(TEXTS_AT_ONCE, shape.captions)))
    if key not in known:
        with counted(options.device) as ledger:
            twin = family.meta_copy(options, family.text_encoders)
            still = _restarted(ledger)
            rows = FamilyEncoders(twin).encode_text([shape.caption] * min(TEXTS_AT_ONCE, shape.captions))
            row = {name: (tensor.shape, tensor.dtype) for name, tensor in rows[0].items()}
            known[key] = _Texts(ledger.peak - still, row)
    return known[key]


def sample_bytes(family: Family, preset: Preset) -> tuple[int, int]:
    """Peaks of drawing and of decoding, beside weights, with the largest of the preset's prompts."""
    prompts = [prompt for prompt in preset.sampling.prompts if prompt.enabled]
    if not prompts:
        return 0, 0
    sizes = [((p.height or preset.resolution), (p.width or preset.resolution)) for p in prompts]
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    together = min(max(1, PIXELS_SAMPLED_AT_ONCE // (height * width)), sizes.count((height, width)))
    asked = 2 if any(prompt.reads_negative for prompt in prompts) else 1  # with and without the prompt
    few = with_few_blocks(family, countable_runs(family, preset))  # of which none keeps anything for a way back
    with _meta_copy(few, preset, family.component_names) as (ledger, copy), torch.no_grad():
        method = attach(copy, preset)
        copy.denoiser.eval()
        latents = torch.empty(together, copy.channels, height // copy.downscale, width // copy.downscale)
        latents = latents.to(copy.options.device)
        condition = _condition(copy, asked * together, (height, width))
        still = _restarted(ledger)
        with autocast(copy.options.device, copy.options.dtype):
            times = torch.zeros(asked * together, dtype=torch.int64, device=latents.device)
            with method.without_training_adapters():
                copy.predict(torch.cat([latents] * asked), times, condition)
        drawing = ledger.restart() - still
        copy.decode_image(latents)
        return drawing, ledger.peak - still


def trained_sizes(family: Family, preset: Preset) -> list[int]:
    """How many numbers each trained tensor holds."""
    texts = family.text_encoders if preset.method.kind == "embedding" else ()  # which read the words
    with _meta_copy(family, preset, {"denoiser", *texts, *preset.trained_parts()}) as (_, copy):
        return [parameter.numel() for parameter in attach(copy, preset).parameters().values()]


# Inside ---------------------------------------------------------------------------------------------------------------


@contextmanager
def _meta_copy(family: Family, preset: Preset, parts: Iterable[str]) -> Generator[tuple[Ledger, Family]]:
    options = load_options(preset)
    with counted(options.device) as ledger:
        yield ledger, family.meta_copy(options, parts)


def _restarted(ledger: Ledger) -> int:
    ledger.restart()
    return ledger.live


def _untrained(method: Method, component: str) -> list[Tensor]:
    mine = {id(p) for p in method.parameters().values()}
    held = saved_tensors(method.family.component(component)).values()
    return [x for x in _on_device(held, method.family) if id(x) not in mine]


def _on_device(tensors: Iterable[Tensor], family: Family) -> Iterator[Tensor]:
    """Those that do not lie in main memory beside a card."""
    return (x for x in tensors if x.device.type == family.options.device.type)


def _batch(copy: Family, preset: Preset, shape: BatchShape, row: Row | None = None) -> Batch:
    height, width = shape.size
    item = Item(0, 0, on_disk(Path("a.png")), "", width, height, shape.size, (shape.caption,), ())
    items = [item] * preset.training.batch_size
    return example_batch(copy, items, caches_latents=shape.caches_latents, caches_text=shape.caches_text, row=row)


def _row(texts: _Texts) -> Row:
    """One caption's text, without numbers."""
    return {name: torch.empty(shape, dtype=dtype) for name, (shape, dtype) in texts.row.items()}


def bytes_of_batch(batch: Batch) -> int:
    """What a batch holds itself."""
    tensors = [batch.latents_BChw, batch.pixels_B3HW, batch.sizes_B6, batch.loss_weights_B]
    tensors += [tensor for row in batch.text or [] for tensor in row.values()]
    return bytes_in(tensor for tensor in tensors if tensor is not None)


def _condition(copy: Family, count: int, size: Bucket) -> Condition:
    device = copy.options.device
    with autocast(device, copy.options.dtype):
        heard = copy.encode_text(["" for _ in range(count)])
    sizes = torch.empty(count, 6, dtype=torch.int64, device=device)
    inpaint = None
    if copy.inpaints:
        channels, size_hw = copy.mask_channels + copy.channels, [side // copy.downscale for side in size]
        inpaint = torch.empty(count, channels, *size_hw, device=device)
    return copy.with_guidance(replace(heard, sizes_B6=sizes, inpaint_BChw=inpaint), 1.0)
