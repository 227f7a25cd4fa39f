"""A sample as large as the window allows, with its prompt and settings; the arrows go to other steps and prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Button, Dialog, ImageView, Label, px, theme
from app.gui.run.run_source import SampleImage, by_prompt
from app.gui.session.open_external import open_external
from app.gui.session.run_history import parameters_in
from modules.language import tr

SHARE = 0.86  # of the window


class ImageViewer(Dialog):
    """Left and Right: steps; Up and Down: prompts. `name` says what is shown: "Step 1,800"."""

    def __init__(
        self,
        master: Any,
        context: AppContext,
        shots: Sequence[SampleImage],
        shot: SampleImage,
        *,
        name: Callable[[SampleImage], str] = lambda shot: tr("Step {step:,}", step=shot.step),
    ) -> None:
        window = master.winfo_toplevel()
        high = window.winfo_height() * SHARE / theme.scale
        wide = min(window.winfo_width() * SHARE / theme.scale, max(high, 480) * 1.2)
        super().__init__(master, tr("Sample"), width=wide, height=high)
        self.context, self.shot, self._called = context, shot, name
        self._rows = list(by_prompt(shots).values())
        self.words = Label(self.body, "", wrap=True)
        self.facts = Label(self.body, "", font="small", role="text2", wrap=True)
        self.facts.pack(side="bottom", fill="x")
        self.words.pack(side="bottom", fill="x", pady=(px(8), px(2)))
        self.view = ImageView(self.body, context.pictures, empty=tr("This image file no longer exists."), height=200)
        self.view.pack(fill="both", expand=True)
        for key, across, down in (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, -1), ("Down", 0, 1)):
            self.bind(f"<{key}>", lambda _, across=across, down=down: self.go(across, down))
        for words, across in ((tr("Previous"), -1), (tr("Next"), 1)):
            Button(self.footer, words, lambda across=across: self.go(across, 0)).pack(side="left", padx=(0, px(8)))
        Button(self.footer, tr("Open folder"), self._open_folder, kind="quiet", image="folder-open").pack(side="left")
        self._refresh()

    def go(self, across: int, down: int) -> str:
        """To another step of this prompt, or to the nearest step of another prompt."""
        row = next((i for i, shots in enumerate(self._rows) if self.shot in shots), 0)
        shots = self._rows[row]
        if down:
            other = self._rows[min(max(row + down, 0), len(self._rows) - 1)]
            self.shot = min(other, key=lambda shot: abs(shot.step - self.shot.step))
        else:
            at = min(max(shots.index(self.shot) + across, 0), len(shots) - 1)
            self.shot = shots[at]
        self._refresh()
        return "break"

    def _refresh(self) -> None:
        self.view.show(self.shot.path if self.shot.path.is_file() else None)
        self.words.set(self.shot.prompt or tr("(empty prompt)"))
        facts = settings_in(self.shot.path)
        self.facts.set(self._called(self.shot) + (f"   ·   {facts}" if facts else ""))

    def _open_folder(self) -> None:
        if problem := open_external(self.shot.path.parent):
            self.context.notify(problem)


def settings_in(path: Path) -> str:
    """The negative prompt and settings that a PNG carries; "" for none. Reads its head only."""
    lines = [line for line in parameters_in(path).splitlines()[1:] if line]
    return "   ·   ".join(lines).replace(", Version: Seachange", "")
