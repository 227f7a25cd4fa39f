"""Opens what a user names as a model: finds out what it is, refuses what it is not, and says so in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from modules.data.text.tokenizer import read_json
from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.parts import building
from modules.families.parts.configs import check_configs
from modules.families.parts.single_file import open_file, open_other_vae_file, part_of_file
from modules.families.parts.source import ModelFiles, folder_weights, open_folder
from modules.formats.checkpoint import old_vae_links
from modules.system.bundled import resolve
from modules.system.hub import download_model, looks_like_hub_name
from modules.system.weights import Weights

TITLES = {
    "denoiser": "The U-Net", "vae": "The VAE", "text_encoder_1": "The text encoder", "text_encoder_2": "Text encoder 2",
}  # fmt: skip


def open_model(name: str, family: str, parts: tuple[str, ...], options: LoadOptions) -> ModelFiles:
    """A model by path or hub name, with another VAE where the options say so.

    Raises:
        UserError: not found, damaged, of another architecture, or with code in it.
    """
    if not name.strip():
        raise UserError(
            "No base model is chosen.", advice="Choose a model file, a model folder or a Hugging Face name."
        )
    path = model_path(name, options)
    source = open_folder(path, parts) if path.is_dir() else open_file(path, family, parts)
    check_configs(source.configs, source.path)
    check_family(source, family)
    if options.vae:
        _with_other_vae(source, model_path(options.vae, options))
    return source


def model_path(name: str, options: LoadOptions) -> Path:
    """The folder or file behind a path or a hub name."""
    path = resolve(name)
    if path.is_file() or path.is_dir():
        return path
    if path.exists():  # reading a pipe or a device may never end
        raise UserError(f"{path} is no file, but a pipe or a device.", advice="Choose a model file or a model folder.")
    if looks_like_hub_name(name):
        return download_model(name, offline=options.offline)
    raise UserError(
        f"There is no model at {name}.", advice="Check the path, or give a Hugging Face name (owner/model)."
    )


def check_family(source: ModelFiles, family: str) -> None:
    """Refuse a folder of another architecture by what its configs say."""
    unet = source.configs["denoiser"]
    is_sdxl = unet.get("addition_embed_type") == "text_time"
    if is_sdxl != (family == "sdxl") or unet.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel":
        found_kind = "Stable Diffusion XL" if is_sdxl else "not Stable Diffusion XL"
        wanted = "Stable Diffusion XL" if family == "sdxl" else "Stable Diffusion 1 or 2"
        raise UserError(f"{source.path} is {found_kind}; {wanted} was expected.", advice="Change the model type.")
    if int(unet["in_channels"]) not in (4, 9):
        raise UserError(
            f"{source.path} takes {unet['in_channels']} channels: it edits or enlarges images.",
            advice="Choose a text-to-image or an inpainting model.",
        )


def part_weights(source: ModelFiles, component: str, empty: Callable[[], nn.Module]) -> Weights:
    """The tensors of one part, under the names of diffusers folders."""
    weights = source.weights[component]
    if component.startswith("text_encoder") and not source.single_file:
        return building.renamed(weights, building.text_links(weights))
    if component == "vae" and any(".proj_attn." in name for name in weights.shapes):
        return building.renamed(weights, old_vae_links(_file_names(empty())))
    if _has_ldm_names(source, component):
        return part_of_file(source, component, _file_names(empty()))
    return weights


def _has_ldm_names(source: ModelFiles, component: str) -> bool:
    if component == "vae":
        return any(".mid.block_1." in name for name in source.weights["vae"].shapes)
    return source.single_file


def _file_names(module: nn.Module) -> list[str]:
    return [building.file_name(name, module) for name, _ in module.named_parameters()]


def _with_other_vae(source: ModelFiles, path: Path) -> None:
    """Put another VAE in the model's own place: a VAE's folder, a whole model's folder, or a file."""
    if path.is_file():
        source.weights["vae"] = open_other_vae_file(path)
        return
    folder = path / "vae" if (path / "vae").is_dir() else path
    source.configs["vae"] = read_json(folder / "config.json")
    check_configs({"vae": source.configs["vae"]}, path)
    source.weights["vae"] = folder_weights(folder)
