"""YAML of other programs, read as data: tags that would name code are refused, and so is what grows without end."""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from modules.errors import UserError
from modules.preset.paths import Values

MOST = 300_000  # letters of a file: one of settings has some thousands
MOST_VALUES = 100_000  # of a file, where an alias counts as often as it is used
DEEPEST = 60
PLAIN = "tag:yaml.org,2002:"
JOB = re.compile(r"^(job|config|type|data_loader|base_output_dir):", re.MULTILINE)  # of files that are meant so
KINDS = ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
NUMBERS = ("int", "float", "bool", "null")
EXPONENT = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+")  # YAML 1.1 wants a point and a sign


def parse_yaml(text: str, where: str) -> Values | None:
    """The object that stands in a text; None where it is no YAML, or something else than names with values.

    Raises:
        UserError: it is meant so and damaged, names a kind of object, holds itself, or comes to too much.
    """
    if len(text) > MOST:
        return None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            return None
        _Sizes(where).check(node)
        return cast("Values", _value(loader, node))
    except yaml.MarkedYAMLError as error:
        if not JOB.search(text) or error.problem_mark is None:
            return None
        raise UserError("import.yaml-damaged", file=where, line=error.problem_mark.line + 1) from error
    except (yaml.YAMLError, RecursionError):
        return None


class _Sizes:
    """How many values each part comes to once its aliases are written out."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self, node: yaml.Node, depth: int = 0) -> int:
        if id(node) in self._known:
            return self._known[id(node)]
        if node.tag.removeprefix(PLAIN) not in KINDS:
            raise UserError("import.yaml-tag", file=self._where, tag=node.tag[:60])
        if id(node) in self._open or depth > DEEPEST:
            raise UserError("import.too-deep")
        self._open.add(id(node))
        count = 1 + sum(self.check(each, depth + 1) for each in _inside(node))
        self._open.discard(id(node))
        if count > MOST_VALUES:
            raise UserError("import.yaml-size", file=self._where)
        self._known[id(node)] = count
        return count


def _inside(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in cast("list[tuple[yaml.Node, yaml.Node]]", node.value) for each in pair]
    return list(cast("list[yaml.Node]", node.value)) if isinstance(node, yaml.SequenceNode) else []


def _value(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _object(loader, node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, each) for each in _inside(node)]
    text = str(node.value)
    if node.tag.removeprefix(PLAIN) in NUMBERS:
        try:
            return loader.construct_object(node)  # pyright: ignore[reportUnknownMemberType]
        except (ValueError, OverflowError, KeyError):
            return text
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return float(text.replace("_", "")) if plain and EXPONENT.fullmatch(text) else text


def _object(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Values:
    """With what `<<` brings in beneath its own."""
    own: Values = {}
    under: Values = {}
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        found = _value(loader, value)
        if key.tag == f"{PLAIN}merge":
            for each in cast("list[Any]", found if isinstance(found, list) else [found]):
                under = {**(cast("Values", each) if isinstance(each, dict) else {}), **under}
        else:
            own[str(key.value)] = found
    return {**under, **own}
