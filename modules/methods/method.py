"""The contract of a training method: what is trained, what a backup holds, what is exported.

A method sees a family only through its contract: F families and M methods make F + M files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from modules.families.family import Family
from modules.methods.training_adapters import TrainingAdapters
from modules.preset.preset import Preset
from modules.sentences.problem import Problem, problem

State = dict[str, Tensor]


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate."""

    name: str  # the part, a part's layers, or the word: "denoiser", "denoiser: mid", "<new>"
    parameters: dict[str, nn.Parameter]  # by a name that is the same in every process and release
    learning_rate: float
    stop_after: str = "never"  # intervals: when it begins to learn, and when it stops
    start_after: str = "never"  # "never": from the first step on
    component: str = ""  # whose turn it learns in, where parts take turns; "" learns in every turn


@dataclass(frozen=True)
class Export:
    """One file or folder that a method can write."""

    name: str  # file name, with suffix
    path: Path


class Method(ABC):
    """Attaches to a family when it is made; whatever is not its own stays frozen and costs no gradient."""

    training_adapters: TrainingAdapters | None = None  # what lies under the model while it is trained
    beside: tuple[Method, ...] = ()  # what else is trained on the same family
    has_original: bool = False  # whether `original` can be asked for

    def __init__(self, family: Family, preset: Preset) -> None:
        self.family, self.preset = family, preset

    @abstractmethod
    def groups(self) -> list[Group]: ...

    @property
    @abstractmethod
    def modified_components(self) -> set[str]:
        """Parts that must stay loaded, because the method has changed or trains something in them."""

    def parameters(self) -> dict[str, nn.Parameter]:
        """Everything that is trained, by name."""
        return {name: p for group in self.groups() for name, p in group.parameters.items()}

    def prepare(self, addresses: Sequence[int]) -> None:  # noqa: B027 - most methods draw nothing
        """Called before each batch with a seed per item: chance inside the method (dropout) is drawn from these."""

    def after_step(self, bad: Tensor | None = None) -> None:  # noqa: B027 - most methods have no bounds to keep
        """Called after each optimizer step, for methods that keep weights in bounds.

        `bad` is without dimensions, on the device: whether the step was left out, and no weight may be changed.
        """

    def notes(self) -> Iterator[Problem]:
        """What is trained, for the log."""
        for group in self.groups():
            count = sum(p.numel() for p in group.parameters.values())
            values: dict[str, Any] = {"part": group.name, "count": count, "rate": group.learning_rate}
            if group.name in self.family.component_names:
                whole = self.family.weight_count(group.name)
                yield problem("training.part:of", share=count / whole, whole=whole, **values)
            else:
                yield problem("training.part", **values)

    def state_dict(self) -> State:
        """Only what training has changed: a LoRA's backup does not hold the base model."""
        return {name: parameter.detach() for name, parameter in self.parameters().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state_dict` gave; refuses missing, surplus and misshapen entries."""
        mine = self.parameters()
        wrong = sorted(mine.keys() ^ state.keys()) or [n for n, p in mine.items() if p.shape != state[n].shape]
        if wrong:
            raise ValueError(f"the state does not fit: {', '.join(wrong[:5])}")
        for name, parameter in mine.items():
            parameter.data.copy_(state[name])

    @contextmanager
    def weights(self, values: Mapping[str, Tensor], *, exact: bool = False) -> Generator[None]:
        """Use other values for a while (EMA); what was there comes back bit for bit.

        `exact`: in their own precision, for a file. Layers cannot work with them then.
        """
        kept = {name: parameter.data for name, parameter in self.parameters().items()}
        try:
            for name, parameter in self.parameters().items():
                dtype = values[name].dtype if exact else parameter.dtype
                parameter.data = values[name].to(parameter.device, dtype, copy=True)
            yield
        finally:
            for name, parameter in self.parameters().items():
                parameter.data = kept[name]

    @contextmanager
    def without_training_adapters(self) -> Generator[None]:
        """The model as it will be used, for a while: to draw samples."""
        with self.training_adapters.off() if self.training_adapters else nullcontext():
            yield

    @contextmanager
    def at_strength(self, strength: float) -> Generator[None]:
        """The model with so much of what it has learnt, for a while; only adapters can be had in part."""
        del strength
        yield

    @contextmanager
    def original(self) -> Generator[None]:
        """The model as it was before training, for a while; only where `has_original` says so.

        Training adapters stay under it.
        """
        raise NotImplementedError
        yield

    @abstractmethod
    def exports(self, target: Path) -> list[Export]:
        """What `export` would write for this target: one file, or several (an embedding for each word)."""

    @abstractmethod
    def export(self, target: Path, metadata: Mapping[str, str]) -> Iterator[Path]:
        """Write the trained thing as other programs read it, read it back, compare, and yield each path."""

    def bundle(self) -> State:
        """What may also stand in the file of a method beside this one, under names that other programs know."""
        return {}

    def bundled(self) -> State:
        """What the methods beside this one would have in its file."""
        return {name: tensor for method in self.beside for name, tensor in method.bundle().items()}
