"""Two pictures without labels, in turn: pick the better one. What they were is told at the end."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.grids.grid_draft import Place, ShownGrid
from app.gui.kit import Bar, BarList, Button, Dialog, Frame, KeyHints, Label, ZoomView, px, theme
from modules.language import plural, tr

MOST = 30  # pairs that are asked for
SHARE = 0.86  # of the window
Pair = tuple[Place, Place]


def pairs_of(grid: ShownGrid, there: Sequence[Place]) -> list[Pair]:
    """Pictures of two columns beside one another, all else equal, shuffled, left and right too."""
    rows: dict[tuple[int, int], list[Place]] = {}
    for place in there:
        rows.setdefault(place[1:], []).append(place)
    found = [pair for places in rows.values() for pair in combinations(places, 2)]
    chance = secrets.SystemRandom()
    chance.shuffle(found)
    return [(two, one) if chance.random() < 0.5 else (one, two) for one, two in found[:MOST]]


class BlindDialog(Dialog):
    """Left, Right or a click picks; Down says that neither is better."""

    def __init__(
        self, master: Any, context: AppContext, grid: ShownGrid, files: dict[Place, Path], pairs: Sequence[Pair]
    ) -> None:
        window = master.winfo_toplevel()
        wide, high = (size * SHARE / theme.scale for size in (window.winfo_width(), window.winfo_height()))
        super().__init__(master, tr("Which one is better?"), width=wide, height=high)
        self.context, self.content, self._files, self.pairs = context, grid, files, list(pairs)
        self.wins: Counter[int] = Counter()
        self.shown: Counter[int] = Counter()
        self.at = 0
        self.words = Label(self.body, "", role="text2", wrap=True)
        self.words.pack(fill="x", pady=(0, px(8)))
        self.both = Frame(self.body)
        self.both.pack(fill="both", expand=True)
        self.both.columnconfigure((0, 1), weight=1, uniform="both")
        self.both.rowconfigure(0, weight=1)
        self.views = [ZoomView(self.both, on_click=lambda side=side: self.pick(side)) for side in (0, 1)]
        for side, view in enumerate(self.views):
            view.grid(row=0, column=side, sticky="nsew", padx=(0 if not side else px(10), 0))
        hints = [(("\u2190", "\u2192"), tr("pick")), (("\u2193",), tr("no difference")), (("Esc",), tr("close"))]
        self.hints = KeyHints(self.footer, hints)
        self.hints.pack(side="left", fill="x", expand=True)
        self.end = Button(self.footer, tr("Show the result"), self.tell, kind="quiet")
        self.end.pack(side="right")
        for key, side in (("Left", 0), ("Right", 1), ("Down", -1)):
            self.bind(f"<{key}>", lambda _, side=side: self.pick(side))
        self._ask()

    def _ask(self) -> None:
        if self.at >= len(self.pairs):
            self.tell()
            return
        for view, place in zip(self.views, self.pairs[self.at], strict=True):
            view.show(self._files[place])
        pair = self.pairs[self.at][0]
        prompt = self.content.rows.heads[pair[1]].label if self.content.rows.kind == "prompt" else ""
        count = tr("{number} of {count}", number=self.at + 1, count=len(self.pairs))
        self.words.set(f"{count}   \u00b7   \u201c{prompt}\u201d" if prompt else count)

    def pick(self, side: int) -> str:
        """The left one (0), the right one (1), or neither (-1)."""
        if self.at < len(self.pairs) and self.both.winfo_manager():
            pair = self.pairs[self.at]
            for number, place in enumerate(pair):
                self.shown[place[0]] += 1
                self.wins[place[0]] += number == side
            self.at += 1
            self._ask()
        return "break"

    def tell(self) -> None:
        """What was picked how often."""
        if not self.both.winfo_manager():
            return
        for widget in (self.both, self.hints, self.end):
            widget.pack_forget()
        self.rename(tr("What you picked"))
        self.words.set(plural(self.at, "1 pair was compared.", "{count} pairs were compared."))
        share = {column: self.wins[column] / shown for column, shown in self.shown.items()}
        listed = BarList(self.body)
        listed.pack(fill="x")
        listed.show([
            Bar(self.content.columns.heads[column].label, share[column],
                tr("picked {wins} of {shown} times", wins=self.wins[column], shown=self.shown[column]))
            for column in sorted(share, key=lambda column: -share[column])
        ])  # fmt: skip
