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
    """Class images to make"""

    count: int = Setting(0, "Images", ge=0, le=100_000, unit="images", zero="none")
    """So many images are drawn by the base model before training, and trained beside yours, so that what they show
    stays as it was. They are made once and kept in the cache. Usual: 100 to 200 for a person or a thing, or 0."""
    prompts: str = Setting("", "Prompts", widget="lines")
    """What to draw, one prompt a line, which take turns: the class of what you teach. If your captions say "a photo of
    sks dog", write "a photo of a dog"."""
    use: Literal["class", "prior"] = Setting("class", "Use as", level="expert")
    """As the kinds of concepts. "class": learnt as images. "prior": the model is held to its own answers about them,
    which costs a quarter more time."""
    negative: str = Setting("", "Negative prompt", level="expert")
    """What the images are to keep away from."""
    sampler: SamplerName = Setting("ddim", "Sampler", level="expert")
    """The method that removes the noise."""
    steps: int = Setting(30, "Steps", ge=1, le=1000, level="expert")
    """More are finer and slower. Usual: 20 to 50."""
    guidance: float = Setting(5.0, "Guidance (CFG)", ge=0, le=100, level="expert")
    """How strictly the prompts are followed. Strong guidance makes the images alike. Usual: 4 to 7."""
    seed: int = Setting(0, "Seed", ge=0, lt=2**63, level="expert")
    """Another seed draws other images."""


class Prior(Section):
    """Prior preservation"""

    weight: float = Setting(1.0, "Weight", ge=0, le=100)
    """How much the images of concepts of the kinds "class" and "prior" count beside yours. Usual: 1; 0.5 where what you
    teach comes through too weakly."""
    balance: bool = Setting(True, "Balance")
    """Shows class and prior images together as often as yours, however many there are. Off: repeats and samples of each
    concept decide."""
    answers: int = Setting(8, "Answers to keep", ge=1, le=1000, unit="for each image", level="expert")
    """A full fine-tune changes the very model whose answers a "prior" concept asks for. So many answers for each image,
    to noise of different strength, are kept in the cache before training. Adapters and words need none: they are taken
    off for a moment. Usual: 4 to 16."""
    made: ClassImages = ClassImages()
