"""Caption files as they lie beside their images: read with every byte kept, written as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from modules.data.source.file_info import MAX_CAPTION_BYTES
from modules.data.source.kinds import source_of
from modules.data.source.lists import ListSource
from modules.data.source.source import CaptionFile, DataFile, Entry, Source
from modules.data.source.tables.caption_table import TableSource
from modules.data.text.captions import without_empty_lines
from modules.errors import UserError
from modules.language import tr
from modules.preset.files.text_file import CONTROLS, LEGACY, DecodedText, NotText, decoded, encoded
from modules.preset.sections.concept import Concept
from modules.sentences.problem import as_it_is
from modules.system.bundled import ROOT

BUNDLED = ROOT / "resources"
Report = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Caption:
    """An image and its caption file as it was read. `data` is None where there is no file."""

    concept: int
    image: DataFile
    name: str  # the key of the image; where it has several caption files, with the ending of this one
    file: DataFile
    data: bytes | None
    problem: str = ""  # why it cannot be read: its image is not trained
    fixed: str = ""  # why it cannot be changed here

    @cached_property
    def _decoded(self) -> DecodedText:
        return decoded(self.data or b"")

    @cached_property
    def encoding(self) -> str:
        """How its file is written, as `text_file` calls it; "" where that cannot be told, or there is no file here."""
        return "" if self.problem or self.fixed or not self.data else self._decoded.encoding

    @property
    def legacy(self) -> bool:
        """Whether it was read by a guess, and becomes UTF-8 when it is saved."""
        return self.encoding == LEGACY

    @cached_property
    def text(self) -> str:
        """What it says; nothing where it cannot be read."""
        return "" if self.problem else self._decoded.text.replace("\r\n", "\n")

    @property
    def shown(self) -> str:
        """What is put into the editor: of bytes that are no text, what can be made out, to be corrected."""
        if not self.problem or self.fixed:
            return self.text
        data = self.data or b""
        wide = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
        return data.decode(wide if b"\0" in data else "utf-8", "replace").replace("\r\n", "\n").replace("\0", "")

    @property
    def title(self) -> str:
        """Its name without the folders."""
        return self.name.rpartition("/")[2]

    @cached_property
    def address(self) -> str:
        """Where the file is: two images may share one."""
        return str(self.file)

    @cached_property
    def lines(self) -> list[str]:
        """The alternatives, each one line."""
        return without_empty_lines(self.text)

    @cached_property
    def tags(self) -> list[str]:
        """The tags of all lines, each once."""
        return list(dict.fromkeys(tag for line in self.lines for tag in tags_of(line)))

    @cached_property
    def words(self) -> str:
        """What is searched: the name of the file and the text."""
        return f"{self.name}\n{self.text}".lower()

    @property
    def missing(self) -> bool:
        return not self.problem and not self.lines

    def refusal(self) -> UserError | None:
        """Why it may not be changed. What came with Seachange stays: updates and presets that name it count on it."""
        if self.fixed:
            return UserError(as_it_is(self.fixed))
        path = self.file.path
        if path is None or not path.is_relative_to(BUNDLED):
            return None
        return UserError("captions.bundled")

    def refusal_of_many(self) -> UserError | None:
        """Why a change of many leaves it alone: it is read by a guess, perhaps, which only a person may confirm."""
        if self.problem:
            return UserError(as_it_is(self.problem))
        return UserError("captions.guessed", file=self.file.name) if self.legacy else self.refusal()

    def as_utf8(self, guess: str) -> bytes | None:
        """Its file in plain UTF-8; None where it is that already, or cannot be.

        `guess`: the encoding of a file that does not say its own.
        """
        if self.fixed or not self.data or self.encoding == "utf-8" or self.refusal():
            return None
        if self.encoding not in ("", LEGACY):
            return self._decoded.text.encode()
        with suppress(UnicodeDecodeError):
            text = self.data.decode(guess)
            return None if CONTROLS.search(text) else text.encode()
        return None

    def with_text(self, text: str) -> bytes:
        """The bytes of another text, in the manner of this file: line ends and byte order mark stay as they are."""
        raw, encoding = ("", "utf-8") if self.problem else self._decoded
        text = text.replace("\r\n", "\n")
        if text and not text.endswith("\n") and raw.endswith("\n"):
            text += "\n"
        return encoded(text.replace("\n", "\r\n") if "\r\n" in raw else text, encoding)


def read_captions(
    concepts: Sequence[Concept], report: Report = lambda *_: None, stop: Stop = lambda: False
) -> list[Caption]:
    """The captions of all concepts that take them from files, each file by itself where an image has several.

    Concepts whose folder cannot be read are left out.
    """
    entries: list[tuple[int, Entry]] = []
    tables: dict[int, str] = {}
    for number, concept in enumerate(concepts):
        if concept.caption_files:
            try:
                source = source_of(concept, number)
                entries += [(number, entry) for entry in source.listing().entries]
                tables[number] = _table_of(source)
            except UserError:
                continue  # the page Concepts says what is wrong with it
    found: list[Caption] = []
    for done, (number, entry) in enumerate(entries):
        if stop():
            break
        found += _read(number, entry, tables[number])
        if done % 100 == 0:
            report(done, len(entries))
    return found


def _table_of(source: Source) -> str:
    """The file whose rows are captions; "" where captions are files, or inside one with the images."""
    if isinstance(source, TableSource):
        return str(source.table)
    return source.place if isinstance(source, ListSource) else ""


def _read(concept: int, entry: Entry, table: str) -> list[Caption]:
    """The caption files of an image; where it has several, each is named by its ending."""
    files = {text.file.key: text.file for text in entry.captions if isinstance(text, CaptionFile)}  # each file once
    key, stem = entry.file.key, len(entry.file.name.rpartition(".")[0])
    found = [
        reread(Caption(concept, entry.file, f"{key} · {file.name[stem:]}" if len(files) > 1 else key, file, None))
        for file in files.values()
    ]
    return found + [
        _listed(concept, entry, text, table) for text in entry.captions if not isinstance(text, CaptionFile)
    ]


def _listed(concept: int, entry: Entry, lines: tuple[str, ...], table: str) -> Caption:
    """What a source says itself, without any file."""
    data = "\n".join(lines).encode()
    return Caption(concept, entry.file, entry.file.key, entry.file, data, fixed=_fixed(entry.file, table))


def _fixed(image: DataFile, table: str = "") -> str:
    """Why a caption can be read here and not written, and what can be done."""
    if table:
        return tr("This caption is a row of {table}. Change it there, and press Reload.", table=table)
    return tr(
        "This caption is inside {place}: it can be read here, but not changed. Put the images into a folder, with a "
        "text file beside each, and choose that folder on the page Concepts.",
        place=image.source.place,
    )


def reread(caption: Caption) -> Caption:
    """The same with what its file holds now; one that is in no file of its own as it is."""
    if caption.file == caption.image:  # what a source says itself: there is only the image to be read
        return caption
    try:
        return with_data(caption, bytes_of(caption.file))
    except OSError as error:
        why = tr("{file} cannot be read: {reason}.", file=caption.file, reason=error.strerror or error)
        return _unchangeable(replace(caption, data=None), why)


def with_data(caption: Caption, data: bytes | None) -> Caption:
    """The same with other bytes in its file, and what is wrong with them."""
    file = caption.file
    fixed = "" if file.path else _fixed(caption.image)
    found = Caption(caption.concept, caption.image, caption.name, file, data, fixed=fixed)
    if file.key.lower().endswith(".json"):
        return _unchangeable(found, tr("{file} is JSON. Edit it in a text editor.", file=file))
    if data is not None and len(data) > MAX_CAPTION_BYTES:
        return _unchangeable(found, tr("{file} is too large to be a caption.", file=file))
    try:
        _ = found.text
    except NotText:
        return replace(found, problem=tr("{file} is not text. What you save here replaces it.", file=file.name))
    return found


def _unchangeable(caption: Caption, why: str) -> Caption:
    return replace(caption, problem=why, fixed=caption.fixed or why)


def tags_of(line: str) -> list[str]:
    """The tags of one line: what stands between commas."""
    return [tag for tag in (part.strip() for part in line.split(",")) if tag]


def bytes_of(file: DataFile) -> bytes | None:
    """What a file holds, if that is no more than a caption does; None where there is none."""
    try:
        with file.open() as stream:
            return stream.read(MAX_CAPTION_BYTES + 1)
    except FileNotFoundError:
        return None
