"""The program's own source, parsed once for all tests that look through it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from modules.system.bundled import ROOT

FILES = sorted(path for folder in ("app", "modules") for path in (ROOT / folder).rglob("*.py"))
Node = TypeVar("Node", bound=ast.AST)


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def nodes(source: str, kind: type[Node], *kinds: type[Node]) -> Iterator[Node]:
    """All nodes of these kinds, one kind after the other."""
    found = _by_kind(source)
    for each in (kind, *kinds):
        yield from found[each]  # type: ignore[misc]


@cache
def _by_kind(source: str) -> defaultdict[type[ast.AST], list[ast.AST]]:
    found: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
    for node in ast.walk(parsed(source)):
        found[type(node)].append(node)
    return found
