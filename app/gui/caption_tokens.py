"""How long each line of a caption is for the model that is chosen, counted with its own tokenizers."""

from __future__ import annotations

from collections.abc import Callable

from app.gui.background import Background
from app.gui.desk import Desk
from app.gui.kit import Frame, Label
from app.gui.tokens import ROOM, chunks, counter
from app.gui.waiting import Waiting
from modules.data.captions import framed
from modules.errors import UserError
from modules.preset.concepts import Concept
from modules.preset.paths import Values

MOST_LINES = 6
Counter = Callable[[str], list[int]]


class TokenLines(Frame):
    """A line of words for each line of the caption. The tokenizers are read beside the window when first needed."""

    def __init__(self, master: Frame, desk: Desk) -> None:
        super().__init__(master)
        self._desk = desk
        self._labels: list[Label] = []
        self._counter: Counter | None = None
        self._model: tuple[str, str] | None = None
        self._said: tuple[list[str], Values | None] = ([], None)
        self._waiting: Waiting[Counter] = Waiting(self, self._arrived, self._failed)

    def show(self, lines: list[str], concept: Values | None) -> None:
        """Count these lines as training reads them: between the prefix and the suffix of their concept."""
        self._said = (lines, concept)
        draft = self._desk.draft
        model = (str(draft.get("model.family")), str(draft.get("model.source")))
        if model != self._model:
            self._model, self._counter = model, None
            self._waiting.start(Background(lambda *_: counter(*model)))
        if self._counter is not None:
            self._write(self._counter)

    def destroy(self) -> None:
        self._waiting.cancel()
        super().destroy()

    def _arrived(self, count: Counter) -> None:
        self._counter = count
        self._write(count)

    def _failed(self, error: UserError) -> None:
        self._lay([(str(error), "error")])

    def _write(self, count: Counter) -> None:
        lines, concept = self._said
        around = [str(concept[name]) if concept else "" for name in ("trigger", "prefix", "suffix")]
        read = Concept.model_construct(trigger=around[0], prefix=around[1], suffix=around[2])
        most = int(self._desk.draft.get("model.max_chunks"))
        said: list[tuple[str, str]] = []
        for number, line in enumerate(lines[:MOST_LINES], 1):
            tokens = max(count(framed(line, read)), default=0)
            name = f"Line {number}: " if len(lines) > 1 else ""
            said.append((f"{name}{in_words(tokens, most)}", "text2" if tokens <= ROOM else "changed"))
        if len(lines) > MOST_LINES:
            said.append((f"and {len(lines) - MOST_LINES} lines more", "text2"))
        if len(lines) > 1:
            said.append((f"{len(lines)} lines: each showing draws one of them", "text3"))
        self._lay(said or [("No caption: this image is shown without words", "changed")])

    def _lay(self, said: list[tuple[str, str]]) -> None:
        while len(self._labels) < len(said):
            self._labels.append(Label(self, font="small", role="text2", wrap=True))
        for place, label in enumerate(self._labels):
            if place < len(said):
                label.set(*said[place])
                label.pack(fill="x")
            else:
                label.pack_forget()


def in_words(tokens: int, most_chunks: int) -> str:
    """ "93 tokens: more than 75, read in 2 chunks"."""
    words = "1 token" if tokens == 1 else f"{tokens:,} tokens"
    if tokens <= ROOM:
        return words
    pieces = chunks(tokens)
    if pieces > most_chunks:
        return f"{words}: too long, cut after {most_chunks} chunks of {ROOM}"
    return f"{words}: more than {ROOM}, read in {pieces} chunks"
