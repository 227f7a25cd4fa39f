"""The card of the text encoders: which there are, whether they are trained, and what becomes of the captions."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Card, Label, LinkButton, Switch, px
from app.gui.session.model_files import files_of, model_called
from modules.catalog import ComponentSpec, FamilyCard
from modules.language import tr
from modules.system.headers.parts import wanted_parts

CLIP_TOKENS = 75
WIDTHS = (191, 70, 110, 110)


class TextEncodersCard(Card):
    """A row for each text encoder of the family."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master, tr("Text encoders"))
        self._context, self._files = context, files_of(context)
        self._shown: object = None
        for column, width in enumerate(WIDTHS):
            self.body.columnconfigure(column, minsize=px(width))
        self.body.columnconfigure(len(WIDTHS), weight=1)
        self.until_destroyed(context.draft.watch("", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        draft, card = self._context.draft, self._files.card
        source = model_called(draft)
        now = (card.title, source, draft.get("method.kind"), draft.get("model.max_chunks"))
        now = (*now, *(draft.get(f"training.{name}") for name in card.text_encoders))
        if now == self._shown:
            return
        self._shown = now
        self.body.clear()
        for column, words in enumerate(("", tr("Train"), tr("Learning rate"), tr("Max tokens"), tr("Captions"))):
            Label(self.body, words, font="small", role="text2").grid(row=0, column=column, sticky="w")
        for number, name in enumerate(card.text_encoders, start=1):
            self._row(number, card, card.component(name), source)

    def _row(self, number: int, card: FamilyCard, spec: ComponentSpec, source: str) -> None:
        draft, path = self._context.draft, f"training.{spec.name}"
        trained, named = bool(draft.get(f"{path}.train")), wanted_parts(card, spec, source)[0].name
        reason = self._reason(spec)
        trained = trained and not reason
        title = tr("{number} · {name}", number=number, name=named) if len(card.text_encoders) > 1 else named
        switch = Switch(self.body, trained, partial(draft.put, f"{path}.train"))
        switch.disable(reason)
        rate: Any = Label(self.body, tr("frozen"), role="text2")
        if trained:
            own = draft.get(f"{path}.learning_rate") or draft.get("training.learning_rate")
            rate = LinkButton(self.body, f"{own:g}", partial(self._context.go, "training", f"{path}.learning_rate"))
        chunks = int(draft.get("model.max_chunks") or 1) if card.uses("model.max_chunks") else 1
        tokens = CLIP_TOKENS * chunks if spec.kind == "clip" else card.chunk_size
        captions = tr("encoded each step: trained") if trained else tr("cached")
        told = f"{captions}, {reason[:1].lower()}{reason[1:]}" if reason else captions
        row: tuple[Any, ...] = (
            Label(self.body, title), switch, rate, Label(self.body, f"{tokens:,}", role="text2"),
            Label(self.body, told, font="small", role="text2", wrap=True),
        )  # fmt: skip
        for column, widget in enumerate(row):
            left = px(13) if column == 0 else 0
            widget.grid(
                row=number, column=column, sticky="ew" if column == len(WIDTHS) else "w", pady=px(3), padx=(left, 0)
            )

    def _reason(self, spec: ComponentSpec) -> str:
        """Why it cannot be trained; "" if it can."""
        if not spec.trainable:
            return tr("Cannot be trained")
        if self._context.draft.get("method.kind") == "embedding":
            return tr("An embedding trains only its words")
        return ""
