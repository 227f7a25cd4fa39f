"""Captions of many images: a batch at a time, opened in threads; tags that were found before are not found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from modules.captioning.captioner import Ask, Captioner
from modules.captioning.kinds import CATEGORIES, prompt_for
from modules.captioning.labels import Labels, labels_of
from modules.captioning.settings import TAGS, Settings
from modules.captioning.tag_choice import Choice, Score, chosen, excluded, written
from modules.captioning.tagger import Tagger, kept, mark_of, scores_of
from modules.captioning.text_checks import is_loop, one_line, whole_sentences, with_prefix, without_phrases
from modules.data.image.pixels import open_image
from modules.data.image_errors import UnusableImage
from modules.data.source.parallel_read import map_in_threads
from modules.data.source.source import DataFile
from modules.sentences.problem import Problem, problem
from modules.system.read_cache import ReadCache

TABLE = "tags 1 "  # of the read cache; behind it the mark of the model
AT_ONCE = {"tags": 8, "sentences": 1}


@dataclass(frozen=True)
class Made:
    """A caption of one image, or why there is none."""

    image: DataFile
    text: str = ""
    scores: list[Score] = field(default_factory=list[Score])
    thresholds: dict[str, float] = field(default_factory=dict[str, float])  # that were used, by category
    tokens: int = 0
    problem: Problem | None = None


Before = Callable[[], None]  # asked before each batch; raises what ends the work


def tags(images: Sequence[DataFile], folder: Path, settings: Settings, cache: Path, before: Before) -> Iterator[Made]:
    """Captions of tags. The model is opened with the first image that was not tagged before.

    Raises:
        UserError: the model cannot be used.
    """
    labels, table = labels_of(folder), TABLE + mark_of(folder)
    choice = choice_of(settings, labels)
    tagger: Tagger | None = None
    with ReadCache(cache) as known:
        for batch in _batches(images, settings.batch_size or AT_ONCE["tags"]):
            before()
            stamps = {str(image): image.stamp() for image in batch}
            found = known.get(table, stamps)
            opened = dict(_opened([image for image in batch if str(image) not in found]))
            usable = {name: image for name, image in opened.items() if isinstance(image, Image.Image)}
            if usable:
                tagger = tagger or Tagger(folder, labels, card=settings.device != "cpu")
                rows = tagger.probabilities([*usable.values()])
                new = {name: kept(row) for name, row in zip(usable, rows, strict=True)}
                known.put(table, {name: (stamps[name], data) for name, data in new.items()})
                found |= new
            for image in batch:
                bad = opened.get(str(image))
                if isinstance(bad, UnusableImage):
                    yield Made(image, problem=bad.problem)
                else:
                    yield _tagged(image, scores_of(found[str(image)], labels), choice, settings)


def choice_of(settings: Settings, labels: Labels) -> Choice:
    """Thresholds of the settings, or else of the model's files."""
    thresholds = dict(labels.thresholds)
    for name in CATEGORIES:
        if value := getattr(settings, name, 0.0):
            thresholds[name] = value
    spaces = settings.underscores == "spaces"
    return Choice(thresholds, excluded(settings.exclude), spaces=spaces, overlaps=settings.overlaps)


def _tagged(image: DataFile, scores: list[Score], choice: Choice, settings: Settings) -> Made:
    words = written(chosen(scores, choice), choice)
    used = {name: choice.threshold(name) for name in CATEGORIES}
    if not words:
        return Made(image, "", scores, used, problem=problem("captioning.no-tags", file=str(image)))
    return Made(image, with_prefix(", ".join(words), settings.prefix, settings.trigger, tags=True), scores, used)


def sentences(
    images: Sequence[DataFile], folder: Path, settings: Settings, device: torch.device, before: Before,
    tags_of: Callable[[str], str] = lambda _: "",
) -> Iterator[Made]:  # fmt: skip
    """Captions of sentences. `tags_of`: what stands for {tags} in the prompt, by image.

    Raises:
        UserError: the model cannot be used.
    """
    captioner = Captioner(folder, settings.captioner, device)
    asked = prompt_for(captioner.kind, settings.captioner, settings.prompt.strip(), settings.length)
    ask = Ask(asked, settings.most_tokens, settings.temperature, settings.beams)
    try:
        for batch in _batches(images, settings.batch_size or AT_ONCE["sentences"]):
            before()
            yield from _written(captioner, batch, ask, settings, before, tags_of)
    finally:
        captioner.close()


def _written(
    captioner: Captioner, batch: list[DataFile], ask: Ask, settings: Settings, before: Before,
    tags_of: Callable[[str], str],
) -> Iterator[Made]:  # fmt: skip
    opened = dict(_opened(batch))
    usable = {name: image for name, image in opened.items() if isinstance(image, Image.Image)}
    if TAGS in ask.prompt:  # each is asked something else, so that they cannot be asked together
        asked = {name: replace(ask, prompt=ask.prompt.replace(TAGS, tags_of(name))) for name in usable}
        answers = {name: captioner.write([image], asked[name], before)[0] for name, image in usable.items()}
    else:
        answers = dict(zip(usable, captioner.write([*usable.values()], ask, before) if usable else (), strict=True))
    for image in batch:
        bad = opened[str(image)]
        if isinstance(bad, UnusableImage):
            yield Made(image, problem=bad.problem)
        else:
            answer = answers[str(image)]
            yield _told(image, answer.text, captioner.tokens, settings, cut=answer.cut)


def _told(image: DataFile, text: str, tokens: Callable[[str], int], settings: Settings, *, cut: bool) -> Made:
    text = without_phrases(one_line(text), settings.exclude)
    if not text:
        return Made(image, problem=problem("captioning.empty", file=str(image)))
    if is_loop(text):
        return Made(image, text, problem=problem("captioning.loop", file=str(image), text=text[:80]))
    text = whole_sentences(text) if cut else text
    return Made(image, with_prefix(text, settings.prefix, settings.trigger, tags=False), tokens=tokens(text))


def _batches(images: Sequence[DataFile], size: int) -> Iterator[list[DataFile]]:
    waiting = iter(images)
    while batch := [*islice(waiting, size)]:
        yield batch


def _opened(images: Sequence[DataFile]) -> Iterator[tuple[str, Image.Image | UnusableImage]]:
    """RGB, laid over white."""
    return zip(map(str, images), map_in_threads(_open, images, lambda: False), strict=True)


def _open(image: DataFile) -> Image.Image | UnusableImage:
    try:
        return open_image(image)
    except UnusableImage as error:
        return error
