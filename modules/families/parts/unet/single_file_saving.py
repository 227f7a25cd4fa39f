"""Writes a U-Net with CLIP text encoders as one file in the LDM or SGM layout, as other programs read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch

from modules.data.text.tokenizer import PromptTokenizer
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.families.parts.saving import SavableModel, SaveRequest, planned_tensors, read_as
from modules.families.parts.unet import single_file
from modules.formats.checkpoint import planned
from modules.system.files import staged_file
from modules.system.weights import PlannedTensor, write_safetensors

LOGIT_SCALE = 4.6052  # ln(100), where CLIP's training ends


class ClipUnetModel(SavableModel, Protocol):
    """What is asked of a `ClipUnetFamily` to write it."""

    noise_schedule: NoiseSchedule
    tokenizers: dict[str, PromptTokenizer]

    def kind(self) -> str: ...


def write_single_file(model: ClipUnetModel, target: Path, request: SaveRequest, metadata: Mapping[str, str]) -> None:
    """One .safetensors file; v-prediction and zero terminal SNR are marked in it, as other programs read them."""
    kind = model.kind()
    in_file: dict[str, PlannedTensor] = {}
    for component in request.parts:
        values = planned_tensors(model, component, request)
        links = single_file.file_links(kind, component, list(values), model.source.configs[component])
        in_file |= planned(values, links)
        if component in model.tokenizers:
            in_file |= _unused_tensors(model, component, in_file, request)
    if "denoiser" in request.parts:
        in_file |= _prediction_marks(model)
    file_metadata = {**model.modelspec(), **metadata, **request.partial_mark, "format": "pt"}
    if not is_bundled(model, kind):
        file_metadata[single_file.EMBEDDED_CONFIGS] = single_file.embedded_configs(
            {**model.source.configs, "scheduler": model.scheduler_config()}
        )
        in_file |= _tokenizer_tensors(model, request)
    with staged_file(target) as draft:
        write_safetensors(draft, in_file, file_metadata)


def is_bundled(model: ClipUnetModel, kind: str) -> bool:
    """Whether the bundled configs and vocabulary describe this model, so that a file needs to bring none along."""
    for component in model.card.component_names:
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
    vocabularies = {json.dumps(words.tokenizer.bpe.get_vocab(), sort_keys=True) for words in model.tokenizers.values()}
    content = json.loads((single_file.clip_vocabulary() / "vocab.json").read_text(encoding="utf-8"))
    return vocabularies == {json.dumps(content, sort_keys=True)}


_SHAPE_KEYS = {
    "block_out_channels", "layers_per_block", "cross_attention_dim", "attention_head_dim", "use_linear_projection",
    "transformer_layers_per_block", "down_block_types", "up_block_types", "norm_num_groups", "in_channels",
    "latent_channels", "scaling_factor", "addition_embed_type", "projection_class_embeddings_input_dim",
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "vocab_size",
    "max_position_embeddings",
}  # fmt: skip


def _prediction_marks(model: ClipUnetModel) -> dict[str, PlannedTensor]:
    mark_names = [single_file.V_MARK] * (model.noise_schedule.prediction == "v_prediction")
    mark_names += [single_file.ZERO_SNR_MARK] * model.noise_schedule.zero_terminal_snr
    return {mark: PlannedTensor((0,), torch.float32, lambda: torch.empty(0)) for mark in mark_names}


def _tokenizer_tensors(model: ClipUnetModel, request: SaveRequest) -> dict[str, PlannedTensor]:
    encoders = [encoder for encoder in model.tokenizers if encoder in request.parts]
    stored = {encoder: single_file.tokenizer_bytes(model.tokenizers[encoder].tokenizer) for encoder in encoders}
    return {
        f"{single_file.TOKENIZER}{encoder}": PlannedTensor(tuple(each.shape), each.dtype, lambda each=each: each)
        for encoder, each in stored.items()
    }


def _unused_tensors(
    model: ClipUnetModel, component: str, in_file: Mapping[str, PlannedTensor], request: SaveRequest
) -> dict[str, PlannedTensor]:
    """What programs expect of OpenCLIP and no image is made from: as it was in the source's file, else a stand-in."""
    kind, config, weights = model.kind(), model.source.configs[component], model.source.weights[component]
    if model.source.single_file:
        names = single_file.unused_names(kind, component, config, weights.shapes)
        return {
            name: PlannedTensor(
                weights.shapes[name], request.dtype_of(weights, name), read_as(weights, name, weights.shapes[name])
            )
            for name in names
        }
    prefix = single_file.TEXT[kind][component]
    if not prefix.endswith(".model."):
        return {}
    dtype = next(iter(in_file.values())).dtype
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
