"""Who makes a problem gives it the values that its row names: else its sentence could not be made."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator

from modules.sentences.catalogue import CATALOGUE
from tests.sentences.test_nobody_reads_a_sentence import codes_of
from tests.sources import FILES, nodes, text_of


def named(code: str) -> set[str]:
    """The values that a row names; settings are no values."""
    fields = {
        name for template in CATALOGUE.get(code, ()) for _, name, _, _ in string.Formatter().parse(template) if name
    }
    return {name for name in fields if "." not in name and name != "path"}


def lacking(source: str) -> Iterator[str]:
    """Codes with what is not given, where all values are written at the call."""
    for node in nodes(source, ast.Call):
        if not isinstance(node.func, ast.Name) or not node.args:
            continue
        given = {word.arg for word in node.keywords}
        if node.func.id in {"problem", "UserError", "GaveUp", "NoDisplay"} and None not in given:
            for code in codes_of(node):
                yield from (f"{code}: {name}" for name in named(code) - given)


def test_every_row_gets_its_values() -> None:
    found = [row for path in FILES for row in lacking(text_of(path))]
    assert found == []


def test_a_value_that_is_not_given_is_found() -> None:
    assert list(lacking('problem("value.int", "training.steps")')) == ["value.int: value"]
