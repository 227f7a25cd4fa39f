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
from modules.data.source.kinds import source_of
from modules.messages import Finding
from modules.preset.files.naming import RESERVED, run_name
from modules.preset.preset import Preset
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.system.bundled import is_bundled
from modules.system.disks import cloud_service, disk_of, free_bytes, write_error
from modules.trainer.run_folder.model_paths import ModelPaths

LONGEST_ON_WINDOWS = 259  # characters of a path, where the system's long paths are off
FORBIDDEN_ON_WINDOWS = r'[<>:"|?*\x00-\x1f]'
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
VARIANTS = {  # of paths.not-writable
    errno.ELOOP: "link-loop",
    errno.EROFS: "read-only",
    errno.ENOTDIR: "through-a-file",
    errno.ENOENT: "broken-link",
}
# The longest names that a run makes inside its folder: a sample with a whole prompt, a backup, records.
LONGEST_INSIDE = (
    f"samples/.000500 - 1 - {'x' * 60}.png.1234567.part",
    "backups/.step-00000500.part/optimizer.pt",
    f"tensorboard/events.out.tfevents.1700000000.{'x' * 15}.1234567.0",
)


@dataclass(frozen=True)
class UsedFolder:
    """A folder that the run uses."""

    title: Problem
    setting: str
    path: Path
    written: bool

    @property
    def is_cache(self) -> bool:
        return self.setting == "general.cache"


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
    yield UsedFolder(Problem("folder.workspace"), "general.workspace", Path(general.workspace), written=True)
    yield UsedFolder(Problem("folder.cache"), "general.cache", Path(general.cache), written=True)
    if preset.output.path:
        yield UsedFolder(Problem("folder.model"), "output.path", ModelPaths(preset).wanted.parent, written=True)
    model = Path(preset.model.source)
    if not is_bundled(preset.model.source) and model.is_absolute() and model.exists():
        yield UsedFolder(Problem("folder.base"), "model.source", model, written=False)
    for number, concept in enumerate(preset.concepts):
        if not concept.enabled or not concept.path or is_bundled(concept.path):
            continue
        source = source_of(concept, number)
        if source.folder is not None:
            title = problem("folder.concept", name=concept.name or source.title)
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
        values = {
            "place": place.title,
            "folder": str(place.path),
            "free": free_bytes(place.path) if error.errno in FULL else 0,
            "file": str(error.filename),
            "reason": error.strerror or str(error),
        }
        variant = "full" if error.errno in FULL else VARIANTS.get(error.errno or 0)
        code = f"paths.not-writable:{variant}" if variant else "paths.not-writable"
        yield Finding(code, "error", place.setting, values)


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
                "warning",
                "general.workspace",
                {"concept": title, "folder": str(folder)},
                [fix("fix.no-subfolders", {f"concepts.{number}.subfolders": False})],
            )
        elif _of_a_run(folder, workspace, concept.subfolders):
            yield Finding("paths.concept-inside-run", "warning", setting, {"concept": title})


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
        cache = any(place.is_cache for place in far)
        yield Finding(
            "paths.network:cache" if cache else "paths.network",
            "warning" if cache else "info",
            "general.cache" if cache else far[0].setting,
            {"places": [place.title for place in far]},
            items=[str(place.path) for place in far],
        )


def _synced(places: list[UsedFolder]) -> Iterator[Finding]:
    for place in places:
        if place.written and (program := cloud_service(place.path)):
            values = {"program": program, "place": place.title}
            yield Finding("paths.synced", "info", place.setting, values, items=[str(place.path)])
            return


def _in_memory(places: list[UsedFolder]) -> Iterator[Finding]:
    """Disks in memory: gone with the next start of the machine, and they take what the training needs."""
    gone = [place for place in places if place.written and disk_of(place.path).in_memory]
    if gone:
        yield Finding(
            "paths.in-memory",
            "warning" if any(not place.is_cache for place in gone) else "info",
            gone[0].setting,
            {"places": [place.title for place in gone]},
            items=[str(place.path) for place in gone],
        )


# Names ----------------------------------------------------------------------------------------------------------------


def _renamed(preset: Preset) -> Iterator[Finding]:
    wanted = (preset.general.name or preset.title).strip()
    name = run_name(preset)
    if wanted and name != wanted:
        yield Finding("paths.renamed", "info", "general.name", {"name": name, "wanted": wanted})


def names_on_windows(preset: Preset, *, long_paths: bool) -> Iterator[Finding]:
    """Paths that Windows does not take: too long, or with signs and names that it keeps for itself."""
    root = PureWindowsPath(preset.general.workspace) / run_name(preset)
    name = run_name(preset)
    inside = (*LONGEST_INSIDE, f"models/.{name}-step-00000500.safetensors.1234567.part")
    longest = max((str(root / PurePosixPath(path)) for path in inside), key=len)
    if len(longest) > LONGEST_ON_WINDOWS and not long_paths:
        over = len(longest) - LONGEST_ON_WINDOWS
        values = {"length": len(longest), "most": LONGEST_ON_WINDOWS, "over": over}
        yield Finding("paths.too-long", "error", "general.workspace", values, items=[longest])
    if preset.output.path and (piece := _forbidden(PureWindowsPath(preset.output.path))):
        yield Finding("paths.forbidden-name", "error", "output.path", {"name": piece})


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
