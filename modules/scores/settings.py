"""The settings of scoring: which images, which scores, and the model of each."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When
from modules.scores.kinds import CLIP_L, DINO_B, LAION_HEAD, PICKSCORE


class Settings(Section):
    """Score images"""

    source: str = Setting(..., "Images", widget="folder", min_length=1)
    """The folder of a grid, of a run (its samples are scored), or of images. Prompts are read from the images or from
    captions beside them."""
    text: bool = Setting(True, "Text similarity", aliases="clip score")
    """How well an image fits its prompt: the cosine of both. To be compared within one prompt."""
    text_model: str = Setting(CLIP_L, "Text model", widget="model", when=When("text", (True,)))
    """CLIP or SigLIP: a folder, or a name on Hugging Face. Longer prompts than it reads (77 tokens, 64 of SigLIP) are
    cut, and it is said."""
    image: bool = Setting(True, "CLIP image similarity", aliases="clip-i")
    """The mean cosine to the concept's images, in CLIP or SigLIP."""
    image_model: str = Setting(CLIP_L, "Image model", widget="model", when=When("image", (True,)))
    """As above; the same name is opened once."""
    dino: bool = Setting(True, "DINO similarity", aliases="dino score, subject fidelity")
    """The mean cosine to the concept's images, in DINO, which tells subjects apart that CLIP does not."""
    dino_model: str = Setting(DINO_B, "DINO model", widget="model", when=When("dino", (True,)))
    """DINOv2, DINOv3, DINO or another ViT: a folder, or a name on Hugging Face."""
    copies: bool = Setting(True, "Near-copies", aliases="memorization, overfitting")
    """The most similar training image of each, and how many are so close that they count as copies."""
    copies_model: str = Setting(DINO_B, "Near-copies by", widget="model", when=When("copies", (True,)))
    """As for the DINO similarity."""
    copies_from: float = Setting(0.9, "Near-copy from", ge=-1, le=1, when=When("copies", (True,)))
    """The cosine from which an image counts as a near-copy."""
    aesthetic: bool = Setting(False, "Aesthetic score", aliases="LAION aesthetics")
    """What people would give it, from 1 to 10."""
    aesthetic_model: str = Setting(
        CLIP_L, "Aesthetic model", widget="model", level="expert", when=When("aesthetic", (True,))
    )
    """The CLIP that the predictor was made for."""
    aesthetic_head: str = Setting(
        LAION_HEAD, "Aesthetic predictor", widget="model", level="expert", when=When("aesthetic", (True,))
    )
    """A .pth or .safetensors file, or a name on Hugging Face."""
    preference: bool = Setting(False, "Preference score", aliases="PickScore, human preference")
    """Which of several images of a prompt people would prefer. To be compared within one prompt."""
    preference_model: str = Setting(PICKSCORE, "Preference model", widget="model", when=When("preference", (True,)))
    """A CLIP that was trained on choices of people."""
    reference: str = Setting("", "Reference images", widget="folder")
    """A folder. Empty: the images that the run was trained on."""
    references: int = Setting(2000, "Reference images at most", ge=0, level="expert", zero="all")
    """So many are taken, evenly over all of them. A near-copy of one that is left out is not found."""
    batch_size: int = Setting(16, "Batch size", ge=1, le=1024, level="expert", unit="images")
    """How many images a model sees at once."""
    device: Literal["auto", "cpu", "cuda"] = Setting("auto", "Device", level="expert", scope="machine")
    """"auto" takes the graphics card when there is one."""
    offline: bool = Setting(False, "Offline", level="expert", scope="machine")
    """Never asks Hugging Face; models must have been downloaded before."""
    out: str = Setting("", "Folder", widget="folder", level="expert")
    """Where scores.json and scores.csv go. Empty: the folder of the images. What stands there is not computed again."""
