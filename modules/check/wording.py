"""Values of findings: shares, shortened texts, names of components, files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modules.sentences.problem import Problem, problem


def one_figure(rate: float) -> float:
    """A learning rate as people write them: one figure."""
    return float(f"{rate:.0e}")


def short(text: str, most: int = 60) -> str:
    """A caption that fits into a sentence."""
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."


MAX_ITEMS = 20  # that a finding names


def first_items(paths: Iterable[object]) -> list[str]:
    """The first of them, as many as a finding names."""
    found: list[str] = []
    for path in paths:
        if len(found) == MAX_ITEMS:
            break
        found.append(str(path))
    return found


def part_of(part: int, whole: int) -> dict[str, Any]:
    """How many of how many, for "{part} of {whole:# image|# images} ({share:percent})"."""
    return {"part": part, "whole": whole, "share": part / whole}


def component_name(component: str) -> Problem:
    """A component of the model as a part of a sentence."""
    if component.startswith("text_encoder"):
        return problem("component.text_encoder", number=component.rpartition("_")[2])
    return Problem(f"component.{component}")
