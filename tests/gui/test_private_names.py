"""Tests of the window speak of what a person sees: no private name of the program stands in them, but for a reason."""

import ast
from pathlib import Path

HERE = Path(__file__).parent

# Where a test has to reach behind the screen, and why.
REASONS = {
    "concepts/test_page.py _watchers": "a watcher that is left behind is seen by nobody",
    "run/test_page.py _listeners": "a listener that is left behind is seen by nobody",
    "kit/layout/test_layout.py _clicks": "a handler that is left behind is seen by nobody",
    "session/test_hardware.py _nvml": "NVIDIA's library is stood in for: no card falls off in a test",
    "session/test_hardware.py _handle": "as above",
    "session/test_hardware.py _name": "as above",
    "session/test_engine_client.py _process": "the engine's process is killed, as a system without memory does",
    "session/test_engine_client.py _threads": "a reader of a dead engine is waited for",
    "draft/test_autosave.py _lock": "a lock goes without a word when a process is killed",
}


def private_names() -> set[str]:
    """Every `thing._name` in the tests of the window that is not the test's own."""
    return {
        f"{path.relative_to(HERE).as_posix()} {node.attr}"
        for path in HERE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }


def test_tests_of_the_window_name_nothing_private_without_a_reason() -> None:
    assert private_names() - set(REASONS) == set()


def test_no_reason_outlives_what_it_is_for() -> None:
    assert set(REASONS) - private_names() == set()
