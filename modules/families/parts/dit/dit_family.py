"""What the families share whose denoiser is a transformer over patches of latents, taught as a rectified flow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from modules.diffusion.noise_schedule import NoiseSchedule, RectifiedFlow
from modules.families.family import LoadOptions
from modules.families.parts.dit.prompt_encoder import PromptFormat, PromptReader
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.pipeline import DiffusersFamily


class DitFamily(DiffusersFamily):
    """What a subclass adds: its prompts, what its text encoders say, and how the denoiser is asked."""

    formats: ClassVar[Mapping[str, PromptFormat]]  # by text encoder
    tokenizers: dict[str, PromptReader]

    @classmethod
    def noising_of(cls, files: ModelFiles, options: LoadOptions) -> NoiseSchedule:
        del files
        return RectifiedFlow(options.flow_shift)

    def reader(self, encoder: str) -> PromptReader:
        return PromptReader(self.source.tokenizers[encoder], self.formats[encoder])

    def write_tokenizer(self, encoder: str, folder: Path) -> None:
        self.tokenizers[encoder].write(folder)

    def modelspec(self) -> dict[str, str]:
        return {
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.architecture": self.architecture(),
            "modelspec.prediction_type": "flow",
            "modelspec.resolution": f"{self.resolution}x{self.resolution}",
            **self.other_metadata(),
        }

    def architecture(self) -> str:
        """What modelspec calls this architecture."""
        return self.name

    def other_metadata(self) -> dict[str, Any]:
        """What other programs look for beside modelspec."""
        return {"ss_base_model_version": self.architecture()}
