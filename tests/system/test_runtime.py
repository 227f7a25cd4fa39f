"""How Python runs here, and how another one is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modules.system.runtime import let_card_memory_grow, python_command, python_environment


def test_a_file_where_the_user_stands_is_not_imported_in_place_of_the_programs_own(tmp_path: Path) -> None:
    for name in ("queue", "json", "modules"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of a stranger')")
    code = "import queue, json, modules.messages"
    done = subprocess.run(
        python_command("-c", code), cwd=tmp_path, env=python_environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("mine", [{}, {"PYTORCH_ALLOC_CONF": "a"}, {"PYTORCH_CUDA_ALLOC_CONF": "a"}], ids=str)
def test_the_memory_of_a_card_can_grow_unless_the_user_set_it_otherwise(
    mine: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "linux")
    let_card_memory_grow()
    set_now = {name: value for name, value in os.environ.items() if name.endswith("ALLOC_CONF")}
    assert set_now == (mine or {"PYTORCH_ALLOC_CONF": "expandable_segments:True"})


def test_a_job_sets_it_before_torch_is_imported() -> None:
    code = """
import os, sys
from modules.messages import RunTool
from modules.session import Session

class Door:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get("PYTORCH_ALLOC_CONF"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Door())
session = Session(RunTool("no such tool", {}))
print("a job begins:", end=" ")
session._run()
"""
    command = python_command("-c", code)
    environment = {name: value for name, value in python_environment().items() if not name.endswith("ALLOC_CONF")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wanted = "expandable_segments:True" if sys.platform == "linux" else None
    assert done.stdout.strip() == f"a job begins: {wanted}", done.stderr
