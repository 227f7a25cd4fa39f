"""A memory plan as sentences: rows of the catalogue, which the window, the log and the command line render."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modules.messages import MemoryPlan, Rung
from modules.sentences.problem import Problem, problem
from modules.sentences.render import PLAIN, Renderer
from modules.text import in_bytes


def plan_problem(plan: MemoryPlan) -> Problem:
    """What is done, and what it comes to; or how much is missing."""
    rung = plan.rungs[plan.chosen]
    values: dict[str, Any] = {"card": _card(plan), "how": how(plan, rung)}
    if not rung.fits:
        return problem("plan.short", **values, short=missing(plan), enough=enough(plan))
    return problem("plan.fits", **values, peak=rung.peak, total=plan.total, pace=_pace(rung.seconds))


def missing(plan: MemoryPlan) -> int:
    """Bytes, until it fits."""
    return max(plan.rungs[plan.chosen].peak - (plan.room or plan.usable), 1)


def enough(plan: MemoryPlan) -> list[Problem]:
    """The smallest change with which it fits, if one was found."""
    return [
        problem("plan.enough" if "what" in each.values else "plan.enough:all", **each.values) for each in plan.enough
    ]


def _card(plan: MemoryPlan) -> Problem:
    return problem("plan.card", name=plan.card) if plan.card else Problem("plan.main-memory")


def _pace(seconds: float) -> list[Problem]:
    return [problem("plan.pace", seconds=seconds)] if seconds else []


def how(plan: MemoryPlan, rung: Rung) -> list[Problem]:
    """How a rung holds a model and does its work, each thing a part of a sentence."""
    parts = [problem("plan.held", held=held(plan, str(rung.settings["model.quantization"])))]
    if rung.offloaded:
        parts.append(problem("plan.offloaded", count=rung.offloaded, of=rung.blocks))
    elif plan.card:
        parts.append(ON_CARD)
    if rung.checkpointed:
        whole = rung.checkpointed == rung.blocks
        counts: dict[str, Any] = {"count": rung.checkpointed, "of": rung.blocks}
        parts.append(problem("plan.checkpointed:all" if whole else "plan.checkpointed", **counts))
    if rung.settings.get("training.gradients") == "main_memory":
        parts.append(Problem("plan.gradients"))
    if rung.settings.get("general.compile") == "on":
        parts.append(Problem("plan.compiled"))
    if rung.batch_parts > 1:
        parts.append(problem("plan.batch-parts", count=rung.batch_parts))
    return parts


def way_problem(settings: Mapping[str, Any]) -> list[Problem]:
    """The same of settings alone."""
    quantization, share = settings["model.quantization"], settings["model.offload"]
    weights = Problem("plan.held:off") if quantization == "off" else problem("plan.held", held=quantization)
    twice = [Problem("plan.checkpointed:all")] if settings.get("training.gradient_checkpointing") == "all" else []
    twice += [Problem("plan.gradients")] if settings.get("training.gradients") == "main_memory" else []
    return [weights, *([problem("plan.offloaded:share", share=share)] if share != "none" else []), *twice]


def held(plan: MemoryPlan, quantization: str) -> str:
    """What frozen weights are held in: "int8", "bf16"."""
    return plan.dtype if quantization == "off" else quantization


ON_CARD = Problem("plan.on-card")
EXACTNESS = {"exact": Problem("plan.exact"), "near": Problem("plan.near"), "less": Problem("plan.less")}


def plan_lines(plan: MemoryPlan, words: Renderer = PLAIN) -> Iterator[str]:
    """The plan for a terminal: its sentence, its rungs, and what other cards would do."""
    yield words.what(plan_problem(plan))
    for number, rung in enumerate(plan.rungs):
        mark = ">" if number == plan.chosen else " "
        ways = ", ".join(words.what(each) for each in how(plan, rung))
        pace = _pace(rung.seconds) if rung.fits else [Problem("plan.too-large")]
        facts = [in_bytes(rung.peak), *map(words.what, [*pace, EXACTNESS[rung.exactness]])]
        yield f"  {mark} {ways}: {', '.join(fact.lstrip(', ') for fact in facts)}"
    for fit in plan.cards:
        aside = [problem("plan.aside", count=fit.offloaded)] if fit.offloaded else []
        facts = [in_bytes(fit.peak), held(plan, fit.quantization), *map(words.what, aside)]
        verdict = ", ".join(facts) if fit.fits else words.what(Problem("plan.too-small"))
        yield f"    {fit.name} ({in_bytes(fit.total)}): {verdict}"
