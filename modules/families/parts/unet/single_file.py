"""Models in one file: what kind they are, which bundled configs they take, and where each part lies in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modules.catalog import FAMILIES, FamilyCard
from modules.catalog.contents import family_of
from modules.data.text.tokenizer import Tokenizer, read_json
from modules.errors import UserError
from modules.families.parts import building
from modules.families.parts.model_files import ModelFiles, folder_tokenizers
from modules.formats.checkpoint import (
    Link,
    Renamed,
    clip_links,
    old_vae_links,
    open_clip_links,
    unet_links,
)  # fmt: skip
from modules.formats.layouts.vae import kl_vae
from modules.formats.unet_blocks import unet_changes
from modules.sentences.problem import problem
from modules.system import reading
from modules.system.weights import Shape, Weights, first_names, open_weights
from modules.text import MB

FOLDERS = {"denoiser": "unet", "vae": "vae", "text_encoder_1": "text_encoder", "text_encoder_2": "text_encoder_2"}
BUNDLED = Path(__file__).parents[4] / "resources" / "models"
UNET, VAE = "model.diffusion_model.", "first_stage_model."
# Where each text encoder lies, by the kind of the model. Those that end in "model." have OpenCLIP's names.
TEXT: dict[str, dict[str, str]] = {
    "sd15": {"text_encoder_1": "cond_stage_model.transformer."},
    "sd2": {"text_encoder_1": "cond_stage_model.model."},
    "sdxl": {
        "text_encoder_1": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
}
DERIVED_BUFFERS = ("position_ids", "attn_mask")  # which old programs wrote out; they follow from the shapes
EMBEDDED_CONFIGS = "seachange.configs"  # metadata of files whose model is of another size than the bundled ones
# Before the name of a text encoder: its tokenizer as a tensor of bytes. In the header, every reader would parse
# megabytes; loaders pick tensors by their prefixes (model.diffusion_model., ...) and leave this one alone.
TOKENIZER = "seachange.tokenizer."
V_MARK, ZERO_SNR_MARK = "v_pred", "ztsnr"


def open_file(path: Path, card: FamilyCard, replaced: Collection[str] = ()) -> ModelFiles:
    """A .safetensors, .gguf, .ckpt or .pt file in the LDM or SGM layout. `replaced`: parts that may be missing.

    Raises:
        UserError: damaged, incomplete, or something else than a model of this family.
    """
    weights, parts = open_weights(path), card.component_names
    kind = _kind(weights.shapes, path)
    family, title = next((c, v.title) for c in FAMILIES.values() for v in c.variants if v.kind == kind)
    if family is not card:
        raise UserError("single-file.other-type", file=path.name, version=title, wanted=family.title)
    needed = [component for component in parts if component not in replaced]
    if missing := [FOLDERS[part] for part in needed if not has_component(weights.shapes, part, kind)]:
        raise UserError("single-file.incomplete", file=path.name, parts=missing)
    present = [component for component in parts if has_component(weights.shapes, component, kind)]
    embedded = _read_embedded_configs(weights, path, [name for name in card.text_encoders if name in present])
    configs, tokenizers = embedded or bundled(kind, parts)
    source = ModelFiles(path, configs, tokenizers, dict.fromkeys(present, weights), kind, metadata=weights.metadata)
    if embedded is None and (changes := unet_changes(weights.shapes, UNET, configs["denoiser"])):
        configs["denoiser"] |= changes
        source.notes.append(problem("model.distilled", model=path.name, kind=title))
    configs["denoiser"]["in_channels"] = weights.shapes[f"{UNET}input_blocks.0.0.weight"][1]
    _read_prediction(source, weights)
    return source


def component_weights(source: ModelFiles, component: str, names: Callable[[str], list[str]]) -> Weights | None:
    """The tensors of a component whose file has names of its own, under those of diffusers folders; None for others.

    `names`: what diffusers folders call the tensors of a component.
    """
    weights = source.weights[component]
    whole = source.single_file and component != "vae" and has_component(weights.shapes, component, source.kind)
    if component == "vae" and any(".proj_attn." in name for name in weights.shapes):
        return building.renamed(weights, old_vae_links(names(component)))
    if component == "vae" and not any(".mid.block_1." in name for name in weights.shapes):
        return None
    return part_of_file(source, component, names(component)) if component == "vae" or whole else None


def part_of_file(source: ModelFiles, component: str, names: list[str]) -> Weights:
    """One part of a single file under our names; refuses tensors that lie among the part's and have no place in it."""
    weights = source.weights[component]
    links = file_links(source.kind, component, names, source.configs[component], weights.shapes)
    used = {link.theirs for link in links.values()}
    starts = _prefixes(component, source.kind, weights.shapes)
    unused = {*unused_names(source.kind, component, source.configs[component], weights.shapes)}
    free = [name for name in weights.shapes if name.startswith(starts) and name not in used | unused]
    unexpected = [name for name in free if not name.endswith(DERIVED_BUFFERS)]
    if unexpected:
        raise UserError("single-file.surplus", file=source.path, names=first_names(unexpected))
    return Renamed(weights, links)


def file_links(
    kind: str, component: str, names: list[str], config: Mapping[str, Any], shapes: Collection[str] = ()
) -> dict[str, Link]:
    """Our names of one part -> where they lie in a file of this kind (in this very file, if its names are given)."""
    if component == "denoiser":
        return unet_links(names, config, UNET)
    if component == "vae":
        bare = bool(shapes) and not any(name.startswith(VAE) for name in shapes)
        layout = kl_vae(len(config["block_out_channels"]))
        return layout.links(dict.fromkeys(names, ()), "" if bare else VAE)
    prefix = TEXT[kind][component]
    if not prefix.endswith("transformer."):
        return open_clip_links(names, prefix)
    links = clip_links(names, prefix)
    # Some programs of today write the names of transformers 5, without `text_model.`.
    if shapes and not any(name.startswith(f"{prefix}text_model.") for name in shapes):
        return {name: Link(link.theirs.replace(".text_model.", ".", 1)) for name, link in links.items()}
    return links


def unused_names(kind: str, component: str, config: Mapping[str, Any], shapes: Collection[str]) -> list[str]:
    """Tensors of OpenCLIP that no image is made from, and that other programs expect all the same.

    SD 2 reads the layer before the last and was published with the last; what compares texts with images is idle too.
    """
    prefix = TEXT.get(kind, {}).get(component, "")
    if not prefix.endswith(".model."):
        return []
    unused = [f"{prefix}logit_scale"]
    if kind == "sd2":
        unused += [f"{prefix}text_projection", f"{prefix}transformer.resblocks.{config['num_hidden_layers']}."]
    return [name for name in shapes if name.startswith(tuple(unused))]


def bundled_config(kind: str, component: str) -> dict[str, Any]:
    """The facts of a kind of model, for a part or its "scheduler"."""
    if component == "scheduler":
        return read_json(BUNDLED / kind / "scheduler" / "scheduler_config.json")
    return read_json(BUNDLED / kind / FOLDERS[component] / "config.json")


def clip_vocabulary() -> Path:
    """The folder with the vocabulary that all CLIP tokenizers share."""
    return BUNDLED / "clip"


def embedded_configs(configs: Mapping[str, Any]) -> str:
    """What `open_file` needs of a model that is no bundled one, as text for the file's metadata."""
    return json.dumps({"configs": configs}, separators=(",", ":"), ensure_ascii=False)


def tokenizer_bytes(tokenizer: Tokenizer) -> Tensor:
    """A tokenizer as `open_file` reads it from the tensor `TOKENIZER` + text encoder: JSON in UTF-8, (bytes,)."""
    info = {"text": tokenizer.text(), "padding": tokenizer.padding}
    return torch.frombuffer(bytearray(json.dumps(info, ensure_ascii=False).encode()), dtype=torch.uint8)


# What a file is -------------------------------------------------------------------------------------------------------


# Tensors that only files of one kind have; without any of them the width of the captions tells.
SIGNATURES = {"sdxl": f"{UNET}label_emb.0.0.weight", "sd2": TEXT["sd2"]["text_encoder_1"]}
EDM_MARKS = ("edm_vpred.", "edm_mean", "edm_std")  # of CosXL and Playground v2.5


def _kind(shapes: Mapping[str, Shape], path: Path) -> str:
    if edm := [name for name in shapes if name.startswith(EDM_MARKS)]:
        raise UserError("model.edm", file=path.name, names=first_names(edm))
    if f"{UNET}input_blocks.0.0.weight" not in shapes:
        raise _not_a_model(shapes, path)
    if any(name.startswith("conditioner.embedders.0.model.") for name in shapes):
        raise UserError("single-file.refiner", file=path.name)
    for kind, beginning in SIGNATURES.items():
        if any(name.startswith(beginning) for name in shapes):
            return kind
    widths = {
        shape[1] for name, shape in shapes.items() if name.startswith(UNET) and name.endswith("attn2.to_k.weight")
    }
    return "sd2" if widths == {1024} else "sd15"


def _not_a_model(shapes: Collection[str], path: Path) -> UserError:
    known_kinds = {
        "single-file.lora": ("lora_", ".lora_A.", ".lora_down."),
        "single-file.embedding": ("emp_params", "string_to_param", "clip_g"),
        "single-file.vae": ("decoder.mid.attn_1.", "decoder.mid_block."),
    }
    for code, substrings in known_kinds.items():
        if any(sign in name for name in shapes for sign in substrings):
            return UserError(code, file=path.name)
    if family := family_of(shapes):
        title = FAMILIES[family].title
        return UserError("single-file.other-type", file=path.name, version=title, wanted=title)
    return UserError("single-file.no-unet", file=path.name)


def has_component(shapes: Collection[str], component: str, kind: str) -> bool:
    """Whether a file has anything of a part."""
    starts = _prefixes(component, kind, shapes)
    return any(name.startswith(starts) for name in shapes)


def _prefixes(component: str, kind: str, shapes: Collection[str]) -> tuple[str, ...]:
    if component == "denoiser":
        return (UNET,)
    if component != "vae":
        return (TEXT[kind][component],)
    if any(name.startswith(VAE) for name in shapes):
        return (f"{VAE}encoder.", f"{VAE}decoder.")
    return ("encoder.", "decoder.")


# What goes with it ----------------------------------------------------------------------------------------------------


def bundled(kind: str, parts: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Tokenizer]]:
    configs = {component: bundled_config(kind, component) for component in (*parts, "scheduler")}
    folders = {part: FOLDERS[part].replace("text_encoder", "tokenizer") for part in parts if part.startswith("text_")}
    return configs, folder_tokenizers(BUNDLED / kind, folders, clip_vocabulary())


def _read_embedded_configs(
    weights: Weights, path: Path, encoders: Collection[str]
) -> tuple[dict[str, Any], dict[str, Tokenizer]] | None:
    """Configs and tokenizers that one of our own files brings along. Older ones have the tokenizers in the metadata."""
    if EMBEDDED_CONFIGS not in weights.metadata:
        return None
    try:
        content = json.loads(weights.metadata[EMBEDDED_CONFIGS])
        configs: dict[str, Any] = dict(content["configs"])
        info = {**content.get("tokenizers", {}), **_tokenizers_in(weights, encoders)}
        if any(encoder not in info for encoder in encoders):
            raise UserError("single-file.no-tokenizer", file=path.name)
        found = {encoder: (str(info[encoder]["text"]), str(info[encoder]["padding"])) for encoder in encoders}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError("single-file.metadata", file=path) from error
    return configs, {encoder: Tokenizer.from_text(*about, path.name) for encoder, about in found.items()}


def _tokenizers_in(weights: Weights, encoders: Collection[str]) -> dict[str, Any]:
    """What `tokenizer_bytes` gave. A program that cast the whole file left the bytes what they are in other numbers."""
    names = {encoder: f"{TOKENIZER}{encoder}" for encoder in encoders}
    return {
        encoder: json.loads(weights.read(name).to(torch.uint8).numpy().tobytes())
        for encoder, name in names.items()
        if name in weights.shapes
    }


def _read_prediction(source: ModelFiles, weights: Weights) -> None:
    """Marks in the file first, then its metadata, then a .yaml file beside it, then (SD 2 only) its name."""
    scheduler = source.configs["scheduler"]
    prediction = weights.metadata.get("modelspec.prediction_type", "")
    architecture = weights.metadata.get("modelspec.architecture", "")
    if V_MARK in weights.shapes or prediction in ("v", "v_prediction") or "768-v" in architecture:
        scheduler["prediction_type"] = "v_prediction"
    elif prediction in ("epsilon", "flow"):
        scheduler["prediction_type"] = prediction
    elif _sidecar_says_v(source.path):
        scheduler["prediction_type"] = "v_prediction"
        config = source.path.with_suffix(".yaml").name
        source.notes.append(problem("model.yaml-says-v", config=config, model=source.path.name))
    elif source.kind == "sd2" and EMBEDDED_CONFIGS not in weights.metadata:
        _guess_sd2(source)
    if ZERO_SNR_MARK in weights.shapes:
        scheduler |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


def _sidecar_says_v(path: Path) -> bool:
    """Whether a config of LDM beside the file, as A1111 takes one, says v-prediction."""
    config = path.with_suffix(".yaml")
    if not config.is_file():
        return False
    with reading.open_file(config, MB) as file:
        return re.search(rb"^\s*parameterization:\s*[\"']?v\b", file.read(), re.MULTILINE) is not None


def _guess_sd2(source: ModelFiles) -> None:
    """SD 2's base models (512 pixels) say epsilon, the others (768) v, and their files do not tell which they are."""
    name = source.path.name.lower()
    is_v = "768" in name or not any(mark in name for mark in ("base", "512"))
    source.configs["scheduler"]["prediction_type"] = "v_prediction" if is_v else "epsilon"
    size, info = ("768", "v-prediction") if is_v else ("512", "epsilon")
    source.notes.append(problem("model.sd2-guessed", model=source.path.name, size=size, prediction=info))


def open_other_vae_file(path: Path) -> Weights:
    """A VAE in a file of its own, or inside a whole model.

    Raises:
        UserError: there is no VAE in it.
    """
    weights = open_weights(path)
    start = VAE if any(name.startswith(VAE) for name in weights.shapes) else ""
    if f"{start}decoder.conv_in.weight" not in weights.shapes:
        raise UserError("single-file.no-vae", file=path.name)
    return weights
