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
from modules.formats.metadata import bundled_embedding_metadata
from modules.formats.tensors import write_tensors
from modules.methods.method import Export, Group, Method
from modules.preset.preset import Preset
from modules.preset.sections.words import Word
from modules.sentences.problem import Problem, problem
from modules.system.devices import DTYPES
from modules.system.seeds import seed_of


class ExtendedEmbedding:
    """The word table of a text encoder, with rows beyond its end.

    The table needs no gradient for them: it costs neither that nor the optimizer's memory, which for 49,408 words would
    be more than all else that an embedding trains.
    """

    def __init__(self, table: nn.Embedding) -> None:
        self.table = table
        self.words: list[nn.Parameter] = []  # (vectors, D) each, in the order of their ids
        self.mean_norm = torch.linalg.vector_norm(table.weight.detach(), dim=1, dtype=torch.float32).mean()

    def __len__(self) -> int:
        return self.table.num_embeddings

    def forward(self, ids: Tensor) -> Tensor:
        size, weight = len(self), self.table.weight
        known = F.embedding(ids.clamp(max=size - 1), weight)
        rows = torch.cat(list(self.words)).to(weight.dtype)
        # Clamped both ways: ids of the other kind must name some row; `where` throws that answer and its gradient away.
        new = F.embedding((ids - size).clamp(0, len(rows) - 1), rows)
        return torch.where((ids < size)[..., None], known, new)


class TokenTables:
    """The word tables of all text encoders of a family."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.tables = {
            name: ExtendedEmbedding(typed("Any", family.component(name)).get_input_embeddings())
            for name in family.text_encoders
        }

    def add(self, token: str, rows: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
        """Let captions and prompts hold a word; `rows`: its vectors (n, D) by encoder, as many for each.

        Raises:
            UserError: the model knows the word already.
        """
        vectors = len(next(iter(rows.values())))
        ids = self.family.add_token(token, vectors)
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
        return self.checked(read_embedding(path, self.family.embedding_names), path)

    def checked(self, found: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
        """The same, if they are as wide as this model's own; `path` is for messages."""
        for encoder, rows in found.items():
            width = self.tables[encoder].table.embedding_dim
            if rows.shape[1] != width:
                raise UserError("embedding.width", file=path.name, found=rows.shape[1], own=width)
        return {name: rows.to(self.tables[name].table.weight.device, torch.float32) for name, rows in found.items()}


class TextualInversion(Method):
    """New words, each of some vectors in every text encoder, always held in fp32."""

    has_original = True

    def __init__(self, family: Family, preset: Preset) -> None:
        super().__init__(family, preset)
        _check_words(preset.words)
        for name in family.text_encoders:
            family.component(name).train()
        self.token_tables = TokenTables(family)
        self.tables = self.token_tables.tables
        self.words: dict[str, dict[str, nn.Parameter]] = {}  # by token and encoder
        for word in preset.words:
            self.words[word.token] = self._add_word(word)
        self.trained = tuple(word for word in preset.words if word.train)
        self._initial = {name: p.detach().clone() for name, p in self.parameters().items()}
        family.denoiser.train(preset.training.checkpointed > 0)  # checkpointing works in training mode only

    def _add_word(self, word: Word) -> dict[str, nn.Parameter]:
        for encoder in self.tables:
            if len(self.family.token_ids(encoder, word.token)) == 1:
                raise UserError("token.known", "words", token=word.token, other=f"<{word.token.strip('<>')}-1>")
        # First, while the tokenizers still know nothing of the new word
        if word.file:
            starts = self.token_tables.read(Path(word.file).expanduser())
        else:
            starts = {encoder: self._start(word, encoder) for encoder in self.tables}
        found = self.token_tables.add(word.token, starts)
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
            return _renormalized(mean + noise * spread, table, word)
        ids = self.family.token_ids(encoder, word.start)
        if not ids:
            raise UserError("token.start-word", "words", start=word.start)
        rows = weight[torch.tensor(ids, device=weight.device)].float()
        if len(ids) > word.vectors:  # not enough room for all: their middle
            rows = rows.mean(0, keepdim=True)
        repeated = rows[torch.arange(word.vectors, device=rows.device) % len(rows)]
        return _renormalized(repeated + 0.01 * noise * table.mean_norm / weight.shape[1] ** 0.5, table, word)

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
    def modified_components(self) -> set[str]:
        return set(self.tables)

    def after_step(self, bad: Tensor | None = None) -> None:
        with torch.no_grad():
            for word in self.trained:
                vectors = self.words[word.token]
                # A word that has stopped stays as it is, bit for bit.
                for encoder, rows in vectors.items() if word.keep_norm else ():
                    if rows.requires_grad:
                        bounded = _renormalized(rows, self.tables[encoder], word)
                        rows.copy_(bounded if bad is None else torch.where(bad, rows, bounded))

    @contextmanager
    def original(self) -> Generator[None]:
        """The words as they began: without them a caption that holds one could not be read at all."""
        with self.weights(self._initial):
            yield

    # Files
    @property
    def _is_only_method(self) -> bool:
        """Whether the words are all that the run makes, and not beside a LoRA or a model."""
        return self.preset.method.kind == "embedding"

    def exports(self, target: Path) -> list[Export]:
        """A file for each word, in a folder named as the target; one word may also be given a file's name of its own.

        Programs take the trigger word from the name of the file: that is why the folder carries the run's name. Beside
        another method's file the folder is called `<name>_embeddings`.
        """
        is_file = target.suffix == ".safetensors"
        if is_file and self._is_only_method and len(self.trained) == 1:
            return [Export(target.name, target)]
        folder = target.with_suffix("") if is_file else target
        if not self._is_only_method:
            folder = beside(folder)
        return [Export(name, folder / name) for word in self.trained for name in [file_name(word)]]

    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        for export, word in zip(self.exports(target), self.trained, strict=True):
            tensors = embedding_tensors(
                self._vectors(word), self.family.embedding_names, DTYPES[self.preset.output.dtype]
            )
            own_metadata = (
                metadata if self._is_only_method or not metadata else bundled_embedding_metadata(metadata, word.token)
            )
            write_tensors(export.path, tensors, own_metadata)
            yield export.path

    def bundle(self) -> dict[str, Tensor]:
        if not self.preset.output.bundle_words:
            return {}
        vectors = {file_stem(word.token): self._vectors(word) for word in self.preset.words}
        return bundle_tensors(vectors, self.family.embedding_names, DTYPES[self.preset.output.dtype])

    def _vectors(self, word: Word) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.words[word.token].items()}


def _renormalized(rows: Tensor, table: ExtendedEmbedding, word: Word) -> Tensor:
    return F.normalize(rows, dim=1) * table.mean_norm if word.keep_norm else rows


def beside(folder: Path) -> Path:
    """Where words go that were learnt beside something else: a folder next to it."""
    return folder.with_name(f"{folder.name}_embeddings")


def file_name(word: Word) -> str:
    """What a word's file is called."""
    return f"{file_stem(word.token)}.safetensors"


def file_stem(token: str) -> str:
    """The name of a word's file, which other programs take for the word: "<new>" -> "new"."""
    return re.sub("[<>]", "", token)


def existing_tokens(family: Family, words: tuple[Word, ...]) -> list[Word]:
    """Words that are one token already: a new meaning would take the old one's place."""
    return [word for word in words if any(len(family.token_ids(e, word.token)) == 1 for e in family.text_encoders)]


def token_problems(words: tuple[Word, ...]) -> list[Problem]:
    """What is wrong with how the tokens are spelt."""
    problems = [
        problem("token.characters", "words", token=word.token)
        for word in words
        if not re.fullmatch(r"[\w<>-]+", word.token) or not file_stem(word.token).strip("-_")
    ]
    stems = [file_stem(word.token).lower() for word in words]  # files and CLIP's tokenizer know no upper case
    problems += [
        problem("token.twice", "words", token=word.token) for i, word in enumerate(words) if stems[i] in stems[:i]
    ]
    return problems


def _check_words(words: tuple[Word, ...]) -> None:
    if problems := token_problems(words):
        raise Problems(Problem("tokens.wrong"), problems)
