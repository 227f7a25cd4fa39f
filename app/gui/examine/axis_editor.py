"""One axis of a grid: its kind, its values as chips, and ways to add more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.gui.draft.problem_labels import WORDS
from app.gui.examine.axis_values import TYPED, offers, with_added
from app.gui.grids.grid_draft import EMPTY_PROMPT, Side
from app.gui.kit import Chip, Chips, Choice, Entry, Frame, Label, LinkButton, Option, popup, px
from modules.errors import UserError
from modules.grids.axes import Axis
from modules.grids.settings import KINDS
from modules.language import tr

LABEL = 64  # pixels of "Columns"
WIDTH = 300  # of the list behind "Add"
TITLES: dict[Side, str] = {"columns": "Columns", "rows": "Rows", "tabs": "Tabs"}
Link = tuple[str, Callable[[], object]]


class AxisEditor(Frame):
    """`show(kind, values, axis)`.

    Args:
        on_kind: called with the kind that was chosen.
        on_values: called with the values after one was added, taken away or moved.
        run: gives the folder of the run, whose steps and prompts are offered.
        tell: called with what is wrong with a typed value.
    """

    def __init__(
        self,
        master: Any,
        side: Side,
        *,
        on_kind: Callable[[str], object],
        on_values: Callable[[list[str]], object],
        run: Callable[[], Path | None],
        tell: Callable[[str], object],
    ) -> None:
        super().__init__(master)
        self.kind = "none"
        self._on_values, self._run, self._tell = on_values, run, tell
        head = Frame(self)
        head.pack(fill="x")
        head.columnconfigure(0, minsize=px(LABEL))
        head.columnconfigure(1, weight=1)
        Label(head, tr(TITLES[side]), font="bold").grid(row=0, column=0, sticky="w")
        self.choice = Choice(head, [], "none", on_kind)
        self.choice.grid(row=0, column=1, sticky="ew")
        self.chips = Chips(self, self.change, self.add)
        self._links = Frame(self)

    def show(
        self, kind: str, values: Sequence[str], axis: Axis | None, taken: Sequence[str], links: Sequence[Link]
    ) -> None:
        """This kind and these values; `axis` is what they came to, if that is known. `taken`: kinds of other axes."""
        self.kind = kind
        reason = tr("On another axis")
        self.choice.offer(
            [Option(each, tr(label), reason=reason if each in taken else "") for each, label in KINDS.items()]
        )
        self.choice.set(kind)
        if kind == "none":
            self.chips.pack_forget()
        else:
            heads = {head.value: head for head in axis.heads} if axis is not None and axis.kind == kind else {}
            self.chips.show([
                Chip(value, heads[value].label, heads[value].star) if value in heads else Chip(value, said(kind, value))
                for value in values
            ])  # fmt: skip
            self.chips.pack(fill="x", pady=(px(6), 0))
        self._show_links(links)

    def _show_links(self, links: Sequence[Link]) -> None:
        self._links.clear()
        for words, act in links:
            LinkButton(self._links, words, act).pack(side="left", padx=(0, px(6)))
        if links:
            self._links.pack(fill="x", pady=(px(3), 0))
        else:
            self._links.pack_forget()

    def add(self) -> None:
        """Open the list of what can be added, with a field for what is typed."""
        placeholder, entries = TYPED.get(self.kind, ""), list[Entry]()
        options = offers(self.kind, self._run(), self.chips.values)

        def footer(frame: Frame, close: Callable[[], None]) -> None:
            def typed(text: str) -> None:
                if text.strip():
                    close()
                    self.put(text.strip())

            entry = Entry(frame, placeholder=tr(placeholder), on_done=typed, fit=True)
            entry.pack(fill="x")
            entries.append(entry)

        opened = popup(self.chips, options, self.put, width=WIDTH, footer=footer if placeholder else None)
        if opened is not None and entries and self.kind != "step":
            entries[0].after_idle(entries[0].focus_set)

    def put(self, text: str) -> None:
        """Add a value, or what a range or a word stands for."""
        try:
            values = with_added(self.kind, self.chips.values, text)
        except UserError as error:
            self._tell(error.text(WORDS))
            return
        self.change(values)

    def change(self, values: list[str]) -> None:
        """A person wants these values."""
        self._on_values(values)


def said(kind: str, value: str) -> str:
    """A value as its chip says it until more is known of it."""
    if value == EMPTY_PROMPT:
        return tr("empty prompt")
    if kind in ("run", "model"):
        return Path(value).stem or value
    return value
