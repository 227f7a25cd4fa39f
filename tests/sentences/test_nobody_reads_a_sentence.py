"""Sentences are made at the edge and read by people only: every code has its row, and no code takes one apart."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from modules.sentences.catalogue import CATALOGUE
from modules.system.bundled import ROOT
from tests.sources import FILES, nodes, text_of

TABLES = ROOT / "modules/sentences/tables"
CUTS = {"partition", "rpartition", "split", "rsplit", "removeprefix", "removesuffix", "replace", "find", "index"}
ASKS = {"startswith", "endswith"}
TEXTS = {"message", "advice", "failure", "reason", "sentence"}  # attributes and names that hold a sentence
BETWEEN = re.compile(r"[.:;!?]\s|[A-Za-z]+ [a-z]+")  # where sentences meet, and a piece of one
MAKERS = {
    "problem",
    "Problem",
    "Finding",
    "fix",
    "BadValue",
    "Trait",
    "UnusableImage",
    "_out_of_memory",
    "Stage",
    "report",
    "UserError",
}


def readers(source: str) -> Iterator[str]:
    """The lines that take a sentence apart, look into it, or change words in it."""
    for node in nodes(source, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in CUTS | ASKS:
            literals = [part.value for arg in node.args for part in ast.walk(arg) if isinstance(part, ast.Constant)]
            between = any(isinstance(text, str) and BETWEEN.search(text) for text in literals)
            if (between and node.func.attr in CUTS) or _is_text(node.func.value):
                yield ast.unparse(node)
    for node in nodes(source, ast.Compare):
        if _looks_into(node):
            yield ast.unparse(node)
    for node in nodes(source, ast.Subscript):
        if isinstance(node.value, ast.Attribute) and ast.unparse(node.value) == "error.args":
            yield ast.unparse(node)


def _looks_into(node: ast.Compare) -> bool:
    return any(isinstance(op, ast.In | ast.NotIn) for op in node.ops) and _is_text(node.comparators[0])


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"in_words", "translated"}:
        return True
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in TEXTS


# What read sentences once, as it stood there
PARSERS = [
    'in_words(sentence, place).replace(shown, "x", 1)',
    'title, stop, rest = problem.partition(". ")',
    'path = problem.partition(": ")[0]',
    'str(error.args[0]).removeprefix("cannot be used: ").rstrip(".")',
    'running.ended.message.partition("\\n")[0].partition(": ")[0].partition(". ")[0]',
    'reason = summary.failure.partition("\\n")[0]',
    'name, _, rest = line.lstrip(" -").partition(": ")',
    'sentence = sentence.replace("Give a folder: --concept FOLDER.", "Add a folder of images on the page Concepts.")',
    'if sentence.startswith(f"{path}: "): pass',
    'return "Continue" if reason.endswith("?") else "Try again"',
    'str(error.args[0]).removeprefix("The mask ")',
]
# Texts of others, which have no other form: what libraries and drivers say, markup, keys of files
OTHERS = {
    "app/gui/run/samples/image_viewer.py",  # what A1111 writes into images
    "app/gui/examine/facts.py",  # the same
    "modules/grids/samples.py",  # the same
    "app/gui/session/run_history.py",
}


@pytest.mark.parametrize("parser", PARSERS)
def test_a_parser_of_sentences_is_found(parser: str) -> None:
    assert list(readers(parser))


def test_no_code_reads_a_sentence() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {line}"
        for path in FILES
        if str(path.relative_to(ROOT)) not in OTHERS and TABLES not in path.parents
        for line in readers(text_of(path))
    }
    assert found == set()


def codes_of(call: ast.Call) -> Iterator[str]:
    """The codes that its first argument may be: one, or one of two."""
    for argument in call.args[:1]:
        inner = {id(part) for node in ast.walk(argument) if isinstance(node, ast.Call) for part in ast.walk(node)}
        tests = {id(p) for node in ast.walk(argument) if isinstance(node, ast.IfExp) for p in ast.walk(node.test)}
        for part in ast.walk(argument):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in inner | tests:
                yield part.value


def codes_in(source: str) -> Iterator[str]:
    """Codes that are written where problems, findings and fixes are made."""
    for node in nodes(source, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in MAKERS:
            yield from (code for code in codes_of(node) if "." in code and " " not in code)


def test_every_code_has_its_row() -> None:
    unknown = {
        f"{path.name}: {code}"
        for path in FILES
        for code in codes_in(text_of(path))
        if not code.endswith((".", "-")) and code not in CATALOGUE
    }
    assert unknown == set()


def test_every_row_is_said_somewhere() -> None:
    source = "\n".join(text_of(path) for path in FILES if TABLES not in path.parents)
    made = re.compile("|".join(re.escape(stem) for stem in BUILT))
    unused = [code for code in CATALOGUE if f'"{code}"' not in source and not made.match(code)]
    assert unused == []


# Codes that are put together from a stem and what the values say
BUILT = (
    "disk.", "limits.", "scaled.", "component.", "outputs.", "kinds.", "no-samples.", "paths.not-writable:", "text",
    "stage.check-", "watch", "step.", "predicts.", "left-out.",
    "arithmetic.cannot", "captions.cannot", "costs.cannot", "idle.cannot", "images.cannot", "memory.cannot",
    "paths.cannot", "precision.cannot", "validation.cannot",
)  # fmt: skip
