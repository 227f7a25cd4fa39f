"""How another Python is started."""

import subprocess
from pathlib import Path

from modules.system.runtime import python_command, python_environment


def test_a_file_where_the_user_stands_is_not_imported_in_place_of_the_programs_own(tmp_path: Path) -> None:
    for name in ("queue", "json", "modules"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of a stranger')")
    code = "import queue, json, modules.messages"
    done = subprocess.run(
        python_command("-c", code), cwd=tmp_path, env=python_environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
