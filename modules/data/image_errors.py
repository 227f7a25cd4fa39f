"""What goes wrong with files that are no images, or broken ones. Without numpy, for the window to open sooner."""

from __future__ import annotations

import struct
import warnings
import zlib
from importlib import import_module
from importlib.util import find_spec

from PIL import Image, UnidentifiedImageError

from modules.errors import UserError
from modules.sentences.problem import Problem, problem

LIMIT = (
    200_000_000  # pixels of a JPEG, which is decoded at a part of its size; more is a mistake, or made to fill memory
)
LIMIT_WHOLE = 100_000_000  # of the others: decoded and in RGB, so many take more than 1 GB
LONGEST_SIDE = 65_535  # as in a JPEG: 1 x 190,000,000 pixels are a kilobyte that unpacks to gigabytes

# What Pillow may take a file for, whatever its name says. Its other kinds are rare, and one of them (EPS) is a program
# that it hands to Ghostscript to run. JPEG includes MPO, which many phones make.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "TIFF")

# What a plug-in of Pillow's reads, by the ending of a name: its module, and Pillow's name of the format. JPEG XL's is
# under the GPL, so that a user may install it (pillow-jxl-plugin), and this program does not bring it.
PLUGINS = {".heic": ("pi_heif", "HEIF"), ".heif": ("pi_heif", "HEIF"), ".jxl": ("pillow_jxl", "JXL")}
PLUGIN_KINDS = tuple(ending for ending, (module, _) in PLUGINS.items() if find_spec(module))

# Everything that Pillow raises for such files; RuntimeError comes from its AVIF decoder.
UNREADABLE = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError,
    RuntimeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


def too_large(image: Image.Image) -> Problem | None:
    """Why an image that was opened is not decoded; None where it can be."""
    most, size = LIMIT if image.format == "JPEG" else LIMIT_WHOLE, {"width": image.width, "height": image.height}
    if image.width * image.height > most:
        return Problem("reason.pixels", values={**size, "most": most // 10**6})
    return Problem("reason.side", values={**size, "most": LONGEST_SIDE}) if max(image.size) > LONGEST_SIDE else None


def formats_for(suffix: str) -> tuple[str, ...]:
    """What Pillow may take a file of this ending for. A plug-in is loaded when its kind is first met."""
    ending = suffix.lower()
    if ending not in PLUGIN_KINDS:
        return FORMATS
    module, name = PLUGINS[ending]
    plugin = import_module(module)
    if name not in Image.OPEN:
        plugin.register_heif_opener()
    return (*FORMATS, name)


class FloatingPoint(ValueError):
    """Pixels without limits: how bright they are meant to be, nobody says."""


class UnusableImage(UserError):
    """A file that cannot be used as an image or a mask. `reason` says why without its path, for lists of such files."""

    def __init__(self, code: str, file: object, reason: Problem) -> None:
        super().__init__(problem(code, file=str(file), reason=reason))
        self.reason = reason


class MissingImage(Exception):
    """The image of a row is needed and cannot be read any more."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


# Our own limit is checked before anything is decoded. Pillow's would warn at a quarter of it, and means the same.
Image.MAX_IMAGE_PIXELS = None

# Torn EXIF and the like: Pillow warns with a line of its own source, without the name of the file. What it reads all
# the same is used; what it cannot read is an error, and named.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
