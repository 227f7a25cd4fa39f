"""Textual inversion (arXiv:2208.01618): teach the text encoders new words. Other methods may train beside it."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from typing import cast as typed

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.errors import Problems, UserError
from modules.families.family import Family
from modules.formats.embedding import bundle_tensors, embedding_tensors, read_embedding
from modules.formats.metadata import word_metadata
from modules.formats.tensors import write_tensors
from modules.methods.method import Export, Group, Method
from modules.preset.preset import Preset
from modules.preset.words import Word
from modules.system.devices import DTYPES
from modules.system.seeds import seed_of


class Vocabulary:
    """The word table of a text encoder, with rows beyond its end.

    The table needs no gradient for them: it costs neither that nor the optimizer's memory, which for 49,408 words would
    be more than all else that an embedding trains.
    """

    def __init__(self, table: nn.Embedding) -> None:
        self.table = table
        self.words: list[nn.Parameter] = []  # (vectors, D) each, in the order of their ids
        self.usual_norm = torch.linalg.vector_norm(table.weight.detach(), dim=1, dtype=torch.float32).mean()

    def __len__(self) -> int:
        return self.table.num_embeddings

    def forward(self, ids: Tensor) -> Tensor:
        size, weight = len(self), self.table.weight
        known = F.embedding(ids.clamp(max=size - 1), weight)
        rows = torch.cat(list(self.words)).to(weight.dtype)
        # Clamped both ways: ids of the other kind must name some row; `where` throws that answer and its gradient away.
        new = F.embedding((ids - size).clamp(0, len(rows) - 1), rows)
        return torch.where((ids < size)[..., None], known, new)


class Vocabularies:
    """The word tables of all text encoders of a family."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.tables = {
            name: Vocabulary(typed("Any", family.part(name)).get_input_embeddings()) for name in family.text_encoders
        }

    def add(self, token: str, rows: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
        """Let captions and prompts hold a word; `rows`: its vectors (n, D) by encoder, as many for each.

        Raises:
            UserError: the model knows the word already.
        """
        vectors = len(next(iter(rows.values())))
        ids = self.family.add_word(token, vectors)
        found: dict[str, nn.Parameter] = {}
        for encoder, table in self.tables.items():
            first = len(table) + sum(len(p) for p in table.words)
            assert ids[encoder] == list(range(first, first + vectors)), "ids must go on where the table ends"
            found[encoder] = nn.Parameter(rows[encoder])
            table.words.append(found[encoder])
            vars(table.table)["forward"] = table.forward  # hides the method of the class
        return found

    def read(self, path: Path) -> dict[str, Tensor]:
        """The vectors of an embedding file, fp32 on the device, by encoder.

        Raises:
            UserError: it is no embedding, or one for another model.
        """
        return self.fitting(read_embedding(path, tuple(self.tables)), path)

    def fitting(self, found: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
        """The same, if they are as wide as this model's own; `path` is for messages."""
        for encoder, rows in found.items():
            width = self.tables[encoder].table.embedding_dim
            if rows.shape[1] != width:
                raise UserError(
                    f"{path.name} holds vectors of {rows.shape[1]} numbers, and this model's have {width}.",
                    advice="Choose an embedding that was made for a model of the same type.",
                )
        return {name: rows.to(self.tables[name].table.weight.device, torch.float32) for name, rows in found.items()}


class TextualInversion(Method):
    """New words, each of some vectors in every text encoder, always held in fp32."""

    has_original = True

    def __init__(self, family: Family, preset: Preset) -> None:
        super().__init__(family, preset)
        _check_words(preset.words)
        for name in family.text_encoders:
            family.part(name).train()
        self.vocabularies = Vocabularies(family)
        self.tables = self.vocabularies.tables
        self.words: dict[str, dict[str, nn.Parameter]] = {}  # by token and encoder
        for word in preset.words:
            self.words[word.token] = self._added(word)
        self.trained = tuple(word for word in preset.words if word.train)
        self._begun = {name: p.detach().clone() for name, p in self.parameters().items()}
        family.denoiser.train(preset.training.gradient_checkpointing)  # checkpointing works in training mode only

    def _added(self, word: Word) -> dict[str, nn.Parameter]:
        for encoder in self.tables:
            if len(self.family.word_ids(encoder, word.token)) == 1:
                raise UserError(
                    f'words: the model knows the word "{word.token}" already.',
                    advice=f'Choose a word that does not exist, such as "<{word.token.strip("<>")}-1>".',
                )
        # First, while the tokenizers still know nothing of the new word
        if word.file:
            starts = self.vocabularies.read(Path(word.file).expanduser())
        else:
            starts = {encoder: self._start(word, encoder) for encoder in self.tables}
        found = self.vocabularies.add(word.token, starts)
        for parameter in found.values():
            parameter.requires_grad_(word.train)
        return found

    def _start(self, word: Word, encoder: str) -> Tensor:
        """(vectors, D): the start word's own vectors, or a random word's; no two alike, or they would stay alike."""
        table = self.tables[encoder]
        weight = table.table.weight.detach()
        generator = torch.Generator().manual_seed(seed_of(self.preset.general.seed, "word", word.token, encoder))
        noise = torch.randn(word.vectors, weight.shape[1], generator=generator).to(weight.device)
        if not word.start.strip():
            spread, mean = torch.std_mean(weight.float(), dim=0)
            return _bounded(mean + noise * spread, table, word)
        ids = self.family.word_ids(encoder, word.start)
        if not ids:
            raise UserError(f'words: the start word "{word.start}" says nothing to the model.')
        rows = weight[torch.tensor(ids, device=weight.device)].float()
        if len(ids) > word.vectors:  # not enough room for all: their middle
            rows = rows.mean(0, keepdim=True)
        repeated = rows[torch.arange(word.vectors, device=rows.device) % len(rows)]
        return _bounded(repeated + 0.01 * noise * table.usual_norm / weight.shape[1] ** 0.5, table, word)

    # Training
    def groups(self) -> list[Group]:
        shared = self.preset.training.learning_rate
        return [
            Group(
                word.token,
                {f"{word.token}|{encoder}": p for encoder, p in self.words[word.token].items()},
                word.learning_rate or shared,
                word.stop_after,
            )
            for word in self.trained
        ]

    @property
    def touched_parts(self) -> set[str]:
        return set(self.tables)

    def after_step(self, bad: Tensor | None = None) -> None:
        with torch.no_grad():
            for word in self.trained:
                vectors = self.words[word.token]
                # A word that has stopped stays as it is, bit for bit.
                for encoder, rows in vectors.items() if word.keep_norm else ():
                    if rows.requires_grad:
                        bounded = _bounded(rows, self.tables[encoder], word)
                        rows.copy_(bounded if bad is None else torch.where(bad, rows, bounded))

    @contextmanager
    def original(self) -> Generator[None]:
        """The words as they began: without them a caption that holds one could not be read at all."""
        with self.weights(self._begun):
            yield

    # Files
    @property
    def _alone(self) -> bool:
        """Whether the words are all that the run makes, and not beside a LoRA or a model."""
        return self.preset.method.kind == "embedding"

    def exports(self, target: Path) -> list[Export]:
        """A file for each word, in a folder named as the target; one word may also be given a file's name of its own.

        Programs take the trigger word from the name of the file: that is why the folder carries the run's name. Beside
        another method's file the folder is called `<name>_embeddings`.
        """
        is_file = target.suffix == ".safetensors"
        if is_file and self._alone and len(self.trained) == 1:
            return [Export(target.name, target)]
        folder = target.with_suffix("") if is_file else target
        if not self._alone:
            folder = beside(folder)
        return [Export(name, folder / name) for word in self.trained for name in [file_name(word)]]

    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        for export, word in zip(self.exports(target), self.trained, strict=True):
            tensors = embedding_tensors(self._vectors(word), DTYPES[self.preset.output.dtype])
            told = metadata if self._alone or not metadata else word_metadata(metadata, word.token)
            write_tensors(export.path, tensors, told)
            yield export.path

    def bundle(self) -> dict[str, Tensor]:
        if not self.preset.output.bundle_words:
            return {}
        vectors = {file_stem(word.token): self._vectors(word) for word in self.preset.words}
        return bundle_tensors(vectors, DTYPES[self.preset.output.dtype])

    def _vectors(self, word: Word) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.words[word.token].items()}


def _bounded(rows: Tensor, table: Vocabulary, word: Word) -> Tensor:
    return F.normalize(rows, dim=1) * table.usual_norm if word.keep_norm else rows


def beside(folder: Path) -> Path:
    """Where words go that were learnt beside something else: a folder next to it."""
    return folder.with_name(f"{folder.name}_embeddings")


def file_name(word: Word) -> str:
    """What a word's file is called."""
    return f"{file_stem(word.token)}.safetensors"


def file_stem(token: str) -> str:
    """The name of a word's file, which other programs take for the word: "<new>" -> "new"."""
    return re.sub("[<>]", "", token)


def known_words(family: Family, words: tuple[Word, ...]) -> list[Word]:
    """Words that are one token already: a new meaning would take the old one's place."""
    return [word for word in words if any(len(family.word_ids(e, word.token)) == 1 for e in family.text_encoders)]


def word_problems(words: tuple[Word, ...]) -> list[str]:
    """What is wrong with how the words are spelt."""
    problems = [
        f'words: "{word.token}" has other characters than letters, digits, < > - and _.'
        for word in words
        if not re.fullmatch(r"[\w<>-]+", word.token) or not file_stem(word.token).strip("-_")
    ]
    stems = [file_stem(word.token).lower() for word in words]  # files and CLIP's tokenizer know no upper case
    problems += [
        f'words: "{word.token}" stands there twice, or differs from another only in < > or upper case.'
        for i, word in enumerate(words)
        if stems[i] in stems[:i]
    ]
    return problems


def _check_words(words: tuple[Word, ...]) -> None:
    if problems := word_problems(words):
        raise Problems("The new words cannot be learnt as they are:", problems)
