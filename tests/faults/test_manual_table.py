"""Every row of the manual's table of troubles has a test, and the test exists."""

import ast
import re
from pathlib import Path

import pytest

from modules.system.bundled import ROOT
from tests.faults.guards import GUARDS, Guard

PAGE = ROOT / "resources" / "manual" / "what-can-go-wrong.md"
LINES = PAGE.read_text(encoding="utf-8").splitlines()
ROWS = [line for line in LINES if line.startswith("|") and not line.startswith(("|---", "| What can"))]
FEWEST = 40


def named_in(row: str) -> list[str]:
    found = re.search(r"<!-- (.*?) -->", row)
    return found[1].split() if found else []


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:60] for row in ROWS])
def test_a_row_of_the_manual_names_tests_that_exist(row: str) -> None:
    assert row.count("|") == 4, "trouble, answer, price"
    assert named_in(row), "no test is named"
    for name in named_in(row):
        file, _, function = name.partition("::")
        assert (ROOT / file).is_file(), name
        assert function in functions_of(ROOT / file), name


def test_the_table_is_not_cut_short() -> None:
    assert len(ROWS) >= FEWEST


def test_the_page_can_be_found() -> None:
    assert PAGE.name in (ROOT / "README.md").read_text(encoding="utf-8")
    assert PAGE.name in (PAGE.parent / "window.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_it_would_be_taken_out(guard: Guard) -> None:
    """Else the long run that takes each out would change nothing, and find every test still passing."""
    assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.text) == 1
