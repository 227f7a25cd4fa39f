"""What the model is usually sampled with, and the offer to set prompts so that were made for another one."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.draft.choice_labels import choice_label
from app.gui.kit import Frame, Label, LinkButton, px
from modules.language import tr
from modules.preset.usual_sampling import better_sampling, usual_sampling


class SamplingHint(Frame):
    """Empty, until prompts ask for steps, guidance or a sampler that do not suit the model."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self._shown: dict[str, Any] | None = None
        self.until_destroyed(context.draft.watch("", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        values = self._context.draft.values
        changes, usual = better_sampling(values), usual_sampling(values)
        if changes == self._shown:
            return
        self._shown = changes
        self.clear()
        if usual is None or not changes:
            self.configure(height=1)
            return
        words = tr(
            "This model is usually sampled with {sampler}, {steps} steps and guidance {guidance:g}. Your samples ask "
            "for what does not suit it.",
            sampler=choice_label("sampling.prompts.0.sampler", usual.sampler), steps=usual.steps,
            guidance=usual.guidance,
        )  # fmt: skip
        Label(self, words, font="small", role="changed", wrap=True).pack(fill="x", padx=px(2))
        LinkButton(self, tr("Set samples to what is usual"), self._set).pack(anchor="w", pady=(0, px(4)))

    def _set(self) -> None:
        self._context.draft.apply(self._shown or {}, tr("Samples as is usual"))
