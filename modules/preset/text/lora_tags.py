"""LoRA files named inside a prompt, as A1111 and ComfyUI's helpers have it: <lora:name:0.8>."""

from __future__ import annotations

import re

TAG = re.compile(r"<lora:([^:<>]+)(?::([+-]?(?:\d+(?:\.\d*)?|\.\d+)))?(?::[^<>]*)?>", re.IGNORECASE)


def split_tags(prompt: str) -> tuple[str, tuple[tuple[str, float], ...]]:
    """The prompt without its tags, and each file's name with its strength (1 where none is given)."""
    found = tuple((tag[1].strip(), float(tag[2]) if tag[2] else 1.0) for tag in TAG.finditer(prompt))
    if not found:
        return prompt, ()
    words = re.sub(r"[ \t]{2,}", " ", TAG.sub("", prompt))
    return re.sub(r"(?<!\s)\s+,", ",", words).strip(" ,\t"), found
