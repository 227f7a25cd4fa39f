"""Everything a run can be told. Add a setting to a section and it appears in the form, the flags and the manual."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modules.catalog import FAMILIES, FamilyCard
from modules.catalog.card import LoraFormat
from modules.preset.optimizers import AdamW, AnyOptimizer
from modules.preset.sections.backup import Backup
from modules.preset.sections.concept import Concept, StreamedConcept
from modules.preset.sections.general import General
from modules.preset.sections.method import AnyMethod, Lora
from modules.preset.sections.model import Model
from modules.preset.sections.objective import Objective
from modules.preset.sections.output import Output
from modules.preset.sections.prior import Prior
from modules.preset.sections.sampling import Sampling
from modules.preset.sections.schedule import Schedule
from modules.preset.sections.training import Training
from modules.preset.sections.validation import Examine, Validation
from modules.preset.sections.words import Word
from modules.preset.setting import ChoiceOfKind, Section, Setting

OPTIMIZER_NAMES = (
    "optimizer_type, use_8bit_adam, use_lion_optimizer, bitsandbytes, DAdaptation, PagedAdamW32bit, "
    "SGDNesterov, AdamWScheduleFree, RAdamScheduleFree, SGDScheduleFree, PRODIGY_PLUS_SCHEDULE_FREE, "
    "schedule free, 8-bit optimizer, D-Adaptation"
)
METHOD_NAMES = (
    "training_method, LoRA_type, peft_type, network_module, network.type, adapter, LyCORIS, "
    "lycoris.kohya, FINE_TUNE, SDXL_FINETUNE, SDXL_LORA, textual inversion, SD_TEXTUAL_INVERSION, "
    "dreambooth, OFT_2, embedding, LoHa, LoKr, training type, finetune, fine-tuning"
)


class Preset(Section):
    """A complete, validated, immutable description of one run."""

    VERSION: ClassVar[int] = 6

    version: Literal[6] = 6
    title: str = Field(default="", max_length=200)
    note: str = Field(default="", max_length=5000)
    general: General = General()
    model: Model = Model()
    concepts: tuple[Concept, ...] = Setting(
        (), "Concepts", max_length=10_000, aliases="datasets, data, training images, subsets, dataset"
    )
    """The folders of images to learn from."""
    prior: Prior = Prior()
    training: Training = Field(default_factory=Training)
    optimizer: Annotated[AnyOptimizer, ChoiceOfKind("Optimizer", aliases=OPTIMIZER_NAMES)] = AdamW()
    """How gradients become updates. AdamW is the safe choice; 8-bit saves memory; Prodigy finds the rate by itself."""
    schedule: Schedule = Schedule()
    objective: Objective = Objective()
    method: Annotated[AnyMethod, ChoiceOfKind("Method", aliases=METHOD_NAMES)] = Lora()
    """A LoRA is a small file beside the model; a full fine-tune changes the model; an embedding (textual inversion) is
    a new word for it."""
    words: tuple[Word, ...] = Setting(
        (), "Embeddings", max_length=100,
        aliases="additional_embeddings, textual inversion, pivotal tuning, TI, embedding",
    )  # fmt: skip
    """Textual inversion: new words to learn. Alone with the method embedding, beside a LoRA or a full fine-tune
    otherwise (pivotal tuning). Each is saved to a file of its own."""
    sampling: Sampling = Sampling()
    validation: Validation = Validation()
    examine: Examine = Examine()
    backup: Backup = Backup()
    output: Output = Output()

    @property
    def card(self) -> FamilyCard:
        return FAMILIES[self.model.family]

    @property
    def model_called(self) -> str:
        """The name that tells what the base model is: its own, or that of the variant which is set."""
        return self.card.called(self.model.source, self.model.variant)

    def other_components(self) -> dict[str, str]:
        """What takes the place of the model's own components, by name: files and folders."""
        model = self.model
        encoders = (model.text_encoder_1, model.text_encoder_2, model.text_encoder_3)
        named = {"vae": model.vae, **dict(zip(self.card.text_encoders, encoders, strict=False))}
        return {name: source for name, source in named.items() if source}

    @property
    def known_prompts(self) -> tuple[str, ...]:
        """What the base model is asked for, to see what of it is forgotten: the preset's prompts or the family's."""
        own = dict.fromkeys(line.strip() for line in self.examine.prompts.splitlines() if line.strip())
        return tuple(own) or self.card.known_prompts(self.model_called)

    @property
    def resolution(self) -> int:
        """Pixels on a side of the square whose area every bucket has."""
        return self.training.resolution or self.card.resolution

    @property
    def saves_folder(self) -> bool:
        """Whether a model is saved as a folder: as asked for, or because its family knows nothing else."""
        asked = self.output.model_format == "folder" or not self.card.uses("output.model_format")
        return self.method.kind == "full" and asked

    @property
    def lora_format(self) -> LoraFormat:
        """The format of an adapter's file. "auto": kohya's for DoRA and what is no LoRA, else what most can read."""
        if self.output.lora_format != "auto":
            return self.output.lora_format
        plain = self.method.kind == "lora" and not getattr(self.method, "dora", False)
        return self.card.lora_formats[0] if plain else "kohya"

    def trained_parts(self) -> Iterator[str]:
        """The parts whose weights or adapters change: "denoiser", "text_encoder_1", ...

        An embedding changes what the text encoders read, but none of their weights.
        """
        if self.method.kind == "embedding":
            return
        yield from (name for name in self.card.trainable if self.training.component(name).train)

    @property
    def kept_answers(self) -> int:
        """How many answers of the base model are kept for each image of a "prior" concept.

        0 where the model can be asked at any time, because what is trained can be taken off it.
        """
        return self.prior.answers if self.method.kind == "full" else 0

    @property
    def loaded_concepts(self) -> tuple[Concept, ...]:
        """The concepts as their images are loaded: from the cache, or encoded at each showing."""
        if self.general.cache_latents:
            return self.concepts
        return tuple(StreamedConcept.model_construct(**dict(concept)) for concept in self.concepts)

    @property
    def caches_texts(self) -> bool:
        """Whether captions are encoded before the first step, as far as they can be listed."""
        return self.general.cache_texts and not self.trains_text

    @property
    def trains_text(self) -> bool:
        """Whether training changes what a text encoder says, so that captions must be read anew at each step."""
        return bool(self.words) or any(part != "denoiser" for part in self.trained_parts())
