"""Z-Image, held against diffusers' pipeline on tiny weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from modules.families.zimage import ZImage
from tests.families.dit_contract import DitContract
from tests.families.tiny_models import tiny_zimage


class TestZImage(DitContract):
    """The contract, and what is Z-Image's own."""

    kind = ZImage
    pipeline = "ZImagePipeline"
    wishes: ClassVar = {"guidance_scale": 0.0}  # which this pipeline adds to 1

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        return tiny_zimage(folder, **changes)
