"""The images of a training set as they come, under the tool that makes them: picked, and added to the project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.gui.concept_actions import ConceptActions
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Cell, Frame, KeyHints, Label, LinkButton, Option, Segmented, VirtualGrid, px
from app.gui.session.open_external import open_external
from app.gui.training_set.picks import KEPT, REJECTED, UNDECIDED, Picks
from app.gui.training_set.viewer import PickViewer, in_numbers
from modules.errors import UserError
from modules.language import plural, tr
from modules.messages import SampleReady

CELL, GAP, ROWS, LINES = (140, 158), 10, 3, 1
ALL = "all"


class SetReview(Frame):
    """`picks` is the set that is looked through; None until one was made or opened."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self.context = context
        self.picks: Picks | None = None
        self.viewer: PickViewer | None = None
        self._shown: list[str] = []
        self._made = 0  # by the job under way, or the last one
        self._head()
        self.body = Frame(self)
        self._lines()
        self.pack(fill="x", pady=(px(10), 0))
        last = context.window_state.get("training_set", str)
        if last and Path(last).is_dir():
            self.open(Path(last))

    def _head(self) -> None:
        head = Frame(self)
        head.pack(fill="x", pady=(0, px(6)))
        Label(head, tr("Review"), font="section").pack(side="left")
        self.where = Label(head, tr("Images appear here as they are made."), font="small", role="text2")
        self.where.pack(side="left", padx=px(10))
        LinkButton(head, tr("Open a set"), self._ask).pack(side="right")

    def _lines(self) -> None:
        line = Frame(self.body)
        line.pack(fill="x", pady=(0, px(6)))
        self.filter = Segmented(line, self._segments(), ALL, lambda _: self._arrange())
        self.filter.pack(side="left")
        Button(line, tr("Open folder"), self._open_folder, kind="quiet", image="folder-open").pack(side="right")
        self.rest = Button(line, tr("Keep the rest"), self._keep_rest, kind="quiet", image="list-checks")
        self.rest.pack(side="right")
        self.grid_of_images = VirtualGrid(self.body, self._paint, cell=CELL, lines=LINES, on_open=self._open_large)
        self.grid_of_images.pack(fill="both", expand=True)
        for keys, place in (("kK", KEPT), ("xX", REJECTED), ("uU", UNDECIDED)):
            for key in keys:
                self.grid_of_images.bind(f"<KeyPress-{key}>", lambda _, place=place: self._decide_chosen(place))
        self.grid_of_images.bind("<Delete>", lambda _: self._decide_chosen(REJECTED))
        KeyHints(self.body, [
            (("K",), tr("keep")), (("X",), tr("reject")), (("U",), tr("take back")), (("Ctrl Z",), tr("undo")),
            (("Return",), tr("large")),
        ]).pack(fill="x", pady=(px(6), 0))  # fmt: skip
        foot = Frame(self.body)
        foot.pack(fill="x", pady=(px(8), 0))
        self.add = Button(foot, tr("Add as concept"), lambda: self._add("train"), kind="primary", image="plus")
        self.add.pack(side="right", padx=(px(8), 0))
        hint = tr("As a concept of the type class: what keeps a model from forgetting what else there is of the kind")
        self.as_class = Button(foot, tr("Use as class images"), lambda: self._add("class"), image="shield", hint=hint)
        self.as_class.pack(side="right")
        self.counts = Label(foot, "", role="text2")
        self.counts.pack(side="left", fill="x", expand=True)

    # What the tool tells ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The tool starts; what is shown stays until the first image comes."""
        self._made = 0

    def take(self, event: SampleReady) -> None:
        """One more image."""
        path = Path(event.path)
        self._made += 1
        if self.picks is None or self.picks.folder != path.parent:
            self.open(path.parent)
        elif path.stem not in self.picks.state:
            self.picks.state[path.stem] = UNDECIDED
            self._arrange()
        if self._made == 1:
            self._see()
        if self.viewer is not None and self.viewer.winfo_exists() and self.viewer.picks is self.picks:
            self.viewer.arrived(path.stem)

    def in_words(self, folder: str) -> str:
        """What has come of it; shows the set, of which nothing may have been missing."""
        self.open(Path(folder))
        return plural(self._made, "1 image made in {folder}", "{count:,} images made in {folder}", folder=folder)

    def _see(self) -> None:
        """Scroll the page to the images."""
        area: Any = self.master
        while area is not None and not hasattr(area, "keep_visible"):
            area = area.master
        if area is not None:
            area.keep_visible(self)

    # Which set --------------------------------------------------------------------------------------------------------

    def open(self, folder: Path) -> None:
        """Look through the images of a folder; what was decided of the same one can still be undone."""
        if self.picks is not None and self.picks.folder == folder:
            self.picks.look()
        else:
            self.picks = Picks(folder)
            self.context.window_state.put("training_set", str(folder))
            self.filter.set(ALL)
        self.where.set(str(folder))
        if not self.body.winfo_manager():
            self.body.pack(fill="both", expand=True)
        self._arrange()

    def _ask(self) -> None:
        before = self.picks.folder.parent if self.picks else None
        folder = self.context.app.ask_folder(tr("A folder of images to look through"), before)
        if folder is not None:
            self.open(folder.parent if folder.name in (KEPT, REJECTED) else folder)

    def _segments(self) -> list[Option]:
        picks = self.picks
        counts = {place: picks.count(place) if picks else 0 for place in (UNDECIDED, KEPT, REJECTED)}
        titles = {UNDECIDED: tr("To review"), KEPT: tr("Kept"), REJECTED: tr("Rejected")}
        whole = Option(ALL, f"{tr('All')} {sum(counts.values()):,}")
        return [whole, *(Option(place, f"{titles[place]} {count:,}") for place, count in counts.items())]

    def _arrange(self) -> None:
        """Which images are shown, after every change."""
        picks, wanted = self.picks, self.filter.get()
        if picks is None:
            return
        self._shown = [name for name in picks.names if wanted in (ALL, picks.state[name])]
        across = max((self.master.winfo_width() - px(GAP)) // (px(CELL[0]) + px(GAP)), 1)
        rows = min(max(-(-len(self._shown) // across), 1), ROWS)
        self.grid_of_images.configure(height=px(GAP) + rows * (px(CELL[1]) + px(GAP)) + px(4))
        self.grid_of_images.show(len(self._shown), keep=True)
        self.filter.offer(self._segments())
        self.counts.set(in_numbers(picks))
        none = "" if picks.count(KEPT) else tr("Keep some of the images first: K.")
        self.add.disable(none)
        self.as_class.disable(none)
        self.rest.disable("" if picks.count(UNDECIDED) else tr("All images are reviewed."))

    def _paint(self, cell: Cell, index: int) -> None:
        if self.picks is None or index >= len(self._shown):
            return
        name = self._shown[index]
        state, path = self.picks.state[name], self.picks.path(name)
        cell.image(self.context.pictures.thumb(path, cell.picture_size, lambda _: self._arrived(index)))
        cell.words(0, self.picks.caption(name) or name)
        if state != UNDECIDED:
            cell.mark(tr("Kept") if state == KEPT else tr("Rejected"), "good" if state == KEPT else "error")

    def _arrived(self, index: int) -> None:
        if self.winfo_exists():
            self.grid_of_images.refresh(index)

    # Deciding ---------------------------------------------------------------------------------------------------------

    def decide(self, names: Iterable[str], place: str) -> bool:
        """Keep images, reject them, or take that back; a refusal of the disk is said."""
        if self.picks is None:
            return False
        try:
            return self.picks.put(names, place)
        except UserError as error:
            self.context.notify(error.text(WORDS), role="error")
            return False
        finally:
            self._arrange()

    def undo(self) -> list[str]:
        """Take the last decision back; gives the images that it was about."""
        if self.picks is None:
            return []
        try:
            return [*self.picks.undo()]
        except UserError as error:
            self.context.notify(error.text(WORDS), role="error")
            return []
        finally:
            self._arrange()

    def _decide_chosen(self, place: str) -> str:
        """The images that are chosen; after a single one the next is chosen."""
        grid = self.grid_of_images
        chosen = [self._shown[index] for index in sorted(grid.selection) if index < len(self._shown)]
        before = len(self._shown)
        if chosen and self.decide(chosen, place) and self._shown:
            stays = len(self._shown) == before
            at = min(grid.current + (stays and len(chosen) == 1 and place != UNDECIDED), len(self._shown) - 1)
            grid.select({max(at, 0)}, max(at, 0))
            grid.see(max(at, 0))
        return "break"

    def _keep_rest(self) -> None:
        if self.picks is not None:
            self.decide([name for name, state in self.picks.state.items() if state == UNDECIDED], KEPT)

    # What is made of it -----------------------------------------------------------------------------------------------

    def _add(self, kind: str) -> None:
        """The kept images become a concept of the project."""
        if self.picks is None:
            return
        name = self.picks.folder.name if kind == "train" else tr("{name}, class images", name=self.picks.folder.name)
        offers = [(tr("Make captions"), self._caption)] if kind == "train" else []
        if ConceptActions(self.context).add([self.picks.folder / KEPT], offers, kind=kind, name=name) >= 0:
            self.picks.settle()  # Ctrl+Z takes the concept back first

    def _caption(self, number: int) -> None:
        """Other captions than the prompts, by models."""
        from app.gui.caption_models.dialog import MakeCaptions  # noqa: PLC0415 - as elsewhere: it is seldom wanted

        if number < len(self.context.draft.get("concepts")):
            MakeCaptions(self, self.context, [number])

    def _open_large(self, index: int) -> None:
        if self.picks is not None:
            self.viewer = PickViewer(
                self, self.context, self.picks, [*self._shown], self._shown[index], decide=self.decide, undo=self.undo,
                moved=self._viewer_moved,
            )  # fmt: skip

    def _viewer_moved(self, name: str) -> None:
        if name in self._shown:
            index = self._shown.index(name)
            self.grid_of_images.select({index}, index)
            self.grid_of_images.see(index)

    def _open_folder(self) -> None:
        if self.picks is not None and (problem := open_external(self.picks.folder)):
            self.context.notify(problem)
