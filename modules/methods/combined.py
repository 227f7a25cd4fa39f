"""Several methods at once, each of which knows nothing of the others: new words beside a LoRA, say (pivotal tuning)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

from torch import Tensor

from modules.methods.method import Export, Group, Method
from modules.sentences.problem import Problem


class CombinedMethods(Method):
    """Does with each of its methods what is asked of it; names of groups and parameters must differ among them."""

    def __init__(self, methods: Sequence[Method]) -> None:
        super().__init__(methods[0].family, methods[0].preset)
        self.methods = tuple(methods)
        self.has_original = all(method.has_original for method in methods)
        for method in methods:
            method.beside = tuple(other for other in methods if other is not method)
        names = [name for method in methods for name in method.parameters()]
        assert len(names) == len(set(names)), "two methods train under the same name"

    def groups(self) -> list[Group]:
        return [group for method in self.methods for group in method.groups()]

    @property
    def modified_components(self) -> set[str]:
        return set[str]().union(*(method.modified_components for method in self.methods))

    @contextmanager
    def original(self) -> Generator[None]:
        with ExitStack() as stack:
            for method in self.methods:
                stack.enter_context(method.original())
            yield

    @contextmanager
    def at_strength(self, strength: float) -> Generator[None]:
        with ExitStack() as stack:
            for method in self.methods:
                stack.enter_context(method.at_strength(strength))
            yield

    def prepare(self, addresses: Sequence[int]) -> None:
        for method in self.methods:
            method.prepare(addresses)

    def after_step(self, bad: Tensor | None = None) -> None:
        for method in self.methods:
            method.after_step(bad)

    def notes(self) -> Iterator[Problem]:
        return chain.from_iterable(method.notes() for method in self.methods)

    # Files
    def exports(self, target: Path) -> list[Export]:
        return [export for method in self.methods for export in method.exports(target)]

    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        for method in self.methods:
            yield from method.export(target, metadata)
