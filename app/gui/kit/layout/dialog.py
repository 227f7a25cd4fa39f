"""A question or a small form in a window of its own, over the main window, which waits."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.kit.base.frame import Divider, Frame
from app.gui.kit.base.label import Label
from app.gui.kit.base.theme import Painted, px, theme
from app.gui.kit.controls.button import Button, Kind
from modules.language import tr


@dataclass(frozen=True)
class Answer:
    """A button of a dialog: its words, what the dialog answers, its look."""

    label: str
    value: Any = None
    kind: Kind = "plain"
    image: str = ""


class Dialog(Painted, tk.Toplevel):
    """Build into `dialog.body`; it shows itself when the window is idle.

    Escape and the cross of the window answer None. Return presses the last button, unless the focus is on another one
    or in a text of several lines.

    Args:
        title: what the title bar and the head say.
        message: words under the head, wrapped.
        answers: the buttons, from left to right; the last is the one that Return presses. None: one that closes.
        on_close: called with the answer after the dialog has gone.
        check: called with an answer before closing; False keeps the dialog open.
    """

    surface = "card"

    def __init__(
        self,
        master: tk.Misc,
        title: str,
        message: str = "",
        answers: Sequence[Answer] | None = None,
        on_close: Callable[[Any], object] | None = None,
        *,
        check: Callable[[Any], bool] | None = None,
        width: float = 460,
        height: float = 0,
    ) -> None:
        self._over = master.winfo_toplevel()
        super().__init__(self._over, bd=0, highlightthickness=px(1))
        self.withdraw()
        self.title(title)
        self._size = (width, height)
        self._on_close, self._check = on_close, check
        self._focus_before = self._over.focus_get()
        self.answer: Any = None
        self._heading = Label(self, title, font="section")
        self._heading.pack(fill="x", padx=px(20), pady=(px(18), px(4)))
        if message:
            words = Label(self, message, role="text2", wrap=True)
            words.configure(wraplength=px(width) - 2 * px(20) - 2)
            words.pack(fill="x", padx=px(20), pady=(0, px(6)))
        self.footer = Frame(self)
        self.footer.pack(side="bottom", fill="x", padx=px(20), pady=px(14))
        Divider(self).pack(side="bottom", fill="x")
        self.body = Frame(self)
        self.body.pack(fill="both", expand=True, padx=px(20), pady=(px(4), px(12)))
        self.buttons: list[Button] = []
        for each in reversed(answers if answers is not None else (Answer(tr("Close")),)):
            press = self._pressing(each.value)
            button = Button(self.footer, each.label, press, kind=each.kind, image=each.image)
            button.pack(side="right", padx=(px(8), 0))
            self.buttons.insert(0, button)
        self.bind("<Escape>", lambda _: self.close(None))
        self.bind("<Return>", lambda _: self._return())
        self.bind("<Control-Return>", lambda _: self.buttons[-1].press() if self.buttons else None)
        self.protocol("WM_DELETE_WINDOW", lambda: self.close(None))
        self.follow_theme()
        self._shower = self.after_idle(self._show)

    def close(self, answer: Any) -> None:
        """Answer and go. Does nothing when it has gone already."""
        if not self.winfo_exists():
            return
        self.answer = answer
        self.grab_release()
        before = self._focus_before
        self.destroy()
        if before is not None and before.winfo_exists():
            before.focus_set()
        if self._on_close is not None:
            self._on_close(answer)

    def rename(self, title: str) -> None:
        """Another title."""
        self.title(title)
        self._heading.set(title)

    def wait(self) -> Any:
        """Wait for the answer, while the window stays alive."""
        self.wait_window(self)
        return self.answer

    def paint(self) -> None:
        edge = theme.colour("border")
        self.configure(bg=theme.colour("card"), highlightbackground=edge, highlightcolor=edge)

    def destroy(self) -> None:
        self.after_cancel(self._shower)
        super().destroy()

    def _pressing(self, value: Any) -> Callable[[], None]:
        def press() -> None:
            if value is None or self._check is None or self._check(value):
                self.close(value)

        return press

    def _return(self) -> None:
        if not isinstance(self.focus_get(), tk.Text) and self.buttons:
            self.buttons[-1].press()

    def _show(self) -> None:
        self.update_idletasks()
        wide = min(max(px(self._size[0]), self.footer.winfo_reqwidth() + 2 * px(20)), self.winfo_screenwidth())
        self.geometry(f"{wide}x{self.winfo_reqheight()}")
        self.update_idletasks()
        high = min(px(self._size[1]) or self.winfo_reqheight(), self.winfo_screenheight() - px(60))
        over = self._over
        left = over.winfo_rootx() + (over.winfo_width() - wide) // 2
        top = over.winfo_rooty() + max((over.winfo_height() - high) // 3, 0)
        self.geometry(f"{wide}x{high}+{max(left, 0)}+{max(top, 0)}")
        if over.winfo_viewable():
            self.transient(over)  # pyright: ignore[reportCallIssue, reportArgumentType]
        self.deiconify()
        self.lift()
        self._take_over()

    def _take_over(self) -> None:
        """Input goes here only, as soon as it is on the screen.

        Tk's `wait_visibility` may wait in vain: without a window manager the window is there before the wait begins.
        """
        if self.winfo_viewable():
            self.grab_set()
            self._focus_inside()
            self._shower = self.after_idle(self.fit)
        elif self.winfo_exists():
            self._shower = self.after(10, self._take_over)

    def fit(self, again: int = 3) -> None:
        """As high as it needs: lines are wrapped at the width that they get on the screen, and more may have come."""
        high = min(self.winfo_reqheight(), self.winfo_screenheight() - px(60))
        if not self._size[1] and high > self.winfo_height():
            self.geometry(f"{self.winfo_width()}x{high}")
        if again:
            self._shower = self.after(1, lambda: self.fit(again - 1))

    def _focus_inside(self) -> None:
        """On what asked for it while it was built, else the first thing that can be filled in, else the last button."""
        asked = self.focus_lastfor()
        if asked is None or asked is self:
            self.update_idletasks()  # only what is on the screen can be next
            first = self.body.tk_focusNext()
            filled = first is not None and str(first).startswith(f"{self.body}.")
            asked = first if filled else self.buttons[-1] if self.buttons else self
        if asked is not None:
            asked.focus_force()


def ask(master: tk.Misc, title: str, message: str, answers: Sequence[Answer]) -> Any:
    """The value of the button that was pressed; None for Escape."""
    return Dialog(master, title, message, answers).wait()
