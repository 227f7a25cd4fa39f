"""Fingerprints of a part's weights, remembered by the files they were taken from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from modules.system.read_cache import ReadCache
from modules.system.stamps import ALWAYS, stamp_of
from modules.system.weights import Weights, bytes_of

WEIGHTS = "weights 1"


class Fingerprints:
    """Hashes weights under our names, so that a VAE has one print in a folder and in a single file."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}

    def of(self, component: str, weights: Weights, settings: Mapping[str, object], cache_dir: Path | None) -> str:
        """A hex digest of the weights and of the settings that change what they say."""
        weights_digest = self._weights(component, weights, cache_dir)
        described = json.dumps({**settings, "weights": weights_digest}, sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()

    def _weights(self, component: str, weights: Weights, cache_dir: Path | None) -> str:
        name = f"{component}: {_files_and_stamps(weights)}"
        if name not in self._digests:
            with ReadCache(cache_dir) as cache:
                known = cache.get(WEIGHTS, {name: ALWAYS}).get(name)
                self._digests[name] = known.decode() if known else _digest(weights)
                if not known:
                    cache.put(WEIGHTS, {name: (ALWAYS, self._digests[name].encode())})
        return self._digests[name]


def _files_and_stamps(weights: Weights) -> str:
    """What changes whenever a file is replaced or written to: several GB are not read again to find that out."""
    return json.dumps([[str(path.resolve()), *stamp_of(path.stat())] for path in weights.files])


def _digest(weights: Weights) -> str:
    whole = hashlib.sha256()
    for name in sorted(weights.shapes):
        if name.endswith("position_ids"):
            continue
        tensor = weights.read(name).contiguous()
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(bytes_of(tensor))
    return whole.hexdigest()
