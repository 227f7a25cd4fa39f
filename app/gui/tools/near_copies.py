"""Images that are like a training image, beside that one: a sign of overfitting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Frame, ImageView, Label, px
from app.gui.session.open_external import open_external
from modules.language import plural, tr
from modules.scores.record import Scored, Scores

MOST = 8  # pairs that are shown
SIDE = 84  # pixels of a picture
WORDS = 150  # of what stands beside them


class NearCopies(Frame):
    """The pairs above the threshold, the most alike first; without any the most alike of all."""

    def __init__(self, master: Any, context: AppContext, scores: Scores, side: str) -> None:
        super().__init__(master)
        self._context = context
        self.pairs, self.more = near_copies(scores, side)
        count, threshold = len(self.pairs) + self.more, scores.made["copies"].threshold
        title = plural(count, "1 near-copy", "{count:,} near-copies") if count else tr("No near-copies")
        Label(self, title, font="bold").pack(anchor="w")
        words = tr("cosine from {threshold:.2f}; the image, and the training image", threshold=threshold)
        Label(self, words, font="small", role="text2").pack(anchor="w", pady=(0, px(4)))
        for image in self.pairs or most_alike(scores, side):
            self._pair(image)
        if self.more:
            Label(self, plural(self.more, "and 1 other", "and {count:,} others"), role="text2").pack(anchor="w")

    def _pair(self, image: Scored) -> None:
        line = Frame(self)
        line.pack(anchor="w", pady=px(3))
        for path in (image.path, Path(image.nearest)):
            there = path.is_file()
            words = "" if there else path.name.rpartition("#")[2]
            view = ImageView(line, self._context.pictures, empty=words, on_open=self._open, width=SIDE, height=SIDE)
            view.pack(side="left", padx=(0, px(6)))
            view.show(path if there else None)
        about = Frame(line, width=WORDS)
        about.pack(side="left", fill="y")
        Label(about, f"{image.values['copies']:.3f}", font="small_bold").pack(anchor="w")
        for words in (image.label, image.prompt, Path(image.nearest).name):
            if words:
                Label(about, shortened(words), font="small", role="text2").pack(anchor="w")

    def _open(self, path: Path) -> None:
        if problem := open_external(path):
            self._context.notify(problem)


def near_copies(scores: Scores, side: str = "") -> tuple[list[Scored], int]:
    """Those that are shown, and how many more there are."""
    threshold = scores.made["copies"].threshold
    found = [image for image in _by_likeness(scores, side) if image.values["copies"] >= threshold]
    return found[:MOST], max(0, len(found) - MOST)


def most_alike(scores: Scores, side: str = "") -> list[Scored]:
    """The image that is most like a training image."""
    return _by_likeness(scores, side)[:1]


def _by_likeness(scores: Scores, side: str) -> list[Scored]:
    found = [image for image in scores.images if "copies" in image.values and side in ("", image.side)]
    return sorted(found, key=lambda image: -image.values["copies"])


def shortened(words: str, most: int = 24) -> str:
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}\u2026"
