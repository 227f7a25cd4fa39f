"""What the families share whose denoiser is a transformer over patches of latents, taught as a rectified flow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from torch import Tensor

from modules.diffusion.noise_schedule import NoiseSchedule
from modules.errors import UserError
from modules.families.family import LoadOptions
from modules.families.parts import building, opening
from modules.families.parts.dit import dit_files
from modules.families.parts.dit.prompt_encoder import PromptFormat, PromptReader
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.objective import flow_from_config
from modules.families.parts.pipeline import DiffusersFamily
from modules.families.parts.saving import SaveRequest
from modules.formats.layout import Layout
from modules.formats.layouts.vae import vae_layout
from modules.system.devices import to_device
from modules.system.headers.parts import configured
from modules.system.weights import Weights, first_names


class Width(NamedTuple):
    """How wide a text encoder's states have to be: a number of the config of what reads them."""

    of_reader: str
    of_encoder: str = "hidden_size"
    times: int = 1  # states of so many layers side by side
    reader: str = "denoiser"


class DitFamily(DiffusersFamily):
    """What a subclass adds: its prompts, what its text encoders say, and how the denoiser is asked."""

    formats: ClassVar[Mapping[str, PromptFormat]]  # by text encoder
    layout: ClassVar[Layout | None]  # of the denoiser
    other_layouts: ClassVar[Mapping[str, Layout]] = {}  # of components that have other names in files of their own
    widths: ClassVar[Mapping[str, Width]] = {}  # by text encoder
    tokenizers: dict[str, PromptReader]

    def __init__(self, source: ModelFiles, options: LoadOptions, noise_schedule: NoiseSchedule) -> None:
        self._named: dict[str, Weights] = {}
        super().__init__(source, options, noise_schedule)

    # Opening

    @classmethod
    def load(cls, source: str, options: LoadOptions) -> Self:
        if omitted := [name for name, other in options.others.items() if cls.card.omits(name, other)]:
            others = {name: other for name, other in options.others.items() if name not in omitted}
            return cls.without(omitted).load(source, replace(options, others=others))
        return super().load(source, options)

    @classmethod
    def load_files(cls, files: ModelFiles, options: LoadOptions) -> Self:
        if absent := [spec.name for spec in cls.card.components if files.omits(spec)]:
            return cls.without(absent).load_files(files, options)
        return super().load_files(files, options)

    @classmethod
    def without(cls, names: Collection[str]) -> type[Self]:
        """The same family for models that lack these components."""
        kind: Any = type(cls.__name__, (cls,), {"card": cls.card.without(names)})
        return kind

    @classmethod
    def open_file(cls, path: Path, replaced: Collection[str] = (), variant: str = "auto") -> ModelFiles:
        del replaced  # what is missing is fetched by `complete`
        return dit_files.open_file(path, cls.card, cls.layout or Layout(), variant)

    @classmethod
    def open_component_file(cls, name: str, path: Path) -> tuple[Weights, dict[str, Any]]:
        return dit_files.open_component(cls.card, name, path)

    @classmethod
    def complete(cls, files: ModelFiles, options: LoadOptions) -> None:
        dit_files.complete(files, cls.card, options)

    @classmethod
    def noising_of(cls, files: ModelFiles, options: LoadOptions) -> NoiseSchedule:
        return flow_from_config(files.configs["scheduler"], options)

    @classmethod
    def check(cls, files: ModelFiles) -> None:
        super().check(files)
        for spec in cls.card.components[1:]:
            if config := files.configs.get(spec.name):
                found, where = configured(spec, config), files.path / spec.folder
                opening.check_part(found, spec, where, files, cls.card, "model.other-part")

    def check_tensors(self) -> None:
        for name, width in self.widths.items():
            if name not in self.card.component_names:
                continue
            encoder, reader = self.source.configs[name], self.source.configs[width.reader]
            has = int(encoder.get("text_config", encoder)[width.of_encoder]) * width.times
            wants = reader.get(width.of_reader, has)
            if has != wants:
                part, where = self.card.component(name).subject, self.source.places.get(name, self.source.path)
                raise UserError("model.text-width", where=where, part=part, has=has, wants=wants)
        super().check_tensors()

    def weights(self, name: str) -> Weights:
        if name not in self._named:
            layout = self.layout_of(name)
            self._named[name] = super().weights(name) if layout is None else self._under_our_names(name, layout)
        return self._named[name]

    def layout_of(self, name: str) -> Layout | None:
        """Of a component's names in files; None where they are always diffusers'."""
        if name == "vae":
            return vae_layout(self.card.component(name).class_path, self.source.configs[name])
        return self.layout if name == "denoiser" else self.other_layouts.get(name)

    def _under_our_names(self, name: str, layout: Layout) -> Weights:
        spec, weights = self.card.component(name), self.source.weights[name]
        shapes, _ = building.tensor_shapes(spec, self.source.configs[name])
        links = layout.links_of_file(weights.shapes, shapes)
        used = {link.theirs for link in links.values()}
        if surplus := [each for each in weights.shapes if each not in used and not layout.drops(each)]:
            raise UserError("weights.surplus", where=self.source.where(spec), names=first_names(surplus))
        return building.renamed(weights, links)

    # Text

    def reader(self, encoder: str) -> PromptReader:
        return PromptReader(self.source.tokenizers[encoder], self.formats[encoder])

    def full_length_ids(self, encoder: str, captions: Sequence[str]) -> Tensor:
        """Token ids of prompts that are padded to the most that the encoder is given, (B, T)."""
        reader = self.tokenizers[encoder]
        return to_device(reader.padded(captions, reader.form.longest)[0], self.options.device)

    def write_tokenizer(self, encoder: str, folder: Path) -> None:
        self.tokenizers[encoder].write(folder)

    # Files

    def write_single_file(self, target: Path, request: SaveRequest, metadata: Mapping[str, str]) -> None:
        dit_files.write_single_file(self, target, request, metadata)

    def part_of_file(self, whole: Weights, path: Path, name: str) -> Weights | None:
        del path
        return dit_files.part_of_file(self, whole, name)

    def modelspec(self) -> dict[str, str]:
        return {
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.architecture": self.architecture(),
            "modelspec.prediction_type": "flow",
            "modelspec.resolution": f"{self.resolution}x{self.resolution}",
            **self.other_metadata(),
        }

    def architecture(self) -> str:
        """What modelspec calls this architecture."""
        return self.name

    def other_metadata(self) -> dict[str, str]:
        """What other programs look for beside modelspec."""
        return {"ss_base_model_version": self.architecture()}
