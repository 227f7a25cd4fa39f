"""The card of distilled models: the training adapters they are trained with, and a word where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import PureWindowsPath
from typing import Any, cast

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.form.list_editor import ListEditor, ListLabels
from app.gui.form.model.origin_line import HUB
from app.gui.form.model.variants import likely_variants
from app.gui.kit import Card, Frame, Label, LinkButton, px
from app.gui.session.model_files import VARIANT, model_called
from app.gui.session.open_external import open_external
from modules.catalog import FAMILIES
from modules.language import tr
from modules.preset.paths import Values
from modules.sentences.problem import Problem

ADAPTERS = ListLabels(
    "Training adapter", "Add a training adapter",
    "On while training, off while sampling: a LoRA file that keeps a distilled model one of few steps.", seldom=True,
)  # fmt: skip


class DistilledHint(Frame):
    """Empty, until a model of few steps is trained without a training adapter."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self._shown: object = None
        self.until_destroyed(context.draft.watch("", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        source = str(self._context.draft.get("model.source")) if self._spoils() else ""
        known = next((each.adapter for each in likely_variants(self._context)), "") if source else ""
        now = (source, known, self._context.draft.get(VARIANT))
        if now == self._shown:
            return
        self._shown = now
        self.clear()
        self.configure(height=1)
        if source:
            named = PureWindowsPath(model_called(self._context.draft)).name
            problem = Problem("model.distilled-training", values={"model": named})
            Label(self, WORDS.headline(problem), font="small", role="changed", wrap=True, image="triangle-alert").pack(
                fill="x", padx=px(2)
            )
        if known:
            words = tr("Get {name} from Hugging Face", name=known)
            LinkButton(self, words, partial(open_external, f"{HUB}{known}")).pack(anchor="w", pady=(0, px(4)))

    def _spoils(self) -> bool:
        draft = self._context.draft
        laid = cast("list[Values]", draft.get("model.training_adapters"))
        if any(each["enabled"] and each["path"] and each["strength"] for each in laid):
            return False
        trains = draft.get("training.denoiser.train") and draft.get("method.kind") != "embedding"
        return bool(trains) and is_distilled(self._context)


class DistilledCard(Card):
    """The card itself. `wanted`: whether there is anything to show."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, tr("Distilled model"))
        self._context = context
        DistilledHint(self.body, context).pack(fill="x")
        self.list = ListEditor(self.body, context, "model.training_adapters", ADAPTERS)
        self.list.pack(fill="x")

    def build(self) -> Iterator[None]:
        yield from self.list.build()

    @property
    def wanted(self) -> bool:
        return bool(self.list.entries()) or is_distilled(self._context)


def is_distilled(context: AppContext) -> bool:
    """Whether the base model draws in few steps, by its name."""
    draft = context.draft
    return FAMILIES[str(draft.get("model.family"))].is_distilled(model_called(draft))
