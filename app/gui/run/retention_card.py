"""What was learnt against what was forgotten: a dot for each measurement, the balance of now, and the prompts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.gui.draft.problem_labels import note_text
from app.gui.kit import Badge, Band, Bar, BarList, Card, Dot, DotPath, Flow, Frame, Label, PathChart, ScrollArea, px
from app.gui.run.run_source import PastRun, RunSource, SampleImage
from modules.language import tr
from modules.messages import Retention

KEPT, OVERWRITTEN = 0.4, 1.4  # of what is forgotten: the ends of the first two bands
BANDS = ((KEPT, "good", "kept"), (OVERWRITTEN, "changed", "partly overwritten"), (9e9, "error", "overwritten"))
LEAST = (1.8, 1.2)  # of both axes
WIDE = 560  # pixels of the card from which the list of prompts stands beside the chart
LIST_SHARE = 0.38
ROOM = 52  # pixels around title, balance and link
MOST_SAMPLES = 4  # under the pointer


class RetentionCard(Card):
    """`follow([source])` or two of them; `refresh` draws what came since.

    Args:
        on_pick: called with the measurement that was clicked, and a widget that stands there.
        thumb: as of `Pictures`: shows samples under the pointer and beside the prompts.
    """

    def __init__(
        self, master: Any, on_pick: Callable[[Retention, Any], object] = lambda event, under: None, thumb: Any = None
    ) -> None:
        super().__init__(master, tr("Learnt / forgotten"), action=tr("Per prompt"), on_action=self._turn)
        self._on_pick = on_pick
        self._sources: Sequence[RunSource] = ()
        self._drawn: object = None
        self._listed: bool | None = None  # chosen by the person; None: as there is room
        self.balance = Badge(self, "")  # in the head, or below it where there is no room
        bands = [Band(end, role, tr(words)) for end, role, words in BANDS]
        titles = tr("forgotten"), tr("learnt")
        self.foot = Frame(self.body)
        self.foot.pack(side="bottom", fill="x")
        self.amount = Label(self.foot, "", font="small_bold")
        self.amount.pack(side="right")
        self.worst = Label(self.foot, "", font="small")
        self.worst.pack(side="right", padx=(0, px(4)))
        legend = Flow(self.foot)
        legend.pack(side="left", fill="x", expand=True)
        legend.add(
            _legend(legend, "\u2605", "changed", tr("saved model")),
            _legend(legend, "\u25ef", "good", tr("best balance")),
        )
        self.chart = PathChart(
            self.body, titles, bands, tr("balance 0"), least=LEAST, on_pick=self._picked, thumb=thumb
        )
        self.list = ScrollArea(self.body)
        self.heading = Label(self.list.body, "", font="small", role="text2")
        self.heading.pack(fill="x")
        self.bars = BarList(self.list.body, label_width=110, thumb=thumb)
        self.bars.pack(fill="x")
        self.why = Label(self.body, "", role="text2", wrap=True, anchor="center")
        self._anchor = Frame(self.chart, width=1, height=1)
        self.bind("<Configure>", lambda _: self._arrange(), add=True)

    def follow(self, sources: Sequence[RunSource]) -> None:
        """Show these from their beginning."""
        self._sources, self._drawn = sources, None
        self.refresh()

    def refresh(self) -> None:
        now = [(source.generation, *source.lengths()[2:], len(source.shots)) for source in self._sources]
        if now != self._drawn:
            self._drawn = now
            self.chart.show(paths_of(self._sources))
            self._show_latest()
            self._arrange()

    @property
    def latest(self) -> Retention | None:
        """The last measurement of the first run."""
        return self._sources[0].retentions[-1] if self._sources and self._sources[0].retentions else None

    def _show_latest(self) -> None:
        latest = self.latest
        if latest is None:
            self.why.set(why_none(self._sources[0]) if self._sources else "")
            return
        self.balance.set(tr("balance {value:+.2f}", value=latest.balance), "good" if latest.balance >= 0 else "error")
        prompts = sorted(latest.prompts, key=lambda each: -each[1])
        seen = before_and_now(self._sources[0].shots)
        known = tr("Prompts that the base knows")
        pictured = any(prompt in seen for prompt, _ in prompts)
        self.heading.set(tr("{known} \u00b7 base, now", known=known) if pictured else known)
        none = (None, None) if pictured else ()
        self.bars.show(
            [Bar(prompt, value, f"{value:.2f}", band_of(value), seen.get(prompt, none)) for prompt, value in prompts]
        )
        if prompts:
            prompt, value = prompts[0]
            self.worst.set(tr("Worst: \u201c{prompt}\u201d", prompt=prompt))
            self.amount.set(f"{value:.2f}", band_of(value))

    def _turn(self) -> None:
        self._listed = not self._list_shown
        self._arrange()

    @property
    def _list_shown(self) -> bool:
        return self.winfo_width() >= px(WIDE) if self._listed is None else self._listed

    @property
    def _head_has_room(self) -> bool:
        parts = (self.title, self.link, self.balance)
        return sum(part.winfo_reqwidth() for part in parts if part) + px(ROOM) <= self.winfo_width()

    def _arrange(self) -> None:
        """Chart, list, or both side by side; or why there is neither."""
        some, wide = any(source.retentions for source in self._sources), self.winfo_width() >= px(WIDE)
        shown = (some and (wide or not self._list_shown), some and self._list_shown, not some, self._head_has_room)
        if shown == getattr(self, "_arranged", None):
            return
        self._arranged = shown
        for part in (self.chart, self.list, self.why, self.foot):
            part.pack_forget()
        self.balance.pack_forget()
        self.action(tr("Per prompt") if some and (wide or not self._list_shown) else tr("Chart") if some else "")
        if not some:
            self.why.pack(fill="both", expand=True)
            return
        if self._head_has_room:
            self.balance.pack(in_=self.head, side="right", padx=(0, px(8)))
        else:
            self.balance.pack(in_=self.body, side="top", anchor="e")
        self.foot.pack(side="bottom", fill="x")
        if self._list_shown:
            self.list.configure(width=int(self.winfo_width() * LIST_SHARE))
            self.list.pack(side="right", fill="both", expand=not wide, padx=(px(14) if wide else 0, 0))
        if shown[0]:
            self.chart.pack(side="left", fill="both", expand=True)

    def _picked(self, event: Retention, x: int, y: int) -> None:
        self._anchor.place(x=x, y=y)
        self._on_pick(event, self._anchor)


def _legend(master: Flow, sign: str, role: str, words: str) -> Frame:
    made = Frame(master)
    Label(made, sign, font="small_bold", role=role).pack(side="left", padx=(0, px(4)))
    Label(made, words, font="small", role="text2").pack(side="left", padx=(0, px(4)))
    return made


def paths_of(sources: Sequence[RunSource]) -> list[DotPath]:
    """The measurements as dots. A second run with other points cannot be compared, and is grey."""
    points = {source.retentions[-1].points for source in sources[:1] if source.retentions}
    found: list[DotPath] = []
    for index, source in enumerate(sources):
        events = source.retentions
        models = {mark.step for mark in source.marks if mark.kind == "model"}
        best = events[-1].best_step if events else -1
        grey = index > 0 and bool(events) and bool(points) and events[-1].points not in points
        alone = len(sources) == 1
        shots = samples_at(source.shots, [event.step for event in events])
        dots = [
            _dot(event, event is events[-1], models, best, some, alone=alone)
            for event, some in zip(events, shots, strict=True)
        ]
        found.append(DotPath(dots, source.title, grey))
    return found


def samples_at(shots: Sequence[SampleImage], steps: Sequence[int]) -> list[list[SampleImage]]:
    """The newest samples of the preset's prompts at each of these steps."""
    by_step: dict[int, list[SampleImage]] = {}
    for shot in sorted(shots, key=lambda shot: shot.number):
        if shot.number:
            by_step.setdefault(shot.step, []).append(shot)
    drawn = sorted(by_step)
    places = [bisect_right(drawn, step) for step in steps]
    return [by_step[drawn[place - 1]] if place else [] for place in places]


def before_and_now(shots: Sequence[SampleImage]) -> dict[str, tuple[Path | None, ...]]:
    """Of each prompt that was sampled: what the base made of it, if that is there, and the newest picture."""
    found: dict[str, tuple[Path | None, ...]] = {}
    for shot in sorted(shots, key=lambda shot: shot.step):
        first = found[shot.prompt][0] if shot.prompt in found else None if shot.step else shot.path
        found[shot.prompt] = first, shot.path
    return found


def _dot(
    event: Retention, last: bool, models: set[int], best: int, shots: Sequence[SampleImage], *, alone: bool
) -> Dot:
    learnt = event.balance + event.forgotten
    label = tr("{step:,} (now)", step=event.step) if last and alone else f"{event.step:,}"
    words = tr(
        "step {step:,}\nlearnt {learnt:.2f}\nforgotten {forgotten:.2f}\nbalance {balance:+.2f}",
        step=event.step, learnt=learnt, forgotten=event.forgotten, balance=event.balance,
    )  # fmt: skip
    if shots and shots[0].step != event.step:
        words += "\n" + tr("samples of step {step:,}:", step=shots[0].step)
    pictures = [shot.path for shot in shots[:MOST_SAMPLES]]
    star, ring = event.step in models, event.step == best
    return Dot(event.forgotten, learnt, label, words, star, ring, event, pictures)


def band_of(forgotten: float) -> str:
    """The role of the band in which it lies."""
    return next(role for end, role, _ in BANDS if forgotten < end)


def why_none(source: RunSource) -> str:
    """Why there is no measurement, in one line."""
    if source.remarks:
        return note_text(source.remarks[-1])
    preset = source.run.preset if isinstance(source, PastRun) else None
    if preset is not None and not preset.examine.enabled:
        return tr("Not measured: \u201cMeasure what is forgotten\u201d was off in this run.")
    if isinstance(source, PastRun):
        return tr("Not measured: this run is of an earlier version, or was too short.")
    return tr("What was learnt and forgotten appears here once it has been measured.")
