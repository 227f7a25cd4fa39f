"""What every optimizer's settings tell, and the groups of settings that many of them share."""

from __future__ import annotations

from typing import Any, ClassVar

from modules.preset.setting import Section, Setting


class Optimizer(Section):
    """Where an optimizer's class lives, how its settings become that class's arguments, and what it is like."""

    target: ClassVar[str] = ""  # "module:Class", imported only when a run uses it
    constants: ClassVar[dict[str, Any]] = {}  # arguments that are not settings
    group_argument_names: ClassVar[
        tuple[str, ...]
    ] = ()  # what the class itself makes of arguments, in each group of weights
    per_tensor: ClassVar[bool] = True  # treats each weight by itself: bf16 weights can be updated a few at a time
    synchronizes: ClassVar[bool] = (
        False  # waits for the card in any case, so that the verdict on a step may be asked for, too
    )
    fused: ClassVar[bool] = False  # has one kernel for all weights on a card, which reads the verdict by itself
    is_schedule_free: ClassVar[bool] = False  # holds an average of its own and swaps it in for sampling (schedule-free)
    is_learning_rate_free: ClassVar[bool] = False  # the learning rate of the form only scales what it finds: 1
    eight_bit: ClassVar[str] = ""  # keeps large weights' state in 8 bits; the kind that does not
    paged: ClassVar[bool] = False  # moves its state to main memory where the card has no room: needs a card
    matrices_only: ClassVar[bool] = False  # treats a weight as a whole matrix: nothing for a list of vectors
    state_bytes: ClassVar[float] = 8  # bytes of state for each number of a large weight
    rates: ClassVar[tuple[float, float]] = (1.0, 1.0)  # its lowest and highest usual rate, in those of AdamW

    @property
    def source(self) -> str:
        """The class, "module:Class"."""
        return self.target

    @property
    def signature(self) -> str:
        """As sd-scripts notes it: "torch.optim.AdamW(eps=1e-08,weight_decay=0.01,betas=(0.9, 0.999))"."""
        told = ",".join(f"{name}={value}" for name, value in self.keywords().items() if not callable(value))
        return f"{self.source.replace(':', '.')}({told})"

    @property
    def has_single_rate(self) -> bool:
        """Whether all weights must have the same learning rate."""
        return self.is_learning_rate_free

    def keywords(self) -> dict[str, Any]:
        """The keyword arguments of the class at `source`, without parameters and learning rate."""
        values = self.model_dump(exclude={"kind"})
        betas = [values.pop(name) for name in ("beta1", "beta2", "beta3") if name in values]
        if betas:
            values["betas"] = tuple(betas)
        return {**values, **self.constants}

    def group_arguments(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """What the class wants to know of a weight of this shape; weights that differ in it are handed over apart."""
        del shape
        return {}


class FirstMoment(Optimizer):
    """A running mean of the gradient."""

    beta1: float = Setting(0.9, "Beta 1", ge=0, lt=1, level="expert", aliases="adam_beta1, betas")
    """How long the running mean of the gradient remembers: 0.9 about 10 steps. Usual: 0.9."""


class Moments(FirstMoment):
    """Running means of the gradient and of its square."""

    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert", aliases="adam_beta2")
    """How long the running mean of the squared gradient remembers. Shorter runs like 0.99."""


class Epsilon(Optimizer):
    """A bound for divisions."""

    eps: float = Setting(1e-8, "Epsilon", gt=0, le=1, level="expert", aliases="adam_epsilon")
    """Keeps the division by small numbers in bounds. Usual: as it is."""


class Decay(Optimizer):
    """A pull towards zero."""

    weight_decay: float = Setting(0.01, "Weight decay", ge=0, le=10, level="expert", aliases="adam_weight_decay")
    """Pulls the weights towards zero at every step. 0: off. Usual: 0.01."""


class NoDecay(Optimizer):
    """A pull towards zero that is off as a rule."""

    weight_decay: float = Setting(
        0.0, "Weight decay", ge=0, le=10, level="expert", zero="off", aliases="adam_weight_decay"
    )
    """Pulls the weights towards zero at every step. 0: off, as is usual with this optimizer."""


class Momentum(Optimizer):
    """A step that keeps some of its way."""

    momentum: float = Setting(0.9, "Momentum", ge=0, lt=1, level="expert", zero="off")
    """How much of the last step goes into the next one. 0: none. Usual: 0.9."""


class LearningRateFree(Optimizer):
    """Estimates how far the weights are from where they should be, and takes the learning rate from that."""

    per_tensor: ClassVar[bool] = False  # its step size is one number for all weights
    synchronizes: ClassVar[bool] = True
    is_learning_rate_free: ClassVar[bool] = True
    d0: float = Setting(1e-6, "Initial D (d0)", gt=0, le=1, level="expert")
    """The learning rate it begins with. It only ever grows: raise it to 1e-5 if nothing is learnt in the first 100
    steps."""
