"""Rules between optimizer, learning rate and schedule."""

from __future__ import annotations

from collections.abc import Iterator

from modules.preset.preset import Preset


def _schedule_free(preset: Preset) -> Iterator[str]:
    kind = preset.optimizer.kind
    if not preset.optimizer.averages:
        return
    if preset.schedule.kind != "constant":
        yield (
            f"optimizer.kind {kind} replaces a falling rate, and schedule.kind is {preset.schedule.kind}. "
            "Set schedule.kind to constant (a warm-up is fine), or take another optimizer."
        )
    if preset.training.weights == "bf16":
        yield (
            f"optimizer.kind {kind} keeps an average that bf16 is too coarse for, and training.weights is "
            "bf16. Set training.weights to fp32, or take another optimizer."
        )
    if preset.training.ema:
        yield (
            f"training.ema is on, and optimizer.kind {kind} keeps an average of its own. Turn training.ema "
            "off, or take another optimizer."
        )


def _found(preset: Preset) -> Iterator[str]:
    """Optimizers that find the rate by themselves."""
    kind, training = preset.optimizer.kind, preset.training
    if not preset.optimizer.finds_rate:
        return
    if training.learning_rate < 0.1:
        yield (
            f"optimizer.kind {kind} finds the rate by itself and multiplies it by training.learning_rate, which is "
            f"{training.learning_rate:g}: next to nothing would be learnt. Set training.learning_rate to 1, or take "
            "another optimizer."
        )
    own = rates_of(preset)
    if preset.optimizer.one_rate and len(own) > 1:
        yield (
            f"optimizer.kind {kind} finds one rate for all, and what is trained has different ones "
            f"({', '.join(f'{each:g}' for each in sorted(own))}). Set the learning_rate of each to 0, or take "
            "another optimizer."
        )
    if training.scale_rate != "none":
        yield (
            f"training.scale_rate {training.scale_rate} is for rates that are given, and optimizer.kind {kind} finds "
            "its own. Set training.scale_rate to none, or take another optimizer."
        )


def rates_of(preset: Preset) -> set[float]:
    """All learning rates that parts, groups of layers and words have."""
    shared = preset.training.learning_rate
    own = {getattr(preset.training, part).learning_rate or shared for part in preset.trained_parts()}
    own |= {
        group.learning_rate for group in getattr(preset.method, "groups", ()) if group.train and group.learning_rate
    }
    own |= {word.learning_rate or shared for word in preset.words if word.train}
    return own


def _given(preset: Preset) -> Iterator[str]:
    """Optimizers that take the rate of the form."""
    rate, optimizer = preset.training.learning_rate, preset.optimizer
    most = 0.5 * max(1.0, optimizer.rates[1])
    if not optimizer.finds_rate and rate >= most:
        yield (
            f"training.learning_rate {rate:g} destroys a model within a few steps with optimizer.kind "
            f"{optimizer.kind}. Set it near 1e-4, or take optimizer.kind prodigy."
        )


def _matrices(preset: Preset) -> Iterator[str]:
    words = any(word.train for word in preset.words)
    if preset.optimizer.matrices and words:
        yield (
            f"optimizer.kind {preset.optimizer.kind} turns whole matrices, and a new word is a few vectors beside one "
            "another. Take another optimizer, such as adamw, or leave out the words."
        )


def _paged(preset: Preset) -> Iterator[str]:
    if preset.optimizer.paged and preset.general.device == "cpu":
        yield (
            f"optimizer.kind {preset.optimizer.kind} moves between a graphics card and main memory, and general.device "
            "is cpu. Take another optimizer, such as adamw8bit, or train on a card."
        )


RATE_RULES = (_schedule_free, _found, _given, _matrices, _paged)
