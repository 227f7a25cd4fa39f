"""Where a model comes from: its configs, tokenizers and tensors, whether in a diffusers folder or in a single file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules.catalog import ComponentSpec, FamilyCard
from modules.data.text.tokenizer import Tokenizer, read_json
from modules.errors import UserError
from modules.sentences.problem import Problem
from modules.system.reading import index_of
from modules.system.weights import Weights, open_weights

STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
ENDINGS = (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json")
VARIANTS = ("", ".fp32", ".fp16", ".bf16")


@dataclass
class ModelFiles:
    """A model on disk. Files are open no longer than a tensor is read."""

    path: Path
    configs: dict[str, dict[str, Any]]  # by part, and "scheduler"
    tokenizers: dict[str, Tokenizer]  # by text encoder
    weights: dict[str, Weights]  # by part; of a single file the whole file, under its own names
    kind: str = ""  # of a single file: which bundled configs it takes
    notes: list[Problem] = field(default_factory=list[Problem])  # what had to be guessed
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    index: Mapping[str, Any] = field(default_factory=dict[str, Any])  # model_index.json of a folder
    places: dict[str, Path] = field(default_factory=dict[str, Path])  # of components that lie elsewhere

    def where(self, spec: ComponentSpec) -> str:
        """A component and the file or folder that it is read from, in messages."""
        return f"{spec.subject} of {self.places.get(spec.name, self.path)}"

    def omits(self, spec: ComponentSpec) -> bool:
        """Whether it is the folder of a model that was saved without this component."""
        return spec.optional and spec.name not in self.weights and self.index.get(spec.folder) == [None, None]

    @property
    def single_file(self) -> bool:
        return bool(self.kind)


def open_folder(path: Path, card: FamilyCard, replaced: Collection[str] = ()) -> ModelFiles:
    """A diffusers folder. `replaced`: components that come from elsewhere and may be missing.

    Raises:
        UserError: a component is missing or damaged.
    """
    if (about := index_of(path)) is None:
        raise UserError("model.no-index", folder=path, folders=card.folders)
    index = read_json(about)
    omitted = {spec.name for spec in card.components if spec.optional and index.get(spec.folder) == [None, None]}
    specs = [spec for spec in card.components if spec.name not in omitted]
    own = [spec for spec in specs if spec.name not in replaced or (path / spec.folder).is_dir()]
    if missing := [spec.folder for spec in own if not (path / spec.folder).is_dir()]:
        kind = str(index.get("_class_name", "unknown"))
        listed = any(folder in index for folder in missing)
        advice = Problem("model.download-incomplete" if listed else "model.other-type")
        raise UserError("model.incomplete", folder=path, kind=kind, missing=missing, advice=advice)
    configs = {spec.name: read_json(path / spec.folder / "config.json") for spec in own}
    configs["scheduler"] = read_json(path / "scheduler" / "scheduler_config.json")
    weights = {spec.name: folder_weights(path / spec.folder) for spec in own}
    tokenizers = folder_tokenizers(path, {spec.name: spec.tokenizer for spec in specs if spec.reads_text})
    return ModelFiles(path, configs, tokenizers, weights, index=index)


def folder_tokenizers(path: Path, folders: Mapping[str, str], vocabulary: Path | None = None) -> dict[str, Tokenizer]:
    """By text encoder, what is in its tokenizer's folder inside a model's folder."""
    return {encoder: Tokenizer.from_folder(path / folder, vocabulary) for encoder, folder in folders.items()}


def folder_weights(folder: Path) -> Weights:
    """The weights of one part: safetensors before pickles, full precision before `fp16` variants.

    Raises:
        UserError: there are none, or they are damaged.
    """
    for ending in ENDINGS:
        for variant in VARIANTS:
            for stem in STEMS:
                for name in _file_names(stem, variant, ending):
                    if (folder / name).is_file():
                        return open_weights(folder / name)
    raise UserError("model.no-weights", folder=folder)


def _file_names(stem: str, variant: str, ending: str) -> tuple[str, ...]:
    """An index has been written both as model.safetensors.index.fp16.json and as model.fp16.safetensors.index.json."""
    plain = f"{stem}{variant}{ending}"
    if variant and ending.endswith(".index.json"):
        return plain, f"{stem}{ending.removesuffix('.json')}{variant}.json"
    return (plain,)
