"""Presets that are broken, hostile, or no presets at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.errors import UserError
from modules.preset.layer_selection import select_layers
from tests.inputs.zoo import Row, assert_sentence, command, file, refused, rows, sparse

__all__ = ["command"]
pytestmark = pytest.mark.timeout(30)

Make = Callable[[Path], Path]
ROBOT = {"model": {"source": "starter:model"}, "concepts": [{"path": "starter:robot"}]}


def text(content: bytes | str) -> Make:
    return file("preset.json", content)


def held(**values: Any) -> Make:
    """A preset that would train the robot, but for these values."""
    return text(json.dumps({"version": 1, **ROBOT, **values}))


def project(**values: Any) -> Make:
    return held(kind="project", **values)


def many_keys(folder: Path) -> Path:
    return text("{" + ",".join(f'"k{n}":1' for n in range(60_000)) + "}")(folder)


def link(target: str) -> Make:
    def make(folder: Path) -> Path:
        path = folder / "preset.json"
        path.symlink_to(target)
        return path

    return make


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "preset.json")
    return folder / "preset.json"


def locked(folder: Path) -> Path:
    path = held()(folder)
    path.chmod(0)
    return path


FILES = [
    ("empty", text(b""), "is not valid JSON"),
    ("spaces", text(b" \n \t "), "is not valid JSON"),
    ("array at the top", text("[]"), "A preset begins with {"),
    ("null at the top", text("null"), "holds no settings"),
    ("text at the top", text('"train"'), "holds no settings"),
    ("number at the top", text("1"), "holds no settings"),
    ("nested 100,000 deep in lists", text("[" * 100_000), "nested more than 50 levels"),
    ("nested 100,000 deep in objects", text('{"a":' * 100_000), "nested more than 50 levels"),
    ("nested behind a quoted bracket", text('{"a": "]]]]", "b": ' + "[" * 60 + "]" * 60 + "}"), "nested more than 50"),
    ("5 MB of escaped quotes", text('"' + '\\"' * 2_000_000), "is not valid JSON"),
    ("60,000 keys", many_keys, "does not say which version"),
    ("a key twice", text('{"version": 1, "version": 1}'), "version: Keep one of them"),
    ("a key twice deep inside", text('{"version": 1, "training": {"steps": 1, "steps": 2}}'), "steps: Keep one"),
    ("NaN", text('{"version": 1, "training": {"learning_rate": NaN}}'), "holds NaN, which is not a number"),
    ("Infinity", text('{"version": 1, "training": {"learning_rate": Infinity}}'), "holds Infinity"),
    ("minus Infinity", text('{"version": 1, "training": {"learning_rate": -Infinity}}'), "holds -Infinity"),
    ("1e999", text('{"version": 1, "training": {"learning_rate": 1e999}}'), "holds 1e999"),
    ("10**5000", text('{"version": 1, "training": {"steps": 1' + "0" * 5000 + "}}"), "with 5001 digits"),
    ("a zero byte inside", text(b'{"version": 1\x00}'), "is not text in UTF-8 (byte 13)"),
    ("a raw control character in a text", text('{"version": 1, "title": "a\x1bb"}'), "is not valid JSON"),
    ("invalid UTF-8", text(b'{"version": 1, "title": "\x81"}'), "is not text in UTF-8 (byte 25)"),
    ("UTF-16 without its mark", text('{"version": 1}'.encode("utf-16-le")), "is not text in UTF-8"),
    ("half a character", text('{"version": 1, "title": "\\ud800"}'), "holds half of a character"),
    ("half a character as a key", text('{"version": 1, "\\udfff": 1}'), "holds half of a character"),
    ("a trailing comma", text('{"version": 1,}'), ("line 1, column", "Fix that place")),
    ("a comment", text('{"version": 1 // one\n}'), "is not valid JSON"),
    ("single quotes", text("{'version': 1}"), "is not valid JSON"),
    ("two objects", text('{"version": 1} {"version": 1}'), "is not valid JSON"),
    ("HTML", text("<!DOCTYPE html><html><body>Not found</body></html>"), "is not valid JSON"),
    ("YAML with a tag", text("!!python/object/apply:os.system ['touch canary']"), "is not valid JSON"),
    ("TOML", text("[training]\nsteps = 1\n"), "is not valid JSON"),
    ("a pickle", text(b"\x80\x04cos\nsystem\n(S'touch canary'\ntR."), ("is not text in UTF-8",)),
    ("200 MB", lambda folder: sparse(folder / "preset.json", 200_000_000, b"{"), "is larger than 5 MB"),
    ("a folder", lambda folder: folder, "is a folder"),
    ("missing", lambda folder: folder / "preset.json", "There is no file"),
    ("a link into nothing", link("nowhere.json"), "There is no file"),
    ("a link to itself", link("preset.json"), ("preset.json", "links")),
    ("a device without end", lambda _: Path("/dev/zero"), "/dev/zero is not a file"),
    ("a pipe", fifo, "is not a file"),
    ("a name that is too long", lambda folder: folder / ("x" * 300), "Shorten the name"),
    ("a zero byte in its path", lambda folder: f"{folder}/a\0b.json", "There is no file"),
    ("a path that is no text", lambda folder: f"{folder}/a\udcff.json", "There is no file"),
    ("a path that forges a line", lambda folder: f"{folder}/a\n\x1b[2Jb\u202e.json", "There is no file"),
]  # fmt: skip
if hasattr(os, "geteuid") and os.geteuid() != 0:
    FILES.append(("locked", locked, "may not be read"))


@pytest.mark.parametrize("row", rows(FILES))
def test_a_file_that_is_no_preset_is_refused_in_words(row: Row, command, tmp_path: Path) -> None:
    refused(command("check", row.make(tmp_path)), row)


VALUES = [
    ("version missing", text('{"title": "x"}'), 'Write "version": 6 into it.'),
    ("version newer", held(version=9999), "written by a newer Seachange"),
    ("version of 29 digits", held(version=10**28), "written by a newer Seachange"),
    ("version negative", held(version=-1), "which version"),
    ("version as text", held(version="1"), "which version"),
    ("version true", held(version=True), "which version"),
    ("version a fraction", held(version=1.0), "which version"),
    ("kind unknown", held(kind="workflow"), '"workflow" is none of'),
    ("kind a list", held(kind=[1]), "[1] is none of"),
    ("kind deep", held(kind={"a": {"b": 1}}), "is none of"),
    ("section as list", held(training=[1]), "training: [1] must be a group of settings, in braces"),
    ("section as text", held(training="fast"), 'training: "fast" must be a group'),
    ("section null", held(training=None), "training: null must be a group"),
    ("learning rate as word", held(training={"learning_rate": "fast"}), 'learning_rate: "fast" is not a number'),
    ("learning rate as quoted number", held(training={"learning_rate": "1e-4"}), '"1e-4" is not a number'),
    ("learning rate true", held(training={"learning_rate": True}), "training.learning_rate: true is not a number"),
    ("learning rate zero", held(training={"learning_rate": 0}), "training.learning_rate: 0 is out of range"),
    ("learning rate negative", held(training={"learning_rate": -1}), "out of range: it must be above 0"),
    ("steps a fraction", held(training={"steps": 1.5}), "training.steps: 1.5 is not a whole number"),
    ("steps a list", held(training={"steps": [1]}), "training.steps: [1] is not a whole number"),
    ("steps of 29 digits", held(training={"batch_size": 10**28}), "training.batch_size: 1000"),
    ("switch as number", held(training={"ema": 1}), "training.ema: 1 must be true or false"),
    ("switch as word", held(training={"ema": "yes"}), 'training.ema: "yes" must be true or false'),
    ("choice unknown", held(model={"source": "starter:model", "dtype": "bf61"}), 'Did you mean "bf16"?'),
    ("choice as number", held(model={"source": "starter:model", "dtype": 16}), "model.dtype: 16 is none of"),
    ("choice as object", held(model={"source": "starter:model", "dtype": {}}), "model.dtype: {} is none of"),
    ("text as number", held(model={"source": 5}), "model.source: 5 must be text in quotes"),
    ("text as object", held(model={"source": {"path": "x"}}), "model.source"),
    ("interval without unit", held(sampling={"every": "100"}), "must be a number with a unit"),
    ("interval negative", held(sampling={"every": "-1 steps"}), "must be a number with a unit"),
    ("interval as number", held(sampling={"every": 100}), "sampling.every: 100 must be text in quotes"),
    ("interval of 10,000 digits", held(sampling={"every": "9" * 10_000 + " steps"}), "sampling.every"),
    ("list as object", held(concepts={"path": "starter:robot"}), "concepts"),
    ("list of numbers", held(concepts=[1, 2]), "concepts.0: 1 must be a group of settings"),
    ("10,001 concepts", held(concepts=[{"path": "starter:robot"}] * 10_001), "concepts"),
    ("method unknown", held(method={"kind": "lycoris"}), 'method.kind: "lycoris" is none of'),
    ("method kind a number", held(method={"kind": 5}), "method.kind: \"5\" is none of"),
    ("method kind an object", held(method={"kind": {"a": 1}}), "method.kind"),
    ("method as text", held(method="lora"), 'method: "lora" must be a group'),
    ("method's class named", held(method={"target": "os.system", "kind": "lora"}), "method.target: There is no such"),
    ("a class at the top", held(_target_="subprocess.run"), "_target_: There is no such setting"),
    ("a class in the optimizer", held(optimizer={"kind": "builtins.eval"}), '"builtins.eval" is none of'),
    ("another method's setting", held(method={"kind": "full", "rank": 4}), "method.rank: This belongs to method.kind"),
    ("unknown key", held(training={"lerning_rate": 1e-4}), "Did you mean training.learning_rate?"),
    ("initials", held(training={"lr": 1e-4}), "Did you mean training.learning_rate?"),
    ("unknown section", held(trainnig={"steps": 4}), "trainnig: There is no such setting"),
    ("unknown key of 10 kB", held(training={"x" * 10_000: 1}), "There is no such setting"),
    ("unknown key that forges a line", held(**{"a\n\x1b[2J\u202eb": 1}), "There is no such setting"),
    ("empty key", held(**{"": 1}), "There is no such setting"),
    ("key with dots", held(**{"training.steps": 1}), "training.steps"),
    ("key that is a number", held(training={"0": 1}), "training.0: There is no such setting"),
    ("1,000 unknown keys", held(training={f"k{n}": 1 for n in range(1000)}), "and 950 more"),
    ("name too long", held(title="x" * 201), "title: "),
    ("a path of one machine", held(general={"workspace": "/tmp"}), "belongs to one machine"),
    ("a concept of one machine", held(concepts=[{"path": "../../etc"}]), "A preset holds no folder of one machine"),
    ("an unknown bundled concept", held(concepts=[{"path": "starter:../../etc"}]), "starter:../../etc"),
    ("an unknown bundled model", held(model={"source": "starter:../model"}), "starter:../model"),
    ("a control character in the title", held(title="a\x1b[2Jb"), ("title: ", "U+001B")),
    ("a line break in the title", held(title="a\nStep 100 of 100"), ("title: ", "U+000A")),
    ("text turned round in the title", held(title="a\u202efdp.exe"), ("title: ", "U+202E")),
    ("text turned round in a prompt", held(sampling={"prompts": [{"prompt": "a\u202eb"}]}), ("prompts.0", "U+202E")),
    ("a zero byte in a prompt", held(sampling={"prompts": [{"prompt": "a\x00b"}]}), ("prompts.0.prompt", "U+0000")),
    ("a control character in a prefix", held(concepts=[{"path": "starter:robot", "prefix": "\x07"}]), "U+0007"),
    ("a line break in the run's name", project(general={"name": "a\nb"}), ("general.name", "U+000A")),
    ("a zero byte in the workspace", project(general={"workspace": "a\0b"}), ("general.workspace", "U+0000")),
    ("a zero byte in a concept", project(concepts=[{"path": "a\0b"}]), ("concepts.0.path", "U+0000")),
    ("a zero byte in the model", project(model={"source": "a\0b"}), ("model.source", "U+0000")),
    ("a zero byte in the output", project(output={"path": "a\0b.safetensors"}), ("output.path", "U+0000")),
    ("no concept", text(json.dumps({"version": 1, "model": ROBOT["model"]})), "There are no images to train on"),
    ("no model", text('{"version": 1, "concepts": [{"path": "starter:robot"}]}'), "No base model is chosen"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(VALUES))
def test_a_wrong_value_is_refused_with_its_path(row: Row, command, tmp_path: Path) -> None:
    refused(command("cache", row.make(tmp_path)), row)
    assert not list(tmp_path.rglob("canary"))


ENDLESS = ["(a+)+$", "(a*)*b", r"([\w.]+)+!", "((a|b)+)*c", "(a|aa)+!", ".*.*.*.*.*.*!", "(?:x(?:y+))+",
           "(?:a{1,}){5,}", "((.*))*x", "x" * 20_000]  # fmt: skip
BROKEN = ["(?P<x", "([", "a{99999999999}", "(" * 5000, "attn\\", "*"]
USUAL = ["attn", "to_q$", r"down_blocks\.\d+\.attentions\.\d+\..*attn.*\.to_[qkv]", "(attn1|attn2)", "[(]a+[)]+|attn",
         "(?i:ATTN)"]  # fmt: skip


@pytest.mark.parametrize("pattern", [*ENDLESS, *BROKEN], ids=lambda pattern: pattern[:20])
def test_a_pattern_of_layers_that_is_broken_or_would_never_end_is_refused(pattern: str) -> None:
    with pytest.raises(UserError) as refusal:
        select_layers([f"up.{'a' * 80}.to_q"], pattern, {"all": (".",)})  # that none of them matches
    assert "method.layers" in str(refusal.value)
    assert_sentence(str(refusal.value)[:3000] + ".")


@pytest.mark.parametrize("pattern", USUAL)
def test_a_pattern_that_people_write_is_taken(pattern: str) -> None:
    assert select_layers(["down_blocks.0.attentions.1.attn1.to_q"], pattern, {"all": (".",)})
