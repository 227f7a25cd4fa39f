"""How the window is started, and what it says where it cannot be shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modules.system.bundled import ROOT
from modules.system.runtime import python_command


def run(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        python_command(*words),
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a screen")
def test_without_a_screen_it_says_how_to_train_all_the_same(tmp_path: Path) -> None:
    done = run("-m", "app", DISPLAY="", XDG_CONFIG_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "./start-ui.sh train" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_tkinter_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import importlib.util as u, sys; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == '_tkinter' else find(name, *rest)\n"
        "from app.__main__ import main; sys.exit(main([]))"
    )
    done = run("-c", code, XDG_CONFIG_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "sudo apt install python3-tk" in done.stderr


def test_the_window_imports_no_torch() -> None:
    code = (
        "import sys, pkgutil, importlib, app.gui\n"
        "for found in pkgutil.walk_packages(app.gui.__path__, 'app.gui.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "print([name for name in ('torch', 'diffusers', 'transformers', 'matplotlib') if name in sys.modules])"
    )
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    done = run("-c", code)
    assert done.stdout.strip() == "[]", done.stderr
