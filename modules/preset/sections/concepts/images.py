"""How the images of a concept are varied: resolutions, flips, crops, rotation and colours."""

from __future__ import annotations

from modules.preset.setting import Section, Setting
from modules.preset.text.resolutions import ResolutionsText

EFFECTS = ("rotation", "brightness", "contrast", "saturation", "hue")  # each with a setting NAME_fixed


class ImageSettings(Section):
    """Images"""

    resolutions: ResolutionsText = Setting(
        "", "Resolutions", max_length=100, level="expert", aliases="resolution_override"
    )
    """For this concept alone, as in training.resolutions: "768", "512, 768" or "832x1216". Empty: those of the
    training."""
    flip: bool = Setting(
        False,
        "Random flip",
        aliases="flip_aug, random_flip, flip_x, flip_p, mirror, horizontal flip, augmentation, data augmentation",
    )
    """Show each image mirrored half of the time. Not for text, logos, or faces with a scar on one side."""
    flip_always: bool = Setting(False, "Always flip", level="expert", aliases="enable_fixed_flip")
    """Show every image mirrored, each time: for a folder that was scanned the wrong way round."""
    flip_vertical: bool = Setting(False, "Random vertical flip", level="expert", aliases="flip_y")
    """Show each image upside down half of the time. For textures and views from above; hardly for anything else."""
    random_crop: bool = Setting(
        False, "Random crop", level="expert", aliases="enable_crop_jitter, center_crop, crop_style"
    )
    """Cut at a random place instead of the middle where an image is larger than its bucket."""
    rotation: float = Setting(
        0.0, "Random rotation", ge=-45, le=45, unit="degrees", level="expert", zero="none",
        aliases="random_rotate_max_angle, rotate",
    )  # fmt: skip
    """Turn each image by a random angle up to this one, to either side. It is cut a little closer, so that no empty
    corners come in. Usual: 0, or 3 to 10."""
    rotation_fixed: bool = Setting(False, "Fixed rotation", level="expert")
    """Turn by exactly the angle above, each time, counter-clockwise; a negative one clockwise."""
    brightness: float = Setting(
        0.0, "Random brightness", ge=-1, le=1, level="expert", zero="as it is", aliases="color_aug, color jitter"
    )
    """Make images brighter or darker by a random share up to this one. Usual: 0, or 0.05 to 0.2."""
    brightness_fixed: bool = Setting(False, "Fixed brightness", level="expert")
    """Change by exactly the share above, each time; a negative one is darker."""
    contrast: float = Setting(
        0.0, "Random contrast", ge=-1, le=1, level="expert", zero="as it is", aliases="color jitter"
    )
    """Make contrasts stronger or weaker by a random share up to this one. Usual: 0, or 0.05 to 0.2."""
    contrast_fixed: bool = Setting(False, "Fixed contrast", level="expert")
    """Change by exactly the share above, each time; a negative one is weaker."""
    saturation: float = Setting(
        0.0, "Random saturation", ge=-1, le=1, level="expert", zero="as it is", aliases="color jitter"
    )
    """Make colours stronger or paler by a random share up to this one. Usual: 0, or 0.05 to 0.2."""
    saturation_fixed: bool = Setting(False, "Fixed saturation", level="expert")
    """Change by exactly the share above, each time; -1 is grey."""
    hue: float = Setting(
        0.0, "Random hue", ge=-180, le=180, unit="degrees", level="expert", zero="as it is",
        aliases="color_aug, color jitter",
    )  # fmt: skip
    """Shift all colours around the colour wheel by a random angle up to this one. Usual: 0, or 5 to 15. Not where a
    colour belongs to the subject."""
    hue_fixed: bool = Setting(False, "Fixed hue", level="expert")
    """Shift by exactly the angle above, each time."""
    augmented: float = Setting(1.0, "Augmentation probability", ge=0, le=1, level="expert")
    """How likely rotation and colour changes are applied to a variant; the others stay as they are. Usual: 1, or 0.33.
    """
    variants: int = Setting(
        4, "Cached variants", ge=0, le=64, level="expert", zero="encode each time",
        aliases="cache_latents, latent_caching, image_variations, text_variations",
    )  # fmt: skip
    """How many random variants of crop, rotation and colours are cached of each image as latents; every showing picks
    one of them, flips besides. More vary more and fill the cache. 0: no cache for latents: a new variant at each
    showing, which keeps the VAE in memory and takes time at each step."""

    @property
    def augments_colors(self) -> bool:
        """Whether colours change, by chance or always."""
        return any(getattr(self, name) for name in EFFECTS if name != "rotation")

    @property
    def varies(self) -> bool:
        """Whether an image has draws that are too many to be kept: crop, rotation, colours. Flips are few."""
        changed = [name for name in EFFECTS if getattr(self, name)]
        drawn = any(not getattr(self, f"{name}_fixed") for name in changed)
        return self.random_crop or drawn or (bool(changed) and 0 < self.augmented < 1)

    @property
    def live(self) -> bool:
        """Whether images are encoded at each showing, and not cached."""
        return self.varies and not self.variants
