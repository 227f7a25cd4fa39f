"""Tokenizers that strangers damaged say so."""

import json
from pathlib import Path

import pytest
from tokenizers import pre_tokenizers
from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

from modules.data.source.file_info import json_caption
from modules.data.text.tokenizer import PromptTokenizer, Tokenizer
from modules.errors import UserError
from modules.system.bundled import resolve


@pytest.mark.parametrize(
    "held", ["", "{}", "[]", '{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}}']
)
def test_a_damaged_tokenizer_is_named(held: str, tmp_path: Path) -> None:
    """A panic of the library is no Exception."""
    (tmp_path / "tokenizer.json").write_text(held)
    with pytest.raises(UserError, match=r"tokenizer\.json is damaged"):
        Tokenizer.from_folder(tmp_path)


def test_a_token_that_the_text_encoder_does_not_know_is_refused_in_words(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_folder(resolve("starter:model") / "tokenizer")
    whole = PromptTokenizer(tokenizer, 12, len(tokenizer.bpe.get_vocab()))
    assert whole.ids("a robot")
    with pytest.raises(UserError, match="its text encoder knows only 300"):
        PromptTokenizer(tokenizer, 12, 300)
    whole._table = max(whole.ids("a")) + 1
    with pytest.raises(UserError, match="They are of different models"):
        whole.ids("robot")


def test_half_a_character_in_a_json_caption_is_named() -> None:
    with pytest.raises(UserError, match='"tags" holds half of a character'):
        json_caption(json.dumps({"tags": ["a", "\ud800"]}), "tags")


def test_qwens_tokenizer_in_the_old_files_reads_as_transformers_reads_it(tmp_path: Path) -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [("t", "h"), ("th", "e"), ("\u0120", "the"), ("1", "2")]  # pieces that are joined, and a space before one
    vocabulary = {word: number for number, word in enumerate([*letters, *map("".join, words)])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("".join(f"{one} {other}\n" for one, other in words), encoding="utf-8")
    marks = {len(vocabulary) + i: mark for i, mark in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>"))}
    added = {str(number): {"content": mark, "special": True} for number, mark in marks.items()}
    config = {"tokenizer_class": "Qwen2Tokenizer", "pad_token": "<|endoftext|>", "added_tokens_decoder": added}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    ours = Tokenizer.from_folder(tmp_path)
    theirs = Qwen2Tokenizer.from_pretrained(str(tmp_path))
    for text in ("<|im_start|>user\nthe  the 12 e\u0301t\u00e9, THE'S\n\n<|im_end|>", "", " \u732b", "a\tb   "):
        assert ours.bpe.encode(text, add_special_tokens=False).ids == theirs(text)["input_ids"], text
    assert ours.padding == "<|endoftext|>"
    added[str(len(vocabulary))]["content"], added[str(len(vocabulary) + 9)] = "<|other|>", {"content": "<|late|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match=r"vocab\.json is damaged"):
        Tokenizer.from_folder(tmp_path)
