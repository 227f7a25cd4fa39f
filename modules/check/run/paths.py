"""Where a run reads and writes: rights, room, names that cannot work."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from modules.check.context import CheckContext
from modules.check.wording import in_bytes, listed
from modules.data.source.kinds import source_of
from modules.messages import Finding, Fix
from modules.preset.files.naming import RESERVED, run_name
from modules.preset.preset import Preset
from modules.system.bundled import is_bundled
from modules.system.disks import cloud_service, disk_of, free_bytes, write_error
from modules.trainer.run_folder.model_paths import ModelPaths

LONGEST_ON_WINDOWS = 259  # characters of a path, where the system's long paths are off
FORBIDDEN_ON_WINDOWS = r'[<>:"|?*\x00-\x1f]'
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
# The longest names that a run makes inside its folder: a sample with a whole prompt, a backup, records.
LONGEST_INSIDE = (
    f"samples/.000500 - 1 - {'x' * 60}.png.1234567.part",
    "backups/.step-00000500.part/optimizer.pt",
    f"tensorboard/events.out.tfevents.1700000000.{'x' * 15}.1234567.0",
)


@dataclass(frozen=True)
class UsedFolder:
    """A folder that the run uses."""

    title: str
    setting: str
    path: Path
    written: bool


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say. A small file is written where the run will write, and removed again."""
    preset = context.preset
    places = list(used_folders(preset))
    yield from _unwritable(places)
    yield from _inside_concepts(preset)
    yield from _on_network(places)
    yield from _synced(places)
    yield from _in_memory(places)
    yield from _renamed(preset)
    if os.name == "nt":
        yield from names_on_windows(preset, long_paths=_long_paths())


def used_folders(preset: Preset) -> Iterator[UsedFolder]:
    """Every folder that a run reads or writes, once each."""
    general = preset.general
    yield UsedFolder("workspace", "general.workspace", Path(general.workspace), written=True)
    yield UsedFolder("cache", "general.cache", Path(general.cache), written=True)
    if preset.output.path:
        yield UsedFolder("finished model", "output.path", ModelPaths(preset).wanted.parent, written=True)
    model = Path(preset.model.source)
    if not is_bundled(preset.model.source) and model.is_absolute() and model.exists():
        yield UsedFolder("base model", "model.source", model, written=False)
    for number, concept in enumerate(preset.concepts):
        if not concept.enabled or not concept.path or is_bundled(concept.path):
            continue
        source = source_of(concept, number)
        if source.folder is not None:
            title = f'images of "{concept.name or source.title}"'
            yield UsedFolder(title, f"concepts.{number}.path", source.folder, written=False)


# Writing --------------------------------------------------------------------------------------------------------------


def _unwritable(places: list[UsedFolder]) -> Iterator[Finding]:
    told: set[str] = set()
    for place in places:
        error = write_error(place.path) if place.written else None
        # The cache lies in the workspace unless it is said otherwise: one trouble, one finding.
        if error is None or any(f"{place.path}{os.sep}".startswith(f"{path}{os.sep}") for path in told):
            continue
        told.add(str(place.path))
        title, text = _in_words(place, error)
        yield Finding("paths.not-writable", "stop", title, text, place.setting)


def _in_words(place: UsedFolder, error: OSError) -> tuple[str, str]:
    where = f"the {place.title} ({place.path})"
    if error.errno in FULL:
        free = in_bytes(free_bytes(place.path))
        return f"The disk with {where} is full: {free} free.", "Make room there, or choose another folder."
    if error.errno == errno.ELOOP:
        return f"The path of {where} is a link that leads to itself.", "Delete the link, or choose another folder."
    if error.errno == errno.EROFS:
        return f"The disk with {where} can only be read.", "Choose a folder on another disk."
    if error.errno == errno.ENOTDIR:
        return f"Nothing can be written to {where}: {error.filename} is a file.", "Choose another folder."
    if error.errno == errno.ENOENT:
        return f"The path of {where} leads through a link to nowhere.", "Is a drive not connected? Or choose another."
    reason = error.strerror or str(error)
    return f"Nothing can be written to {where}: {reason}.", "Choose another folder, or change its rights."


# One inside the other -------------------------------------------------------------------------------------------------


def _inside_concepts(preset: Preset) -> Iterator[Finding]:
    """Samples that would be trained on: where the run writes pictures into what a concept reads, or has done so."""
    workspace = _real(Path(preset.general.workspace))
    for number, concept in enumerate(preset.concepts):
        if not concept.enabled or not concept.path:
            continue
        source = source_of(concept, number)
        if source.folder is None:
            continue
        folder, setting = _real(source.folder), f"concepts.{number}.path"
        title = concept.name or folder.name
        if concept.subfolders and workspace.is_relative_to(folder):
            yield Finding(
                "paths.workspace-inside-concept",
                "hurt",
                f'The workspace lies inside the concept "{title}", which reads its sub-folders.',
                "The samples of this run would be training images of the next one, and the model would learn from its "
                f"own mistakes. Choose a workspace outside of {folder}, or do not include sub-folders.",
                "general.workspace",
                [Fix("Do not include sub-folders", {f"concepts.{number}.subfolders": False})],
            )
        elif _of_a_run(folder, workspace, concept.subfolders):
            yield Finding(
                "paths.concept-inside-run",
                "hurt",
                f'The concept "{title}" holds samples that a run has drawn.',
                "A model that learns from its own pictures learns its own mistakes. If you want just that, copy the "
                "good ones to a folder of their own.",
                setting,
            )


def _of_a_run(folder: Path, workspace: Path, subfolders: bool) -> bool:
    """Whether a folder of images lies where a run puts its samples, or has such folders inside and reads them."""
    if not folder.is_relative_to(workspace) or folder == workspace:
        return False
    run = workspace / folder.relative_to(workspace).parts[0]
    if not (run / "events.jsonl").exists():
        return False
    return folder.is_relative_to(run / "samples") or (subfolders and folder == run)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


# Disks ----------------------------------------------------------------------------------------------------------------


def _on_network(places: list[UsedFolder]) -> Iterator[Finding]:
    far = [place for place in places if disk_of(place.path).network]
    if far:
        cache = any(place.title == "cache" for place in far)
        yield Finding(
            "paths.network",
            "hurt" if cache else "know",
            f"{_titles(far)} on a network share.",
            "Every step reads the cache, and a share that is gone for a moment pauses the run. Put the cache on a disk "
            "of this machine."
            if cache
            else "Reading and writing take longer there, and a share that is gone for a moment pauses the run.",
            "general.cache" if cache else far[0].setting,
            items=[str(place.path) for place in far],
        )


def _synced(places: list[UsedFolder]) -> Iterator[Finding]:
    for place in places:
        if place.written and (program := cloud_service(place.path)):
            yield Finding(
                "paths.synced",
                "know",
                f"{program} copies the {place.title} to the internet.",
                "Backups and caches are large and change all the time: that takes bandwidth and paid room, and a file "
                "that is being copied may be locked. Choose a folder outside, or pause it while you train.",
                place.setting,
                items=[str(place.path)],
            )
            return


def _in_memory(places: list[UsedFolder]) -> Iterator[Finding]:
    """Disks in memory: gone with the next start of the machine, and they take what the training needs."""
    gone = [place for place in places if place.written and disk_of(place.path).in_memory]
    if gone:
        yield Finding(
            "paths.in-memory",
            "hurt" if any(place.title != "cache" for place in gone) else "know",
            f"{_titles(gone)} in the machine's memory.",
            "What is there takes memory, and is gone when the machine restarts. Choose a folder on a real disk.",
            gone[0].setting,
            items=[str(place.path) for place in gone],
        )


def _titles(places: list[UsedFolder]) -> str:
    return f"The {listed([place.title for place in places])} lie{'s' if len(places) == 1 else ''}"


# Names ----------------------------------------------------------------------------------------------------------------


def _renamed(preset: Preset) -> Iterator[Finding]:
    wanted = (preset.general.name or preset.title).strip()
    name = run_name(preset)
    if wanted and name != wanted:
        yield Finding(
            "paths.renamed",
            "know",
            f'The folder of the run will be called "{name}".',
            f'Not every system allows "{wanted}" as the name of a folder.',
            "general.name",
        )


def names_on_windows(preset: Preset, *, long_paths: bool) -> Iterator[Finding]:
    """Paths that Windows does not take: too long, or with signs and names that it keeps for itself."""
    root = PureWindowsPath(preset.general.workspace) / run_name(preset)
    name = run_name(preset)
    inside = (*LONGEST_INSIDE, f"models/.{name}-step-00000500.safetensors.1234567.part")
    longest = max((str(root / PurePosixPath(path)) for path in inside), key=len)
    if len(longest) > LONGEST_ON_WINDOWS and not long_paths:
        over = len(longest) - LONGEST_ON_WINDOWS
        yield Finding(
            "paths.too-long",
            "stop",
            f"Files of this run would have paths of {len(longest)} characters; Windows allows {LONGEST_ON_WINDOWS}.",
            f"Choose a workspace whose path is {over} characters shorter, such as C:\\train, or a shorter name, or "
            "turn on long paths in Windows.",
            "general.workspace",
            items=[longest],
        )
    if preset.output.path and (piece := _forbidden(PureWindowsPath(preset.output.path))):
        yield Finding(
            "paths.forbidden-name",
            "stop",
            f'Windows does not allow "{piece}" as a name.',
            'Leave out < > : " | ? *, dots and spaces at the end, and names of devices such as CON or NUL.',
            "output.path",
        )


def _forbidden(path: PureWindowsPath) -> str:
    """The first piece of a path that Windows does not take; "" if there is none."""
    pieces = path.parts[1:] if path.anchor else path.parts
    for piece in pieces:
        reserved = piece.partition(".")[0].strip().lower() in RESERVED
        if reserved or re.search(FORBIDDEN_ON_WINDOWS, piece) or piece != piece.rstrip(" ."):
            return piece
    return ""


def _long_paths() -> bool:
    """Whether this Windows allows paths of more than 259 characters."""
    import winreg  # noqa: PLC0415 - there is none elsewhere

    registry: Any = winreg
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(registry.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False
