"""The tokenizer: byte-level pairs as in CLIP, learnt from the captions, so that any text has tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
# How CLIP cuts text: the marks, English endings, runs of letters, single digits, runs of anything else.
PIECES = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def train_tokenizer(lines: Iterable[str], folder: Path, positions: int, size: int = 1998) -> CLIPTokenizer:
    """Learn about `size` tokens from `lines` and write a CLIP tokenizer for `positions` tokens a prompt.

    Besides tokenizer.json the folder holds vocab.json and merges.txt: transformers 5 no longer writes them, and
    other programs want them.
    """
    vocabulary, merges = learn(lines, size)
    folder.mkdir(parents=True, exist_ok=True)
    made = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=positions)
    made.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    rows = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return read_tokenizer(folder)


def read_tokenizer(folder: Path) -> CLIPTokenizer:
    """The tokenizer in a folder."""
    return CLIPTokenizer.from_pretrained(folder)


def learn(lines: Iterable[str], size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte-pair encoding: the tokens with their numbers, and the merges in their order."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner = Tokenizer(models.BPE(end_of_word_suffix=WORD_END))
    learner.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    cut = pre_tokenizers.Split(Regex(PIECES), "removed", invert=True)
    learner.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, end_of_word_suffix=WORD_END, show_progress=False
    )
    learner.train_from_iterator(lines, trainer)
    learnt = json.loads(learner.to_str())["model"]
    vocabulary: dict[str, int] = learnt["vocab"]
    # Every byte also as the end of a word: a letter that no caption ends with must still have a token.
    for letter in [*(f"{letter}{WORD_END}" for letter in alphabet), START, END]:
        vocabulary.setdefault(letter, len(vocabulary))
    return vocabulary, [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in learnt["merges"]]
