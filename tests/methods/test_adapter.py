"""LoRA and DoRA on whole models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modules.errors import UserError
from modules.families import Family
from modules.formats.adapter_files import read_adapter
from modules.methods import attach
from modules.methods.adapter import Adapter
from modules.methods.lora_update import LoraUpdate
from modules.system.devices import autocast
from modules.trainer.sampling.lora_overlay import add_update
from modules.trainer.step.out_of_memory import use_gradient_checkpointing
from tests.methods.setting import answer, learn, opened, preset, stir

PLAIN: dict[str, Any] = {"kind": "lora", "rank": 4, "alpha": 2.0}
CONV = {**PLAIN, "conv": True, "conv_rank": 2}
DORA = {**CONV, "dora": True}
BOTH = ("text_encoder_1", "text_encoder_2")


def adapter(family: Family, method: dict[str, Any], *texts: str, **sections: Any) -> Adapter:
    found = attach(family, preset(method, *texts, kind=type(family).name, **sections))
    assert isinstance(found, Adapter)
    return found


@pytest.mark.parametrize("method", [PLAIN, CONV])
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_attaching_changes_nothing(kind: str, method: dict[str, Any]) -> None:
    family = opened(kind)
    before = answer(family)
    adapter(family, method, *BOTH[: len(family.text_encoders)])
    torch.testing.assert_close(answer(family), before, rtol=1e-5, atol=1e-6)


def test_only_the_adapter_learns() -> None:
    family = opened()
    family.denoiser.requires_grad_(False)
    before = {
        name: p.clone()
        for component in family.component_names
        for name, p in family.component(component).named_parameters()
    }
    method = adapter(family, DORA, "text_encoder_1")
    stir(method)
    trained = {name: p.clone() for name, p in method.parameters().items()}
    learn(family, method)
    for component in family.component_names:
        for name, parameter in family.component(component).named_parameters():
            assert parameter.grad is None
            assert parameter.equal(before[name]) or name in ("conv_in.weight", "conv_in.bias")
    assert [name for name, p in method.parameters().items() if p.equal(trained[name])] == []


def test_the_same_numbers_begin_every_run_and_another_seed_begins_others() -> None:
    first, again = (adapter(opened(), PLAIN).state_dict() for _ in range(2))
    other = adapter(opened(), PLAIN, general={"seed": 7}).state_dict()
    downs = [name for name in first if name.endswith("|down")]
    assert all(first[name].equal(again[name]) for name in first)
    assert not any(first[name].equal(other[name]) for name in downs)
    assert not any(first[name].any() for name in first if name.endswith("|up"))


def test_a_layer_begins_alike_whatever_else_is_trained() -> None:
    some, more = adapter(opened(), {**PLAIN, "layers": "attention"}), adapter(opened(), CONV, "text_encoder_1")
    ours = some.state_dict()
    assert all(ours[name].equal(more.state_dict()[name]) for name in ours)


def test_down_begins_within_kaiming_s_bound() -> None:
    for name, update in adapter(opened(), CONV).updates.items():
        bound = update.down[0].numel() ** -0.5
        assert update.down.abs().max() <= bound, name
        assert update.down.abs().max() > 0.7 * bound, name


# Which layers


def test_without_conv_no_wide_convolution_is_adapted() -> None:
    method = adapter(opened(), {**PLAIN, "layers": "all"})
    assert any("time_emb_proj" in name for name in method.updates)
    assert not any(name.endswith((".conv1", ".conv2", ".conv")) for name in method.updates)


def test_conv_adds_whole_blocks_around_convolutions_with_a_rank_of_their_own() -> None:
    plain, conv = adapter(opened(), PLAIN), adapter(opened(), {**CONV, "conv_alpha": 3.0})
    added = {name: update for name, update in conv.updates.items() if name not in plain.updates}
    assert {name.rpartition(".")[2] for name in added} == {"conv1", "conv2", "conv", "conv_shortcut", "time_emb_proj"}
    wide = {name: (u.width, u.alpha) for name, u in added.items() if name.endswith(("conv1", "conv2", ".conv"))}
    assert set(wide.values()) == {(2, 3.0)}
    assert {(u.width, u.alpha) for name, u in conv.updates.items() if name not in wide} == {(4, 2.0)}


def test_the_alpha_of_convolutions_keeps_the_proportion() -> None:
    update = adapter(opened(), {**CONV, "conv_rank": 8}).updates["denoiser|mid_block.resnets.0.conv1"]
    assert (update.width, update.alpha) == (8, 4.0)


def test_layers_that_name_convolutions_themselves_keep_their_say() -> None:
    method = adapter(opened(), {**CONV, "layers": "up"})
    assert all(name.startswith("denoiser|up_blocks.") for name in method.updates)
    assert any(name.endswith("conv1") for name in method.updates)


def test_layers_may_be_expressions() -> None:
    method = adapter(opened(), {**PLAIN, "layers": r"mid_block.*to_q$, down_blocks\.0.*to_v$"})
    assert {name.split("|")[1].split(".")[0] for name in method.updates} == {"mid_block", "down_blocks"}


@pytest.mark.parametrize("layers", ["attn3", "(", "resnets.*conv1"])
def test_layers_that_fit_nothing_are_refused_in_words(layers: str) -> None:
    with pytest.raises(UserError, match=r"method\.layers"):
        adapter(opened(), {**PLAIN, "layers": layers})


def test_each_part_has_its_learning_rate() -> None:
    training = {"learning_rate": 0.5, "text_encoder_1": {"train": True, "learning_rate": 0.25, "stop_after": "3 steps"}}
    groups = adapter(opened(), PLAIN, training=training).groups()
    assert [(g.name, g.learning_rate, g.stop_after) for g in groups] == [
        ("denoiser", 0.5, "never"), ("text_encoder_1", 0.25, "3 steps"),
    ]  # fmt: skip


def test_a_text_encoder_may_be_trained_alone() -> None:
    method = adapter(opened(), PLAIN, "text_encoder_1", training={"denoiser": {"train": False}})
    assert method.modified_components == {"text_encoder_1"} and len(method.updates) == 3 * 6


@pytest.mark.parametrize("method", [CONV, DORA])
def test_a_part_that_has_stopped_learning_still_passes_gradients_on(method: dict[str, Any]) -> None:
    family = opened()
    trained = adapter(family, method, "text_encoder_1")
    stir(trained)
    parts = {group.name: group.parameters.values() for group in trained.groups()}
    answer(family).square().mean().backward()
    expected = [p.grad.clone() for p in parts["text_encoder_1"] if p.grad is not None]
    for parameter in trained.parameters().values():
        parameter.grad = None
    for parameter in parts["denoiser"]:
        parameter.requires_grad_(False)
    answer(family).square().mean().backward()
    assert all(p.grad is None for p in parts["denoiser"])
    found = [p.grad for p in parts["text_encoder_1"] if p.grad is not None]
    assert len(found) == len(expected) == len(parts["text_encoder_1"])
    for mine, before in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, before, rtol=1e-5, atol=1e-8)


# Dropout


def dropping(family: Family) -> Adapter:
    method = adapter(family, {**CONV, "rank_dropout": 0.5}, *family.text_encoders)
    stir(method)
    return method


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_two_images_together_drop_what_each_drops_alone(kind: str) -> None:
    family = opened(kind)
    method = dropping(family)
    captions = ("a red cat " * 6, "a robot")  # one of several chunks
    method.prepare([11, 22])
    together = {name: update.mask_BR for name, update in method.updates.items()}
    family.encode_text(captions)
    for i, address in enumerate((11, 22)):
        method.prepare([address])
        for name, update in method.updates.items():
            assert update.mask_BR is not None and together[name] is not None
            assert update.mask_BR[0].equal(together[name][i])


def test_dropout_depends_on_the_address_alone() -> None:
    family = opened()
    method = dropping(family)
    answers = []
    for addresses in ([1, 2], [3, 4], [1, 2]):
        method.prepare(addresses)
        answers.append(answer(family))
    assert answers[0].equal(answers[2]) and not answers[0].equal(answers[1])


def test_dropout_is_over_after_the_step_and_absent_in_eval_mode() -> None:
    family = opened()
    method = dropping(family)
    whole = answer(family)
    method.prepare([1, 2])
    assert not torch.allclose(answer(family), whole, atol=1e-3)
    for component in method.modified_components:
        family.component(component).eval()
    torch.testing.assert_close(answer(family), whole, rtol=1e-5, atol=1e-5)
    for component in method.modified_components:
        family.component(component).train()
    method.after_step()
    torch.testing.assert_close(answer(family), whole, rtol=1e-5, atol=1e-5)


def test_what_is_kept_speaks_louder_by_as_much_as_is_dropped() -> None:
    method = dropping(opened())
    method.prepare(list(range(64)))
    masks = torch.cat([update.mask_BR for update in method.updates.values() if update.mask_BR is not None], dim=1)
    assert set(masks.unique().tolist()) == {0.0, 2.0}
    assert 0.95 < masks.mean() < 1.05


def test_gradient_checkpointing_gives_the_same_gradients_with_dropout() -> None:
    found = []
    for twice in (False, True):
        family = opened()
        method = dropping(family)
        if twice:
            family.component("denoiser").enable_gradient_checkpointing()
            family.component("text_encoder_1").activation_checkpointing_enable({"use_reentrant": False})
        method.prepare([1, 2])
        answer(family).square().mean().backward()
        found.append({name: p.grad for name, p in method.parameters().items()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-7)


# Taking out and putting back


@pytest.mark.parametrize("method", [PLAIN, CONV, DORA], ids=["lora", "conv", "dora"])
def test_weights_are_cast_once_for_all_passes_of_a_step_and_change_no_bit(
    method: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gradients(casts: list[int]) -> dict[str, torch.Tensor]:
        family = opened(dtype=torch.bfloat16)
        learner = adapter(family, method, model={"dtype": "bf16"})
        stir(learner)
        use_gradient_checkpointing(family, {"denoiser"})
        original = LoraUpdate.value_in

        def counted(self: Any, name: str, dtype: torch.dtype) -> torch.Tensor:
            value = original(self, name, dtype)
            casts.append(value is not self.lowered.get(name))
            return value

        with monkeypatch.context() as patch:
            patch.setattr(LoraUpdate, "value_in", counted)
            learner.prepare([1, 2])
            with autocast(torch.device("cpu"), torch.bfloat16):
                answer(family).square().mean().backward()
        learner.after_step()
        assert not any(update.lowered for update in learner.updates.values())
        return {name: parameter.grad for name, parameter in learner.parameters().items()}

    once: list[int] = []
    found = gradients(once)
    monkeypatch.setattr(Adapter, "_lower", lambda self: None)
    each: list[int] = []
    expected = gradients(each)
    assert not any(once)
    assert all(each)
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())


def test_samples_are_made_of_the_weights_as_they_are_now() -> None:
    family = opened(dtype=torch.bfloat16)
    learner = adapter(family, PLAIN, model={"dtype": "bf16"})
    learner.prepare([1, 2])
    with torch.no_grad():
        before = answer(family)
        stir(learner)  # as an average is put in for a while
        assert not torch.equal(answer(family), before)


def test_without_its_adapter_the_model_is_the_original() -> None:
    family = opened()
    before = answer(family)
    method = adapter(family, DORA, "text_encoder_1")
    stir(method)
    changed = answer(family)
    assert not torch.allclose(changed, before, atol=1e-3)
    with method.original():
        torch.testing.assert_close(answer(family), before, rtol=1e-5, atol=1e-5)
    assert answer(family).equal(changed)


@pytest.mark.parametrize("method", [CONV, DORA, {**PLAIN, "kind": "loha"}], ids=["lora", "dora", "loha"])
def test_at_a_strength_it_answers_as_a_file_merged_at_that_strength(method: dict[str, Any]) -> None:
    family, merged = opened(), opened()
    found = adapter(family, method)
    stir(found)
    for name, update in found.updates.items():
        component, _, path = name.partition("|")
        add_update(merged.component(component).get_submodule(path), update.tensors(), 0.3)
    whole = answer(family)
    with found.at_strength(0.3):
        torch.testing.assert_close(answer(family), answer(merged), rtol=1e-4, atol=1e-5)
    assert answer(family).equal(whole) and not torch.allclose(whole, answer(merged))


def test_the_state_of_one_run_continues_in_another() -> None:
    family, again = opened(), opened()
    method, fresh = adapter(family, DORA, "text_encoder_1"), adapter(again, DORA, "text_encoder_1")
    stir(method)
    fresh.load_state_dict({name: tensor.clone() for name, tensor in method.state_dict().items()})
    assert answer(again).equal(answer(family))


def test_trained_weights_are_held_as_the_preset_says() -> None:
    method = adapter(opened(dtype=torch.bfloat16), PLAIN, training={"weights": "bf16"}, model={"dtype": "bf16"})
    assert {p.dtype for p in method.parameters().values()} == {torch.bfloat16}
    assert {p.dtype for p in adapter(opened(dtype=torch.bfloat16), PLAIN).parameters().values()} == {torch.float32}


def test_the_adapter_is_no_part_of_the_model() -> None:
    family = opened()
    before = list(family.denoiser.state_dict())
    adapter(family, PLAIN)
    assert list(family.denoiser.state_dict()) == before
    assert all(isinstance(module, nn.Module) for module in family.denoiser.modules())


# Files


@pytest.mark.parametrize(("form", "axis"), [("kohya", "inputs"), ("kohya", "outputs"), ("diffusers", "outputs")])
def test_what_is_exported_reads_back_as_what_was_trained(form: str, axis: str, tmp_path: Path) -> None:
    family = opened("sdxl")
    method = adapter(family, DORA | {"dora_axis": axis}, *BOTH, output={"lora_format": form, "dtype": "fp32"})
    stir(method)
    [path] = method.export(tmp_path / "run", {"ss_output_name": "run"})
    assert path == tmp_path / "run.safetensors" == method.exports(tmp_path / "run")[0].path
    read = read_adapter(path, family.layer_spellings())
    assert read.keys() == method.updates.keys()
    for name, lora in read.items():
        mine = method.updates[name].tensors()
        assert lora.down.equal(mine.down)
        torch.testing.assert_close(lora.up * lora.scale, mine.up * mine.scale, rtol=1e-6, atol=0)
        assert lora.dora_scale is not None and lora.dora_scale.equal(mine.dora_scale)


def test_a_suffix_that_is_there_is_not_put_there_twice(tmp_path: Path) -> None:
    method = adapter(opened(), PLAIN)
    assert method.exports(tmp_path / "a.safetensors")[0].path == tmp_path / "a.safetensors"
    assert method.exports(tmp_path / "v1.5 run")[0].path == tmp_path / "v1.5 run.safetensors"


def test_numbers_beyond_fp16_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    method = adapter(opened(), PLAIN)
    next(iter(method.updates.values())).up.data.fill_(1e6)
    with pytest.raises(UserError, match=r"output\.dtype"):
        list(method.export(tmp_path / "run", {}))
    assert list(tmp_path.iterdir()) == []
