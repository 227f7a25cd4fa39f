"""The numbers of one concept, counted beside the window: images, captions, sizes, buckets, equal files."""

from __future__ import annotations

from app.gui.concepts.card import not_read
from app.gui.concepts.dataset_scan import Statistics, count
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Bar, BarList, Button, Frame, Label, Progress, ScrollArea, px
from app.gui.session.number_format import TIMES
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import plural, tr
from modules.text import percent, percent_done

MOST_BUCKETS = 16
MOST_NAMED = 6


class ConceptStatistics(Frame):
    """Counts when it is first shown (`begin`), and again when asked; can be cancelled."""

    def __init__(self, master: Frame, context: AppContext, number: int) -> None:
        super().__init__(master)
        self._context, self._number = context, number
        head = Frame(self)
        head.pack(fill="x", pady=(0, px(8)))
        self._words = Label(head, role="text2")
        self._words.pack(side="left")
        self._button = Button(head, tr("Count"), self._press, width=120)
        self._button.pack(side="right")
        self._progress = Progress(self, 0.0)
        self._area = ScrollArea(self)
        self._area.pack(fill="both", expand=True)
        self._waiting: WorkerPoll[Statistics] = WorkerPoll(self, self._show, self._failed, self._advance)
        self.until_destroyed(self._waiting.cancel)
        self.asked = False

    def begin(self) -> None:
        """Count for the first time."""
        if not self.asked:
            self._count()

    def stale(self) -> None:
        """The settings of the concept have changed: what is shown is no longer so."""
        if self.asked and not self._waiting.busy:
            self._words.set(tr("Settings changed since this was counted"), "changed")

    def _press(self) -> None:
        if self._waiting.busy:
            self._waiting.cancel()
            self._stand(tr("Cancelled"), "text2")
        else:
            self._count()

    def _count(self) -> None:
        self.asked = True
        self._progress.set(0.0)
        self._progress.pack(fill="x", pady=(0, px(10)), before=self._area)
        self._words.set(tr("Reading image files"), "text2")
        self._button.set(tr("Cancel"))
        self._waiting.start(count(self._context.draft.preset(), self._number))

    def _advance(self, done: int, total: int) -> None:
        self._progress.set(done / total if total else None)
        if total:
            self._words.set(tr("Reading image files: {percent}", percent=percent_done(done, total)), "text2")

    def _stand(self, words: str, role: str) -> None:
        self._progress.pack_forget()
        self._button.set(tr("Count again"))
        self._words.set(words, role)

    def _failed(self, error: UserError) -> None:
        self._area.body.clear()
        self._stand(tr("Could not be counted"), "error")
        Label(self._area.body, error.text(WORDS), wrap=True).pack(fill="x")

    def _show(self, found: Statistics) -> None:
        self._stand(tr("As the files are now"), "text2")
        body = self._area.body
        body.clear()
        table = Frame(body)
        table.pack(fill="x")
        for row, (label, words, role) in enumerate(statistics_lines(found)):
            Label(table, label, role="text2").grid(row=row, column=0, sticky="nw", padx=(0, px(20)), pady=px(3))
            Label(table, words, role=role, wrap=True).grid(row=row, column=1, sticky="ew", pady=px(3))
        table.columnconfigure(1, weight=1)
        self._head(tr("Buckets"))
        bars = BarList(body, label_width=110)
        bars.pack(fill="x")
        bars.show(bucket_bars(found))
        self._list_names(tr("Duplicate files"), [" = ".join(p.name for p in group) for group in found.duplicates])
        self._list_names(tr("Skipped"), [f"{bad.name}: {WORDS.what(bad.reason)}" for bad in found.bad])

    def _head(self, title: str) -> None:
        Label(self._area.body, title, font="bold").pack(fill="x", pady=(px(14), px(4)))

    def _list_names(self, title: str, names: list[str]) -> None:
        if names:
            self._head(title)
            more = [tr("and {count:,} more", count=len(names) - MOST_NAMED)] if len(names) > MOST_NAMED else []
            Label(self._area.body, "\n".join([*names[:MOST_NAMED], *more]), wrap=True).pack(fill="x")


def statistics_lines(found: Statistics) -> list[tuple[str, str, str]]:
    """Label, words and the role of their colour."""
    lines = [
        (tr("Images"), f"{found.images:,}", "text"),
        (tr("With a caption"), f"{found.captioned:,}", "text"),
        (
            tr("Without a caption"),
            f"{found.missing:,}" if found.missing else tr("none"),
            "changed" if found.missing else "text",
        ),
        (tr("Total captions"), f"{found.alternatives:,}", "text"),
        (tr("Total pixels"), tr("{pixels:,.1f} megapixels", pixels=found.pixels / 1000000.0), "text"),
    ]
    if found.made:
        made = tr("{made:,} of {images:,}", made=found.made, images=found.images)
        lines.append((tr("Made by a model"), made, "text"))
    if found.masks:
        masks = tr(
            "{masks:,} of {images:,}; on average {share} is masked out", masks=found.masks, images=found.images,
            share=percent(found.masked_out),
        )  # fmt: skip
        lines.append((tr("Masks"), masks, "text"))
    if found.smallest:
        file, width, height = found.smallest
        lines.append((tr("Smallest"), f"{file.name}, {width} {TIMES} {height}", "text"))
    if found.enlarged:
        lines.append(
            (tr("Upscaled"), tr("{enlarged:,}: smaller than their bucket", enlarged=found.enlarged), "changed")
        )
    equal = sum(len(group) - 1 for group in found.duplicates)
    lines.append((tr("Duplicate files"), f"{equal:,}" if equal else tr("none"), "changed" if equal else "text"))
    if found.bad:
        lines.append((tr("Skipped"), tr("{count:,} cannot be used", count=len(found.bad)), "error"))
    if found.not_taken:
        lines.append((tr("Other kinds"), not_read(found.not_taken), "changed"))
    return lines


def bucket_bars(found: Statistics) -> list[Bar]:
    """The fullest buckets, as width and height; the others together in the last bar."""
    bars = [Bar(f"{width} {TIMES} {height}", images) for (height, width), images in found.buckets.items()]
    if len(bars) > MOST_BUCKETS:
        rest = bars[MOST_BUCKETS - 1 :]
        bars = [
            *bars[: MOST_BUCKETS - 1],
            Bar(plural(len(rest), "1 other", "{count} others"), sum(bar.value for bar in rest)),
        ]
    return bars
