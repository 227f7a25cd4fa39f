"""How far weights have moved: against the tensors themselves."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from modules.errors import UserError
from modules.formats.lora import LoraTensors
from modules.merging.blocks import kind_of
from modules.merging.shift import read_shift
from modules.merging.weight_shift import Change, changes_in
from modules.messages import Finished, Note, RunTool
from tests.test_run import do
from tests.tiny import tiny_sd
from tests.tools.weights.test_convert import converted, tensors_of
from tests.tools.weights.test_extract import lora_of_all_layers
from tests.trainer.runs import folder_of, run, values


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd(tmp_path_factory.mktemp("shift") / "base")


@pytest.fixture(scope="module")
def lora(base: Path) -> Path:
    return lora_of_all_layers(base, base.parent / "lora.safetensors")


@pytest.fixture(scope="module")
def tuned(base: Path, lora: Path) -> Path:
    return converted(base, base.parent / "tuned.safetensors", parts=str(lora), dtype="fp32")


def measured(out: Path, **settings: Any) -> tuple[dict[str, Any], list[str]]:
    events = do(RunTool("weight-shift", {"out": str(out), "overwrite": True, **settings}))
    assert events[-1] == Finished(path=str(out))
    said = [event.text for event in events if isinstance(event, Note)]
    assert read_shift(out).blocks, "the window reads it"
    return json.loads((out / "weight-shift.json").read_text(encoding="utf-8")), said


def test_numbers_are_those_of_the_tensors(base: Path, tuned: Path, tmp_path: Path) -> None:
    found, said = measured(tmp_path, base=str(base), tuned=str(tuned), other=str(tuned), largest=True)
    one, two = tensors_of(base), tensors_of(tuned)
    layers = {layer["name"].replace("|text_model.", "|"): layer for layer in found["layers"]}
    assert layers.keys() == {name for name, tensor in one.items() if tensor.is_floating_point()}
    name = "denoiser|mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    delta, layer = two[name] - one[name], layers[name]
    assert (layer["block"], layer["kind"]) == ("MID", "cross-attn k v")
    assert layer["norm"] == pytest.approx(float(delta.norm()), rel=1e-4)
    assert layer["relative"] == pytest.approx(float(delta.norm() / one[name].norm()), rel=1e-4)
    assert layer["largest"] == pytest.approx(float(torch.linalg.svdvals(delta)[0]), rel=0.02)
    assert layer["cosine"] == pytest.approx(1.0, abs=1e-5)
    assert layers["denoiser|conv_norm_out.bias"]["norm"] == 0
    squares = sum(float((two[name] - one[name]).square().sum()) for name in layers)
    whole = sum(float(one[name].square().sum()) for name in layers)
    assert found["relative"] == pytest.approx((squares / whole) ** 0.5, rel=1e-3)
    assert sum(cell["count"] for cell in found["cells"]) == len(layers)
    assert found["blocks"][0] == "BASE" and found["blocks"].index("IN01") < found["blocks"].index("MID")
    assert any("The whole model has moved by" in line for line in said)
    with (tmp_path / "weight-shift.csv").open(encoding="utf-8") as file:
        assert len([*csv.DictReader(file)]) == len(layers)
    with Image.open(tmp_path / "weight-shift.png") as image:
        assert len(image.convert("RGB").getcolors(2**20) or []) > 20


def test_a_lora_is_measured_without_being_built_or_a_base(base: Path, lora: Path, tuned: Path, tmp_path: Path) -> None:
    whole, _ = measured(tmp_path / "model", base=str(base), tuned=str(tuned))
    alone, _ = measured(tmp_path / "lora", base=str(base), tuned=str(lora), largest=True)
    norms = {layer["name"].replace("|text_model.", "|"): layer["norm"] for layer in whole["layers"]}
    for layer in alone["layers"]:
        assert layer["norm"] == pytest.approx(norms[layer["name"]], rel=1e-3), layer["name"]
        assert layer["largest"] <= layer["norm"] * (1 + 1e-5)
    update = LoraTensors.of(torch.randn(2, 6), torch.randn(8, 2), 1.0)
    lazy = changes_in({"denoiser|x": update}, lambda *_: torch.zeros(1))["denoiser|x.weight"]()
    assert lazy.dense is None
    built = Change(update.delta_weight(torch.zeros(8, 6)))
    assert lazy.norm == pytest.approx(built.norm, rel=1e-5)
    assert lazy.dot(built) == pytest.approx(built.norm**2, rel=1e-4)


def test_the_steps_of_a_run_are_lines(tmp_path: Path) -> None:
    full = ("method.kind=full", "training.learning_rate=1e-3", "schedule.warmup=0 steps", "training.steps=2")
    folder = folder_of(run(values(tmp_path / "runs", *full, "backup.every=1 steps")))
    source = values(tmp_path / "runs")["model"]["source"]
    found, said = measured(tmp_path / "out", base=source, tuned=str(folder), steps=True)
    assert [step["step"] for step in found["steps"]] == [1, 2]
    assert 0 < found["steps"][0]["relative"] < found["steps"][1]["relative"]
    assert any(line.startswith("Step 2: ") for line in said)


def test_a_backup_of_a_lora_is_no_step_that_is_measured(tmp_path: Path) -> None:
    how = ("training.steps=2", "backup.every=1 steps", "backup.save_every=2 steps")
    folder = folder_of(run(values(tmp_path / "runs", *how)))
    source = json.loads((folder / "preset.json").read_text())["model"]["source"]
    found, _ = measured(tmp_path / "out", base=source, tuned=f"{folder}:2", steps=True)
    assert [step["step"] for step in found["steps"]] == [2]


def test_what_cannot_be_compared_is_refused(base: Path, tuned: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to compare with"):
        measured(tmp_path, tuned=str(tuned))
    with pytest.raises(UserError, match="measured from its base"):
        measured(tmp_path, tuned=str(tuned), base=str(base), steps=True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight", "self-attn q k v"),
        ("up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_out.0.weight", "cross-attn out"),
        ("mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.weight", "feed-forward"),
        ("mid_block.resnets.0.conv1.weight", "convolution"),
        ("mid_block.resnets.0.time_emb_proj.weight", "time embedding"),
        ("time_embedding.linear_1.weight", "time embedding"),
        ("mid_block.resnets.0.norm1.weight", "norm, bias"),
        ("mid_block.resnets.0.conv1.bias", "norm, bias"),
        ("text_model.encoder.layers.0.self_attn.q_proj.weight", "self-attn q k v"),
        ("transformer_blocks.3.attn.add_k_proj.weight", "cross-attn k v"),
        ("single_transformer_blocks.3.proj_mlp.weight", "feed-forward"),
        ("single_transformer_blocks.3.proj_out.weight", "feed-forward"),
        ("layers.4.attention.to_q.weight", "self-attn q k v"),
        ("text_model.embeddings.token_embedding.weight", "embedding"),
    ],
)
def test_layers_are_of_the_kinds_that_people_speak_of(name: str, kind: str) -> None:
    assert kind_of(name) == kind
