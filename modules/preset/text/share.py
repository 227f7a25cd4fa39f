"""How many of a model's blocks: "none", "all", "25 %", or "auto", which the memory plan decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

from modules.errors import BadValue

WORDS = {"none": 0.0, "all": 1.0}


@dataclass(frozen=True)
class Share:
    """From 0 to 1. "auto" is 0 until a plan has said more."""

    amount: float
    auto: bool = False

    @classmethod
    def parse(cls, text: Any) -> Share:
        """Read "auto", "all" or "25 %".

        Raises:
            BadValue: it is none of these.
        """
        words = text.strip().lower() if isinstance(text, str) else ""
        if words == "auto":
            return cls(0.0, auto=True)
        if words in WORDS:
            return cls(WORDS[words])
        match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?)\s*%", words)
        if not match or float(match[1]) > 100:
            raise BadValue("value.share")
        return cls(float(match[1]) / 100)

    def __str__(self) -> str:
        if self.auto:
            return "auto"
        return {0.0: "none", 1.0: "all"}.get(self.amount, f"{100 * self.amount:.6g} %")


ShareText = Annotated[str, BeforeValidator(lambda text: str(Share.parse(text)))]
