"""Fingerprints of a part's weights, remembered by the files they were taken from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path

from modules.system.read_cache import ReadCache
from modules.system.stamps import ALWAYS, stamp_of
from modules.system.weights import Weights, bytes_of
from modules.text import GB

WEIGHTS = "weights 1"
# What is larger is hashed by several threads, tensor by tensor. It gives other digests: the parts of SD and SDXL that
# caches hang on stay below.
LARGE_BYTES = 4 * GB
AT_ONCE = 4


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
    """Of every byte: a few rows of an embedding table are a difference, too."""
    names = [name for name in sorted(weights.shapes) if not name.endswith("position_ids")]
    whole = hashlib.sha256()
    if sum(prod(weights.shapes[name]) * weights.dtype(name).itemsize for name in names) < LARGE_BYTES:
        for name in names:
            for part in _parts(weights, name):
                whole.update(part)
        return whole.hexdigest()
    with ThreadPoolExecutor(AT_ONCE) as pool:  # hashing lets other threads run
        for digest in pool.map(lambda name: _tensor_digest(weights, name), names):
            whole.update(digest)
    return whole.hexdigest()


def _tensor_digest(weights: Weights, name: str) -> bytes:
    found = hashlib.sha256()
    for part in _parts(weights, name):
        found.update(part)
    return found.digest()


def _parts(weights: Weights, name: str) -> tuple[bytes, memoryview]:
    packed = weights.packed(name)  # of quantized ones: unpacking takes longer than hashing
    tensor = weights.read(name).contiguous() if packed is None else packed
    return f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), bytes_of(tensor)
