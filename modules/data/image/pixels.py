"""From an image file to the pixels of a bucket, as a viewer would show them.

EXIF rotation is applied; transparent parts are white, as most viewers and web pages have them; 16 bits are scaled to
8, never clipped; colours and greys with a profile (CMYK, Display P3, Adobe RGB) become sRGB, transparent or not; of an
animation the first frame is taken.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import ceil

import numpy as np
from PIL import Image, ImageCms, ImageOps

from modules.data.image_errors import UNREADABLE, FloatingPoint, UnusableImage, too_large
from modules.data.source.source import DataFile, reason_of

VERSION = 1  # raise it when the same file would give other pixels: caches are keyed by it
KINDS = {"I;16", "I;16L", "I;16B", "I;16N", "I"}  # 16 bits a pixel, as Pillow spells it


@dataclass(frozen=True, slots=True)
class Crop:
    """How an image is brought to its bucket: resized to cover it, then cut at (top, left)."""

    resized: tuple[int, int]  # height, width
    top: int
    left: int
    bucket: tuple[int, int]  # height, width

    def scale(self, height: int) -> float:
        """How much of its size an image of this height keeps."""
        return self.resized[0] / height


def crop_for(width: int, height: int, bucket: tuple[int, int], place: tuple[float, float] = (0.5, 0.5)) -> Crop:
    """The cut that loses least. `place` says where it lies, down and across: 0 is top and left, 0.5 the middle."""
    scale = max(bucket[0] / height, bucket[1] / width)
    resized = max(bucket[0], round(height * scale)), max(bucket[1], round(width * scale))
    spare = resized[0] - bucket[0], resized[1] - bucket[1]
    # min: a place just under 1 rounds up to one too many
    top, left = (min(room, int(at * (room + 1))) for at, room in zip(place, spare, strict=True))
    return Crop(resized, top, left, bucket)


def size_conditioning(
    width: int, height: int, crop: Crop, *, flip: bool, upside_down: bool = False
) -> tuple[int, int, int, int, int, int]:
    """What SDXL is told of an image: original (height, width), crop (top, left), target (height, width).

    The crop counts pixels of the resized image; of a flipped one it counts from what is now its left side, or its top.
    """
    left = crop.resized[1] - crop.bucket[1] - crop.left if flip else crop.left
    top = crop.resized[0] - crop.bucket[0] - crop.top if upside_down else crop.top
    return height, width, top, left, *crop.bucket


def pixels_of(image: Image.Image, crop: Crop, *, flip: bool) -> np.ndarray:
    """The pixels of a bucket, (H, W, 3) uint8."""
    array = np.asarray(apply_crop(image, crop))
    return np.ascontiguousarray(array[:, ::-1]) if flip else array


def apply_crop(image: Image.Image, crop: Crop, filter: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """What a cut leaves of an image of any size. Resizes and cuts at once: nothing is computed to be thrown away."""
    height, width = crop.bucket
    if (image.height, image.width) == crop.resized:
        return image.crop((crop.left, crop.top, crop.left + width, crop.top + height))
    down, across = image.height / crop.resized[0], image.width / crop.resized[1]
    box = (crop.left * across, crop.top * down, (crop.left + width) * across, (crop.top + height) * down)
    # A gap of 3 averages whole pixels first, which no eye can tell apart and which is much faster.
    return image.resize((width, height), filter, box=box, reducing_gap=3.0)


def open_image(file: DataFile, scale: float = 1.0) -> Image.Image:
    """An image as 8-bit RGB, turned as its EXIF says; transparent parts are white.

    `scale` says what part of its size is wanted: a JPEG is then decoded smaller, but at least twice as large as wanted,
    which is much faster and leaves resizing enough to work with.

    Raises:
        UnusableImage: it is missing, torn, of no known kind, or too large.
    """
    return on_white(open_with_alpha(file, scale))


def on_white(image: Image.Image) -> Image.Image:
    """RGB of RGB or RGBA."""
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")


def open_with_alpha(file: DataFile, scale: float = 1.0) -> Image.Image:
    """As `open_image`, but RGBA where the file has transparent parts.

    Raises:
        UnusableImage: as there.
    """
    try:
        with file.image() as image:
            if reason := too_large(image):
                raise UnusableImage("image.too-large", file, reason)
            if scale < 0.5:
                image.draft(image.mode, (ceil(image.width * scale * 2), ceil(image.height * scale * 2)))
            image.load()
            return _in_8_bits(ImageOps.exif_transpose(image))
    except UNREADABLE as error:
        raise UnusableImage("image.unusable", file, reason_of(file, error)) from error


def _in_8_bits(image: Image.Image) -> Image.Image:
    """RGB or RGBA. Colours become sRGB before anything is laid behind them: a profile says nothing of mixed ones."""
    profile = image.info.get("icc_profile")
    if image.mode in KINDS:
        image = _from_16_bits(image)
    if image.mode == "F":
        raise FloatingPoint
    alpha = None
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif image.mode == "P":
        image = image.convert("RGB")
    image = (_in_srgb(image, profile) if profile else image).convert("RGB")
    if alpha is not None:
        image.putalpha(alpha)
    return image


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, scaled. "I" can hold 32 bits: what needs more than 16 is scaled by as much as it needs."""
    grey = np.asarray(image).astype(np.float64)
    low, high = min(0.0, float(grey.min())), max(65535.0, float(grey.max()))
    scaled = np.rint((grey - low) * (255.0 / (high - low))).astype(np.uint8)
    return Image.fromarray(scaled)


def has_other_profile(image: Image.Image) -> bool:
    """Whether its colours are those of another profile than sRGB, so that they change when it is opened."""
    profile = image.info.get("icc_profile")
    if not profile:
        return False
    try:
        return "srgb" not in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).lower()
    except (ImageCms.PyCMSError, OSError):
        return False  # it is ignored


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours by their profile. One that is broken, or of another kind than the image, is ignored, as viewers do."""
    if image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    return turned if turned is not None else image
