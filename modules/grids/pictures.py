"""Cells and samples as pictures; what is missing or damaged is None."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from modules.system.reading import open_file

UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # of a PNG that is none


def picture_of(path: Path) -> Image.Image | None:
    """The pixels."""
    try:
        with open_file(path) as file, Image.open(file) as image:
            return image.convert("RGB")
    except UNREADABLE:
        return None


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height; reads the header only."""
    try:
        with open_file(path) as file, Image.open(file) as image:
            return image.size
    except UNREADABLE:
        return None


def parameters_of(path: Path) -> str:
    """What an image says of how it was made, in A1111's words; "" for nothing."""
    try:
        with open_file(path) as file, Image.open(file) as image:
            image.load()  # texts may stand behind the pixels
            return str(image.info.get("parameters", ""))
    except UNREADABLE:
        return ""
