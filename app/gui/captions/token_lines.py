"""How long each line of a caption is for the model that is chosen, counted with its own tokenizers."""

from __future__ import annotations

from collections.abc import Callable

from app.gui.captions.token_count import chunk_size, token_counter
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Frame, Label
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.data.text.captions import with_affixes
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.preset.sections.concept import Concept

MOST_LINES = 6
Counter = Callable[[str], list[int]]


class TokenLines(Frame):
    """A line of words for each line of the caption. The tokenizers are read beside the window when first needed."""

    def __init__(self, master: Frame, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self._labels: list[Label] = []
        self._counter: Counter | None = None
        self._model: tuple[str, str] | None = None
        self._shown_for: tuple[list[str], Values | None] = ([], None)
        self._waiting: WorkerPoll[Counter] = WorkerPoll(self, self._arrived, self._failed)
        self.until_destroyed(self._waiting.cancel)

    def show(self, lines: list[str], concept: Values | None) -> None:
        """Count these lines as training reads them: between the prefix and the suffix of their concept."""
        self._shown_for = (lines, concept)
        draft = self._context.draft
        model = (str(draft.get("model.family")), str(draft.get("model.source")))
        if model != self._model:
            self._model, self._counter = model, None
            self._waiting.start(Worker(lambda *_: token_counter(*model)))
        if self._counter is not None:
            self._write(self._counter)

    def _arrived(self, count: Counter) -> None:
        self._counter = count
        self._write(count)

    def _failed(self, error: UserError) -> None:
        self._lay([(error.text(WORDS), "error")])

    def _write(self, count: Counter) -> None:
        lines, concept = self._shown_for
        around = [str(concept[name]) if concept else "" for name in ("trigger", "prefix", "suffix")]
        read = Concept.model_construct(trigger=around[0], prefix=around[1], suffix=around[2])
        most = int(self._context.draft.get("model.max_chunks"))
        size = chunk_size(str(self._context.draft.get("model.family")))
        texts: list[tuple[str, str]] = []
        for number, line in enumerate(lines[:MOST_LINES], 1):
            tokens = max(count(with_affixes(line, read)), default=0)
            name = tr("Line {number}: ", number=number) if len(lines) > 1 else ""
            texts.append((f"{name}{in_words(tokens, most, size)}", "text2" if tokens <= size else "changed"))
        if len(lines) > MOST_LINES:
            texts.append((plural(len(lines) - MOST_LINES, "and 1 more line", "and {count} more lines"), "text2"))
        if len(lines) > 1:
            texts.append((tr("{count} lines: one of them is picked at random each time", count=len(lines)), "text3"))
        self._lay(texts or [(tr("No caption: this image is trained with an empty caption"), "changed")])

    def _lay(self, texts: list[tuple[str, str]]) -> None:
        while len(self._labels) < len(texts):
            self._labels.append(Label(self, font="small", role="text2", wrap=True))
        for place, label in enumerate(self._labels):
            if place < len(texts):
                label.set(*texts[place])
                label.pack(fill="x")
            else:
                label.pack_forget()


def in_words(tokens: int, most_chunks: int, size: int) -> str:
    """ "93 tokens: more than 75, read in 2 chunks". `size`: tokens of a chunk."""
    if tokens <= size:
        return tr("{tokens} of {size} tokens", tokens=tokens, size=size)
    words = plural(tokens, "1 token", "{count:,} tokens")
    pieces = -(-tokens // size)
    if pieces > most_chunks:
        return tr("{words}: too long, cut after {chunks}", words=words, chunks=_chunks_text(most_chunks, size))
    pieces_text = _chunks_text(pieces, size)
    return tr("{words}: more than {most}, read in {chunks}", words=words, most=size, chunks=pieces_text)


def _chunks_text(count: int, size: int) -> str:
    return plural(count, "1 chunk of {tokens}", "{count} chunks of {tokens}", tokens=size)
