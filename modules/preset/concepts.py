"""The tab "concepts": folders of images with their captions.

The settings of a concept are many, so they stand in five files, each adding to the one before: where the images are
(concept_source.py), what is made of their captions (concept_captions.py), of the tags in them (concept_tags.py), of the
pictures (concept_pictures.py), and what masks say (here).
"""

from __future__ import annotations

from typing import Literal

from modules.preset.concept_pictures import EFFECTS, Pictured
from modules.preset.setting import Setting, When

MASKED = ("file", "alpha")
PLAIN = {"flip": False, "flip_vertical": False, "random_crop": False, **dict.fromkeys(EFFECTS, 0.0)}


class Concept(Pictured):
    """Concept"""

    masks: Literal["none", "file", "alpha"] = Setting("none", "Masks")
    """What counts in each image. "file": NAME-masklabel.png beside NAME.jpg, white counts, black hardly. "alpha": the
    image's own transparency. An image without a mask counts as a whole. How much black counts stands in the tab
    training."""
    mask_crop: Literal["no", "keep", "around"] = Setting(
        "no", "Crop by mask", level="expert", when=When("masks", MASKED)
    )
    """"keep": where an image is cut, what the mask shows stays in. "around": cut close around it, so that a small
    subject fills the picture. "no": as without masks."""
    mask_margin: float = Setting(
        0.2, "Margin around the mask", ge=0, le=2, level="expert", when=When("mask_crop", ("around",))
    )
    """How much room is left around, as a share of the masked part's size; with random crop, up to twice as much is
    drawn. Usual: 0.2."""

    def plain(self) -> Concept:
        """The same without any chance in its pictures: for what is to be looked at, not learnt from."""
        return self.model_copy(update=PLAIN)
