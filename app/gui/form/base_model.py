"""What the base model's own header says of its type, and the offer to set "Model type" to it."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.draft.choice_labels import choice_label
from app.gui.kit import Frame, Label, LinkButton, px
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import tr
from modules.system.bundled import resolve
from modules.system.headers.parts import family_of_model


def family_of_source(source: str) -> str:
    """The family of the base model that this names; "" if it does not tell, or is not on this machine."""
    try:
        return family_of_model(resolve(source)) if source else ""
    except (UserError, OSError, ValueError):
        return ""  # what is wrong with it is told when it is opened


class BaseModelHint(Frame):
    """Empty, until the file that was chosen is plainly of another type than "Model type" says."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self._source = ""
        self._family = ""  # of that source
        self._reading = WorkerPoll[str](self, self._read)
        self._end = context.draft.watch("model", lambda _: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Read the header if there is another file, and offer what it says."""
        source = str(self._context.draft.get("model.source"))
        if source != self._source:
            self._source, self._family = source, ""
            self._reading.start(Worker(lambda *_: family_of_source(source)))
        self._show()

    def _read(self, family: str) -> None:
        self._family = family
        self._show()

    def _show(self) -> None:
        self.clear()
        if self._family in ("", self._context.draft.get("model.family")):
            self.configure(height=1)
            return
        title = choice_label("model.family", self._family)
        Label(self, tr("This is a {title} model.", title=title), font="small", role="changed", wrap=True).pack(
            fill="x", padx=px(2)
        )
        LinkButton(self, tr("Set Model type to {title}", title=title), self._set).pack(anchor="w", pady=(0, px(4)))

    def _set(self) -> None:
        self._context.draft.put("model.family", self._family)

    def destroy(self) -> None:
        self._end()
        self._reading.cancel()
        super().destroy()
