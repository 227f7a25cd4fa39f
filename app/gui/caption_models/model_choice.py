"""Which model: the usual ones with size and licence, a folder, or any name on Hugging Face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Choice, Entry, Frame, Label, Option, px
from modules.captioning.kinds import CaptionModel, model_is_here, usual_model
from modules.language import tr
from modules.text import in_bytes

FOLDER, NAME = "\0folder", "\0name"


class ModelChoice(Frame):
    """`model` is what the tool takes: a name or a folder."""

    def __init__(
        self, master: Any, context: AppContext, models: Sequence[CaptionModel], model: str,
        on_change: Callable[[], object],
    ) -> None:  # fmt: skip
        super().__init__(master)
        self._context, self._models, self._on_change = context, models, on_change
        self.model = model or models[0].name
        self.choice = Choice(self, [], self.model, self._chosen)
        self.choice.pack(fill="x")
        self.name = Entry(self, placeholder=tr("owner/model"), on_done=self._named)
        self.about = Label(self, "", font="small", role="text2", wrap=True)
        self.about.pack(fill="x", pady=(px(3), 0))
        self.refresh()

    @property
    def missing(self) -> bool:
        """Whether it has to be downloaded first."""
        return not model_is_here(self.model)

    @property
    def size(self) -> int:
        """About, in bytes; 0 where that is not known."""
        known = usual_model(self.model)
        return known.size if known else 0

    def refresh(self) -> None:
        """What is on this computer now."""
        options = [
            Option(each.name, each.title, " \u00b7 ".join(filter(None, [in_bytes(each.size), tr(each.note)])))
            for each in self._models
        ]
        if self.model not in [each.name for each in self._models]:
            options.append(Option(self.model, self.model.replace("\\", "/").rpartition("/")[2]))
        others = [Option(FOLDER, tr("A folder \u2026")), Option(NAME, tr("A name on Hugging Face \u2026"))]
        self.choice.offer([*options, *others])
        self.choice.set(self.model)
        known = usual_model(self.model)
        facts = [in_bytes(known.size), known.licence] if known else []
        facts.insert(0, tr("not downloaded") if self.missing else tr("on this computer"))
        self.about.set(" \u00b7 ".join(facts))

    def _chosen(self, model: str) -> None:
        self.name.pack_forget()
        if model == NAME:
            self.name.pack(fill="x", pady=(px(4), 0), after=self.choice)
            self.name.focus_set()
            return
        if model == FOLDER:
            folder = self._context.app.ask_folder(tr("A model as a folder"))
            model = str(folder) if folder else self.model
        self._take(model)

    def _named(self, text: str) -> None:
        if text.strip():
            self.name.pack_forget()
            self._take(text.strip())

    def _take(self, model: str) -> None:
        self.model = model
        self.refresh()
        self._on_change()
