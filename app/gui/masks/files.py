"""The images of concepts and the masks that lie beside them: read, written, and put back, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.gui.session.worker import Report, Stop
from modules.data.image.mask_files import maker_of, mask_of
from modules.data.source.kinds import source_of
from modules.data.source.source import DataFile, Entry
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from modules.system.bundled import ROOT
from modules.system.files import staged_file
from modules.system.stamps import NO_STAMP

BUNDLED = ROOT / "resources"
PAINTED, MADE, NONE = "painted", "made", "none"


@dataclass(frozen=True)
class MaskedImage:
    """An image and its mask, or where one would lie."""

    concept: int
    image: DataFile
    mask: DataFile
    state: str  # PAINTED, MADE or NONE
    place: str  # of the mask, in words: a.png and a.jpg share one

    @property
    def name(self) -> str:
        return self.image.key

    def refusal(self) -> UserError | None:
        """Why no mask can be written for it."""
        path = self.mask.path if self.image.path else None
        if path is None:
            return UserError("mask.packed", source=self.image.source.place)
        if path.is_relative_to(BUNDLED):
            return UserError("masks.bundled")
        return None if path.suffix.lower() == ".png" else UserError("masks.not-png", file=path.name)


def read_images(concepts: Sequence[Concept], report: Report, stop: Stop) -> list[MaskedImage]:
    """The images of all concepts, each once. Concepts whose folder cannot be read are left out."""
    entries: dict[str, tuple[int, Entry]] = {}
    for number, concept in enumerate(concepts):
        try:
            listed = source_of(concept, number).listing().entries
        except UserError:
            continue  # the page Concepts says what is wrong with it
        for entry in listed:
            entries.setdefault(str(entry.file), (number, entry))
    found: list[MaskedImage] = []
    for number, entry in entries.values():
        if len(found) % 100 == 0:
            if stop():
                break
            report(len(found), len(entries))
        found.append(_read(number, entry))
    return found


def _read(concept: int, entry: Entry) -> MaskedImage:
    mask = mask_of(entry)
    return MaskedImage(concept, entry.file, mask, state_of(mask) if entry.mask else NONE, str(mask))


def state_of(mask: DataFile) -> str:
    """Whether a person or a model made a mask, or nobody."""
    if mask.stamp() == NO_STAMP:
        return NONE
    return PAINTED if maker_of(mask) is None else MADE


def put_bytes(path: Path, data: bytes | None) -> None:
    """Have a file hold these bytes, as a whole or not at all; None: there is no such file.

    Raises:
        UserError: it cannot be written.
    """
    try:
        if data is None:
            path.unlink(missing_ok=True)
        else:
            with staged_file(path) as draft:
                draft.write_bytes(data)
    except OSError as error:
        raise UserError("masks.not-written", file=path, reason=error.strerror or str(error)) from error
