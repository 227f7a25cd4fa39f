"""The tab "concepts": folders of images with their captions."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When


class Concept(Section):
    """Concept"""

    path: str = Setting("", "Folder", scope="machine", widget="folder")
    """The folder with the images."""
    name: str = Setting("", "Name", max_length=100)
    """For you: shown on the card and in messages. Empty: the name of the folder."""
    enabled: bool = Setting(True, "Enabled")
    """Off: the concept stays in the list and is not trained."""
    subfolders: bool = Setting(False, "Include sub-folders")
    """Also take the images of folders inside this folder."""
    repeats: float = Setting(1.0, "Repeats", gt=0, le=10_000, unit="times an epoch")
    """How often each image is shown in an epoch. 0.5 shows half of the images in one epoch, the others in the next."""
    samples: int = Setting(0, "Samples", ge=0, unit="images an epoch", level="expert", zero="repeats decide")
    """Show exactly this many images an epoch, whatever the folder holds. 0: repeats decide."""
    loss_weight: float = Setting(1.0, "Loss weight", ge=0, le=100, level="expert")
    """Images of this concept count this much. Usual: 1."""
    captions: Literal["file", "filename", "prompt", "none"] = Setting("file", "Captions from")
    """"file": a .txt beside each image, each line an alternative. "filename": the name of the image. "prompt": one text
    for all images. "none": no caption."""
    prompt: str = Setting("", "Caption for all", widget="lines", when=When("captions", ("prompt",)))
    """The caption of every image of this concept; each line is an alternative."""
    prefix: str = Setting("", "Caption prefix")
    """Put before every caption, as it is: end it with a comma and a space if you want them. A trigger word goes
    here."""
    suffix: str = Setting("", "Caption suffix", level="expert")
    """Put after every caption, as it is."""
    shuffle_tags: bool = Setting(False, "Shuffle tags")
    """Show the tags of a caption in another order each time, so that none is favoured for standing first."""
    tag_separator: str = Setting(
        ",", "Tag separator", min_length=1, max_length=8, level="expert", when=When("shuffle_tags", (True,))
    )
    """What stands between two tags of a caption."""
    keep_tags: int = Setting(0, "Keep first tags", ge=0, unit="tags", when=When("shuffle_tags", (True,)))
    """This many tags stay at the front, in their order. 1 keeps a trigger word first."""
    caption_dropout: float = Setting(0.0, "Caption dropout", ge=0, le=1, level="expert")
    """Share of showings with an empty caption, which keeps guidance working. Usual: 0.05 to 0.1, or 0."""
    flip: bool = Setting(False, "Random flip")
    """Show each image mirrored half of the time. Not for text, logos, or faces with a scar on one side."""
    random_crop: bool = Setting(False, "Random crop", level="expert")
    """Cut at a random place instead of the middle where an image is larger than its bucket."""
    crops: int = Setting(4, "Cached crops", ge=1, le=64, level="expert", when=When("random_crop", (True,)))
    """How many random crops of each image are kept in the cache; every epoch draws one of them."""
