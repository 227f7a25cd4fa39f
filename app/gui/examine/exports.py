"""The menu Export: one labelled picture, a folder with a web page, a table, or the picture on the clipboard."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Option, popup
from app.gui.session.open_external import open_external
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.grids.export import sheets_of, write_page, write_sheet, write_table
from modules.grids.record import FILE, read_record
from modules.language import tr
from modules.preset.files.naming import folder_name
from modules.system.reading import open_file

WIDTH = 340
PICTURES = (("WebP", "*.webp"), ("PNG", "*.png"))
# By the program that puts a PNG on the clipboard: what it is given; it reads the picture from its standard input.
COPIERS = {
    "wl-copy": ("--type", "image/png"),
    "xclip": ("-selection", "clipboard", "-t", "image/png", "-i"),
}
COPIES_S = 10


class Exports:
    """`open(under, folder, tab)` offers what can be written of the grid in a folder."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._writing: WorkerPoll[tuple[Path, float]] = WorkerPoll(context.app, self._written, self._failed)

    @property
    def busy(self) -> bool:
        """Whether something is being written."""
        return self._writing.busy

    def close(self) -> None:
        self._writing.cancel()

    def open(self, under: Any, folder: Path, tab: int) -> None:
        needs = tr("needs xclip or wl-clipboard") if sys.platform.startswith("linux") else tr("not on this system")
        reason = "" if copier() else needs
        if not (folder / FILE).is_file():
            self._context.notify(tr("Generate the pictures first."))
            return
        options = [
            Option(self._picture, tr("One picture with labels"), "PNG, WebP", image="image"),
            Option(self._page, tr("Folder with web page"), "HTML", image="folder-open"),
            Option(self._table, tr("Table of numbers"), "CSV", image="table-2"),
            Option(lambda place: self._copy(place, tab), tr("Copy picture"), reason=reason, image="copy"),
        ]
        popup(under, options, lambda act: act(folder), width=WIDTH)

    def _name(self, folder: Path) -> str:
        run = folder.parent.parent.name if folder.parent.name == "grids" else ""
        return folder_name(f"{run} {folder.name}".strip())

    def _picture(self, folder: Path) -> None:
        title, name = tr("Save the picture"), f"{self._name(folder)}.webp"
        target = self._context.app.ask_save_file(title, name, PICTURES)
        if target is not None:
            place = target if target.suffix.lower() in (".webp", ".png") else target.with_name(f"{target.name}.webp")
            self._write(lambda: pictures_of(folder, place))

    def _page(self, folder: Path) -> None:
        chosen = self._context.app.ask_folder(tr("Where the folder goes"))
        if chosen is not None:
            target = chosen / self._name(folder)
            self._write(lambda: (write_page(folder, target), 1.0))

    def _table(self, folder: Path) -> None:
        title, name = tr("Save the table"), f"{self._name(folder)}.csv"
        target = self._context.app.ask_save_file(title, name, (("CSV", "*.csv"),))
        if target is not None:
            self._write(lambda: (write_table(folder, target), (target, 1.0))[1])

    def _copy(self, folder: Path, tab: int) -> None:
        self._write(lambda: (Path(), copied_picture(folder, tab)))

    def _write(self, act: Callable[[], tuple[Path, float]]) -> None:
        self._writing.start(Worker(lambda report, stop: written(act)))

    def _written(self, found: tuple[Path, float]) -> None:
        place, scale = found
        small = tr("Its pictures are at {share:.0%} of their size: larger files cannot be written.", share=scale)
        more = f" {small}" if scale < 1 else ""
        if place == Path():
            self._context.notify(tr("The picture is on the clipboard.") + more, role="good")
            return
        words = tr("Written: {path}", path=place) + more
        self._context.notify(words, tr("Open folder"), lambda: open_external(place.parent), role="good")

    def _failed(self, error: UserError) -> None:
        self._context.notify(str(error), role="error")


def written(act: Callable[[], tuple[Path, float]]) -> tuple[Path, float]:
    """What it writes, and the scale of its pictures.

    Raises:
        UserError: it cannot be written.
    """
    try:
        return act()
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError("grid.not-written", reason=reason) from error


def pictures_of(folder: Path, target: Path) -> tuple[Path, float]:
    """One picture for each tab; the first one, and the smallest scale."""
    names = sheets_of(read_record(folder), folder, target.suffix.removeprefix("."))
    places = [target] if len(names) == 1 else [target.with_stem(f"{target.stem} {n + 1}") for n in range(len(names))]
    scales = [write_sheet(folder, place, tab=tab) for tab, place in enumerate(places)]
    return places[0], min(scales)


def copied_picture(folder: Path, tab: int) -> float:
    """Put the labelled picture of a tab on the clipboard; gives the scale of its pictures."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "grid.png"
        scale = write_sheet(folder, file, tab=tab)
        with open_file(file) as picture:
            quiet = subprocess.DEVNULL  # a copier stays in the background, and would keep pipes open
            subprocess.run(copier(), stdin=picture, stdout=quiet, stderr=quiet, timeout=COPIES_S, check=True)
    return scale


def copier() -> list[str]:
    """The command that puts a PNG on the clipboard; empty where there is none."""
    if not sys.platform.startswith("linux"):
        return []
    return next(([found, *given] for name, given in COPIERS.items() if (found := shutil.which(name))), [])
