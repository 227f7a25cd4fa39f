"""Anima, held against diffusers' modular pipeline on tiny weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from diffusers.loaders.lora_pipeline import AnimaLoraLoaderMixin
from diffusers.models.transformers import transformer_cosmos
from diffusers.modular_pipelines.anima.modular_blocks_anima import AnimaAutoBlocks
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import interpolate

from modules.errors import UserError
from modules.families.anima import Anima
from modules.families.family import Family
from tests.families.contract import OPTIONS, assert_same_weights
from tests.families.dit_contract import DitContract
from tests.families.dit_runs import DitRuns
from tests.families.tiny_models import tiny_anima

RESIZES = SimpleNamespace(  # what diffusers asks of torchvision, which is not there
    functional=SimpleNamespace(resize=lambda mask, size, interpolation: interpolate(mask, size, mode=interpolation)),
    InterpolationMode=SimpleNamespace(NEAREST="nearest"),
)


class Blocks:
    """The blocks of the modular pipeline, without the last that makes images of latents, called like a pipeline."""

    def __init__(self, folder: Path) -> None:
        blocks = AnimaAutoBlocks()
        blocks.sub_blocks.pop("decode")
        self.pipeline = blocks.init_pipeline(str(folder))
        self.pipeline.load_components()
        self.pipeline.guider.guidance_scale = 1.0
        self.scheduler = self.pipeline.scheduler

    def __call__(self, output_type: str, **inputs: Any) -> tuple[Tensor]:
        assert output_type == "latent"
        return (self.pipeline(**inputs, output="latents"),)


class TestAnima(DitRuns, DitContract):
    """The contract, and what is Anima's own."""

    kind = Anima
    parameters: ClassVar = {
        "anima": {"denoiser": 1.956, "text_encoder_1": 0.596, "text_encoder_2": 0.135, "vae": 0.127},
    }  # fmt: skip
    short: ClassVar = {"num_layers": 2}
    sets = (*DitContract.sets, "self-attention", "cross-attention")
    wishes: ClassVar = {}
    heart_rate = 3e-3

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_anima(folder, **changes)

    @pytest.fixture(scope="class")
    @classmethod
    def drawing(cls, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        """Of a folder that was written here."""
        saved = tmp_path_factory.mktemp("saved") / "anima"
        family = Anima.load(str(folder), OPTIONS)
        family.save(saved, single_file=False, dtype=None, parts=family.component_names, metadata={}, tensors={})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transformer_cosmos, "transforms", RESIZES, raising=False)
            yield Blocks(saved)

    def unpacked(self, family: Family, latents: Tensor, height: int, width: int) -> Tensor:
        del family, height, width
        return latents.squeeze(2)

    def packed(self, family: Family, latents_BChw: Tensor) -> Tensor:
        del family
        return latents_BChw.unsqueeze(2)

    def test_an_empty_and_a_long_text_are_read_as_the_pipeline_reads_them(self, family: Family, drawing: Any) -> None:
        captions = ["", "a robot", "word " * 300]
        theirs = drawing.pipeline(prompt=captions, height=16, width=16, num_inference_steps=1, output="prompt_embeds")
        ours = family.encode_text(captions)
        assert ours.lengths == (1, 9, 512)
        torch.testing.assert_close(ours.tokens_BTD, theirs, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(family.encode_text([""]).tokens_BTD, theirs[:1, :1], atol=1e-5, rtol=1e-4)

    def test_adapters_are_read_by_diffusers_those_of_the_conditioner_too(self, family: Family) -> None:
        native, theirs = (family.adapter_links(form).values() for form in ("native", "diffusers"))
        tensors = {f"{link.theirs}.lora_A.weight": torch.zeros(1, 1) for link in native}
        read = AnimaLoraLoaderMixin.lora_state_dict(dict(tensors))
        assert read.keys() == {f"{link.theirs}.lora_A.weight" for link in theirs}
        parts = Counter(name.split(".")[0] for name in read)
        assert parts == {"transformer": 2 * 10, "text_conditioner": 2 * 10, "text_encoder": 4 * 7}
        spellings = family.layer_spellings()
        for name in ("lora_unet_llm_adapter_blocks_1_cross_attn_q_proj", "llm_adapter.blocks.1.cross_attn.q_proj"):
            assert spellings[name] == "text_encoder_2|blocks.1.cross_attn.q_proj"

    def test_its_file_holds_the_conditioner_and_needs_no_other(self, family: Any, folder: Path, tmp_path: Path) -> None:
        path = self.save(family, tmp_path / "anima.safetensors", single=True)
        names = load_file(path).keys()
        assert {name.split(".")[0] for name in names} == {"net"}
        held = [name for name in names if name.startswith("net.llm_adapter.")]
        assert len(held) == len(list(family.component("text_encoder_2").parameters()))
        others = {name: str(folder) for name in ("vae", "text_encoder_1")}
        options = replace(OPTIONS, others=others, offline=True)
        with pytest.raises(UserError, match=r"without a tokenizer \(text conditioner\)"):  # that is in no file
            Anima.load(str(path), options)
        again = Anima.load(str(path), self.beside(folder))
        assert_same_weights(again.component("text_encoder_2"), family.component("text_encoder_2"))
