"""A LoRA file with its strength in one text: "style.safetensors:0.8"."""

from __future__ import annotations

import re

PARTS = re.compile(r"(.+):([+-]?(?:\d+\.?\d*|\.\d+))")


def file_and_strength(text: str) -> tuple[str, float]:
    """The file, and how much of it is wanted: 1 where nothing is said."""
    found = PARTS.fullmatch(text.strip())
    return (found[1], float(found[2])) if found else (text.strip(), 1.0)


def with_strength(file: str, strength: float) -> str:
    return file if strength == 1 else f"{file}:{strength:g}"
