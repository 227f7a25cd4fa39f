"""What will become of the images, as a person changes it by hand; without a widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.gui.session.worker import Report, Stop
from modules.data.source.source import DataFile
from modules.preparing.places import source_for
from modules.preparing.planning import Planned, lines_of, plan
from modules.preparing.settings import Settings, points_of
from modules.preparing.target import Point, target_of
from modules.preset.paths import Values
from modules.sentences.problem import Problem

ALL, CROPPED, LEFT_OUT = "all", "cropped", "left-out"


class ReviewedPlan:
    """The plan, and what was set by hand. `values` goes into the tool's form."""

    def __init__(self, planned: Sequence[Planned], settings: Settings) -> None:
        self.settings = settings
        self.planned = list(planned)
        self._by_rule = {each.key: each.left_out for each in planned}
        self._found = {each.key: each.target for each in planned}
        self._points: dict[str, Point] = {}
        self._aside, self._kept = set(lines_of(settings.aside)), set(lines_of(settings.kept))
        rows = {each.key: row for row, each in enumerate(self.planned)}
        for key, point in points_of(settings.points).items():
            if key in rows and self.can_be_read(rows[key]):
                self.move(rows[key], point)

    @property
    def ready(self) -> int:
        """How many images will be written."""
        return sum(each.left_out is None for each in self.planned)

    def rows(self, which: str) -> list[int]:
        """All rows, those of which something is cut off, or those that are left out."""
        if which == CROPPED:
            return [row for row in range(len(self.planned)) if self.is_cropped(row)]
        wanted = which == LEFT_OUT
        return [row for row, each in enumerate(self.planned) if which == ALL or (each.left_out is not None) == wanted]

    def is_cropped(self, row: int) -> bool:
        each = self.planned[row]
        return each.target is not None and each.target.box != (0, 0, *each.size)

    def by_hand(self, row: int) -> bool:
        """Whether its focus was set by hand."""
        return self.planned[row].key in self._points

    def can_be_read(self, row: int) -> bool:
        return self.planned[row].info.reason is None

    def file(self, row: int) -> DataFile:
        return self.planned[row].entry.file

    def copy_of(self, row: int) -> int | None:
        """The row of the image that it is a copy of."""
        key = self.planned[row].of_copy
        return next((at for at, each in enumerate(self.planned) if key and each.key == key), None)

    def move(self, row: int, point: Point) -> None:
        """Set what the crop of an image keeps in its middle."""
        each = self.planned[row]
        self._points[each.key] = (round(point[0], 4), round(point[1], 4))
        self.planned[row] = replace(each, target=target_of(each.size, self.settings, self._points[each.key]))

    def forget_point(self, row: int) -> None:
        """Back to the focus that was found."""
        each = self.planned[row]
        self._points.pop(each.key, None)
        found = self._found[each.key] or target_of(each.size, self.settings)
        self.planned[row] = replace(each, target=found)

    def leave_out(self, row: int) -> None:
        """Put an image aside."""
        each = self.planned[row]
        self._kept.discard(each.key)
        self._aside.add(each.key)
        self.planned[row] = replace(each, left_out=Problem("prepare.aside"))

    def keep(self, row: int) -> None:
        """Take an image that was left out, whatever for; not one that cannot be read."""
        each = self.planned[row]
        if each.info.reason is not None:
            return
        self._aside.discard(each.key)
        if self._by_rule[each.key] not in (None, Problem("prepare.aside")):
            self._kept.add(each.key)
        target = each.target or target_of(each.size, self.settings, self._points.get(each.key, (0.5, 0.5)))
        self.planned[row] = replace(each, left_out=None, target=target)

    def values(self) -> Values:
        """The settings that were changed by hand."""
        lines = [f"{key}: {across:g} {down:g}" for key, (across, down) in sorted(self._points.items())]
        values = {"points": lines, "aside": sorted(self._aside), "kept": sorted(self._kept)}
        return {name: "\n".join(names) for name, names in values.items()}


def reviewed(settings: Settings, cache: Path, report: Report, stop: Stop) -> ReviewedPlan:
    """Look at the images.

    Raises:
        UserError: the folder is missing, empty, or cannot be read.
    """
    entries = source_for(settings).listing().entries
    without = settings.model_copy(update={"points": ""})  # so that the focus of each is known that is found without
    return ReviewedPlan(plan(entries, without, cache, report, stop), settings)
