"""The trained parts as one diffusers folder in half precision, read back and asked for pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from tools.starter.train_denoiser import new_schedule

PROMPTS = (
    "red apple",
    "cat face",
    "blue heart",
    "purple cat face",
    "hamburger on a blue background",
    "sunflower",
    "penguin",
    "blip robot",
)


def pack(parts: Path, folder: Path) -> None:
    """Write the model folder from the trained parts; it appears whole or not at all."""
    draft = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(parts / "vae", dtype=torch.float16),
        text_encoder=CLIPTextModel.from_pretrained(parts / "text_encoder", dtype=torch.float16),
        tokenizer=CLIPTokenizer.from_pretrained(parts / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(parts / "unet", dtype=torch.float16),
        scheduler=new_schedule(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(draft, safe_serialization=True)
    prefix_text_encoder(draft / "text_encoder/model.safetensors")
    for part in ("unet", "vae"):
        forget_folder(draft / part / "config.json")
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(parts / "tokenizer" / name, draft / "tokenizer" / name)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def prefix_text_encoder(file: Path) -> None:
    """Give every weight the `text_model.` that other programs expect, once.

    The modules of transformers 5 have no such level. Version 5.23 puts it back when it saves; another may not.
    """
    weights = load_file(file)
    named = {name if name.startswith("text_model.") else f"text_model.{name}": w for name, w in weights.items()}
    save_file(named, file, metadata={"format": "pt"})


def forget_folder(config: Path) -> None:
    """Take out of a config where on this machine the part was read from: nobody else has that folder."""
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings.pop("_name_or_path", None)
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def draw(folder: Path, picture: Path, prompts: tuple[str, ...] = PROMPTS, steps: int = 20) -> None:
    """Read the folder as any program would, and draw the prompts side by side."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    chances = [torch.Generator().manual_seed(seed) for seed in range(len(prompts))]
    images = pipeline(
        list(prompts), num_inference_steps=steps, guidance_scale=3.0, height=128, width=128, generator=chances
    ).images
    sheet = Image.new("RGB", (len(images) * 132 + 4, 136), "gray")
    for column, image in enumerate(images):
        sheet.paste(image, (4 + column * 132, 4))
    sheet.save(picture)
