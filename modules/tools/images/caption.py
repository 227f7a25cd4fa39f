"""Captions of images by models: tags, sentences or both, beside the images; one step takes them back.

What a tagger found is remembered, so that other thresholds need no other run. Each caption is written when it is made:
a stop keeps what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modules.captioning.settings import Settings
from modules.errors import UserError
from modules.messages import CaptionReady, Stage, note
from modules.sentences.problem import Problem, problem

if TYPE_CHECKING:
    from modules.captioning.making import Made
    from modules.captioning.record import CaptionRecord
    from modules.captioning.targets import Kind, Target
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

__all__ = ["Settings", "run"]

NAMED = 20  # images without a caption that are named one by one
STAGES = {"tags": "stage.tagging", "sentences": "stage.captioning"}


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Make the captions and write them, show them, or take them back; gives "".

    Raises:
        UserError: there are no images, a model cannot be used, or a caption cannot be written.
    """
    from modules.captioning.record import CaptionRecord, cache_folder, source_name  # noqa: PLC0415
    from modules.captioning.targets import kinds_of, targets_of  # noqa: PLC0415

    cache, source = cache_folder(), source_name(settings.source)
    if settings.undo:
        _take_back(cache, source, tell)
        return ""
    tell(Stage("stage.scanning-images"))
    targets = targets_of(settings, control.stop_requested)
    control.check()
    if not targets:
        tell(note(problem("captioning.nothing")))
        return ""
    folders: dict[Kind, Path] = {}
    for kind in kinds_of(settings):  # before the first caption is made
        folders[kind] = _model(settings, kind, tell)
    with CaptionRecord(cache, source) as record:
        taking, words = _Taking(settings, record, tell), _Words(targets, kept="{tags}" in settings.prompt)
        try:
            for kind, folder in folders.items():
                wanted = {str(target.image): target for target in targets if kind in target.files}
                for made in _made(settings, kind, folder, [*wanted.values()], cache, tell, control, words):
                    words.add(kind, made)
                    taking.take(wanted[str(made.image)], kind, made)
        finally:
            taking.tell_all()
    if words.missing:
        tell(note(problem("captioning.prompt-without-tags", count=words.missing), level="warning"))
    return ""


def _model(settings: Settings, kind: Kind, tell: Tell) -> Path:
    """Where the model lies, after it was downloaded if need be."""
    from modules.captioning.captioner import kind_of  # noqa: PLC0415
    from modules.captioning.kinds import PICKLED, SENTENCE_FILES, TAGGER_FILES  # noqa: PLC0415
    from modules.captioning.labels import labels_of  # noqa: PLC0415
    from modules.captioning.tagger import ONNX  # noqa: PLC0415
    from modules.image_models.finding import find_model  # noqa: PLC0415

    path, files = ("tagger", TAGGER_FILES) if kind == "tags" else ("captioner", SENTENCE_FILES)
    name: str = getattr(settings, path)
    find = partial(find_model, name, path, offline=settings.offline, report=lambda said: tell(note(said)))
    folder = find(files=files)
    if kind == "sentences" and folder.is_dir() and not any(folder.glob("*.safetensors")):
        folder = find(files=(*files, PICKLED))  # an old model, which has nothing better
    if kind == "tags" and folder.name == ONNX:
        folder = folder.parent
    if not folder.is_dir():
        raise UserError("captioning.no-model", path, name=name)
    if kind == "tags":
        labels_of(folder)
    else:
        kind_of(folder, name)
    return folder


def _made(
    settings: Settings, kind: Kind, folder: Path, targets: list[Target], cache: Path, tell: Tell, control: Control,
    words: _Words,
) -> Iterator[Made]:  # fmt: skip
    from modules.captioning.making import sentences, tags  # noqa: PLC0415
    from modules.system.devices import device_named, use_threads  # noqa: PLC0415

    images = [target.image for target in targets]
    tell(Stage(STAGES[kind], 0, len(images)))
    if kind == "tags":
        found = tags(images, folder, settings, cache, control.check)
    else:
        use_threads(0)
        found = sentences(images, folder, settings, device_named(settings.device), control.check, words.of)
    for done, made in enumerate(found, 1):
        yield made
        tell(Stage(STAGES[kind], done, len(images)))


class _Words:
    """The tags of images for prompts that have a place for them: those that were just made, or of before."""

    def __init__(self, targets: list[Target], *, kept: bool) -> None:
        """`kept`: whether they will be asked for."""
        self._before = {str(target.image): target.tags for target in targets} if kept else {}
        self._made: dict[str, str] = {}
        self.missing = 0  # images that had none

    def add(self, kind: Kind, made: Made) -> None:
        if kind == "tags" and str(made.image) in self._before and made.text:
            self._made[str(made.image)] = made.text

    def of(self, image: str) -> str:
        from modules.captioning.targets import text_of  # noqa: PLC0415

        found = self._made.get(image) or text_of(self._before.get(image))
        self.missing += not found
        return found


class _Taking:
    """What is done with captions that are made, and what is to be said of it at the end."""

    def __init__(self, settings: Settings, record: CaptionRecord, tell: Tell) -> None:
        self._settings, self._record, self._tell = settings, record, tell
        self._without: list[Problem] = []

    def take(self, target: Target, kind: Kind, made: Made) -> None:
        """Show it or write it; name an image that gets none."""
        if self._settings.preview:
            problems = [made.problem] if made.problem else []
            scores = [(score.name, score.category, score.probability) for score in made.scores]
            self._tell(CaptionReady(str(made.image), kind, made.text, scores, made.thresholds, made.tokens, problems))
        elif made.problem is None:
            self._record.write(target.files[kind], made.text)
        else:
            self._without.append(made.problem)
            if len(self._without) <= NAMED:
                self._tell(note(made.problem, level="warning"))

    def tell_all(self) -> None:
        """How many were written, and how many images got none."""
        if self._settings.preview:
            return
        if (more := len(self._without) - NAMED) > 0:
            self._tell(note(problem("captioning.more-without", count=more), level="warning"))
        self._tell(note(problem("captioning.written", count=self._record.written)))


def _take_back(cache: Path, source: str, tell: Tell) -> None:
    from modules.captioning.record import newest_record, take_back  # noqa: PLC0415

    file = newest_record(cache, source)
    if file is None:
        raise UserError("captioning.no-record", "undo", source=source)
    found = take_back(file)
    tell(note(problem("captioning.taken-back", count=found.count)))
    if found.changed:
        names = [str(path) for path in found.changed[:NAMED]]
        tell(note(problem("captioning.changed-since", count=len(found.changed), files=names), level="warning"))
