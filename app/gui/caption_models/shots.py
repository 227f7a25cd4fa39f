"""The images of a concept with their captions, read beside the window, and what a job would write. No widgets."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from app.gui.session.worker import Report, Stop, Worker
from modules.captioning.settings import Settings
from modules.captioning.targets import Text, entries_of, taken
from modules.data.source.source import CaptionFile, DataFile
from modules.preset.paths import Values
from modules.preset.text.caption_sources import of_ending

PREVIEWED = 3
MOST = 2**14  # bytes of a caption that is shown


@dataclass(frozen=True)
class Shot:
    """An image: what its caption says, and which caption files say anything, by extension."""

    file: DataFile
    text: str
    has: frozenset[str]


def settings_of_concept(concept: Values) -> Values:
    """Of the tool, what a concept says."""
    ending = str(concept.get("caption_ending") or ".txt") if concept.get("captions") == "file" else ".txt"
    return {"source": concept["path"], "ending": ending, "subfolders": bool(concept.get("subfolders"))}


def reading(concept: Values) -> Worker[list[Shot]]:
    """Read them; its result may be empty where the concept cannot be read, whose page says why."""
    about = settings_of_concept(concept)

    def work(report: Report, stop: Stop) -> list[Shot]:
        entries = entries_of(about["source"], about["ending"], subfolders=about["subfolders"])
        found: list[Shot] = []
        for done, (file, texts) in enumerate(entries):
            if stop():
                break
            said = {ending: _words(text) for ending, text in texts.items()}
            has = frozenset(ending for ending, words in said.items() if words)
            found.append(Shot(file, said.get(about["ending"], ""), has))
            if done % 100 == 0:
                report(done, len(entries))
        return found

    return Worker(work)


def _words(text: Text) -> str:
    if not isinstance(text, CaptionFile):
        return " ".join(text)
    if of_ending(text.file.suffix or ".txt").ending.lower() == ".json":
        return "{}"
    try:
        with text.file.open() as file:
            return file.read(MOST).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError:
        return "?"


def to_write(shots: Sequence[Shot], settings: Settings) -> int:
    """How many captions a job with these settings writes, if each image gets one."""
    only = set(settings.only)
    chosen = (shot for shot in shots if not only or str(shot.file) in only)
    return sum(len(taken(settings, lambda ending, shot=shot: ending in shot.has)) for shot in chosen)


def to_preview(shots: Sequence[Shot], ending: str) -> list[Shot]:
    """Three of them: the first without a caption, the others from anywhere."""
    first = [shot for shot in shots if ending not in shot.has][:1]
    rest = [shot for shot in _mixed(shots) if shot not in first]
    return first + rest[: PREVIEWED - len(first)]


def other(shots: Sequence[Shot], than: Sequence[Shot]) -> list[Shot]:
    """The next three, as far as there are any."""
    mixed = _mixed(shots)
    last = max((mixed.index(shot) for shot in than), default=-1)
    turned = mixed[last + 1 :] + mixed[: last + 1]
    return [shot for shot in turned if shot not in than][:PREVIEWED] or turned[:PREVIEWED]


def _mixed(shots: Sequence[Shot]) -> list[Shot]:
    """In an order that has nothing to do with their names."""
    return sorted(shots, key=lambda shot: zlib.crc32(shot.file.key.encode()))
