"""Krea 2, held against diffusers' pipeline on tiny weights."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from modules.errors import UserError
from modules.families.family import Family
from modules.families.krea2 import Krea2
from tests.families.contract import LONG, OPTIONS
from tests.families.dit_runs import DitRuns
from tests.families.packed_contract import PackedContract
from tests.families.tiny_models import as_json, tiny_krea2


class TestKrea2(DitRuns, PackedContract):
    """The contract, and what is Krea 2's own."""

    kind = Krea2
    pipeline = "Krea2Pipeline"
    heart_rate = 12e-3
    parameters: ClassVar = {"krea-2": {"denoiser": 12.82, "text_encoder_1": 3.92, "vae": 0.127}}
    reads_inner = True
    short: ClassVar = {"num_layers": 2, "num_layerwise_text_blocks": 1, "num_refiner_text_blocks": 1}
    sets = (*PackedContract.sets, "text fusion")
    wishes: ClassVar = {"guidance_scale": 0.0}  # which this pipeline adds to 1

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_krea2(folder, **changes)

    def test_the_text_is_what_the_pipeline_reads_around_its_padding(self, family: Family, drawing: Any) -> None:
        ours = family.encode_text(["a robot", "word " * 600])  # the second loses its end, and keeps its ending
        theirs, mask = drawing.encode_prompt(["a robot", "word " * 600])
        for row, states, real in zip(ours.texts(), theirs.flatten(2), mask, strict=True):
            torch.testing.assert_close(row, states[real], atol=1e-5, rtol=1e-4)

    def test_the_distilled_model_has_one_shift_and_says_so_when_it_is_saved(
        self, family: Krea2, tmp_path: Path
    ) -> None:
        assert family.shift_for(512, 512) < family.shift_for(1024, 1024) < exp(1.15)
        index = {"is_distilled": True, "text_encoder_select_layers": [1, 2, 3]}
        turbo = Krea2.load(str(tiny_krea2(tmp_path / "turbo", index=index)), OPTIONS)
        assert turbo.shift_for(512, 512) == turbo.shift_for(1024, 1024) == pytest.approx(exp(1.15))
        self.save(turbo, tmp_path / "saved", single=False)
        saved = as_json(tmp_path / "saved" / "model_index.json")
        assert saved["is_distilled"] and saved["text_encoder"] == ["transformers", "Qwen3VLModel"]
        assert Krea2.load(str(tmp_path / "saved"), OPTIONS).layers_read == (1, 2, 3) != family.layers_read

    def test_a_variant_that_is_set_stands_before_the_names_of_file_and_folder(
        self, folder: Path, family: Krea2, tmp_path: Path
    ) -> None:
        file = tmp_path / "my-turbo.safetensors"
        self.save(family, file, single=True)
        kinds = {"auto": True, "Krea 2 Raw": False, "Krea 2 Turbo": True}
        assert {name: Krea2.open_file(file, (), name).index["is_distilled"] for name in kinds} == kinds
        assert family.usual_sampling.steps == 28
        assert Krea2.load(str(folder), replace(OPTIONS, variant="Krea 2 Turbo")).usual_sampling.steps == 8
        with pytest.raises(UserError, match="have no variant Krea 3"):
            Krea2.load(str(folder), replace(OPTIONS, variant="Krea 3"))

    def test_norms_stay_in_fp32(self, folder: Path) -> None:
        half = Krea2.load(str(folder), replace(OPTIONS, dtype=torch.bfloat16))
        kinds = {name.split(".")[-2]: p.dtype for name, p in half.denoiser.named_parameters() if "." in name}
        assert {kinds["norm1"], kinds["norm_q"]} == {torch.float32} and kinds["to_q"] == torch.bfloat16
        with torch.no_grad():
            half.predict(torch.randn(1, 16, 4, 4), torch.tensor([500.0]), self.heard(half, LONG))
