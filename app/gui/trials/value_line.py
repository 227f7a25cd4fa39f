"""One setting of those that are tried: which it is, its values as chips, and the place where another is typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.gui.kit import Button, Chip, Chips, Choice, Entry, Frame, Label, popup, px
from app.gui.trials.trial_draft import Line, TrialDraft
from modules.language import tr

SETTING, ENTRY = 190, 110


class ValueLine(Frame):
    """`show` after each change.

    Args:
        changed: called when a person has changed something.
        remove: called with this line when its cross is pressed.
    """

    def __init__(
        self, master: Any, draft: TrialDraft, line: Line, changed: Callable[[], object],
        remove: Callable[[ValueLine], object],
    ) -> None:  # fmt: skip
        super().__init__(master)
        self.draft, self.line, self._changed = draft, line, changed
        row = Frame(self)
        row.pack(fill="x")
        self.choice = Choice(row, [], line.path, self._choose, width=SETTING)
        self.choice.pack(side="left", anchor="n")
        self.cross = Button(row, "", lambda: remove(self), kind="icon", image="x", hint=tr("Take this setting out"))
        self.cross.pack(side="right", anchor="n")
        self.entry = Entry(row, placeholder=tr("add a value"), on_done=self._typed, width=ENTRY)
        self.chips = Chips(row, self._kept, self._add)
        self.chips.pack(side="left", fill="x", expand=True, padx=px(10), pady=(px(5), 0), anchor="n")
        self.wrong = Label(self, "", font="small", role="error", wrap=True)

    def show(self, too_large: Mapping[Any, str], *, removable: bool) -> None:
        """As it is now; `too_large`: values that do not fit the card, and why."""
        self.choice.offer(self.draft.options(self.line))
        self.choice.set(self.line.path)
        problems = self.draft.problems(self.line)
        self.chips.show([self._chip(n, value, problems, too_large) for n, value in enumerate(self.line.values)])
        self.cross.disable("" if removable else tr("There has to be one."))
        words = " ".join(dict.fromkeys(problems.values()))
        self.wrong.set(words)
        if words and not self.wrong.winfo_manager():
            self.wrong.pack(fill="x", pady=(px(3), 0))
        elif not words:
            self.wrong.pack_forget()
        if self.draft.is_typed(self.line):
            self.entry.pack(side="right", anchor="n", padx=(0, px(6)), after=self.cross)
        else:
            self.entry.pack_forget()

    def _chip(self, place: int, value: Any, problems: Mapping[int, str], too_large: Mapping[Any, str]) -> Chip:
        wrong, large = problems.get(place, ""), too_large.get(value, "")
        role = "error" if wrong else "changed" if large else "text"
        return Chip(str(place), self.draft.label(self.line, value), role=role, note=wrong or large)

    def _choose(self, path: str) -> None:
        self.draft.choose(self.line, path)
        self._changed()

    def _kept(self, places: list[str]) -> None:
        self.line.values = [self.line.values[int(place)] for place in places]
        self._changed()

    def _add(self) -> None:
        """The last chip: a list of what there is, or the place to type in."""
        if self.draft.is_typed(self.line):
            self.entry.focus_set()
        elif options := self.draft.choices(self.line):
            popup(self.chips, options, self._picked, width=240)

    def _picked(self, value: Any) -> None:
        self.line.values.append(value)
        self._changed()

    def _typed(self, text: str) -> None:
        if text.strip():
            self.draft.type(self.line, text)
            self.entry.set("")
            self._changed()
