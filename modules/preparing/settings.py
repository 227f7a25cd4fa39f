"""The settings of preparing images. The window reads them and has no torch."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from modules.errors import BadValue
from modules.masking.kinds import FACES
from modules.preset.setting import Section, Setting, When

RATIO = re.compile(r"\s*(\d{1,5})\s*[:/xX\u00d7]\s*(\d{1,5})\s*")
POINT = re.compile(r"(?P<key>.+?)\s*:\s*(?P<across>[01]?\.?\d+)\s+(?P<down>[01]?\.?\d+)")

Pair = tuple[int, int]


def pair_of(text: str) -> Pair:
    """(3, 4) of "3:4", (832, 1216) of "832x1216".

    Raises:
        BadValue: it is something else.
    """
    match = RATIO.fullmatch(text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise BadValue("value.ratio")
    return int(match[1]), int(match[2])


def points_of(text: str) -> dict[str, tuple[float, float]]:
    """Where the focus of images lies, as shares across and down, by their names.

    Raises:
        BadValue: a line says something else.
    """
    found: dict[str, tuple[float, float]] = {}
    for line in filter(str.strip, text.splitlines()):
        match = POINT.fullmatch(line.strip())
        point = (float(match["across"]), float(match["down"])) if match else (2.0, 2.0)
        if match is None or max(point) > 1:
            raise BadValue("value.focus-point", line=line.strip()[:80])
        found[match["key"]] = point
    return found


def _ratio(text: str) -> str:
    pair_of(text)
    return text


def _points(text: str) -> str:
    points_of(text)
    return text


class Settings(Section):
    """Prepare images"""

    source: str = Setting(..., "Images", widget="images", min_length=1, aliases="train_data_dir, input folder")
    """The folder with the images; or an archive or a list of images, as a concept takes them. They stay as they
    are."""
    subfolders: bool = Setting(True, "Include sub-folders")
    """Also take the images of folders inside this folder."""
    out: str = Setting("", "Folder", widget="folder", aliases="output folder")
    """Where the prepared images go, with their captions and masks. Empty: a folder beside the images, named after
    theirs, with "prepared" behind it."""
    replace: bool = Setting(False, "Take the place of the originals", level="expert")
    """The prepared folder gets the name of the old one, which stays beside it with "originals" behind its name. Not
    with a folder of your choice."""
    shape: Literal["keep", "longest", "shortest", "ratio", "size", "bucket"] = Setting(
        "keep", "Size and crop", aliases="resize, birme, aspect ratio, bucketing",
        labels={
            "keep": "As they are", "longest": "Longest side", "shortest": "Shortest side", "ratio": "Crop to a ratio",
            "size": "Crop to a size", "bucket": "Crop to the nearest bucket",
        },
    )  # fmt: skip
    """Training needs none of this: it resizes and crops by itself. It saves room on the disk, and shows what is cut
    off. "Longest side" and "Shortest side" cut nothing off."""
    pixels: int = Setting(
        1024, "Pixels", ge=16, le=16_384, unit="px",
        when=When("shape", ("longest", "shortest", "ratio", "bucket")), aliases="resolution, max_resolution",
    )  # fmt: skip
    """The side that is meant; with a ratio or buckets, the side of a square of the same area."""
    ratio: Annotated[str, AfterValidator(_ratio)] = Setting(
        "1:1", "Ratio", max_length=20, when=When("shape", ("ratio",)), aliases="aspect ratio"
    )
    """Width to height, as 3:4."""
    size: Annotated[str, AfterValidator(_ratio)] = Setting(
        "1024x1024", "Width x height", max_length=20, when=When("shape", ("size",))
    )
    """In pixels, as 832x1216."""
    focus: Literal["centre", "detail", "faces"] = Setting(
        "detail", "Focus of the crop", aliases="smart crop, focal point",
        when=When("shape", ("ratio", "size", "bucket")),
        labels={"centre": "The middle", "detail": "The subject", "faces": "Faces"},
    )  # fmt: skip
    """What the crop keeps in its middle. "The subject": what the image's mask shows, or without a mask where most
    detail is. "Faces": the middle of all that a model finds; without one, the subject."""
    faces_model: str = Setting(
        FACES[0].name, "Faces model", widget="model", level="expert", when=When("focus", ("faces",))
    )
    """YuNet or a YOLO of one kind of thing: a name on Hugging Face, or an .onnx file."""
    points: Annotated[str, AfterValidator(_points)] = Setting(
        "", "Focus by hand", widget="lines", level="expert", max_length=2_000_000,
        when=When("shape", ("ratio", "size", "bucket")),
    )  # fmt: skip
    """A line for each image whose focus you choose yourself: its name, a colon, and how far across and down it lies,
    from 0 to 1: "robot.png: 0.5 0.2". Review sets them as you drag."""
    small: Literal["keep", "enlarge", "leave_out"] = Setting(
        "keep", "Images that are too small", when=When("shape", ("longest", "shortest", "ratio", "size", "bucket")),
        labels={"keep": "Keep their size", "enlarge": "Enlarge", "leave_out": "Leave out"}, aliases="upscale",
    )  # fmt: skip
    """What becomes of images that would have to be enlarged. "Keep their size" crops them all the same."""
    upscaler: str = Setting(
        "", "Upscaler", widget="model", when=When("small", ("enlarge",)), aliases="ESRGAN, Real-ESRGAN, Swin2SR"
    )
    """A model that enlarges: ESRGAN, Real-ESRGAN or one made like them (.pth, .safetensors), or Swin2SR as a folder or
    a name on Hugging Face. Empty: Lanczos, which makes no detail up."""
    smallest: int = Setting(0, "Leave out below", ge=0, le=16_384, unit="px", zero="none", aliases="min_size")
    """Images whose shorter side is below this are left out."""
    copies: Literal["keep", "exact", "near"] = Setting(
        "near", "Duplicates", aliases="dedupe, duplicate images",
        labels={"keep": "Keep all", "exact": "Leave out exact copies", "near": "Leave out near copies"},
    )  # fmt: skip
    """Of images that show the same, the largest is kept. "Near copies" are the same picture in another size or
    compression."""
    aside: str = Setting("", "Leave out by hand", widget="lines", level="expert", max_length=2_000_000)
    """The names of images that are left out, one a line. Review sets them."""
    kept: str = Setting("", "Keep by hand", widget="lines", level="expert", max_length=2_000_000)
    """The names of images that are kept although they are copies or too small, one a line. Review sets them."""
    format: Literal["keep", "png", "jpg", "webp"] = Setting(
        "keep", "File format", labels={"keep": "As it is", "png": "PNG", "jpg": "JPEG", "webp": "WebP"}
    )
    """As it is: files that need no change are copied byte for byte; HEIC and JPEG XL become JPEG, other kinds PNG."""
    quality: int = Setting(95, "Quality", ge=1, le=100, level="expert", aliases="jpeg quality")
    """Of JPEG and WebP. WebP at 100 is lossless."""
    transparency: Literal["white", "keep", "mask"] = Setting(
        "white", "Transparent parts", labels={"white": "White", "keep": "Keep", "mask": "White, and a mask of them"}
    )
    """White is what training sees. "Keep" is for PNG and WebP. A mask says that they do not count; one that is there
    already stays."""
    names: Literal["keep", "number"] = Setting(
        "keep", "File names", labels={"keep": "As they are", "number": "Numbered"}, aliases="rename"
    )
    """Numbered: 0001, 0002 and so on, in the order of today, with captions and masks alike."""
    prefix: str = Setting("", "Begin names with", max_length=100, when=When("names", ("number",)))
    """Stands in front of each number, as "robot-"."""
    device: Literal["auto", "cpu", "cuda"] = Setting("auto", "Device", level="expert", scope="machine")
    """Of the upscaler. "auto" takes the graphics card when there is one."""
    offline: bool = Setting(False, "Offline", level="expert", scope="machine")
    """Never asks Hugging Face; models must have been downloaded before."""
