"""What a preset names on this machine, sent to the other one: what lies there already, under any name, is not sent."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.data.source.file_hashes import HASHES
from modules.data.source.folders import KINDS
from modules.errors import UserError
from modules.messages import Event, Stage, note
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.sections.concept import IMAGE_FILES, Concept
from modules.preset.setting_info import SettingInfo, settings_of
from modules.remote.link import Link
from modules.remote.stream import CHUNK
from modules.remote.there.store import sha256_of
from modules.sentences.problem import problem
from modules.system.bundled import is_bundled
from modules.system.read_cache import ReadCache
from modules.system.reading import open_file
from modules.system.stamps import stamp_of

WIDGETS = ("file", "folder", "images", "model")  # of settings that hold a path
OF_THIS_MACHINE = ("general.workspace", "general.cache")
LISTS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")  # name images that lie beside them
AT_ONCE = 2000  # files in one question

MB = 1 << 20
Tell = Callable[[Event], object]


@dataclass(frozen=True, slots=True)
class Upload:
    """A setting that names something on this machine: the folder that is sent for it, and what of that is meant."""

    setting: str  # "concepts.0.path"
    folder: Path
    files: tuple[str, ...]  # relative, with "/"
    inside: str  # the file that the setting names; "" for the folder

    @property
    def name(self) -> str:
        """Of the folder there: the same each time, so that a run that goes on finds its images where they were."""
        plain = re.sub(r"[^\w -]", "", self.folder.name, flags=re.ASCII).strip()[:40] or "files"
        of = self.folder / self.inside  # two files of one folder are sent as two folders
        return f"{plain}-{hashlib.sha256(str(of).encode()).hexdigest()[:12]}"


def uploads(values: Values) -> list[Upload]:
    """Everything that has to be there. Names of a hub and what ships with Seachange mean the same there."""
    found: list[Upload] = []
    for path in dict.fromkeys(_named(values)):  # methods share settings
        text = str(get(values, path) or "")
        place = Path(text).expanduser()
        if text and not is_bundled(text) and place.exists():
            found.append(_upload(path, place.absolute(), _endings(values, path)))
    return found


def sent(link: Link, values: Values, wanted: Sequence[Upload], cache: Path, tell: Tell) -> Values:
    """Send what is lacking, and give the settings with the paths of the other machine.

    Args:
        cache: a folder of this machine, where the hashes of files are remembered.
        tell: told how much is sent, and how far that is.

    Raises:
        UserError: a file cannot be read, or the other machine cannot be reached any more or has no room.
    """
    hashes = _hashes(wanted, cache)
    places = {sha: path for path, (sha, _) in hashes.items()}
    sizes = {sha: size for sha, size in hashes.values()}
    link.keep_trying(lambda: _send_missing(link, sizes, places, tell))
    there = deepcopy(values)
    for upload in wanted:
        files = {name: hashes[upload.folder / name][0] for name in upload.files}
        ask = {"do": "folder", "name": upload.name, "files": files}
        answer = link.keep_trying(lambda ask=ask: link.ask(ask))
        place = "/".join(filter(None, [str(answer["path"]), upload.inside]))
        put(there, upload.setting, place)
    return there


def _send_missing(link: Link, sizes: Mapping[str, int], places: Mapping[str, Path], tell: Tell) -> None:
    lacking: list[tuple[str, int]] = []
    files = list(sizes.items())
    for first in range(0, len(files), AT_ONCE):
        answer = link.ask({"do": "missing", "files": files[first : first + AT_ONCE]})
        lacking += [(str(sha), int(have)) for sha, have in answer["missing"]]
    total, done = sum(sizes[sha] - have for sha, have in lacking), 0
    if total > link.machine.free:
        raise UserError("remote.no-room", address=str(link.address), size=total, free=link.machine.free)
    if lacking:
        tell(note(problem("remote.sends", count=len(lacking), size=total, address=str(link.address))))
    for sha, have in lacking:
        _send(link, places[sha], sha, sizes[sha], have)
        done += sizes[sha] - have
        tell(Stage("stage.sending", done // MB, max(1, total // MB)))


def _send(link: Link, path: Path, sha: str, size: int, have: int) -> None:
    header = {"do": "put", "sha": sha, "size": size, "offset": have, "bytes": size - have}
    with open_file(path) as file:
        file.seek(have)
        whole = link.ask(header, _pieces(file, size - have, path))["whole"]
    if not whole:  # written to while it was sent, or what lay there was torn
        raise UserError("remote.changed", file=path)


def _pieces(file: Any, size: int, path: Path) -> Iterator[bytes]:
    while size:
        piece = file.read(min(size, CHUNK))
        if not piece:
            raise UserError("remote.changed", file=path)
        size -= len(piece)
        yield piece


def _hashes(wanted: Sequence[Upload], cache: Path) -> dict[Path, tuple[str, int]]:
    """sha256 and size of each file; those that did not change since are not read."""
    stamps = {place: stamp_of(place.stat()) for upload in wanted for place in _places(upload)}
    known = ReadCache(cache)
    try:
        kept = known.get(HASHES, {str(place): stamp for place, stamp in stamps.items()})
        new = {str(place): sha256_of(place) for place in stamps if str(place) not in kept}
        rows = {str(place): (stamps[place], new[str(place)].encode()) for place in stamps if str(place) in new}
        known.put(HASHES, {name: row for name, row in rows.items() if not row[0].is_fresh()})
    finally:
        known.close()
    digests = {**{name: value.decode() for name, value in kept.items()}, **new}
    return {place: (digests[str(place)], stamp.size) for place, stamp in stamps.items()}


def _places(upload: Upload) -> list[Path]:
    return [upload.folder / name for name in upload.files]


def _endings(values: Values, setting: str) -> tuple[str, ...]:
    """What the files of a concept end with: a list in a folder of other things takes nothing else along. (): any."""
    above, _, name = setting.rpartition(".")
    if not above.startswith("concepts.") or name != "path":
        return ()
    concept = Concept.model_validate(get(values, above))
    return (*KINDS, *IMAGE_FILES, *(source.ending.lower() for source in concept.caption_files))


def _upload(setting: str, place: Path, endings: tuple[str, ...]) -> Upload:
    if place.is_dir():
        return Upload(setting, place, tuple(_files_in(place, endings)), "")
    if endings and place.suffix.lower() in LISTS:
        return Upload(setting, place.parent, tuple(_files_in(place.parent, endings)), place.name)
    beside = sorted(each.name for each in place.parent.glob(f"{_glob(place.stem)}.*") if each.is_file())
    return Upload(setting, place.parent, tuple(beside), place.name)


def _files_in(folder: Path, endings: tuple[str, ...]) -> Iterator[str]:
    """All but hidden ones, relative; with one of these endings, if any are given."""
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(above).relative_to(folder)
        shown = (name for name in sorted(files) if not name.startswith("."))
        yield from ((here / name).as_posix() for name in shown if not endings or name.lower().endswith(endings))


def _glob(stem: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", stem)


def _named(values: Values) -> Iterator[str]:
    """The settings that hold paths, as "concepts.0.path"."""
    for setting in settings_of(Preset):
        if setting.path in OF_THIS_MACHINE:
            continue
        if setting.entry is not None:
            for number, _ in enumerate(get(values, setting.path) or ()):
                inner = settings_of(setting.entry, f"{setting.path}.{number}.")
                yield from (each.path for each in inner if _holds_path(each))
        elif _holds_path(setting):
            yield setting.path


def _holds_path(setting: SettingInfo) -> bool:
    return setting.widget in WIDGETS
