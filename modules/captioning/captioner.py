"""A vision language model in memory, which writes sentences about images. No code of a model's author runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from modules.captioning.kinds import JOY_SYSTEM, PLAIN, is_florence, is_joy
from modules.captioning.processor import processor_of
from modules.errors import UserError
from modules.sentences.problem import Fix
from modules.sentences.render import fix
from modules.system import reading
from modules.system.devices import (
    DTYPES,
    best_dtype,
    empty_card_cache,
    free_memory,
    is_card,
    is_out_of_memory,
    usable_memory,
)

MOST_PIXELS = 1024 * 1024  # of an image: more costs memory by the square, and says little of what a caption says
WEIGHTS = ("*.safetensors", "*.bin")
SPARE = 1.15  # of the weights: what the images and the words take beside them
FLOATS = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2}  # bytes, by the names in a header


@dataclass(frozen=True)
class Ask:
    """What a model is asked, and how it is to answer. `temperature` 0: always the likeliest word."""

    prompt: str
    most_tokens: int = 256
    temperature: float = 0.0
    beams: int = 1


@dataclass(frozen=True)
class Answer:
    """What it wrote. `cut`: it had more to say."""

    text: str
    cut: bool


class Captioner:
    """One model.

    Raises:
        UserError: it is none that is known, damaged, or larger than the device.
    """

    def __init__(self, folder: Path, name: str, device: torch.device) -> None:
        self.kind = kind_of(folder, name)
        self.name, self._device = name, device
        dtype = best_dtype(device)
        _check_memory(folder, name, device, dtype)
        self._net: Any
        self._net, config = _opened(folder, name, DTYPES[dtype], device)
        self._processor = processor_of(folder, name, config)
        self._dtype = DTYPES[dtype]

    def write(
        self, images: Sequence[Image.Image], ask: Ask, before: Callable[[], object] = lambda: None
    ) -> list[Answer]:
        """One text for each RGB image. Fewer at once where memory is short.

        `before` is called before each token, and raises what ends the work: one image may take minutes.

        Raises:
            UserError: there is not enough for one.
        """
        try:
            return self._write(images, ask, before)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(images) < 2:
                raise UserError("captioning.out-of-memory", "captioner", name=self.name, fixes=[_on_cpu()]) from error
        empty_card_cache(self._device)
        half = len(images) // 2
        return [*self.write(images[:half], ask, before), *self.write(images[half:], ask, before)]

    def close(self) -> None:
        """Give its memory back: a card is wanted for other things."""
        self._net = None
        empty_card_cache(self._device)

    def tokens(self, text: str) -> int:
        """How long a text is for it."""
        return len(self._processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def _write(self, images: Sequence[Image.Image], ask: Ask, before: Callable[[], object]) -> list[Answer]:
        def goes_on(ids: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
            before()
            return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

        given = self._inputs([self._sized(image) for image in images], ask.prompt)
        more: dict[str, Any] = {"do_sample": False}
        if ask.temperature > 0:
            more = {"do_sample": True, "temperature": ask.temperature, "top_p": 0.9}
        found = self._net.generate(
            **given, max_new_tokens=ask.most_tokens, num_beams=ask.beams, stopping_criteria=[goes_on], **more
        )
        ids = given.get("input_ids")
        if ids is not None and found.shape[1] >= ids.shape[1] and bool((found[:, : ids.shape[1]] == ids).all()):
            found = found[:, ids.shape[1] :]  # what goes on from its prompt gives that, too
        ended = self._ends(found)
        texts = self._processor.batch_decode(found, skip_special_tokens=True)
        long = found.shape[1] >= ask.most_tokens
        return [Answer(text.strip(), long and not end) for text, end in zip(texts, ended, strict=True)]

    def _ends(self, found: torch.Tensor) -> list[bool]:
        """Whether each row has come to its end."""
        said = self._net.generation_config.eos_token_id
        ends = [said] if isinstance(said, int) else list(said or ())
        ends.append(self._processor.tokenizer.eos_token_id)
        return [bool(set(row) & set(ends)) for row in found.tolist()]

    def _inputs(self, images: list[Image.Image], prompt: str) -> Any:
        processor = self._processor
        if self.kind in PLAIN or is_florence(self.kind):
            words = {"text": [prompt] * len(images)} if prompt else {}
            made = processor(images=images, **words, return_tensors="pt", padding=True)
        else:
            text = processor.apply_chat_template(self._said(prompt), add_generation_prompt=True, tokenize=False)
            rows = [[image] for image in images]
            made = processor(images=rows, text=[text] * len(images), return_tensors="pt", padding=True)
        return made.to(self._device, dtype=self._dtype)

    def _said(self, prompt: str) -> list[dict[str, Any]]:
        asked = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
        system = {"role": "system", "content": [{"type": "text", "text": JOY_SYSTEM}]}
        return [system, asked] if is_joy(self.name) else [asked]

    def _sized(self, image: Image.Image) -> Image.Image:
        """No larger than it helps; for LLaVA kinds as they want it, by a better filter than their own."""
        size: Any = getattr(self._processor.image_processor, "size", None)
        if self.kind == "llava" and size and "height" in size:
            return image.resize((size["width"], size["height"]), Image.Resampling.LANCZOS)
        if (pixels := image.width * image.height) <= MOST_PIXELS:
            return image
        share = (MOST_PIXELS / pixels) ** 0.5
        wide, high = (max(1, round(side * share)) for side in image.size)
        return image.resize((wide, high), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _on_cpu() -> Fix:
    return fix("fix.device-cpu", {"device": "cpu"})


def kind_of(folder: Path, name: str) -> str:
    """The `model_type` of a model that can write about images.

    Raises:
        UserError: it is no such model, or one that brings code of its own.
    """
    from transformers.models.auto.modeling_auto import (  # noqa: PLC0415
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    )

    try:
        about = reading.read_json(folder / "config.json")
        kind = str(about.get("model_type", "unknown"))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError("captioning.no-model", "captioner", name=name) from error
    if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES or (is_florence(kind) and "auto_map" in about):
        code = "captioning.own-code" if "auto_map" in about else "captioning.wrong-model"
        raise UserError(code, "captioner", name=name, kind=kind)
    return kind


def _opened(folder: Path, name: str, dtype: torch.dtype, device: torch.device) -> tuple[Any, Any]:
    from safetensors import SafetensorError  # noqa: PLC0415
    from transformers import AutoConfig  # noqa: PLC0415

    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        net, about = _loaded(folder, config, dtype)
        if missing := sorted(about["missing_keys"]):  # it would be random
            raise UserError("captioning.incomplete", "captioner", name=name, tensor=missing[0], count=len(missing))
        return net.to(device).eval(), config
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise UserError("captioning.out-of-memory", "captioner", name=name, fixes=[_on_cpu()]) from error
        raise UserError("captioning.damaged", "captioner", name=name, reason=_first_line(error)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, SafetensorError) as error:
        raise UserError("captioning.damaged", "captioner", name=name, reason=_first_line(error)) from error


def _loaded(folder: Path, config: Any, dtype: torch.dtype) -> Any:
    """The net, and what is to be said of loading it."""
    from transformers import AutoModelForImageTextToText  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()
    return AutoModelForImageTextToText.from_pretrained(
        str(folder), config=config, dtype=dtype, local_files_only=True, trust_remote_code=False,
        output_loading_info=True,
    )  # fmt: skip


def _check_memory(folder: Path, name: str, device: torch.device, dtype: str) -> None:
    """Refuse what will not fit before minutes are spent on reading it."""
    wanted = int(weight_bytes(folder, dtype) * SPARE)
    free = usable_memory(device) if is_card(device) else free_memory(device)
    if wanted > free:
        code = "captioning.too-large" if is_card(device) else "captioning.too-large:ram"
        fixes = [_on_cpu()] if is_card(device) else []
        raise UserError(code, "captioner", name=name, wanted=wanted, free=free, fixes=fixes)


def weight_bytes(folder: Path, dtype: str) -> int:
    """What a model's weights take in memory in this precision, by the headers of its files."""
    width = torch.finfo(DTYPES[dtype]).bits // 8
    files = [*folder.glob("*.safetensors")]
    if files:
        return sum(_safetensors_bytes(file, width) for file in files)
    return sum(file.stat().st_size for file in folder.glob("*.bin"))


def _safetensors_bytes(file: Path, width: int) -> int:
    with reading.open_file(file) as opened:
        length = int.from_bytes(opened.read(8), "little")
        try:
            header = json.loads(opened.read(min(length, reading.MAX_HEADER_BYTES)))
        except ValueError:
            return file.stat().st_size  # opening it says what is wrong
    whole = 0
    for name, about in header.items():
        if name != "__metadata__":
            first, last = about["data_offsets"]
            held = FLOATS.get(about["dtype"], 0)
            whole += (last - first) * width // held if held else last - first
    return whole


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
