"""The vectors of the reference images, computed once for each model, and what an image has to do with them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from modules.data.source.source import DataFile
from modules.errors import UserError
from modules.scores.how import How
from modules.scores.model import ScoringModel
from modules.scores.opened import open_images
from modules.scores.references import References
from modules.system.read_cache import ReadCache
from modules.system.stamps import ALWAYS

ENOUGH = 1024  # pixels of the shorter side of a JPEG, of which no model sees more than half
VECTORS = "score vectors 1"  # by model and content of the image


class Near:
    """Reference images as one model sees them."""

    def __init__(self, references: References, model: ScoringModel, mark: str, how: How) -> None:
        """Compute those that are not in the read cache. `mark`: of the model's files.

        Raises:
            UserError: not one of them can be read.
        """
        self._references, self._model, self._how = references, model, how
        names = [f"{mark} {digest}" for digest in references.hashes]
        rows = {name: row for row, name in enumerate(names)}
        with ReadCache(how.cache) as cache:
            known = cache.get(VECTORS, dict.fromkeys(names, ALWAYS))
            known |= self._computed({name: row for name, row in rows.items() if name not in known}, cache)
        if not known:
            raise UserError("score.unreadable-references", "reference", folder=references.title)
        self._rows = np.array([row for row, name in enumerate(names) if name in known])
        held = [np.frombuffer(known[names[row]], dtype=np.float32) for row in self._rows]
        self._vectors = torch.from_numpy(np.stack(held))

    def similarity(self, vector: Tensor, prompt: str) -> float:
        """The mean cosine to the images of the concepts that the prompt asks for."""
        asked = torch.from_numpy(self._references.asked_by(prompt)[self._rows])
        vectors = self._vectors[asked] if asked.any() else self._vectors
        return float((vectors @ vector).mean())

    def nearest(self, vector: Tensor) -> tuple[float, str]:
        """The highest cosine, and the image that has it."""
        cosines = self._vectors @ vector
        best = int(cosines.argmax())
        return float(cosines[best]), str(self._references.files[self._rows[best]])

    def _computed(self, rows: Mapping[str, int], cache: ReadCache) -> dict[str, bytes]:
        """Of these images, by name; each batch is kept at once."""
        found: dict[str, bytes] = {}
        names = [*rows]
        for first in range(0, len(names), self._how.batch_size):
            self._how.progress("stage.reading-references", first, len(names))
            some = names[first : first + self._how.batch_size]
            opened = open_images({name: self._job(rows[name]) for name in some}, self._how)
            if not opened:
                continue
            vectors = self._model.images([*opened.values()]).numpy()
            computed = {name: vector.tobytes() for name, vector in zip(opened, vectors, strict=True)}
            cache.put(VECTORS, {name: (ALWAYS, value) for name, value in computed.items()})
            found |= computed
        return found

    def _job(self, row: int) -> tuple[DataFile, float]:
        return self._references.files[row], ENOUGH / max(1, int(self._references.sides[row]))
