"""T5's vocabulary in SentencePiece's own file, spiece.model, which some models have instead of tokenizer.json.

Set up as transformers sets up its T5Tokenizer; it reads such files only with a library that nothing else here needs.
"""

from __future__ import annotations

from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

EXTRA = [f"<extra_id_{number}>" for number in range(99, -1, -1)]  # T5's, behind the pieces of the file
MARKS = ["<pad>", "</s>", "<unk>"]


def t5_tokenizer(content: bytes) -> tokenizers.Tokenizer:
    """The tokenizer in the bytes of a file; raises what the libraries raise for damaged ones."""
    from transformers.utils import sentencepiece_model_pb2_new  # noqa: PLC0415 - half a second

    proto: Any = sentencepiece_model_pb2_new.ModelProto()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    proto.ParseFromString(content)
    pieces = [(str(piece.piece), float(piece.score)) for piece in proto.pieces]
    if [piece for piece, _ in pieces[: len(MARKS)]] != MARKS:
        raise ValueError("not T5's pieces")
    model: Any = models.Unigram([*pieces, *((mark, 0.0) for mark in EXTRA)], unk_id=MARKS.index("<unk>"))
    tokenizer = tokenizers.Tokenizer(model)
    if table := proto.normalizer_spec.precompiled_charsmap:
        tokenizer.normalizer = normalizers.Precompiled(table)
    words = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), words])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens([*MARKS, *EXTRA])
    end = ("</s>", MARKS.index("</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[end])
    return tokenizer
