"""Where a model of the hub comes from: under which licence, and whether its terms must be accepted first."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.gui.context import AppContext
from app.gui.form.model.variants import likely_variants
from app.gui.kit import Frame, Label, LinkButton, px
from app.gui.session.model_files import Judged, files_of
from app.gui.session.open_external import open_external
from modules.catalog import Variant
from modules.language import tr
from modules.system.hub import looks_like_hub_name

HUB = "https://huggingface.co/"


class OriginLine(Frame):
    """Empty, or a line about the model on the hub that is fetched, whole or what a file lacks of it."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context, self._files = context, files_of(context)
        self._shown: object = None
        self.until_destroyed(self._files.listen(self.refresh), context.draft.watch("model", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        variant, lacking = self._fetched()
        if (variant, lacking) == self._shown:
            return
        self._shown = (variant, lacking)
        self.clear()
        self.configure(height=1)
        if variant is not None:
            words = " · ".join(_words(variant, lacking))
            role = "changed" if variant.gated else "text2"
            Label(self, words, font="small", role=role, wrap=True).pack(fill="x", padx=px(2))
            link = partial(open_external, f"{HUB}{variant.repo}")
            LinkButton(self, f"{HUB}{variant.repo}".removeprefix("https://"), link).pack(anchor="w", pady=(0, px(4)))

    def _fetched(self) -> tuple[Variant | None, tuple[str, ...]]:
        """What comes from the hub, and which components of it; none: all."""
        draft, card = self._context.draft, self._files.card
        source = str(draft.get("model.source"))
        by_name = next((each for each in card.variants if each.repo == source), None)
        if by_name or looks_like_hub_name(source):
            return by_name, ()
        part, likely = (self._files.of("denoiser") or Judged()).part, likely_variants(self._context)
        others = [name for name in card.component_names if name != "denoiser" and not draft.get(f"model.{name}")]
        lacking = tuple(name for name in others if part and part.is_file and name not in part.inside)
        variant = next(iter(likely or card.variants), None)
        return (variant, lacking) if lacking and variant and variant.repo else (None, ())


def _words(variant: Variant, lacking: tuple[str, ...]) -> list[str]:
    found = [tr("{name}, {licence}", name=variant.title, licence=variant.licence)] if variant.licence else []
    if lacking:
        found = [tr("What is empty below is fetched once from Hugging Face"), *found]
    if variant.gated:
        found.append(tr("gated: accept its terms on its page, then log in with `hf auth login` or set HF_TOKEN"))
    return found or [variant.title]
