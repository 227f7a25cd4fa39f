"""What lies in a file or folder that is named as a component of a model, told by headers alone; no torch.

What belongs there is known by the bundled configs. Sizes that no published model has are taken for right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any, cast

from modules.catalog import FAMILIES, ComponentSpec, FamilyCard, Variant
from modules.catalog.contents import ENCODERS, SIGNS, VAES, content_of, family_of, starts_in_models
from modules.errors import UserError
from modules.system.bundled import ROOT
from modules.system.headers.gguf import Shape, gguf_header
from modules.system.reading import index_of, open_file, read_json, safetensors_header

BUNDLED = ROOT / "resources" / "models"
ENDINGS = (".safetensors", ".gguf")
BESIDE = ("vae", "text_encoders", "clip")  # folders of ComfyUI's models/ with the other components
MOST_FILES = 200  # that are looked at in one folder
OTHERS = (ENCODERS, *VAES, "cond_stage_model.", "conditioner.")  # of a whole model's file
PRECISIONS = {"F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8", "I8": "int8"}
PLAIN_VAES = ("AutoencoderKL", "AutoencoderKLFlux2")  # those of images; all others are made for video
# Language models, by the module of transformers: its name, and a tensor that others of the rows below lack
LANGUAGE_MODELS = {
    "gemma2": ("Gemma 2", r"(.*\.)?layers\.0\.pre_feedforward_layernorm\.weight"),
    "qwen3": ("Qwen3", r"(.*\.)?layers\.0\.self_attn\.q_norm\.weight"),
    "qwen2": ("Qwen2.5", r"(.*\.)?layers\.0\.self_attn\.q_proj\.bias"),
    "mistral": ("Mistral", r"(.*\.)?layers\.0\.self_attn\.q_proj\.weight"),
}
SIZES = {  # what people call them, by the width of their embeddings
    ("CLIP", 768): "L", ("CLIP", 1024): "H", ("CLIP", 1280): "G", ("T5", 512): "small", ("T5", 768): "base",
    ("T5", 1024): "large", ("T5", 2048): "XL", ("T5", 4096): "XXL", ("UMT5", 4096): "XXL", ("Qwen3", 1024): "0.6B",
    ("Qwen3", 2048): "1.7B", ("Qwen3", 2560): "4B", ("Qwen3", 4096): "8B", ("Qwen3", 5120): "14B",
    ("Qwen2.5", 896): "0.5B", ("Qwen2.5", 1536): "1.5B", ("Qwen2.5", 2048): "3B", ("Qwen2.5", 3584): "7B",
    ("Qwen2.5", 5120): "14B", ("Mistral", 3072): "3B", ("Mistral", 4096): "7B", ("Mistral", 5120): "24B",
    ("Gemma 2", 2304): "2B", ("Gemma 2", 3584): "9B",
}  # fmt: skip
KINDS = {  # by module
    "clip": ("clip", "CLIP"), "t5": ("t5", "T5"), "umt5": ("t5", "UMT5"), "mt5": ("t5", "mT5"),
    "conditioner": ("conditioner", "Text conditioner"),
}  # fmt: skip
UMT5 = r"encoder\.block\.1\.layer\.0\.SelfAttention\.relative_attention_bias\.weight"  # T5 has it in one block
SECOND = re.compile(r"\.(fp16|bf16|ema|non_ema)\b")  # in names of files that hold the same once more
TABLES = re.compile(r"(.*\.)?(embed_tokens|token_embedding|shared)\.weight")
LAYERS = re.compile(r"((text_model\.|model\.|language_model\.)*(encoder\.)?(layers|block)\.)(\d+)\..*")
LATENTS = re.compile(r"(.*\.)?decoder\.(conv_in|conv1)\.weight")


@dataclass(frozen=True)
class Part:
    """A component, as far as it is known."""

    kind: str  # as components' kinds; "lora", "unknown"
    title: str = ""  # "Qwen3", "CLIP", "VAE"; of a denoiser, its model
    size: str = ""  # what people call its size: "4B", "L"
    channels: int = 0  # of a VAE's latents
    video: bool = False  # a VAE that was made for video
    sees: bool = False  # a language model that reads images, too
    layers: int = 0  # of a text encoder
    fewest: int = 0  # of those, where it is wanted: what is left of a file without the last ones
    family: str = ""  # of a denoiser
    is_file: bool = False  # and no folder
    inside: tuple[str, ...] = ()  # other components that lie in the same file
    numbers: int = 0
    precision: str = ""
    file_bytes: int = 0

    @property
    def name(self) -> str:
        """Qwen3 4B, CLIP-L, VAE."""
        title = f"{self.title}-VL" if self.sees else self.title
        between = "-" if self.kind in ("clip", "t5") else " "
        return f"{title}{between}{self.size}" if self.size else title

    def is_right(self, wanted: Part) -> bool:
        """Whether it can stand where that one is wanted."""
        if (self.kind, self.title, self.video) != (wanted.kind, wanted.title, wanted.video):
            return False
        if self.sees and not wanted.sees:  # the other way round its eyes may have been left out
            return False
        same = (self.size, wanted.size), (self.channels, wanted.channels)
        if any(mine != theirs and mine and theirs for mine, theirs in same):
            return False
        counted = self.size and wanted.size and self.layers and wanted.layers  # only of sizes that were published
        return not counted or wanted.fewest <= self.layers <= wanted.layers


# What is there --------------------------------------------------------------------------------------------------------

Tensors = Mapping[str, tuple[Shape, str]]  # by name: shape, and the type of its numbers


def read_part(path: Path, spec: ComponentSpec) -> Part:
    """What a file, a component's folder or a whole model's folder holds where `spec` is asked for.

    Raises:
        UserError, OSError: not there or damaged.
    """
    files = _files(path, spec)
    tensors = {name: about for file in files for name, about in _header(file).items()}
    found = _found(tensors, spec)
    others = _starts_of_others(FAMILIES[found.family]) if found.family else ()
    counted = {name: about for name, about in tensors.items() if not name.startswith(others)}
    kinds = Counter[str]()
    for shape, kind in counted.values():
        kinds[kind] += prod(shape)
    most = next((kind for kind, _ in kinds.most_common(1)), "")
    size, precision = sum(file.stat().st_size for file in files), PRECISIONS.get(most, most)
    return replace(found, numbers=kinds.total(), precision=precision, file_bytes=size, is_file=not path.is_dir())


def _starts_of_others(card: FamilyCard) -> tuple[str, ...]:
    """How the names begin of what lies in the file of a denoiser beside it."""
    inside = (start for spec in card.components if spec.in_denoiser for start in starts_in_models(spec))
    return (*OTHERS, *inside)


def _files(path: Path, spec: ComponentSpec) -> list[Path]:
    if not path.is_dir():
        return [path]
    folder = path / spec.folder if (path / spec.folder).is_dir() else path
    found = sorted(file for file in islice(folder.iterdir(), MOST_FILES) if file.suffix.lower() in ENDINGS)
    return [file for file in found if not SECOND.search(file.name)] or found


def _header(path: Path) -> Tensors:
    if path.suffix.lower() == ".gguf":
        return {name: (entry.shape, entry.block.kind) for name, entry in gguf_header(path)[1].items()}
    with open_file(path) as file:
        header, _ = safetensors_header(file, path)
    header.pop("__metadata__", None)
    try:
        return {name: (tuple(map(int, about["shape"])), str(about["dtype"])) for name, about in header.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("weights.header", file=path) from error


def _found(tensors: Tensors, spec: ComponentSpec) -> Part:
    family, has_vae = family_of(tensors), _has(tensors, SIGNS["vae"])
    if family and not (spec.kind == "vae" and has_vae):  # whole models lend their VAE
        card = FAMILIES[family]
        return Part(card.component("denoiser").kind, card.title, family=family, inside=_inside(tensors, card, has_vae))
    kind = "vae" if spec.kind == "vae" and has_vae else content_of(tensors)
    if kind == "vae":
        shape = next((shape for name, (shape, _) in tensors.items() if LATENTS.fullmatch(name)), ())
        return Part(kind, "VAE", channels=shape[1] if len(shape) > 1 else 0, video=len(shape) == 5)
    width = next((shape[-1] for name, (shape, _) in tensors.items() if shape and TABLES.fullmatch(name)), 0)
    sees = kind == "llm" and any(re.search(r"(^|\.)visual\.", name) for name in tensors)
    title, numbers = _text_title(tensors, kind), [int(each[5]) for each in map(LAYERS.fullmatch, tensors) if each]
    return Part(kind, title, SIZES.get((title, width), ""), sees=sees, layers=max(numbers, default=-1) + 1)


def _text_title(names: Collection[str], kind: str) -> str:
    if kind == "llm":
        return next((title for title, sign in LANGUAGE_MODELS.values() if _has(names, sign)), "")
    return KINDS["umt5" if kind == "t5" and _has(names, UMT5) else kind][1] if kind in KINDS else ""


def _has(names: Iterable[str], sign: str) -> bool:
    return any(map(re.compile(sign).fullmatch, names))


def _inside(names: Collection[str], card: FamilyCard, has_vae: bool) -> tuple[str, ...]:
    """The other components in a whole model's file."""
    starts = {spec.name: starts_in_models(spec) for spec in card.components if spec.kind != "vae"}
    found = [part for part, start in starts.items() if any(name.startswith(start) for name in names)]
    return (*found, "vae") if has_vae else tuple(found)


def family_of_model(path: Path) -> str:
    """The family of the model in this file or diffusers folder; "" if neither header nor index tells.

    Raises:
        UserError, OSError, ValueError: not there or damaged.
    """
    if not path.is_dir():
        return family_of(_header(path)) if path.suffix.lower() in ENDINGS else ""
    index = read_json(index_of(path) or path / "model_index.json")
    if not isinstance(index, dict):
        raise ValueError(f"the index of {path} is no object")
    index = cast("dict[str, Any]", index)
    fitting = [
        name
        for name, card in FAMILIES.items()
        if all(_is_named(index.get(spec.folder), spec) for spec in card.components)
    ]
    return max(fitting, key=lambda name: len(FAMILIES[name].folders), default="")


def _is_named(entry: Any, spec: ComponentSpec) -> bool:
    """Whether an index speaks of this component: of text encoders' classes, the model they are of is compared."""
    named = str(entry[1]) if isinstance(entry, list) and len(entry) > 1 else ""  # pyright: ignore[reportUnknownArgumentType]
    if spec.library == "transformers":
        return _letters(_module_word(spec)) in _letters(named)
    return named == spec.class_path.rpartition(":")[2]


def _module_word(spec: ComponentSpec) -> str:
    """The module of transformers: "qwen3_vl"."""
    return spec.class_path.rpartition(":")[0].rpartition("modeling_")[2]


# What belongs there ---------------------------------------------------------------------------------------------------


def wanted_parts(
    card: FamilyCard, spec: ComponentSpec, source: str, denoiser: Mapping[str, Any] | None = None
) -> list[Part]:
    """What may stand for a component of this base model: of each variant that it may be.

    Args:
        source: the model's name.
        denoiser: its config, which tells more. One that no published model has may be taught with any size of encoder.
    """
    main = card.component("denoiser")
    like = [each for each in card.variants if denoiser and is_like(denoiser, _config(each, main))]
    variants = like or card.named_variants(source) or card.variants
    found = [_wanted(spec, _config(variant, spec)) for variant in variants] or [_wanted(spec, {})]
    if denoiser and not like:
        found = [replace(part, size="", channels=0, layers=0) for part in found]
    return list(dict.fromkeys(found))


def is_like(config: Mapping[str, Any], usual: Mapping[str, Any]) -> bool:
    """Whether a component has the facts of a bundled config."""
    return all(config.get(key, value) == value for key, value in usual.items() if not key.startswith("_"))


def _config(variant: Variant, spec: ComponentSpec) -> dict[str, Any]:
    path = BUNDLED / variant.kind / spec.folder / "config.json"
    return cast("dict[str, Any]", read_json(path)) if path.is_file() else {}


def _wanted(spec: ComponentSpec, config: Mapping[str, Any]) -> Part:
    part = configured(spec, config)
    read = spec.blocks_read if spec.blocks_read > 0 else part.layers  # those counted from the end want all of them
    return replace(part, fewest=min(read, part.layers))


def configured(spec: ComponentSpec, config: Mapping[str, Any]) -> Part:
    """What a component's config says that it is; what it does not say, is as the card has it."""
    named = str(config.get("_class_name") or "")  # by diffusers; transformers says model_type
    made = named or spec.class_name
    if "Autoencoder" in named or (spec.kind == "vae" and not named and "model_type" not in config):
        channels = config.get("latent_channels") or config.get("z_dim") or 0
        return Part("vae", "VAE", channels=channels, video=made not in PLAIN_VAES)
    if made != spec.class_name and spec.kind not in ("dit", "unet"):
        return Part("unet" if "UNet" in named else "dit")
    if spec.library == "diffusers" and "model_type" not in config:
        return Part(spec.kind, KINDS.get(spec.kind, ("", made))[1])
    text = config.get("text_config", config)
    outer = str(config.get("model_type") or _module_word(spec))
    word = str(text.get("model_type") or outer)
    kind, title = next((row for start, row in KINDS.items() if word.startswith(start)), ("llm", word))
    if kind == "llm":
        title = next((row[0] for start, row in LANGUAGE_MODELS.items() if word.startswith(start)), word)
    width, layers = text.get("hidden_size") or text.get("d_model"), text.get("num_hidden_layers")
    sees, size = "_vl" in outer, SIZES.get((title, width or 0), "")
    return Part(kind, title, size, sees=sees, layers=layers or text.get("num_layers") or 0)


# Beside the denoiser --------------------------------------------------------------------------------------------------


def found_beside(
    card: FamilyCard, source: Path, lacking: Collection[str], folder: Path | None = None
) -> dict[str, Path]:
    """By component, its file in the usual folders beside a denoiser's. Of several that fit, the one that is called so.

    `folder`: look there and in its usual folders instead.

    Nothing for a source that is no file of this family, and for what it holds itself.
    """
    try:
        denoiser = read_part(source, card.component("denoiser")) if source.is_file() else None
    except (UserError, OSError):
        return {}
    if denoiser is None or FAMILIES.get(denoiser.family) is not card:
        return {}
    specs = [card.component(name) for name in lacking if name not in denoiser.inside]
    start = folder or source.parent
    folders = [start, *(above / name for above in (start, start.parent) for name in BESIDE)]
    files = [file for folder in folders for file in _listed(folder) if file != source]
    found = {spec.name: _best(files, spec, wanted_parts(card, spec, source.name)) for spec in specs}
    return {name: path for name, path in found.items() if path is not None}


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in islice(folder.iterdir(), MOST_FILES) if file.suffix.lower() in ENDINGS)
    except OSError:
        return []


def _best(files: list[Path], spec: ComponentSpec, wanted: list[Part]) -> Path | None:
    fitting = dict[Path, Part]()
    for file in files:
        with suppress(UserError, OSError):
            part = read_part(file, spec)
            if not part.family and any(part.is_right(each) for each in wanted):
                fitting[file] = part
    marks = [_letters(name) for name in spec.file_names]
    called = [file for file in fitting if any(mark in _letters(file.stem) for mark in marks)]
    sure = [file for file, part in fitting.items() if any(part.name == each.name for each in wanted)]
    if called:
        return max(called, key=lambda file: fitting[file].file_bytes)  # the most exact one
    return sure[0] if len(sure) == 1 else None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
