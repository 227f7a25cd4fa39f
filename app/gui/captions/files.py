"""Caption files as they lie beside their images: read with every byte kept, written as a whole or not at all."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from modules.data.source.file_info import MAX_CAPTION_BYTES, decode_text
from modules.data.source.kinds import source_of
from modules.data.source.source import CaptionFile, DataFile, Entry
from modules.data.text.captions import without_empty_lines
from modules.errors import UserError
from modules.language import tr
from modules.preset.sections.concept import Concept
from modules.system.files import staged_file

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
    problem: str = ""  # why the file cannot be read as text; it is then not edited
    fixed: str = ""  # why what can be read cannot be changed

    @cached_property
    def text(self) -> str:
        return "" if self.data is None or self.problem else decode_text(self.data).replace("\r\n", "\n")

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

    def with_text(self, text: str) -> bytes:
        """The bytes of another text, in the manner of this file: line ends and byte order mark stay as they are."""
        data = self.data or b""
        text = text.replace("\r\n", "\n")
        if text and not text.endswith("\n") and data.endswith((b"\n", b"\n\0")):
            text += "\n"
        if b"\r\n" in data or b"\r\0\n\0" in data:
            text = text.replace("\n", "\r\n")
        if data.startswith(codecs.BOM_UTF16_LE):
            return codecs.BOM_UTF16_LE + text.encode("utf-16-le")
        if data.startswith(codecs.BOM_UTF16_BE):
            return codecs.BOM_UTF16_BE + text.encode("utf-16-be")
        return codecs.BOM_UTF8 * data.startswith(codecs.BOM_UTF8) + text.encode("utf-8")


def read_captions(
    concepts: Sequence[Concept], report: Report = lambda *_: None, stop: Stop = lambda: False
) -> list[Caption]:
    """The captions of all concepts that take them from files, each file by itself where an image has several.

    Concepts whose folder cannot be read are left out.
    """
    entries: list[tuple[int, Entry]] = []
    for number, concept in enumerate(concepts):
        if concept.caption_files:
            try:
                entries += [(number, entry) for entry in source_of(concept, number).listing().entries]
            except UserError:
                continue  # the page Concepts says what is wrong with it
    found: list[Caption] = []
    for done, (number, entry) in enumerate(entries):
        if stop():
            break
        found += _read(number, entry)
        if done % 100 == 0:
            report(done, len(entries))
    return found


def _read(concept: int, entry: Entry) -> list[Caption]:
    """The caption files of an image; where it has several, each is named by its ending."""
    files = [text.file for text in entry.captions if isinstance(text, CaptionFile)]
    files = list({file.key: file for file in files}.values())  # two fields of one file
    key, stem = entry.file.key, len(entry.file.name.rpartition(".")[0])
    names = [f"{key} · {file.name[stem:]}" if len(files) > 1 else key for file in files]
    found = [_read_file(Caption(concept, entry.file, *pair, None)) for pair in zip(names, files, strict=True)]
    lines = [text for text in entry.captions if not isinstance(text, CaptionFile)]
    return found + [_listed(concept, entry, text) for text in lines]


def _listed(concept: int, entry: Entry, lines: tuple[str, ...]) -> Caption:
    """What a source says itself, without any file."""
    data = "\n".join(lines).encode()
    return Caption(concept, entry.file, entry.file.key, entry.file, data, fixed=_fixed(entry.file))


def _fixed(file: DataFile) -> str:
    return tr("The captions of {file} are not in a file of their own, and cannot be changed here.", file=file)


def _read_file(caption: Caption) -> Caption:
    file = caption.file
    caption = replace(caption, data=bytes_of(file), fixed="" if file.path else _fixed(caption.image))
    if file.suffix.lower() == ".json":
        return replace(caption, problem=tr("{file} is JSON. Edit it in a text editor.", file=file))
    try:
        if caption.data is not None and len(caption.data) > MAX_CAPTION_BYTES:
            return replace(caption, problem=tr("{file} is too large to be a caption.", file=caption.file))
        readable = "\0" not in caption.text
    except UnicodeDecodeError:
        readable = False
    if not readable:
        return replace(
            caption, problem=tr("{file} is not UTF-8 text. Save it as UTF-8 in a text editor.", file=caption.file)
        )
    return caption


def tags_of(line: str) -> list[str]:
    """The tags of one line: what stands between commas."""
    return [tag for tag in (part.strip() for part in line.split(",")) if tag]


def bytes_of(file: DataFile) -> bytes | None:
    """What a file holds; None where there is none."""
    try:
        with file.open() as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def put_bytes(file: DataFile, data: bytes | None) -> None:
    """Make a file on disk hold these bytes, or take it away."""
    path = file.path
    assert path is not None
    if data is None:
        path.unlink(missing_ok=True)
        return
    with staged_file(path) as draft:
        draft.write_bytes(data)
