"""Files that belong to an image by their names: captions, masks and whatever else a person keeps beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from modules.data.source.folders import CONDITION, KINDS, MASK
from modules.data.source.pairing import folded

CUTS = re.compile(r"[.\-_ ]")  # what stands between an image's name and the rest of a file's that belongs to it
RECUT = (MASK, CONDITION)  # pictures that are cut as their image is


def files_beside(keys: Iterable[str], images: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """By the key of an image the keys of its files, each with what stands behind the image's name.

    "robot-masklabel.png" and "robot.txt" belong to "robot.png"; "robot-2.txt" does not where there is a "robot-2.png".
    Images that differ in their endings alone have the same files, as in training.
    """
    owners: dict[str, list[str]] = {}
    taken: set[str] = set()
    for image in images:
        owners.setdefault(folded(_without_ending(image)), []).append(image)
        taken.add(image)
    found: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(keys):
        if key in taken or (key.lower().endswith(KINDS) and not key.lower().endswith(RECUT)):
            continue
        folder = len(key) - len(PurePosixPath(key).name)
        for cut in reversed([match.start() for match in CUTS.finditer(key, folder + 1)]):
            if own := owners.get(folded(key[:cut])):
                for image in own:
                    found.setdefault(image, []).append((key, key[cut:]))
                break
    return found


def _without_ending(key: str) -> str:
    return key.rpartition(".")[0] or key
