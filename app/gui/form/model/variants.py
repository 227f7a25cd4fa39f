"""Which model of its family it is (base or Turbo, 4B or 9B): told by the file, set, or chosen by name on the hub."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Frame, Label, LinkButton, Option, Segmented, px
from app.gui.session.model_files import VARIANT, Judged, files_of, model_called
from modules.catalog import FamilyCard, Variant
from modules.language import tr

FOUND = {"model.source", "model.family"}  # with another one of these, what was set of the last model is over


class VariantRow(Frame):
    """Empty where a family has one model. A name of the hub is changed for another one; of files it is set."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context, self._files = context, files_of(context)
        self._shown: object = None
        self.until_destroyed(self._files.listen(self.refresh), context.draft.watch("model", self._changed))
        self.refresh()

    def _changed(self, paths: frozenset[str]) -> None:
        draft = self._context.draft
        chosen = "" not in paths and VARIANT not in paths and paths & FOUND and not draft.can_redo
        if chosen and draft.get(VARIANT) != "auto":
            draft.put(VARIANT, "auto")
        self.refresh()

    def refresh(self) -> None:
        draft, card, likely = self._context.draft, self._files.card, likely_variants(self._context)
        now = (card.title, draft.get("model.source"), draft.get(VARIANT), tuple(each.title for each in likely))
        if now == self._shown:
            return
        self._shown = now
        by_keyboard = str(self.focus_get() or "").startswith(f"{self}.")
        self.clear()
        self.configure(height=1)
        if card.variant_titles:
            segments = self._show(card, likely)
            if by_keyboard:
                segments.focus_set()

    def _show(self, card: FamilyCard, likely: list[Variant]) -> Segmented:
        source, is_set = str(self._context.draft.get("model.source")), self._context.draft.get(VARIANT) != "auto"
        by_name = not source or any(each.repo == source for each in card.variants)
        possible = card.possible_variants(_numbers(self._context))
        labels = {
            each.title: label or tr("Base") for each, label in zip(card.variants, card.variant_labels, strict=True)
        }
        sizes = tr("The size of the file tells that it is another one.")
        mine = likely[0] if len(likely) == 1 else None if by_name else (likely or possible)[0]
        options = [
            Option(each.title, labels[each.title], reason="" if by_name or each in possible else sizes)
            for each in card.variants
        ]
        segments = Segmented(self, options, mine.title if mine else None, self._choose)
        segments.pack(side="left", pady=(px(2), px(4)))
        if is_set and not by_name:
            back = LinkButton(self, tr("Let the file tell"), lambda: self._context.draft.put(VARIANT, "auto"))
            back.pack(side="left", padx=(px(12), 0))
        elif mine and not by_name:
            taken = tr("taken for {name}: its name says nothing else", name=labels[mine.title])
            words = tr("read from the file") if len(likely) == 1 else taken
            label = Label(self, words, font="small", role="text2", wrap=True)
            label.pack(side="left", fill="x", expand=True, padx=(px(12), 0))
        return segments

    def _choose(self, title: str) -> None:
        draft, card = self._context.draft, self._files.card
        repos = {each.title: each.repo for each in card.variants}
        source = draft.get("model.source")
        if not source or source in repos.values():
            draft.put("model.source", repos[title])
        else:
            draft.put(VARIANT, title)


def likely_variants(context: AppContext) -> list[Variant]:
    """Those that the chosen base model may be."""
    called = model_called(context.draft)
    return files_of(context).card.likely_variants(called, _numbers(context)) if called else []


def _numbers(context: AppContext) -> int:
    """How many weights the denoiser's file holds; 0 while that is not known."""
    part = (files_of(context).of("denoiser") or Judged()).part
    return part.numbers if part else 0
