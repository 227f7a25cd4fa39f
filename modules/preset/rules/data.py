"""Rules about concepts: captions, class images, buckets; and about embeddings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from modules.preset.preset import Preset
from modules.preset.sections.training import ENCODER
from modules.preset.text.caption_sources import shares_of
from modules.preset.text.resolutions import Exact, Resolution, Square, parse
from modules.preset.text.tag_patterns import wrong_patterns


def no_training_concept(preset: Preset) -> Iterator[str]:
    """Images of every kind but one to learn from."""
    kinds = {concept.kind for concept in preset.concepts if concept.enabled}
    if kinds and "train" not in kinds:
        yield (
            f"concepts: all of them are of the kind {' or '.join(sorted(kinds))}, and nothing is to be learnt. Set the "
            "kind of one of them to train."
        )


def class_images_without_prompt(preset: Preset) -> Iterator[str]:
    """Class images of nobody knows what."""
    made = preset.prior.made
    if made.count and not made.prompts.strip():
        yield (
            f"prior.made.count {made.count} asks for class images, and prior.made.prompts says nothing. Write what to "
            'draw, such as "a photo of a dog", or set prior.made.count to 0.'
        )


def embedding_without_tokens(preset: Preset) -> Iterator[str]:
    """An embedding of nothing."""
    if preset.method.kind == "embedding" and not any(word.train for word in preset.words):
        yield "words: method.kind embedding learns new words, and none is given. Add one, such as words.0.token=<new>."


def words_of_the_family(preset: Preset) -> Iterator[str]:
    """New words where the model can learn none."""
    if (preset.words or preset.method.kind == "embedding") and not preset.card.uses("words"):
        yield (
            f"words: models of model.family {preset.model.family} cannot learn new words. Leave words empty, and take "
            "method.kind lora or full."
        )


def token_names(preset: Preset) -> Iterator[str]:
    """Words that no caption could name."""
    for token, times in Counter(word.token for word in preset.words).items():
        if times > 1:
            yield f'words: "{token}" stands there {times} times. Give each word a name of its own.'
        if not token.strip() or any(letter.isspace() for letter in token):
            yield f'words: "{token}" contains a space, so captions could not name it. Write it as one word.'
        if token == "denoiser" or ENCODER.fullmatch(token):  # a word would be mistaken for it in logs and charts
            yield f'words: "{token}" is the name of a part of the model. Give the word another name.'


def initial_values(preset: Preset) -> Iterator[str]:
    """What a word begins with."""
    for number, word in enumerate(preset.words):
        path = f"words.{number}"
        if word.file and word.start:
            yield (f'{path}.file and {path}.start both say what "{word.token}" starts from. Leave one of them empty.')
        if not word.train and not word.file:
            yield (
                f'{path}.train is off, and {path}.file names no file: "{word.token}" would say nothing. Give a file, '
                f"or switch {path}.train on."
            )


def norm_while_averaging(preset: Preset) -> Iterator[str]:
    """An average that the keeping of lengths would spoil."""
    if not preset.optimizer.is_schedule_free:
        return
    for number, word in enumerate(preset.words):
        if word.train and word.keep_norm:
            yield (
                f"words.{number}.keep_norm moves weights behind the back of optimizer.kind {preset.optimizer.kind}, "
                f"which averages them. Turn words.{number}.keep_norm off, or take another optimizer."
            )


WORD_RULES = (words_of_the_family, token_names, initial_values, norm_while_averaging)


def _size_steps(preset: Preset) -> Iterator[str]:
    training = preset.training
    step = preset.card.size_step
    for name, size in (("min_side", training.min_side), ("bucket_step", training.bucket_step)):
        if size % step:
            fitting = size // step * step or step
            yield f"training.{name}: {size} is no multiple of {step}, as images must be. Set it to {fitting}."
    for path, size in _exact_sizes(preset):
        if size.width % step or size.height % step:
            fitting = f"{size.width // step * step or step}x{size.height // step * step or step}"
            yield f"{path}: {size} is no multiple of {step}, as images must be. Set it to {fitting}."


def _buckets(preset: Preset) -> Iterator[str]:
    training = preset.training
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
    if not preset.training.resolutions:
        yield "training.resolution", preset.resolution
    yield from ((path, size.side) for path, size in _resolutions(preset) if isinstance(size, Square))


def _exact_sizes(preset: Preset) -> Iterator[tuple[str, Exact]]:
    yield from ((path, size) for path, size in _resolutions(preset) if isinstance(size, Exact))


def _resolutions(preset: Preset) -> Iterator[tuple[str, Resolution]]:
    texts = {f"concepts.{n}.resolutions": concept.resolutions for n, concept in enumerate(preset.concepts)}
    for path, text in {"training.resolutions": preset.training.resolutions, **texts}.items():
        yield from ((path, size) for size in parse(text))


def _flips(preset: Preset) -> Iterator[str]:
    for number, concept in enumerate(preset.concepts):
        if concept.flip and concept.flip_always:
            yield (
                f"concepts.{number}.flip_always mirrors every image, and concepts.{number}.flip every other. Turn one "
                "of them off."
            )


IMAGE_RULES: tuple[Callable[[Preset], Iterator[str]], ...] = (_size_steps, _buckets, _flips)


def shares(preset: Preset) -> Iterator[str]:
    """Shares that no source belongs to, or sources that have none."""
    for number, concept in enumerate(preset.concepts):
        given, sources = len(shares_of(concept.shares)), len(concept.caption_sources)
        if concept.enabled and concept.several == "pick" and given and given != sources:
            yield (
                f"concepts.{number}.shares names {given} shares, and concepts.{number}.more_captions makes {sources} "
                "sources with the first one. Give each source a share, or none."
            )


def patterns(preset: Preset) -> Iterator[str]:
    """Patterns of tags that are none, or could take for ever."""
    for number, concept in enumerate(preset.concepts):
        if concept.enabled and concept.tag_list_use != "none" and concept.tag_list_patterns:
            yield from (f"concepts.{number}.tag_list {why}." for why in wrong_patterns(concept.tag_list))


CAPTION_RULES = (shares, patterns)
