"""The queue with the real engine: once, because it takes seconds to start."""

import sys
from pathlib import Path

import pytest

from modules.host import queue_runner, server
from modules.jobs.queue import FILE, Queue

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")


def test_real_runs_go_one_after_another_past_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.host.night import fill, night

    monkeypatch.setattr(server, "TICK", 0.02)
    monkeypatch.setattr(queue_runner, "LOOK_S", 0.02)
    queue = Queue(tmp_path / FILE)
    fill(queue, tmp_path, 3)
    night(tmp_path)
    first, middle, last = queue.entries()
    assert [first.state, middle.state, last.state] == ["finished", "failed", "finished"]
    assert (last.step, last.total, last.folder) == (2, 2, str(tmp_path / "runs/run 2"))
    assert (tmp_path / "runs/run 2/models/run 2.safetensors").is_file()
    assert middle.problems
    assert not middle.folder
    queue.close()
