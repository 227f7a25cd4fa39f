"""What the pointer does to a mask: brush and eraser, lasso, rectangle, and what is of similar colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from app.gui.kit.images.paint_view import Hand, PaintView
from app.gui.masks.painting import LEARNT, LEFT_OUT, Painting
from app.gui.masks.shapes import Box, Cover, Point, line, polygon, rectangle, similar

BRUSHES = ("brush", "eraser")


@dataclass
class Brush:
    """As it is set."""

    size: int = 48  # pixels of the image across
    hardness: float = 0.9
    tolerance: int = 24  # of 255


class PaintingHand:
    """`take(image, painting)`, then the view calls `hand`. `done` is called after each step that can be undone.

    The right button does the opposite: leaves out instead of having learnt.
    """

    def __init__(self, done: Callable[[], object]) -> None:
        self.tool = "brush"
        self.brush = Brush()
        self.view: PaintView | None = None
        self.hand = Hand(self._press, self._drag, self._release)
        self._done = done
        self._image: Image.Image | None = None
        self._painting: Painting | None = None
        self._points: list[Point] = []  # of the stroke under way
        self._last: Point | None = None  # where the last one ended
        self._value = LEARNT

    def take(self, image: Image.Image | None, painting: Painting | None) -> None:
        """Paint over another image; over none."""
        if self._painting is not None:
            self._painting.end()
        self._image, self._painting, self._last, self._points = image, painting, None, []

    def show(self, box: Box | None) -> None:
        """Draw what was changed within a box."""
        if self.view is None or self._painting is None or box is None:
            return
        layer = self.view.layer
        if layer is not None and layer.mask is self._painting.mask:
            self.view.changed(box)
        else:
            self.view.mask(self._painting.mask)

    def _press(self, x: float, y: float, shift: bool, other: bool) -> None:
        if self._painting is None or self._image is None:
            return
        self._value = LEARNT if (self.tool != "eraser") != other else LEFT_OUT
        self._points = [(x, y)]
        if self.tool in BRUSHES:
            self.show(self._painting.begin(self._value))
            self._stroke(self._last if shift and self._last else (x, y), (x, y))
        elif self.tool == "magic":
            self._points = []
            if 0 <= x < self._image.width and 0 <= y < self._image.height:
                self._fill(similar(self._image, (int(x), int(y)), self.brush.tolerance))

    def _drag(self, x: float, y: float) -> None:
        if not self._points or self.view is None:
            return
        if self.tool in BRUSHES:
            self._stroke(self._points[-1], (x, y))
            self._points = [(x, y)]
        elif self.tool == "lasso":
            self._points.append((x, y))
            self.view.outline(self._points)
        elif self.tool == "rectangle":
            (left, top) = self._points[0]
            self._points = [(left, top), (x, y)]
            self.view.outline([(left, top), (x, top), (x, y), (left, y), (left, top)])

    def _release(self) -> None:
        points, self._points = self._points, []
        if self._painting is None or self._image is None or self.view is None or not points:
            return
        if self.tool in BRUSHES:
            self._painting.end()
            self._last = points[-1]
            self._done()
        else:
            self.view.outline([])
            if self.tool == "lasso":
                self._fill(polygon(points, self._image.size))
            elif self.tool == "rectangle" and len(points) > 1:
                self._fill(rectangle(points[0], points[1], self._image.size))

    def _stroke(self, start: Point, end: Point) -> None:
        if self._painting is not None:
            covered = line(start, end, self.brush.size, self.brush.hardness, self._painting.size)
            self.show(self._painting.cover(covered))

    def _fill(self, covered: Cover | None) -> None:
        if self._painting is not None and covered is not None:
            self.show(self._painting.fill(covered, self._value))
            self._done()
