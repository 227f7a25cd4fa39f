"""Every sentence that the window's code makes goes through the language: a literal that does not would stay English."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.system.bundled import ROOT

SENTENCE = re.compile(r"[A-Z“\"{].* .* .*[a-z]")
SAYS = {"tr", "plural", "translated"}
# What is printed on a terminal, and the kit's own show
TERMINAL = {"app/gui/__init__.py", "app/gui/kit/__main__.py"}


def plain(source: str) -> Iterator[tuple[int, str]]:
    """Sentences inside functions that neither stand in a call that translates nor in a name that is given to one.

    Tables at the top of a file are translated where they are read.
    """
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            spoken = [node for node in ast.walk(function) if isinstance(node, ast.Call) and _name(node) in SAYS]
            names = {arg.id for call in spoken for arg in ast.walk(call) if isinstance(arg, ast.Name)}
            passed = {id(node) for call in [*spoken, *_errors(function)] for node in ast.walk(call)}
            passed |= {id(node) for assign in _assigned(function, names) for node in ast.walk(assign)}
            passed |= {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Expr)}
            for node in ast.walk(function):
                if isinstance(node, ast.expr) and id(node) not in passed and SENTENCE.match(text := _text(node)):
                    yield node.lineno, text


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _errors(function: ast.FunctionDef) -> list[ast.AST]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Raise | ast.Assert)]


def _assigned(function: ast.FunctionDef, names: set[str]) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id in names for to in node.targets):
            yield node.value


def test_no_sentence_of_the_window_stands_outside_the_language() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line} {text}"
        for file in sorted(Path(ROOT, "app", "gui").rglob("*.py"))
        if file.relative_to(ROOT).as_posix() not in TERMINAL
        for line, text in plain(file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    ['Label(text="Images are read now")', 'self.say(f"Step {step} of {steps} is done")', 'x = "There is no run here"'],
)
def test_a_sentence_that_is_not_translated_is_found(line: str) -> None:
    assert list(plain(f"def show(self):\n    {line}\n"))
    assert not list(plain(f"def show(self):\n    tr({line.partition('(')[2].rpartition(')')[0] or '1'})\n"))
