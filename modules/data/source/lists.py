"""A list of images as a source: the images are files, of which a JSON, CSV or Parquet file tells the captions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from modules.data.source.folders import CONDITION, KINDS, MASK, FolderSource
from modules.data.source.source import CaptionFile, DataFile, Entry, Listing
from modules.data.source.table_file import READERS, Row, captions_of, image_of, rows_of
from modules.errors import UserError, system_error
from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import CaptionSource
from modules.sentences.problem import Problem, problem
from modules.system.sorting import natural_key
from modules.system.stamps import NO_STAMP, Stamp

MASKS, CONDITIONS = ("mask", "mask_path"), ("condition", "conditioning_image")
FILES_OF_CAPTIONS = (".txt", ".caption")  # endings that name no column


@dataclass(frozen=True)
class ListSource:
    """Keys are the images' paths in the folder of the list, or whole paths of those that lie elsewhere."""

    file: Path
    concept: Concept
    number: int = 0

    def __hash__(self) -> int:
        return hash(self.file)

    @property
    def title(self) -> str:
        return self.file.stem

    @property
    def place(self) -> str:
        return str(self.file)

    @property
    def folder(self) -> Path:
        return self.file.parent

    @cached_property
    def _files(self) -> FolderSource:
        return FolderSource(self.folder, self.concept, self.number)

    def open(self, key: str) -> BinaryIO:
        return self._files.open(key)

    def head(self, key: str, count: int) -> bytes:
        return self._files.head(key, count)

    def length(self, key: str) -> int:
        return self._files.length(key)

    def stamp(self, key: str) -> Stamp:
        return self._files.stamp(key)

    def archives(self) -> tuple[Stamp, ...]:
        return ()

    def caption_keys(self, key: str) -> tuple[str, ...]:
        return ()

    def address(self, key: str) -> str:
        return self._files.address(key)  # of a whole path, just that

    def path(self, key: str) -> Path:
        return self._files.path(key)

    def state(self) -> str:
        return ""

    def listing(self) -> Listing:
        """Naturally sorted. Several rows of one image give it several captions."""
        try:
            listed = rows_of(self.file)
        except OSError as error:
            raise system_error(error) or error from error
        found: dict[str, _Listed] = {}
        bad = [(self._row_name(number), why) for number, why in listed.bad]
        for number, row in listed.rows:
            key = self._key(image_of(row))
            if isinstance(key, Problem):
                bad.append((self._row_name(number), key))
            else:
                found.setdefault(key, _Listed()).add(row, self.concept.caption_files)
        entries = [self._entry(key, found[key]) for key in sorted(found, key=natural_key)]
        if not entries:
            raise self._empty(bad)
        return Listing(entries, bad, [], [])

    def _row_name(self, number: int) -> str:
        return f"{self.file}:{number}"

    def _empty(self, bad: list[tuple[str, Problem]]) -> UserError:
        first = [problem("concept.first", file=Path(place).name, reason=why) for place, why in bad[:1]]
        title, why = self.concept.name or self.title, problem("concept.no-rows", file=str(self.file))
        return UserError("concept.empty", title=title, why=why, first=first, kinds=list(KINDS))

    def _key(self, name: str) -> str | Problem:
        """The key of an image that a row names, or why there is none."""
        if not name:
            return Problem("reason.row-without-image")
        if PureWindowsPath(name).drive.startswith("\\"):
            return Problem("reason.other-machine")
        path = PurePosixPath(name.replace("\\", "/"))
        folder = PurePosixPath(self.folder.as_posix())
        key = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
        if key.lower().endswith(KINDS):
            return key
        # kohya's older lists leave the ending away
        return next((f"{key}{kind}" for kind in KINDS if self.stamp(f"{key}{kind}") != NO_STAMP), key)

    def _entry(self, key: str, listed: _Listed) -> Entry:
        stem = key.rpartition(".")[0]
        captions: list[CaptionFile | tuple[str, ...]] = []
        for number, source in enumerate(self.concept.caption_files):
            text = DataFile(self, f"{stem}{source.ending}")
            lines = tuple(listed.captions[number])
            captions.append(lines or CaptionFile(text, text.stamp(), source.key))
        beside = zip(listed.beside, (MASK, CONDITION), strict=True)
        mask, condition = (self._beside(named, ending, stem) for named, ending in beside)
        return Entry(DataFile(self, key), self.stamp(key), tuple(captions), mask, condition)

    def _beside(self, named: str, ending: str, stem: str) -> str:
        """The mask that a row names, or that lies beside the image; "" where there is none."""
        key = self._key(named) if named else f"{stem}{ending}"
        return key if isinstance(key, str) and self.stamp(key) != NO_STAMP else ""


@dataclass
class _Listed:
    """What the rows of one image say: of each caption file the alternatives, and its mask and condition."""

    captions: dict[int, dict[str, None]] = field(default_factory=dict)
    beside: tuple[str, str] = ("", "")

    def add(self, row: Row, sources: tuple[CaptionSource, ...]) -> None:
        for number, source in enumerate(sources):
            self.captions.setdefault(number, {}).update(dict.fromkeys(captions_of(row, column_of(source))))
        mask, condition = (_first_text(row, names) for names in (MASKS, CONDITIONS))
        self.beside = mask or self.beside[0], condition or self.beside[1]


def column_of(source: CaptionSource) -> str:
    """The column that a caption file stands for: ".tags" is the column "tags"; "" is the usual one."""
    return source.key or ("" if source.ending.lower() in FILES_OF_CAPTIONS else source.ending[1:])


def _first_text(row: Row, names: tuple[str, ...]) -> str:
    return next((value for name in names if isinstance(value := row.get(name), str)), "")


def list_at(path: Path, concept: Concept, number: int) -> ListSource | None:
    """The source of a list of images; None if this is none."""
    return ListSource(path, concept, number) if path.suffix.lower() in READERS and path.is_file() else None
