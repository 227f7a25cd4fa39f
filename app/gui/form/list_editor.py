"""A list of the schema (prompts, words) as cards: add, duplicate, remove with undo, move, switch on and off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from app.gui.context import AppContext
from app.gui.form.setting_row import SettingRow, in_tab_order
from app.gui.kit import Button, Card, EmptyState, Frame, Label, Switch, px, tip
from modules.language import tr
from modules.preset.paths import Values
from modules.preset.setting_info import SettingInfo, settings_of
from modules.preset.validate import setting_at

AT_ONCE = 40  # cards that are made before the button "Show more" is needed


@dataclass(frozen=True)
class ListLabels:
    """What a list is called, and which settings of an entry are always in sight."""

    name: str  # "Prompt": the cards are "Prompt 1", "Prompt 2"
    add: str  # the words of the button
    empty: str  # one sentence that stands there while the list is empty
    first: tuple[str, ...] = ()  # names of settings that are always shown; () for all
    summary: Callable[[Values], str] = lambda values: ""  # of the others, while they are folded
    new: Callable[[Sequence[Values]], Values] = lambda others: {}  # what a new entry starts with
    unfold: int = 2  # entries are unfolded at first while there are no more than these
    seldom: bool = False  # most people leave it empty: then a line says so, and not half a page


class EntryCard(Card):
    """One entry. It shows whatever the draft holds at its number."""

    def __init__(self, editor: ListEditor, number: int, unfolded: bool) -> None:
        super().__init__(editor.cards, f"{tr(editor.words.name)} {number + 1}")
        self.editor, self.number, self.unfolded = editor, number, unfolded
        self.path = f"{editor.path}.{number}"
        self.rows: dict[str, SettingRow] = {}
        self._summary = Label(self.body, font="small", role="text2", wrap=True)
        self._movers = self._made_buttons()
        self._switch = self._made_switch()
        self.body.columnconfigure(0, weight=1)
        self.refresh()

    def refresh(self) -> None:
        """Which rows are seen, whether it is on, which moves there are."""
        editor = self.editor
        values = cast("Values", editor.context.draft.get(self.path))
        for place, setting in enumerate(editor.settings):
            self._show(place, setting, self._wanted(setting))
        folded = bool(editor.words.first) and not self.unfolded
        if folded:
            self._summary.set(editor.words.summary(values))
            self._summary.grid(row=len(editor.settings), column=0, sticky="ew", padx=(px(13), 0), pady=(px(2), px(4)))
        else:
            self._summary.grid_remove()
        link = tr("More settings") if folded else tr("Fewer settings")
        if editor.words.first and (self.link is None or self.link.cget("text") != link):
            self.action(link, self._fold)
        if self._switch is not None:
            self._switch.set(bool(values["enabled"]))
        count = len(editor.entries())
        reasons = (
            "" if self.number else tr("This is the first one."),
            "" if self.number + 1 < count else tr("This is the last one."),
        )
        for button, reason in zip(self._movers, reasons, strict=True):
            if button.reason != reason:
                button.disable(reason)

    def reveal(self, name: str) -> SettingRow | None:
        """Unfold it if need be; the row of that setting, or of the first one."""
        if name and name not in self.rows:
            self.unfolded = True
            self.refresh()
        return self.rows.get(name) or next(iter(self.rows.values()), None)

    def _wanted(self, setting: SettingInfo) -> bool:
        words, draft = self.editor.words, self.editor.context.draft
        if setting.path == "enabled" or not draft.is_visible(setting, f"{self.path}.{setting.path}"):
            return False
        always = not words.first or setting.path in words.first or self.unfolded
        return always or f"{self.path}.{setting.path}" in draft.errors()

    def _show(self, place: int, setting: SettingInfo, wanted: bool) -> None:
        row = self.rows.get(setting.path)
        if wanted and row is None:
            row = self.rows[setting.path] = SettingRow(self.body, self.editor.context, f"{self.path}.{setting.path}")
            row.grid(row=place, column=0, sticky="ew")
            in_tab_order(
                row, [self.rows[later.path] for later in self.editor.settings[place + 1 :] if later.path in self.rows]
            )
        elif row is not None and not wanted:
            del self.rows[setting.path]
            row.destroy()

    def _fold(self) -> None:
        self.unfolded = not self.unfolded
        self.refresh()

    def _made_switch(self) -> Switch | None:
        if not any(setting.path == "enabled" for setting in self.editor.settings):
            return None
        path = f"{self.path}.enabled"
        switch = Switch(self.head, True, lambda on: self.editor.context.draft.put(path, on))
        tip(switch, tr("Off: it stays in the list and is not used."))
        assert self.title is not None
        switch.pack(side="left", padx=(px(10), 0))
        return switch

    def _made_buttons(self) -> tuple[Button, Button]:
        """Those that move it up and down: they are grey at the ends of the list."""
        tools = Frame(self.head)
        tools.pack(side="right")

        def button(text: str, image: str, hint: str, act: Callable[[], object]) -> Button:
            made = Button(tools, text, act, kind="icon", image=image, hint=hint, height=26, width=28)
            made.pack(side="left", padx=(px(2), 0))
            return made

        editor, name = self.editor, tr(self.editor.words.name).lower()
        up = button("↑", "", tr("Move up"), lambda: editor.move(self.number, self.number - 1))
        down = button("↓", "", tr("Move down"), lambda: editor.move(self.number, self.number + 1))
        button("", "copy", tr("Duplicate this {name}", name=name), lambda: editor.duplicate(self.number))
        button("", "trash-2", tr("Remove this {name}", name=name), lambda: editor.remove(self.number))
        return up, down


class ListEditor(Frame):
    """The cards of a list, and under them the button that adds one. Follows the draft.

    Args:
        path: of the list: "sampling.prompts".
    """

    def __init__(self, master: Frame, context: AppContext, path: str, words: ListLabels) -> None:
        super().__init__(master)
        setting = setting_at(path)
        assert setting is not None and setting.entry is not None, path
        self.context, self.path, self.words = context, path, words
        self.settings = tuple(settings_of(setting.entry))
        self.made: list[EntryCard] = []
        self._most = AT_ONCE
        self._problem = Label(self, font="small", role="error", wrap=True)
        self._none = Label(self, tr(words.empty), font="small", role="text2", wrap=True)
        self.cards = Frame(self)
        self._foot = Frame(self)
        self._empty: EmptyState | None = None
        self._add = Button(self._foot, tr(words.add), self.add, image="plus")
        self._more = Button(self._foot, "", self._show_more, kind="quiet")
        self.until_destroyed(context.draft.watch("", self._changed))

    def build(self) -> Iterator[None]:
        """Make the cards, one a step."""
        self.cards.pack(fill="x")
        self._add.pack(side="left")
        yield
        for _ in self._filled():
            yield

    def entries(self) -> list[Values]:
        return cast("list[Values] | None", self.context.draft.get(self.path)) or []

    def add(self) -> None:
        """A new entry at the end, with the focus in its first setting."""
        number = self.context.draft.add(self.path, self.words.new(self.entries()))
        self._most = max(self._most, number + 1)
        self._refresh()
        self._focus(number)

    def duplicate(self, number: int) -> None:
        self._focus(self.context.draft.duplicate(self.path, number))

    def remove(self, number: int) -> None:
        """Take it away; a line says so and can bring it back."""
        self.context.draft.remove(self.path, number)
        self.context.notify(
            tr("{name} {number} removed", name=tr(self.words.name), number=number + 1),
            tr("Undo"),
            self.context.draft.undo,
        )

    def move(self, number: int, to: int) -> None:
        """Its place in the list; whether it is unfolded goes with it."""
        one, other = self.made[number], self.made[to]
        one.unfolded, other.unfolded = other.unfolded, one.unfolded
        self.context.draft.move(self.path, number, to)

    def reveal(self, path: str) -> SettingRow | None:
        """The row of "sampling.prompts.3.seed", made and unfolded; for the list itself the first row of all."""
        number, _, name = path.removeprefix(self.path).strip(".").partition(".")
        at = int(number or 0)
        if at >= len(self.entries()):
            return None
        self._most = max(self._most, at + 1)
        self._refresh()
        return self.made[at].reveal(name)

    def _changed(self, paths: frozenset[str]) -> None:
        del paths  # a change elsewhere can make an entry wrong
        if self.cards.winfo_manager():
            self._refresh()

    def _refresh(self) -> None:
        for _ in self._filled():
            pass

    def _filled(self) -> Iterator[None]:
        count = len(self.entries())
        while len(self.made) > min(count, self._most):
            self.made.pop().destroy()
        for card in self.made:
            card.refresh()
        while len(self.made) < min(count, self._most):
            card = EntryCard(self, len(self.made), unfolded=count <= self.words.unfold)
            card.pack(fill="x", pady=(0, px(14)))
            self.made.append(card)
            yield
        self._show_rest(count)

    def _show_empty(self, count: int) -> None:
        """A sentence while there are no entries: with half a page of room, or as a line where that is the usual."""
        seldom = self.words.seldom
        if count:
            self._none.pack_forget()
        elif seldom:
            self._none.pack(fill="x", before=self.cards, pady=(0, px(8)))
        elif self._empty is None:
            self._empty = EmptyState(self.cards, "image", tr(self.words.empty), tr(self.words.add), self.add)
            self._empty.pack(fill="x")
        if count and self._empty is not None:
            self._empty.destroy()
            self._empty = None
        if not count:
            self.cards.configure(height=1 if seldom else px(200))

    def _show_rest(self, count: int) -> None:
        """What stands around the cards: a sentence while there are none, the buttons, what is wrong with the list."""
        self._show_empty(count)
        if count or self.words.seldom:
            self._foot.pack(fill="x", pady=(0, px(14)))
        else:
            self._foot.pack_forget()
        if count > len(self.made):
            self._more.set(tr("Show {count} more", count=min(count - len(self.made), AT_ONCE)))
            self._more.pack(side="left", padx=(px(8), 0))
        else:
            self._more.pack_forget()
        wrong = self.context.draft.errors().get(self.path, "")
        if wrong:
            self._problem.set(wrong)
            self._problem.pack(fill="x", before=self.cards, pady=(0, px(8)))
        else:
            self._problem.pack_forget()

    def _show_more(self) -> None:
        self._most += AT_ONCE
        self._refresh()

    def _focus(self, number: int) -> None:
        row: Any = self.reveal(f"{self.path}.{number}")
        if row is not None:
            row.focus_control()
            row.update_idletasks()
            scroll = self.nearest_area()
            if scroll is not None:
                scroll.keep_visible(self.made[number])

    def nearest_area(self) -> Any:
        """The scroll area that this list stands in, or None."""
        above: Any = self.master
        while above is not None and not hasattr(above, "keep_visible"):
            above = above.master
        return above
