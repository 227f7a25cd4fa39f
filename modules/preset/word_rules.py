"""Rules between new words and other settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modules.preset.preset import Preset

PARTS = ("denoiser", "text_encoder_1", "text_encoder_2")  # what a word would be mistaken for in logs and charts


def wordless(preset: Preset) -> Iterator[str]:
    """An embedding of nothing."""
    if preset.method.kind == "embedding" and not any(word.train for word in preset.words):
        yield "words: method.kind embedding learns new words, and none is given. Add one, such as words.0.token=<new>."


def spelling(preset: Preset) -> Iterator[str]:
    """Words that no caption could name."""
    for token, times in Counter(word.token for word in preset.words).items():
        if times > 1:
            yield f'words: "{token}" stands there {times} times. Give each word a name of its own.'
        if not token.strip() or any(letter.isspace() for letter in token):
            yield f'words: "{token}" contains a space, so captions could not name it. Write it as one word.'
        if token in PARTS:
            yield f'words: "{token}" is the name of a part of the model. Give the word another name.'


def starts(preset: Preset) -> Iterator[str]:
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


def kept_length(preset: Preset) -> Iterator[str]:
    """An average that the keeping of lengths would spoil."""
    if not preset.optimizer.averages:
        return
    for number, word in enumerate(preset.words):
        if word.train and word.keep_norm:
            yield (
                f"words.{number}.keep_norm moves weights behind the back of optimizer.kind {preset.optimizer.kind}, "
                f"which averages them. Turn words.{number}.keep_norm off, or take another optimizer."
            )


WORD_RULES = (spelling, starts, kept_length)
