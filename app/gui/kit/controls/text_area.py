"""Several lines of text with undo of its own, in the look of an entry."""

from __future__ import annotations

import tkinter as tk
from typing import Any

from app.gui.kit.base.card import RoundFrame
from app.gui.kit.base.scroll_bar import SlimBar
from app.gui.kit.base.theme import mixed, px, theme
from app.gui.kit.base.tip import show_reason
from app.gui.kit.controls.entry import REST_MS, OnChange


class TextArea(RoundFrame):
    """Several lines. Tab leaves it; Ctrl+Z undoes while there is something of its own to undo.

    Args:
        lines: how high it wants to be.
        on_change: called with the text when typing rests, and when the focus leaves.
    """

    def __init__(
        self,
        master: tk.Misc,
        text: str = "",
        *,
        lines: int = 4,
        on_change: OnChange | None = None,
        rest_ms: int = REST_MS,
    ) -> None:
        self.inner: tk.Text | None = None  # paint runs before it exists
        super().__init__(master, "input", edge="border", radius=7)
        self._on_change, self._reported, self._pending, self._rest_ms = on_change, text, "", rest_ms
        self._wrong = self._focused = False
        self.reason = ""
        self.inner = tk.Text(
            self, height=lines, width=20, wrap="word", undo=True, maxundo=500, autoseparators=True, bd=0,
            highlightthickness=0, padx=px(2), pady=px(2), font=theme.font("body"),
        )  # fmt: skip
        self.inner.insert("1.0", text)
        self.inner.edit_reset()
        self._bar = SlimBar(self, self.inner.yview_moveto)
        self.inner.configure(yscrollcommand=self._moved)
        self.inner.pack(side="left", fill="both", expand=True, padx=(px(6), 0), pady=px(4))
        self._listen(self.inner)
        self.paint()

    def _listen(self, inner: tk.Text) -> None:
        inner.bind("<<Modified>>", lambda _: self._modified())
        inner.bind("<FocusIn>", lambda _: self._focus(True))
        inner.bind("<FocusOut>", lambda _: self._focus(False))
        inner.bind("<Tab>", lambda _: self._leave(inner.tk_focusNext()))
        for sequence in ("<Shift-Tab>", "<<PrevWindow>>"):
            inner.bind(sequence, lambda _: self._leave(inner.tk_focusPrev()))
        for sequence in ("<Control-a>", "<Control-A>"):
            inner.bind(sequence, self._select_all)
        inner.bind("<Control-z>", lambda event: self._undo(event, inner.edit_undo, "undo"))
        for sequence in ("<Control-Shift-Z>", "<Control-Shift-z>", "<Control-y>"):
            inner.bind(sequence, lambda event: self._undo(event, inner.edit_redo, "redo"))

    def get(self) -> str:
        return self._text().get("1.0", "end-1c")

    def set(self, text: str) -> None:
        """Put `text` in, without telling anyone; what was before cannot be undone into it."""
        inner = self._text()
        self._forget()
        if text != self.get():
            state = str(inner.cget("state"))
            inner.configure(state="normal")
            inner.delete("1.0", "end")
            inner.insert("1.0", text)
            inner.configure(state="disabled" if state == "disabled" else "normal")
        inner.edit_reset()
        self._reported = text

    def invalid(self, wrong: bool) -> None:
        self._wrong = wrong
        self._edge_now()

    def disable(self, reason: str) -> None:
        self.reason = reason
        show_reason(self, over=self.inner)
        self._text().configure(state="disabled" if reason else "normal")

    def flush(self) -> None:
        """Tell of a change now."""
        self._forget()
        text = self.get()
        if text != self._reported:
            self._reported = text
            if self._on_change is not None:
                self._on_change(text)

    def focus_set(self) -> None:
        self._text().focus_set()

    def paint(self) -> None:
        super().paint()
        if self.inner is not None:
            fill, text = theme.colour("input"), theme.colour("text")
            self.inner.configure(
                bg=fill, fg=text, insertbackground=text, selectforeground=text,
                selectbackground=mixed(theme.colour("accent"), fill, 0.55),
            )  # fmt: skip

    def _text(self) -> tk.Text:
        assert self.inner is not None
        return self.inner

    def _edge_now(self) -> None:
        self.edge("error" if self._wrong else "accent" if self._focused else "border")

    def _modified(self) -> None:
        inner = self._text()
        if inner.edit_modified():
            inner.edit_modified(False)
            self._forget()
            self._pending = self.after(self._rest_ms, self.flush)

    def _forget(self) -> None:
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""

    def _focus(self, there: bool) -> None:
        self._focused = there
        self._edge_now()
        if not there:
            self.flush()

    def _leave(self, to: tk.Misc | None) -> str:
        if to is not None:
            to.focus_set()
        return "break"

    def _select_all(self, _: tk.Event[Any]) -> str:
        self._text().tag_add("sel", "1.0", "end-1c")
        return "break"

    def _undo(self, _: tk.Event[Any], act: Any, what: str) -> str | None:
        """Undo here if there is something, else let the window undo."""
        if not self._text().edit("can" + what):
            return None
        act()
        return "break"

    def _moved(self, first: float, last: float) -> None:
        self._bar.set(float(first), float(last))  # Tk hands over text
        if self._bar.needed:
            self._bar.place(relx=1.0, x=-px(2), y=px(4), anchor="ne", relheight=1.0, height=-px(8))
        else:
            self._bar.place_forget()
