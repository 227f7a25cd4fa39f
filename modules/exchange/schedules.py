"""Learning rate schedules by the names of other programs, and how long things take in their units."""

from __future__ import annotations

import math
from collections.abc import Callable

from modules.exchange.imported import Intake
from modules.sentences.problem import problem

# diffusers' and transformers' names, as kohya, ai-toolkit, invoke-training and SimpleTuner have them.
KINDS = {
    "constant": "constant", "constant_with_warmup": "constant", "linear": "linear", "cosine": "cosine",
    "cosine_with_restarts": "cosine_restarts", "polynomial": "polynomial", "inverse_sqrt": "inverse_sqrt",
    "cosine_with_min_lr": "cosine", "warmup_stable_decay": "stable_decay", "adafactor": "adafactor",
    "piecewise_constant": "piecewise_constant", "rex": "rex", "cosine_annealing": "cosine",
    "cosineannealinglr": "cosine", "constantlr": "constant", "linearlr": "linear",
}  # fmt: skip
MOST_POINTS = 90
Curve = Callable[[float], float]


def steps_text(amount: float) -> str:
    return "1 step" if round(amount) == 1 else f"{max(0, round(amount))} steps"


def warmup_text(amount: float, *, steps_each: int = 1) -> str:
    """A share of the run where it is 1 or less, else a number of steps; `steps_each`: of theirs in one of ours."""
    if 0 < amount <= 1:
        return f"{min(100.0, 100 * amount):.3f}".rstrip("0").rstrip(".") + " %"
    return steps_text(int(amount / max(1, steps_each)))


def every(amount: float, unit: str, *, steps_each: int = 1) -> str:
    """An interval in our words; "never" where there is none."""
    unit = unit.strip().lower().rstrip("s")
    if unit == "always":
        return "1 step"
    if unit == "never" or amount <= 0 or unit not in ("step", "epoch", "second", "minute", "hour"):
        return "never"
    if unit == "step":
        amount = max(1, round(amount / max(1, steps_each)))
    whole = max(1, round(amount)) if unit in ("step", "epoch") else round(amount, 3)
    return f"{whole:.12g} {unit}{'' if whole == 1 else 's'}"


def put_curve(intake: Intake, curve: Curve, name: str, *names: str) -> None:
    """A curve that no kind of schedule here has, as points of one's own."""
    shares = [number / MOST_POINTS for number in range(MOST_POINTS + 1)]
    words = ", ".join(f"{share:.3f}:{min(1.0, max(0.0, curve(share))):.4f}" for share in shares)
    intake.put("schedule.kind", "custom", name, *names, why=problem("import.as-points"))
    intake.put("schedule.points", words)


def waves(cycles: float, minimum: float) -> Curve:
    """Down and up again so many times: OneTrainer's COSINE_WITH_RESTARTS."""
    return lambda done: minimum + (1 - minimum) * (0.5 + 0.5 * math.cos(2 * math.pi * cycles * done))


def saws(cycles: float, minimum: float) -> Curve:
    """Down, and at once up again, so many times, also where it is no whole number."""
    return lambda done: minimum + (1 - minimum) * (0.5 + 0.5 * math.cos(math.pi * (done * cycles % 1.0)))


def rex(minimum: float) -> Curve:
    """OneTrainer's REX, whose d is 0.9; the paper's is 0.5."""
    return lambda done: minimum + (1 - minimum) * (1 - done) / (0.1 + 0.9 * (1 - done))
