"""Fingerprints of a part's weights, remembered by the files they were taken from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from modules.system.files import write_text
from modules.system.weights import Weights, bytes_of


class Prints:
    """Hashes weights under our names, so that a VAE has one print in a folder and in a single file."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, part: str, weights: Weights, settings: Mapping[str, object], memo: Path | None) -> str:
        """A hex digest of the weights and of the settings that change what they say."""
        weights_print = self._weights(part, weights, memo)
        told = json.dumps({**settings, "weights": weights_print}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def _weights(self, part: str, weights: Weights, memo: Path | None) -> str:
        key = f"{part}: {_stand(weights)}"
        if key in self._known:
            return self._known[key]
        kept = None if memo is None else memo / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        if kept is not None and (found := _remembered(kept, key)):
            self._known[key] = found
            return found
        self._known[key] = _digest(weights)
        with suppress(OSError):  # a full disk: the weights are read once more, the next time
            if kept is not None:
                write_text(kept, json.dumps({"of": key, "sha256": self._known[key]}))
        return self._known[key]


def _stand(weights: Weights) -> str:
    """What changes whenever a file is replaced or written to: several GB are not read again to find that out."""
    stats = [(str(path.resolve()), path.stat()) for path in weights.files]
    return json.dumps([[path, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for path, s in stats])


def _remembered(kept: Path, key: str) -> str | None:
    """The digest in a memo; a torn or foreign one counts as none, and is written anew."""
    try:
        held = json.loads(kept.read_text(encoding="utf-8"))
        return str(held["sha256"]) if held["of"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(weights: Weights) -> str:
    whole = hashlib.sha256()
    for name in sorted(weights.shapes):
        if name.endswith("position_ids"):
            continue
        tensor = weights.read(name).contiguous()
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(bytes_of(tensor))
    return whole.hexdigest()
