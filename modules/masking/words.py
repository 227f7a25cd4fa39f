"""Masks of what words name: CLIPSeg, SAM 3, or Grounding DINO, whose boxes SAM 2 turns into outlines."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from modules.data.text.tokenizer import read_json
from modules.errors import UserError
from modules.families.parts.importing import without_bitsandbytes

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5,) * 3, (0.5,) * 3
SHORTEST, LONGEST = 800, 1333  # sides of images that Grounding DINO was trained with
CLASSES = {
    "clipseg": "CLIPSegForImageSegmentation", "grounding-dino": "GroundingDinoForObjectDetection",
    "sam2": "Sam2Model", "sam3": "Sam3Model",
}  # fmt: skip


class Finder(Protocol):
    """Finds what words name."""

    def __call__(self, image: Image.Image, words: Sequence[str], confidence: float) -> NDArray[np.float32]:
        """(h, w) in 0 to 1, of any size; all phrases together."""
        ...


def kind_of(folder: Path, name: str, path: str, kinds: Sequence[str]) -> str:
    """Which of these kinds of models lies there.

    Raises:
        UserError: another.
    """
    if not folder.is_dir():
        raise UserError("mask.no-model-folder", path, name=name)
    kind = str(read_json(folder / "config.json").get("model_type", ""))
    if kind not in kinds:
        raise UserError("mask.wrong-model", path, name=name, kind=kind or "unknown", kinds=list(kinds))
    if kind.startswith("sam3") and find_spec("torchvision") is None:
        raise UserError("mask.no-torchvision", path, name=name, torch=torch.__version__)
    return kind


def opened(folder: Path, name: str, kind: str, device: torch.device) -> Any:
    """The model, whole, in fp32.

    Raises:
        UserError: it is damaged, or of another layout.
    """
    with without_bitsandbytes():
        library: Any = import_module("transformers")
        cls: Any = getattr(library, CLASSES[kind])
    library.utils.logging.disable_progress_bar()
    try:
        model, found = cls.from_pretrained(
            str(folder), local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # transformers', safetensors' and torch's, of no common base
        raise UserError("mask.damaged", name=name, error=_first_line(error)) from error
    if lacking := sorted(found["missing_keys"]):
        raise UserError("mask.damaged", name=name, error=f"{lacking[0]} is missing")
    return model.to(device).eval()


def tokenizer_of(folder: Path) -> Any:
    """Raises UserError: there is none that can be read."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
        raise UserError("model.no-tokenizer", folder=folder) from error


class ClipSeg:
    """CLIPSeg (arXiv:2112.10003): a soft map for each phrase."""

    def __init__(self, folder: Path, name: str, device: torch.device) -> None:
        self._model, self._device = opened(folder, name, "clipseg", device), device
        self._tokenizer = tokenizer_of(folder)
        about = (
            read_json(folder / "preprocessor_config.json") if (folder / "preprocessor_config.json").is_file() else {}
        )
        size = about.get("size", 352)
        self._side = int(size.get("height", 352) if isinstance(size, dict) else size)

    @torch.inference_mode()
    def __call__(self, image: Image.Image, words: Sequence[str], confidence: float) -> NDArray[np.float32]:
        """`confidence` is not asked: the threshold of the mask is all there is."""
        pixels = _pixels(image, (self._side, self._side), IMAGENET).expand(len(words), -1, -1, -1)
        ids = self._tokenizer(list(words), return_tensors="pt", padding=True, truncation=True, max_length=77)
        logits = self._model(
            pixel_values=pixels.to(self._device), input_ids=ids.input_ids.to(self._device),
            attention_mask=ids.attention_mask.to(self._device),
        ).logits  # fmt: skip
        return _array(logits.reshape(len(words), *logits.shape[-2:]).sigmoid().amax(dim=0))


class Sam3:
    """SAM 3 (arXiv:2511.16719): every instance of what a phrase names."""

    def __init__(self, folder: Path, name: str, device: torch.device) -> None:
        self._model, self._device = opened(folder, name, "sam3", device), device
        self._tokenizer = tokenizer_of(folder)
        self._side = int(self._model.config.vision_config.backbone_config.image_size)

    @torch.inference_mode()
    def __call__(self, image: Image.Image, words: Sequence[str], confidence: float) -> NDArray[np.float32]:
        seen = self._model.get_vision_features(_pixels(image, (self._side, self._side), HALF).to(self._device))
        found: list[Tensor] = []
        for phrase in words:
            ids = self._tokenizer(phrase, return_tensors="pt", padding="max_length", truncation=True, max_length=32)
            out = self._model(
                vision_embeds=seen, input_ids=ids.input_ids.to(self._device),
                attention_mask=ids.attention_mask.to(self._device),
            )  # fmt: skip
            sure = out.pred_logits[0].sigmoid() * out.presence_logits[0].sigmoid()
            found.append(_together(out.pred_masks[0][sure >= confidence], out.pred_masks.shape[-2:]))
        return _array(torch.stack(found).amax(dim=0))


class GroundedSam:
    """Grounding DINO (arXiv:2303.05499) finds boxes, SAM 2 (arXiv:2408.00714) the outline of what is in each."""

    def __init__(self, folder: Path, name: str, outlines: tuple[Path, str], device: torch.device) -> None:
        self._dino, self._device = opened(folder, name, "grounding-dino", device), device
        self._sam = opened(*outlines, "sam2", device)
        self._tokenizer = tokenizer_of(folder)
        self._side = int(self._sam.config.prompt_encoder_config.image_size)

    @torch.inference_mode()
    def __call__(self, image: Image.Image, words: Sequence[str], confidence: float) -> NDArray[np.float32]:
        boxes = self.boxes(image, words, confidence)
        if not len(boxes):
            return np.zeros((1, 1), dtype=np.float32)
        out = self._sam(
            pixel_values=_pixels(image, (self._side, self._side), IMAGENET).to(self._device),
            input_boxes=boxes[None] * self._side, multimask_output=False,
        )  # fmt: skip
        masks = out.pred_masks[0, :, 0]
        return _array(_together(masks, masks.shape[-2:]))

    def boxes(self, image: Image.Image, words: Sequence[str], confidence: float) -> Tensor:
        """(n, 4): left, top, right, bottom, as shares of the image."""
        scale = min(SHORTEST / min(image.size), LONGEST / max(image.size))
        size = round(image.height * scale), round(image.width * scale)
        ids = self._tokenizer("".join(f"{phrase.lower()}. " for phrase in words).strip(), return_tensors="pt",
                              truncation=True, max_length=256)  # fmt: skip
        out = self._dino(
            pixel_values=_pixels(image, size, IMAGENET).to(self._device), input_ids=ids.input_ids.to(self._device),
            attention_mask=ids.attention_mask.to(self._device),
        )  # fmt: skip
        found = out.pred_boxes[0][out.logits[0].sigmoid().amax(dim=-1) >= confidence]
        middle, half = found[:, :2], found[:, 2:] / 2
        return torch.cat([middle - half, middle + half], dim=1).clamp(0, 1)


def _together(logits: Tensor, size: Sequence[int]) -> Tensor:
    """(n, h, w) of n things as one map in 0 to 1."""
    return logits.sigmoid().amax(dim=0) if len(logits) else torch.zeros(*size, device=logits.device)


def _pixels(image: Image.Image, size: tuple[int, int], scaling: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    """(1, 3, *size), whatever the form of the image: these models are trained so."""
    small = np.array(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    mean, std = (torch.tensor(values)[:, None, None] for values in scaling)
    return ((torch.from_numpy(small).permute(2, 0, 1).float() / 255 - mean) / std)[None]


def _array(found: Tensor) -> NDArray[np.float32]:
    return found.float().cpu().numpy()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
