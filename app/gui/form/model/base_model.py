"""What the base model is by its own header, and the offer to set "Model type" to it."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.draft.choice_labels import choice_label
from app.gui.form.model.part_line import Judged, PartLine
from app.gui.kit import Frame, Label, LinkButton, px
from modules.language import tr


class BaseModelHint(Frame):
    """The line of the base model; an offer where the file is plainly of another type than "Model type" says."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self._source = self._family = ""  # of that source
        self._offer = Frame(self)
        self.until_destroyed(context.draft.watch("model", lambda _: self._show()))
        PartLine(self, context, "denoiser", heard=self._read).pack(fill="x")
        self._offer.pack(fill="x")

    def _read(self, found: Judged) -> None:
        self._family = found.part.family if found.part else ""
        self._source = str(self._context.draft.get("model.source"))
        self._show()

    def _show(self) -> None:
        draft = self._context.draft
        self._offer.clear()
        is_read = self._source == draft.get("model.source")
        if not is_read or self._family in ("", draft.get("model.family")):
            self._offer.configure(height=1)
            return
        title = choice_label("model.family", self._family)
        words = tr("This is a {title} model.", title=title)
        Label(self._offer, words, font="small", role="changed", wrap=True).pack(fill="x", padx=px(2))
        LinkButton(self._offer, tr("Set Model type to {title}", title=title), self._set).pack(
            anchor="w", pady=(0, px(4))
        )

    def _set(self) -> None:
        self._context.draft.put("model.family", self._family)
