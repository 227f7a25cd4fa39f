"""Files of weights that lie, that are torn, or that would run code: through `convert`, which reads all of them."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from modules.families import LoadOptions, family_class
from tests.inputs.zoo import Row, command, file, refused, rows, sparse
from tests.tiny import tiny_sd

__all__ = ["command"]
pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings(
        "ignore:Detected pickle protocol"
    ),  # as modules/system/weights/files.py does outside of tests
]

Make = Callable[[Path], Path]
UNET = "model.diffusion_model.input_blocks.0.0.weight"


def packed(header: Any, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file of this header, whether or not it tells the truth."""
    said = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(said) if length is None else length) + said + body


def lying(header: Any, body: bytes = b"", *, length: int | None = None) -> Make:
    return file("model.safetensors", packed(header, body, length=length))


def one(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8), body: bytes = bytes(8), **more: Any) -> Make:
    """A file of one tensor of which this is claimed."""
    return lying({UNET: {"dtype": dtype, "shape": shape, "data_offsets": offsets}, **more}, body)


def _hollow(folder: Path) -> Path:
    return sparse(folder / "model.safetensors", 90_000_000, packed(b"{", length=80_000_000))


NONE = "holds no U-Net of Stable Diffusion"
DAMAGED = "is damaged"
SAFETENSORS = [
    ("empty", file("model.safetensors", b""), "is not a safetensors file"),
    ("seven bytes", file("model.safetensors", b"\0" * 7), "is not a safetensors file"),
    ("a header of nought bytes", lying(b""), DAMAGED),
    ("a header of 2**63 bytes", lying(b"{}", length=2**63), "is not a safetensors file"),
    ("a header of 2**64-1 bytes", lying(b"{}", length=2**64 - 1), "is not a safetensors file"),
    ("a header longer than the file", lying(b"{}", length=5_000_000), "is incomplete"),
    ("a header of 80 MB", _hollow, "is not a safetensors file"),
    ("a header that is no JSON", lying(b"{'a': 1}"), DAMAGED),
    ("a header in UTF-16", lying("{}".encode("utf-16")), NONE),
    ("a header that is no text", lying(b"\xff\xfe\xfd\xfc"), DAMAGED),
    ("a header of a list", lying([1]), "lists no tensors"),
    ("a header of null", lying(b"null"), "lists no tensors"),
    ("a header 100,000 deep", lying(b'{"a":' * 100_000), DAMAGED),
    ("a header of NaN", lying(b'{"a": NaN}'), "of a kind that Seachange does not know"),
    ("a header of 10**5000", lying(b'{"a": 1' + b"0" * 5000 + b"}"), DAMAGED),
    ("no tensors", lying({}), NONE),
    ("metadata that is a list", lying({"__metadata__": [1]}), DAMAGED),
    ("metadata that is a number", lying({"__metadata__": 5}), DAMAGED),
    ("metadata of objects", lying({"__metadata__": {"a": {"b": 1}}}), NONE),
    ("a tensor that is null", lying({UNET: None}), "of a kind that Seachange does not know"),
    ("a tensor that is a text", lying({UNET: "F32"}), "of a kind that Seachange does not know"),
    ("a tensor without offsets", lying({UNET: {"dtype": "F32", "shape": [2]}}), "of a kind"),
    ("an unknown dtype", one(dtype="Q4_K"), "Take the same model in fp32, bf16"),
    ("a dtype that is a list", one(dtype=["F32"]), "of a kind"),
    ("a shape of text", one(shape="ab"), "of a kind"),
    ("a shape of fractions", one(shape=[2.0]), "of a kind"),
    ("a negative shape", one(shape=[-2]), "does not have the size it claims"),
    ("a shape whose sides multiply to more", one(shape=[2**40, 2**40]), "does not have the size it claims"),
    ("a shape that overflows 64 bits", one(shape=[2**33, 2**33, 2**33]), "does not have the size it claims"),
    ("an empty shape that overflows", one(shape=[0, 2**63], offsets=[0, 0]), "does not have the size it claims"),
    ("a shape of a hundred sides", one(shape=[1] * 100), "does not have the size it claims"),
    ("a shape of 2**70", one(shape=[2**70]), "does not have the size it claims"),
    ("one offset", one(offsets=[0]), "of a kind"),
    ("three offsets", one(offsets=[0, 4, 8]), "of a kind"),
    ("offsets turned round", one(offsets=[8, 0]), "does not have the size it claims"),
    ("a negative offset", one(offsets=[-8, 0]), "does not have the size it claims"),
    ("offsets beyond the file", one(shape=[2**30], offsets=[0, 2**32]), "is incomplete"),
    ("offsets of 2**62", one(offsets=[2**62, 2**62 + 8]), "is incomplete"),
    ("overlapping tensors", lying({n: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for n in "ab"}, bytes(8)),
     "overlap"),
    ("a tensor twice", lying(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, '
                             b'"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}', bytes(16)), DAMAGED),
    ("10,000 tensors of other programs", lying({f"t{n}": {"dtype": "U8", "shape": [1], "data_offsets": [n, n + 1]}
                                                for n in range(10_000)}, bytes(10_000)), NONE),
    ("names that forge a line", lying({"a\n\x1b[2J\u202e": {"dtype": "F33", "shape": [2], "data_offsets": [0, 8]}}),
     r"\x1b[2J"),
    ("a name of 1 MB", lying({"x" * 2**20: {"dtype": "F33", "shape": [2], "data_offsets": [0, 8]}}), "of a kind"),
    ("HTML", file("model.safetensors", "<!DOCTYPE html><html>Not found</html>" * 10), "is not a safetensors file"),
    ("a pickle inside", file("model.safetensors", pickle.dumps({"x": 1}) * 10), "is not a safetensors file"),
    ("a zip inside", file("model.safetensors", b"PK\3\4" + bytes(100)), "is not a safetensors file"),
    ("a pointer of git", file("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid 0\nsize 1\n"),
     "is not a safetensors file"),
    ("a folder", lambda f: (f / "model.safetensors").mkdir() or f / "model.safetensors", "model_index.json is missing"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(SAFETENSORS))
def test_a_safetensors_file_that_lies_is_refused(row: Row, command, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(command("convert", row.make(tmp_path), tmp_path / "new"), row)
    assert not (tmp_path / "new").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000, "it was believed"


# Pickles --------------------------------------------------------------------------------------------------------------


class Runs:
    """What would be called when the pickle is opened."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self._how = call, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self._how


def pickled(make: Callable[[Path], Any], protocol: int = 2) -> Make:
    """A .ckpt in the zip form of torch; `make` gets the path of the canary."""

    def do(folder: Path) -> Path:
        torch.save({"state_dict": make(folder / "canary")}, folder / "model.ckpt", pickle_protocol=protocol)
        return folder / "model.ckpt"

    return do


def raw(make: Callable[[Path], bytes], name: str = "model.ckpt") -> Make:
    def do(folder: Path) -> Path:
        (folder / name).write_bytes(make(folder / "canary"))
        return folder / name

    return do


def nested(canary: Path) -> bytes:
    """torch.nn.modules... by a dotted GLOBAL of protocol 4, which reaches through a module that may be allowed."""
    call = f"__import__('pathlib').Path({str(canary)!r}).touch()".encode()
    return (b"\x80\x04\x8c\x0bcollections\x8c\x1bOrderedDict.__init__.__self__\x93\x8c"
            + bytes([len(call)]) + call + b"\x85R.") if len(call) < 256 else b""  # fmt: skip


def zipped(names: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return out.getvalue()


def sound(folder: Path, **options: Any) -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": {"x": torch.ones(100)}}, out, **options)
    return out.getvalue()


def old_tar(canary: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("pickle", pickle.dumps(Runs(os.mkdir, str(canary)))), ("../../evil", b"x"),
                           ("storages", b""), ("tensors", b"")):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def bomb(_: Path) -> bytes:
    data = pickle.dumps({"state_dict": {}}, protocol=2)
    return zipped({"archive/data.pkl": data + bytes(64 * 2**20), "archive/version": b"3"}, zipfile.ZIP_DEFLATED)


SCRIPT = b"cos\nsystem\n(S'touch canary'\ntR."
CODE = "it could run code when opened, so it was not opened"
BROKEN = "is damaged"
PICKLES = [
    ("os.system", pickled(lambda c: Runs(os.system, f"touch '{c}'")), CODE),
    ("os.mkdir beside a tensor", pickled(lambda c: {"x": torch.ones(1), "y": Runs(os.mkdir, str(c))}), CODE),
    ("builtins.eval", pickled(lambda c: Runs(eval, f"open({str(c)!r}, 'w')")), CODE),
    ("builtins.exec", pickled(lambda c: Runs(exec, f"open({str(c)!r}, 'w')")), CODE),
    ("getattr", pickled(lambda c: Runs(getattr, Path(c), "touch")), CODE),
    ("open", pickled(lambda c: Runs(open, str(c), "w")), CODE),
    ("subprocess", pickled(lambda c: Runs(__import__("subprocess").Popen, ["touch", str(c)])), CODE),
    ("protocol 5", pickled(lambda c: Runs(os.mkdir, str(c)), 5), ("model.ckpt",)),
    ("protocol 4", pickled(lambda c: Runs(os.mkdir, str(c)), 4), ("model.ckpt",)),
    ("protocol 0 without a zip", raw(lambda c: pickle.dumps(Runs(os.mkdir, str(c)), 0)), ("model.ckpt",)),
    ("protocol 2 without a zip", raw(lambda c: pickle.dumps(Runs(os.mkdir, str(c)), 2)), ("model.ckpt",)),
    ("a global by hand", raw(lambda c: f"cos\nsystem\n(S'touch {c}'\ntR.".encode()), ("model.ckpt",)),
    ("a dotted global", raw(nested), ("model.ckpt",)),
    ("an old tar", raw(old_tar), ("model.ckpt",)),
    ("an old file of torch with code", raw(lambda c: _old(Runs(os.mkdir, str(c)))), ("model.ckpt",)),
    ("only numbers", pickled(lambda c: {"a": 1, "b": "x"}), "holds no tensors"),
    ("a list", raw(lambda c: _saved([torch.ones(1)])), "holds no tensors"),
    ("a tensor alone", raw(lambda c: _saved(torch.ones(1))), "holds no tensors"),
    ("tensors of another program", pickled(lambda c: {"x": torch.ones(1)}), NONE),
    ("keys that are numbers", pickled(lambda c: {1: torch.ones(1)}), ("model.ckpt",)),
    ("state_dict that is a list", raw(lambda c: _saved({"state_dict": [1]})), "holds no tensors"),
    ("a set deep in itself", raw(lambda c: b"\x80\x02" + b"]" * 100_000 + b"."), ("model.ckpt",)),
    ("100,000 marks", raw(lambda c: b"\x80\x02" + b"(" * 100_000 + b"."), BROKEN),
    ("a memo far away", raw(lambda c: b"\x80\x02j\xff\xff\xff\xff."), BROKEN),
    ("a text that claims 4 GB", raw(lambda c: b"\x80\x02X\xff\xff\xff\x7fabc."), BROKEN),
    ("a long number of 2 GB", raw(lambda c: b"\x80\x02\x8b\xff\xff\xff\x7f\x01."), ("model.ckpt",)),
    ("empty", raw(lambda c: b""), BROKEN),
    ("zeros", raw(lambda c: bytes(1000)), BROKEN),
    ("HTML", raw(lambda c: b"<!DOCTYPE html>" * 20), BROKEN),
    ("a zip cut short", raw(lambda c: sound(c)[:-200]), BROKEN),
    ("a zip of nothing", raw(lambda c: zipped({})), BROKEN),
    ("a zip without a pickle", raw(lambda c: zipped({"archive/version": b"3"})), BROKEN),
    ("a zip that climbs out", raw(lambda c: zipped({"../../evil": b"x", f"{c}": b"x", "archive/data.pkl": b"N."})),
     ("model.ckpt",)),
    ("a zip that unpacks to 64 MB", raw(bomb), "is compressed, as torch writes no model"),
    ("a zip that is a script", raw(lambda c: zipped({"archive/data.pkl": SCRIPT, "archive/version": b"3"})), CODE),
    ("a storage that claims more", raw(lambda c: sound(c).replace(b"K\x64", b"K\xff")), ("model.ckpt",)),
    ("a .ckpt that is safetensors", raw(lambda c: safetensors.torch.save({"x": torch.ones(1)})), BROKEN),
    ("a .bin that is JSON", file("model.bin", "{}"), BROKEN),
    ("a .pt of code", raw(lambda c: pickle.dumps(Runs(os.mkdir, str(c)), 2), "model.pt"), ("model.pt",)),
    ("a .gguf", file("model.gguf", b"GGUF" + bytes(100)), "is a GGUF file of version 0"),
    ("a .gguf of endless lists", file("model.gguf", b"GGUF" + struct.pack("<IQQQIIQ", 3, 0, 1, 0, 9, 4, 2**62)),
     "its header cannot be read"),
    ("an .onnx", file("model.onnx", bytes(100)), "is not a kind of file that models come in"),
    ("a .py", file("model.py", "open('canary', 'w')"), "is not a kind of file that models come in"),
    ("no ending", file("model", b"x"), "is not a kind of file that models come in"),
]  # fmt: skip


def _saved(thing: Any) -> bytes:
    out = io.BytesIO()
    torch.save(thing, out)
    return out.getvalue()


def _old(thing: Any) -> bytes:
    out = io.BytesIO()
    torch.save(thing, out, _use_new_zipfile_serialization=False)
    return out.getvalue()


@pytest.mark.parametrize("row", rows(PICKLES))
def test_a_pickle_that_is_broken_or_runs_code_is_refused(row: Row, command, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(command("convert", row.make(folder), tmp_path / "new"), row)
    assert {path.name for path in tmp_path.rglob("*")} == {"in", next(folder.iterdir()).name}, "something ran"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000
    assert not Path("canary").exists()


# Whole models with something wrong ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The tensors of a sound single file."""
    from safetensors.torch import load_file

    place = tmp_path_factory.mktemp("whole")
    family = family_class("sd").load(str(tiny_sd(place / "sd")), LoadOptions())
    family.save(place / "it.safetensors", single_file=True, dtype=torch.float32, parts=family.component_names,
                metadata=family.modelspec(), tensors={})  # fmt: skip
    return load_file(place / "it.safetensors")


def changed(change: Callable[[dict[str, torch.Tensor]], Any], **metadata: str):
    def make(folder: Path, whole: dict[str, torch.Tensor]) -> Path:
        from safetensors.torch import save_file

        tensors = dict(whole)
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata)
        return folder / "model.safetensors"

    return make


MODELS = [
    ("one tensor short", changed(lambda t: t.pop("model.diffusion_model.out.2.bias")), "model.safetensors"),
    ("one tensor more", changed(lambda t: t.update({"model.diffusion_model.evil": torch.ones(1)})),
     "has what does not belong there"),
    ("one tensor of another shape", changed(lambda t: t.update({"model.diffusion_model.out.2.bias": torch.ones(9)})),
     "model.safetensors"),
    ("one tensor of numbers", changed(lambda t: t.update({UNET: torch.ones(3, 3, dtype=torch.int64)})),
     "model.safetensors"),
    ("no text encoder", changed(lambda t: [t.pop(n) for n in list(t) if n.startswith("cond_stage")]),
     "model.safetensors"),
    ("no vae", changed(lambda t: [t.pop(n) for n in list(t) if n.startswith("first_stage")]), "model.safetensors"),
    ("an SDXL refiner", changed(lambda t: t.update({"conditioner.embedders.0.model.x": torch.ones(1)})), "refiner"),
    ("a description that is no JSON", changed(lambda t: None, **{"seachange.configs": "{"}), "model.safetensors"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(MODELS))
def test_a_model_that_is_not_whole_is_refused(row: Row, whole, command, tmp_path: Path) -> None:
    refused(command("convert", row.make(tmp_path, whole), tmp_path / "new"), row)
    assert not (tmp_path / "new").exists()
