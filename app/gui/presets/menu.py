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
from app.gui.kit import Answer, Button, Choice, Dialog, Entry, Frame, Label, LinkButton, Option, ScrollArea, popup, px
from app.gui.presets.user_presets import OwnPresets
from app.gui.run.dialogs import refused
from modules.errors import UserError
from modules.preset.preset import Preset
from modules.text import counted

KINDS = (("Presets and projects", "*.json"),)
WIDTH = 470


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
            search="Search presets",
            width=WIDTH,
            footer=self._footer,
        )

    def _option(self, entry: PresetEntry) -> Option:
        if entry.preset is None:
            return Option(entry, entry.name, reason="cannot be read", group=entry.group)
        count = len(preset_library.change_of(self._context.draft, entry))
        if entry.name == self._context.draft.base.name:
            note = f"current, {count} changed" if count else "current"
        else:
            note = counted(count, "setting differs", "settings differ") if count else "the same settings"
        return Option(entry, entry.name, note, group=entry.group, words=f"{entry.family} {entry.note}")

    def _opened_lately(self) -> list[Option]:
        """Files from anywhere else."""
        own = self._context.library.own
        files = [path for path in self._context.window_state.recent() if path.parent != own]
        return [Option(path, path.stem, path.parent.name, group="Opened lately", words=str(path)) for path in files]

    def _footer(self, frame: Frame, close: Callable[[], None]) -> None:
        def after(act: Callable[[], object]) -> Callable[[], None]:
            def pressed() -> None:
                close()
                act()

            return pressed

        first = Frame(frame)
        first.pack(fill="x")
        Button(first, "Save as preset", after(self.save_as), kind="primary").pack(side="left")
        Button(first, "Open file", after(self.open_file)).pack(side="left", padx=px(8))
        if self._context.draft.changed_paths():
            LinkButton(first, "Undo all changes", after(self.reset), font="body", role="changed").pack(side="right")
        second = Frame(frame)
        second.pack(fill="x", pady=(px(8), 0))
        for words, act in (
            ("Copy as text", self.copy),
            ("Paste from text", self.paste),
            ("Rename or delete", self.manage),
        ):
            LinkButton(second, words, after(act)).pack(side="left", padx=(0, px(14)))

    # Loading ----------------------------------------------------------------------------------------------------------

    def choose(self, entry: PresetEntry | Path) -> None:
        """A line of the list was picked."""
        if isinstance(entry, Path):
            self.open_path(entry)
        elif entry.preset is not None:
            self.offer(entry.name, entry.preset, entry.note)

    def open_file(self) -> None:
        path = self._context.app.ask_open_file("Open a preset or a project", KINDS)
        if path is not None:
            self.open_path(path)

    def open_path(self, path: Path) -> None:
        """A file that was picked, or dropped on the window."""
        try:
            opened = preset_library.open_file(path)
        except UserError as error:
            refused(self._context.app, f"{path.name} cannot be opened", error)
            return
        self._context.window_state.opened(path)
        self.offer(opened.name, opened.preset, opened.preset.note, whole=opened.project)

    def paste(self) -> None:
        """The preset on the clipboard."""
        try:
            preset = preset_library.from_text(self._context.app.pasted())
        except UserError as error:
            refused(self._context.app, "There is no preset to paste", error)
            return
        self.offer(preset.title or "Pasted preset", preset, preset.note)

    def offer(self, name: str, preset: Preset, note: str = "", *, whole: bool = False) -> Dialog | None:
        """Show what would change; load it at once where nothing would."""
        values = values_of(preset)
        old = self._context.draft.values
        changes = differences(old, values if whole else with_preset_values(old, values))
        if not changes:
            self._context.draft.load(name, preset, whole=whole)
            self._context.notify(f"{name}: the settings are the same already")
            return None

        def answered(answer: object) -> None:
            if answer:
                self._context.draft.load(name, preset, whole=whole)
                self._context.notify(f"{name} loaded: {counted(len(changes), 'setting')} changed", "Undo", self._undo)

        return _question(self._context, name, note, changes, whole, answered)

    def reset(self) -> None:
        """Undo all changes; that can be undone, too."""
        self._context.draft.reset_all()
        self._context.notify("All changes undone", "Undo", self._undo)

    # Keeping and sharing ----------------------------------------------------------------------------------------------

    def save_as(self) -> Dialog:
        """Ask for a name, and whether to replace what has it."""
        return SaveAs(self._context)

    def copy(self) -> None:
        self._context.app.copy(preset_library.text_of(self._context.draft))
        self._context.notify("The preset is on the clipboard as text", role="good")

    def manage(self) -> Dialog:
        return OwnPresets(self._context)


def _question(
    context: AppContext,
    name: str,
    note: str,
    changes: list[Difference],
    whole: bool,
    answered: Callable[[object], None],
) -> Dialog:
    unchanged = "" if whole else " Your concepts and the settings of this machine stay as they are."
    count = len(changes)
    dialog = Dialog(
        context.app,
        f"Load {name}?",
        f"{note}\n\n".lstrip() + f"{counted(count, 'setting changes', 'settings change')}:{unchanged}",
        (Answer("Cancel"), Answer("Load", True, "primary")),
        answered,
        width=640,
    )
    high = min(count, 9) * 28 + 8
    area = ScrollArea(dialog.body)
    area.configure(height=px(high))
    area.pack(fill="both", expand=True, pady=(px(4), 0))
    area.body.columnconfigure(0, weight=2, uniform="words")
    area.body.columnconfigure(1, weight=3, uniform="words")
    for row, change in enumerate(changes):
        Label(area.body, change.label, role="text2").grid(row=row, column=0, sticky="w", pady=px(4))
        words = f"{_short(change.old)}  \u2192  {_short(change.new)}"
        Label(area.body, words).grid(row=row, column=1, sticky="w", padx=(px(10), 0))
    return dialog


def _short(words: str) -> str:
    words = words or "not used"
    return words if len(words) <= 28 else f"{words[:27]}\u2026"


class SaveAs(Dialog):
    """A name for the preset."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        super().__init__(
            context.app,
            "Save as preset",
            f"It is kept under \u201c{OWN}\u201d. Concepts and the settings of this machine are not part of it.",
            (Answer("Cancel"), Answer("Save", "save", "primary", "save")),
            check=self._saved,
        )
        base = context.draft.base.name
        self.entry = Entry(self.body, base, placeholder="Name", on_change=lambda _: self._fresh())
        self.entry.pack(fill="x", pady=(px(6), px(4)))
        self.error = Label(self.body, "", font="small", role="error", wrap=True)
        self.error.pack(fill="x")
        self._replace = False
        self.entry.focus_set()

    def _fresh(self) -> None:
        """Another name: what was said about the last one does not count."""
        self._replace = False
        self.buttons[-1].set("Save")
        self.entry.invalid(False)
        self.error.set("")

    def _saved(self, _: object) -> bool:
        self.entry.flush()
        name = self.entry.get().strip()
        try:
            path = self._context.library.save(name, self._context.draft, overwrite=self._replace)
        except UserError as error:
            self.error.set(error.text(WORDS))
            self.entry.invalid(True)
            if (self._context.library.own / f"{name}.json").exists():
                self._replace = True
                self.buttons[-1].set("Replace it")
            return False
        self._context.window_state.opened(path)
        self._context.notify(f"Saved as \u201c{path.stem}\u201d", role="good")
        return True
