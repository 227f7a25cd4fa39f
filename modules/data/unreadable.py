"""What goes wrong with files that are no images, or broken ones. Without numpy, for the window to open sooner."""

from __future__ import annotations

import struct
import zlib

from PIL import Image, UnidentifiedImageError

LIMIT = 200_000_000  # pixels of an image; more is a mistake, or a file made to fill memory

# Everything that Pillow raises for such files.
UNREADABLE = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

# Our own limit is checked before anything is decoded. Pillow's would warn at a quarter of it, and means the same.
Image.MAX_IMAGE_PIXELS = None
