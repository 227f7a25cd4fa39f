"""The house rules that no linter knows."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from modules.preset.validate import all_settings
from modules.system.bundled import ROOT

FILES = sorted(path for folder in ("app", "modules") for path in (ROOT / folder).rglob("*.py") if path.stat().st_size)
FORBIDDEN_NAMES = {"utils", "util", "helpers", "misc", "common", "base", "manager"}
LONGEST_FILE, LONGEST_FUNCTION, USUAL_FUNCTION = 400, 50, 45

# Settings that reach their use without being named there.
READ_THROUGH_A_DUMP = {
    "optimizer": "Optimizer.keywords hands all of them to the optimizer's class",
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions() -> list[tuple[int, str]]:
    return [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)} {node.name}")
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_what_it_is_and_fits_on_a_few_screens(path: Path) -> None:
    caption = (ast.get_docstring(tree_of(path)) or "").partition("\n")[0]
    assert caption, "the first line of a file is its caption on the plan"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    assert path.stem not in FORBIDDEN_NAMES
    assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).parts)


def test_functions_can_be_read_at_a_glance() -> None:
    found = functions()
    assert [name for lines, name in found if lines > LONGEST_FUNCTION] == []
    long = [name for lines, name in found if lines > USUAL_FUNCTION]
    assert len(long) <= 0.05 * len(found), long


def test_every_setting_is_read_by_some_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in FILES if "preset" not in path.parts)
    preset = (ROOT / "modules/preset/preset.py").read_text(encoding="utf-8")
    own = "\n".join(path.read_text(encoding="utf-8") for path in FILES if "preset" in path.parts)
    unread = [
        setting.path
        for setting in all_settings()
        if setting.path.partition(".")[0] not in READ_THROUGH_A_DUMP
        and not re.search(rf"\b{setting.path.rpartition('.')[2]}\b", code + preset)
        # A distribution or a schedule is a formula of its own settings, and stands beside them.
        and not re.search(rf"\b(self|times|schedule)\.{setting.path.rpartition('.')[2]}\b", own)
    ]
    assert unread == []


def test_no_file_of_the_program_reads_the_clock_to_draw_lots() -> None:
    """Randomness is addressed (modules/system/seeds.py): Python's own generators would make a resumed run another."""
    imports = [
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Import) and any(name.name == "random" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    ]
    assert imports == []


def test_families_and_methods_never_meet_in_a_name() -> None:
    families = {path.stem for path in (ROOT / "modules/families").glob("*.py")} - {"__init__", "family"}
    methods = {"lora", "dora", "adapter", "inversion", "embedding", "finetune"}
    both = [
        f"{path.relative_to(ROOT)} {node.name}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        and any(node.name.lower().startswith(family) for family in families)
        and any(method in node.name.lower() for method in methods)
    ]
    assert both == []
