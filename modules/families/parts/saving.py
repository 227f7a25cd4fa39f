"""Writes models as other programs read them: a diffusers folder, or one file in the LDM or SGM layout.

Tensors are taken one at a time: from what the caller replaces, else from where the model came from. No part has to be
in memory, and none is held twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from modules.data.tokens import Words, read_json
from modules.diffusion.noising import Noising
from modules.families.parts import building, opening, single_file
from modules.families.parts.source import FOLDERS, Source, folder_weights, tokenizer_folder
from modules.formats.checkpoint import planned
from modules.system.files import staged, staged_file
from modules.system.weights import Planned, Weights, open_weights, write_safetensors

PARTIAL = "seachange.partial"  # in the metadata of what holds trained weights only
CLASSES = {"denoiser": "UNet2DConditionModel", "vae": "AutoencoderKL"}
LOGIT_SCALE = 4.6052  # ln(100), where CLIP's training ends


@dataclass(frozen=True)
class Wanted:
    """What of a model goes into a file."""

    dtype: torch.dtype
    parts: tuple[str, ...]
    tensors: Mapping[str, Mapping[str, Tensor]]  # instead of the model's own, by part and name
    only_these: bool  # nothing but `tensors`

    @property
    def marks(self) -> dict[str, str]:
        return {PARTIAL: "true"} if self.only_these else {}


class Savable(Protocol):
    """What is asked of a model to write it: a `LatentDiffusion`, as seen from here."""

    source: Source
    noising: Noising
    words: dict[str, Words]
    projected: ClassVar[frozenset[str]]

    @property
    def part_names(self) -> tuple[str, ...]: ...
    @property
    def text_encoders(self) -> tuple[str, ...]: ...
    def empty(self, name: str) -> nn.Module: ...
    def weights(self, name: str) -> Weights: ...
    def room(self, encoder: str) -> int: ...
    def kind(self) -> str: ...
    def index(self) -> dict[str, Any]: ...
    def modelspec(self) -> dict[str, str]: ...
    def scheduler_config(self) -> dict[str, Any]: ...


def write_folder(model: Savable, target: Path, wanted: Wanted, metadata: Mapping[str, str]) -> None:
    """A diffusers folder. With all parts it is a whole model; with some of them only their sub-folders are written."""
    with staged(target) as folder:
        for part in wanted.parts:
            inside = folder / FOLDERS[part]
            inside.mkdir()
            _write_json(inside / "config.json", _config(model, part, wanted.dtype))
            stem = "model" if part in model.text_encoders else "diffusion_pytorch_model"
            values = ours(model, part, wanted)
            write_safetensors(inside / f"{stem}.safetensors", values, {"format": "pt"})
            if part in model.text_encoders:
                positions = model.room(part) + 2
                model.words[part].tokenizer.write(folder / tokenizer_folder(part), positions)
        (folder / "scheduler").mkdir()
        _write_json(folder / "scheduler" / "scheduler_config.json", model.scheduler_config())
        if set(wanted.parts) == set(model.part_names) and not wanted.only_these:
            _write_json(folder / "model_index.json", model.index())
        _write_json(folder / "metadata.json", {**model.modelspec(), **metadata, **wanted.marks})


def write_single_file(model: Savable, target: Path, wanted: Wanted, metadata: Mapping[str, str]) -> None:
    """One .safetensors file; v-prediction and zero terminal SNR are marked in it, as other programs read them."""
    kind = model.kind()
    lying: dict[str, Planned] = {}
    for part in wanted.parts:
        values = ours(model, part, wanted)
        links = single_file.file_links(kind, part, list(values), model.source.configs[part])
        lying |= planned(values, links)
        if part in model.text_encoders:
            lying |= _idle(model, part, lying, wanted.dtype)
    if "denoiser" in wanted.parts:
        lying |= _marks(model)
    told = {**model.modelspec(), **metadata, **wanted.marks, "format": "pt"}
    if not is_bundled(model, kind):
        told[single_file.OWN_CONFIGS] = single_file.own_configs(
            {**model.source.configs, "scheduler": model.scheduler_config()},
            {encoder: words.tokenizer for encoder, words in model.words.items()},
        )
    with staged_file(target) as draft:
        write_safetensors(draft, lying, told)


def ours(model: Savable, part: str, wanted: Wanted) -> dict[str, Planned]:
    """Every tensor of a part that goes in, under its name in files, to be read when its turn comes."""
    module, weights, replaced = model.empty(part), model.weights(part), wanted.tensors.get(part, {})
    shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
    strangers = replaced.keys() - shapes.keys()
    assert not strangers, f"{part} has no {', '.join(sorted(strangers))}"
    if wanted.only_these:
        shapes = {name: shape for name, shape in shapes.items() if name in replaced}
    kept = {building.file_name(name, module): shape for name, shape in shapes.items() if name not in replaced}
    building.check_present(kept, weights, f"{model.source.path} ({FOLDERS[part]})")
    found: dict[str, Planned] = {}
    for name, shape in shapes.items():
        file = building.file_name(name, module)
        make = _given(replaced[name]) if name in replaced else _read(weights, file, shape)
        found[file] = Planned(shape, wanted.dtype, make)
    return found


def is_bundled(model: Savable, kind: str) -> bool:
    """Whether the bundled configs and vocabulary describe this model, so that a file needs to bring none along."""
    for part in model.part_names:
        for key, fact in single_file.bundled_config(kind, part).items():
            mine = model.source.configs[part].get(key)
            unsaid = mine is None and fact in (None, False)
            # What a config does not say is diffusers' default; only what shapes the model counts.
            if key in _SHAPING and not unsaid and mine != fact and not (key == "in_channels" and part == "denoiser"):
                return False
    vocabularies = {json.dumps(words.tokenizer.bpe.get_vocab(), sort_keys=True) for words in model.words.values()}
    held = json.loads((single_file.clip_vocabulary() / "vocab.json").read_text(encoding="utf-8"))
    return vocabularies == {json.dumps(held, sort_keys=True)}


_SHAPING = {
    "block_out_channels", "layers_per_block", "cross_attention_dim", "attention_head_dim", "use_linear_projection",
    "transformer_layers_per_block", "down_block_types", "up_block_types", "norm_num_groups", "in_channels",
    "latent_channels", "scaling_factor", "addition_embed_type", "projection_class_embeddings_input_dim",
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "vocab_size",
    "max_position_embeddings",
}  # fmt: skip


def _given(tensor: Tensor) -> Callable[[], Tensor]:
    return lambda: tensor


def _read(weights: Weights, file: str, shape: tuple[int, ...]) -> Callable[[], Tensor]:
    return lambda: weights.read(file).reshape(shape)


def _config(model: Savable, part: str, dtype: torch.dtype) -> dict[str, Any]:
    config = {key: value for key, value in model.source.configs[part].items() if key != "_name_or_path"}
    if part in CLASSES:
        return {**config, "_class_name": CLASSES[part]}
    kind = "CLIPTextModelWithProjection" if part in model.projected else "CLIPTextModel"
    return {**config, "architectures": [kind], "dtype": str(dtype).removeprefix("torch.")}


def _marks(model: Savable) -> dict[str, Planned]:
    said = [single_file.V_MARK] * (model.noising.prediction == "v_prediction")
    said += [single_file.ZERO_SNR_MARK] * model.noising.zero_terminal_snr
    return {mark: Planned((0,), torch.float32, lambda: torch.empty(0)) for mark in said}


def _idle(model: Savable, part: str, lying: Mapping[str, Planned], dtype: torch.dtype) -> dict[str, Planned]:
    """What programs expect of OpenCLIP and no image is made from: as it was in the source's file, else a stand-in."""
    kind, config, weights = model.kind(), model.source.configs[part], model.source.weights[part]
    if model.source.single_file:
        names = single_file.idle_names(kind, part, config, weights.shapes)
        return {
            name: Planned(weights.shapes[name], dtype, _read(weights, name, weights.shapes[name])) for name in names
        }
    prefix = single_file.TEXT[kind][part]
    if not prefix.endswith(".model."):
        return {}
    scale = {f"{prefix}logit_scale": Planned((), dtype, lambda: torch.tensor(LOGIT_SCALE))}
    return {**scale, **(_last_layer(lying, prefix, dtype) if kind == "sd2" else {})}


def _last_layer(lying: Mapping[str, Planned], prefix: str, dtype: torch.dtype) -> dict[str, Planned]:
    """SD 2 was made without OpenCLIP's last layer; readers want one all the same: the one before it, twice."""
    blocks = f"{prefix}transformer.resblocks."
    last = max(int(name.removeprefix(blocks).partition(".")[0]) for name in lying if name.startswith(blocks))
    copies = {
        name.replace(f"{blocks}{last}.", f"{blocks}{last + 1}."): tensor
        for name, tensor in lying.items()
        if name.startswith(f"{blocks}{last}.")
    }
    width = lying[f"{prefix}ln_final.weight"].shape[0]
    return {**copies, f"{prefix}text_projection": Planned((width, width), dtype, lambda: torch.eye(width))}


def parts_in(model: Savable, path: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """What a file or folder that was saved holds, part by part, under the names of our modules.

    Raises:
        UserError: damaged, or of another model.
    """
    whole = open_weights(path) if path.is_file() else None
    partial = PARTIAL in (whole.metadata if whole else _told(path))
    for part in model.part_names:
        folder = path / FOLDERS[part]
        if whole is not None and single_file.holds(whole.shapes, part, model.kind()):
            source = Source(path, model.source.configs, {}, {part: whole}, model.kind())
        elif whole is None and folder.is_dir():
            source = Source(path, model.source.configs, {}, {part: folder_weights(folder)})
        else:
            continue
        module = model.empty(part)
        weights = opening.part_weights(source, part, lambda module=module: module)
        names = {name: building.file_name(name, module) for name, _ in module.named_parameters()}
        if partial:
            names = {name: file for name, file in names.items() if file in weights.shapes}
        building.check_fit(
            {names[n]: tuple(p.shape) for n, p in module.named_parameters() if n in names}, weights, str(path)
        )
        yield part, {name: weights.read(file) for name, file in names.items()}


def _told(folder: Path) -> dict[str, Any]:
    """What a folder says of itself."""
    path = folder / "metadata.json"
    return read_json(path) if path.is_file() else {}


def _write_json(path: Path, held: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(held, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
