"""Textual inversion (arXiv:2208.01618): teach the text encoders new words, and train nothing but the words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from typing import cast as typed

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.errors import Problems, UserError
from modules.families.family import Family
from modules.formats.embedding import embedding_tensors
from modules.formats.tensors import write_tensors
from modules.methods.method import Export, Group, Method
from modules.preset.method import Embedding, Word
from modules.preset.preset import Preset
from modules.system.devices import DTYPES
from modules.system.seeds import seed_of


class Vocabulary:
    """The word table of a text encoder, with trained rows beyond its end.

    The table stays frozen: it costs neither a gradient nor the optimizer's memory, which for 49,408 words would be more
    than all else that is trained here.
    """

    def __init__(self, table: nn.Embedding) -> None:
        self.table = table
        self.words: list[nn.Parameter] = []  # (vectors, D) each, in the order of their ids
        self.usual_norm = torch.linalg.vector_norm(table.weight, dim=1, dtype=torch.float32).mean()

    def __len__(self) -> int:
        return self.table.num_embeddings

    def forward(self, ids: Tensor) -> Tensor:
        size, weight = len(self), self.table.weight
        known = F.embedding(ids.clamp(max=size - 1), weight)
        rows = torch.cat(list(self.words)).to(weight.dtype)
        # Clamped both ways: ids of the other kind must name some row; `where` throws that answer and its gradient away.
        new = F.embedding((ids - size).clamp(0, len(rows) - 1), rows)
        return torch.where((ids < size)[..., None], known, new)


class TextualInversion(Method):
    """New words, each of some vectors in every text encoder, always held in fp32."""

    def __init__(self, family: Family, preset: Preset) -> None:
        super().__init__(family, preset)
        assert isinstance(preset.method, Embedding)
        self.settings: Embedding = preset.method
        _check_words(self.settings.words)
        self.tables = {name: self._vocabulary(name) for name in family.text_encoders}
        self.words: dict[str, dict[str, nn.Parameter]] = {}  # by token and encoder
        for word in self.settings.words:
            self.words[word.token] = self._learnable(word)
        for table in self.tables.values():
            vars(table.table)["forward"] = table.forward  # hides the method of the class
        family.denoiser.train(preset.training.gradient_checkpointing)  # checkpointing works in training mode only

    def _vocabulary(self, encoder: str) -> Vocabulary:
        module = self.family.part(encoder)
        module.train()
        return Vocabulary(typed("Any", module).get_input_embeddings())

    def _learnable(self, word: Word) -> dict[str, nn.Parameter]:
        for encoder in self.tables:
            if len(self.family.word_ids(encoder, word.token)) == 1:
                raise UserError(
                    f'method.words: the model knows the word "{word.token}" already.',
                    advice=f'Choose a word that does not exist, such as "<{word.token.strip("<>")}-1>".',
                )
        # First, while the tokenizers still know nothing of the new word
        starts = {encoder: self._start(word, encoder) for encoder in self.tables}
        ids = self.family.add_word(word.token, word.vectors)
        found: dict[str, nn.Parameter] = {}
        for encoder, table in self.tables.items():
            first = len(table) + sum(len(p) for p in table.words)
            assert ids[encoder] == list(range(first, first + word.vectors)), "ids must go on where the table ends"
            found[encoder] = nn.Parameter(starts[encoder])
            table.words.append(found[encoder])
        return found

    def _start(self, word: Word, encoder: str) -> Tensor:
        """(vectors, D): the start word's own vectors, or a random word's; no two alike, or they would stay alike."""
        table = self.tables[encoder]
        weight = table.table.weight.detach()
        generator = torch.Generator().manual_seed(seed_of(self.preset.general.seed, "word", word.token, encoder))
        noise = torch.randn(word.vectors, weight.shape[1], generator=generator).to(weight.device)
        if not word.start.strip():
            spread, mean = torch.std_mean(weight.float(), dim=0)
            return self._bounded(mean + noise * spread, table)
        ids = self.family.word_ids(encoder, word.start)
        if not ids:
            raise UserError(f'method.words: the start word "{word.start}" says nothing to the model.')
        rows = weight[torch.tensor(ids, device=weight.device)].float()
        if len(ids) > word.vectors:  # not enough room for all: their middle
            rows = rows.mean(0, keepdim=True)
        repeated = rows[torch.arange(word.vectors, device=rows.device) % len(rows)]
        return self._bounded(repeated + 0.01 * noise * table.usual_norm / weight.shape[1] ** 0.5, table)

    def _bounded(self, rows: Tensor, table: Vocabulary) -> Tensor:
        if not self.settings.keep_norm:
            return rows
        return F.normalize(rows, dim=1) * table.usual_norm

    # Training
    def groups(self) -> list[Group]:
        rate = self.preset.training.learning_rate
        return [
            Group(token, {f"{token}|{encoder}": p for encoder, p in vectors.items()}, rate)
            for token, vectors in self.words.items()
        ]

    @property
    def touched_parts(self) -> set[str]:
        return set(self.tables)

    def after_step(self) -> None:
        if not self.settings.keep_norm:
            return
        with torch.no_grad():
            for table in self.tables.values():
                for rows in table.words:
                    rows.copy_(self._bounded(rows, table))

    # Files
    def exports(self, target: Path) -> list[Export]:
        """A file for each word, in a folder named as the target; one word may also be given a file's name of its own.

        Programs take the trigger word from the name of the file: that is why the folder carries the run's name.
        """
        words = self.settings.words
        if target.suffix == ".safetensors" and len(words) == 1:
            return [Export(target.name, target)]
        folder = target.with_suffix("") if target.suffix == ".safetensors" else target
        return [Export(name, folder / name) for word in words for name in [f"{file_stem(word.token)}.safetensors"]]

    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        dtype = DTYPES[self.preset.output.dtype]
        for export, vectors in zip(self.exports(target), self.words.values(), strict=True):
            tensors = embedding_tensors({name: p.detach() for name, p in vectors.items()}, dtype)
            write_tensors(export.path, tensors, metadata)
            yield export.path


def file_stem(token: str) -> str:
    """The name of a word's file, which other programs take for the word: "<new>" -> "new"."""
    return re.sub("[<>]", "", token)


def _check_words(words: tuple[Word, ...]) -> None:
    problems = [
        f'method.words: "{word.token}" has other characters than letters, digits, < > - and _.'
        for word in words
        if not re.fullmatch(r"[\w<>-]+", word.token) or not file_stem(word.token).strip("-_")
    ]
    stems = [file_stem(word.token).lower() for word in words]  # files and CLIP's tokenizer know no upper case
    problems += [
        f'method.words: "{word.token}" stands there twice, or differs from another only in < > or upper case.'
        for i, word in enumerate(words)
        if stems[i] in stems[:i]
    ]
    if problems:
        raise Problems("The new words cannot be learnt as they are:", problems)
