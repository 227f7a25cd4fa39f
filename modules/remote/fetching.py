"""The folder of a run that goes on elsewhere, kept as if the run went on here: samples at once, models at the end."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from modules.messages import Message, Started
from modules.remote.link import Link
from modules.remote.stream import Broken
from modules.system.files import flush_to_disk, staged_file
from modules.system.reading import is_inside_name, open_file, read_text
from modules.wire import decode

RECORD = "remote.json"  # in the folder of the run here
STAYS_THERE = ("backups/", ".")  # what a run needs to go on lies where it goes on
STAYS_HERE = ("preset.json", RECORD)  # with the paths of this machine
GROWS = (".jsonl", ".txt")
WRITTEN_ONCE = (".safetensors", ".png")  # a part of one is a part of the whole


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where a run goes on, as its folder here says."""

    address: str
    engines: str  # the folder there where its host is found
    folder: str = ""  # of the run there; "" before it has one

    def write(self, folder: Path) -> None:
        with staged_file(folder / RECORD) as draft:
            draft.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")


def elsewhere(folder: Path) -> Elsewhere | None:
    """What the folder of a run says of where it goes on; None where it is a run of this machine."""
    try:
        return TypeAdapter(Elsewhere).validate_json(read_text(folder / RECORD))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def last_job_in(file: Path) -> list[Message]:
    """What a run's record tells since it was last started or continued."""
    events: list[Message] = []
    with suppress(OSError), open_file(file) as lines:
        for line in lines:
            with suppress(ValueError):
                event = decode(line.decode("utf-8", "replace"))
                if isinstance(event, Started):
                    events.clear()
                events.append(event)
    return events


class RunCopy:
    """Brings files of a run. A name that leads out of the folder is not believed, whoever the other machine is."""

    def __init__(self, link: Link, there: str, here: Path) -> None:
        self._link, self._there, self._here = link, there.rstrip("/"), here
        self._newest = 0  # when the newest file that was brought was written, by the clock there

    def place_of(self, path: str) -> Path | None:
        """Where a file of the run there lies here; None for what is no file of the run."""
        inside = path.removeprefix(f"{self._there}/")
        return self._here / inside if inside != path and is_inside_name(inside) else None

    def bring(self, path: str) -> Path | None:
        """One file of the run, now.

        Raises:
            UserError: it cannot be read there, or written here.
        """
        place = self.place_of(path)
        if place is not None:
            self._link.keep_trying(lambda: self._fetch(path, place))
        return place

    def bring_all(self) -> None:
        """Everything that is new since the last time, but for backups.

        Raises:
            UserError: it cannot be read there, or written here.
        """
        ask = {"do": "list", "folder": self._there, "since": self._newest}
        found = self._link.keep_trying(lambda: self._link.ask(ask))["files"]
        for name, size, written in sorted((str(name), int(size), int(written)) for name, size, written in found):
            if name.startswith(STAYS_THERE) or name in STAYS_HERE or not is_inside_name(name):
                continue
            place = self._here / name
            if PurePosixPath(name).suffix in GROWS or _size(place) != size:
                self._link.keep_trying(lambda name=name, place=place: self._fetch(f"{self._there}/{name}", place))
            self._newest = max(self._newest, written)

    def _fetch(self, path: str, place: Path) -> None:
        """Whole or not at all; what came before the line broke is not asked for again."""
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        with part.open("ab" if place.suffix in WRITTEN_ONCE else "wb") as file:
            header = {"do": "get", "path": path, "offset": file.tell()}
            try:
                self._link.ask_for_bytes(header, file.write)
            except Broken:
                file.flush()
                raise
        flush_to_disk(part)
        part.replace(place)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return -1
