"""The rows of the queue in words: what each job is, how far it is, when it will be done. No widgets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.gui.draft.choice_labels import choice_label
from app.gui.draft.problem_labels import WORDS
from app.gui.jobs.trial_groups import tried_text
from app.gui.kit import ListHead, ListRow
from app.gui.session.number_format import clock, coarse, done_at
from modules.catalog import FAMILIES
from modules.jobs.entry import Entry
from modules.language import plural, tr
from modules.messages import Train
from modules.preset.paths import Values
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Problem
from modules.tools import TOOLS
from modules.trials.groups import group_name
from modules.trials.values import current

IMAGES = {
    "waiting": ("clock", "text2"), "running": ("loader", "accent"), "paused": ("pause", "changed"),
    "failed": ("circle-alert", "error"), "finished": ("check", "good"), "skipped": ("circle-alert", "changed"),
}  # fmt: skip
SUBJECTS = ("run", "model", "models", "images", "folder", "source", "preset", "path", "checkpoint", "lora")
OWN = "own"  # the key of the run that this window started by its button


@dataclass(frozen=True, slots=True)
class OwnRun:
    """The run of this window that is no part of the queue."""

    name: str
    step: int
    steps: int
    seconds_left: float
    state: str  # in words, while it has no steps; or that it is paused


@dataclass(frozen=True, slots=True)
class Span:
    """When an entry will begin and end, in seconds from now, as far as that is known."""

    begins: float
    ends: float


def items_of(entries: Sequence[Entry], own: OwnRun | None, on: bool, now: float) -> list[ListHead | ListRow]:
    """All of the page: what runs, what waits, what is over."""
    running = [entry for entry in entries if entry.state == "running"]
    waiting = [entry for entry in entries if entry.state in ("waiting", "paused")]
    over = [entry for entry in entries if entry.state in ("failed", "finished", "skipped")]
    spans = spans_of(running, waiting, own) if on or running or own else {}
    items: list[ListHead | ListRow] = []
    if running or own:
        items.append(ListHead(tr("Running")))
        items += [own_row(own)] if own else []
        items += [row_of(entry, entries, now) for entry in running]
    if waiting:
        items.append(ListHead(waiting_text(waiting, spans)))
        items += [_folded(part, entries, spans, now) for part in folded(waiting)]
    if over:
        items.append(ListHead(over_text(over, now), tr("Clear"), "over"))
        items += [_folded(part, entries, {}, now) for part in folded(sorted(over, key=lambda each: -(each.ended or 0)))]
    return items


def _folded(part: Sequence[Entry], entries: Sequence[Entry], spans: dict[int, Span], now: float) -> ListRow:
    if len(part) == 1:
        return row_of(part[0], entries, now, spans.get(part[0].id))
    return group_row(part, spans)


def folded(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Neighbours of one set of tried values that stand alike are one row."""
    part: list[Entry] = []
    for entry in entries:
        alike = part and entry.group and (entry.group, entry.state) == (part[0].group, part[0].state)
        if part and not (alike and entry.state in ("waiting", "finished")):
            yield part
            part = []
        part.append(entry)
    if part:
        yield part


# Rows -----------------------------------------------------------------------------------------------------------------


def own_row(own: OwnRun) -> ListRow:
    """The run that this window was told to start at once."""
    far = tr("Step {step:,} of {steps:,}", step=own.step, steps=own.steps) if own.steps else own.state
    left = tr("{time} left", time=clock(own.seconds_left)) if own.seconds_left > 0 else ""
    end = done_at(own.seconds_left) if own.seconds_left > 0 else ""
    share = own.step / own.steps if own.steps else 0.0
    return ListRow(OWN, own.name, tr("started in this window"), *IMAGES["running"], far, "text", left, share,
                   end=end, bold=True)  # fmt: skip


def row_of(entry: Entry, entries: Sequence[Entry], now: float, span: Span | None = None) -> ListRow:
    """One entry."""
    key, title, below = entry.id, tr(entry.title), below_of(entry, entries)
    image, role = IMAGES[entry.state]
    match entry.state:
        case "running":
            return _running(entry, title, below)
        case "waiting":
            end = span_text(span, now) if span else ""
            return ListRow(key, title, below, image, role, estimate_text(entry), end=end, moves=True)
        case "paused":
            far = _step_text(entry, tr("Paused at step {step:,}", step=entry.step), tr("Paused"))
            share = entry.step / entry.total if entry.total else 0.0
            links = (("resume", tr("Resume")),)
            return ListRow(key, title, below, image, role, far, "text", share=share, bar_role="changed", links=links,
                           moves=True)  # fmt: skip
        case "finished":
            links = (("results", tr("Results")),) if entry.group else ()
            return ListRow(key, title, below, image, role, result_text(entry), "text", end=ended_text(entry),
                           links=links)  # fmt: skip
        case "failed" | "skipped":
            return _failed(entry, title, below)


def _running(entry: Entry, title: str, below: str) -> ListRow:
    left = tr("{time} left", time=clock(entry.seconds_left)) if entry.seconds_left else ""
    end = done_at(entry.seconds_left) if entry.seconds_left else ""
    share = entry.step / entry.total if entry.total else 0.0
    links = (("results", tr("Results")),) if entry.group else ()
    far = {"pause": tr("Stopping, with a backup"), "remove": tr("Stopping, with a backup")}.get(entry.wish)
    return ListRow(entry.id, title, below, *IMAGES["running"], far or far_text(entry), "text", left, share, end=end,
                   bold=True, links=links)  # fmt: skip


def _failed(entry: Entry, title: str, below: str) -> ListRow:
    why = WORDS.headline(entry.problems[0]) if entry.problems else ""
    why = why or next(iter(entry.details.strip().splitlines()[-1:]), "") or tr("It failed.")
    links = [("log", tr("Show log"))] if entry.folder or entry.details else []
    role = "error" if entry.state == "failed" else "changed"
    return ListRow(entry.id, title, below, *IMAGES[entry.state], why, role,
                   links=(*links, ("retry", tr("Try again"))))  # fmt: skip


def group_row(part: Sequence[Entry], spans: dict[int, Span]) -> ListRow:
    """Neighbours of one set, as one; its key is those of all of them."""
    first, last, ids = part[0], part[-1], tuple(entry.id for entry in part)
    title = plural(len(part), "{name}: 1 run", "{name}: {count} runs", name=group_name(first.group))
    below = tr("try values \u00b7 {what}", what=tried_text(part))
    image, role = IMAGES[first.state]
    links = (("results", tr("Results")),)
    if first.state == "finished":
        return ListRow(ids, title, below, image, role, end=ended_text(part[0]), links=links)
    each = tr("{time} each", time=coarse(first.estimate)) if first.estimate else ""
    both = spans.get(first.id), spans.get(last.id)
    whole = Span(both[0].begins, both[1].ends) if both[0] and both[1] else None
    end = span_text(whole, time.time()) if whole else ""
    return ListRow(ids, title, below, image, role, each, end=end, links=links, moves=True)


# Words ----------------------------------------------------------------------------------------------------------------


def below_of(entry: Entry, entries: Sequence[Entry]) -> str:
    """What a job is: "LoRA · SD 1.5 · 3,000 steps"; "grid · after “Blueprint style”"."""
    parts = _run_parts(entry.job.preset) if isinstance(entry.job, Train) else _tool_parts(entry)
    other = next((each for each in entries if each.id == entry.after), None)
    if other is not None and entry.state in ("waiting", "paused", "skipped"):
        parts = [*parts[:2], tr("after “{name}”", name=tr(other.title))]
    return " \u00b7 ".join(filter(None, parts))


def _run_parts(values: Values) -> list[str]:
    steps, epochs = int(current(values, "training.steps")), int(current(values, "training.epochs"))
    long = plural(steps, "1 step", "{count:,} steps") if steps else plural(epochs, "1 epoch", "{count:,} epochs")
    card = FAMILIES.get(str(current(values, "model.family")))
    return [choice_label("method.kind", current(values, "method.kind")), card.title if card else "", long]


def _tool_parts(entry: Entry) -> list[str]:
    if entry.job is None or isinstance(entry.job, Train):
        return [tr("of another release")]
    tool, settings = TOOLS.get(entry.job.name), entry.job.settings
    named = (settings.get(name) for name in SUBJECTS)
    subject = next((_name_in(value) for value in named if value), "")
    return [tr(tool.title) if tool and tool.title != entry.title else "", subject]


def _name_in(value: Any) -> str:
    """Of a file or folder, or the first of several."""
    first = value[0] if isinstance(value, list) and value else value
    return Path(first).name if isinstance(first, str) else ""


def far_text(entry: Entry) -> str:
    """How far it is."""
    stage = WORDS.what(Problem(entry.stage)) if entry.stage in CATALOGUE else ""
    if not entry.total:
        return f"{stage} \u2026" if stage else tr("Getting ready") + " \u2026"
    step = tr("Step {step:,} of {steps:,}", step=entry.step, steps=entry.total)
    if entry.is_run:
        return f"{step} \u00b7 {stage}" if stage else step
    return tr("{title}: {done:,} of {total:,}", title=stage or tr("Working"), done=entry.step, total=entry.total)


def _step_text(entry: Entry, with_step: str, without: str) -> str:
    return with_step if entry.step else without


def result_text(entry: Entry) -> str:
    """What came of it: "learnt 0.88 · forgotten 0.61"."""
    named = {"learnt": tr("learnt"), "forgotten": tr("forgotten"), "loss": tr("loss")}
    found = [(words, entry.results[name]) for name, words in named.items() if name in entry.results]
    if len(found) > 1 and "learnt" in entry.results:
        found = found[:2]
    if found:
        return " \u00b7 ".join(f"{words} {value:.{4 if words == tr('loss') else 2}f}" for words, value in found)
    return tr("Written: {path}", path=Path(entry.folder).name) if entry.folder and not entry.is_run else tr("Done.")


def estimate_text(entry: Entry) -> str:
    """ "about 12 min"; nothing where nobody knows."""
    return tr("about {time}", time=coarse(entry.estimate)) if entry.estimate else ""


def ended_text(entry: Entry) -> str:
    """ "21:02 · 27 min" """
    if not entry.ended:
        return ""
    took = coarse(entry.ended - entry.started) if entry.started else ""
    return " \u00b7 ".join(filter(None, [f"{datetime.fromtimestamp(entry.ended):%H:%M}", took]))


def waiting_text(waiting: Sequence[Entry], spans: dict[int, Span]) -> str:
    """ "Waiting · 5 · about 4 h 20 min, done 04:04" """
    counted = [entry for entry in waiting if entry.state == "waiting"]
    if not counted:
        return f"{tr('Paused')} \u00b7 {len(waiting)}"
    parts = [tr("Waiting"), f"{len(counted)}"]
    known = [entry.estimate for entry in counted if entry.estimate]
    if counted and len(known) == len(counted):
        ends = max((spans[entry.id].ends for entry in counted if entry.id in spans), default=0.0)
        about = tr("about {time}", time=coarse(sum(known)))
        parts.append(f"{about}, {done_at(ends)}" if ends else about)
    return " \u00b7 ".join(parts)


def over_text(over: Sequence[Entry], now: float) -> str:
    """ "Finished today · 2" """
    today = datetime.fromtimestamp(now).date()
    whole = all(datetime.fromtimestamp(entry.ended or now).date() == today for entry in over)
    return f"{tr('Finished today') if whole else tr('Finished')} \u00b7 {len(over)}"


# Times ----------------------------------------------------------------------------------------------------------------


def spans_of(running: Sequence[Entry], waiting: Sequence[Entry], own: OwnRun | None) -> dict[int, Span]:
    """When each that waits will begin and end: one after another, up to the first of which nobody knows how long."""
    lefts = [entry.seconds_left for entry in running] + ([own.seconds_left or None] if own else [])
    if any(left is None for left in lefts):
        return {}
    at, found = max((left for left in lefts if left is not None), default=0.0), dict[int, Span]()
    for entry in waiting:
        if entry.state != "waiting":
            continue
        if not entry.estimate:
            break
        found[entry.id] = Span(at, at + entry.estimate)
        at += entry.estimate
    return found


def span_text(span: Span, now: float) -> str:
    """ "23:41 to 01:02" """
    begins, ends = (datetime.fromtimestamp(now + each) for each in (span.begins, span.ends))
    return tr("{begin} to {end}", begin=f"{begins:%H:%M}", end=f"{ends:%H:%M}")


def counts_text(entries: Sequence[Entry], own: OwnRun | None) -> str:
    """ "1 running, 5 waiting, 1 paused" """
    count = {state: sum(entry.state == state for entry in entries) for state in ("running", "waiting", "paused")}
    count["running"] += own is not None
    words = {"running": "{count} running", "waiting": "{count} waiting", "paused": "{count} paused"}
    return ", ".join(tr(words[state], count=number) for state, number in count.items() if number)
