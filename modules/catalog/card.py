"""What is known of a model family before torch is imported: its components, sizes, sets of layers and usual rates."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt
from typing import Literal

from modules.catalog.layers import LayerSet

ComponentKind = Literal["unet", "dit", "vae", "clip", "t5", "llm", "conditioner"]
LoraFormat = Literal["kohya", "diffusers", "native"]
OMITTED = "none"  # in the setting of a component that is optional
TEXT_KINDS = ("clip", "t5", "llm", "conditioner")  # the last reads what another says, beside tokens of its own
T5_TOKENIZER = "google/t5-v1_1-xxl"  # where kohya's scripts have it from, too: there is no licence to accept

# Which linear layers and convolutions an adapter is put on, by their paths. As in kohya's LoCon, the ends of a denoiser
# and its embeddings of time and size are left alone, and so is CLIP's projection.
ADAPTED_LAYERS: dict[ComponentKind, str] = {
    "unet": r"(down_blocks|mid_block|up_blocks)\..*",
    "dit": r"\w*blocks?\.\d+\..*",
    "vae": r"(?!)",
    "clip": r"(text_model\.)?encoder\.layers\..*",
    "t5": r"encoder\.block\..*",
    "llm": r"(model\.)?layers\..*",
    "conditioner": r"blocks\.\d+\..*",
}


@dataclass(frozen=True)
class ComponentSpec:
    """One of the networks that a model is made of."""

    name: str  # "denoiser", "vae", "text_encoder_1", ...: in settings, logs and backups
    kind: ComponentKind
    folder: str  # in a diffusers folder
    class_path: str  # "module:class" of diffusers or transformers
    title: str = ""  # as people call it; "" for text encoders, which are counted
    trainable: bool = True  # whether training may change it; a VAE is never asked
    tokenizer: str = ""  # the folder of a text encoder's tokenizer
    tokenizer_repo: str = ""  # where anyone may fetch the same one, where a model's own repository may be gated
    adapted: str = ""  # which layers an adapter is put on, where those of its kind do not fit
    optional: bool = False  # whether a model can do without it: `OMITTED` in its setting
    embedding: str = ""  # what an embedding file calls the vectors of this text encoder
    file_names: tuple[str, ...] = ()  # what it is called in whole models' files: "text_encoders.<name>.transformer."
    in_denoiser: str = ""  # what stands before its names in the denoiser's files, where those hold it: "llm_adapter."
    blocks_read: int = 0  # of a text encoder: how many of its layers are run; below 0: all but so many; 0: all

    @property
    def reads_text(self) -> bool:
        return self.kind in TEXT_KINDS

    @property
    def library(self) -> str:
        """Whose class it is: diffusers or transformers."""
        return self.class_path.partition(".")[0]

    @property
    def class_name(self) -> str:
        return self.class_path.partition(":")[2]

    @property
    def is_copied(self) -> bool:
        """Whether models are written with it as it was found, also what is not run of it: what would see, or speak."""
        return self.reads_text and not self.trainable

    @property
    def subject(self) -> str:
        """It at the beginning of a sentence: "The U-Net", "Text encoder 2"."""
        return f"The {self.title}" if self.title else self.name.replace("_", " ").capitalize()

    @property
    def adapted_layers(self) -> re.Pattern[str]:
        """Matches the paths of the layers that an adapter is put on."""
        return re.compile(self.adapted or ADAPTED_LAYERS[self.kind])


@dataclass(frozen=True)
class RateRange:
    """Learning rates from the lowest that people use to the highest, and what is a good start."""

    low: float
    best: float
    high: float

    def times(self, low: float, high: float) -> RateRange:
        return RateRange(self.low * low, self.best * sqrt(low * high), self.high * high)


@dataclass(frozen=True)
class Variant:
    """An architecture within a family whose configs lie in resources/models/<kind>."""

    kind: str
    title: str
    names: str = ""  # a regular expression over the names of its models
    repo: str = ""  # on the hub: where components come from that a file lacks
    billions: float = 0.0  # weights of its denoiser, where those of the other variants have another number
    licence: str = ""  # as its page on the hub says; "" where nobody looked
    gated: bool = False  # whether the hub gives it only to accounts that have accepted its terms
    adapter: str = ""  # on the hub: a known training adapter for it


@dataclass(frozen=True)
class SamplingDefaults:
    """What samples of a model are usually drawn with."""

    steps: int = 20
    guidance: float = 7.0
    distilled_guidance: float = 0.0  # of models that take it as an input
    sampler: str = "euler"
    names: str = ""  # a regular expression over the names of the models that it is meant for; "": all others


@dataclass(frozen=True)
class KnownPrompts:
    """Prompts that a base model draws well: what it forgets is seen on them."""

    prompts: tuple[str, ...]
    names: str = ""  # a regular expression over the names of the models that know them; "": all others


PHOTOS = KnownPrompts((
    "a photo of a cat", "a red sports car on a street", "a portrait of an old man with a beard",
    "a castle on a hill", "a bowl of fruit on a wooden table", "a sailing ship on the sea at sunset",
    "a snowy mountain behind a lake", "an oil painting of sunflowers in a vase",
))  # fmt: skip
TAGS = (
    "1girl, solo, long hair, smile, school uniform", "1boy, armor, holding sword", "cat, no humans",
    "no humans, scenery, mountain, sky, cloud", "1girl, red hair, dress, outdoors", "no humans, food, bowl, table",
    "no humans, car, street, building", "1girl, chibi, simple background, white background",
)  # fmt: skip
OF_TAGS = KnownPrompts(TAGS, names=r"pony|illustrious|noob|animagine|anything|(?<![a-z])(wai|nai|anime)")

NEAR = 0.03  # two files with so nearly the same number of weights are of one architecture

# Settings that mean nothing for rectified flows, all of which are transformers without convolutions, and those of
# models that take the guidance as an input
NOT_OF_FLOWS = (
    "objective.prediction", "objective.zero_terminal_snr", "sampling.prompts.0.spacing", "method.conv",
    "method.conv_rank", "method.conv_alpha", "method.tucker",
)  # fmt: skip
GUIDANCE_INPUT = ("objective.embedded_guidance", "sampling.prompts.0.distilled_guidance")


# Names of models that were taught to draw in a few steps. A "De-Turbo" was taught to do without.
DISTILLED = (
    r"(?<!de)(?<!de.)turbo|schnell|lightning|klein(?!.*base)|hyper-?sd"
    r"|(?<![a-z])(lcm|tcd|hyper|flash|dmd2?)(?![a-z])"
)


@dataclass(frozen=True)
class FamilyCard:
    """A row of the catalog. The family's own file has the code, and nobody else knows a family by name."""

    title: str
    module: str  # imported only when a run picks the family
    components: tuple[ComponentSpec, ...]  # the denoiser, the VAE, and any number of text encoders
    resolution: int  # pixels on a side that the family was trained at
    bucket_step: int  # sides of buckets are multiples of this many pixels, where nobody says otherwise
    size_step: int  # sides of every image must be multiples of this: pixels of a latent, times its patch
    layer_sets: Mapping[str, LayerSet]
    rates: Mapping[str, RateRange] = field(default_factory=dict[str, RateRange])  # "lora", "full", "embedding"
    examples: tuple[str, ...] = ()  # hub names a newcomer may start from
    variants: tuple[Variant, ...] = ()  # the first is meant where nobody knows better; none: its classes' defaults
    self_attention: str = ""  # how the paths of the image's own attentions end, where they can be told from others
    attention_groups: Mapping[str, str] = field(default_factory=dict[str, str])  # a word -> how their paths begin
    chunk_size: int = 75  # tokens that the text encoders read at once
    not_used: tuple[str, ...] = ()  # settings that mean nothing for this family; "sampling.prompts.0." for each entry's
    sampling: tuple[SamplingDefaults, ...] = (SamplingDefaults(),)  # the first that names a model is its; last: others
    known: tuple[KnownPrompts, ...] = (PHOTOS,)  # the first that names a model has what it knows; last: others
    guidance_embed: bool = False  # whether its denoisers can take the guidance as an input (FLUX.1 dev)
    guidance_norm: int = 0  # guidance keeps the prompted answer's length in squares of so many latents; 0: it does not
    fp16_vae: bool = True  # whether its own VAE works in fp16
    distilled: str = DISTILLED  # a regular expression over the names of models that training would spoil
    short_title: str = ""
    index_file: str = "model_index.json"  # what diffusers opens its folders by
    file_prefix: str = ""  # before the denoiser's names in files of its own
    lora_formats: tuple[LoraFormat, ...] = ("kohya", "diffusers")  # of its files; most programs read the first
    file_marks: tuple[str, ...] = ()  # how the names of tensors begin that only single files of this family have
    file_lacks: tuple[str, ...] = ()  # how those begin that other families' files have beside these
    metadata_names: str = r"(?!)"  # a regular expression over what metadata of files calls its models

    def is_marked(self, names: Collection[str]) -> bool:
        """Whether the tensors of a single file have such names as this family's."""
        return any(name.startswith(self.file_marks) for name in names) and not any(
            name.startswith(self.file_lacks) for name in names
        )

    def is_called(self, model: str) -> bool:
        """Whether a file's metadata means a model of this family."""
        return bool(re.search(self.metadata_names, model, re.IGNORECASE))

    def omits(self, name: str, source: str) -> bool:
        """Whether the setting of a component says that the model is to do without it."""
        return source == OMITTED and name in self.component_names and self.component(name).optional

    def without(self, names: Collection[str]) -> FamilyCard:
        """The card of such a model that lacks these components."""
        return replace(self, components=tuple(spec for spec in self.components if spec.name not in names))

    @cached_property
    def text_encoders(self) -> tuple[str, ...]:
        """The names of the components that read captions."""
        return tuple(spec.name for spec in self.components if spec.reads_text)

    @cached_property
    def trainable(self) -> tuple[str, ...]:
        """The names of the components that training may change, the denoiser first."""
        return tuple(spec.name for spec in self.components if spec.trainable and spec.kind != "vae")

    @cached_property
    def component_names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.components)

    def component(self, name: str) -> ComponentSpec:
        return next(spec for spec in self.components if spec.name == name)

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """All folders with weights in a diffusers folder."""
        return tuple(spec.folder for spec in self.components)

    @property
    def comes_in_parts(self) -> bool:
        """Whether its models come as files of single components: what a file lacks is known where to be had."""
        return any(variant.repo for variant in self.variants)

    @property
    def is_flow(self) -> bool:
        """Whether its models are rectified flows and can be nothing else: all transformers are."""
        return any(spec.kind == "dit" for spec in self.components)

    @cached_property
    def variant_titles(self) -> tuple[str, ...]:
        """What a model's variant can be set to; none where there is nothing to choose from."""
        return tuple(each.title for each in self.variants) if self.comes_in_parts and len(self.variants) > 1 else ()

    def called(self, source: str, variant: str) -> str:
        """The name that tells what a model is: the model's own, unless `variant` is set to one of the titles."""
        return next((each.repo for each in self.variants if each.title == variant), "") or source

    def usual_sampling(self, source: str) -> SamplingDefaults:
        """What a model is usually drawn with, by the name of its file, folder or repository."""
        name = _last_name(source)
        return next(row for row in self.sampling if re.search(row.names, name, re.IGNORECASE))

    def known_prompts(self, source: str) -> tuple[str, ...]:
        """What a model surely knows, by the name of its file, folder or repository."""
        name = _last_name(source)
        return next(row.prompts for row in self.known if re.search(row.names, name, re.IGNORECASE))

    def is_distilled(self, source: str) -> bool:
        """Whether a model draws in few steps, by the last part of its name: training takes that from it."""
        return bool(re.search(self.distilled, _last_name(source), re.IGNORECASE))

    def named_variants(self, source: str) -> list[Variant]:
        """Those that the last part of a model's name speaks of."""
        name = _last_name(source)
        return [each for each in self.variants if each.names and re.search(each.names, name, re.IGNORECASE)]

    def likely_variants(self, source: str, numbers: int = 0) -> list[Variant]:
        """Those that a model may be, by its name and by how many weights its denoiser has (0: not known)."""
        named = self.named_variants(source) or [each for each in self.variants if each.repo == source]
        sized = self._sized_variants(numbers)
        return [each for each in named if each in sized] or sized or named

    def possible_variants(self, numbers: int) -> list[Variant]:
        """Those that a model may be by how many weights its denoiser has (0: not known)."""
        return self._sized_variants(numbers) or [*self.variants]

    def _sized_variants(self, numbers: int) -> list[Variant]:
        return [each for each in self.variants if each.billions and abs(numbers / each.billions / 1e9 - 1) < NEAR]

    @cached_property
    def variant_labels(self) -> tuple[str, ...]:
        """What tells its variants apart: their titles without the words that all begin with; "" for the plain one."""
        titles = [re.findall(r"[^\s-]+", each.title) for each in self.variants]
        shortest = min(map(len, titles), default=0)
        same = next((n for n in range(shortest) if len({words[n] for words in titles}) > 1), shortest)
        return tuple(" ".join(words[same:]) for words in titles)

    def uses(self, path: str) -> bool:
        """Whether a setting means anything for this family. `path`: entries of lists as "sampling.prompts.0.prompt"."""
        part = path.removeprefix("model.")
        if part.startswith("text_encoder_") and part not in self.text_encoders:
            return False
        if part == "variant" and not self.variant_titles:
            return False
        not_used = self.not_used if self.guidance_embed else (*self.not_used, *GUIDANCE_INPUT)
        not_used = (*not_used, *NOT_OF_FLOWS) if self.is_flow else not_used
        not_used = (*not_used, "output.bundle_words") if "words" in not_used else not_used
        return not any(path == unused or path.startswith(f"{unused}.") for unused in not_used)


def _last_name(source: str) -> str:
    return re.split(r"[/\\]", source.rstrip("/\\"))[-1]


def component_label(name: str) -> str:
    """A component in a sentence: "the denoiser", "text encoder 1"."""
    return f"the {name}" if name == "denoiser" else name.replace("_", " ")
