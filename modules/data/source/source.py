"""Where images come from: rows with a key that never changes, and their bytes.

Nothing above this protocol opens an image, a mask or a caption by its path: it may lie in an archive, or in no file at
all. A folder (`folders`) is the first kind of source; `kinds` lists all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from PIL import Image, UnidentifiedImageError

from modules.data.image_errors import FloatingPoint, formats_for
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.system.stamps import Stamp


class Source(Protocol):
    """The images of one concept.

    Keys are the same on every machine, with "/" between their parts: random draws and caches hang on them. A source is
    pickled into worker processes, and any thread may ask it: it opens things when it is asked, not when it is made.
    """

    @property
    def title(self) -> str:
        """What a person calls it, where the concept has no name."""
        ...

    @property
    def place(self) -> str:
        """Where it is, in messages."""
        ...

    @property
    def folder(self) -> Path | None:
        """The folder that it reads; None where it reads none."""
        ...

    def listing(self) -> Listing:
        """Everything in it that has to do with images.

        Raises:
            UserError: it cannot be read, or holds no image.
        """
        ...

    def state(self) -> str:
        """What changes whenever `listing` or a file in it does, without going through them; "" where nothing tells.

        Raises:
            OSError: something in it is gone.
        """
        ...

    def archives(self) -> Sequence[Stamp]:
        """The stamps of the files that hold all of it; none where what is under a key has a file of its own."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The bytes under a key, to be read from any place.

        Raises:
            OSError: they are gone, or cannot be read.
        """
        ...

    def head(self, key: str, count: int) -> bytes:
        """So many of the first bytes under a key, or all; nothing where they are no file any more. Raises as `open`."""
        ...

    def length(self, key: str) -> int:
        """How many bytes there are under a key. Raises as `open`."""
        ...

    def stamp(self, key: str) -> Stamp:
        """What changes when the bytes under a key do; NO_STAMP where they are gone."""
        ...

    def caption_keys(self, key: str) -> tuple[str, ...]:
        """Where the captions of an image are, or would be; none where they have no bytes of their own."""
        ...

    def address(self, key: str) -> str:
        """What a key is called in messages and in the read cache: no other source has the same."""
        ...

    def path(self, key: str) -> Path | None:
        """The file on disk that a person may open or change; None where there is no such file."""
        ...


@dataclass(frozen=True, slots=True)
class DataFile:
    """An image, a mask or a caption of a source. As a text it is what a person finds it by."""

    source: Source
    key: str

    def __str__(self) -> str:
        return self.source.address(self.key)

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """As ".png"; "" where there is none."""
        stem, _, ending = self.name.rpartition(".")
        return f".{ending}" if stem and ending else ""

    @property
    def path(self) -> Path | None:
        """The file on disk that a person may open or change."""
        return self.source.path(self.key)

    def open(self) -> BinaryIO:
        """As `Source.open`."""
        return self.source.open(self.key)

    def head(self, count: int) -> bytes:
        """As `Source.head`."""
        return self.source.head(self.key, count)

    def length(self) -> int:
        """As `Source.length`."""
        return self.source.length(self.key)

    def stamp(self) -> Stamp:
        """As `Source.stamp`."""
        return self.source.stamp(self.key)

    @contextmanager
    def image(self) -> Generator[Image.Image]:
        """It as Pillow opens it: nothing is decoded yet.

        Raises:
            UNREADABLE: it cannot be read, or is no image.
        """
        with self.open() as file, Image.open(file, formats=formats_for(self.suffix)) as image:
            yield image

    def sha256(self) -> str:
        """Hex digest of its bytes.

        Raises:
            OSError: it cannot be read.
        """
        with self.open() as file:
            digest = hashlib.sha256()
            while piece := file.read(2**20):
                digest.update(piece)
            return digest.hexdigest()


KNOWN: dict[type[BaseException], str] = {
    FileNotFoundError: "reason.absent", PermissionError: "reason.forbidden", FloatingPoint: "reason.floating-point",
}  # fmt: skip


def reason_of(file: DataFile, error: BaseException) -> Problem:
    """Why Pillow could not read a file."""
    if code := next((code for kind, code in KNOWN.items() if isinstance(error, kind)), ""):
        return Problem(code)
    if not file.stamp().size:
        return Problem("reason.empty")
    if isinstance(error, UnidentifiedImageError):
        return Problem("reason.no-image")
    if "truncated" in str(error).lower():
        return Problem("reason.torn")
    return problem("reason.damaged", error=printable(str(error) or type(error).__name__, line=True))


class CaptionFile(NamedTuple):
    """A file with captions of an image, which may not be there, and what of a JSON file is meant."""

    file: DataFile
    stamp: Stamp
    field: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An image that a source lists, and what it knows of it without opening anything."""

    file: DataFile
    stamp: Stamp
    # In the order of the concept's caption_files: a file to be read, or the lines themselves.
    captions: tuple[CaptionFile | tuple[str, ...], ...]
    mask: str = ""  # key; "" where there is none
    condition: str = ""
    size: tuple[int, int] | None = None  # width and height as a viewer shows it, where the source knows them


Kinds = tuple[tuple[str, int], ...]  # how many files there are with each ending


@dataclass(frozen=True, slots=True)
class Remarks:
    """What lies beside the images of a source and would be left out without a word."""

    near_misses: tuple[tuple[DataFile, str], ...] = ()  # captions and the name that would give them to an image
    not_taken: Kinds = ()  # pictures of kinds that are not read, most first
    nested: tuple[str, ...] = ()  # sub-folders with images, where these are not wanted
    legacy_captions: tuple[DataFile, ...] = ()  # in Windows-1252, by a guess
    kohya_latents: int = 0  # files of kohya's cache, which do not say which VAE made them
    left_out: tuple[tuple[str, int], ...] = ()  # the settings that filter, and how many images each leaves out


class Listing(NamedTuple):
    """What a source holds: images, and what looks like one or like a caption and is none."""

    entries: Sequence[Entry]
    unreadable_images: list[tuple[str, Problem]]  # how a person finds each, and why it cannot be read
    unreadable_captions: list[tuple[str, Problem]]
    orphan_captions: list[str]  # captions that no image stands beside
    remarks: Remarks = Remarks()
