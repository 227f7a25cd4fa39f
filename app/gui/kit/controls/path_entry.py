"""A file or a folder: typed, chosen in a dialog, or dropped on it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from app.gui.kit.base.file_dialogs import ask_folder, ask_open_file, ask_save_file
from app.gui.kit.base.frame import Frame
from app.gui.kit.base.theme import px
from app.gui.kit.controls.button import Button
from app.gui.kit.controls.dropping import accept_files
from app.gui.kit.controls.entry import Entry, OnChange
from modules.language import tr


class PathEntry(Frame):
    """An entry with a button that opens the dialog.

    Args:
        what: "file", "folder", "save" (a file to write), "model" (a file, or a folder by the second button), or
            "images" (a folder, or a file by the second button).
        kinds: what the dialog shows: [("Models", "*.safetensors *.gguf *.ckpt")].
        placeholder: "A file, a folder or a name on Hugging Face".
    """

    def __init__(
        self,
        master: tk.Misc,
        text: str = "",
        *,
        what: Literal["file", "folder", "save", "model", "images"] = "file",
        kinds: Sequence[tuple[str, str]] = (),
        on_change: OnChange | None = None,
        on_done: OnChange | None = None,
        placeholder: str = "",
    ) -> None:
        super().__init__(master)
        self._kinds = kinds
        self._on_change = on_change
        self.reason = ""
        self.buttons: list[Button] = []
        self.entry = Entry(self, text, on_change=on_change, on_done=on_done, placeholder=placeholder)
        self.inner = self.entry.inner
        self.columnconfigure(0, weight=1)
        self.entry.grid(row=0, column=0, sticky="ew")
        asks: dict[str, Callable[[], Path | None]] = {"file": self._file, "folder": self._folder, "save": self._save}
        buttons = {"model": ("file", "folder"), "images": ("folder", "file")}.get(what, (what,))
        looks = {
            "file": ("file-text", tr("Choose a file")),
            "folder": ("folder-open", tr("Choose a folder")),
            "save": ("save", tr("Choose where")),
        }
        for column, each in enumerate(buttons, start=1):
            image, hint = looks[each]
            button = Button(self, "", lambda ask=asks[each]: self._asked(ask), image=image, hint=hint, width=34)
            self.buttons.append(button)
            button.grid(row=0, column=column, padx=(px(6), 0))
        accept_files(self.entry, lambda paths: self._put(str(paths[0])))

    def get(self) -> str:
        return self.entry.get()

    def set(self, text: str) -> None:
        """Put `text` in, without telling anyone. Of a long path the end is seen: the name of the file."""
        self.entry.set(text)
        if self.inner is not self.focus_lastfor():
            self.inner.xview_moveto(1)

    def invalid(self, wrong: bool) -> None:
        self.entry.invalid(wrong)

    def disable(self, reason: str) -> None:
        self.reason = reason
        self.entry.disable(reason)
        for button in self.buttons:
            button.disable(reason)

    def focus_set(self) -> None:
        self.entry.focus_set()

    def _put(self, text: str) -> None:
        if text:
            self.entry.set(text)
            if self._on_change is not None:
                self._on_change(text)

    def _asked(self, ask: Callable[[], Path | None]) -> None:
        self._put(str(ask() or ""))

    def _start(self) -> Path | None:
        """The folder that the dialog opens: the nearest one that exists of what is typed."""
        here = Path(self.get()).expanduser()
        return next((place for place in (here, *here.parents) if place.is_dir()), None) if self.get() else None

    def _file(self) -> Path | None:
        return ask_open_file(self, tr("Choose a file"), self._kinds, self._start())

    def _folder(self) -> Path | None:
        return ask_folder(self, tr("Choose a folder"), self._start())

    def _save(self) -> Path | None:
        return ask_save_file(self, tr("Choose where"), kinds=self._kinds, folder=self._start())
