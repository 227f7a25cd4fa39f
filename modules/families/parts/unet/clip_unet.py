"""Latent diffusion with a U-Net and CLIP text encoders: what Stable Diffusion 1, 2 and XL share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from modules.data.text.tokenizer import Chunk, PromptTokenizer
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.errors import UserError
from modules.families.condition import Condition
from modules.families.family import LoadOptions
from modules.families.parts import building, objective, saving
from modules.families.parts.latents import ScaledLatents
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.pipeline import DiffusersFamily
from modules.families.parts.unet import single_file, single_file_saving
from modules.families.parts.unet.emphasis import weighted
from modules.formats.checkpoint import NoPlace, unet_path
from modules.system.devices import to_device
from modules.system.weights import Weights, open_weights

# Of the configs: what changes an answer and cannot be told from the weights
CONFIG_KEYS = ("hidden_act", "num_attention_heads", "layer_norm_eps", "norm_num_groups", "act_fn")

TOKENIZER = ["transformers", "CLIPTokenizer"]


class ClipUnetFamily(DiffusersFamily):
    """What a subclass adds: what its text encoders and the U-Net are asked."""

    default_size: ClassVar[int] = 64  # of latents, where the U-Net's config does not say
    tokenizers: dict[str, PromptTokenizer]

    # Opening

    @classmethod
    def open_file(cls, path: Path, replaced: Collection[str] = (), variant: str = "auto") -> ModelFiles:
        del variant  # the tensors tell
        return single_file.open_file(path, cls.card, replaced)

    @classmethod
    def open_component_file(cls, name: str, path: Path) -> tuple[Weights, dict[str, Any]]:
        usual = single_file.bundled_config(cls.card.variants[0].kind, name)
        return (single_file.open_other_vae_file(path), usual) if name == "vae" else (open_weights(path), usual)

    def check_tensors(self) -> None:
        for spec in self.card.components:
            config = self.source.configs[spec.name]
            try:
                single_file.file_links(self.kind(), spec.name, self._file_names(spec.name), config)
            except NoPlace as error:
                raise UserError("model.layout", file=self.source.path, folder=spec.folder, names=error.name) from error
        super().check_tensors()

    def _file_names(self, name: str) -> list[str]:
        return [*building.tensor_shapes(self.card.component(name), self.source.configs[name])[0]]

    @classmethod
    def check(cls, files: ModelFiles) -> None:
        unet = files.configs["denoiser"]
        is_sdxl = unet.get("addition_embed_type") == "text_time"
        if is_sdxl != (cls.name == "sdxl") or unet.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel":
            raise UserError("model.is-not-sdxl" if cls.name == "sdxl" else "model.is-sdxl", file=files.path)
        if int(unet["in_channels"]) not in (4, 9):
            raise UserError("model.channels", file=files.path, channels=int(unet["in_channels"]))

    @classmethod
    def noising_of(cls, files: ModelFiles, options: LoadOptions) -> NoiseSchedule:
        return objective.noising_from_config(files, options)

    # Components

    def weights(self, name: str) -> Weights:
        named = single_file.component_weights(self.source, name, self._file_names)
        return super().weights(name) if named is None else named

    def prepare(self, name: str, module: nn.Module) -> None:
        """CLIP pools at its end mark. Old configs say 2 and mean "the highest id", which new words would be."""
        if name in self.text_encoders:
            inner = cast("Any", getattr(module, "text_model", module))
            inner.eos_token_id = self.tokenizers[name].end

    def answer_settings(self, name: str) -> dict[str, object]:
        config, options = self.source.configs[name], self.options
        settings: dict[str, object] = {"part": name, **{key: config[key] for key in CONFIG_KEYS if key in config}}
        if name == "vae":
            return settings | {"dtype": str(options.vae_dtype), "scaling": cast("ScaledLatents", self.latents).scale}
        settings["dtype"] = str(options.dtype)
        if name in self.text_encoders:
            settings |= {"clip_skip": str(options.clip_skip), "max_chunks": str(options.max_chunks)}
            settings["tokenizer"] = self.tokenizers[name].fingerprint()
            if options.weighted_captions:
                settings["weighted"] = True
        return settings

    @property
    def resolution(self) -> int:
        return int(self.source.configs["denoiser"].get("sample_size") or self.default_size) * self.downscale

    # Text

    def reader(self, encoder: str) -> PromptTokenizer:
        config = self.source.configs[encoder]
        positions, table = int(config.get("max_position_embeddings", 77)), int(config.get("vocab_size", 49408))
        return PromptTokenizer(
            self.source.tokenizers[encoder], positions, table, weighted=self.options.weighted_captions
        )

    def write_tokenizer(self, encoder: str, folder: Path) -> None:
        self.tokenizers[encoder].tokenizer.write(folder, self.chunk_size(encoder) + 2)

    def tokenizer_key(self, encoder: str) -> str:
        words = self.tokenizers[encoder]
        return f"{words.chunk_size} {words.bpe_hash()}{' weighted' if words.weighted else ''}"

    def add_token(self, token: str, vectors: int) -> dict[str, list[int]]:
        if not token.strip() or any(letter.isspace() for letter in token):
            raise UserError("token.not-one-word", token=token)
        if any(words.is_single_token(token) for words in self.tokenizers.values()):
            raise UserError("token.known", token=token, other=f"<{token.strip('<>')}-1>")
        return {encoder: words.add(token, vectors) for encoder, words in self.tokenizers.items()}

    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        """Chunk by chunk, each caption always in its own row; a caption that has ended says "" and is masked."""
        most = self.max_chunks
        cut = {e: [words.chunks(c, most, weighted=weighted) for c in captions] for e, words in self.tokenizers.items()}
        rows = [max(len(chunks[i]) for chunks in cut.values()) for i in range(len(captions))]
        encoded = [
            self._encode_chunk({e: self._nth_chunk(e, chunks, k) for e, chunks in cut.items()})
            for k in range(max(rows))
        ]
        tokens_BTD = torch.cat([condition.tokens_BTD for condition in encoded], dim=1)
        if min(rows) == max(rows):
            return replace(encoded[0], tokens_BTD=tokens_BTD)
        length = encoded[0].tokens_BTD.shape[1]
        real_B1 = to_device(torch.tensor(rows), tokens_BTD.device)[:, None] * length
        mask_BT = torch.arange(tokens_BTD.shape[1], device=tokens_BTD.device)[None] < real_B1
        return replace(encoded[0], tokens_BTD=tokens_BTD, mask_BT=mask_BT)

    @abstractmethod
    def text_forward(self, ids_BT: Mapping[str, Tensor]) -> Condition:
        """What the text encoders make of one chunk of each caption; ids by encoder."""

    def _nth_chunk(self, encoder: str, captions: Sequence[Sequence[Chunk]], k: int) -> list[Chunk]:
        empty_chunk = self.tokenizers[encoder].chunks("", 1)[0]
        return [chunks[k] if k < len(chunks) else empty_chunk for chunks in captions]

    def _encode_chunk(self, chunks: Mapping[str, Sequence[Chunk]]) -> Condition:
        """One chunk of each caption, with the weights of its words; by encoder."""
        device = self.options.device
        output = self.text_forward(
            {e: to_device(torch.tensor([c.ids for c in row]), device) for e, row in chunks.items()}
        )
        if not any(chunk.weights for row in chunks.values() for chunk in row):
            return output
        widths = [int(self.source.configs[encoder]["hidden_size"]) for encoder in chunks]
        parts = output.tokens_BTD.split(widths, dim=-1)
        return replace(
            output, tokens_BTD=torch.cat([weighted(p, r) for p, r in zip(parts, chunks.values(), strict=True)], -1)
        )

    # Images and denoising

    @property
    def mask_channels(self) -> int:
        return int(int(self.source.configs["denoiser"]["in_channels"]) == 2 * self.channels + 1)

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        unet = self.component("denoiser")
        dtype = next(unet.parameters()).dtype
        inputs = noisy_BChw
        if self.inpaints:
            mask, seen = self.mask_and_seen(condition)
            inputs = torch.cat([noisy_BChw, mask.to(noisy_BChw.dtype), seen.to(noisy_BChw.dtype)], dim=1)
        output = unet(
            inputs.to(dtype, memory_format=torch.channels_last),
            time_B,
            condition.tokens_BTD.to(dtype),
            encoder_attention_mask=condition.mask_BT,
            added_cond_kwargs=self.added_conditions(condition, dtype),
            return_dict=False,
        )
        return output[0]

    def added_conditions(self, condition: Condition, dtype: torch.dtype) -> dict[str, Tensor] | None:
        """What the U-Net hears beside the text, in diffusers' words."""
        return None

    # Files

    def other_paths(self, component: str, path: str) -> Iterator[str]:
        yield from super().other_paths(component, path)
        if component == "denoiser":
            yield unet_path(path, self.source.configs[component])

    @abstractmethod
    def kind(self) -> str:
        """Which of the bundled models it is most like: decides the names in a single file."""

    @abstractmethod
    def pipelines(self) -> tuple[str, str]:
        """The diffusers class that draws with such a model, and the one that fills masks."""

    def pipeline_class(self) -> str:
        return self.pipelines()[self.inpaints]

    def index(self) -> dict[str, Any]:
        return {**super().index(), **{spec.tokenizer: TOKENIZER for spec in self.card.components if spec.reads_text}}

    def scheduler_config(self) -> dict[str, Any]:
        """The model's own scheduler, told what the model really says."""
        scheduler = self.source.configs["scheduler"]
        if self.noise_schedule.prediction == "flow":
            # Of the schedulers that know flows, this one is also understood by diffusers' pipelines for these models.
            flow = {key: value for key, value in self.noise_schedule.scheduler_config().items() if key != "shift"}
            return {"_class_name": "UniPCMultistepScheduler", **flow}
        if objective.prediction_type_of(scheduler) == "flow":  # it was one: nothing of its scheduler is true any more
            scheduler = self.noise_schedule.scheduler_config()
        changed = {"_class_name": "DDIMScheduler", **scheduler, "prediction_type": self.noise_schedule.prediction}
        if self.noise_schedule.zero_terminal_snr:
            # Zero terminal SNR is only heard from the last level on, and PNDM cannot start there.
            changed |= {"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        elif "rescale_betas_zero_snr" in changed:
            changed["rescale_betas_zero_snr"] = False
        return changed

    def write_single_file(self, target: Path, request: saving.SaveRequest, metadata: Mapping[str, str]) -> None:
        single_file_saving.write_single_file(self, target, request, metadata)

    def part_of_file(self, whole: Weights, path: Path, name: str) -> Weights | None:
        if not single_file.has_component(whole.shapes, name, self.kind()):
            return None
        files = ModelFiles(path, self.source.configs, {}, {name: whole}, self.kind())
        return single_file.component_weights(files, name, self._file_names) or whole
