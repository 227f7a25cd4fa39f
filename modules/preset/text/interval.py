"""Time with a unit: "50 steps", "1 epoch", "10 minutes", "5 %", "never"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from pydantic import AfterValidator

from modules.errors import BadValue

Unit = Literal["step", "epoch", "second", "minute", "hour", "never"]
UNITS: tuple[Unit, ...] = ("step", "epoch", "second", "minute", "hour")
SECONDS = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True)
class Interval:
    """`amount` of a unit; 0 of "never"."""

    amount: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read "50 steps" or "never".

        Raises:
            BadValue: it is neither.
        """
        words = text.strip().lower()
        if words == "never":
            return cls(0, "never")
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+?)s?", words)
        unit = cast("Unit", match[2]) if match and match[2] in UNITS else None
        if not match or unit is None or float(match[1]) <= 0:
            raise BadValue("value.interval")
        if unit in ("step", "epoch") and float(match[1]) % 1:
            raise BadValue("value.interval-whole", unit=f"{unit}s")
        return cls(float(match[1]), unit)

    def __str__(self) -> str:
        if self.unit == "never":
            return "never"
        # Twelve digits, because "1e+06 steps" could not be read again.
        return f"{self.amount:.12g} {self.unit}{'' if self.amount == 1 else 's'}"


@dataclass(frozen=True)
class WarmUp:
    """A length in steps, or a share of the run."""

    steps: int = 0
    share: float = 0.0

    @classmethod
    def parse(cls, text: str) -> WarmUp:
        """Read "100 steps" or "5 %".

        Raises:
            BadValue: it is neither.
        """
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*(steps?|%)", text.strip().lower())
        if not match or (match[2] != "%" and float(match[1]) % 1) or (match[2] == "%" and float(match[1]) > 100):
            raise BadValue("value.warm-up")
        return cls(share=float(match[1]) / 100) if match[2] == "%" else cls(steps=int(float(match[1])))

    def steps_of(self, total: int) -> int:
        """How many of `total` steps the warm-up takes."""
        return self.steps + round(self.share * total)

    def __str__(self) -> str:
        return f"{100 * self.share:.12g} %" if self.share else f"{self.steps} step{'' if self.steps == 1 else 's'}"


IntervalText = Annotated[str, AfterValidator(lambda text: str(Interval.parse(text)))]
WarmUpText = Annotated[str, AfterValidator(lambda text: str(WarmUp.parse(text)))]
