"""A line of text: tells of changes when typing rests, Escape brings back what was there, wrong text has a red edge."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from app.gui.kit.base.shapes import RoundBox
from app.gui.kit.base.theme import Painted, mixed, px, surface_of, theme
from app.gui.kit.base.tip import show_reason

REST_MS = 250
OnChange = Callable[[str], object]


class Entry(Painted, tk.Canvas):
    """One line of text.

    Args:
        text: what stands in it first.
        placeholder: grey words while it is empty.
        on_change: called with the text when typing rests for a quarter of a second, and before `on_done`.
        on_done: called with the text on Return and when the focus leaves after a change.
        width: pixels at 100 %; the layout may stretch it.
        fit: at least as wide as the placeholder.
        mono: in the font of the log.
        rest_ms: how long typing must rest; 0 tells of every key.
    """

    def __init__(  # noqa: PLR0913
        self,
        master: tk.Misc,
        text: str = "",
        *,
        placeholder: str = "",
        on_change: OnChange | None = None,
        on_done: OnChange | None = None,
        width: float = 120,
        fit: bool = False,
        mono: bool = False,
        rest_ms: int = REST_MS,
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=0, takefocus=0, width=px(width), height=px(30))
        self.surface = surface_of(master)
        self._wide, self._fit, self._font = width, placeholder if fit else "", "mono" if mono else "body"
        self._on_change, self._done, self._rest_ms = on_change, on_done, rest_ms
        self._before = self._reported = text
        self._pending = ""
        self._wrong = self._focused = False
        self.reason = ""
        self._box = RoundBox(self)
        self.inner = tk.Entry(self, bd=0, highlightthickness=0, font=theme.font(self._font))
        self.inner.insert(0, text)
        self.inner.place(x=px(8), y=px(4), relwidth=1, width=-px(16), relheight=1, height=-px(8))
        self._placeholder = (
            tk.Label(self, text=placeholder, bd=0, padx=0, pady=0, anchor="w", cursor="xterm") if placeholder else None
        )
        self._listen()
        self.follow_theme()
        self._show_placeholder()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda event: self._box.place(0, 0, event.width, event.height))
        self.bind("<Button-1>", lambda _: self.inner.focus_set())
        if self._placeholder is not None:
            self._placeholder.bind("<Button-1>", lambda _: self.after_idle(self.inner.focus_set))
        for sequence in ("<Key>", "<<Paste>>", "<<Cut>>", "<<Clear>>", "<<PasteSelection>>"):
            self.inner.bind(sequence, lambda _: self._soon())
        self.inner.bind("<FocusIn>", lambda _: self._focus(True))
        self.inner.bind("<FocusOut>", lambda _: self._focus(False))
        self.inner.bind("<Return>", lambda _: self._return())
        self.inner.bind("<Escape>", self._escape)
        for sequence in ("<Control-a>", "<Control-A>"):
            self.inner.bind(sequence, self._select_all)

    def get(self) -> str:
        return self.inner.get()

    @property
    def focused(self) -> bool:
        """Whether something is being typed into it."""
        return self._focused

    def set(self, text: str) -> None:
        """Put `text` in, without telling anyone. What is being typed is not disturbed if it says the same."""
        if text != self.inner.get():
            state = str(self.inner.cget("state"))
            self.inner.configure(state="normal")
            self.inner.delete(0, "end")
            self.inner.insert(0, text)
            self.inner.configure(state="disabled" if state == "disabled" else "normal")
        self._reported = self._before = text
        self._forget()
        self._show_placeholder()

    def placeholder(self, text: str) -> None:
        """Other grey words; only of an entry that was made with some."""
        if self._placeholder is not None and text != self._placeholder.cget("text"):
            self._placeholder.configure(text=text)

    def clear(self) -> None:
        """Empty it, and tell."""
        self.inner.delete(0, "end")
        self._report()

    def invalid(self, wrong: bool) -> None:
        """A red edge, or not. The words that say why belong under it (`FormRow.error`)."""
        if wrong != self._wrong:
            self._wrong = wrong
            self.paint()

    def disable(self, reason: str) -> None:
        """Grey and not editable; with an empty reason editable again."""
        self.reason = reason
        show_reason(self, over=self.inner)
        self.inner.configure(state="disabled" if reason else "normal")
        self.paint()

    def focus_set(self) -> None:
        """Put the cursor in it and mark what is there, ready to be overwritten."""
        self.inner.focus_set()
        self.inner.select_range(0, "end")
        self.inner.icursor("end")

    def flush(self) -> None:
        """Tell of a change now instead of when typing rests."""
        self._forget()
        self._report()

    def paint(self) -> None:
        fill = theme.colour("raised" if self.reason else "input")
        edge = theme.colour(
            "error" if self._wrong else "accent" if self._focused else "hairline" if self.reason else "border"
        )
        self.configure(bg=theme.colour(self.surface), width=self._width(), height=px(30))
        self._box.paint(px(7), fill, edge, theme.colour(self.surface), px(2) if self._focused else px(1))
        text = theme.colour("text")
        self.inner.configure(
            bg=fill, fg=text, insertbackground=text, disabledbackground=fill, disabledforeground=theme.colour("text3"),
            selectbackground=mixed(theme.colour("accent"), fill, 0.55), selectforeground=text,
        )  # fmt: skip
        if self._placeholder is not None:
            self._placeholder.configure(bg=fill, fg=theme.colour("text3"), font=theme.font(self._font))

    def _width(self) -> int:
        return max(px(self._wide), theme.measure(self._fit, self._font) + px(20) if self._fit else 0)

    def _soon(self) -> None:
        self._forget()
        # The text changes after this handler: "idle" is soon enough for the placeholder and for a rest of nothing.
        self._pending = self.after(self._rest_ms, self._report) if self._rest_ms else self.after_idle(self._report)
        if self._placeholder is not None:
            self.after_idle(self._show_placeholder)

    def _forget(self) -> None:
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""

    def _report(self) -> None:
        self._pending = ""
        self._show_placeholder()
        text = self.inner.get()
        if text != self._reported:
            self._reported = text
            if self._on_change is not None:
                self._on_change(text)

    def _return(self) -> None:
        self.flush()
        self._before = self.inner.get()
        if self._done is not None:
            self._done(self._before)

    def _focus(self, there: bool) -> None:
        self._focused = there
        self.paint()
        if there:
            self._before = self.inner.get()
            return
        self.inner.selection_clear()
        self.flush()
        if self._done is not None and self.inner.get() != self._before:
            self._done(self.inner.get())

    def _escape(self, _: tk.Event[Any]) -> str | None:
        if self.inner.get() == self._before:
            return None  # nothing to bring back: Escape means something to the window
        self.inner.delete(0, "end")
        self.inner.insert(0, self._before)
        self.flush()
        return "break"

    def _select_all(self, _: tk.Event[Any]) -> str:
        self.inner.select_range(0, "end")
        self.inner.icursor("end")
        return "break"

    def _show_placeholder(self) -> None:
        if self._placeholder is None or not self.winfo_exists():
            return
        if self.inner.get():
            self._placeholder.place_forget()
        else:
            self._placeholder.place(x=px(9), y=px(4), relwidth=1, width=-px(18), relheight=1, height=-px(8))
