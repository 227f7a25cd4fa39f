"""Which model of its family it is (base or Turbo, 4B or 9B): told by the file, or chosen by its name on the hub."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Frame, Label, Option, Segmented, px, tip
from app.gui.session.model_files import Judged, files_of
from modules.catalog import FamilyCard, Variant
from modules.language import tr
from modules.system.hub import looks_like_hub_name


class VariantRow(Frame):
    """Empty where a family has one model. A file tells which it is; a name of the hub is changed for another one."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context, self._files = context, files_of(context)
        self._shown: object = None
        self.until_destroyed(self._files.listen(self.refresh), context.draft.watch("model", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        card, source, likely = (
            self._files.card,
            str(self._context.draft.get("model.source")),
            likely_variants(self._context),
        )
        now = (card.title, source, tuple(each.title for each in likely))
        if now == self._shown:
            return
        self._shown = now
        self.clear()
        self.configure(height=1)
        if len(card.variants) > 1 and card.comes_in_parts:
            self._show(card, source, likely)

    def _show(self, card: FamilyCard, source: str, likely: list[Variant]) -> None:
        of_hub = not source or looks_like_hub_name(source)
        labels = {
            each.title: label or tr("Base") for each, label in zip(card.variants, card.variant_labels, strict=True)
        }
        told = tr("The file tells which one it is: by its size, and by its name where sizes are alike.")
        mine = likely[0] if len(likely) == 1 else None if of_hub else (likely or card.variants)[0]
        options = [
            Option(each.title, labels[each.title], reason="" if of_hub or each is mine else told)
            for each in card.variants
        ]
        segments = Segmented(self, options, mine.title if mine else None, self._choose)
        segments.pack(side="left", pady=(px(2), px(4)))
        if not of_hub and mine:
            tip(segments, told)
            taken = tr("taken for {name}: its name says nothing else", name=labels[mine.title])
            words = tr("read from the file") if len(likely) == 1 else taken
            Label(self, words, font="small", role="text2", wrap=True).pack(
                side="left", fill="x", expand=True, padx=(px(12), 0)
            )

    def _choose(self, title: str) -> None:
        variant = next(each for each in self._files.card.variants if each.title == title)
        self._context.draft.put("model.source", variant.repo)


def likely_variants(context: AppContext) -> list[Variant]:
    """Those that the chosen base model may be."""
    files, source = files_of(context), str(context.draft.get("model.source"))
    part = (files.of("denoiser") or Judged()).part
    return files.card.likely_variants(source, part.numbers if part else 0) if source else []
