"""The queue on the command line."""

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from app.cli import run
from app.queue import commands
from modules.host import queue_runner, server
from modules.jobs.entry import Entry
from modules.jobs.queue import Queue, queue_file
from modules.messages import RunTool, Train
from modules.system.runtime import python_command
from tests.host.test_host_queue import ENGINE

ROBOT = "presets/Starter/Robot LoRA.json"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    known = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path
    for number, handler in known.items():
        signal.signal(number, handler)


def entries() -> list[Entry]:
    queue = Queue(queue_file())
    try:
        return queue.entries()
    finally:
        queue.close()


def typed(*arguments: str) -> int:
    return run(["queue", *arguments])


def test_a_run_is_put_into_line_with_the_flags_of_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("add", ROBOT, "--name", "one", "--set", "training.steps=2", "--workspace", str(tmp_path)) == 0
    assert capsys.readouterr().out == "“one” is in the queue (1). The queue rests: queue run.\n"
    assert typed("add", ROBOT, "--name", "two", "--after", "1", "--share-card", "--resume") == 0
    one, two = entries()
    assert isinstance(one.job, Train)
    assert isinstance(two.job, Train)
    assert one.job.preset["training"]["steps"] == 2
    assert (one.job.resume, one.job.share_card) == ("", False)
    assert (two.title, two.after, two.job.resume, two.job.share_card) == ("two", 1, "newest", True)


def test_paths_mean_the_same_wherever_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed("add", ROBOT, "--set", "output.path=mine.safetensors", "--set", "model.vae=starter:model") == 0
    assert typed("add-tool", "--first", "convert", "starter:model", "out.safetensors", "--dtype", "fp16") == 0
    tool, run = entries()
    assert isinstance(run.job, Train)
    assert isinstance(tool.job, RunTool)
    assert run.job.preset["output"]["path"] == str(tmp_path / "mine.safetensors")
    assert run.job.preset["model"]["source"] == "starter:model"
    assert tool.job.settings["out"] == str(tmp_path / "out.safetensors")
    assert (tool.title, tool.job.name, tool.job.settings["dtype"]) == ("Convert a model", "convert", "fp16")


def test_what_is_wrong_with_settings_is_said_before_it_is_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("add", ROBOT, "--set", "training.steps=-1") == 2
    assert "training.steps" in capsys.readouterr().err
    assert typed("add", ROBOT, "--after", "7") == 2
    assert capsys.readouterr().err == "There is no entry 7 in the queue. Was it removed meanwhile?\n"
    assert entries() == []


def test_the_list_is_ordered_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two", "three"):
        typed("add", ROBOT, "--name", name, "--workspace", str(tmp_path))  # where no earlier run says how long
    typed("next", "3")
    typed("after", "1", "2")
    typed("pause", "2")
    capsys.readouterr()
    assert typed() == 0
    assert capsys.readouterr().out.splitlines() == [
        "The queue rests. 2 waiting, 1 paused.", "3  waiting   three", "2  paused    two",
        "1  waiting   one    after 2 (two)",
    ]  # fmt: skip
    typed("--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["on"], [entry["title"] for entry in told["entries"]]) == (False, ["three", "two", "one"])
    typed("resume", "2")
    typed("after", "1")
    typed("remove", "2", "3")
    assert [(entry.title, entry.after, entry.state) for entry in entries()] == [("one", None, "waiting")]
    typed("when-done", "shutdown")
    queue = Queue(queue_file())
    assert queue.when_done == "shutdown"
    queue.close()


def test_what_waits_is_done_in_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "TICK", 0.01)
    monkeypatch.setattr(queue_runner, "LOOK_S", 0.01)
    host = partial(commands.run_host, command=python_command("-c", ENGINE, tmp_path))
    monkeypatch.setattr(commands, "run_host", host)
    assert typed("run") == 0  # nothing is in it
    for name in ("one", "fails", "two"):
        typed("add", ROBOT, "--name", name, "--set", "general.device=cpu")
    capsys.readouterr()
    assert typed("run") == commands.EXIT_FAILED
    said = capsys.readouterr()
    assert [entry.state for entry in entries()] == ["finished", "failed", "finished"]
    assert "2 finished, 1 failed." in said.out
    assert said.err == "wrong\n"
    typed("rest")
    typed("retry", "2")
    assert entries()[1].state == "waiting"


def test_an_entry_that_is_not_there_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("pause", "5") == 2
    assert "no entry 5" in capsys.readouterr().err


def test_values_are_tried_as_runs_that_differ_in_them_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = ("--value", "training.learning_rate=5e-5,1e-4", "--value", "method.rank=8,32", "--steps", "7")
    assert typed("try", ROBOT, *values, "--name", "Blip", "--workspace", str(tmp_path)) == 0
    found = entries()
    assert [entry.title for entry in found][:2] == [
        "Blip, learning rate 5e-5, rank 8", "Blip, learning rate 5e-5, rank 32",
    ]  # fmt: skip
    assert len(found) == 4
    assert len({entry.group for entry in found}) == 1
    assert found[3].changes == {"training.learning_rate": 1e-4, "method.rank": 32}
    assert isinstance(found[3].job, Train)
    assert found[3].job.preset["training"]["steps"] == 7
    assert "4 runs." in capsys.readouterr().out


def test_values_can_be_listed_and_tried_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    values = ("--value", "training.learning_rate=5e-5,1e-4", "--value", "method.rank=8,32")
    assert typed("try", ROBOT, *values, "--one-by-one", "--list") == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert entries() == []


def test_wrong_values_and_very_many_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("try", ROBOT, "--value", "method.rank=0,32") == 2
    assert "method.rank" in capsys.readouterr().err
    many = ",".join(map(str, range(1, 31)))
    assert typed("try", ROBOT, "--value", f"method.rank={many}") == 2
    assert "30 runs" in capsys.readouterr().err
    assert entries() == []
