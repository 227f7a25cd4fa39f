"""Tokenizers that strangers damaged say so."""

import json
from pathlib import Path

import pytest

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
    with pytest.raises(ValueError, match='"tags" holds half of a character'):
        json_caption(json.dumps({"tags": ["a", "\ud800"]}), "tags")
