"""Options that are broken or hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inputs.zoo import Row, command, refused, rows

__all__ = ["command"]
pytestmark = pytest.mark.timeout(30)

ROBOT = "presets/Starter/Robot LoRA.json"
LONG = "x" * 300
DEEP = "[" * 60_000


def prepare(*options: str):
    return lambda folder: ["cache", ROBOT, *(option.replace("FOLDER", str(folder)) for option in options)]


def laid(setting: str):
    return prepare("--set", setting)


def sample(*options: str):
    words = ("--prompt", "x", "--out", "FOLDER/out", *options)
    return lambda folder: ["sample", "starter:model", *(word.replace("FOLDER", str(folder)) for word in words)]


def convert(*words: str):
    return lambda folder: ["convert", *(word.replace("FOLDER", str(folder)) for word in words)]


OPTIONS = [
    ("set without a value", laid("training.steps"), "write --set path=value"),
    ("set without a path", laid("=1"), "There is no such setting"),
    ("set nothing", laid(""), "write --set path=value"),
    ("set an empty number", laid("training.steps="), 'training.steps: "" is not a whole number'),
    ("set NaN", laid("training.learning_rate=NaN"), "training.learning_rate"),
    ("set Infinity", laid("training.learning_rate=-Infinity"), "training.learning_rate"),
    ("set 1e999", laid("training.learning_rate=1e999"), "training.learning_rate"),
    ("set 10**5000", laid("training.steps=1" + "0" * 5000), "training.steps"),
    ("set 10**400", laid("training.learning_rate=1" + "0" * 400), "training.learning_rate"),
    ("set 60,000 brackets", laid(f"training.steps={DEEP}"), "training.steps"),
    ("set 60,000 objects", laid("training.steps=" + '{"a":' * 20_000), "training.steps"),
    ("set a section", laid('training={"steps": 1}'), "training: There is no such setting"),
    ("set the whole method", laid("method=os.system"), "method: There is no such setting"),
    ("set a class", laid("method.kind=os.system"), 'method.kind: "os.system" is none of'),
    ("set the optimizer's class", laid("optimizer.kind=torch.optim.SGD"), '"torch.optim.SGD" is none of'),
    ("set a dunder", laid("general.__class__=x"), "There is no such setting"),
    ("set through a text", laid("general.name.x=1"), "There is no such setting"),
    ("set an entry far away", laid("concepts.99.path=x"), "Entries count from 0"),
    ("set an entry of 5000 digits", laid(f"concepts.{'9' * 5000}.path=x"), "Entries count from 0"),
    ("set an entry below 0", laid("concepts.-1.path=x"), "There is no such setting"),
    ("set an entry in other digits", laid("concepts.٣.path=x"), "Entries count from 0"),
    ("set a path of 1000 parts", laid("a." * 1000 + "b=1"), "There is no such setting"),
    ("set bytes that are no text", laid("general.name=\udcff"), ("general.name", "not UTF-8")),
    ("set a path of bytes that are no text", laid("general.n\udcffme=x"), "There is no such setting"),
    ("set a control character", laid("general.name=a\x1b[2Jb"), ("general.name", "U+001B")),
    ("set a line break", laid("general.name=a\nFinished"), ("general.name", "U+000A")),
    ("set text turned round", laid("general.name=a\u202eb"), ("general.name", "U+202E")),
    ("a concept that is nowhere", prepare("--concept", "FOLDER/nowhere"), "does not exist"),
    ("a concept that is a file", prepare("--concept", __file__), "is a file, not a folder"),
    ("a concept that is a device", prepare("--concept", "/dev/zero"), "/dev/zero"),
    ("a concept with too long a name", prepare("--concept", f"FOLDER/{LONG}"), ("Shorten the name",)),
    ("a concept that forges a line", prepare("--concept", "FOLDER/a\x1b[2J\u202e"), "does not exist"),
    ("an empty concept", prepare("--concept", ""), "--concept"),
    ("an unknown bundled concept", prepare("--concept", "starter:../../etc"), "starter:../../etc"),
    ("a bundled concept in capitals", prepare("--concept", "starter:Robot"), 'Did you mean "starter:robot"?'),
    ("a workspace with too long a name", prepare("--workspace", f"FOLDER/{LONG}"), "Shorten the name"),
    ("a workspace of bytes that are no text", prepare("--workspace", "FOLDER/\udcff"), "general.workspace"),
    ("a workspace in a device", prepare("--workspace", "/dev/null/x"), "/dev/null"),
    ("a model with too long a name", laid(f"model.source=/{LONG}"), "Shorten the name"),
    ("a model that is a device", laid("model.source=/dev/zero"), "/dev/zero"),
    ("a model that is a file of another kind", laid("model.source=/etc/passwd"), "is not a kind of file that"),
    ("a model that climbs out of the hub", laid("model.source=../../nowhere/else"), "There is no model at"),
    ("a model that is a web page", laid("model.source=https://example.com/model.safetensors"), "There is no model at"),
    ("a vae that is a device", laid("model.vae=/dev/zero"), "/dev/zero"),
    ("an output that is a device", laid("output.path=/dev/null"), "Let its name end with .safetensors"),
    ("a size of letters", sample("--size", "wide"), "is not a size"),
    ("a size of nought", sample("--size", "0x0x0"), "is not a size"),
    ("a size of a million", sample("--size", "99999x99999"), "is out of range"),
    ("a size that is odd", sample("--size", "65x65"), "is not a multiple of 8"),
    ("steps of letters", sample("--steps", "many"), 'steps: "many" is not a whole number'),
    ("steps of 5000 digits", sample("--steps", "9" * 5000), "steps: "),
    ("steps below 0", sample("--steps=-5"), "out of range"),
    ("a seed of letters", sample("--seed", "0x10"), 'seed: "0x10" is not a whole number'),
    ("a seed too large", sample("--seed", str(2**64)), "seed"),
    ("guidance that is no number", sample("--guidance", "nan"), "guidance"),
    ("guidance without end", sample("--guidance", "inf"), "guidance"),
    ("count of letters", sample("--count", "many"), 'count: "many" is not a whole number'),
    ("count of nought", sample("--count", "0"), "count: 0 is out of range"),
    ("count of a million", sample("--count", "100000000"), "count: 100000000 is out of range"),
    ("an unknown sampler", sample("--sampler", "eulr"), 'Did you mean "euler"?'),
    ("a sampler's class", sample("--sampler", "diffusers.DDIMScheduler"), "is none of"),
    ("a prompt with a control character", sample("--prompt", "a\x1b[2Jb"), "U+001B"),
    ("a prompt of bytes that are no text", sample("--prompt", "\udcff"), "not UTF-8"),
    ("a lora that is nowhere", sample("--lora", "FOLDER/no.safetensors"), "There is no file"),
    ("a lora that is a folder", sample("--lora", "FOLDER"), "There is no file"),
    ("a lora that is a device", sample("--lora", "/dev/zero"), "/dev/zero"),
    ("a lora with too long a name", sample("--lora", f"FOLDER/{LONG}"), "Shorten the name"),
    ("convert nothing", convert("FOLDER/no", "FOLDER/new"), "There is no model at"),
    ("convert into a device", convert("starter:model", "/dev/null/x.safetensors"), "/dev/null"),
    ("convert a name too long", convert("starter:model", f"FOLDER/{LONG}.safetensors"), "Shorten the name"),
    ("convert parts that are nowhere", convert("starter:model", "FOLDER/new", "--parts", "no"), "There is no file"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(OPTIONS))
def test_an_option_that_cannot_be_used_is_refused_in_words(row: Row, command, tmp_path: Path) -> None:
    refused(command(*row.make(tmp_path)), row)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [["train"], ["nonsense"], ["convert", "x"], ["convert", "x", "y", "--dtype", "int4"],
     ["check", "x", "--events", "xml"],
     ["sample", "x", "--family", "x"]],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_is_none_shows_how_it_is_written(words: list[str], command) -> None:
    answer = command(*words)
    assert answer.code == 2
    assert answer.said.startswith("usage:")
    assert "Traceback" not in answer.said


def test_a_refusal_that_is_no_text_reaches_programs_as_json(command, tmp_path: Path) -> None:
    answer = command("check", f"{tmp_path}/a\udcff.json", "--events", "json")
    assert answer.code == 2
    answer.shown.encode("utf-8")
    assert "\\\\udcff" in answer.shown
