"""What the settings of adapters do on whole models: kinds, groups, rates, dropouts, bounds, a file to go on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.errors import UserError
from modules.formats.adapter import merged_weight
from modules.formats.adapter_files import read_adapter
from modules.methods import check_start_file
from modules.methods.adapter import Adapter
from modules.methods.update import Update
from modules.sentences.render import PLAIN
from tests.methods.setting import answer, learn, opened, preset, stir
from tests.methods.test_adapter import BOTH, adapter

KINDS: dict[str, dict[str, Any]] = {
    "lora": {"kind": "lora", "rank": 4, "alpha": 2.0, "conv": True},
    "loha": {"kind": "loha", "rank": 2, "alpha": 4.0, "conv": True},
    "loha tucker": {"kind": "loha", "rank": 2, "conv": True, "tucker": True},
    "lokr": {"kind": "lokr", "rank": 1, "alpha": 0.5, "conv": True},
    "lokr full dora": {"kind": "lokr", "full_matrix": True, "factor": 4, "dora": True},
    "lokr tucker": {"kind": "lokr", "rank": 1, "conv": True, "tucker": True, "decompose_both": True},
    "oft": {"kind": "oft", "block_size": 4, "conv": True, "constraint": 0.01},
}
UNHEARD = "text_encoder_1|encoder.layers.2."  # SDXL listens to the layer before the last
EACH = pytest.mark.parametrize("method", KINDS.values(), ids=KINDS)


@EACH
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_every_kind_attaches_unheard_learns_and_can_be_taken_out(kind: str, method: dict[str, Any]) -> None:
    family = opened(kind)
    before = answer(family)
    trained = adapter(family, method, *BOTH[: len(family.text_encoders)])
    torch.testing.assert_close(answer(family), before, rtol=1e-4, atol=1e-5)
    stir(trained)
    first = {name: p.clone() for name, p in trained.parameters().items()}
    learn(family, trained)
    still = {name for name, p in trained.parameters().items() if p.equal(first[name])}
    assert {name for name in still if not (kind == "sdxl" and UNHEARD in name)} == set()
    with trained.original():
        torch.testing.assert_close(answer(family), before, rtol=1e-5, atol=1e-5)


@EACH
def test_every_kind_goes_on_from_its_state(method: dict[str, Any]) -> None:
    family, again = opened(), opened()
    trained, fresh = adapter(family, method, "text_encoder_1"), adapter(again, method, "text_encoder_1")
    stir(trained)
    fresh.load_state_dict({name: tensor.clone() for name, tensor in trained.state_dict().items()})
    assert answer(again).equal(answer(family))


@EACH
def test_every_kind_in_its_file_merged_is_what_was_trained(method: dict[str, Any], tmp_path: Path) -> None:
    family, plain = opened("sdxl"), opened("sdxl")
    trained = adapter(family, method, *BOTH, output={"dtype": "fp32"})
    stir(trained)
    [path] = trained.export(tmp_path / "it", {})
    for name, update in read_adapter(path, plain.layer_spellings()).items():
        component, _, layer = name.partition("|")
        parameter = plain.component(component).get_parameter(f"{layer}.weight")
        parameter.data = merged_weight(parameter.data, update)
    torch.testing.assert_close(answer(plain), answer(family), rtol=1e-3, atol=1e-4)


@EACH
def test_every_kind_learns_alike_with_gradient_checkpointing_and_dropouts(method: dict[str, Any]) -> None:
    found = []
    for twice in (False, True):
        family = opened()
        trained = adapter(family, {**method, "rank_dropout": 0.4, "module_dropout": 0.3}, "text_encoder_1")
        stir(trained)
        if twice:
            family.component("denoiser").enable_gradient_checkpointing()
            family.component("text_encoder_1").activation_checkpointing_enable({"use_reentrant": False})
        trained.prepare([1, 2])
        answer(family).square().mean().backward()
        found.append({name: p.grad for name, p in trained.parameters().items()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-6)


# Layer groups and rates


def names_of(method: Adapter, *parts: str) -> set[str]:
    return {name for name in method.updates if any(component in name for component in parts)}


def test_a_group_has_a_rank_of_its_own_and_the_first_that_holds_a_layer_counts() -> None:
    groups = [{"layers": "mid", "rank": 2}, {"layers": "attention", "rank": 8, "alpha": 1.0}]
    method = adapter(opened(), {"kind": "lora", "rank": 4, "alpha": 2.0, "groups": groups})
    mid, attention = names_of(method, "mid_block"), names_of(method, ".attn") - names_of(method, "mid_block")
    for name, update in method.updates.items():
        expected = (2, 1.0) if name in mid else (8, 1.0) if name in attention else (4, 2.0)
        assert (update.width, update.alpha) == expected, name
    assert mid and attention and len(mid | attention) < len(method.updates)


def test_a_group_that_is_not_trained_is_left_out() -> None:
    groups = [{"layers": "down, up", "train": False}]
    whole = adapter(opened(), {"kind": "lora", "rank": 4})
    method = adapter(opened(), {"kind": "lora", "rank": 4, "groups": [{"layers": r"down_blocks\.", "train": False}]})
    assert method.updates.keys() == whole.updates.keys() - names_of(whole, "|down_blocks.")
    with pytest.raises(UserError, match=r"method\.groups"):
        adapter(opened(), {"kind": "lora", "layers": "mid", "groups": [{**groups[0], "layers": "mid"}]})


def test_a_group_has_a_learning_rate_of_its_own() -> None:
    method = adapter(
        opened(),
        {"kind": "lora", "groups": [{"layers": "mid", "learning_rate": 0.25}]},
        training={"learning_rate": 0.5},
    )
    rates = {group.name: (group.learning_rate, set(group.parameters)) for group in method.groups()}
    assert rates.keys() == {"denoiser", "denoiser: mid"}
    assert rates["denoiser"][0] == 0.5 and rates["denoiser: mid"][0] == 0.25
    assert rates["denoiser: mid"][1] == {n for n in method.parameters() if "mid_block" in n}
    assert len(rates["denoiser"][1]) + len(rates["denoiser: mid"][1]) == len(method.parameters())


@pytest.mark.parametrize(("kind", "fast"), [("lora", {"up"}), ("loha", {"w2_a"}), ("lokr", {"w2_b", "w2"})])
def test_lora_plus_lets_what_starts_at_zero_learn_faster(kind: str, fast: set[str]) -> None:
    method = adapter(opened(), {"kind": kind, "rank": 1, "rate_ratio": 16.0}, training={"learning_rate": 0.5})
    rates = {name: group.learning_rate for group in method.groups() for name in group.parameters}
    assert rates.keys() == method.parameters().keys()
    for name, rate in rates.items():
        assert rate == (8.0 if name.rpartition("|")[2] in fast else 0.5), name
    assert {name.rpartition("|")[2] for name, rate in rates.items() if rate == 8.0} <= fast
    assert not any(method.parameters()[name].any() for name, rate in rates.items() if rate == 8.0)


# Dropouts and bounds


def silent(update: Update, image: int) -> bool:
    gate = update.gate_BX if update.gate_BX is not None else getattr(update, "mask_BR", None)
    return gate is not None and not bool(gate[image].any())


@EACH
def test_layer_dropout_silences_whole_layers_of_an_image(method: dict[str, Any]) -> None:
    family = opened()
    trained = adapter(family, {**method, "module_dropout": 0.5})
    stir(trained)
    whole = answer(family)
    drawn = []
    for addresses in ([11, 22], [22]):
        trained.prepare(addresses)
        drawn.append(
            {name: [silent(update, i) for i in range(len(addresses))] for name, update in trained.updates.items()}
        )
    assert {name: pair[1] for name, pair in drawn[0].items()} == {name: pair[0] for name, pair in drawn[1].items()}
    share = sum(pair[0] + pair[1] for pair in drawn[0].values()) / len(drawn[0]) / 2
    assert 0.3 < share < 0.7
    trained.prepare([11, 22])
    assert not torch.allclose(answer(family), whole, atol=1e-4)
    trained.after_step()
    assert answer(family).equal(whole)


def test_dropout_of_numbers_depends_on_the_address_alone() -> None:
    family = opened()
    trained = adapter(family, {"kind": "lora", "rank": 4, "conv": True, "dropout": 0.5}, "text_encoder_1")
    stir(trained)
    answers = []
    for addresses in ([1, 2], [3, 4], [1, 2]):
        trained.prepare(addresses)
        answers.append(answer(family))
    assert answers[0].equal(answers[2]) and not answers[0].equal(answers[1])


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
def test_after_a_step_no_update_is_longer_than_allowed(kind: str) -> None:
    family = opened()
    method = adapter(family, {"kind": kind, "rank": 2, "max_norm": 0.01})
    stir(method)
    learn(family, method)
    for update in method.updates.values():
        assert update.tensors().delta_weight(update.layer.weight).norm() <= 0.01 * 1.001
    free = adapter(opened(), {"kind": kind, "rank": 2})
    stir(free)
    assert any(u.tensors().delta_weight(u.layer.weight).norm() > 0.01 for u in free.updates.values())


# A file to go on from


def saved(method: dict[str, Any], folder: Path, *texts: str, **output: Any) -> tuple[Path, torch.Tensor]:
    family = opened()
    trained = adapter(family, method, *texts, output={"dtype": "fp32", **output})
    stir(trained)
    [path] = trained.export(folder / "before", {})
    return path, answer(family)


@EACH
def test_it_goes_on_from_a_file_of_its_kind(method: dict[str, Any], tmp_path: Path) -> None:
    path, expected = saved(method, tmp_path, "text_encoder_1")
    family = opened()
    trained = adapter(family, {**method, "start_from": str(path)}, "text_encoder_1")
    torch.testing.assert_close(answer(family), expected, rtol=1e-3, atol=1e-4)
    assert f"{len(trained.updates)} layers continue from before.safetensors; 0 are new." in map(
        PLAIN.what, trained.notes()
    )
    check_start_file(family, preset({**method, "start_from": str(path)}))


def test_it_goes_on_from_diffusers_names_and_from_another_alpha(tmp_path: Path) -> None:
    path, expected = saved(KINDS["lora"], tmp_path, lora_format="diffusers")
    family = opened()
    trained = adapter(family, {**KINDS["lora"], "alpha": 1.0, "start_from": str(path)})
    torch.testing.assert_close(answer(family), expected, rtol=1e-3, atol=1e-4)
    assert {update.alpha for update in trained.updates.values()} == {1.0}


def test_layers_that_the_file_lacks_start_anew_and_what_would_be_lost_is_said(tmp_path: Path) -> None:
    path, _ = saved({"kind": "lora", "rank": 4, "layers": "self-attention"}, tmp_path, "text_encoder_1")
    trained = adapter(opened(), {"kind": "lora", "rank": 4, "start_from": str(path)})
    known = names_of(trained, ".attn1.")
    for name, update in trained.updates.items():
        assert bool(update.values["up"].any()) == (name in known), name
    said = "\n".join(map(PLAIN.sentence, trained.notes()))
    assert f"{len(known)} layers continue" in said and f"{len(trained.updates) - len(known)} are new" in said
    assert "18 layers are in before.safetensors and not trained here" in said


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
def test_another_rank_is_refused_or_taken_from_the_file(kind: str, tmp_path: Path) -> None:
    method = (
        {"kind": kind, "rank": 2, "alpha": 1.0, "factor": 1}
        if kind == "lokr"
        else {"kind": kind, "rank": 2, "alpha": 1.0}
    )
    path, expected = saved(method, tmp_path)
    other = {**method, "rank": 3, "alpha": 3.0, "start_from": str(path)}
    with pytest.raises(UserError, match="rank 2 in the file and 3 here"):
        adapter(opened(), other)
    family = opened()
    trained = adapter(family, {**other, "rank_from_file": True})
    torch.testing.assert_close(answer(family), expected, rtol=1e-3, atol=1e-4)
    assert {update.tensors().rank for update in trained.updates.values()} == {2}


def test_a_file_of_another_kind_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    path, _ = saved(KINDS["loha"], tmp_path)
    with pytest.raises(UserError, match="holds a LoHa"):
        check_start_file(opened(), preset({"kind": "lora", "start_from": str(path)}))
    with pytest.raises(UserError, match="There is no file"):
        check_start_file(opened(), preset({"kind": "lora", "start_from": str(tmp_path / "none.safetensors")}))
    check_start_file(opened(), preset({"kind": "lora"}))
    check_start_file(opened(), preset({"kind": "full"}))


@pytest.mark.parametrize(("axis", "other"), [("inputs", "outputs"), ("outputs", "inputs")])
def test_a_dora_is_gone_on_from_as_a_dora(axis: str, other: str, tmp_path: Path) -> None:
    method = {"kind": "lora", "rank": 2, "dora": True, "dora_axis": axis}
    path, expected = saved(method, tmp_path)
    shapes = {len(tensor.shape): tensor.shape for name, tensor in load_file(path).items() if "dora_scale" in name}
    assert {shape[axis == "outputs"] for shape in shapes.values()} == {1}  # (1, I) or (O, 1), as LyCORIS has them
    with pytest.raises(UserError, match=f"magnitudes of {axis}.*Set method.dora_axis to {axis}"):
        adapter(opened(), {**method, "dora_axis": other, "start_from": str(path)})
    family = opened()
    adapter(family, {**method, "start_from": str(path)})
    torch.testing.assert_close(answer(family), expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(UserError, match="is a DoRA"):
        adapter(opened(), {**method, "dora": False, "start_from": str(path)})
    plain, unchanged = saved({**method, "dora": False}, tmp_path)
    family = opened()
    adapter(family, {**method, "start_from": str(plain)})  # a LoRA as the start of a DoRA: nothing changes at first
    torch.testing.assert_close(answer(family), unchanged, rtol=1e-3, atol=1e-4)


def test_files_of_other_programs_are_gone_on_from(tmp_path: Path) -> None:
    """The same numbers by the names of PEFT, of diffusers long ago, of SimpleTuner, and of OneTrainer before."""
    path, expected = saved({"kind": "lora", "rank": 4, "alpha": 4.0}, tmp_path, lora_format="diffusers")
    tensors = load_file(path)
    for number, dress in enumerate(
        (
            lambda name: f"base_model.model.{name}",
            lambda name: name.replace(".lora_A.", ".lora_A.default.").replace(".lora_B.", ".lora_B.default."),
            lambda name: name.replace(".lora_A.", ".lora.down.").replace(".lora_B.", ".lora.up."),
            lambda name: name.replace("lora_A", "lora_down").replace("lora_B", "lora_up"),
        )
    ):
        other = tmp_path / f"{number}.safetensors"
        save_file({dress(name): tensor for name, tensor in tensors.items()}, other)
        family = opened()
        adapter(family, {"kind": "lora", "rank": 4, "alpha": 4.0, "start_from": str(other)})
        torch.testing.assert_close(answer(family), expected, rtol=1e-3, atol=1e-4)


def test_the_check_counts_what_a_file_to_go_on_from_makes_of_it(tmp_path: Path) -> None:
    """It attaches methods to models that have shapes and no numbers; the file has both."""
    from modules.check.memory.step_memory import trained_sizes

    path, _ = saved({"kind": "lora", "rank": 2}, tmp_path)
    family = opened()
    sizes = [
        sum(trained_sizes(family, preset({"kind": "lora", "rank": 8, **more})))
        for more in ({}, {"start_from": str(path), "rank_from_file": True}, {"rank": 2})
    ]
    assert sizes[0] > sizes[1] == sizes[2]
