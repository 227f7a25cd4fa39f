"""An image of a training set as large as the window allows: arrows go on, K keeps, X rejects, Ctrl+Z takes it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from app.gui.context import AppContext
from app.gui.kit import Answer, Badge, Button, Dialog, Frame, KeyHints, Label, ZoomView, px, theme
from app.gui.run.samples.image_viewer import settings_in
from app.gui.training_set.picks import KEPT, REJECTED, UNDECIDED, Picks
from modules.language import tr

SHARE = 0.9  # of the window
TONES: dict[str, Literal["good", "error", "plain"]] = {KEPT: "good", REJECTED: "error", UNDECIDED: "plain"}


class PickViewer(Dialog):
    """`decide(names, place)` moves images, `undo()` gives those that were moved back; both tell whether they did."""

    def __init__(
        self, master: Any, context: AppContext, picks: Picks, names: list[str], name: str, *,
        decide: Callable[[list[str], str], bool], undo: Callable[[], list[str]], moved: Callable[[str], object],
    ) -> None:  # fmt: skip
        window = master.winfo_toplevel()
        wide, high = (size * SHARE / theme.scale for size in (window.winfo_width(), window.winfo_height()))
        close = Answer(tr("Close"))
        super().__init__(master, tr("Review"), answers=[close], width=min(wide, max(high, 480) * 1.3), height=high)
        self.picks, self.names, self.name = picks, names, name
        self._decide, self._undo, self._moved = decide, undo, moved
        head = Frame(self.body)
        head.pack(fill="x", pady=(0, px(6)))
        self.badge = Badge(head, "")
        self.badge.pack(side="left")
        self.counts = Label(head, "", font="small", role="text2")
        self.counts.pack(side="left", padx=px(10))
        KeyHints(head, [(keys, tr(words)) for keys, words in HINTS], line=True).pack(
            side="right", fill="x", expand=True
        )
        self.facts = Label(self.body, "", font="small", role="text2", wrap=True)
        self.facts.pack(side="bottom", fill="x")
        self.caption = Label(self.body, "", wrap=True)
        self.caption.pack(side="bottom", fill="x", pady=(px(8), px(2)))
        self.view = ZoomView(self.body, empty=tr("This image file no longer exists."))
        self.view.pack(fill="both", expand=True)
        self._buttons()
        self._listen()
        self._refresh()

    def _buttons(self) -> None:
        self.undoes = Button(self.footer, tr("Undo"), self.undo, kind="quiet", image="undo-2", hint="Ctrl+Z")
        for words, image, place, hint in (
            (tr("Keep"), "check", KEPT, "K"), (tr("Reject"), "x", REJECTED, "X"),
        ):  # fmt: skip
            button = Button(self.footer, words, lambda place=place: self.decide(place), image=image, hint=hint)
            button.pack(side="left", padx=(0, px(8)))
        self.undoes.pack(side="left")

    def _listen(self) -> None:
        for key, step in (("Left", -1), ("Right", 1)):
            self.bind(f"<{key}>", lambda _, step=step: self.go(step))
        for keys, place in (("kK", KEPT), ("xX", REJECTED), ("uU", UNDECIDED)):
            for key in keys:
                self.bind(f"<KeyPress-{key}>", lambda _, place=place: self.decide(place))
        self.bind("<Delete>", lambda _: self.decide(REJECTED))
        self.bind("<Control-z>", lambda _: self.undo())
        self.bind("<Key-1>", lambda _: self.view.pixels())

    def go(self, step: int) -> str:
        """To the next image, or the one before."""
        at = self.names.index(self.name) + step
        self._go_to(self.names[min(max(at, 0), len(self.names) - 1)])
        return "break"

    def decide(self, place: str) -> str:
        """Of this image; then the next one that is undecided comes."""
        if self.picks.state[self.name] == place or self._decide([self.name], place):
            at = self.names.index(self.name)
            later = [*self.names[at + 1 :], *self.names[:at]]
            waiting = (name for name in later if self.picks.state.get(name, KEPT) == UNDECIDED)
            self._go_to(self.name if place == UNDECIDED else next(waiting, self.name))
        return "break"

    def undo(self) -> str:
        back = [name for name in self._undo() if name in self.names]
        self._go_to(back[0] if back else self.name)
        return "break"

    def arrived(self, name: str) -> None:
        """One more was made meanwhile."""
        if name not in self.names:
            self.names.append(name)
            self._refresh()

    def _go_to(self, name: str) -> None:
        self.name = name
        self._moved(name)
        self._refresh()

    def _refresh(self) -> None:
        picks, path = self.picks, self.picks.path(self.name)
        self.view.show(path if path.is_file() else None)
        at, all_ = self.names.index(self.name) + 1, len(self.names)
        self.rename(tr("Image {number:,} of {all:,}", number=at, all=all_))
        state = picks.state[self.name]
        words = {KEPT: tr("Kept"), REJECTED: tr("Rejected"), UNDECIDED: tr("Not reviewed")}
        self.badge.set(words[state], TONES[state])
        self.counts.set(in_numbers(picks))
        self.caption.set(picks.caption(self.name) or tr("No caption"))
        self.facts.set(settings_in(path))
        self.undoes.disable("" if picks.can_undo else tr("Nothing to undo"))


HINTS = (
    (("\u2190", "\u2192"), "other images"), (("K",), "keep"), (("X",), "reject"), (("Ctrl Z",), "undo"),
    (("1",), "pixel size"), (("Esc",), "close"),
)  # fmt: skip


def in_numbers(picks: Picks) -> str:
    """ "34 of 60 kept, 14 rejected, 12 not reviewed"."""
    return tr(
        "{kept:,} of {all:,} kept, {rejected:,} rejected, {left:,} not reviewed", kept=picks.count(KEPT),
        all=len(picks.state), rejected=picks.count(REJECTED), left=picks.count(UNDECIDED),
    )  # fmt: skip
