"""The page Concepts: the folders of images that are trained on, each a card with its picture, numbers and a switch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.gui.concept_actions import LIST, ConceptActions
from app.gui.concepts.card import CELL, LINES, PICTURE, write_card
from app.gui.concepts.folder_summary import FolderSummaries, FolderSummary
from app.gui.context import AppContext
from app.gui.draft.labels import title_of
from app.gui.kit import (
    Button,
    Cell,
    Choice,
    EmptyState,
    Entry,
    Frame,
    Label,
    LinkButton,
    Option,
    VirtualGrid,
    accept_files,
    labelled,
    popup,
    px,
)
from app.gui.page import Page, header_of
from modules.data.source.source import DataFile
from modules.language import plural, tr
from modules.preset.paths import Values

SHOWN = {"all": "All", "on": "On", "off": "Off", "wrong": "With problems"}
LOOK_MS = 60
MAKES = "training-set"  # the tool that makes images to train on


class ConceptsPage(Page):
    """Cards of all concepts; the dialog of one opens on Return, a double click or `reveal`."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self._list = ConceptActions(context)
        self._summaries = FolderSummaries()
        self._numbers: list[int] = []  # the concepts that are shown, by their place in the grid
        self._wrong: Counter[int] = Counter()
        self._unreadable: set[DataFile] = set()
        self._pending = ""
        self._built = False
        self._dialog: Any = None
        self.until_destroyed(context.draft.watch(LIST, lambda _: self._changed()), self._summaries.close)

    # Making it --------------------------------------------------------------------------------------------------------

    def build(self) -> Iterator[None]:
        self._make_bar()
        yield
        self._grid = VirtualGrid(
            self, self._paint_card, cell=CELL, lines=LINES, on_select=self._chosen, on_open=self._open_at,
            on_menu=self._menu, on_switch=lambda index: self._list.set_enabled([self._numbers[index]]),
        )  # fmt: skip
        self._grid.pack(fill="both", expand=True, padx=(px(10), 0))
        self._listen()
        yield
        self._make_choice_bar()
        self._empty = EmptyState(
            self, "images", tr("Nothing to train on yet. Add a folder of images, or drop one here."),
            tr("Add a folder of images"), self.add_folder, button_image="plus",
        )  # fmt: skip
        starter = LinkButton(self._empty, tr("Use the starter's robot"), self.use_starter, font="body")
        starter.place(relx=0.5, rely=0.45, y=px(84), anchor="n")
        accept_files(self, self.drop)
        self._built = True
        self._changed()

    def _make_bar(self) -> None:
        bar, self._line = header_of(self)
        Button(bar, tr("Add folder"), self.add_folder, kind="primary", image="plus").pack(side="right")
        hint = tr("Make images to train on with a model")
        make = Button(bar, "", lambda: self.context.go("tools", MAKES), kind="icon", image="image-plus", hint=hint)
        make.pack(side="right", padx=(0, px(8)))
        self._show = Choice(bar, labelled(SHOWN), "all", lambda _: self._arrange(), width=124, fit=True)
        self._show.pack(side="right", padx=px(8))
        self._filter = Entry(
            bar,
            placeholder=tr("Filter concepts"),
            on_change=lambda _: self._arrange(),
            width=130,
            fit=True,
            rest_ms=120,
        )
        self._filter.pack(side="right")

    def _make_choice_bar(self) -> None:
        """What can be done with the chosen cards; seen while some are chosen."""
        self._bar = Frame(self, "panel")
        self._bar_words = Label(self._bar, role="text2")
        self._bar_words.pack(side="left", padx=(px(20), px(12)), pady=px(8))
        for words, image, act, hint in (
            (
                tr("Settings"),
                "sliders-horizontal",
                lambda: self._open_at(self._grid.current),
                tr("Return, or a double click"),
            ),
            (tr("Make captions"), "captions", self.make_captions, tr("Captions of these images by models")),
            (tr("Paint masks"), "brush", lambda: self.context.go("masks"), tr("Say what of these images counts")),
            (tr("Duplicate"), "copy", self.duplicate, "Ctrl+D"),
            (tr("Remove"), "trash-2", self.remove, tr("Delete. The images stay where they are")),
        ):
            Button(self._bar, words, act, kind="quiet", image=image, hint=hint).pack(side="left", pady=px(6))
        self._turner = Button(self._bar, tr("Switch off"), self._turn, kind="quiet", hint=tr("Or press E"))
        self._turner.pack(side="left", pady=px(6))

    def _listen(self) -> None:
        keys = (
            ("<Delete>", self.remove), ("<BackSpace>", self.remove), ("<Control-d>", self.duplicate),
            ("<Key-e>", self._turn), ("<Insert>", self.add_folder),
        )  # fmt: skip
        for sequence, act in keys:
            self._grid.bind(sequence, lambda _, act=act: act())

    # Showing ----------------------------------------------------------------------------------------------------------

    def shown(self) -> None:
        self._unreadable.clear()
        self._summaries.look(self._list.all, again=True)
        self._wait()

    def reveal(self, path: str) -> None:
        """Open the dialog of the concept that the path names, at that setting; its switch is on its card."""
        number = path.split(".")[1] if path.count(".") >= 2 else ""
        if number.isdecimal() and int(number) < len(self._list.all):
            self._show_number(int(number))
            if not path.endswith(".enabled"):
                self.open(int(number), path)

    def _changed(self) -> None:
        """The draft has other concepts than before."""
        if not self._built:
            return
        self._summaries.look(self._list.all)
        self._arrange()
        self._wait()

    def _wait(self) -> None:
        if self._summaries.busy and not self._pending:
            self._pending = self.after(LOOK_MS, self._look)

    def _look(self) -> None:
        self._pending = ""
        if self._summaries.poll():
            self._arrange()
        self._wait()

    def _arrange(self) -> None:
        """Which cards are shown, in what words: after every change."""
        if not self._built:
            return
        concepts = self._list.all
        self._wrong = Counter(
            int(path.split(".")[1]) for path in self.context.draft.errors() if path.startswith(f"{LIST}.")
        )
        before, self._numbers = self._numbers, [n for n, each in enumerate(concepts) if self._passes(n, each)]
        if before == self._numbers and self._grid.count == len(before):
            self._grid.refresh()
        else:
            self._grid.show(len(self._numbers), keep=True)
        self._say_counts(concepts)
        self._show_empty(not concepts)
        self._chosen()

    def _passes(self, number: int, concept: Values) -> bool:
        words = self._filter.get().lower().split()
        text = f"{title_of(concept)} {concept['path']}".lower()
        on = bool(concept["enabled"])
        fits = {"on": on, "off": not on, "wrong": self._is_wrong(number, concept)}.get(str(self._show.get()), True)
        return fits and all(word in text for word in words)

    def _is_wrong(self, number: int, concept: Values) -> bool:
        summary = self._summaries.of(concept)
        return bool(self._wrong[number] or (summary is not None and summary.problem))

    def _say_counts(self, concepts: Sequence[Values]) -> None:
        on = [each for each in concepts if each["enabled"]]
        known: list[FolderSummary | None] = [self._summaries.of(each) for each in on]
        images = sum(summary.images for summary in known if summary is not None)
        more = " …" if None in known else ""
        self._line.set(
            tr("{on:,} of {all:,} on", on=len(on), all=len(concepts))
            + " · "
            + plural(images, "1 image{more}", "{count:,} images{more}", more=more)
            if concepts
            else ""
        )

    def _show_empty(self, empty: bool) -> None:
        if empty:
            self._empty.place(x=0, y=0, relwidth=1, relheight=1)
            self._empty.lift()
        else:
            self._empty.place_forget()

    def _paint_card(self, cell: Cell, index: int) -> None:
        number = self._numbers[index]
        concept = self._list.all[number]
        summary = self._summaries.of(concept)
        write_card(cell, concept, summary, self._wrong[number])
        if summary is None or summary.first is None:
            cell.image(None, summary.problem if summary else "")
            return
        first = summary.first

        def arrived(photo: object) -> None:
            if photo is None:
                self._unreadable.add(first)
            if self.winfo_exists():
                self._grid.refresh(index)

        if first in self._unreadable:
            cell.image(None, tr("Cannot be read"))
        else:
            cell.image(self.context.pictures.cover(first, (px(PICTURE[0]), px(PICTURE[1])), arrived))

    # Choosing ---------------------------------------------------------------------------------------------------------

    def chosen(self) -> list[int]:
        """The concepts that are chosen, by number."""
        return [self._numbers[index] for index in sorted(self._grid.selection) if index < len(self._numbers)]

    def _chosen(self) -> None:
        numbers = self.chosen()
        if not numbers:
            self._bar.pack_forget()
            return
        one = title_of(self._list.all[numbers[0]])
        self._bar_words.set(f"“{one[:28]}”" if len(numbers) == 1 else tr("{count:,} selected", count=len(numbers)))
        self._turner.set(tr("Switch off") if self._list.any_enabled(numbers) else tr("Switch on"))
        if not self._bar.winfo_manager():
            self._bar.pack(side="bottom", fill="x", before=self._grid)

    def _menu(self, index: int, event: Any) -> None:
        """A right click: the same as the bar at the bottom, where the pointer is."""
        spot = Frame(self._grid, width=1, height=1)
        spot.place(x=event.x, y=event.y)
        actions = {
            tr("Settings"): lambda: self._open_at(index),
            tr("Make captions"): self.make_captions,
            tr("Duplicate"): self.duplicate,
            tr("Switch off") if self._list.any_enabled(self.chosen()) else tr("Switch on"): self._turn,
            tr("Remove"): self.remove,
        }
        popup(
            spot, [Option(words, words) for words in actions], lambda words: actions[words](),
            width=170, on_close=lambda: spot.after_idle(spot.destroy),
        )  # fmt: skip

    # Doing ------------------------------------------------------------------------------------------------------------

    def open(self, number: int, path: str = "") -> None:
        """The dialog of a concept, at the setting `path` if one is given."""
        from app.gui.concepts.dialog import ConceptDialog  # noqa: PLC0415 - what it needs takes its time to import

        if self._dialog is None or not self._dialog.winfo_exists():
            self._dialog = ConceptDialog(self, self.context, number)
        if path:
            self._dialog.reveal(path)

    def _open_at(self, index: int) -> None:
        if 0 <= index < len(self._numbers):
            self.open(self._numbers[index])

    def add_folder(self) -> None:
        """Ask for a folder and add it."""
        folder = self.context.app.ask_folder(tr("A folder of images"), self._list.last_place())
        if folder is not None:
            self.drop([folder])

    def use_starter(self) -> None:
        self._show_number(self._list.add_starter())

    def drop(self, paths: Sequence[Path]) -> None:
        """Folders were chosen or dropped."""
        self._show_number(self._list.add(paths))

    def make_captions(self) -> None:
        """Captions of the chosen concepts' images, by models."""
        from app.gui.caption_models.dialog import MakeCaptions  # noqa: PLC0415 - as the dialog of a concept

        if chosen := self.chosen():
            MakeCaptions(self, self.context, chosen, written=self.shown)

    def duplicate(self) -> None:
        self._show_number(self._list.duplicate(self.chosen()))

    def remove(self) -> None:
        self._list.remove(self.chosen())

    def _turn(self) -> None:
        self._list.set_enabled(self.chosen())

    def _show_number(self, number: int) -> None:
        if number in self._numbers:
            index = self._numbers.index(number)
            self._grid.select({index}, index)
            self._grid.see(index)
            self._grid.focus_set()
