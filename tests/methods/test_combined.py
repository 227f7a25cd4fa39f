"""New words beside a LoRA or a full fine-tune: both learn, and each is saved as programs look for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from modules.errors import UserError
from modules.families import Family
from modules.formats.embedding import read_bundle, read_embedding
from modules.formats.metadata import file_metadata
from modules.methods import Method, attach
from modules.methods.combined import CombinedMethods
from tests.formats.test_metadata import FACTS
from tests.methods.setting import answer, learn, opened, preset, stir

SPOKEN = ("a <new> cat", "a robot on a hill")
LORA = {"kind": "lora", "rank": 2, "alpha": 2}


def both(family: Family, method: dict[str, Any], *words: dict[str, Any], texts: tuple[str, ...] = (), **sections: Any):
    given = preset(method, *texts, kind=type(family).name, words=list(words) or [{}], **sections)  # type: ignore[arg-type]
    found = attach(family, given)
    assert isinstance(found, CombinedMethods)
    return found


def frozen_weights(family: Family, method: Method) -> dict[str, torch.Tensor]:
    mine = {id(p) for p in method.parameters().values()}
    return {
        f"{component}|{name}": p.detach().clone()
        for component in family.component_names
        for name, p in family.component(component).named_parameters()
        if id(p) not in mine
    }


@pytest.mark.parametrize("method", [LORA, {"kind": "full"}], ids=["lora", "full"])
@pytest.mark.parametrize("texts", [(), ("text_encoder_1",)], ids=["denoiser", "denoiser and text encoder"])
def test_words_and_weights_learn_at_once_and_nothing_else_does(method: dict[str, Any], texts: tuple[str, ...]) -> None:
    family = opened()
    trained = both(family, method, texts=texts, training={"learning_rate": 1e-3})
    assert [group.name for group in trained.groups()] == ["denoiser", *texts, "<new>"]
    frozen = frozen_weights(family, trained)
    stir(trained, 0.01)
    before = {name: p.detach().clone() for name, p in trained.parameters().items()}
    learn(family, trained, SPOKEN)
    still = [name for name, p in trained.parameters().items() if p.equal(before[name])]
    assert not any(name.startswith("<new>") for name in still)
    assert len(still) < len(before) / 2
    for name, weights in frozen.items():
        component, _, path = name.partition("|")
        assert family.component(component).get_parameter(path).equal(weights)


def test_beside_a_full_fine_tune_of_the_text_encoder_only_its_own_rows_hear_the_word() -> None:
    family = opened()
    trained = both(family, {"kind": "full"}, texts=("text_encoder_1",), training={"denoiser": {"train": False}})
    answer(family, ("<new>", "<new>")).square().mean().backward()
    table = family.component("text_encoder_1").get_input_embeddings().weight  # type: ignore[operator, union-attr]
    assert table.grad is not None
    marks = set(family.tokenizers["text_encoder_1"].chunks("", 1)[0].ids)  # type: ignore[attr-defined]
    heard = set(table.grad.abs().sum(1).nonzero()[:, 0].tolist())
    assert heard <= marks
    assert trained.parameters()["<new>|text_encoder_1"].grad.abs().sum(1).all()  # type: ignore[union-attr]


def test_the_parts_are_in_training_mode_whoever_comes_first() -> None:
    family = opened()
    both(family, {**LORA, "dropout": 0.5})
    assert family.denoiser.training and family.component("text_encoder_1").training


def test_each_word_has_a_rate_and_an_end_of_its_own() -> None:
    words = ({"token": "<a>", "learning_rate": 2e-3, "stop_after": "3 steps"}, {"token": "<b>"})
    groups = both(opened(), LORA, *words).groups()
    assert [(g.name, g.learning_rate, g.stop_after) for g in groups] == [
        ("denoiser", 1e-4, "never"),
        ("<a>", 2e-3, "3 steps"),
        ("<b>", 1e-4, "never"),
    ]


def test_a_word_that_has_stopped_is_not_touched_any_more() -> None:
    trained = both(opened(), LORA, {"keep_norm": True})
    rows = trained.parameters()["<new>|text_encoder_1"]
    rows.data.mul_(3)
    rows.requires_grad_(False)
    before = rows.detach().clone()
    trained.after_step()
    assert rows.equal(before)


def test_the_original_is_the_base_model_with_the_word_as_it_began() -> None:
    family = opened()
    plain = answer(opened(), ("a robot", "a cat"))
    trained = both(family, LORA, texts=("text_encoder_1",))
    begun = answer(family, SPOKEN).detach()
    stir(trained)
    changed = answer(family, SPOKEN).detach()
    with trained.original(), torch.no_grad():
        torch.testing.assert_close(answer(family, SPOKEN), begun, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(answer(family, ("a robot", "a cat")), plain, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(begun, changed, atol=1e-3)
    assert answer(family, SPOKEN).equal(changed)
    assert not both(opened(), {"kind": "full"}).has_original


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_a_word_is_saved_by_itself_and_in_the_lora_file(kind: str, tmp_path: Path) -> None:
    family = opened(kind)
    trained = both(family, LORA, {"token": "<one>", "vectors": 2}, output={"dtype": "fp32", "bundle_words": True})
    stir(trained)
    metadata = file_metadata(trained.preset, family.modelspec(), FACTS)
    lora, word = trained.export(tmp_path / "run.safetensors", metadata)
    assert [lora, word] == [export.path for export in trained.exports(tmp_path / "run.safetensors")]
    assert word == tmp_path / "run_embeddings" / "one.safetensors"
    mine = {name: trained.parameters()[f"<one>|{name}"] for name in family.text_encoders}
    names = {"sd": {"emp_params"}, "sdxl": {"clip_l", "clip_g"}}[kind]
    assert {k for k in load_file(lora) if k.startswith("bundle_emb")} == {f"bundle_emb.one.{name}" for name in names}
    bundled = read_bundle(load_file(lora), family.embedding_names, lora)["one"]
    alone = read_embedding(word, family.embedding_names)
    for name, rows in mine.items():
        assert bundled[name].equal(rows) and alone[name].equal(rows)
    with safe_open(word, "pt") as file:
        about = file.metadata()
    assert about["modelspec.architecture"].endswith("/textual-inversion")
    assert about["modelspec.trigger_phrase"] == "<one>" and "ss_network_dim" not in about


def test_words_stay_out_of_the_lora_file_unless_they_are_wanted_there(tmp_path: Path) -> None:
    trained = both(opened(), LORA)
    lora, _ = trained.export(tmp_path / "run.safetensors", {})
    assert not any(name.startswith("bundle_emb") for name in load_file(lora))


def test_a_word_goes_on_from_a_file(tmp_path: Path) -> None:
    first = both(opened(), LORA, {"vectors": 3}, output={"dtype": "fp32"})
    stir(first)
    *_, path = first.export(tmp_path / "run", {})
    again = both(opened(), LORA, {"token": "<other>", "file": str(path)})
    mine, begun = first.parameters()["<new>|text_encoder_1"], again.parameters()["<other>|text_encoder_1"]
    assert begun.equal(mine)


def test_a_word_may_be_used_and_not_trained(tmp_path: Path) -> None:
    first = both(opened(), LORA, output={"dtype": "fp32"})
    stir(first)
    *_, path = first.export(tmp_path / "run", {})
    family = opened()
    fixed = both(family, LORA, {"file": str(path), "train": False})
    assert [group.name for group in fixed.groups()] == ["denoiser"]
    family_2 = opened()
    both(family_2, LORA)
    assert not torch.allclose(answer(family, SPOKEN), answer(family_2, SPOKEN), atol=1e-3)
    assert [path.name for path in fixed.export(tmp_path / "two", {})] == ["two.safetensors"]


def test_a_file_for_another_model_is_refused(tmp_path: Path) -> None:
    first = both(opened("sdxl"), LORA)
    *_, path = first.export(tmp_path / "run", {})
    with pytest.raises(UserError, match="not an embedding for this model"):
        both(opened(), LORA, {"file": str(path)})
