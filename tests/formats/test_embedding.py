"""Embedding files in the names of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.errors import UserError
from modules.formats.embedding import embedding_tensors, read_embedding
from modules.methods import attach
from tests.methods.setting import folder, opened, preset, stir


@pytest.mark.filterwarnings("ignore")
def test_diffusers_reads_our_word_as_we_do(tmp_path: Path) -> None:
    from diffusers import StableDiffusionPipeline

    family = opened()
    method = attach(
        family, preset({"kind": "embedding"}, words=[{"token": "<new>", "vectors": 3}], output={"dtype": "fp32"})
    )
    stir(method)
    [path] = method.export(tmp_path / "run", {})
    pipe: Any = StableDiffusionPipeline.from_pretrained(folder("sd"), safety_checker=None, feature_extractor=None)
    pipe.load_textual_inversion(str(path), token="<new>")
    ids = pipe.tokenizer(
        pipe.maybe_convert_prompt("a <new> cat", pipe.tokenizer), return_tensors="pt", padding="max_length"
    )
    theirs = pipe.text_encoder(ids.input_ids).last_hidden_state
    torch.testing.assert_close(theirs, family.encode_text(["a <new> cat"]).tokens_BTD, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_diffusers_reads_both_halves_of_an_sdxl_word(tmp_path: Path) -> None:
    from diffusers import StableDiffusionXLPipeline

    method = attach(opened("sdxl"), preset({"kind": "embedding"}, kind="sdxl", words=[{}], output={"dtype": "fp32"}))
    [path] = method.export(tmp_path / "run", {})
    pipe: Any = StableDiffusionXLPipeline.from_pretrained(folder("sdxl"))
    tensors = load_file(path)
    for i, (key, encoder, tokenizer) in enumerate(
        (("clip_l", pipe.text_encoder, pipe.tokenizer), ("clip_g", pipe.text_encoder_2, pipe.tokenizer_2)), 1
    ):
        pipe.load_textual_inversion(tensors[key], token="<new>", text_encoder=encoder, tokenizer=tokenizer)
        ids = tokenizer.convert_tokens_to_ids(["<new>", "<new>_1", "<new>_2", "<new>_3"])
        table = encoder.get_input_embeddings().weight
        assert table[ids].equal(method.parameters()[f"<new>|text_encoder_{i}"])


NAMES = {"text_encoder_1": "clip_l", "text_encoder_2": "clip_g"}
ONE = {"text_encoder_1": "clip_l"}


@pytest.mark.parametrize("encoders", [ONE, NAMES])
def test_what_is_written_is_read(encoders: dict[str, str], tmp_path: Path) -> None:
    vectors = {name: torch.randn(2, 4) for name in encoders}
    save_file(embedding_tensors(vectors, encoders, torch.float32), tmp_path / "it.safetensors")
    read = read_embedding(tmp_path / "it.safetensors", encoders)
    assert read.keys() == vectors.keys() and all(read[name].equal(vectors[name]) for name in read)


def test_kohya_s_spelling_is_read_too(tmp_path: Path) -> None:
    save_file({"emb_params": torch.ones(2, 4)}, tmp_path / "it.safetensors")
    assert read_embedding(tmp_path / "it.safetensors", ONE)["text_encoder_1"].equal(torch.ones(2, 4))


def test_a_word_for_another_architecture_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_file({"emp_params": torch.ones(2, 4)}, one)
    save_file({"clip_l": torch.ones(2, 4), "clip_g": torch.ones(2, 4)}, two)
    for path, encoders in ((two, ONE), (one, NAMES)):
        with pytest.raises(UserError, match=path.name):
            read_embedding(path, encoders)


def test_a_word_of_nan_is_refused_wherever_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "word.safetensors"
    save_file({"emp_params": torch.tensor([[1.0, torch.nan]])}, path)
    with pytest.raises(UserError, match="it holds NaN"):
        read_embedding(path, {"text_encoder_1": "clip_l"})
