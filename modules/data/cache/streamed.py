"""Images that are encoded when their turn comes: nothing is read, hashed or kept before it.

A bad image is found when it is drawn, and another of its bucket is shown instead. A run that goes on from a backup
finds it again and shows the same one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import overload

import numpy as np

from modules.data.image.masks import Box, box_of, open_mask
from modules.data.image.variants import Content, content_of
from modules.data.image_errors import MissingImage, UnusableImage
from modules.data.index import Index
from modules.data.source.source import DataFile
from modules.system.seeds import seed_of

MOST_TRIES = 100


class StreamedContents(Sequence[Content]):
    """What images hold, as far as their masks say it, found for each row when it is asked for.

    No digests: they name what is kept.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, row: int) -> Content: ...
    @overload
    def __getitem__(self, row: slice) -> list[Content]: ...
    def __getitem__(self, row: int | slice) -> Content | list[Content]:
        """Raises MissingImage: crops must know a mask that cannot be read."""
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        try:
            return content_of(self._index, row, "", str, _box)
        except UnusableImage as error:
            raise MissingImage(row) from error


def _box(file: DataFile, alpha: bool, _name: str) -> Box | None:
    return box_of(open_mask(file, alpha=alpha))


def substitute_of(index: Index, row: int, lost: Collection[int], address: tuple[int | str, ...]) -> int:
    """Another row of the same bucket, learnt from or not as that one is, and not lost.

    Which it is does not depend on what else is known to be lost.
    """
    pool = np.flatnonzero((index.bucket_numbers == index.bucket_numbers[row]) & (index.trained == index.trained[row]))
    tries = (int(pool[seed_of(*address, number) % len(pool)]) for number in range(MOST_TRIES))
    left = next((one for one in tries if one not in lost), None)
    return left if left is not None else next(one for one in pool.tolist() if one not in lost)
