"""Rules about what is trained on: concepts, captions, images, class images, new tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from modules.preset.preset import Preset
from modules.preset.sections.training import ENCODER
from modules.preset.text.caption_sources import shares_of
from modules.preset.text.resolutions import Exact, Resolution, Square, parse
from modules.preset.text.tag_patterns import wrong_patterns
from modules.sentences.problem import Problem, problem

# Captions -------------------------------------------------------------------------------------------------------------


def _shares(preset: Preset) -> Iterator[Problem]:
    """Shares that no source belongs to, or sources that have none."""
    for number, concept in enumerate(preset.concepts):
        path, shares, sources = f"concepts.{number}", len(shares_of(concept.shares)), len(concept.caption_sources)
        if concept.enabled and concept.several == "pick" and shares and shares != sources:
            yield problem("rules.shares", f"{path}.shares", f"{path}.more_captions", shares=shares, sources=sources)


def _patterns(preset: Preset) -> Iterator[Problem]:
    """Patterns of tags that are none, or could take forever."""
    for number, concept in enumerate(preset.concepts):
        if concept.enabled and concept.tag_list_use != "none" and concept.tag_list_patterns:
            yield from wrong_patterns(concept.tag_list, f"concepts.{number}.tag_list")


# Images ---------------------------------------------------------------------------------------------------------------


def _size_steps(preset: Preset) -> Iterator[Problem]:
    training, step = preset.training, preset.card.size_step
    for name, size in (("min_side", training.min_side), ("bucket_step", training.bucket_step)):
        yield from size_step(f"training.{name}", size, step)
    for path, size in _exact_sizes(preset):
        if size.width % step or size.height % step:
            sides = [_multiples(side, step) for side in (size.width, size.height)]
            lower, upper = (f"{width}x{height}" for width, height in zip(*sides, strict=True))
            yield problem("rules.not-a-multiple", path, size=str(size), step=step, lower=lower, upper=upper)


def size_step(path: str, size: int, step: int) -> Iterator[Problem]:
    """A side that the family's latents could not have."""
    if size % step:
        lower, upper = _multiples(size, step)
        yield problem("rules.not-a-multiple", path, size=size, step=step, lower=lower, upper=upper)


def _multiples(size: int, step: int) -> tuple[int, int]:
    """The nearest two; of one that is right already, itself."""
    lower = max(size // step * step, step)
    return lower, max(-(-size // step) * step, lower + step if size < step else lower)


def _buckets(preset: Preset) -> Iterator[Problem]:
    training = preset.training
    for path, side in _squares(preset):
        if training.max_side and training.max_side < side:
            yield problem(
                "rules.max-side", "training.max_side", path, max_side=training.max_side, side=side, resolution=path
            )
        if training.min_side > side:
            yield problem(
                "rules.min-side", "training.min_side", path, min_side=training.min_side, side=side, resolution=path
            )
        if training.bucket_step > side:
            yield problem(
                "rules.bucket-step", "training.bucket_step", path,
                bucket_step=training.bucket_step, side=side, resolution=path,
            )  # fmt: skip


def _squares(preset: Preset) -> Iterator[tuple[str, int]]:
    """The resolutions that buckets are made for, with their settings."""
    if not preset.training.resolutions:
        yield "training.resolution", preset.resolution
    yield from ((path, size.side) for path, size in _resolutions(preset) if isinstance(size, Square))


def _exact_sizes(preset: Preset) -> Iterator[tuple[str, Exact]]:
    yield from ((path, size) for path, size in _resolutions(preset) if isinstance(size, Exact))


def _resolutions(preset: Preset) -> Iterator[tuple[str, Resolution]]:
    texts = {f"concepts.{n}.resolutions": concept.resolutions for n, concept in enumerate(preset.concepts)}
    for path, text in {"training.resolutions": preset.training.resolutions, **texts}.items():
        yield from ((path, size) for size in parse(text))


def _flips(preset: Preset) -> Iterator[Problem]:
    for number, concept in enumerate(preset.concepts):
        if concept.flip and concept.flip_always:
            yield problem("rules.flips", f"concepts.{number}.flip_always", f"concepts.{number}.flip")


# What keeps a model from forgetting -----------------------------------------------------------------------------------


def no_training_concept(preset: Preset) -> Iterator[Problem]:
    """Images of every kind but those to train on."""
    kinds = {concept.kind for concept in preset.concepts if concept.enabled}
    if kinds and "train" not in kinds:
        yield problem("preset.no-training-images", "concepts", kinds=sorted(kinds))


def _class_images(preset: Preset) -> Iterator[Problem]:
    """Class images of nobody knows what."""
    made = preset.prior.made
    if made.count and not made.prompts.strip():
        yield problem("rules.class-images-without-prompt", "prior.made.count", "prior.made.prompts", count=made.count)


# New tokens -----------------------------------------------------------------------------------------------------------


def embedding_without_tokens(preset: Preset) -> Iterator[Problem]:
    """An embedding of nothing."""
    if preset.method.kind == "embedding" and not any(word.train for word in preset.words):
        yield problem("preset.no-tokens", "words", "method.kind")


def _tokens_of_the_family(preset: Preset) -> Iterator[Problem]:
    """New tokens where the model can learn none."""
    if (preset.words or preset.method.kind == "embedding") and not preset.card.uses("words"):
        yield problem("rules.no-new-tokens", "words", "model.family", family=preset.model.family)


def _token_names(preset: Preset) -> Iterator[Problem]:
    """Tokens that no caption could name."""
    for token, count in Counter(word.token for word in preset.words).items():
        if count > 1:
            yield problem("rules.token-twice", "words", token=token, count=count)
        if not token.strip() or any(letter.isspace() for letter in token):
            yield problem("rules.token-space", "words", token=token)
        if token == "denoiser" or ENCODER.fullmatch(token):  # it would be mistaken for it in logs and charts
            yield problem("rules.token-is-component", "words", token=token)


def _initial_values(preset: Preset) -> Iterator[Problem]:
    """What a token starts from."""
    for number, word in enumerate(preset.words):
        path = f"words.{number}"
        if word.file and word.start:
            yield problem("rules.token-starts", f"{path}.file", f"{path}.start", token=word.token)
        if not word.train and not word.file:
            yield problem("rules.token-unused", f"{path}.train", f"{path}.file", token=word.token)


def _token_norms(preset: Preset) -> Iterator[Problem]:
    """An average that the keeping of norms would spoil."""
    kind = preset.optimizer.kind
    for number, word in enumerate(preset.words if preset.optimizer.is_schedule_free else ()):
        if word.train and word.keep_norm:
            yield problem(
                "rules.schedule-free-token-norm", f"words.{number}.keep_norm", "optimizer.kind", optimizer=kind
            )


DATA_RULES: tuple[Callable[[Preset], Iterator[Problem]], ...] = (
    _shares,
    _patterns,
    _size_steps,
    _buckets,
    _flips,
    _tokens_of_the_family,
    _token_names,
    _initial_values,
    _token_norms,
    _class_images,
)
