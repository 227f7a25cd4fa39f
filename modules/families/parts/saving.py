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

from modules.data.text.tokenizer import PromptTokenizer, read_json
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.families.parts import building, opening, single_file
from modules.families.parts.source import FOLDERS, ModelFiles, folder_weights, tokenizer_folder
from modules.formats.checkpoint import planned
from modules.system.files import staged, staged_file
from modules.system.weights import PlannedTensor, Weights, open_weights, write_safetensors

PARTIAL = "seachange.partial"  # in the metadata of what holds trained weights only
CLASSES = {"denoiser": "UNet2DConditionModel", "vae": "AutoencoderKL"}
LOGIT_SCALE = 4.6052  # ln(100), where CLIP's training ends


@dataclass(frozen=True)
class SaveRequest:
    """What of a model goes into a file."""

    dtype: torch.dtype
    parts: tuple[str, ...]
    tensors: Mapping[str, Mapping[str, Tensor]]  # instead of the model's own, by part and name
    only_these: bool  # nothing but `tensors`

    @property
    def partial_mark(self) -> dict[str, str]:
        return {PARTIAL: "true"} if self.only_these else {}


class SavableModel(Protocol):
    """What is asked of a model to write it: a `LatentDiffusion`, as seen from here."""

    source: ModelFiles
    noise_schedule: NoiseSchedule
    words: dict[str, PromptTokenizer]
    projected: ClassVar[frozenset[str]]

    @property
    def component_names(self) -> tuple[str, ...]: ...
    @property
    def text_encoders(self) -> tuple[str, ...]: ...
    def empty(self, name: str) -> nn.Module: ...
    def weights(self, name: str) -> Weights: ...
    def chunk_size(self, encoder: str) -> int: ...
    def kind(self) -> str: ...
    def index(self) -> dict[str, Any]: ...
    def modelspec(self) -> dict[str, str]: ...
    def scheduler_config(self) -> dict[str, Any]: ...


def write_folder(model: SavableModel, target: Path, request: SaveRequest, metadata: Mapping[str, str]) -> None:
    """A diffusers folder. With all parts it is a whole model; with some of them only their sub-folders are written."""
    with staged(target) as folder:
        for component in request.parts:
            inside = folder / FOLDERS[component]
            inside.mkdir()
            _write_json(inside / "config.json", _config(model, component, request.dtype))
            stem = "model" if component in model.text_encoders else "diffusion_pytorch_model"
            values = planned_tensors(model, component, request)
            write_safetensors(inside / f"{stem}.safetensors", values, {"format": "pt"})
            if component in model.text_encoders:
                positions = model.chunk_size(component) + 2
                model.words[component].tokenizer.write(folder / tokenizer_folder(component), positions)
        (folder / "scheduler").mkdir()
        _write_json(folder / "scheduler" / "scheduler_config.json", model.scheduler_config())
        if set(request.parts) == set(model.component_names) and not request.only_these:
            _write_json(folder / "model_index.json", model.index())
        _write_json(folder / "metadata.json", {**model.modelspec(), **metadata, **request.partial_mark})


def write_single_file(model: SavableModel, target: Path, request: SaveRequest, metadata: Mapping[str, str]) -> None:
    """One .safetensors file; v-prediction and zero terminal SNR are marked in it, as other programs read them."""
    kind = model.kind()
    in_file: dict[str, PlannedTensor] = {}
    for component in request.parts:
        values = planned_tensors(model, component, request)
        links = single_file.file_links(kind, component, list(values), model.source.configs[component])
        in_file |= planned(values, links)
        if component in model.text_encoders:
            in_file |= _unused_tensors(model, component, in_file, request.dtype)
    if "denoiser" in request.parts:
        in_file |= _prediction_marks(model)
    file_metadata = {**model.modelspec(), **metadata, **request.partial_mark, "format": "pt"}
    if not is_bundled(model, kind):
        file_metadata[single_file.EMBEDDED_CONFIGS] = single_file.embedded_configs(
            {**model.source.configs, "scheduler": model.scheduler_config()},
            {encoder: words.tokenizer for encoder, words in model.words.items()},
        )
    with staged_file(target) as draft:
        write_safetensors(draft, in_file, file_metadata)


def planned_tensors(model: SavableModel, component: str, request: SaveRequest) -> dict[str, PlannedTensor]:
    """Every tensor of a part that goes in, under its name in files, to be read when its turn comes."""
    module, weights, replaced = model.empty(component), model.weights(component), request.tensors.get(component, {})
    shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
    unknown = replaced.keys() - shapes.keys()
    assert not unknown, f"{component} has no {', '.join(sorted(unknown))}"
    if request.only_these:
        shapes = {name: shape for name, shape in shapes.items() if name in replaced}
    kept = {building.file_name(name, module): shape for name, shape in shapes.items() if name not in replaced}
    building.check_present(kept, weights, f"{model.source.path} ({FOLDERS[component]})")
    found: dict[str, PlannedTensor] = {}
    for name, shape in shapes.items():
        file = building.file_name(name, module)
        make = _constant(replaced[name]) if name in replaced else _read(weights, file, shape)
        found[file] = PlannedTensor(shape, request.dtype, make)
    return found


def is_bundled(model: SavableModel, kind: str) -> bool:
    """Whether the bundled configs and vocabulary describe this model, so that a file needs to bring none along."""
    for component in model.component_names:
        for key, fact in single_file.bundled_config(kind, component).items():
            mine = model.source.configs[component].get(key)
            unsaid = mine is None and fact in (None, False)
            # What a config does not say is diffusers' default; only what shapes the model counts.
            if (
                key in _SHAPE_KEYS
                and not unsaid
                and mine != fact
                and not (key == "in_channels" and component == "denoiser")
            ):
                return False
    vocabularies = {json.dumps(words.tokenizer.bpe.get_vocab(), sort_keys=True) for words in model.words.values()}
    content = json.loads((single_file.clip_vocabulary() / "vocab.json").read_text(encoding="utf-8"))
    return vocabularies == {json.dumps(content, sort_keys=True)}


_SHAPE_KEYS = {
    "block_out_channels", "layers_per_block", "cross_attention_dim", "attention_head_dim", "use_linear_projection",
    "transformer_layers_per_block", "down_block_types", "up_block_types", "norm_num_groups", "in_channels",
    "latent_channels", "scaling_factor", "addition_embed_type", "projection_class_embeddings_input_dim",
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "vocab_size",
    "max_position_embeddings",
}  # fmt: skip


def _constant(tensor: Tensor) -> Callable[[], Tensor]:
    return lambda: tensor


def _read(weights: Weights, file: str, shape: tuple[int, ...]) -> Callable[[], Tensor]:
    return lambda: weights.read(file).reshape(shape)


def _config(model: SavableModel, component: str, dtype: torch.dtype) -> dict[str, Any]:
    config = {key: value for key, value in model.source.configs[component].items() if key != "_name_or_path"}
    if component in CLASSES:
        return {**config, "_class_name": CLASSES[component]}
    kind = "CLIPTextModelWithProjection" if component in model.projected else "CLIPTextModel"
    return {**config, "architectures": [kind], "dtype": str(dtype).removeprefix("torch.")}


def _prediction_marks(model: SavableModel) -> dict[str, PlannedTensor]:
    mark_names = [single_file.V_MARK] * (model.noise_schedule.prediction == "v_prediction")
    mark_names += [single_file.ZERO_SNR_MARK] * model.noise_schedule.zero_terminal_snr
    return {mark: PlannedTensor((0,), torch.float32, lambda: torch.empty(0)) for mark in mark_names}


def _unused_tensors(
    model: SavableModel, component: str, in_file: Mapping[str, PlannedTensor], dtype: torch.dtype
) -> dict[str, PlannedTensor]:
    """What programs expect of OpenCLIP and no image is made from: as it was in the source's file, else a stand-in."""
    kind, config, weights = model.kind(), model.source.configs[component], model.source.weights[component]
    if model.source.single_file:
        names = single_file.unused_names(kind, component, config, weights.shapes)
        return {
            name: PlannedTensor(weights.shapes[name], dtype, _read(weights, name, weights.shapes[name]))
            for name in names
        }
    prefix = single_file.TEXT[kind][component]
    if not prefix.endswith(".model."):
        return {}
    scale = {f"{prefix}logit_scale": PlannedTensor((), dtype, lambda: torch.tensor(LOGIT_SCALE))}
    return {**scale, **(_last_layer(in_file, prefix, dtype) if kind == "sd2" else {})}


def _last_layer(in_file: Mapping[str, PlannedTensor], prefix: str, dtype: torch.dtype) -> dict[str, PlannedTensor]:
    """SD 2 was made without OpenCLIP's last layer; readers want one all the same: the one before it, twice."""
    blocks = f"{prefix}transformer.resblocks."
    last = max(int(name.removeprefix(blocks).partition(".")[0]) for name in in_file if name.startswith(blocks))
    copies = {
        name.replace(f"{blocks}{last}.", f"{blocks}{last + 1}."): tensor
        for name, tensor in in_file.items()
        if name.startswith(f"{blocks}{last}.")
    }
    width = in_file[f"{prefix}ln_final.weight"].shape[0]
    return {**copies, f"{prefix}text_projection": PlannedTensor((width, width), dtype, lambda: torch.eye(width))}


def components_in(model: SavableModel, path: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """What a file or folder that was saved holds, part by part, under the names of our modules.

    Raises:
        UserError: damaged, or of another model.
    """
    whole = open_weights(path) if path.is_file() else None
    partial = PARTIAL in (whole.metadata if whole else _folder_metadata(path))
    for component in model.component_names:
        folder = path / FOLDERS[component]
        if whole is not None and single_file.has_component(whole.shapes, component, model.kind()):
            source = ModelFiles(path, model.source.configs, {}, {component: whole}, model.kind())
        elif whole is None and folder.is_dir():
            source = ModelFiles(path, model.source.configs, {}, {component: folder_weights(folder)})
        else:
            continue
        module = model.empty(component)
        weights = opening.part_weights(source, component, lambda module=module: module)
        names = {name: building.file_name(name, module) for name, _ in module.named_parameters()}
        if partial:
            names = {name: file for name, file in names.items() if file in weights.shapes}
        building.check_fit(
            {names[n]: tuple(p.shape) for n, p in module.named_parameters() if n in names}, weights, str(path)
        )
        yield component, {name: weights.read(file) for name, file in names.items()}


def _folder_metadata(folder: Path) -> dict[str, Any]:
    """What a folder says of itself."""
    path = folder / "metadata.json"
    return read_json(path) if path.is_file() else {}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
