"""What lowers the memory that a run needs: settings for the check before it, and for a run that has no room."""

from __future__ import annotations

from collections.abc import Iterator

from modules.preset.preset import Preset
from modules.sentences.problem import Fix
from modules.sentences.render import fix


def memory_fixes(preset: Preset, *, on_card: bool) -> list[Fix]:
    """Settings that need less memory, those that cost the result least first. `on_card`: that of a card is short."""
    return [*_slower_settings(preset, on_card), *_coarser_settings(preset), *_smaller_settings(preset)]


def _slower_settings(preset: Preset, on_card: bool) -> Iterator[Fix]:
    """What costs time and leaves the result as it is."""
    training = preset.training
    if training.checkpointed < 1:
        yield fix("fix.gradient-checkpointing", {"training.gradient_checkpointing": "all"})
    for size in sorted({training.batch_size // 2, 1}, reverse=True):
        if 0 < size < training.batch_size and training.batch_size % size == 0:
            times = training.accumulation * training.batch_size // size
            changes = {"training.batch_size": size, "training.accumulation": times}
            yield fix("fix.smaller-batches", changes, size=size, times=times)
    if preset.method.kind == "full" and training.gradients != "main_memory" and on_card:
        yield fix("fix.gradients-in-main-memory", {"training.gradients": "main_memory"})
    if training.ema and training.ema_device == "same":
        yield fix("fix.ema-on-cpu", {"training.ema_device": "cpu"})


def _coarser_settings(preset: Preset) -> Iterator[Fix]:
    """What rounds more."""
    training, optimizer = preset.training, preset.optimizer
    if preset.model.vae_tiling != "on":
        yield fix("fix.vae-tiling", {"model.vae_tiling": "on"})
    if preset.model.dtype == "fp32":
        yield fix("fix.frozen-bf16", {"model.dtype": "bf16"})
    if preset.model.quantization in ("auto", "off") and preset.method.kind != "full":
        yield fix("fix.quantize", {"model.quantization": "int8"})
    if optimizer.state_bytes > 2:
        yield fix("fix.8-bit", {"optimizer.kind": "adamw8bit"})
    if training.weights == "fp32" and preset.method.kind != "embedding":
        yield fix("fix.trained-bf16", {"training.weights": "bf16", "model.dtype": "bf16"})
    if optimizer.kind != "adafactor":
        yield fix("fix.adafactor", {"optimizer.kind": "adafactor", "optimizer.kernels_as_matrices": True})
    elif not optimizer.folds_kernels:
        yield fix("fix.kernels-as-matrices", {"optimizer.kernels_as_matrices": True})


def _smaller_settings(preset: Preset) -> Iterator[Fix]:
    """What leaves something out."""
    if preset.training.ema:
        yield fix("fix.without-ema", {"training.ema": False})
    if preset.resolution > 256:
        smaller = preset.resolution * 3 // 4 // 64 * 64
        yield fix("fix.smaller-images", {"training.resolution": smaller}, side=smaller)
