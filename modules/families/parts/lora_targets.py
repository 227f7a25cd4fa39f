"""The layers of a component that an adapter can change, and those that it is put on."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from modules.catalog import ComponentSpec
from modules.families.parts.building import text_model_once
from modules.formats.checkpoint import Link

DENOISER = ("lora_unet", "lora_unet_", "oft_unet", "diffusion_model", "model.diffusion_model")  # as files call it


def lora_targets(module: nn.Module, spec: ComponentSpec) -> Iterator[str]:
    """Paths of the linear layers and convolutions that the catalog names, in the module's order."""
    return filter(spec.adapted_layers.fullmatch, layer_paths(module))


def layer_paths(module: nn.Module) -> Iterator[str]:
    """Paths of all linear layers and convolutions, in the module's order."""
    return (path for path, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d))


def file_starts(spec: ComponentSpec, number: int) -> list[str]:
    """What stands before the layers of a component in files; `number`: which text encoder it is."""
    found = [spec.folder, f"lora_{spec.folder}"]
    if not spec.reads_text:
        return [*found, *DENOISER, ""]
    if inside := spec.in_denoiser.removesuffix("."):
        found += [inside, *(f"{start}{mark}{inside}" for start in DENOISER for mark in "._")]
    found += [spec.embedding or spec.name, f"lora_te{number}", *(["lora_te"] if number == 1 else [])]
    found += ["lora_te3"] if spec.kind == "t5" else []  # kohya counts CLIP-G even where there is none
    return found + [f"text_encoders.{name}{end}" for name in spec.file_names for end in ("", ".transformer")]


def kohya_name(native: Link) -> str:
    """What a layer of the denoiser is called in kohya's files, by where it lies in single files."""
    return f"lora_unet_{native.theirs}".replace(".", "_")


def paths_in_files(spec: ComponentSpec, path: str) -> Iterator[str]:
    """What the path of a layer is in files beside what it is in the module."""
    if spec.kind == "clip":
        yield text_model_once(path)
    if spec.kind == "llm":
        yield from (f"model.{path}", f"model.language_model.{path}", f"language_model.model.{path}")
