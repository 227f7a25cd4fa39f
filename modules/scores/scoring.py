"""Computes what is missing of the scores of some images, model by model, and keeps it and its table as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

from torch import Tensor

from modules.scores.head import AestheticHead
from modules.scores.how import How
from modules.scores.image_set import Picture
from modules.scores.kinds import REFERENCES, SCORES, TEXT
from modules.scores.model import ScoringModel
from modules.scores.near import Near
from modules.scores.opened import open_images
from modules.scores.record import Scored, Scores, write_scores
from modules.scores.references import References
from modules.scores.reuse import Chosen
from modules.scores.table import write_table

SAVE_EVERY_S = 10.0


class Scoring:
    """Holds the scores of a folder, and computes those that are missing."""

    def __init__(
        self, scores: Scores, pictures: Sequence[Picture], references: References | None, folder: Path, how: How
    ) -> None:
        """`scores`: with an image for each picture; what has a value is not computed. `folder`: where they are kept."""
        self.scores, self._pictures, self._references = scores, pictures, references
        self._images = list(scores.images)
        self._folder, self._how, self._saved = folder, how, monotonic()
        self._done = self._total = 0

    def run(self, chosen: Sequence[Chosen]) -> Scores:
        """Compute what is missing; stopped or not, what is there is kept.

        Raises:
            UserError: a model cannot be used.
        """
        by_model: dict[Path, list[Chosen]] = {}
        for each in chosen:
            by_model.setdefault(each.folder, []).append(each)
        missing = {folder: rows for folder, some in by_model.items() if (rows := self._missing(some))}
        self._total = sum(map(len, missing.values()))
        try:
            for folder, rows in missing.items():
                self._with_model(by_model[folder], rows)
        finally:
            self._save()
        return self.scores

    def _missing(self, chosen: Sequence[Chosen]) -> list[int]:
        """The rows that one of these scores is missing of; an empty prompt has none of those of a text."""

        def lacks(image: Scored, name: str) -> bool:
            return name not in image.values and bool(image.prompt or TEXT not in SCORES[name].needs)

        return [row for row, image in enumerate(self._images) if any(lacks(image, each.name) for each in chosen)]

    def _with_model(self, chosen: Sequence[Chosen], rows: Sequence[int]) -> None:
        self._how.progress("stage.opening-model", 0, 0)
        first = chosen[0]
        model = ScoringModel(first.folder, first.model, SCORES[first.name], self._how.device)
        compares = any(REFERENCES in SCORES[each.name].needs for each in chosen)
        near = Near(self._references, model, first.mark, self._how) if self._references and compares else None
        work, size = _Work(model, near, chosen), self._how.batch_size
        for start in range(0, len(rows), size):
            self._how.progress("stage.scoring", self._done, self._total)
            some = rows[start : start + size]
            self._score(work, some)
            self._done += len(some)
            if monotonic() - self._saved > SAVE_EVERY_S:
                self._save()
        self._how.progress("stage.scoring", self._done, self._total)

    def _score(self, work: _Work, rows: Sequence[int]) -> None:
        opened = open_images({row: (self._pictures[row].file, 1.0) for row in rows}, self._how)
        if opened:
            vectors = work.model.images([*opened.values()])
            for row, vector in zip(opened, vectors, strict=True):
                self._images[row] = work.scored(self._images[row], vector)

    def _save(self) -> None:
        self.scores, self._saved = replace(self.scores, images=tuple(self._images)), monotonic()
        write_scores(self._folder, self.scores)
        write_table(self._folder, self.scores)


class _Work:
    """What one model is asked for."""

    def __init__(self, model: ScoringModel, near: Near | None, chosen: Sequence[Chosen]) -> None:
        self.model, self._near = model, near
        self._names = [each.name for each in chosen]
        self._head = next((AestheticHead(each.head) for each in chosen if each.head), None)
        self._texts: dict[str, tuple[Tensor, bool]] = {}

    def scored(self, image: Scored, vector: Tensor) -> Scored:
        """The image with its numbers."""
        for name in self._names:
            if TEXT in SCORES[name].needs:
                image = self._beside_text(name, image, vector) if image.prompt else image
            elif REFERENCES in SCORES[name].needs:
                image = self._beside_references(name, image, vector)
            elif self._head:
                image = _with(image, name, float(self._head.scores(vector[None])))
        return image

    def _beside_text(self, name: str, image: Scored, vector: Tensor) -> Scored:
        if image.prompt not in self._texts:
            vectors, cut = self.model.texts([image.prompt])
            self._texts[image.prompt] = vectors[0], cut[0]
        text, cut = self._texts[image.prompt]
        others = {each for each in image.too_long if each != name}
        scale = self.model.scale if name == "preference" else 1.0
        found = _with(image, name, scale * float(vector @ text))
        return replace(found, too_long=tuple(sorted({*others, name} if cut else others)))

    def _beside_references(self, name: str, image: Scored, vector: Tensor) -> Scored:
        assert self._near is not None
        if name == "copies":
            cosine, nearest = self._near.nearest(vector)
            return replace(_with(image, name, cosine), nearest=nearest)
        return _with(image, name, self._near.similarity(vector, image.prompt))


def _with(image: Scored, name: str, value: float) -> Scored:
    return replace(image, values={**image.values, name: value})
