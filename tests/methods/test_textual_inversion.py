"""Textual inversion: new words learn, everything else stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from modules.errors import UserError
from modules.families import Family
from modules.methods import attach
from modules.methods.textual_inversion import TextualInversion
from tests.methods.setting import answer, learn, opened, preset, stir

SPOKEN = ("a <new> cat", "a robot on a hill")


def inversion(family: Family, *words: dict[str, Any], keep_norm: bool = True, **sections: Any) -> TextualInversion:
    given = [{"keep_norm": keep_norm, **word} for word in words or ({"token": "<new>"},)]
    found = attach(family, preset({"kind": "embedding"}, words=given, kind=type(family).name, **sections))
    assert isinstance(found, TextualInversion)
    return found


def table_of(family: Family, encoder: str) -> nn.Embedding:
    return family.component(encoder).get_input_embeddings()


def test_captions_without_the_word_are_read_as_before() -> None:
    family = opened()
    before = answer(family)
    inversion(family)
    torch.testing.assert_close(answer(family), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_only_the_word_learns(kind: str) -> None:
    family = opened(kind)
    method = inversion(family)
    frozen = {
        n: p.clone()
        for component in family.component_names
        for n, p in family.component(component).named_parameters(prefix=component)
    }
    before = {name: p.clone() for name, p in method.parameters().items()}
    learn(family, method, SPOKEN)
    assert [name for name, p in method.parameters().items() if p.equal(before[name])] == []
    for component in family.component_names:
        for name, parameter in family.component(component).named_parameters(prefix=component):
            assert parameter.grad is None and not parameter.requires_grad and parameter.equal(frozen[name])


def test_a_word_learns_under_gradient_checkpointing_too() -> None:
    gradients = []
    for twice in ("none", "all"):
        family = opened()
        method = inversion(family, training={"gradient_checkpointing": twice})
        if twice == "all":
            family.component("denoiser").enable_gradient_checkpointing()
            family.component("text_encoder_1").activation_checkpointing_enable({"use_reentrant": False})
        answer(family, SPOKEN).square().mean().backward()
        gradients.append(method.parameters()["<new>|text_encoder_1"].grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-8)
    assert gradients[0].any()


@pytest.mark.parametrize("keep_norm", [True, False])
def test_vectors_keep_the_usual_length_if_they_shall(keep_norm: bool) -> None:
    family = opened()
    method = inversion(family, keep_norm=keep_norm)
    stir(method, 10)
    method.after_step()
    usual = table_of(family, "text_encoder_1").weight.norm(dim=1).mean()
    lengths = method.parameters()["<new>|text_encoder_1"].norm(dim=1)
    assert torch.allclose(lengths, usual.expand(4), rtol=1e-5) == keep_norm


def test_a_word_starts_near_its_start_word_and_its_vectors_are_not_alike() -> None:
    family = opened()
    ids = family.token_ids("text_encoder_1", "robot")
    vectors = inversion(family, {"token": "<new>", "start": "robot", "vectors": 4}, keep_norm=False).parameters()
    rows = vectors["<new>|text_encoder_1"]
    expected = table_of(family, "text_encoder_1").weight[ids]
    for i, row in enumerate(rows):
        near = expected[i % len(ids)]
        assert 0 < (row - near).norm() < 0.05 * table_of(family, "text_encoder_1").weight.norm(dim=1).mean()


def test_one_vector_for_several_start_words_is_their_middle() -> None:
    family = opened()
    ids = family.token_ids("text_encoder_1", "robot hill cat")
    assert len(ids) > 1
    method = inversion(family, {"token": "<new>", "start": "robot hill cat", "vectors": 1}, keep_norm=False)
    middle = table_of(family, "text_encoder_1").weight[ids].mean(0)
    torch.testing.assert_close(method.parameters()["<new>|text_encoder_1"][0], middle, rtol=0, atol=0.05)


def test_without_a_start_word_it_starts_as_long_as_words_are() -> None:
    family = opened()
    rows = inversion(family).parameters()["<new>|text_encoder_1"]
    usual = table_of(family, "text_encoder_1").weight.norm(dim=1).mean()
    torch.testing.assert_close(rows.norm(dim=1), usual.expand(4))
    assert torch.linalg.matrix_rank(rows) == 4


def test_the_same_seed_starts_alike_and_a_word_starts_alike_whatever_stands_before_it() -> None:
    def rows(*words: str, **sections: Any) -> Tensor:
        return inversion(opened(), *({"token": word} for word in words), **sections).parameters()["<b>|text_encoder_1"]

    assert rows("<b>").equal(rows("<a>", "<b>"))
    assert not rows("<b>").equal(rows("<b>", general={"seed": 5}))


def test_several_words_speak_for_themselves() -> None:
    family = opened()
    method = inversion(family, {"token": "<one>", "vectors": 2}, {"token": "<two>", "vectors": 3})
    answer(family, ("a <two>", "a cat")).square().mean().backward()
    one, two = (method.parameters()[f"<{name}>|text_encoder_1"] for name in ("one", "two"))
    assert not one.grad.any() and two.grad.any(dim=1).all()
    assert [(g.name, g.learning_rate) for g in method.groups()] == [("<one>", 1e-4), ("<two>", 1e-4)]


@pytest.mark.parametrize("words", [["a b"], ["<ü/x>"], ["<>"], ["<new>", "new"], ["<New>", "<new>"], ["cat"]])
def test_words_that_cannot_be_are_refused(words: list[str]) -> None:
    with pytest.raises(UserError):
        inversion(opened(), *({"token": word} for word in words))


def test_words_are_held_in_fp32_beside_a_model_in_bf16() -> None:
    family = opened(dtype=torch.bfloat16)
    method = inversion(family, model={"dtype": "bf16"})
    with torch.autocast("cpu", torch.bfloat16):
        answer(family, SPOKEN).float().square().mean().backward()
    assert {p.grad.dtype for p in method.parameters().values() if p.grad is not None} == {torch.float32}


def test_the_table_costs_no_gradient() -> None:
    family = opened()
    method = inversion(family)
    learn(family, method, SPOKEN)
    assert table_of(family, "text_encoder_1").weight.grad is None
    assert sum(p.numel() for p in method.parameters().values()) == 4 * 16


@pytest.mark.parametrize(("kind", "names"), [("sd", {"emp_params"}), ("sdxl", {"clip_l", "clip_g"})])
def test_each_word_gets_a_file_that_is_called_after_it(kind: str, names: set[str], tmp_path: Path) -> None:
    family = opened(kind)
    method = inversion(
        family, {"token": "<one>", "vectors": 2}, {"token": "two-x", "vectors": 3}, output={"dtype": "fp32"}
    )
    paths = list(method.export(tmp_path / "run", {"modelspec.title": "run"}))
    assert paths == [export.path for export in method.exports(tmp_path / "run")]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["run/one.safetensors", "run/two-x.safetensors"]
    tensors = load_file(paths[1])
    assert tensors.keys() == names and {len(t) for t in tensors.values()} == {3}
    mine = method.parameters()["two-x|text_encoder_1"]
    assert tensors["clip_l" if kind == "sdxl" else "emp_params"].equal(mine)


def test_a_single_word_may_have_a_file_of_its_own_name(tmp_path: Path) -> None:
    method = inversion(opened())
    assert [e.path for e in method.exports(tmp_path / "robot.safetensors")] == [tmp_path / "robot.safetensors"]
