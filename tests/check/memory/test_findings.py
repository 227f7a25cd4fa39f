"""What the check counts is what a run holds: tiny models byte for byte. For full sizes: tests/benchmarks/memory.py."""

from __future__ import annotations

import copy
import weakref
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from modules.check.memory.findings import (
    UNCERTAINTY,
    MemoryEstimator,
    findings_within,
    severity,
    with_changes,
)
from modules.check.memory.memory_tracker import Ledger, counted
from modules.check.memory.phases import FRAGMENTATION
from modules.check.memory.step_memory import StepBytes, bytes_in, measure_step
from modules.data.batches import Batch
from modules.data.index import Item
from modules.data.source.folders import on_disk
from modules.families import Family
from modules.messages import Finding
from modules.methods import attach
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.sentences.problem import Problem
from modules.text import in_bytes
from modules.trainer.memory_fixes import memory_fixes
from modules.trainer.preparation import open_family, scan_images
from modules.trainer.step.learner import Learner
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests.check.rooms import mended, subject_of
from tests.tiny import SMALLEST, SMALLEST_XL, tiny_sd, tiny_sdxl
from tests.trainer.runs import values

GB = 2**30


def open_inputs(workspace: Path, *settings: str, sdxl: bool = False) -> tuple[Preset, Family]:
    blocks = SMALLEST_XL if sdxl else SMALLEST
    model = (tiny_sdxl if sdxl else tiny_sd)(workspace / "model", unet=blocks)
    family = ("model.family=sdxl",) if sdxl else ()
    preset = validate(values(workspace, f"model.source={model}", *family, *settings))
    return preset, open_family(preset, lambda _: None)


def batch_of(preset: Preset, family: Family, count: int) -> Batch:
    heard = family.encode_text(["a robot"]).rows() * count
    return Batch(
        items=(Item(0, 0, on_disk(Path("a.png")), "", 64, 64, (64, 64), ("a robot",), ()),) * count,
        repeats=(0,) * count,
        captions=("a robot",) * count,
        latents_BChw=torch.zeros(count, 4, 8, 8),
        pixels_B3HW=None,
        text=None
        if preset.trains_text
        else [{name: tensor.detach().clone() for name, tensor in row.items()} for row in heard],
        sizes_B6=torch.full((count, 6), 64),
        loss_weights_B=torch.ones(count),
    )


def learner_of(preset: Preset, family: Family) -> Learner:
    method = attach(family, preset)
    use_gradient_checkpointing(family, method.modified_components | {"denoiser"}, preset.training.checkpointed)
    learner = Learner(preset, family, method, steps=1000)
    learner.scaler = torch.amp.GradScaler(enabled=False)
    return learner


CPU = torch.device("cpu")
CASES = [  # a step without numbers takes seconds: what does not act on one another stands together
    (),
    ("training.gradient_checkpointing=all", "training.accumulation=2", "optimizer.kind=lion"),
    ("method.conv=true", "method.dora=true", "model.dtype=bf16", "optimizer.kind=adafactor"),
    ("method.kind=full", "training.ema=true"),
    ("method.kind=full", "model.dtype=bf16", "training.weights=bf16"),
    ("model.quantization=int8", "method.conv=true", "training.gradient_checkpointing=all"),
    ("model.quantization=nf4", "method.kind=loha", "model.dtype=bf16"),
    ("method.kind=oft", "optimizer.kind=schedule_free_adamw"),
    ("method.kind=lora", "training.text_encoder_1.train=true", "optimizer.kind=adamw8bit"),
    ("method.kind=lokr", "method.dora=true", "optimizer.kind=prodigy", "training.learning_rate=1"),
    ("method.kind=embedding", "words.0.token=<new>"),
]


@pytest.mark.parametrize("settings", CASES, ids=lambda settings: " ".join(settings) or "lora")
def test_a_step_without_numbers_takes_what_a_real_step_takes(settings: tuple[str, ...], tmp_path: Path) -> None:
    preset, family = open_inputs(tmp_path, *settings)
    held = {"denoiser", *(family.text_encoders if preset.trains_text else ())}
    assert_alike(counted_without_numbers(preset, family, held), counted_for_real(preset, family, held))


def assert_alike(meta_copy: StepBytes, real: StepBytes) -> None:
    """But for a few single numbers, which are constants in one case and tensors in the other."""
    for name, size in asdict(real).items():
        said = asdict(meta_copy)[name]
        if name == "weights":
            assert said == size
        else:
            assert said == pytest.approx(size, abs=4096), name
    assert meta_copy.state > 0


def test_sdxl_has_the_same_bytes_too(tmp_path: Path) -> None:
    preset, family = open_inputs(tmp_path, "model.dtype=bf16", sdxl=True)
    real = counted_for_real(preset, family, {"denoiser"})
    assert_alike(counted_without_numbers(preset, family, {"denoiser"}), real)


def counted_for_real(preset: Preset, family: Family, held: set[str]) -> StepBytes:
    batch = batch_of(preset, family, preset.training.batch_size)
    family.unload(*(set(family.component_names) - held))
    with Ledger(CPU) as ledger:
        for name in held:
            family.unload(name)
            family.component(name)
        batch = again(batch)
        return measure_step(ledger, learner_of(preset, family), batch, held)


def counted_without_numbers(preset: Preset, family: Family, held: set[str]) -> StepBytes:
    real = batch_of(preset, family, preset.training.batch_size)
    with counted(CPU) as ledger:
        twin = family.meta_copy(family.options, held)
        return measure_step(ledger, learner_of(preset, twin), again(real), held)


def again(batch: Batch) -> Batch:
    """The same batch in tensors made here."""
    made = copy.copy(batch)
    for name in ("latents_BChw", "sizes_B6", "loss_weights_B"):
        like: Tensor = getattr(batch, name)
        object.__setattr__(made, name, torch.zeros(like.shape, dtype=like.dtype))
    if batch.text is not None:
        rows = [{name: torch.zeros(t.shape, dtype=t.dtype) for name, t in row.items()} for row in batch.text]
        object.__setattr__(made, "text", rows)
    return made


def test_what_is_counted_for_the_way_back_is_what_autograd_keeps(tmp_path: Path) -> None:
    preset, family = open_inputs(tmp_path)
    learner, batch = learner_of(preset, family), batch_of(preset, family, 2)
    weights = {p.untyped_storage()._cdata for name in ("denoiser",) for p in family.component(name).parameters()}
    weights |= {p.untyped_storage()._cdata for p in learner.method.parameters().values()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with Ledger(CPU) as ledger, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = learner.losses(batch, 0, len(batch.items)).sum()
        alive = ledger.live
    assert alive > 100_000
    assert alive == pytest.approx(sum(kept.values()), rel=0.02)  # the loss itself, and the text that the batch holds
    del loss


def test_a_ledger_forgets_what_is_dropped_and_remembers_the_height() -> None:
    with Ledger(CPU) as ledger:
        one = torch.zeros(1000)
        two = one.view(10, 100) + 1
        assert (ledger.live, ledger.peak) == (8000, 8000)
        del one
        assert (ledger.live, ledger.peak) == (4000, 8000)
        three = two.t()
        assert ledger.live == 4000
        del two, three
    assert (ledger.live, ledger.peak) == (0, 8000)


def test_a_new_peak_begins_at_what_is_alive() -> None:
    with Ledger(CPU) as ledger:
        one = torch.zeros(1000)
        torch.zeros(2000)
        assert ledger.restart() == 12_000
        assert ledger.peak == ledger.live == 4000
        two = one + 1
        assert ledger.peak == 8000
    del two


def test_hollow_tensors_take_no_memory() -> None:
    with counted(CPU) as ledger:
        huge = torch.zeros(2**40)
        assert ledger.live == 2**42
        assert bool(huge.isnan().any()) is False
        assert weakref.ref(huge)() is huge


# The room


def room_of(workspace: Path, *settings: str) -> tuple[Preset, MemoryEstimator, list[Finding]]:
    preset, family = open_inputs(workspace, *settings)
    index = scan_images(preset, lambda _: None, subject_of(preset).control)
    estimator = MemoryEstimator(family, preset, index)
    return preset, estimator, list(findings_within(subject_of(preset, index, family=family), estimator, 64 * GB))


def test_a_run_that_fits_is_worth_knowing_and_says_what_takes_how_much(tmp_path: Path) -> None:
    preset, estimator, (found,) = room_of(tmp_path, 'sampling.prompts=[{"prompt": "x"}]', "sampling.last=true")
    peak = estimator.estimate(preset).peak
    assert (found.name, found.severity, found.unit) == ("memory.peak", "info", "bytes")
    assert "64.0 GB" in found.title
    assert not found.fixes
    assert {part.code for part, _ in found.bars if isinstance(part, Problem)} == {
        label for label, size in peak.parts.items() if size
    }
    assert sum(size for _, size in found.bars) == peak.total


def test_on_the_cpu_an_allocator_needs_more_than_its_tensors(tmp_path: Path) -> None:
    preset, estimator, _ = room_of(tmp_path, "sampling.last=true")
    parts = estimator.estimate(preset).peak.parts
    tensors = sum(size for name, size in parts.items() if name not in {"bar.programs", "bar.lost"})
    assert parts["bar.lost"] == round(FRAGMENTATION * tensors) > 0


def test_a_run_that_cannot_fit_is_stopped_and_each_mend_lowers_the_need(tmp_path: Path) -> None:
    preset, family = open_inputs(
        tmp_path, "training.batch_size=16", "training.resolution=1024", "optimizer.kind=adafactor", "model.dtype=bf16",
        "training.weights=bf16", "method.kind=full",
    )  # fmt: skip
    index = scan_images(preset, lambda _: None, subject_of(preset).control)
    context, estimator = subject_of(preset, index, family=family), MemoryEstimator(family, preset, index)
    before = estimator.estimate(preset).peak.total
    (found,) = findings_within(context, estimator, before // 2)
    assert found.severity == "error"
    assert len(found.fixes) >= 3
    for number, mend in enumerate(found.fixes):
        after = estimator.estimate(mended(preset, found, number)).peak.total
        assert after < before
        assert mend.label.removesuffix(", which fits").endswith(f": {in_bytes(after)} instead of {in_bytes(before)}")
    wanted = estimator.estimate(mended(preset, found, len(found.fixes) - 1)).peak.total
    *_, last = found.fixes
    (found,) = findings_within(context, estimator, round((wanted + 1) / (1 - UNCERTAINTY)))
    fits = [mend.label.endswith(", which fits") for mend in found.fixes]
    assert last.changes in [mend.changes for mend, enough in zip(found.fixes, fits, strict=True) if enough]
    assert fits == sorted(fits, reverse=True) and not all(fits)


@pytest.mark.parametrize(("needed", "said"), [(80, "info"), (90, "warning"), (114, "warning"), (116, "error")])
def test_what_may_just_fit_will_hurt(needed: int, said: str) -> None:
    assert severity(needed, 100) == said


def test_the_same_batch_in_smaller_pieces_keeps_its_size(tmp_path: Path) -> None:
    preset, _ = open_inputs(tmp_path, "training.batch_size=8", "training.accumulation=2")
    halves = next(each for each in memory_fixes(preset, on_card=False) if each.label.startswith("Batches of 4"))
    changed = with_changes(preset, halves.changes)
    assert changed is not None
    assert changed.training.batch_size * changed.training.accumulation == 16


def test_a_mend_that_clashes_is_not_offered(tmp_path: Path) -> None:
    preset, _ = open_inputs(tmp_path, "model.dtype=fp16")
    assert with_changes(preset, {"training.weights": "bf16"}) is None


def test_bytes_of_shared_memory_count_once() -> None:
    one = torch.zeros(100)
    assert bytes_in([one, one.view(10, 10), torch.zeros(1)]) == 404
