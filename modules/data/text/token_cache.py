"""What counting tokens has cost once: the lengths of captions' chunks, in the read cache."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from modules.system.read_cache import ReadCache
from modules.system.stamps import ALWAYS

TOKENS = "tokens 1"


class TokenCache:
    """The lengths of chunks by caption, as one tokenizer cuts them.

    Args:
        tokenizer: names what cuts captions; a caption is found again only under the same name.
    """

    def __init__(self, cache: ReadCache, tokenizer: str) -> None:
        self._cache, self._tokenizer = cache, tokenizer

    def get(self, captions: Sequence[str]) -> dict[str, list[int]]:
        """The lengths of those captions that were counted before."""
        names = {self._name(caption): caption for caption in captions}
        found = self._cache.get(TOKENS, dict.fromkeys(names, ALWAYS))
        return {names[name]: list(array("H", lengths)) for name, lengths in found.items()}

    def put(self, lengths: Mapping[str, list[int]]) -> None:
        """Keep the lengths of these captions."""
        rows = {self._name(caption): (ALWAYS, array("H", counts).tobytes()) for caption, counts in lengths.items()}
        self._cache.put(TOKENS, rows)

    def _name(self, caption: str) -> str:
        return blake2b(f"{self._tokenizer}\0{caption}".encode(), digest_size=16).hexdigest()
