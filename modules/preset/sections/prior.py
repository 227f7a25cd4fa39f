"""Prior preservation: what keeps a model from forgetting what it knew (DreamBooth, arXiv:2208.12242, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from modules.preset.sections.sampling import SAMPLERS
from modules.preset.setting import Section, Setting

if TYPE_CHECKING:
    SamplerName = str
else:
    SamplerName = Literal[*SAMPLERS]


class ClassImages(Section):
    """Generated class images"""

    count: int = Setting(
        0, "Number of class images", ge=0, le=100_000, unit="images", zero="none",
        aliases="num_class_images, generate class images, regularization images",
    )  # fmt: skip
    """The base model makes this many images before training, and they are trained beside yours, so that what they show
    stays as it was. They are made once and kept in the cache. Usual: 100 to 200 for a person or a thing, or 0."""
    prompts: str = Setting("", "Class prompts", widget="lines", aliases="class_prompt, class_caption")
    """The class of what you teach, one prompt a line, used in turn. If your captions say "a photo of sks dog", write "a
    photo of a dog"."""
    use: Literal["class", "prior"] = Setting("class", "Concept type", level="expert")
    """As the types of concepts. "class": trained on as images. "prior": the model is trained towards the base model's
    predictions for them, which costs a quarter more time."""
    negative: str = Setting("", "Negative prompt", level="expert")
    """What the class images should not show."""
    sampler: SamplerName = Setting("ddim", "Sampler", level="expert")
    """The method that removes the noise."""
    steps: int = Setting(30, "Steps", ge=1, le=1000, level="expert")
    """More are finer and slower. Usual: 20 to 50."""
    guidance: float = Setting(5.0, "Guidance scale (CFG)", ge=0, le=100, level="expert")
    """How strictly the prompts are followed. Strong guidance makes the images alike. Usual: 4 to 7."""
    seed: int = Setting(0, "Seed", ge=0, lt=2**63, level="expert")
    """Another seed draws other images."""


class Prior(Section):
    """Prior preservation"""

    weight: float = Setting(
        1.0, "Prior loss weight", ge=0, le=100, aliases="class_data_loss_weight, reg_weight, with_prior_preservation"
    )
    """How much the loss of class and prior images counts beside yours. Usual: 1; 0.5 where what you teach comes through
    too weakly."""
    balance: bool = Setting(True, "Balance with training images", aliases="reg images balance")
    """Shows class and prior images together as often as yours, however many there are. Off: repeats and images per
    epoch of each concept decide."""
    answers: int = Setting(8, "Cached predictions", ge=1, le=1000, unit="for each image", level="expert")
    """A full fine-tune changes the very model whose predictions a "prior" concept is trained towards. This many
    predictions for each image, at different noise levels, are cached before training. Adapters and embeddings need
    none: they are switched off for a moment. Usual: 4 to 16."""
    made: ClassImages = ClassImages()
