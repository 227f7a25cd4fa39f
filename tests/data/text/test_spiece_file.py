"""T5's vocabulary from SentencePiece's file, held against transformers' own T5 tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers.models.t5.tokenization_t5 import T5Tokenizer
from transformers.utils import sentencepiece_model_pb2_new

from modules.data.text.tokenizer import Tokenizer
from modules.errors import UserError

PIECES = [
    ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0), ("\u2581ro", -1.5), ("bot", -1.25),
    *((letter, -4.0) for letter in "abcdefghijklmnopqrstuvwxyz,."),
]  # fmt: skip


def folder_with(folder: Path, content: bytes) -> Path:
    (folder / "spiece.model").write_bytes(content)
    (folder / "special_tokens_map.json").write_text('{"pad_token": "<pad>"}', encoding="utf-8")
    return folder


@pytest.mark.parametrize("text", ["robot", "a  robot,\n a house. ", "", "Robot \u00e9", "<extra_id_0> robot</s>"])
def test_a_text_has_the_ids_of_transformers_tokenizer(tmp_path: Path, text: str) -> None:
    proto: Any = vars(sentencepiece_model_pb2_new)["ModelProto"]()
    for piece, score in PIECES:
        proto.pieces.add(piece=piece, score=score)
    ours = Tokenizer.from_folder(folder_with(tmp_path, proto.SerializeToString()))
    theirs = T5Tokenizer(vocab=[*PIECES, *((f"<extra_id_{n}>", 0.0) for n in range(99, -1, -1))])
    assert ours.bpe.encode(text).ids == theirs(text)["input_ids"]
    assert ours.bpe.token_to_id(ours.padding) == 0 and ours.bpe.get_vocab_size() == len(PIECES) + 100


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_a_damaged_file_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match="damaged"):
        Tokenizer.from_folder(folder_with(tmp_path, content))
