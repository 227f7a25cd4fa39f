"""What a message is, and the kinds of values that several of them hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, Strict

from modules.sentences.problem import Problem

T = TypeVar("T")
Count = Annotated[int, Field(lt=2**63)]  # an endless row of digits could not be drawn
# JSON knows no tuples.
Bar = Annotated[tuple[str | Problem, float], Strict(strict=False)]  # label (data, or a row of the catalogue), amount
PromptDrift = Annotated[tuple[str, float], Strict(strict=False)]
TagScore = Annotated[tuple[str, str, float], Strict(strict=False)]  # name, category, probability
Point = Annotated[tuple[float, float], Strict(strict=False)]  # share of noise, mean loss


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def message(kind: type[T]) -> type[T]:
    """A frozen dataclass whose fields hold on the wire exactly what they say: no text for a number, nothing unknown."""
    made: Any = dataclass(frozen=True, slots=True)(kind)
    made.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
    return made
