"""The images that a tool makes, as they come: a grid under its button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Button, Cell, Frame, VirtualGrid, px
from app.gui.run.run_source import SampleImage
from app.gui.run.samples.image_viewer import ImageViewer
from app.gui.session.open_external import open_external
from modules.language import plural, tr
from modules.messages import SampleReady

CELL = (150, 150)
GAP = 10
ROWS = 3  # that are seen at once


class MadeImages(Frame):
    """Shown when the first one comes."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self.context = context
        self.shots: list[SampleImage] = []
        self.grid_of_images = VirtualGrid(self, self._paint, cell=CELL, lines=0, on_open=self._open)
        self.grid_of_images.pack(fill="both", expand=True)
        Button(self, tr("Open folder"), self._open_folder, kind="quiet", image="folder-open").pack(
            anchor="w", pady=(px(6), 0)
        )

    def begin(self) -> None:
        """Forget those of the last time; they stay to be seen until the next one comes."""
        self.shots = []

    def take(self, event: SampleReady) -> None:
        """One more image."""
        self.shots.append(SampleImage(Path(event.path), len(self.shots) + 1, 0, event.prompt))
        if not self.winfo_manager():
            self.pack(fill="x", pady=(px(8), 0))
        across = max((self.master.winfo_width() - px(GAP)) // (px(CELL[0]) + px(GAP)), 1)
        rows = min(-(-len(self.shots) // across), ROWS)
        self.grid_of_images.configure(height=px(GAP) + rows * (px(CELL[1]) + px(GAP)) + px(4))
        self.grid_of_images.show(len(self.shots), keep=True)

    def in_words(self, folder: str) -> str:
        """How many there are, and where."""
        count = len(self.shots)
        return plural(count, "1 image in {folder}", "{count} images in {folder}", folder=folder)

    def _paint(self, cell: Cell, index: int) -> None:
        path, size = self.shots[index].path, cell.picture_size
        cell.image(self.context.pictures.thumb(path, size, lambda _: self._arrived(index)))

    def _arrived(self, index: int) -> None:
        if self.winfo_exists():
            self.grid_of_images.refresh(index)

    def _open(self, index: int) -> None:
        ImageViewer(
            self, self.context, self.shots, self.shots[index], name=lambda shot: tr("Image {step}", step=shot.step)
        )

    def _open_folder(self) -> None:
        if self.shots and (problem := open_external(self.shots[-1].path.parent)):
            self.context.notify(problem)
