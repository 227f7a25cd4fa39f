"""The mask of one image while it is painted: strokes, fills and what takes them back. No widgets.

A mask is (height, width) uint8: white is learnt, black is left out of the loss. There may be none at all: then all is
learnt, and the first stroke says what the rest becomes (the brush leaves it out, the eraser has it learnt).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from app.gui.masks.shapes import Box, Cover, around

LEARNT, LEFT_OUT = 255, 0


@dataclass(frozen=True)
class _Patch:
    """What a mask holds in a box; `data` is packed, None for no mask at all."""

    box: Box
    data: bytes | None

    @classmethod
    def of(cls, mask: np.ndarray | None, box: Box) -> _Patch:
        if mask is None:
            return cls(box, None)
        return cls(box, zlib.compress(mask[box[1] : box[3], box[0] : box[2]].tobytes(), 1))

    def pixels(self) -> np.ndarray | None:
        if self.data is None:
            return None
        shape = (self.box[3] - self.box[1], self.box[2] - self.box[0])
        return np.frombuffer(zlib.decompress(self.data), np.uint8).reshape(shape)


@dataclass(frozen=True)
class _Step:
    before: _Patch
    after: _Patch


class Painting:
    """`mask` is changed in place by strokes; each function gives the box that it has changed, None for nothing."""

    def __init__(self, size: tuple[int, int], mask: np.ndarray | None) -> None:
        self.size = size  # width, height
        self.mask = None if mask is None else mask.copy()
        self._steps: list[_Step] = []
        self._at = 0  # steps that are done
        self._saved: int | None = 0  # steps that are on the disk; None: a state that cannot be reached any more
        self._before: np.ndarray | None = None  # the stroke under way: what was there,
        self._cover: np.ndarray | None = None  # what it covers,
        self._touched: Box | None = None  # and where
        self._value = LEARNT
        self._resting: _Patch | None = None
        self._adjusted = -1  # the step that an adjustment made: another one takes its place

    @property
    def whole(self) -> Box:
        return (0, 0, *self.size)

    @property
    def unsaved(self) -> bool:
        return self._at != self._saved

    @property
    def can_undo(self) -> bool:
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        return self._at < len(self._steps)

    def saved(self) -> None:
        """What it is now is on the disk."""
        self._saved = self._at

    def not_on_disk(self) -> None:
        """The disk holds what it never was, or is no more."""
        self._saved = None

    # Strokes ----------------------------------------------------------------------------------------------------------

    def begin(self, value: int) -> Box | None:
        """Begin a stroke that gives what it covers this value."""
        self._value, self._touched = value, None
        self._cover = np.zeros(self.size[::-1], np.uint8)
        self._before = None if self.mask is None else self.mask.copy()
        if self.mask is None:
            self.mask = np.full(self.size[::-1], 255 - value, np.uint8)
            return self.whole
        return None

    def cover(self, more: Cover | None) -> Box | None:
        """The stroke covers this, too. What it has covered already is not covered twice."""
        if more is None or self._cover is None or self.mask is None:
            return None
        box = more.box
        place = (slice(box[1], box[3]), slice(box[0], box[2]))
        share = np.maximum(self._cover[place], more.share, out=self._cover[place])
        before = 255 - self._value if self._before is None else self._before[place].astype(np.uint16)
        weight = share.astype(np.uint16)
        self.mask[place] = (before * (255 - weight) + np.uint16(self._value) * weight + 127) // 255
        self._touched = around(self._touched, box)
        return box

    def end(self) -> None:
        """The stroke is done: one step to undo."""
        if self._cover is None:
            return
        touched = self.whole if self._before is None else self._touched
        if touched is not None:
            self._add(_Step(_Patch.of(self._before, touched), _Patch.of(self.mask, touched)))
        self._before = self._cover = None

    def fill(self, more: Cover | None, value: int) -> Box | None:
        """A stroke that is one shape."""
        if more is None:
            return None
        drawn = self.begin(value) or more.box
        self.cover(more)
        self.end()
        return drawn

    # The whole mask ---------------------------------------------------------------------------------------------------

    def replace(self, mask: np.ndarray | None) -> bool:
        """Another mask, or none. False where it is the same."""
        before = self.mask
        if mask is before or (mask is not None and before is not None and np.array_equal(mask, before)):
            return False
        self.mask = mask
        self._add(_Step(_Patch.of(before, self.whole), _Patch.of(mask, self.whole)))
        return True

    def invert(self) -> bool:
        """What is learnt is left out, and the other way round; without a mask, everything."""
        return self.replace(np.zeros(self.size[::-1], np.uint8) if self.mask is None else 255 - self.mask)

    def adjusting(self) -> np.ndarray | None:
        """The mask as it was before the adjustments that were made last, if nothing was done since."""
        if self._adjusted == self._at and self._at:
            return self._steps[self._at - 1].before.pixels()
        return self.mask

    def adjust(self, mask: np.ndarray) -> bool:
        """Adjust what `adjusting` gave: one step, however often it is adjusted again."""
        if self._adjusted == self._at and self._at:
            self.undo()
        changed = self.replace(mask)
        self._adjusted = self._at if changed else -1
        return changed

    # Back and forth ---------------------------------------------------------------------------------------------------

    def undo(self) -> Box | None:
        self.end()
        if not self.can_undo:
            return None
        self._at -= 1
        return self._put(self._steps[self._at].before)

    def redo(self) -> Box | None:
        self.end()
        if not self.can_redo:
            return None
        self._at += 1
        return self._put(self._steps[self._at - 1].after)

    def rest(self) -> None:
        """Another image is painted: this mask takes less memory until `wake`."""
        if self._resting is None:
            self._resting, self.mask = _Patch.of(self.mask, self.whole), None

    def packed(self) -> np.ndarray | None:
        """The mask, resting or not."""
        return self.mask if self._resting is None else self._resting.pixels()

    def wake(self) -> None:
        if self._resting is not None:
            resting, self._resting = self._resting, None
            self._put(resting)

    def _put(self, patch: _Patch) -> Box:
        pixels = patch.pixels()
        if pixels is None:
            self.mask = None
        elif self.mask is None:
            self.mask = pixels.copy()
        else:
            self.mask[patch.box[1] : patch.box[3], patch.box[0] : patch.box[2]] = pixels
        return patch.box

    def _add(self, step: _Step) -> None:
        if self._saved is not None and self._saved > self._at:
            self._saved = None  # it was undone, and something else was done
        del self._steps[self._at :]
        self._steps.append(step)
        self._at += 1
