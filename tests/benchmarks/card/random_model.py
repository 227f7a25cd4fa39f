"""Models with random weights, made on the device as they are asked for: no file is read but configs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import models, pre_tokenizers
from torch import Tensor

from modules.catalog import FAMILIES, ComponentSpec
from modules.data.text.tokenizer import Tokenizer, read_json
from modules.families import Family, LoadOptions, family_class
from modules.families.parts import building
from modules.families.parts.model_files import ModelFiles, folder_tokenizers
from modules.families.parts.unet.single_file import clip_vocabulary
from modules.system.bundled import ROOT
from modules.system.weights import Weights

BUNDLED = ROOT / "resources" / "models"
FOLDERS = {
    "sd": "sd15", "sdxl": "sdxl", "flux1": "flux1-dev", "flux2_klein": "flux2-klein-base-4b", "zimage": "z-image",
    "sd3": "sd35-medium", "chroma": "chroma1", "qwen_image": "qwen-image", "krea2": "krea-2", "anima": "anima",
}  # fmt: skip


class RandomWeights(Weights):
    """What a file of a component would hold, in bf16."""

    metadata: Mapping[str, str] = {}

    def __init__(self, spec: ComponentSpec, config: dict[str, Any], device: torch.device) -> None:
        self.shapes, self._device = building.tensor_shapes(spec, config)[0], device

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        del scratch
        shape = self.shapes[name]
        tensor = torch.empty(shape, dtype=torch.bfloat16, device=self._device)
        return tensor.normal_(std=0.02) if len(shape) > 1 else tensor.fill_(1)  # a norm's weight

    def dtype(self, name: str) -> torch.dtype:
        return torch.bfloat16


def bundled_files(name: str) -> ModelFiles:
    """The configs of a family's usual model, and no weights. What is not CLIP reads single bytes."""
    card, folder = FAMILIES[name], BUNDLED / FOLDERS[name]
    configs = {spec.name: read_json(folder / spec.folder / "config.json") for spec in card.components}
    configs["scheduler"] = read_json(folder / "scheduler" / "scheduler_config.json")
    clips = {spec.name: spec.tokenizer for spec in card.components if spec.kind == "clip"}
    readers = {spec.name: byte_tokenizer() for spec in card.components if spec.reads_text}
    readers |= folder_tokenizers(folder, clips, clip_vocabulary())
    return ModelFiles(folder, configs, readers, {})


def byte_tokenizer() -> Tokenizer:
    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    encoding = tokenizers.Tokenizer(models.BPE(alphabet, []))
    encoding.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return Tokenizer(encoding, "!", "bytes")


def tiny_files(name: str, folder: Path) -> ModelFiles:
    """The same of a model of the tests, which is written to a folder."""
    from tests.card.steps import FAMILIES as TINY
    from tests.card.steps import UNETS

    TINY[name](folder, **UNETS.get(name, {}))
    source: Any = family_class(name).load(str(folder), LoadOptions())
    return source.source


def random_family(name: str, files: ModelFiles, options: LoadOptions) -> Family:
    """A family over random weights, which are packed and placed as those of files are."""
    kind: Any = family_class(name)
    weights: dict[str, Weights] = {
        spec.name: RandomWeights(spec, files.configs[spec.name], options.device) for spec in kind.card.components
    }
    return kind.load_files(ModelFiles(files.path, files.configs, files.tokenizers, weights), options)
