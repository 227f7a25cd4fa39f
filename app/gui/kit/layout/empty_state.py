"""Where there is nothing yet: an icon, one sentence, one button. Never a blank grey box."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from app.gui.kit.base.frame import Frame
from app.gui.kit.base.label import Label
from app.gui.kit.base.theme import px
from app.gui.kit.controls.button import Button


class EmptyState(Frame):
    """Centred in what it is given."""

    def __init__(
        self,
        master: tk.Misc,
        image: str,
        sentence: str,
        button: str = "",
        on_press: Callable[[], object] = lambda: None,
        *,
        button_image: str = "",
    ) -> None:
        super().__init__(master)
        middle = Frame(self)
        middle.place(relx=0.5, rely=0.45, anchor="center", relwidth=0.9)
        self.configure(height=px(200))
        Label(middle, image=image, role="text3", size=40, anchor="center").pack(pady=(0, px(12)))
        self.sentence = Label(middle, sentence, role="text2", anchor="center", wrap=True)
        self.sentence.pack(fill="x")
        self.button: Button | None = None
        if button:
            self.button = Button(middle, button, on_press, kind="primary", image=button_image)
            self.button.pack(pady=(px(14), 0))
