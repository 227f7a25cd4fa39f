"""A memory plan as rows and bars: what the cards of the page "Check" show of it. No widgets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Limit, MeterRow, Part
from modules.language import plural, tr
from modules.messages import CardFit, MemoryPlan, Rung
from modules.plan_text import held
from modules.text import GB, in_bytes, rate, whole_gb
from modules.wire import decode

NEARLY_FULL = 0.9  # of a card: amber
EXACTNESS = {"exact": "exact", "near": "near exact", "less": "less exact"}


def plan_from(answer: Mapping[str, Any]) -> MemoryPlan:
    """The plan in the engine's answer."""
    found = decode(json.dumps({"kind": MemoryPlan.__name__, **answer}))
    assert isinstance(found, MemoryPlan)
    return found


def _short_way(plan: MemoryPlan, rung: Rung) -> str:
    """ "int8, 14 of 57 blocks in RAM" """
    place = [tr("all on the card")] if plan.card else []
    if rung.offloaded:
        place = [tr("{count} of {of} blocks in RAM", count=rung.offloaded, of=rung.blocks)]
    return ", ".join([held(plan, rung.settings["model.quantization"]), *place])


def parts_of(rung: Rung) -> list[Part]:
    """The bar of a rung; the smallest parts are one."""
    shown = [part for part in rung.parts if part[1] >= 0.02 * rung.peak]
    rest = sum(size for label, size in rung.parts if (label, size) not in shown)
    named = [(WORDS.words(label), size) for label, size in shown] + ([(tr("Other"), rest)] if rest else [])
    return [Part(label, size, f"{size / GB:.1f}", in_bytes(size)) for label, size in named]


def limit_of(plan: MemoryPlan) -> Limit:
    words = tr("{total}, of which {usable:.1f} usable", total=whole_gb(plan.total), usable=plan.usable / GB)
    return Limit(plan.total, plan.usable, words)


def rung_rows(plan: MemoryPlan) -> Iterator[MeterRow]:
    """The ladder."""
    most = max([plan.total, *(rung.peak for rung in plan.rungs)])
    for number, rung in enumerate(plan.rungs):
        role = "error" if not rung.fits else "changed" if rung.peak > NEARLY_FULL * plan.usable else "good"
        pace = pace_of(rung.seconds) if rung.fits else tr("too large")
        yield MeterRow(
            number, _short_way(plan, rung), rung.peak / most, role, in_bytes(rung.peak),
            tr(EXACTNESS[rung.exactness]), pace, mark=plan.usable / most,
        )  # fmt: skip


def card_rows(plan: MemoryPlan) -> Iterator[MeterRow]:
    """Other cards."""
    for fit in plan.cards:
        share, size = fit.peak / max(fit.total, 1), whole_gb(fit.total)
        role = "error" if not fit.fits else "changed" if share > NEARLY_FULL else "good"
        yield MeterRow(
            fit.name, fit.name.removesuffix(f" {size}"), share, role, in_bytes(fit.peak), _result(plan, fit),
            second=size,
        )  # fmt: skip


def _result(plan: MemoryPlan, fit: CardFit) -> str:
    if not fit.fits:
        return tr("does not fit")
    blocks = [plural(fit.offloaded, "1 block in RAM", "{count} blocks in RAM")] if fit.offloaded else []
    return ", ".join(filter(None, [held(plan, fit.quantization), *blocks, pace_of(fit.seconds)]))


def pace_of(seconds: float) -> str:
    """ "2.4 s/it", "1.6 it/s"; empty where nobody knows."""
    return rate(1 / seconds) if seconds else ""
