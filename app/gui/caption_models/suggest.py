"""The link "Suggest": a caption of one image, by the model that was used last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.caption_models.job import CaptionJob
from app.gui.caption_models.shots import settings_of_concept
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import LinkButton, tip
from app.gui.run_control import busy_reason
from modules.captioning.kinds import model_is_here
from modules.data.source.source import DataFile
from modules.errors import UserError
from modules.language import tr
from modules.preset.paths import Values

REMEMBERED = "captioning"  # in the state of the window: what the dialog asked for last


class Suggest(LinkButton):
    """A second press stops it.

    Args:
        image: the image of now with the settings of its concept; None where there is none.
        take: gets a caption for the image that was asked for.
    """

    def __init__(
        self, master: Any, context: AppContext, image: Callable[[], tuple[Values, DataFile] | None],
        take: Callable[[DataFile, str], object],
    ) -> None:  # fmt: skip
        super().__init__(master, tr("Suggest"), self._press)
        self._context, self._image, self._take = context, image, take
        self.job = CaptionJob(context, self._heard)
        self._file: DataFile | None = None
        tip(self, tr("A caption by the model that was used last under “Make captions”"))
        self.until_destroyed(context.running.listen(self.job.heard))

    def _press(self) -> None:
        asked, running = self._image(), self._context.running
        if self.job.going:
            self.job.stop()
        elif running.busy:
            self._context.notify(busy_reason(running.what))
        elif asked is not None:
            self._start(*asked)

    def _start(self, concept: Values, file: DataFile) -> None:
        last: Values = dict(self._context.window_state.get(REMEMBERED, dict))
        kind = "tags" if last.get("kind", "tags") == "tags" else "sentences"
        model = str(last.get("tagger" if kind == "tags" else "captioner", ""))
        if not model or not model_is_here(model):
            self._context.notify(tr("Choose a model under “Make captions” first."))
            return
        self._file = file
        values = settings_of_concept(concept) | last | {"kind": kind, "only": [str(file)]}
        try:
            self.job.start(values, previews=True)
        except UserError as error:
            self._context.notify(error.text(WORDS), role="error")

    def _heard(self) -> None:
        if not self.winfo_exists():
            return
        self.set(tr("Stop") if self.job.going else tr("Suggest"))
        if self.job.going or self._file is None:
            return
        file, self._file = self._file, None
        made = next((each for (image, _), each in self.job.made.items() if image == str(file)), None)
        self.job.made.clear()
        if self.job.failure:
            self._context.notify(self.job.failure, role="error")
        elif made is not None and made.problems:
            self._context.notify(WORDS.line(made.problems[0]), role="changed")
        elif made is not None:
            self._take(file, made.text)
