"""What a preset trains is counted as the trainer trains it, without loading a model."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.catalog import FAMILIES
from modules.check.trained import layer_lists
from modules.check.trained.answers import answer
from modules.families import LoadOptions, family_class
from modules.families.parts import layer_list
from modules.messages import Query
from modules.methods import attach
from modules.preset.validate import preset_of
from modules.system.runtime import python_command, python_environment
from tests.families.pretend.card import CARD
from tests.families.pretend.model import tiny_pretend
from tests.layer_answers import answered
from tests.tiny import tiny_sd

STARTER = "starter:model"
WORD = {"token": "<new>", "vectors": 3}
TEXT = {"text_encoder_1": {"train": True}}
METHODS: list[dict[str, Any]] = [
    {"kind": "full", "layers": "input 4, mid"},
    {"kind": "full", "layers": "all", "groups": [{"layers": "up", "train": False}]},
    {"kind": "lora", "layers": "attention"},
    {"kind": "lora", "layers": "attention-mlp", "conv": True, "groups": [{"layers": "output 1", "rank": 3}]},
    {"kind": "lora", "layers": "resnets", "conv": True, "dora": True},
    {"kind": "lokr", "layers": "all", "conv": True, "factor": 4},
    {"kind": "loha", "layers": "up, mid"},
    {"kind": "oft", "layers": "attention-mlp", "groups": [{"layers": "down", "train": False}]},
    {"kind": "embedding"},
]
OF_PRETEND: list[dict[str, Any]] = [
    {"kind": "full", "layers": "mlp"}, {"kind": "lora", "layers": "attention"}, {"kind": "oft", "layers": "all"},
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def registered() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "pretend", CARD)
        yield


@pytest.fixture(scope="module")
def pretend(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_pretend(tmp_path_factory.mktemp("pretend")))


def check(family: str, source: str, method: dict[str, Any], **sections: Any) -> None:
    """Compare the answer with what the trainer makes of the same preset."""
    about = dict(method)
    kind = about.pop("kind")
    found = answered("trained", family, kind, source, method=about, **sections)
    preset = preset_of({"model": {"family": family, "source": source}, "method": method, **sections})
    made = attach(family_class(family).load(source, LoadOptions()), preset)
    counts: dict[str, int] = {}
    for group in made.groups():
        numbers = sum(parameter.numel() for parameter in group.parameters.values())
        counts[group.component] = counts.get(group.component, 0) + numbers
    assert {name: part["trained"] for name, part in found["parts"].items()} | {"": found["words"]} == {"": 0, **counts}
    for name, part in found["parts"].items():
        assert part["whole"] == sum(p.numel() for p in made.family.component(name).parameters())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method['kind']} {method.get('layers')}")
def test_the_numbers_counted_are_those_that_the_trainer_trains(method: dict[str, Any]) -> None:
    check("sd", STARTER, method, training=TEXT, words=[WORD])


@pytest.mark.parametrize("method", OF_PRETEND, ids=lambda method: method["kind"])
def test_a_family_that_nothing_lists_is_counted_too(method: dict[str, Any], pretend: str) -> None:
    check("pretend", pretend, method, training={"text_encoder_3": {"train": True}})


def test_a_model_that_is_not_here_is_counted_as_its_classes_build_it() -> None:
    found = answered("layers", "pretend", "full", "nobody/pretend")
    assert (found["title"], found["own"]) == ("Pretend", False)
    assert "transformer_blocks.1.mlp.0.weight" in found["names"]
    assert answered("layers", "sd", "full", "stabilityai/stable-diffusion-2-1")["title"] == "Stable Diffusion 2"
    assert answered("layers", "sd", "full", "C:/models/photon.safetensors")["title"] == "Stable Diffusion 1.5"
    assert answered("layers", "sd", "full", STARTER)["own"]


def test_a_model_in_one_file_is_counted_as_it_is_until_it_changes(tmp_path: Path) -> None:
    sd, file = family_class("sd").load(str(tiny_sd(tmp_path / "sd")), LoadOptions()), tmp_path / "sd.safetensors"
    sd.save(file, single_file=True, dtype=torch.float16, parts=sd.component_names, metadata={}, tensors={})
    found = answered("layers", "sd", "full", str(file))
    assert (found["title"], found["own"]) == ("sd.safetensors", True)
    assert found["whole"] == sum(parameter.numel() for parameter in sd.denoiser.parameters())
    file.write_bytes(b"damaged, and of another size")
    assert not answered("layers", "sd", "full", str(file))["own"]


def test_the_set_of_71_percent_weighs_what_it_is_known_for() -> None:
    found = answered("trained", "sdxl", "full", method={"layers": "71 %", "groups": [{"layers": "mid"}]})
    part = found["parts"]["denoiser"]
    assert (part["picked"], part["whole"]) == (1_827_058_244, 2_567_463_684)
    assert found["memory"] == {"weights": 4 * part["picked"], "gradients": 4 * part["picked"],
                               "optimizer": 8 * part["picked"]}  # fmt: skip
    assert round(100 * found["groups"][0] / part["whole"], 1) == 16.1


def test_memory_follows_the_optimizer_and_the_precision_of_trained_weights() -> None:
    found = answered("trained", "sdxl", "full", training={"weights": "bf16"}, optimizer={"kind": "adafactor"})
    numbers = found["parts"]["denoiser"]["trained"]
    assert found["memory"] == {"weights": 2 * numbers, "gradients": 2 * numbers, "optimizer": 0}


def test_convolutions_bring_layers_along_unless_they_are_named() -> None:
    assert answered("trained", "sd", "lora", method={"conv": True})["along"] == 86
    assert not answered("trained", "sd", "lora", method={"conv": True, "layers": "resnets"})["along"]
    assert not answered("trained", "sd", "lora")["along"]


@pytest.mark.parametrize(
    ("method", "code"),
    [({"layers": "nobody"}, "layers.no-match"), ({"layers": "("}, "layers.wrong"),
     ({"layers": "mid", "groups": [{"layers": "mid", "train": False}]}, "layers.all-off")],
)  # fmt: skip
def test_what_cannot_be_trained_is_a_problem_and_no_number(method: dict[str, Any], code: str) -> None:
    found = answered("trained", "sd", "full", STARTER, method=method)
    assert (found["problem"]["code"], found["parts"]) == (code, {})


def test_layers_are_built_once_and_again_when_the_file_of_the_model_changes(tmp_path: Path, pretend: str) -> None:
    asked: list[Any] = []

    def build(**question: Any) -> dict[str, Any]:
        asked.append([*question["configs"]])
        return layer_list.layer_lists(**question)

    model, general = {"family": "pretend", "source": pretend}, {"cache": str(tmp_path)}
    query = Query(1, "trained", {"model": model, "method": {"kind": "full"}, "general": general})
    config = Path(pretend, "transformer", "config.json")
    first = answer(query, build)
    assert answer(query, build) == answer(query, build) == first
    assert asked == [["denoiser"]]
    held = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps(held | {"num_layers": 3, "_name_or_path": "x"}), encoding="utf-8")
    assert answer(query, build).values != first.values
    assert asked == [["denoiser"], ["denoiser"]]


def test_the_engines_side_needs_no_torch() -> None:
    code = "import sys, modules.check.trained.answers; sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    assert subprocess.run(python_command("-c", code), env=python_environment(), check=False).returncode == 0


def test_the_builder_is_a_program_that_reads_and_writes_json() -> None:
    assert layer_lists.COMMAND[-1] == layer_list.__name__
    question: dict[str, Any] = {"module": CARD.module, "file": "", "configs": {"text_encoder_3": {}}}
    written = io.StringIO()
    layer_list.reply(io.StringIO(json.dumps(question)), written)
    found = json.loads(written.getvalue())["text_encoder_3"]
    assert (found["opened"], found["width"]) == (True, 512)  # T5's own default
    assert found["weights"]["shared.weight"] == [32128, 512]


def test_what_cannot_be_built_is_an_error_with_what_was_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_lists, "COMMAND", python_command("-c", "raise SystemExit('no such class')"))
    with pytest.raises(RuntimeError, match="no such class"):
        layer_lists.in_a_process(module="nobody", file="", configs={})
