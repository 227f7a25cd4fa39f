"""What the next showings of an image say, a line each, with their tokens: the chance in a caption at one glance."""

from __future__ import annotations

from collections.abc import Sequence

from app.gui.captions.token_count import chunk_size, token_counter
from app.gui.captions.token_lines import Counter
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Frame, Label, px
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import plural, tr

DRAWS = 5
LETTERS = 170  # of a caption that are shown


class CaptionVariants(Frame):
    """Lines "Epoch 3 | caption | 12 tokens"; one sentence where every showing says the same."""

    def __init__(self, master: Frame, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self._captions: Sequence[str] = ()
        self._counter: Counter | None = None
        self._model: tuple[str, str] | None = None
        self._counting: WorkerPoll[Counter] = WorkerPoll(self, self._arrived, self._failed)
        self.until_destroyed(self._counting.cancel)
        self.title = Label(self, "", font="small", role="text2")
        self.title.grid(row=0, column=0, columnspan=3, sticky="w", pady=(px(10), px(2)))
        self.columnconfigure(1, weight=1)
        self._rows: list[tuple[Label, Label, Label]] = []

    @property
    def lines(self) -> list[str]:
        """What is shown, for whoever looks."""
        return [text.cget("text") for _, text, _ in self._rows if text.winfo_manager()]

    def show(self, captions: Sequence[str], first: int) -> None:
        """The captions of the epochs from `first` on, counted from 0."""
        self._captions = captions
        model = (str(self._context.draft.get("model.family")), str(self._context.draft.get("model.source")))
        if model != self._model:
            self._model, self._counter = model, None
            self._counting.start(Worker(lambda *_: token_counter(*model)))
        same = len(set(captions)) == 1
        self.title.set(tr("Same caption in every epoch") if same else tr("The next epochs") if captions else "")
        while len(self._rows) < len(captions):
            self._rows.append((
                Label(self, font="small", role="text3", anchor="nw"), Label(self, font="small", wrap=True),
                Label(self, font="small", role="text2", anchor="nw"),
            ))  # fmt: skip
        for place, labels in enumerate(self._rows):
            if place < (1 if same else len(captions)):
                text = captions[place]
                labels[0].set("" if same else tr("Epoch {epoch:,}", epoch=first + place + 1))
                short = text if len(text) <= LETTERS else f"{text[:LETTERS]} …"
                labels[1].set(short or tr("(no caption)"), "text" if text else "text2")
                labels[0].grid(row=place + 1, column=0, sticky="nw")
                labels[1].grid(row=place + 1, column=1, sticky="ew", padx=(0 if same else px(10), px(10)))
                labels[2].grid(row=place + 1, column=2, sticky="ne")
            else:
                for label in labels:
                    label.grid_forget()
        self._count()

    def _arrived(self, count: Counter) -> None:
        self._counter = count
        self._count()

    def _failed(self, error: UserError) -> None:
        self.title.set(error.text(WORDS), "error")

    def _count(self) -> None:
        size = chunk_size(str(self._context.draft.get("model.family")))
        for (_, _, label), caption in zip(self._rows, self._captions, strict=False):
            tokens = max(self._counter(caption), default=0) if self._counter else 0
            words = plural(tokens, "1 token", "{count:,} tokens")
            label.set(words if self._counter else "", "text2" if tokens <= size else "changed")
