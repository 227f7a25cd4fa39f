"""A token of the hub reaches nothing that is written, told or shown; and nothing listens beyond this machine."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]

from app.gui.tools import tensorboard
from modules.errors import UserError
from modules.messages import Event
from modules.system import hub
from modules.system.runtime import python_command
from modules.wire import decode, encode
from tests.trainer.runs import end_of, folder_of, run, values

pytestmark = pytest.mark.timeout(120)

SECRET = "hf_secretcanary0123456789"


def holds_secret(folder: Path) -> list[str]:
    found = [p for p in folder.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    return [str(path) for path in [*found, *folder.rglob(f"*{SECRET}*")]]


def command_lines() -> str:
    place = Path("/proc")
    if not place.is_dir():
        return ""
    lines = list[str]()
    for process in place.glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue  # it has ended
    return "\n".join(lines)


def test_a_token_is_in_nothing_that_a_run_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text(SECRET, encoding="utf-8")
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", SECRET)
    monkeypatch.setenv("HF_TOKEN_PATH", str(home / "token"))
    caplog.set_level(logging.DEBUG)
    during: list[str] = []

    def look(event: Event) -> None:
        during.append(command_lines())

    settings = ("training.steps=2", "backup.every=1 steps", "sampling.last=true", "general.tensorboard=true",
                "sampling.prompts.0.prompt=x", "sampling.prompts.0.steps=1", "sampling.prompts.0.width=64",
                "sampling.prompts.0.height=64", "output.include_preset=true")  # fmt: skip
    events = run(values(tmp_path / "work", *settings), answer=look)
    end_of(events)
    assert {"backups", "samples", "models", "tensorboard", "log.txt", "events.jsonl", "preset.json"} <= {
        path.name for path in folder_of(events).iterdir()
    }
    assert not holds_secret(tmp_path / "work")
    assert SECRET not in "".join(encode(event) for event in events)
    assert SECRET not in "".join(during) + caplog.text + "".join(capfd.readouterr())
    for event in events:  # every event of a real run is one that the window accepts
        decode(encode(event))


def test_a_token_is_not_in_what_is_said_when_the_hub_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own library is asked, with no network: what it raises must not carry what it would have sent."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    for name in ("owner/model", "owner/mo..del", f"owner/{'x' * 200}"):
        with pytest.raises(UserError) as refusal:
            hub.download_model(name, hub.Wanted(("unet",)), offline=True, cache=tmp_path)
        assert SECRET not in str(refusal.value)
        assert SECRET not in repr(refusal.value.__cause__)
    assert not holds_secret(tmp_path)


@pytest.mark.parametrize("kind", [OSError, HTTPError])
def test_a_token_in_the_address_of_a_failed_download_is_not_repeated(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def fails(*_: Any, **__: Any) -> str:
        raise kind(f"GET https://user:{SECRET}@example.com/x?token={SECRET} failed, authorization: Bearer {SECRET}")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)
    with pytest.raises(UserError) as refusal:
        hub.download_model("owner/model", hub.Wanted(("unet",)))
    assert SECRET not in str(refusal.value)
    assert "could not be downloaded" in str(refusal.value)


def test_a_program_that_is_started_gets_no_secret_as_an_argument(tmp_path: Path) -> None:
    """The engine's environment is its own; its command line is everybody's to read."""
    code = "import sys, json; json.dump(sys.argv, sys.stdout)"
    told = subprocess.run(
        python_command("-c", code), env={**os.environ, "HF_TOKEN": SECRET}, capture_output=True, check=True, text=True
    )
    assert SECRET not in told.stdout
    sources = [*Path("app").rglob("*.py"), *Path("modules").rglob("*.py")]
    assert sources
    reads = re.compile(r"""["'](HF_TOKEN|HF_TOKEN_PATH|HUGGING_FACE_HUB_TOKEN)["']|\bget_token\b""")
    assert not [path for path in sources if reads.search(path.read_text(encoding="utf-8"))], (
        "only the hub's library may"
    )


class Process:
    """Stands for the child that would be started."""

    started: list[list[str]]

    def __init__(self, command: list[str], **_: Any) -> None:
        Process.started.append(command)
        self.stderr = None

    def poll(self) -> int:
        return 0

    def terminate(self) -> None: ...

    def wait(self, _seconds: float = 0) -> int:
        return 0


def test_tensorboard_listens_on_this_machine_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Process.started = []
    monkeypatch.setattr(tensorboard.subprocess, "Popen", Process)
    board = tensorboard.TensorBoard(lambda _: None)
    board.start(tmp_path / "--bind_all")
    board.stop()
    (command,) = Process.started
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "--bind_all" not in command
    assert command.count("--host") == 1
    assert board.address.startswith("http://127.0.0.1:")
