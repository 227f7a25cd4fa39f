"""Reading and writing tensors, and every way in which a file can be wrong."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.errors import UserError
from modules.sentences.render import PLAIN
from modules.system.weights import (
    PlannedTensor,
    SafetensorsFile,
    first_names,
    open_weights,
    write_safetensors,
)

TENSORS = {
    "a": torch.randn(3, 5),
    "half": torch.randn(7).half(),
    "brain": torch.randn(2, 2, 3, 3).bfloat16(),
    "number": torch.tensor(3.5),
    "none": torch.empty(0),
    "ids": torch.arange(9),
    "yes": torch.tensor([True, False]),
}


def plan(tensors: dict[str, torch.Tensor]) -> dict[str, PlannedTensor]:
    return {name: PlannedTensor(tuple(t.shape), t.dtype, lambda t=t: t) for name, t in tensors.items()}


def test_our_files_are_read_by_the_formats_own_library(tmp_path: Path):
    write_safetensors(tmp_path / "x.safetensors", plan(TENSORS), {"who": "Ärger"})
    theirs = load_file(tmp_path / "x.safetensors")
    assert theirs.keys() == TENSORS.keys()
    assert all(torch.equal(theirs[name], t) and theirs[name].dtype == t.dtype for name, t in TENSORS.items())


def test_files_of_the_formats_own_library_are_read_by_us(tmp_path: Path):
    save_file(TENSORS, tmp_path / "x.safetensors", {"who": "Ärger"})
    weights = open_weights(tmp_path / "x.safetensors")
    assert weights.metadata == {"who": "Ärger"} and weights.files == (tmp_path / "x.safetensors",)
    for name, tensor in TENSORS.items():
        assert weights.shapes[name] == tuple(tensor.shape) and weights.dtype(name) == tensor.dtype
        assert torch.equal(weights.read(name), tensor)


def test_a_tensor_is_its_own_unless_scratch_was_lent(tmp_path: Path):
    save_file(TENSORS, tmp_path / "x.safetensors")
    weights, scratch = SafetensorsFile(tmp_path / "x.safetensors"), torch.zeros(60, dtype=torch.uint8)
    lent = weights.read("a", scratch)
    assert lent.data_ptr() == scratch.data_ptr() and torch.equal(lent, TENSORS["a"])
    assert weights.read("a").data_ptr() != weights.read("a", scratch).data_ptr()
    assert torch.equal(weights.read("brain", torch.zeros(3, dtype=torch.uint8)), TENSORS["brain"]), "too little scratch"


def test_only_one_tensor_at_a_time_is_made_when_writing(tmp_path: Path):
    made: list[str] = []

    def make(name: str) -> torch.Tensor:
        made.append(name)
        return torch.ones(2, dtype=torch.float32)

    tensors = {name: PlannedTensor((2,), torch.float16, lambda name=name: make(name)) for name in ("b", "a")}
    assert not made
    write_safetensors(tmp_path / "x.safetensors", tensors, {})
    assert made == ["a", "b"] and load_file(tmp_path / "x.safetensors")["a"].dtype == torch.float16


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, kept: int):
    whole = tmp_path / "x.safetensors"
    save_file(TENSORS, whole)
    whole.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(UserError):
        open_weights(whole)


def header(**about: object) -> bytes:
    text = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **about}}).encode()
    return len(text).to_bytes(8, "little") + text + b"\0" * 8


@pytest.mark.parametrize(
    "content",
    [b"\xff" * 64, (5).to_bytes(8, "little") + b"{nope", (2).to_bytes(8, "little") + b"[]", header(dtype="NF4"),
     header(shape=[3]), header(shape=[-2]), header(data_offsets=[8, 0]), header(data_offsets=[-8, 0]),
     header(shape="2"), header(data_offsets=[4, 12])],
)  # fmt: skip
def test_a_header_that_lies_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(UserError):
        open_weights(tmp_path / "x.safetensors")


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("gone-off"),))


@pytest.mark.parametrize("old", [True, False])
def test_code_in_a_pickle_never_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool):
    monkeypatch.chdir(tmp_path)
    held = {"state_dict": {"w": torch.ones(2)}, "bomb": Bomb()}
    torch.save(held, "x.ckpt", _use_new_zipfile_serialization=not old)
    with pytest.raises(UserError, match="could run code"):
        open_weights(tmp_path / "x.ckpt")
    assert not Path("gone-off").exists()
    assert pickle.loads(pickle.dumps(Bomb())) is None and Path("gone-off").exists(), "the bomb is a real one"


@pytest.mark.parametrize("old", [True, False])
def test_pickled_weights_are_read_flat_or_nested(tmp_path: Path, old: bool):
    for held in ({"w": TENSORS["a"]}, {"state_dict": {"w": TENSORS["a"]}, "step": 3}):
        torch.save(held, tmp_path / "x.pt", _use_new_zipfile_serialization=not old)
        weights = open_weights(tmp_path / "x.pt")
        assert list(weights.shapes) == ["w"] and torch.equal(weights.read("w"), TENSORS["a"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no pickle at all", pickle.dumps({"w": 1}, protocol=2)])
def test_other_pickles_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(UserError):
        open_weights(tmp_path / "x.ckpt")


def test_shards_are_one_and_a_lost_one_is_missed(tmp_path: Path):
    save_file({"a": TENSORS["a"]}, tmp_path / "1.safetensors")
    save_file({"half": TENSORS["half"]}, tmp_path / "2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors", "half": "2.safetensors"}}))
    weights = open_weights(index)
    assert torch.equal(weights.read("half"), TENSORS["half"]) and len(weights.files) == 2
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}))
    with pytest.raises(UserError, match="b stand"):
        open_weights(index)
    (tmp_path / "1.safetensors").unlink()
    with pytest.raises(UserError):
        open_weights(index)
    index.write_text("[]")
    with pytest.raises(UserError, match="damaged"):
        open_weights(index)


def test_what_is_no_model_file_is_refused(tmp_path: Path):
    (tmp_path / "picture.png").write_bytes(b"x")
    for name in ("picture.png", "absent.safetensors"):
        with pytest.raises(UserError):
            open_weights(tmp_path / name)


def test_long_lists_of_names_are_shortened():
    assert [PLAIN.what(first_names(names)) for names in ("dcba", "ba")] == ["a, b, c and 1 more", "a, b"]


@pytest.mark.parametrize(
    "places",
    [[], "model", 5, None, [["a", "b"]], {"a": 5}, {"a": None}, {"a": ["b"]}, {"a": "../x.safetensors"},
     {"a": "/x.safetensors"}, {"a": "model.safetensors.index.json"}],
)  # fmt: skip
def test_an_index_that_lists_no_files_beside_it_is_damaged(places: object, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places}))
    with pytest.raises(UserError, match="it does not list tensors"):
        open_weights(path)


def test_a_tensor_that_is_longer_than_its_record_is_refused(tmp_path: Path) -> None:
    """Mapped into memory, it would go on with whatever lies behind it in the file."""
    sound, short = tmp_path / "sound.pt", tmp_path / "short.pt"
    torch.save({"a": torch.ones(100)}, sound)
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(short, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            new.writestr(member.filename, data[:40] if "/data/" in member.filename else data)
    assert open_weights(sound).shapes == {"a": (100,)}
    with pytest.raises(UserError, match="is damaged or incomplete"):
        open_weights(short)
