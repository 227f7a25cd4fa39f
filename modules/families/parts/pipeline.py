"""What every model made of diffusers' and transformers' classes shares: components, names, files, latents.

A subclass says which layout its files have beside diffusers' folders, how its text encoders are read, and what its
denoiser is asked.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]

from modules.catalog.card import LoraFormat
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.diffusion.shift import Shift
from modules.errors import UserError
from modules.families.family import Family, LoadOptions
from modules.families.parts import building, opening, saving
from modules.families.parts.fingerprint import Fingerprints
from modules.families.parts.latents import Latents, decoded, encoded, latents_of
from modules.families.parts.lora_targets import file_starts, kohya_name, layer_paths, lora_targets, paths_in_files
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.objective import shift_rule
from modules.families.parts.vae_tiling import Shortage, VaeTiling
from modules.formats.adapter_names import FileLayer, Spellings, native_spellings, spellings_of
from modules.formats.checkpoint import Link
from modules.formats.layout import Layout
from modules.sentences.problem import Problem
from modules.system.devices import free_memory
from modules.system.runtime import gc_paused, without_huge_pages
from modules.system.weights import Weights, open_weights

# Of a config: what says who wrote it, and when
WRITER = ("architectures", "transformers_version", "_class_name", "_diffusers_version", "_name_or_path")
UNIMPORTANT = {"dtype", "torch_dtype", *WRITER}


class TextReader(Protocol):
    """What reads captions for one text encoder."""

    @property
    def chunk_size(self) -> int: ...
    def ids(self, text: str) -> list[int]: ...
    def lengths(self, text: str) -> list[int]: ...
    def fingerprint(self) -> str: ...


class DiffusersFamily(Family):
    """Components by the card; a class, a folder and a kind each."""

    layout: ClassVar[Layout | None] = None  # of its denoiser's names in single files, where they are not diffusers'
    adapter_layouts: ClassVar[tuple[Layout, ...]] = ()  # what else adapters' files call the denoiser's layers
    default_scaling: ClassVar[float] = 1.0  # of latents, where the VAE's config does not say

    def __init__(self, source: ModelFiles, options: LoadOptions, noise_schedule: NoiseSchedule) -> None:
        self.source, self.options, self.noise_schedule = source, options, noise_schedule
        vae = source.configs["vae"]
        self.channels = int(vae.get("z_dim") or vae["latent_channels"])
        self._components: dict[str, nn.Module] = {}
        self._empty: dict[str, nn.Module] = {}
        self._lora_targets: dict[str, list[str]] = {}
        self._fingerprints, self._shortage = Fingerprints(), Shortage()
        self.tokenizers = {name: self.reader(name) for name in self.text_encoders if name in source.tokenizers}

    # Opening

    @classmethod
    def load(cls, source: str, options: LoadOptions) -> Self:
        files = opening.open_model(source, cls.card, options, cls.open_file)
        cls.check(files)
        for name, other in options.others.items():
            opening.take_other(files, name, other, options, cls)
        cls.complete(files, options)
        family = cls.load_files(files, options)
        family.model_name = source
        return family

    @classmethod
    def load_files(cls, files: ModelFiles, options: LoadOptions) -> Self:
        """The model of files that are opened.

        Raises:
            UserError: their tensors are not those of their configs.
        """
        family = cls(files, options, cls.noising_of(files, options))
        family.check_tensors()
        return family

    def check_tensors(self) -> None:
        """Find out by names and shapes whether the weights are those of the configs; none are read.

        Raises:
            UserError: some are missing, too many, of another shape, or would have no place in what is written.
        """
        for spec in self.card.components:
            shapes, tied = building.tensor_shapes(spec, self.source.configs[spec.name])
            building.check_fit(shapes, self.weights(spec.name), self.source.where(spec), also=tied)

    @classmethod
    def open_file(cls, path: Path, replaced: Collection[str] = (), variant: str = "auto") -> ModelFiles:
        """A model in one file. `replaced`: what comes from elsewhere and may be missing. `variant`: if it is known.

        Raises:
            UserError: this family has none, or it is damaged or another model.
        """
        raise UserError("model.single-file", file=path.name, type=cls.card.title)

    @classmethod
    def complete(cls, files: ModelFiles, options: LoadOptions) -> None:
        """Fetch what neither a file nor the user's settings brought, where the family knows from where."""
        del files, options

    @classmethod
    def open_component_file(cls, name: str, path: Path) -> tuple[Weights, dict[str, Any]]:
        """Another VAE or text encoder, in a file of its own, and the config of such files for a model that has none."""
        del name
        return open_weights(path), {}

    @classmethod
    def check(cls, files: ModelFiles) -> None:
        """Refuse a model of another family by what its configs say beside the class of its denoiser.

        Raises:
            UserError: it is one.
        """
        del files

    @classmethod
    @abstractmethod
    def noising_of(cls, files: ModelFiles, options: LoadOptions) -> NoiseSchedule:
        """What the model was taught to predict, and from which noise."""

    @property
    def notes(self) -> tuple[Problem, ...]:
        return tuple(self.source.notes)

    # Components

    def component(self, name: str) -> nn.Module:
        if name not in self._components:
            spec, empty, weights = self.card.component(name), building.emptied(self.empty(name)), self.weights(name)
            where, device = self.source.where(spec), self.options.device
            dtype, streamed = self._dtype(name, self.options), self.is_streamed(name)
            with without_huge_pages(), gc_paused():
                module = building.load_weights(
                    empty, weights, device=device, dtype=dtype, where=where, streamed=streamed,
                    holding=self.options.holding_of(name),
                )  # fmt: skip
            self._take(name, module)
        return self._components[name]

    def is_streamed(self, name: str) -> bool:
        spec, options = self.card.component(name), self.options
        if spec.trainable or not spec.reads_text:
            return False
        room = free_memory(options.device) * 3 // 4 if options.text_memory is None else options.text_memory
        width = self._dtype(name, options).itemsize
        return width * sum(tensor.numel() for tensor in building.saved_tensors(self.empty(name)).values()) > room

    def parameter_names(self, name: str) -> list[str]:
        return [path for path, _ in self.empty(name).named_parameters()]

    def weight_count(self, name: str) -> int:
        return sum(parameter.numel() for parameter in self.empty(name).parameters())

    def unload(self, *names: str) -> None:
        for name in names:
            self._components.pop(name, None)

    def empty(self, name: str) -> nn.Module:
        """A component without weights, on the meta device: for names and shapes. Made once, so not to be changed."""
        if name not in self._empty:
            # Imports what the component is made of. Under `FakeTensorMode`, too, its tables are real.
            with gc_paused(), _disable_current_modes():
                self._empty[name] = building.empty_component(self.card.component(name), self.source.configs[name])
        return self._empty[name]

    def weights(self, name: str) -> Weights:
        spec = self.card.component(name)
        run = building.tensor_shapes(spec, self.source.configs[name])[0] if spec.kind == "llm" else ()
        return opening.component_weights(self.source.weights[name], spec, run)

    def meta_copy(self, options: LoadOptions, parts: Iterable[str]) -> Self:
        twin = copy(self)
        twin.options, twin.noise_schedule = options, copy(self.noise_schedule)
        twin._components, twin._lora_targets = {}, {}
        twin.tokenizers = {encoder: twin.reader(encoder) for encoder in self.text_encoders}
        for name in parts:
            dtype, holding = self._dtype(name, options), options.holding_of(name)
            empty = building.emptied(self.empty(name))
            twin._take(name, building.meta_copy(empty, device=options.device, dtype=dtype, holding=holding))
        return twin

    def prepare(self, name: str, module: nn.Module) -> None:
        """Set what a component's config says wrongly, or what depends on the tokenizer."""

    def _take(self, name: str, module: nn.Module) -> None:
        self.prepare(name, module)
        self._lora_targets[name] = list(lora_targets(module, self.card.component(name)))
        self._components[name] = module

    def _dtype(self, name: str, options: LoadOptions) -> torch.dtype:
        return options.vae_dtype if self.card.component(name).kind == "vae" else options.dtype

    def fingerprint(self, name: str) -> str:
        packed = self.options.holding_of(name).kind
        settings = self.answer_settings(name) | ({"packed": packed} if packed else {})
        return self._fingerprints.of(name, self.weights(name), settings, self.cache_dir)

    def answer_settings(self, name: str) -> dict[str, object]:
        """All that changes what a component answers and is not in its weights."""
        config = {key: value for key, value in self.source.configs[name].items() if key not in UNIMPORTANT}
        settings: dict[str, object] = {"part": name, "dtype": str(self._dtype(name, self.options)), "config": config}
        return settings | ({"tokenizer": self.tokenizers[name].fingerprint()} if name in self.tokenizers else {})

    @property
    def resolution(self) -> int:
        return self.card.resolution

    # Text

    @abstractmethod
    def reader(self, encoder: str) -> TextReader:
        """What reads captions for a text encoder."""

    @abstractmethod
    def write_tokenizer(self, encoder: str, folder: Path) -> None:
        """Its files, as diffusers' folders have them."""

    def token_counts(self, caption: str) -> dict[str, int]:
        return {encoder: sum(reader.lengths(caption)) for encoder, reader in self.tokenizers.items()}

    def chunk_lengths(self, encoder: str, caption: str) -> list[int]:
        return self.tokenizers[encoder].lengths(caption)

    def tokenizer_key(self, encoder: str) -> str:
        reader = self.tokenizers[encoder]
        return f"{reader.chunk_size} {reader.fingerprint()}"

    def chunk_size(self, encoder: str) -> int:
        return self.tokenizers[encoder].chunk_size

    def token_ids(self, encoder: str, text: str) -> list[int]:
        return self.tokenizers[encoder].ids(text)

    def add_token(self, token: str, vectors: int) -> dict[str, list[int]]:
        raise UserError("model.no-new-tokens", type=self.card.title, token=token)

    # Images

    @property
    def latents(self) -> Latents:
        return latents_of(self.source.configs["vae"], self.default_scaling)

    @torch.no_grad()
    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        return encoded(self.component("vae"), self.latents, pixels_B3HW, self._tiling)

    def encodes_in_tiles(self, height: int, width: int) -> bool:
        return self._tiling.encodes(height, width)

    @property
    def _tiling(self) -> VaeTiling:
        return VaeTiling.of(self.source.configs["vae"], self.options, self._shortage)

    @torch.no_grad()
    def decode_image(self, latents_BChw: Tensor) -> Tensor:
        return decoded(self.component("vae"), self.latents, latents_BChw, self._tiling)

    # Denoising

    @property
    def shift(self) -> Shift:
        return shift_rule(self.source.configs["scheduler"], self.options)

    # Names

    def lora_names(self) -> Mapping[str, str]:
        return {key: self.lora_name(*key.split("|")) for key in self._adapted()}

    def adapter_links(self, form: LoraFormat, *, fused: bool = True) -> Mapping[str, Link]:
        return {key: self._adapter_link(form, fused, *key.split("|")) for key in self._adapted()}

    def _adapter_link(self, form: LoraFormat, fused: bool, component: str, path: str) -> Link:
        native = self._native_layer(component, path)
        if native and form != "diffusers" and (fused or native.form == "same"):
            return native.behind("diffusion_model.") if form == "native" else replace(native, theirs=kohya_name(native))
        return Link((self.lora_name if form == "kohya" else self._diffusers_name)(component, path))

    def _native_layer(self, component: str, path: str) -> Link | None:
        start = self.card.component(component).in_denoiser
        return Link(start + path) if start else self.native_layers.get(path) if component == "denoiser" else None

    @cached_property
    def native_layers(self) -> Mapping[str, Link]:
        """Where the denoiser's layers lie in single files, by their paths here; empty without a layout."""
        return self._layers(self.layout) if self.layout else {}

    def _layers(self, layout: Layout) -> Mapping[str, Link]:
        return layout.layers({name: tuple(p.shape) for name, p in self.empty("denoiser").named_parameters()})

    def layer_spellings(self) -> Spellings:
        found: dict[str, str | FileLayer] = {}
        for number, spec in enumerate(spec for spec in self.card.components if spec.kind != "vae"):
            starts = file_starts(spec, number)
            if not spec.reads_text:
                for layers in (*map(self._layers, self.adapter_layouts), self.native_layers):
                    found |= native_spellings(spec.name, layers, starts)
            for path in layer_paths(self.empty(spec.name)):
                key = f"{spec.name}|{path}"
                spellings = spellings_of(starts, {path, *self.other_paths(spec.name, path)})
                found |= dict.fromkeys([*spellings, self.lora_name(spec.name, path)], key)
        return found

    def other_paths(self, component: str, path: str) -> Iterator[str]:
        """What the path of a layer is in files beside what it is in the module."""
        return paths_in_files(self.card.component(component), path)

    def lora_name(self, component: str, path: str) -> str:
        """What a layer is called in kohya's files; by diffusers' path, as LyCORIS has it, where it lies fused."""
        if native := self._native_layer(component, path):
            return kohya_name(native) if native.form == "same" else f"lycoris_{path}".replace(".", "_")
        return f"lora_{self.card.component(component).folder}_{path}".replace(".", "_")

    def _diffusers_name(self, component: str, path: str) -> str:
        spec = self.card.component(component)
        return f"{spec.folder}.{building.text_model_once(path) if spec.kind == 'clip' else path}"

    def _adapted(self) -> Iterator[str]:
        for spec in self.card.components:
            if spec.kind != "vae":
                yield from (f"{spec.name}|{path}" for path in self._target_layers(spec.name))

    def _target_layers(self, name: str) -> list[str]:
        """Found before anyone puts adapters into the component: their own layers are no layers of the model."""
        if name not in self._lora_targets:
            self._lora_targets[name] = list(lora_targets(self.empty(name), self.card.component(name)))
        return self._lora_targets[name]

    # Files

    def pipeline_class(self) -> str:
        """The class of diffusers that draws with such a model."""
        return str(self.source.index.get("_class_name", "DiffusionPipeline"))

    def index(self) -> dict[str, Any]:
        """model_index.json: what diffusers loads each folder with."""
        found: dict[str, Any] = {}
        for spec in self.card.components:
            module, _, name = spec.class_path.partition(":")
            found[spec.folder] = [module.partition(".")[0], name]
            if spec.is_copied:
                found[spec.folder] = self.source.index.get(spec.folder, found[spec.folder])
            if spec.tokenizer:
                found[spec.tokenizer] = self.source.index.get(spec.tokenizer, ["transformers", "AutoTokenizer"])
        found["scheduler"] = ["diffusers", self.scheduler_config()["_class_name"]]
        return {"_class_name": self.pipeline_class(), **found}

    def scheduler_config(self) -> dict[str, Any]:
        """The config of the scheduler that diffusers is to sample with."""
        return self.source.configs["scheduler"]

    def save(
        self,
        target: Path,
        *,
        single_file: bool,
        dtype: torch.dtype | None,
        parts: Iterable[str],
        metadata: Mapping[str, str],
        tensors: Mapping[str, Mapping[str, Tensor]],
        only_these: bool = False,
    ) -> None:
        request = saving.SaveRequest(dtype, tuple(parts), tensors, only_these)
        write = self.write_single_file if single_file else self.write_folder
        write(target, request, metadata)

    def write_folder(self, target: Path, request: saving.SaveRequest, metadata: Mapping[str, str]) -> None:
        saving.write_folder(self, target, request, metadata)

    def write_single_file(self, target: Path, request: saving.SaveRequest, metadata: Mapping[str, str]) -> None:
        del target, request, metadata
        raise UserError("model.saved-as-folder", type=self.card.title)

    def components_in(self, path: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
        yield from saving.components_in(self, path)

    def part_of_file(self, whole: Weights, path: Path, name: str) -> Weights | None:
        """What a file holds of a component, under the names of diffusers folders; None where that is nothing."""
        del whole, path, name
        return None
