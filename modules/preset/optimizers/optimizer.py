"""What every optimizer's settings tell."""

from __future__ import annotations

from typing import Any, ClassVar

from modules.preset.setting import Section


class Optimizer(Section):
    """Where an optimizer's class lives, how its settings become that class's arguments, and what it is like."""

    kind: Any = ""  # the word by which a preset chooses it: a Literal in each class
    target: ClassVar[str] = ""  # "module:Class", imported only when a run uses it
    constants: ClassVar[dict[str, Any]] = {}  # arguments that are not settings
    group_argument_names: ClassVar[tuple[str, ...]] = ()  # what the class makes of arguments, in each group of weights
    per_tensor: ClassVar[bool] = True  # treats each weight by itself: bf16 weights can be updated a few at a time
    synchronizes: ClassVar[bool] = False  # waits for the card in any case: the verdict on a step may be asked for, too
    fused: ClassVar[bool] = False  # has one kernel for all weights on a card, which reads the verdict by itself
    is_schedule_free: ClassVar[bool] = False  # holds an average of its own and swaps it in for sampling
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

    @property
    def folds_kernels(self) -> bool:
        """Whether the class is handed convolutions as matrices of (outputs, all else)."""
        return False

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
