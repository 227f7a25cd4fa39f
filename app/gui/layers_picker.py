"""Which layers are trained: a group by name, or patterns of one's own."""

from __future__ import annotations

from collections.abc import Callable

from app.gui.kit import Choice, Entry, Frame, Option, px
from app.gui.words_of_choices import LAYER_GROUPS

OWN = "\0own"  # stands for "Own patterns"; no group is called so


class LayersPicker(Frame):
    """A list of the groups; under it an entry for patterns, while "Own patterns" is chosen."""

    def __init__(
        self, master: Frame, text: str, *, on_change: Callable[[str], object], on_done: Callable[[str], object]
    ) -> None:
        super().__init__(master)
        self._heard = on_change
        self.reason = ""
        options = [Option(name, words, words=name) for name, words in LAYER_GROUPS.items()]
        self.choice = Choice(self, [*options, Option(OWN, "Own patterns")], on_change=self._chosen)
        self.choice.pack(fill="x")
        self.entry = Entry(
            self, on_change=on_change, on_done=on_done, placeholder="down_blocks\\.1\\..*, mid", mono=True
        )
        self.inner = self.choice
        self.set(text)

    def get(self) -> str:
        chosen = self.choice.get()
        return self.entry.get() if chosen == OWN else str(chosen)

    def set(self, text: str) -> None:
        """Put `text` in, without telling anyone."""
        group = text in LAYER_GROUPS
        self.choice.set(text if group else OWN)
        if group:
            self.entry.pack_forget()
        else:
            self.entry.set(text)
            self.entry.pack(fill="x", pady=(px(6), 0))

    def invalid(self, wrong: bool) -> None:
        self.choice.invalid(wrong)
        self.entry.invalid(wrong)

    def disable(self, reason: str) -> None:
        self.reason = reason
        self.choice.disable(reason)
        self.entry.disable(reason)

    def focus_set(self) -> None:
        (self.entry if self.choice.get() == OWN else self.choice).focus_set()

    def _chosen(self, value: str) -> None:
        if value == OWN:
            # Several groups may stand here, too: the group of before is where one starts from.
            self.entry.pack(fill="x", pady=(px(6), 0))
            self.entry.focus_set()
        else:
            self.entry.pack_forget()
            self._heard(value)
