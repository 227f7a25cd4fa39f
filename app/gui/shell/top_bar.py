"""The upper edge: the preset, what differs from it, the search over all settings, undo, theme and pane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.gui.context import AppContext
from app.gui.kit import Button, Choice, Divider, Entry, Frame, Label, LinkButton, mark, px, theme
from modules.language import tr

HEIGHT = 56
SEARCH_REST_MS = 120


@dataclass(frozen=True)
class TopBarActions:
    """What the top bar can ask for."""

    presets: Callable[[PresetButton], object]
    changed: Callable[[], object]
    search: Callable[[str], object]
    results: Callable[[], bool]  # goes to the first one
    undo: Callable[[], object]
    redo: Callable[[], object]
    theme: Callable[[], object]
    pane: Callable[[], object]


class PresetButton(Choice):
    """The name of the preset; opens the list of presets."""

    def __init__(self, master: Frame, on_open: Callable[[PresetButton], object]) -> None:
        super().__init__(master, [], "", width=250, image="bookmark", placeholder=tr("No preset"))
        self._on_open = on_open

    def open(self) -> None:
        self._on_open(self)


class TopBar(Frame):
    """One line; `refresh` shows the draft as it is now."""

    def __init__(self, master: Frame, context: AppContext, actions: TopBarActions) -> None:
        super().__init__(master, "panel", height=HEIGHT)
        self._context = context
        self.pack_propagate(False)
        Divider(self).pack(side="bottom", fill="x")
        logo = Label(self)
        logo.configure(image=mark(px(24)))
        logo.pack(side="left", padx=(px(16), px(9)))
        Label(self, "Seachange", font="section").pack(side="left", padx=(0, px(26)))
        self.preset = PresetButton(self, actions.presets)
        self.preset.pack(side="left")
        self.changed = LinkButton(self, "", actions.changed, role="changed")
        self._buttons(actions)
        self.search = Entry(
            self,
            placeholder=tr("Search all settings   Ctrl+F"),
            on_change=actions.search,
            width=260,
            fit=True,
            rest_ms=SEARCH_REST_MS,
        )
        self.search.pack(side="right", padx=(px(12), px(10)))
        for sequence in ("<Down>", "<Return>", "<Tab>"):
            self.search.inner.bind(sequence, lambda _: self._to_results(actions.results), add=True)

    def _buttons(self, actions: TopBarActions) -> None:
        def button(image: str, act: Callable[[], object], hint: str) -> Button:
            made = Button(self, "", act, kind="icon", image=image, hint=hint, height=34)
            made.pack(side="right", padx=(0, px(6)))
            return made

        self.pane = button("panel-right", actions.pane, tr("Show or hide the live pane (Ctrl+P)"))
        self.theme = button("sun" if theme.mode == "dark" else "moon", actions.theme, tr("Dark or light (Ctrl+L)"))
        self.redo = button("redo-2", actions.redo, tr("Redo (Ctrl+Shift+Z)"))
        self.undo = button("undo-2", actions.undo, tr("Undo (Ctrl+Z)"))

    def _to_results(self, act: Callable[[], bool]) -> str | None:
        self.search.flush()
        return "break" if act() else None

    def refresh(self) -> None:
        draft = self._context.draft
        self.preset.set(draft.base.name)
        changed = len(draft.changed_paths())
        if changed:
            self.changed.set(tr("{changed} changed", changed=changed))
            self.changed.pack(side="left", padx=px(10), after=self.preset)
        else:
            self.changed.pack_forget()
        self.undo.disable("" if draft.can_undo else tr("Nothing to undo."))
        self.redo.disable("" if draft.can_redo else tr("Nothing to redo."))

    def refresh_theme(self) -> None:
        self.theme.set(image="sun" if theme.mode == "dark" else "moon")

    def clear_search(self) -> None:
        """Empty the line without asking for a search."""
        self.search.set("")
