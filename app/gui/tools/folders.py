"""TensorBoard and the folders of Seachange: what other programs show."""

from __future__ import annotations

from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Button, Card, Frame, Label, px
from app.gui.session.open_external import open_external
from app.gui.tools.card import ActionListCard
from app.gui.tools.tensorboard import TensorBoard
from modules.language import tr
from modules.system.bundled import in_program_folder


def workspace_of(context: AppContext) -> Path:
    return in_program_folder(str(context.draft.get("general.workspace")))


def cache_of(context: AppContext) -> Path:
    named = str(context.draft.get("general.cache") or "")
    return in_program_folder(named) if named else workspace_of(context) / "cache"


class TensorBoardCard(Card):
    """Starts it, opens the browser when it answers, and ends it with the window."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, tr("TensorBoard"))
        self.context = context
        self._answers: SimpleQueue[str] = SimpleQueue()
        self.board = TensorBoard(self._answers.put)
        self._starting = False
        sentence = tr("Curves of all runs in the workspace, in your browser.")
        Label(self.body, sentence, role="text2", wrap=True).pack(fill="x", pady=(0, px(6)))
        line = Frame(self.body)
        line.pack(fill="x", pady=(px(2), px(4)))
        self.button = Button(line, tr("Open TensorBoard"), self.start, kind="primary", image="chart-line")
        self.button.pack(side="left")
        self.stop = Button(line, tr("Stop"), self._stop, image="square")
        self.stands = Label(line, "", role="text2")
        self.stands.pack(side="left", fill="x", expand=True, padx=px(12))

    def destroy(self) -> None:
        self.board.stop()
        super().destroy()

    def start(self) -> None:
        """Start it, or open the browser again."""
        if self.board.alive and not self._starting:
            self._open(self.board.address)
            return
        self._starting = True
        self.board.start(workspace_of(self.context))
        self.stands.set(tr("Starting; it takes a few seconds …"), "text2")
        self.stop.pack(side="left", padx=(px(8), 0), after=self.button)

    def refresh(self) -> None:
        try:
            address = self._answers.get_nowait()
        except Empty:
            if self._starting and not self.board.alive:
                self._starting = False
                self.stop.pack_forget()
                self.stands.set(tr("It has ended: {last_output}", last_output=self.board.last_output()), "error")
            return
        self._starting = False
        self._open(address)

    def _open(self, address: str) -> None:
        self.stands.set(open_external(address) or tr("It runs at {address}", address=address), "text2")

    def _stop(self) -> None:
        self._starting = False
        self.board.stop()
        self.stop.pack_forget()
        self.stands.set("")


class FoldersCard(ActionListCard):
    """Where everything is kept."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, tr("Folders"))
        self.context = context
        self._lines = [
            (self._add(tr("Workspace"), lambda: workspace_of(context)), lambda: workspace_of(context)),
            (self._add(tr("Your presets"), lambda: context.library.own), lambda: context.library.own),
            (self._add(tr("Cache"), lambda: cache_of(context)), lambda: cache_of(context)),
        ]

    def refresh(self) -> None:
        """The settings may have changed."""
        for label, place in self._lines:
            label.set(str(place()))

    def _add(self, words: str, place: Any) -> Label:
        return self.line_of(words, str(place()), tr("Open"), "folder-open", lambda: self._open(place()))

    def _open(self, place: Path) -> None:
        if problem := open_external(place):
            self.context.notify(problem)
