"""Presets, from the top bar: the list with how much each would change, loading, saving, opening, sharing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.gui.context import AppContext
from app.gui.draft import preset_library
from app.gui.draft.preset_diff import Difference, differences, with_preset_values
from app.gui.draft.preset_library import OWN
from app.gui.draft.preset_library import Entry as PresetEntry
from app.gui.draft.problem_labels import WORDS
from app.gui.draft.state import values_of
from app.gui.kit import (
    Answer,
    Button,
    Choice,
    Dialog,
    Entry,
    Frame,
    Label,
    LinkButton,
    Option,
    ScrollArea,
    TextArea,
    popup,
    px,
)
from app.gui.presets.copy_as import CopyAs
from app.gui.presets.imported import laid_over, show_rows
from app.gui.presets.user_presets import OwnPresets
from app.gui.run.dialogs import refused
from modules.errors import UserError
from modules.exchange.imported import Imported
from modules.exchange.reading import foreign, foreign_text
from modules.language import plural, tr
from modules.preset.preset import Preset

KINDS = (
    ("Presets and projects", "*.json"),
    ("Settings of other programs", "*.json *.yaml *.yml *.toml *.env *.txt *.sh *.bat *.ps1 *.safetensors"),
)
WIDTH = 560
LONGEST = 60  # letters of a value in the list of changes


class PresetMenu:
    """Every way to a preset. Loading shows first what would change, and can be undone."""

    def __init__(self, context: AppContext, undo: Callable[[], object]) -> None:
        self._context, self._undo = context, undo

    # The list ---------------------------------------------------------------------------------------------------------

    def open(self, under: Choice) -> None:
        """The list under the button of the top bar."""
        entries = self._context.library.entries()
        name = self._context.draft.base.name
        popup(
            under,
            [*(self._option(entry) for entry in entries), *self._opened_lately()],
            self.choose,
            current=next((entry for entry in entries if entry.name == name and entry.preset), None),
            search=tr("Search presets"),
            width=WIDTH,
            footer=self._footer,
        )

    def _option(self, entry: PresetEntry) -> Option:
        if entry.preset is None:
            return Option(
                entry, entry.name, reason=tr("cannot be read"), group=tr(entry.group) if entry.own else entry.group
            )
        count = len(preset_library.change_of(self._context.draft, entry))
        if entry.name == self._context.draft.base.name:
            note = tr("current, {count} changed", count=count) if count else tr("current")
        else:
            note = plural(count, "1 setting differs", "{count} settings differ") if count else tr("the same settings")
        return Option(
            entry,
            entry.name,
            note,
            group=tr(entry.group) if entry.own else entry.group,
            words=f"{entry.family} {entry.note}",
        )

    def _opened_lately(self) -> list[Option]:
        """Files from anywhere else."""
        own = self._context.library.own
        files = [path for path in self._context.window_state.recent() if path.parent != own]
        return [Option(path, path.stem, path.parent.name, group=tr("Recent files"), words=str(path)) for path in files]

    def _footer(self, frame: Frame, close: Callable[[], None]) -> None:
        def after(act: Callable[[], object]) -> Callable[[], None]:
            def pressed() -> None:
                close()
                act()

            return pressed

        first = Frame(frame)
        first.pack(fill="x")
        Button(first, tr("Save as preset"), after(self.save_as), kind="primary").pack(side="left")
        Button(first, tr("Open file"), after(self.open_file)).pack(side="left", padx=px(8))
        if self._context.draft.changed_paths():
            LinkButton(first, tr("Undo all changes"), after(self.reset), font="body", role="changed").pack(side="right")
        second = Frame(frame)
        second.pack(fill="x", pady=(px(8), 0))
        for words, act in (
            (tr("Copy as text"), self.copy),
            (tr("Paste from text"), self.paste),
            (tr("Rename or delete"), self.manage),
        ):
            LinkButton(second, words, after(act)).pack(side="left", padx=(0, px(14)))
        third = Frame(frame)
        third.pack(fill="x", pady=(px(6), 0))
        for words, act in (
            (tr("Copy for another program"), self.copy_as),
            (tr("Your own LoRA, step by step"), self._context.own_lora),
        ):
            LinkButton(third, words, after(act)).pack(side="left", padx=(0, px(14)))

    # Loading ----------------------------------------------------------------------------------------------------------

    def choose(self, entry: PresetEntry | Path) -> None:
        """A line of the list was picked."""
        if isinstance(entry, Path):
            self.open_path(entry)
        elif entry.preset is not None:
            self.offer(entry.name, entry.preset, entry.note)

    def open_file(self) -> None:
        path = self._context.app.ask_open_file(tr("Open a preset or a project"), KINDS)
        if path is not None:
            self.open_path(path)

    def open_path(self, path: Path) -> None:
        """A file that was picked, or dropped on the window."""
        try:
            if imported := foreign(path):
                self.offer_import(path.stem, imported)
                return
            opened = preset_library.open_file(path)
        except UserError as error:
            refused(self._context.app, tr("{name} cannot be opened", name=path.name), error)
            return
        self._context.window_state.opened(path)
        self.offer(opened.name, opened.preset, opened.preset.note, whole=opened.project)

    def paste(self) -> None:
        """The preset on the clipboard."""
        text = self._context.app.pasted()
        try:
            if imported := foreign_text(text, tr("The pasted text")):
                self.offer_import(tr("Pasted preset"), imported)
                return
            preset = preset_library.from_text(text)
        except UserError as error:
            refused(self._context.app, tr("There is no preset to paste"), error)
            return
        self.offer(preset.title or tr("Pasted preset"), preset, preset.note)

    def offer_import(self, name: str, imported: Imported) -> Dialog | None:
        """The same for settings of another program, with what became of each of them."""
        preset = laid_over(self._context.draft.values, imported)
        note = tr("Folders and settings of this machine stay as they are, unless the file names its own.")
        return self.offer(name, preset, note, whole=True, imported=imported)

    def offer(
        self, name: str, preset: Preset, note: str = "", *, whole: bool = False, imported: Imported | None = None
    ) -> Dialog | None:
        """Show what would change; load it at once where nothing would."""
        values = values_of(preset)
        old = self._context.draft.values
        changes = differences(old, values if whole else with_preset_values(old, values))
        if not changes:
            self._context.draft.load(name, preset, whole=whole)
            self._context.notify(tr("{name}: the settings are the same already", name=name))
            return None

        def answered(answer: object) -> None:
            if answer:
                self._context.draft.load(name, preset, whole=whole)
                self._context.notify(
                    plural(
                        len(changes),
                        "{name} loaded: 1 setting changed",
                        "{name} loaded: {count} settings changed",
                        name=name,
                    ),
                    tr("Undo"),
                    self._undo,
                )

        dialog = _question(self._context, name, note, changes, whole, answered, few=imported is not None)
        if imported is not None:
            show_rows(dialog.body, imported)
        return dialog

    def reset(self) -> None:
        """Undo all changes; that can be undone, too."""
        self._context.draft.reset_all()
        self._context.notify(tr("All changes undone"), tr("Undo"), self._undo)

    # Keeping and sharing ----------------------------------------------------------------------------------------------

    def save_as(self) -> Dialog:
        """Ask for a name, and whether to replace what has it."""
        return SaveAs(self._context)

    def copy(self) -> None:
        self._context.app.copy(preset_library.text_of(self._context.draft))
        self._context.notify(tr("The preset is on the clipboard as text"), role="good")

    def copy_as(self) -> Dialog:
        return CopyAs(self._context)

    def manage(self) -> Dialog:
        return OwnPresets(self._context)


def _question(
    context: AppContext,
    name: str,
    note: str,
    changes: list[Difference],
    whole: bool,
    answered: Callable[[object], None],
    *,
    few: bool = False,
) -> Dialog:
    unchanged = "" if whole else tr(" Your own concepts and the settings of this machine stay as they are.")
    count = len(changes)
    dialog = Dialog(
        context.app,
        tr("Load {name}?", name=name),
        f"{note}\n\n".lstrip() + plural(count, "This 1 setting changes.", "These {count} settings change.") + unchanged,
        (Answer(tr("Cancel")), Answer(tr("Load"), True, "primary")),
        answered,
        width=640,
    )
    high = min(count, 5 if few else 9) * 28 + 8
    area = ScrollArea(dialog.body)
    area.configure(height=px(high))
    area.pack(fill="both", expand=True, pady=(px(4), 0))
    area.body.columnconfigure(0, weight=2, uniform="words")
    area.body.columnconfigure(1, weight=3, uniform="words")
    for row, change in enumerate(changes):
        Label(area.body, change.label, role="text2", wrap=True).grid(row=row, column=0, sticky="new", pady=px(4))
        words = f"{_short(change.old)}  \u2192  {_short(change.new)}"
        Label(area.body, words, wrap=True).grid(row=row, column=1, sticky="new", padx=(px(10), 0), pady=px(4))
    return dialog


def _short(words: str) -> str:
    words = words or tr("not used")
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}\u2026"


class SaveAs(Dialog):
    """A name for the preset."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        super().__init__(
            context.app,
            tr("Save as preset"),
            tr(
                "It is saved under “{group}”, without your own concepts and the settings of this machine.",
                group=tr(OWN),
            ),
            (Answer(tr("Cancel")), Answer(tr("Save"), "save", "primary", "save")),
            check=self._saved,
        )
        base = context.draft.base.name
        self.entry = Entry(self.body, base, placeholder=tr("Name"), on_change=lambda _: self._fresh())
        self.entry.pack(fill="x", pady=(px(6), px(4)))
        self.error = Label(self.body, "", font="small", role="error", wrap=True)
        self.error.pack(fill="x")
        Label(self.body, tr("Note"), role="text2").pack(fill="x", pady=(px(6), px(2)))
        mine = [each for each in context.library.entries() if each.own and each.name == base]
        self.note = TextArea(self.body, mine[0].note if mine else "", lines=2)
        self.note.pack(fill="x", pady=(0, px(4)))
        self._replace = False
        self.entry.focus_set()

    def _fresh(self) -> None:
        """Another name: what was said about the last one does not count."""
        self._replace = False
        self.buttons[-1].set(tr("Save"))
        self.entry.invalid(False)
        self.error.set("")

    def _saved(self, _: object) -> bool:
        self.entry.flush()
        name = self.entry.get().strip()
        try:
            path = self._context.library.save(name, self._context.draft, overwrite=self._replace, note=self.note.get())
        except UserError as error:
            self.error.set(error.text(WORDS))
            self.fit()
            self.entry.invalid(True)
            if (self._context.library.own / f"{name}.json").exists():
                self._replace = True
                self.buttons[-1].set(tr("Replace it"))
            return False
        self._context.window_state.opened(path)
        self._context.notify(tr("Saved as “{name}”", name=path.stem), role="good")
        return True
