"""Rules about what is made of images: the sizes of buckets, and chances that cancel one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modules.preset.preset import Preset
from modules.preset.resolutions import Square, parse


def _buckets(preset: Preset) -> Iterator[str]:
    training = preset.training
    for name in ("min_side", "bucket_step"):
        if (size := getattr(training, name)) % 8:
            yield f"training.{name}: {size} is no multiple of 8, as images must be. Set it to {size // 8 * 8 or 8}."
    for path, side in _squares(preset):
        if training.max_side and training.max_side < side:
            yield (
                f"training.max_side {training.max_side} is shorter than the resolution of {side} ({path}), so that no "
                "image fits its area. Set training.max_side to 0 (twice the resolution), or lower the resolution."
            )
        if training.min_side > side:
            yield (
                f"training.min_side {training.min_side} is longer than the resolution of {side} ({path}). Set "
                "training.min_side to 0, or raise the resolution."
            )
        if training.bucket_step > side:
            yield (
                f"training.bucket_step {training.bucket_step} is larger than the resolution of {side} ({path}). Set "
                "training.bucket_step to 0, or to 64."
            )


def _squares(preset: Preset) -> Iterator[tuple[str, int]]:
    """The resolutions that buckets are made for, with their settings."""
    texts = {f"concepts.{n}.resolutions": concept.resolutions for n, concept in enumerate(preset.concepts)}
    wanted = {"training.resolutions": preset.training.resolutions, **texts}
    if not preset.training.resolutions:
        yield "training.resolution", preset.resolution
    for path, text in wanted.items():
        for size in parse(text):
            if isinstance(size, Square):
                yield path, size.side


def _flips(preset: Preset) -> Iterator[str]:
    for number, concept in enumerate(preset.concepts):
        if concept.flip and concept.flip_always:
            yield (
                f"concepts.{number}.flip_always mirrors every image, and concepts.{number}.flip every other. Turn one "
                "of them off."
            )


IMAGE_RULES: tuple[Callable[[Preset], Iterator[str]], ...] = (_buckets, _flips)
