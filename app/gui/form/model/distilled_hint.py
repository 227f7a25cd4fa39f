"""A distilled model that is trained as it is: said beside the model, and not only by the check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PureWindowsPath
from typing import Any, cast

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Frame, Label, LinkButton, px
from modules.catalog import FAMILIES
from modules.language import tr
from modules.preset.paths import Values
from modules.sentences.problem import Problem


class DistilledHint(Frame):
    """Empty, until a model of few steps is trained without a training adapter. `add`: makes room for one."""

    def __init__(self, master: Any, context: AppContext, add: Callable[[], object]) -> None:
        super().__init__(master)
        self._context, self._add = context, add
        self._shown = ""
        self.until_destroyed(context.draft.watch("", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        source = str(self._context.draft.get("model.source")) if self._spoils() else ""
        if source == self._shown:
            return
        self._shown = source
        self.clear()
        self.configure(height=1)
        if source:
            problem = Problem("model.distilled-training", values={"model": PureWindowsPath(source).name})
            Label(self, WORDS.headline(problem), font="small", role="changed", wrap=True).pack(fill="x", padx=px(2))
            LinkButton(self, tr("Add a training adapter"), self._add).pack(anchor="w", pady=(0, px(4)))

    def _spoils(self) -> bool:
        draft = self._context.draft
        laid = cast("list[Values]", draft.get("model.training_adapters"))
        if any(each["enabled"] and each["path"] and each["strength"] for each in laid):
            return False
        trains = draft.get("training.denoiser.train") and draft.get("method.kind") != "embedding"
        return bool(trains) and FAMILIES[str(draft.get("model.family"))].is_distilled(str(draft.get("model.source")))
