"""What a user is told of an error is a row: nobody raises a sentence, and rows speak the language of the window."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator

import pytest

from app.gui.draft.problem_labels import WORDS
from modules.language import use
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Problem
from tests.gui.pseudo import PSEUDO, WORD
from tests.sources import FILES, nodes, text_of

ERRORS = {"UserError", "Problems", "GaveUp", "NoDisplay", "UnusableImage", "UnreadableBackup", "BadValue"}


def sentences(source: str) -> Iterator[str]:
    """Errors that are made of a text, or of a code that no row has."""
    for node in nodes(source, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            for part in node.args[:1]:
                inner = part.args[0] if isinstance(part, ast.Call) and ast.unparse(part.func) == "as_it_is" else part
                ends = [inner.body, inner.orelse] if isinstance(inner, ast.IfExp) else [inner]
                if any(is_text(end) for end in ends):
                    yield ast.unparse(node)
    for node in nodes(source, ast.Assign):
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id == "code":
            ends = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else []
            yield from (ast.unparse(node) for end in ends if isinstance(end, ast.Constant) and is_text(end))


def is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value not in CATALOGUE
    made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"tr", "plural", "str"}
    return made or isinstance(node, ast.JoinedStr | ast.BinOp)


@pytest.mark.parametrize(
    "wrong",
    ['UserError("It is gone.")', 'UserError(f"{file} is gone.")', 'UserError(tr("Gone."), advice="Look.")',
     'UserError("no.such-code", file=file)', 'UserError(as_it_is(f"{file} is gone."))',
     'GaveUp(f"{error} Lost.")', 'code = "no.such" if full else "disk.full"'],
)  # fmt: skip
def test_a_sentence_that_is_raised_is_found(wrong: str) -> None:
    assert list(sentences(wrong))


def test_every_error_is_raised_with_a_code() -> None:
    found = {f"{path.name}: {line}" for path in FILES for line in sentences(text_of(path))}
    assert found == set()


def test_every_error_speaks_the_language_of_the_window() -> None:
    plain = {
        code: {name: "42" for _, name, _, _ in parsed(row) if name}
        for code, row in CATALOGUE.items()
        if "{{" not in "".join(row)  # which the pseudo-locale takes for a value
        and not any(spec or "." in (name or "") or name == "path" for _, name, spec, _ in parsed(row))
    }
    assert len(plain) > 200
    use(PSEUDO)
    try:
        told = {code: WORDS.sentence(Problem(code, values=values)) for code, values in plain.items()}
    finally:
        use(None)
    assert {code: text for code, text in told.items() if WORD.search(text)} == {}


def parsed(row: tuple[str, str]) -> list[tuple[str, str | None, str | None, str | None]]:
    return [field for template in row for field in string.Formatter().parse(template)]
