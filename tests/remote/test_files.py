"""Files by their content: sent once, whole or not at all, and never out of the folders that are meant for them."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.errors import UserError
from modules.messages import Event, Note
from modules.preset.paths import get
from modules.remote.address import Address, address_of
from modules.remote.fetching import RunCopy
from modules.remote.link import Shell
from modules.remote.sending import sent, uploads
from modules.remote.stream import Broken, Header, Stream
from modules.remote.there.files import Files
from modules.remote.there.store import Refused, Store
from tests.trainer.runs import values


class Near:
    """A link to a machine that is a thread of this process."""

    def __init__(self, workspace: Path) -> None:
        self.address, self.workspace = Address("near"), workspace
        ours, theirs = socket.socketpair()
        self._pipes = [each.makefile(mode) for each in (ours, theirs) for mode in ("rb", "wb")]
        self._sockets = [ours, theirs]
        reader, self._writer, their_reader, their_writer = self._pipes
        self.stream = Stream(reader, self._writer)
        self._thread = threading.Thread(target=Files(Stream(their_reader, their_writer), workspace).serve)
        self._thread.start()
        self.machine = self
        self.free = self.ask({"do": "hello"})["free"]

    def ask(self, header: Header, data=()) -> Header:
        self.stream.send(header, data)
        answer = self.stream.receive()
        if "error" in answer:
            raise UserError("remote.refused", address="near", reason=answer["error"])
        return answer

    def ask_for_bytes(self, header: Header, use) -> int:
        size = self.ask(header)["bytes"]
        self.stream.take(size, use)
        return size

    def keep_trying(self, work):
        return work()

    def close(self) -> None:
        self._writer.close()
        self._sockets[0].shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in (*self._pipes, *self._sockets):
            each.close()


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Near]:
    link = Near(tmp_path / "there")
    yield link
    link.close()


def concept(folder: Path) -> Path:
    folder.mkdir()
    for name, content in {"a.png": b"picture a", "a.txt": b"a cat", ".secret": b"mine"}.items():
        (folder / name).write_bytes(content)
    (folder / "more").mkdir()
    (folder / "more" / "b.png").write_bytes(b"picture b")
    return folder


def preset_of(tmp_path: Path, *settings: str):
    preset = values(tmp_path / "work", *settings)
    preset["model"]["source"] = "starter:model"
    preset["concepts"] = [{**preset["concepts"][0], "path": str(tmp_path / "cats")}]
    return preset


def notes(events: list[Event]) -> list[int]:
    return [each.problems[0].values["count"] for each in events if isinstance(each, Note)]


def test_images_lie_there_as_they_lie_here_and_are_sent_once(tmp_path: Path, near: Near) -> None:
    concept(tmp_path / "cats")
    preset, told = preset_of(tmp_path), list[Event]()
    there = sent(near, preset, uploads(preset), tmp_path / "cache", told.append)
    folder = Path(get(there, "concepts.0.path"))
    assert folder.is_relative_to(near.workspace)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "a.png",
        "a.txt",
        "more/b.png",
    }
    assert (folder / "more" / "b.png").read_bytes() == b"picture b"
    assert get(preset, "concepts.0.path") == str(tmp_path / "cats")
    (tmp_path / "cats" / "a.png").rename(tmp_path / "cats" / "c.png")
    (tmp_path / "cats" / "a.txt").write_text("a black cat")
    again = sent(near, preset, uploads(preset), tmp_path / "cache", told.append)
    assert get(again, "concepts.0.path") == str(folder), "a run that goes on finds it where it was"
    assert notes(told) == [3, 1], "the caption alone is new"
    assert {p.name for p in folder.iterdir()} == {"c.png", "a.txt", "more"}
    assert (folder / "a.txt").read_text() == "a black cat"


def test_what_ships_with_the_program_and_names_of_a_hub_are_not_sent(tmp_path: Path) -> None:
    concept(tmp_path / "cats")
    preset = preset_of(tmp_path)
    assert [each.setting for each in uploads(preset)] == ["concepts.0.path"]
    preset["model"]["source"] = "stabilityai/stable-diffusion-xl-base-1.0"
    assert [each.setting for each in uploads(preset)] == ["concepts.0.path"]


def test_of_a_folder_of_other_things_only_what_a_concept_reads_is_sent(tmp_path: Path) -> None:
    concept(tmp_path / "cats")
    for name in ("letter.odt", "keys.pem", "film.mp4", "a-masklabel.png", "b.prose", "cats.csv"):
        (tmp_path / "cats" / name).write_text(name)
    preset = preset_of(tmp_path)
    preset["concepts"][0] |= {"path": str(tmp_path / "cats" / "cats.csv"), "more_captions": ".prose"}
    [upload] = uploads(preset)
    assert set(upload.files) == {"a.png", "a.txt", "a-masklabel.png", "b.prose", "cats.csv", "more/b.png"}
    assert upload.inside == "cats.csv"


def test_a_line_that_hangs_is_ended_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEACHANGE_SSH", "sh -c 'exec sleep 60'")
    monkeypatch.setattr("modules.remote.link.ENDS_WITHIN_S", 0.1)
    shell = Shell(Address("near"), "true")
    assert "near" in str(shell.why())
    shell.close()


def test_two_files_of_one_folder_do_not_push_each_other_out(tmp_path: Path, near: Near) -> None:
    concept(tmp_path / "cats")
    for name in ("one", "two"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    preset = preset_of(tmp_path)
    preset["sampling"]["loras"] = [{"path": str(tmp_path / f"{name}.safetensors")} for name in ("one", "two")]
    there = sent(near, preset, uploads(preset), tmp_path / "cache", lambda _: None)
    for number, name in enumerate(("one", "two")):
        assert Path(get(there, f"sampling.loras.{number}.path")).read_text() == name


def test_what_came_before_the_line_broke_is_not_sent_again(tmp_path: Path) -> None:
    content = b"x" * 1000
    sha, store = hashlib.sha256(content).hexdigest(), Store(tmp_path)
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as reader, theirs.makefile("wb") as writer:
        ours.sendall(content[:400])
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(Broken):
            store.put(sha, 1000, 0, 1000, Stream(reader, writer))
    assert store.missing([(sha, 1000)]) == [(sha, 400)]
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as reader, theirs.makefile("wb") as writer:
        ours.sendall(content[400:])
        assert store.put(sha, 1000, 400, 600, Stream(reader, writer))
    assert store.missing([(sha, 1000)]) == []


def test_a_file_that_is_not_what_its_name_says_is_thrown_away(tmp_path: Path, near: Near) -> None:
    sha = hashlib.sha256(b"right").hexdigest()
    assert near.ask({"do": "put", "sha": sha, "size": 5, "offset": 0, "bytes": 5}, [b"wrong"]) == {"whole": False}
    assert near.ask({"do": "missing", "files": [[sha, 5]]}) == {"missing": [[sha, 0]]}


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "C:\\x", "a\0b"])
def test_no_name_leads_out_of_its_folder(tmp_path: Path, near: Near, path: str) -> None:
    with pytest.raises(Refused):
        Store(tmp_path / "store").folder("cats", {path: "0" * 64})
    with pytest.raises(Refused):
        Store(tmp_path / "store").folder(path, {})
    copy = RunCopy(near, "/there/run", tmp_path / "run")
    assert copy.place_of(f"/there/run/{path}") is None or path == "a\0b"
    assert copy.place_of("/elsewhere/a.png") is None


def test_the_other_side_gives_nothing_but_its_workspace(tmp_path: Path, near: Near) -> None:
    (tmp_path / "key").write_text("secret")
    for path in (str(tmp_path / "key"), str(near.workspace / ".." / "key")):
        with pytest.raises(UserError):
            near.ask({"do": "get", "path": path, "offset": 0})
    for asked in ({"do": "no"}, {"do": "list"}, {"do": "put", "sha": "x", "size": 1, "offset": 0, "bytes": 0}):
        with pytest.raises(UserError):
            near.ask(asked)
    assert near.ask({"do": "hello"})["workspace"] == str(near.workspace), "it answers on"


def test_a_run_is_brought_without_its_backups_and_only_what_is_new(tmp_path: Path, near: Near) -> None:
    run = near.workspace / "run"
    for name in ("samples/1.png", "backups/step-1/weights", "preset.json", "log.txt"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name)
    copy = RunCopy(near, str(run), tmp_path / "here")
    copy.bring_all()
    assert {p.name for p in (tmp_path / "here").rglob("*") if p.is_file()} == {"1.png", "log.txt"}
    (run / "log.txt").write_text("log.txt and more")
    assert copy.bring(str(run / "samples/1.png")) == tmp_path / "here" / "samples/1.png"
    copy.bring_all()
    assert (tmp_path / "here" / "log.txt").read_text() == "log.txt and more"


@pytest.mark.parametrize("text", ["", "-oProxyCommand=sh", "a b", "me@host;ls", "host:a\nb", "me@$(ls)"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        address_of(text)


def test_an_address_is_as_ssh_writes_it() -> None:
    assert address_of("me@workstation") == Address("me@workstation")
    assert address_of(" box:/data/sea change ") == Address("box", "/data/sea change")
    words = address_of("box:~/my sea").command("true")
    assert words[0] == "ssh" and words[-3:] == ["--", "box", "true"]
    assert address_of("box:~/my sea").place == "\"$HOME\"/'my sea'"
