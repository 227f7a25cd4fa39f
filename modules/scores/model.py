"""Models that turn images, and some of them texts, into vectors whose cosine says how alike they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from modules.catalog import ComponentSpec
from modules.data.text.tokenizer import END, Tokenizer, read_json
from modules.errors import UserError
from modules.families.parts.building import emptied, empty_component, load_weights, saved_tensors
from modules.families.parts.model_files import folder_weights
from modules.formats.checkpoint import Link, Renamed
from modules.scores.kinds import TWO_TOWERS, ScoreKind
from modules.scores.preprocess import preprocessing_of
from modules.system.bundled import ROOT

CLASSES = {
    "clip": "transformers.models.clip.modeling_clip:CLIPModel",
    "siglip": "transformers.models.siglip.modeling_siglip:SiglipModel",
    "dinov2": "transformers.models.dinov2.modeling_dinov2:Dinov2Model",
    "dinov2_with_registers":
        "transformers.models.dinov2_with_registers.modeling_dinov2_with_registers:Dinov2WithRegistersModel",
    "dinov3_vit": "transformers.models.dinov3_vit.modeling_dinov3_vit:DINOv3ViTModel",
    "vit": "transformers.models.vit.modeling_vit:ViTModel",
}  # fmt: skip
CLIP_TOKENIZER = ROOT / "resources" / "models" / "clip"  # the same for all of them; some bring none
VOCABULARY = ("tokenizer.json", "vocab.json", "spiece.model")


class ScoringModel:
    """One model in memory. Vectors are of length 1, in fp32 and on the CPU."""

    def __init__(self, folder: Path, name: str, score: ScoreKind, device: torch.device) -> None:
        """Open it.

        Raises:
            UserError: it is no model, one of another kind than the score needs, or damaged.
        """
        self.name, self._device = name, device
        config = config_of(folder, name, score)
        self.kind = str(config["model_type"])
        self._net: Any = _opened(folder, self.kind, config, device)  # refuses a config that makes no sense
        self._preprocessing = preprocessing_of(folder, self.kind, config)
        self._folder, self._config = folder, config

    @property
    def scale(self) -> float:
        """What cosines of text and image are multiplied with."""
        return float(self._net.logit_scale.exp())

    @torch.inference_mode()
    def images(self, images: Sequence[Image.Image]) -> Tensor:
        """(n, d)."""
        pixels = torch.stack([self._preprocessing.tensor(image) for image in images]).to(self._device)
        if self.kind in TWO_TOWERS:
            found = _pooled(self._net.get_image_features(pixel_values=pixels))
        else:
            found = self._net(pixel_values=pixels).last_hidden_state[:, 0]  # the class token, after the last norm
        return normalize(found.float(), dim=-1).cpu()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> tuple[Tensor, list[bool]]:
        """(n, d), and which of them were too long to be read whole."""
        ids, cut = self._reader.read(texts)
        found = _pooled(self._net.get_text_features(input_ids=ids.to(self._device)))
        return normalize(found.float(), dim=-1).cpu(), cut

    @cached_property
    def _reader(self) -> _Reader:
        return _Reader(self._folder, self.kind, self._config)


def config_of(folder: Path, name: str, score: ScoreKind) -> dict[str, Any]:
    """The config of a model that can compute a score.

    Raises:
        UserError: the folder has none, or it is of another kind of model.
    """
    path = f"{score.name}_model"
    if not folder.is_dir():
        raise UserError("score.no-model-folder", path, name=name)
    config = read_json(folder / "config.json")
    kind = str(config.get("model_type", ""))
    if kind not in score.types or kind not in CLASSES:
        code = "score.wrong-model:naflex" if kind == "siglip2" else "score.wrong-model"
        raise UserError(code, path, name=name, kind=kind or "unknown", score=score.title, kinds=list(score.types))
    return config


def _opened(folder: Path, kind: str, config: Mapping[str, Any], device: torch.device) -> nn.Module:
    spec = ComponentSpec(kind, "clip", folder.name, CLASSES[kind])
    module: Any = emptied(empty_component(spec, config))
    if kind == "vit":  # not asked, and some files do not have it
        module.pooler = None
    wanted, weights = saved_tensors(module), folder_weights(folder)
    prefix = f"{kind}."  # of a model with a classifier on top
    bare = {name.removeprefix(prefix): Link(name) for name in weights.shapes}
    own = Renamed(weights, {name: link for name, link in bare.items() if name in wanted})
    return load_weights(module, own, device=device, dtype=torch.float32, where=str(folder)).eval()


def _pooled(found: Any) -> Tensor:
    """Releases of transformers give the vectors themselves, or what has them."""
    return getattr(found, "pooler_output", found)


class _Reader:
    """Texts as ids, all of the length that the model reads."""

    def __init__(self, folder: Path, kind: str, config: Mapping[str, Any]) -> None:
        usual = 77 if kind == "clip" else 64
        self.positions = int((config.get("text_config") or {}).get("max_position_embeddings", usual))
        own = any((folder / name).is_file() for name in VOCABULARY)
        self._ids = _clip_ids(folder if own else CLIP_TOKENIZER) if kind == "clip" else _siglip_ids(folder)

    def read(self, texts: Iterable[str]) -> tuple[Tensor, list[bool]]:
        """(n, positions), and which were cut; the last id of those is the mark at the end."""
        rows: list[list[int]] = []
        cut: list[bool] = []
        for text in texts:
            ids, padding = self._ids(text)
            cut.append(len(ids) > self.positions)
            ids = ids if not cut[-1] else [*ids[: self.positions - 1], ids[-1]]
            rows.append(ids + [padding] * (self.positions - len(ids)))
        return torch.tensor(rows), cut


Ids = Callable[[str], tuple[list[int], int]]  # of a text with its marks, and what fills the rest


def _clip_ids(folder: Path) -> Ids:
    bpe = Tokenizer.from_folder(folder).bpe
    bpe.no_truncation()
    bpe.no_padding()
    end: int = bpe.token_to_id(END) or 0  # whatever fills the rest, nothing before it sees it
    return lambda text: (bpe.encode(text).ids, end)


def _siglip_ids(folder: Path) -> Ids:
    """SigLIP was trained on lower case, with padding that it reads."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise UserError("model.no-tokenizer", folder=folder) from error
    return lambda text: (list(tokenizer(text.lower()).input_ids), int(tokenizer.pad_token_id or 0))
