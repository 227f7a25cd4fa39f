"""All masks of the page: which there are, what was painted and is not saved yet, and what is written. No widgets.

It outlives the page, which is made anew for another text size: strokes that are not saved are not lost with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from app.gui.captions.batch import content_of
from app.gui.masks.files import MADE, NONE, PAINTED, MaskedImage, put_bytes, state_of
from app.gui.masks.painting import Painting
from modules.data.image.mask_files import png_of
from modules.data.image.masks import open_mask
from modules.data.image.pixels import open_image
from modules.errors import UserError
from modules.system.stamps import NO_STAMP, Stamp

UNSAVED = "painting"
STATES = (NONE, MADE, PAINTED, UNSAVED)


@dataclass(frozen=True)
class Loaded:
    """An image as training sees it, and its mask, as large as the image; None for none."""

    image: Image.Image
    mask: np.ndarray | None
    stamp: Stamp  # of the mask's file


@dataclass(frozen=True)
class Written:
    """A file that was written, and how to take that back."""

    path: Path
    before: bytes | None
    after: bytes | None


def load(masked: MaskedImage, *, with_mask: bool = True) -> Loaded:
    """Read both.

    Raises:
        UserError: one cannot be read.
    """
    image, stamp = open_image(masked.image), masked.mask.stamp()
    if not with_mask or stamp == NO_STAMP:
        return Loaded(image, None, stamp)
    mask = open_mask(masked.mask, alpha=False)
    if mask.size != image.size:
        mask = mask.resize(image.size, Image.Resampling.BILINEAR)
    return Loaded(image, np.array(mask), stamp)


class MaskStore:
    """Numbers are places in `all`. Paintings are kept by the file of their mask: two images may share one."""

    def __init__(self) -> None:
        self.all: list[MaskedImage] = []
        self._by_place: defaultdict[str, list[int]] = defaultdict(list)
        self._paintings: dict[str, tuple[Painting, Stamp]] = {}  # and what its file was like when it was read

    def take(self, images: Sequence[MaskedImage]) -> None:
        """Other images, or the same as they are now. What is not saved stays."""
        self.all = list(images)
        self._by_place.clear()
        for number, each in enumerate(self.all):
            self._by_place[each.place].append(number)

    def state(self, number: int) -> str:
        kept = self._paintings.get(self.all[number].place)
        return UNSAVED if kept and kept[0].unsaved else self.all[number].state

    def counts(self) -> Counter[str]:
        """How many images are in each state."""
        return Counter(self.state(number) for number in range(len(self.all)))

    def matching(self, state: str = "", concept: int | None = None) -> list[int]:
        """The numbers of the images in a state, or of a concept."""
        return [
            number
            for number, each in enumerate(self.all)
            if (not state or self.state(number) == state) and (concept is None or each.concept == concept)
        ]

    def unsaved(self) -> list[str]:
        """The masks that were painted and not saved, by their files."""
        return [place for place, (painting, _) in self._paintings.items() if painting.unsaved]

    def kept(self, number: int) -> Painting | None:
        """What was painted over an image, as far as it still stands on the file as it is now."""
        place = self.all[number].place
        found = self._paintings.get(place)
        if found is None or (not found[0].unsaved and found[1] != self.all[number].mask.stamp()):
            self._paintings.pop(place, None)
            return None
        return found[0]

    def open(self, number: int, loaded: Loaded) -> Painting:
        """Begin to paint, or go on."""
        painting = self.kept(number)
        if painting is None or painting.size != loaded.image.size:
            painting = Painting(loaded.image.size, loaded.mask)
            self._paintings[self.all[number].place] = painting, loaded.stamp
        painting.wake()
        return painting

    def leave(self, number: int) -> None:
        """Another image is painted."""
        place = self.all[number].place
        if place in self._paintings:
            painting = self._paintings[place][0]
            painting.rest()
            if not (painting.unsaved or painting.can_undo or painting.can_redo):
                del self._paintings[place]

    # Writing ----------------------------------------------------------------------------------------------------------

    def save(self, number: int, *, over: bool = False) -> Written | None:
        """Write the mask of an image as it is painted; None where it is written already.

        `over`: also where another program has changed the file since it was read.

        Raises:
            UserError: it cannot be written, or was changed.
        """
        masked = self.all[number]
        kept = self._paintings.get(masked.place)
        if kept is None or not kept[0].unsaved:
            return None
        if refusal := masked.refusal():
            raise refusal
        path = masked.mask.path
        assert path is not None, "else it was refused"
        if not over and masked.mask.stamp() != kept[1]:
            raise UserError("masks.changed", file=path.name)
        mask = kept[0].packed()
        written = Written(path, content_of(path), None if mask is None else png_of(Image.fromarray(mask)))
        put_bytes(path, written.after)
        kept[0].saved()
        self._paintings[masked.place] = kept[0], masked.mask.stamp()
        self.look_again(number)
        return written

    def put_back(self, number: int, written: Written) -> None:
        """The file as it was before it was written. What was painted since stays, and is not saved.

        Raises:
            UserError: it cannot be written, or was changed meanwhile.
        """
        if content_of(written.path) != written.after:
            raise UserError("masks.changed", file=written.path.name)
        put_bytes(written.path, written.before)
        place = self.all[number].place
        kept = self._paintings.pop(place, None)
        if kept is not None and kept[0].unsaved:
            kept[0].not_on_disk()
            self._paintings[place] = kept[0], self.all[number].mask.stamp()
        self.look_again(number)

    def look_again(self, number: int) -> None:
        """What lies beside an image now."""
        state = state_of(self.all[number].mask)
        for same in self._by_place[self.all[number].place]:
            self.all[same] = replace(self.all[same], state=state)

    def forget(self, place: str) -> None:
        """What was painted and not saved is thrown away."""
        self._paintings.pop(place, None)

    def number_of(self, place: str) -> int | None:
        """An image with this mask."""
        return next(iter(self._by_place.get(place, ())), None)
