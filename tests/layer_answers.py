"""Answers about layers, built in this process: the engine lets another one build, which takes seconds."""

from __future__ import annotations

import tempfile
from typing import Any

from modules.check.trained.answers import answer
from modules.families.parts.layer_list import layer_lists
from modules.messages import Query

FOLDER = tempfile.TemporaryDirectory()  # it goes when the tests end


def answered(what: str, family: str, kind: str, source: str = "", **sections: Any) -> dict[str, Any]:
    """What the engine says; `sections` of the preset, where those of the method are without its kind."""
    method = {"kind": kind, **sections.pop("method", {})}
    values = {"model": {"family": family, "source": source}, "method": method, "general": {"cache": FOLDER.name}}
    return answer(Query(1, what, values | sections), layer_lists).values
