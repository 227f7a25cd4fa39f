"""Latent diffusion with a U-Net, a VAE and CLIP text encoders: all that Stable Diffusion 1, 2 and XL share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from modules.data.text.tokenizer import Chunk, PromptTokenizer
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.errors import UserError
from modules.families.family import Condition, Family, LoadOptions
from modules.families.parts import building, names, objective, opening, saving
from modules.families.parts.loudness import weighted
from modules.families.parts.prints import Fingerprints
from modules.families.parts.source import FOLDERS, ModelFiles, tokenizer_folder
from modules.system.collecting import gc_paused
from modules.system.devices import to_device
from modules.system.pages import without_huge_pages
from modules.system.weights import Weights

# Of the configs: what changes an answer and cannot be told from the weights
CONFIG_KEYS = ("hidden_act", "num_attention_heads", "layer_norm_eps", "norm_num_groups", "act_fn")


class LatentDiffusion(Family):
    """What a subclass adds: which text encoders there are, and what they and the U-Net are asked."""

    default_scaling: ClassVar[float]  # of latents, where the VAE's config does not say
    default_size: ClassVar[int] = 64  # of latents, where the U-Net's config does not say
    projected: ClassVar[frozenset[str]] = frozenset()  # text encoders with a projection for a pooled vector

    def __init__(self, source: ModelFiles, options: LoadOptions, noise_schedule: NoiseSchedule) -> None:
        self.source, self.options, self.noise_schedule = source, options, noise_schedule
        self.channels = int(source.configs["vae"]["latent_channels"])
        self._parts: dict[str, nn.Module] = {}
        self._lora_targets: dict[str, list[str]] = {}
        self._fingerprints = Fingerprints()
        self.words = {encoder: self._tokenizer(encoder) for encoder in self.text_encoders}

    @classmethod
    def load(cls, source: str, options: LoadOptions) -> Self:
        open_model = opening.open_model(source, cls.name, ("denoiser", "vae", *cls.text_encoders), options)
        return cls(open_model, options, objective.noising_from_config(open_model, options))

    # Parts

    @property
    def component_names(self) -> tuple[str, ...]:
        return ("denoiser", "vae", *self.text_encoders)

    def component(self, name: str) -> nn.Module:
        if name not in self._parts:
            dtype = self.options.vae_dtype if name == "vae" else self.options.dtype
            empty, weights = self.empty(name), self.weights(name)
            where = f"{opening.TITLES[name]} of {self.source.path}"
            with without_huge_pages(), gc_paused():
                module = building.load_weights(empty, weights, device=self.options.device, dtype=dtype, where=where)
            if name in self.text_encoders:
                self._set_eos_token(module, name)
            self._lora_targets[name] = list(names.lora_targets(module))
            self._parts[name] = module
        return self._parts[name]

    def parameter_names(self, name: str) -> list[str]:
        return [path for path, _ in self.empty(name).named_parameters()]

    def unload(self, *names: str) -> None:
        for name in names:
            self._parts.pop(name, None)

    def empty(self, name: str) -> nn.Module:
        """A part without weights, on the meta device: for names and shapes."""
        config = self.source.configs[name]
        with gc_paused():  # imports what the part is made of
            if name == "denoiser":
                return building.empty_unet(config)
            if name == "vae":
                return building.empty_vae(config)
            return building.empty_text_encoder(config, projected=name in self.projected)

    def weights(self, name: str) -> Weights:
        """The tensors of a part on disk, under the names of diffusers folders."""
        return opening.part_weights(self.source, name, lambda: self.empty(name))

    def meta_copy(self, options: LoadOptions, parts: Iterable[str]) -> Self:
        twin = copy(self)
        twin.options, twin.noise_schedule, twin._parts, twin._lora_targets = options, copy(self.noise_schedule), {}, {}
        twin.words = {encoder: twin._tokenizer(encoder) for encoder in self.text_encoders}
        for name in parts:
            dtype = options.vae_dtype if name == "vae" else options.dtype
            module = building.meta_copy(self.empty(name), device=options.device, dtype=dtype)
            if name in self.text_encoders:
                twin._set_eos_token(module, name)
            twin._lora_targets[name] = list(names.lora_targets(module))
            twin._parts[name] = module
        return twin

    def fingerprint(self, name: str) -> str:
        config = self.source.configs[name]
        settings: dict[str, object] = {"part": name, **{key: config[key] for key in CONFIG_KEYS if key in config}}
        if name == "vae":
            settings |= {"dtype": str(self.options.vae_dtype), "scaling": self.scaling}
        elif name in self.text_encoders:
            chosen = (self.options.dtype, self.options.clip_skip, self.options.max_chunks)
            settings |= dict(zip(("dtype", "clip_skip", "max_chunks"), map(str, chosen), strict=True))
            settings["tokenizer"] = self.words[name].fingerprint()
            if self.options.weighted_captions:
                settings["weighted"] = True
        else:
            settings["dtype"] = str(self.options.dtype)
        return self._fingerprints.of(name, self.weights(name), settings, self.cache_dir)

    @property
    def resolution(self) -> int:
        return int(self.source.configs["denoiser"].get("sample_size") or self.default_size) * self.downscale

    # Text

    def token_counts(self, caption: str) -> dict[str, int]:
        return {encoder: sum(words.lengths(caption)) for encoder, words in self.words.items()}

    def chunk_lengths(self, encoder: str, caption: str) -> list[int]:
        return self.words[encoder].lengths(caption)

    def tokenizer_key(self, encoder: str) -> str:
        words = self.words[encoder]
        return f"{words.chunk_size} {words.bpe_hash()}{' weighted' if words.weighted else ''}"

    def chunk_size(self, encoder: str) -> int:
        return self.words[encoder].chunk_size

    def token_ids(self, encoder: str, text: str) -> list[int]:
        return self.words[encoder].ids(text)

    def add_token(self, token: str, vectors: int) -> dict[str, list[int]]:
        if not token.strip() or any(letter.isspace() for letter in token):
            raise UserError(
                f'"{token}" cannot be a new word.', advice="A word is one piece without spaces, such as <robot>."
            )
        if any(words.is_single_token(token) for words in self.words.values()):
            raise UserError(
                f'The model knows the word "{token}" already.',
                advice=f'Choose a new one, such as "<{token.strip("<>")}-1>".',
            )
        return {encoder: words.add(token, vectors) for encoder, words in self.words.items()}

    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        """Chunk by chunk, each caption always in its own row; a caption that has ended says "" and is masked."""
        most = self.options.max_chunks
        cut = {e: [words.chunks(c, most, weighted=weighted) for c in captions] for e, words in self.words.items()}
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
        empty_chunk = self.words[encoder].chunks("", 1)[0]
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

    def _tokenizer(self, encoder: str) -> PromptTokenizer:
        config = self.source.configs[encoder]
        positions, table = int(config.get("max_position_embeddings", 77)), int(config.get("vocab_size", 49408))
        return PromptTokenizer(
            self.source.tokenizers[encoder], positions, table, weighted=self.options.weighted_captions
        )

    def _set_eos_token(self, module: nn.Module, encoder: str) -> None:
        """CLIP pools at its end mark. Old configs say 2 and mean "the highest id", which new words would be."""
        text_model = cast("Any", module.text_model if encoder in self.projected else module)
        text_model.eos_token_id = self.words[encoder].end

    # Images

    @property
    def scaling(self) -> float:
        return float(self.source.configs["vae"].get("scaling_factor", self.default_scaling))

    @torch.no_grad()
    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        vae = cast("Any", self.component("vae"))
        like = next(vae.parameters())
        pixels_B3HW = pixels_B3HW.to(like.device, like.dtype, memory_format=torch.channels_last)
        return vae.encode(pixels_B3HW).latent_dist.mean.float().contiguous() * self.scaling

    @torch.no_grad()
    def decode_image(self, latents_BChw: Tensor) -> Tensor:
        vae = cast("Any", self.component("vae"))
        like = next(vae.parameters())
        latents_BChw = (latents_BChw.float() / self.scaling).to(like.device, like.dtype)
        return vae.decode(latents_BChw, return_dict=False)[0].float()

    @property
    def inpaints(self) -> bool:
        return int(self.source.configs["denoiser"]["in_channels"]) == 2 * self.channels + 1

    # Denoising

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        unet = self.component("denoiser")
        dtype = next(unet.parameters()).dtype
        inputs = noisy_BChw
        if self.inpaints:
            if condition.inpaint_BChw is None:
                raise UserError("An inpainting model needs a mask.", advice="Give the image and the mask to fill.")
            inputs = torch.cat([noisy_BChw, condition.inpaint_BChw.to(noisy_BChw.dtype)], dim=1)
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

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be guessed when the model was opened, in words for the user."""
        return tuple(self.source.notes)

    @abstractmethod
    def kind(self) -> str:
        """Which of the bundled models it is most like: decides the names in a single file."""

    @abstractmethod
    def pipelines(self) -> tuple[str, str]:
        """The diffusers class that draws with such a model, and the one that fills masks."""

    def index(self) -> dict[str, Any]:
        """model_index.json: what diffusers loads each folder with."""
        parts = {FOLDERS[component]: ["diffusers", saving.CLASSES[component]] for component in ("denoiser", "vae")}
        for encoder in self.text_encoders:
            kind = "CLIPTextModelWithProjection" if encoder in self.projected else "CLIPTextModel"
            parts[FOLDERS[encoder]] = ["transformers", kind]
            parts[tokenizer_folder(encoder)] = ["transformers", "CLIPTokenizer"]
        parts["scheduler"] = ["diffusers", self.scheduler_config()["_class_name"]]
        return {"_class_name": self.pipelines()[self.inpaints], **parts}

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

    def lora_names(self) -> Mapping[str, str]:
        return {
            f"{component}|{path}": self.lora_name(component, path)
            for component in ("denoiser", *self.text_encoders)
            for path in self._target_layers(component)
        }

    def _target_layers(self, component: str) -> list[str]:
        """Found before anyone puts adapters into the part: their own layers are no layers of the model."""
        if component not in self._lora_targets:
            self._lora_targets[component] = list(names.lora_targets(self.empty(component)))
        return self._lora_targets[component]

    @abstractmethod
    def lora_name(self, component: str, path: str) -> str:
        """What kohya calls a module in LoRA files."""

    def save(
        self,
        target: Path,
        *,
        single_file: bool,
        dtype: torch.dtype,
        parts: Iterable[str],
        metadata: Mapping[str, str],
        tensors: Mapping[str, Mapping[str, Tensor]],
        only_these: bool = False,
    ) -> None:
        write = saving.write_single_file if single_file else saving.write_folder
        what = saving.SaveRequest(dtype, tuple(parts), tensors, only_these)
        write(self, target, what, metadata)

    @property
    def stored_dtype(self) -> torch.dtype:
        weights = self.weights("denoiser")
        return weights.dtype(next(iter(weights.shapes)))

    def components_in(self, path: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
        return saving.components_in(self, path)
