"""Full fine-tunes: which weights move, in which precision, and what is saved of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from modules.errors import UserError
from modules.families import Family, LoadOptions
from modules.formats.tensors import same_bits
from modules.methods import attach
from modules.methods.full import FullFineTune
from modules.sentences.render import PLAIN
from tests.methods.setting import answer, learn, opened, preset, stir


def full(family: Family, layers: str = "all", *texts: str, **sections: Any) -> FullFineTune:
    found = attach(family, preset({"kind": "full", "layers": layers}, *texts, kind=type(family).name, **sections))
    assert isinstance(found, FullFineTune)
    return found


def test_attaching_changes_nothing() -> None:
    family = opened()
    before = answer(family)
    full(family, "all", "text_encoder_1")
    torch.testing.assert_close(answer(family), before, rtol=1e-5, atol=1e-5)


def test_every_weight_of_the_denoiser_is_trained_and_none_of_the_others() -> None:
    family = opened()
    method = full(family)
    assert len(method.parameters()) == len(list(family.denoiser.parameters()))
    learn(family, method)
    assert all(p.grad is not None for p in family.denoiser.parameters())
    for component in ("vae", "text_encoder_1"):
        assert not any(p.requires_grad or p.grad is not None for p in family.component(component).parameters())


@pytest.mark.parametrize("layers", ["attention", "up", "resnets", r"attn2\.to_k, norm\d"])
def test_only_the_chosen_layers_move(layers: str) -> None:
    family = opened()
    method = full(family, layers)
    before = {name: p.clone() for name, p in family.denoiser.named_parameters()}
    learn(family, method)
    moved = {f"denoiser|{name}" for name, p in family.denoiser.named_parameters() if not p.equal(before[name])}
    assert moved <= method.parameters().keys() and len(moved) > 0.8 * len(method.parameters())
    assert 0 < len(method.parameters()) < len(before)
    frozen = [p for name, p in family.denoiser.named_parameters() if f"denoiser|{name}" not in method.parameters()]
    assert all(p.grad is None for p in frozen)


def test_each_part_is_switched_on_by_itself() -> None:
    family = opened("sdxl")
    method = full(family, "all", "text_encoder_2", training={"denoiser": {"train": False}})
    assert method.modified_components == {"text_encoder_2"}
    assert any(name.endswith("token_embedding.weight") for name in method.parameters())
    learn(family, method)
    assert not any(p.grad is not None for p in family.denoiser.parameters())


def test_each_part_has_its_learning_rate() -> None:
    training = {"learning_rate": 0.5, "text_encoder_1": {"train": True, "learning_rate": 0.25, "stop_after": "3 steps"}}
    groups = full(opened(), training=training).groups()
    assert [(g.name, g.learning_rate, g.stop_after) for g in groups] == [
        ("denoiser", 0.5, "never"), ("text_encoder_1", 0.25, "3 steps"),
    ]  # fmt: skip


def test_the_share_that_is_trained_is_reported() -> None:
    family = opened()
    [note] = full(family, "attention").notes()
    whole = sum(p.numel() for p in family.denoiser.parameters())
    assert f"{whole:,}" in PLAIN.what(note) and "%" in PLAIN.what(note)


def test_trained_weights_are_held_in_another_precision_than_the_rest() -> None:
    family = opened(dtype=torch.bfloat16)
    method = full(family, "attention", model={"dtype": "bf16"})
    kept = {name: p.dtype for name, p in family.denoiser.named_parameters()}
    assert {p.dtype for p in method.parameters().values()} == {torch.float32}
    assert kept["conv_in.weight"] == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        answer(family).float().square().mean().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in method.parameters().values())
    assert {p.dtype for p in full(opened(), training={"weights": "bf16"}).parameters().values()} == {torch.bfloat16}


@pytest.mark.parametrize("layers", ["attn3", "("])
def test_layers_that_fit_nothing_are_refused_with_the_groups_that_would(layers: str) -> None:
    with pytest.raises(UserError, match="cross-attention"):
        full(opened(), layers)


@pytest.mark.parametrize("form", ["folder", "single_file"])
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_what_is_saved_is_what_was_trained(kind: str, form: str, tmp_path: Path) -> None:
    family = opened(kind)
    method = full(family, "all", "text_encoder_1", output={"model_format": form, "dtype": "fp32"})
    stir(method, 0.01)
    [path] = method.export(tmp_path / "run", {"modelspec.title": "run"})
    assert path == method.exports(tmp_path / "run")[0].path and path.is_dir() == (form == "folder")
    saved = type(family).load(str(path), LoadOptions())
    for component in family.component_names:
        for name, parameter in family.component(component).named_parameters():
            assert saved.component(component).get_parameter(name).equal(parameter), name


@pytest.mark.parametrize("form", ["folder", "single_file"])
def test_only_the_trained_parts_are_saved_if_only_they_are_wanted(form: str, tmp_path: Path) -> None:
    family = opened()
    method = full(family, output={"model_format": form, "parts": "trained", "dtype": "bf16"})
    [path] = method.export(tmp_path / "run", {})
    saved = dict(family.components_in(path))
    assert set(saved) == {"denoiser"}
    for name, parameter in family.denoiser.named_parameters():
        assert same_bits(saved["denoiser"][name], parameter.detach().to(torch.bfloat16))


def test_a_disk_that_forgets_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = opened()
    method = full(family)
    honest = family.components_in

    def forgetful(path: Path) -> Any:
        for component, tensors in honest(path):
            name = "conv_in.weight"
            yield component, {**tensors, **({name: tensors[name] + 1} if component == "denoiser" else {})}

    monkeypatch.setattr(family, "components_in", forgetful)
    with pytest.raises(UserError, match="disk"):
        list(method.export(tmp_path / "run", {}))


@pytest.mark.parametrize("form", ["folder", "single_file"])
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_of_a_part_that_was_trained_in_part_only_the_trained_layers_are_saved(
    kind: str, form: str, tmp_path: Path
) -> None:
    family = opened(kind)
    method = full(family, "attention", output={"model_format": form, "parts": "trained", "dtype": "fp32"})
    stir(method, 0.01)
    [path] = method.export(tmp_path / "run", {})
    [(component, saved)] = family.components_in(path)
    assert component == "denoiser"
    assert {f"denoiser|{name}" for name in saved} == method.parameters().keys()
    with pytest.raises(UserError):  # no whole model: nothing draws with it
        type(family).load(str(path), LoadOptions()).component("denoiser")


GROUPS = [
    {"layers": "mid", "learning_rate": 0.25},
    {"layers": "up", "train": False},
    {"layers": "attention", "learning_rate": 0.5},
]


def test_layer_groups_have_their_own_rates_or_rest_and_the_first_that_holds_a_layer_counts() -> None:
    family = opened()
    settings = {"kind": "full", "layers": "all", "groups": GROUPS}
    method = attach(family, preset(settings, training={"learning_rate": 0.125}))
    found = {group.name: group for group in method.groups()}
    assert {name: group.learning_rate for name, group in found.items()} == {
        "denoiser": 0.125, "denoiser: mid": 0.25, "denoiser: attention": 0.5,
    }  # fmt: skip
    assert all(name.startswith("denoiser|mid_block.") for name in found["denoiser: mid"].parameters)
    assert not any("up_blocks" in name for name in method.parameters())
    assert not any(p.requires_grad for name, p in family.denoiser.named_parameters() if name.startswith("up_blocks"))
    attention = found["denoiser: attention"].parameters
    assert attention and all(".attn" in name and "mid_block" not in name for name in attention)


def test_groups_that_leave_nothing_to_train_are_refused() -> None:
    with pytest.raises(UserError, match="nothing would be trained"):
        attach(opened(), preset({"kind": "full", "groups": [{"layers": "all", "train": False}]}))
