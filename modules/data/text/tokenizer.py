"""From captions to token ids: CLIP's tokenizer, new words, and chunks for captions that are longer than the encoder.

Straight on the `tokenizers` library: transformers' wrapper adds a second of imports and its own ideas of new words.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors

from modules.data.text.prompt_weights import WeightedText, parse_prompt_weights
from modules.data.text.spiece_file import t5_tokenizer
from modules.errors import UserError
from modules.sentences.problem import problem
from modules.system import reading
from modules.text import MB

START, END = "<|startoftext|>", "<|endoftext|>"
MAX_TOKENIZER_BYTES = 200 * MB  # a vocabulary of 256,000 words has 33
COMMA_WINDOW = 20  # tokens from a chunk's end in which a comma is sought, as A1111 does
WORD_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Chunk:
    """As many ids as the encoder has positions: the marks at both ends and padding included."""

    ids: tuple[int, ...]
    weights: tuple[float, ...] = ()  # of each id; () where all weigh 1


@dataclass(frozen=True)
class Tokenizer:
    """A byte pair encoding, and what fills a chunk."""

    bpe: tokenizers.Tokenizer
    padding: str
    where: str  # for messages
    pads_left: bool = False  # whether padding stands before the text

    @classmethod
    def from_folder(cls, folder: Path, vocabulary: Path | None = None) -> Tokenizer:
        """Read tokenizer.json, vocab.json with merges.txt (of another folder, if several share one), or spiece.model.

        Raises:
            UserError: missing or damaged.
        """
        left = _settings(folder).get("padding_side") == "left"
        return cls(_bpe(folder, vocabulary or folder), _padding(folder), str(folder), left)

    @classmethod
    def from_text(cls, text: str, padding: str, where: str) -> Tokenizer:
        """What `text` gave."""
        return cls(_read(lambda: tokenizers.Tokenizer.from_str(text), where), padding, where)

    def text(self) -> str:
        """Everything but the padding, as in tokenizer.json."""
        return self.bpe.to_str()

    def write(self, folder: Path, positions: int) -> None:
        """A diffusers tokenizer folder, in the form of today and in that of older programs."""
        folder.mkdir(parents=True)
        self.bpe.save(str(folder / "tokenizer.json"), pretty=False)
        self.bpe.model.save(str(folder))
        config = {
            "tokenizer_class": "CLIPTokenizer", "bos_token": START, "eos_token": END, "unk_token": END,
            "pad_token": self.padding, "model_max_length": positions,
        }  # fmt: skip
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


Token = tuple[int, float]  # an id and its weight


class PromptTokenizer:
    """What one text encoder reads: ids of captions, new words, chunks.

    Args:
        positions: how many tokens the encoder reads at once, both marks included.
        table: rows of the encoder's embedding table; new words get the ids after it.
        weighted: whether captions hold weights in A1111's notation, unless a call says otherwise.
    """

    def __init__(self, tokenizer: Tokenizer, positions: int, table: int, *, weighted: bool = False) -> None:
        self.tokenizer, self.chunk_size, self.weighted = tokenizer, positions - 2, weighted
        self._bpe = tokenizer.bpe
        self._table = table
        self._added: dict[str, list[int]] = {}
        self.start, self.end = self._id(START), self._id(END)
        self.padding = self._id(tokenizer.padding)
        self._comma_id = self._bpe.encode(",", add_special_tokens=False).ids[-1:]

    def ids(self, text: str) -> list[int]:
        """The ids of a text, without the marks at both ends."""
        if not self._added:
            return self._encoded(text)
        # Longest first: "<cat-2>" must not be read as "<cat" and a rest.
        longest_first = sorted(self._added, key=len, reverse=True)
        found: list[int] = []
        for piece in re.split(
            f"({'|'.join(whole_word_pattern(word) for word in longest_first)})", text, flags=re.IGNORECASE
        ):
            known = self._added.get(piece.lower())
            found += known if known is not None else self._encoded(piece)
        return found

    def _encoded(self, text: str) -> list[int]:
        ids = self._bpe.encode(text, add_special_tokens=False).ids
        if ids and max(ids) >= self._table:
            raise self._beyond_table(max(ids))
        return ids

    def _beyond_table(self, token: int) -> UserError:
        where = self.tokenizer.where
        return UserError(problem("model.token-beyond-table", tokenizer=where, token=token, rows=self._table))

    def is_single_token(self, word: str) -> bool:
        """Whether it is one token already, so that a new meaning would take the old one's place."""
        return word.lower() in self._added or len(self._bpe.encode(word, add_special_tokens=False).ids) < 2

    def add(self, word: str, vectors: int) -> list[int]:
        """Ids for a new word; CLIP reads without regard to case, and so are new words found."""
        first = self._table + sum(len(ids) for ids in self._added.values())
        self._added[word.lower()] = list(range(first, first + vectors))
        return self._added[word.lower()]

    def chunks(self, text: str, at_most: int, *, weighted: bool | None = None) -> list[Chunk]:
        """The text in pieces that fit, cut after a comma where one is near; at least one, and at most so many.

        Weighted text is cut as A1111 cuts it: weights are no tokens, and BREAK begins a new chunk.
        """
        cut = self._pieces(self._tokens(text, self.weighted if weighted is None else weighted), at_most)
        return [self._chunk(piece[: self.chunk_size]) for piece in cut]

    def lengths(self, text: str) -> list[int]:
        """How many tokens each chunk would hold if there could be any number of them; their sum is all tokens."""
        tokens = self._tokens(text, self.weighted)
        return [len(piece) for piece in self._pieces(tokens, sum(map(len, tokens)) + len(tokens))]

    def fingerprint(self) -> str:
        """What changes when the tokenizer reads a caption in another way."""
        return hashlib.sha256(f"{self.tokenizer.padding} {self._bpe.to_str()}".encode()).hexdigest()

    def bpe_hash(self) -> str:
        """The same for two encoders that split every caption alike, whatever they fill their chunks with."""
        return hashlib.sha256(self._bpe.to_str().encode()).hexdigest()

    def _tokens(self, text: str, weighted: bool) -> list[list[Token]]:
        """The tokens between one BREAK and the next."""
        found: list[list[Token]] = [[]]
        for piece in parse_prompt_weights(text) if weighted else [WeightedText(text)]:
            if piece.breaks:
                found.append([])
            found[-1] += [(each, piece.weight) for each in self.ids(piece.text)]
        return found

    def _pieces(self, parts: Sequence[list[Token]], at_most: int) -> list[list[Token]]:
        """All tokens, cut where a chunk is full; the last of `at_most` pieces may be longer than a chunk."""
        cut: list[list[Token]] = []
        for part in parts[:at_most]:
            start = 0
            while len(part) - start > self.chunk_size and len(cut) < at_most - 1:
                end = start + self._cut(part[start : start + self.chunk_size])
                cut.append(part[start:end])
                start = end
            cut.append(part[start:])
        return cut[:at_most]

    def _cut(self, tokens: Sequence[Token]) -> int:
        for end in range(self.chunk_size, self.chunk_size - min(COMMA_WINDOW, self.chunk_size // 3), -1):
            if [tokens[end - 1][0]] == self._comma_id:
                return end
        return self.chunk_size

    def _chunk(self, tokens: list[Token]) -> Chunk:
        filled = (
            self.start,
            *(each for each, _ in tokens),
            self.end,
            *[self.padding] * (self.chunk_size - len(tokens)),
        )
        if all(weight == 1 for _, weight in tokens):
            return Chunk(filled)
        return Chunk(filled, (1.0, *(weight for _, weight in tokens), *[1.0] * (self.chunk_size + 1 - len(tokens))))

    def _id(self, token: str) -> int:
        found = self._bpe.token_to_id(token)
        if found is None:
            raise UserError(problem("model.no-token", tokenizer=self.tokenizer.where, token=token))
        if found >= self._table:
            raise self._beyond_table(found)
        return found


def whole_word_pattern(word: str) -> str:
    """A pattern that finds the word, and not inside a longer one."""
    before, after = (r"(?<!\w)" if word[0].isalnum() else ""), (r"(?!\w)" if word[-1].isalnum() else "")
    return before + re.escape(word) + after


def _bpe(folder: Path, vocabulary: Path) -> tokenizers.Tokenizer:
    whole, vocab, merges = folder / "tokenizer.json", vocabulary / "vocab.json", vocabulary / "merges.txt"
    pieces = folder / "spiece.model"
    for path in (whole, vocab, merges, pieces):
        if path.exists():
            reading.open_file(path, MAX_TOKENIZER_BYTES).close()
    if whole.is_file():
        return _read(lambda: tokenizers.Tokenizer.from_file(str(whole)), str(whole))
    if vocab.is_file() and merges.is_file():
        config = folder / "tokenizer_config.json"
        about = read_json(config) if config.is_file() else {}
        if str(about.get("tokenizer_class")).startswith("Qwen2"):
            return _read(lambda: _qwen(vocab, merges, about), str(vocab))
        return _clip(vocab, merges)
    if pieces.is_file():
        with reading.open_file(pieces, MAX_TOKENIZER_BYTES) as file:
            content = file.read()
        return _read(lambda: t5_tokenizer(content), str(pieces))
    raise UserError("model.no-tokenizer", folder=folder)


def _clip(vocab: Path, merges: Path) -> tokenizers.Tokenizer:
    """CLIP's byte pair encoding, as transformers sets it up."""
    pieces = {"continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": False, "unk_token": END}
    bpe: Any = _read(lambda: models.BPE.from_file(str(vocab), str(merges), **pieces), str(vocab))
    tokenizer = tokenizers.Tokenizer(bpe)
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.add_special_tokens([START, END])
    ends = {token: (token, bpe_id) for token, bpe_id in tokenizer.get_vocab().items() if token in (START, END)}
    tokenizer.post_processor = processors.RobertaProcessing(
        ends[END], ends[START], add_prefix_space=False, trim_offsets=False
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _qwen(vocab: Path, merges: Path, about: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """Qwen2's byte pair encoding, as transformers sets it up. `about`: the tokenizer's config, which has its marks."""
    tokenizer = tokenizers.Tokenizer(models.BPE.from_file(str(vocab), str(merges)))
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(QWEN_PATTERN), behavior="isolated")
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_only])
    tokenizer.decoder = decoders.ByteLevel()
    for number, mark in sorted((int(number), mark) for number, mark in about.get("added_tokens_decoder", {}).items()):
        flags = {name: bool(mark.get(name)) for name in ("special", "normalized", "lstrip", "rstrip", "single_word")}
        tokenizer.add_tokens([tokenizers.AddedToken(mark["content"], **flags)])
        if tokenizer.token_to_id(mark["content"]) != number:
            raise ValueError(mark["content"])
    return tokenizer


def _padding(folder: Path) -> str:
    """What fills a chunk: the end mark, except where the tokenizer says "!" (OpenCLIP pads with id 0)."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            said = read_json(folder / name).get("pad_token")
            if said is not None:
                return str(said["content"] if isinstance(said, dict) else said)
    return END


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    return read_json(path) if path.is_file() else {}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a model's folder.

    Raises:
        UserError: missing, damaged, or no file.
    """
    try:
        held = reading.read_json(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(problem("model.file-missing", file=str(path))) from error
    except ValueError as error:
        raise UserError(problem("model.file-damaged", file=str(path))) from error
    if not isinstance(held, dict):
        raise UserError(problem("model.file-damaged", file=str(path)))
    return cast("dict[str, Any]", held)


def _read(make: Callable[[], Any], where: str) -> Any:
    try:
        return make()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library raises a bare Exception for damaged files; for some, its Rust panics
        raise UserError(problem("model.file-damaged", file=where)) from error
