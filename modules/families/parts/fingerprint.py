"""Fingerprints of a part's weights, remembered by the files they were taken from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from modules.system.files import write_text
from modules.system.weights import Weights, bytes_of


class Fingerprints:
    """Hashes weights under our names, so that a VAE has one print in a folder and in a single file."""

    def __init__(self) -> None:
        self._without_private_keys: dict[str, str] = {}

    def of(self, component: str, weights: Weights, settings: Mapping[str, object], cache_dir: Path | None) -> str:
        """A hex digest of the weights and of the settings that change what they say."""
        weights_digest = self._weights(component, weights, cache_dir)
        described = json.dumps({**settings, "weights": weights_digest}, sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()

    def _weights(self, component: str, weights: Weights, cache_dir: Path | None) -> str:
        key = f"{component}: {_file_stats(weights)}"
        if key in self._without_private_keys:
            return self._without_private_keys[key]
        cache_file = None if cache_dir is None else cache_dir / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        if cache_file is not None and (found := _cached_digest(cache_file, key)):
            self._without_private_keys[key] = found
            return found
        self._without_private_keys[key] = _digest(weights)
        with suppress(OSError):  # a full disk: the weights are read once more, the next time
            if cache_file is not None:
                write_text(cache_file, json.dumps({"of": key, "sha256": self._without_private_keys[key]}))
        return self._without_private_keys[key]


def _file_stats(weights: Weights) -> str:
    """What changes whenever a file is replaced or written to: several GB are not read again to find that out."""
    stats = [(str(path.resolve()), path.stat()) for path in weights.files]
    return json.dumps([[path, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for path, s in stats])


def _cached_digest(cache_file: Path, key: str) -> str | None:
    """The digest in a memo; a torn or foreign one counts as none, and is written anew."""
    try:
        content = json.loads(cache_file.read_text(encoding="utf-8"))
        return str(content["sha256"]) if content["of"] == key else None
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
