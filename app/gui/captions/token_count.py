"""How many tokens a caption has, for the model that is chosen: with that model's own tokenizers, and without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from modules.catalog import FAMILIES
from modules.data.text.tokenizer import Tokenizer
from modules.errors import UserError
from modules.system.bundled import ROOT, resolve
from modules.system.reading import index_of

COMMON = 40_000  # tokens are numbered by how common they are: "robot" is 8,797, "sks" 48,136


def token_counter(family: str, source: str) -> Callable[[str], list[int]]:
    """A function that counts the tokens of a text, once for each text encoder.

    The tokenizers are those of the model's folder; for a single file or a name on the hub CLIP's own, which every
    model of these families was made with.
    """
    return _counter(_tokenizers(family, source))


def known_words(words: Iterable[str], family: str, source: str) -> list[str]:
    """Those that the model has learned as a word: a tokenizer has a token of their own, not one of the rarest."""
    tokenizers = _tokenizers(family, source)

    def known(word: str) -> bool:
        ids = [tokenizer.bpe.encode(word, add_special_tokens=False).ids for tokenizer in tokenizers]
        return any(len(each) == 1 and each[0] < COMMON for each in ids)

    return [word for word in words if known(word)]


def chunk_size(family: str) -> int:
    """How many tokens of a caption the text encoders of this family read at once."""
    return FAMILIES[family].chunk_size


def _counter(tokenizers: list[Tokenizer]) -> Callable[[str], list[int]]:
    def count(text: str) -> list[int]:
        return [len(tokenizer.bpe.encode(text, add_special_tokens=False).ids) for tokenizer in tokenizers]

    return count


def _tokenizers(family: str, source: str) -> list[Tokenizer]:
    folders = [spec.tokenizer for spec in FAMILIES[family].components if spec.reads_text]
    try:
        folder = resolve(source) if source else None
        if folder and index_of(folder):
            return [Tokenizer.from_folder(folder / tokenizer) for tokenizer in folders]
    except UserError:
        return [_clip() for _ in folders]  # the check before the run says what is wrong with the model's own
    return [_clip() for _ in folders]


@cache
def _clip() -> Tokenizer:
    return Tokenizer.from_folder(ROOT / "resources" / "models" / "clip")
