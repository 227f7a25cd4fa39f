"""Z-Image, held against diffusers' pipeline on tiny weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from safetensors.torch import load_file, save_file

from modules.errors import UserError
from modules.families.zimage import ZImage
from tests.families.contract import OPTIONS
from tests.families.dit_contract import DitContract
from tests.families.dit_runs import DitRuns
from tests.families.tiny_models import tiny_zimage


class TestZImage(DitRuns, DitContract):
    """The contract, and what is Z-Image's own."""

    kind = ZImage
    pipeline = "ZImagePipeline"
    parameters: ClassVar = {"z-image": {"denoiser": 6.155, "text_encoder_1": 3.92, "vae": 0.0838}}
    short: ClassVar = {"n_layers": 2, "n_refiner_layers": 1}
    wishes: ClassVar = {"guidance_scale": 0.0}  # which this pipeline adds to 1

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_zimage(folder, **changes)

    def test_a_text_encoder_without_its_table_of_words_is_refused_in_words(self, folder: Path, tmp_path: Path) -> None:
        held = load_file(folder / "text_encoder" / "model.safetensors")
        path = tmp_path / "qwen.safetensors"
        save_file({name: tensor for name, tensor in held.items() if "embed_tokens" not in name}, path)
        with pytest.raises(UserError, match="lacks"):
            self.kind.load(str(folder), replace(OPTIONS, others={"text_encoder_1": str(path)}))
