"""Where a concept's images are, and how much they count."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting


class Source(Section):
    """Images"""

    path: str = Setting("", "Folder", scope="machine", widget="folder")
    """The folder with the images."""
    name: str = Setting("", "Name", max_length=100)
    """For you: shown on the card and in messages. Empty: the name of the folder."""
    enabled: bool = Setting(True, "Enabled")
    """Off: the concept stays in the list and is not trained."""
    kind: Literal["train", "class", "prior", "validation"] = Setting("train", "Kind")
    """"train": learnt from. "class": pictures of the same kind of thing that keep the model from forgetting it
    (regularisation). "prior": the model is held to what it said before the training. "validation": never learnt from,
    only measured."""
    subfolders: bool = Setting(False, "Include sub-folders")
    """Also take the images of folders inside this folder."""
    repeats: float = Setting(1.0, "Repeats", gt=0, le=10_000, unit="times an epoch")
    """How often each image is shown in an epoch. 0.5 shows half of the images in one epoch, the others in the next."""
    samples: int = Setting(0, "Samples", ge=0, unit="images an epoch", level="expert", zero="repeats decide")
    """Show exactly this many images an epoch, whatever the folder holds. 0: repeats decide."""
    loss_weight: float = Setting(1.0, "Loss weight", ge=0, le=100, level="expert")
    """Images of this concept count this much. Usual: 1."""
