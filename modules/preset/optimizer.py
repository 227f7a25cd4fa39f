"""Optimizers: a class of settings each, over a well-kept library. Adding one is adding a class here."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modules.preset.setting import Section, Setting


class Optimizer(Section):
    """Where an optimizer's class lives, and how its settings become that class's arguments."""

    target: ClassVar[str]  # "module:Class", imported only when a run uses it
    constants: ClassVar[dict[str, Any]] = {}  # arguments that are not settings
    per_tensor: ClassVar[bool] = True  # treats each weight by itself: bf16 weights can be updated a few at a time
    averages: ClassVar[bool] = False  # holds an average of its own and swaps it in for sampling (schedule-free)

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of the class at `target`, without parameters and learning rate."""
        values = self.model_dump(exclude={"kind"})
        if "beta1" in values:
            values["betas"] = (values.pop("beta1"), values.pop("beta2"))
        return {**values, **self.constants}


class AdamW(Optimizer):
    """AdamW"""

    kind: Literal["adamw"] = "adamw"
    target: ClassVar[str] = "torch.optim:AdamW"
    beta1: float = Setting(0.9, "Beta 1", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient remembers."""
    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers. Shorter runs like 0.99."""
    eps: float = Setting(1e-8, "Epsilon", gt=0, le=1, level="expert")
    """Keeps the division by small numbers in bounds."""
    weight_decay: float = Setting(0.01, "Weight decay", ge=0, le=10, level="expert")
    """Pulls the weights towards zero at every step."""


class AdamW8bit(Optimizer):
    """AdamW 8-bit"""

    kind: Literal["adamw8bit"] = "adamw8bit"
    target: ClassVar[str] = "bitsandbytes.optim:AdamW8bit"
    beta1: float = Setting(0.9, "Beta 1", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient remembers."""
    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers."""
    eps: float = Setting(1e-8, "Epsilon", gt=0, le=1, level="expert")
    """Keeps the division by small numbers in bounds."""
    weight_decay: float = Setting(0.01, "Weight decay", ge=0, le=10, level="expert")
    """Pulls the weights towards zero at every step."""


class Adafactor(Optimizer):
    """Adafactor"""

    kind: Literal["adafactor"] = "adafactor"
    target: ClassVar[str] = "transformers.optimization:Adafactor"
    # With its own relative steps it would ignore the learning rate of the form, and wait for the card each step.
    constants: ClassVar[dict[str, Any]] = {"scale_parameter": False, "relative_step": False, "warmup_init": False}
    clip_threshold: float = Setting(1.0, "Clip threshold", gt=0, level="expert")
    """Longest allowed update, as a multiple of the usual one."""
    decay_rate: float = Setting(-0.8, "Decay rate", ge=-2, lt=0, level="expert")
    """How fast the memory of squared gradients grows with the steps."""
    weight_decay: float = Setting(0.0, "Weight decay", ge=0, le=10, level="expert")
    """Pulls the weights towards zero at every step."""


class Lion(Optimizer):
    """Lion"""

    kind: Literal["lion"] = "lion"
    target: ClassVar[str] = "lion_pytorch:Lion"
    beta1: float = Setting(0.9, "Beta 1", ge=0, lt=1, level="expert")
    """Share of the memory in each update."""
    beta2: float = Setting(0.99, "Beta 2", ge=0, lt=1, level="expert")
    """How long the memory of gradients lasts."""
    weight_decay: float = Setting(0.0, "Weight decay", ge=0, le=10, level="expert")
    """Pulls the weights towards zero at every step. Lion wants 3 to 10 times AdamW's."""


class Prodigy(Optimizer):
    """Prodigy"""

    kind: Literal["prodigy"] = "prodigy"
    target: ClassVar[str] = "prodigyopt:Prodigy"
    per_tensor: ClassVar[bool] = False  # its step size is one number for all weights
    constants: ClassVar[dict[str, Any]] = {"decouple": True}
    beta1: float = Setting(0.9, "Beta 1", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient remembers."""
    beta2: float = Setting(0.99, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers."""
    weight_decay: float = Setting(0.01, "Weight decay", ge=0, le=10, level="expert")
    """Pulls the weights towards zero at every step."""
    d_coef: float = Setting(1.0, "D coefficient", gt=0, le=100, level="expert")
    """Scales the rate that Prodigy finds. 0.5 for gentler, 2 for bolder training."""
    use_bias_correction: bool = Setting(True, "Bias correction", level="expert")
    """Corrects the first steps, as Adam does."""
    safeguard_warmup: bool = Setting(True, "Safeguard warm-up", level="expert")
    """Keeps a warm-up from spoiling the estimate of the rate."""


class ScheduleFreeAdamW(Optimizer):
    """Schedule-free AdamW"""

    kind: Literal["schedule_free_adamw"] = "schedule_free_adamw"
    target: ClassVar[str] = "schedulefree:AdamWScheduleFree"
    per_tensor: ClassVar[bool] = False
    averages: ClassVar[bool] = True
    beta1: float = Setting(0.9, "Beta 1", gt=0, lt=1, level="expert")
    """Between the average and the newest weights, where gradients are taken."""
    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers."""
    weight_decay: float = Setting(0.0, "Weight decay", ge=0, le=10, level="expert")
    """Pulls the weights towards zero at every step."""


AnyOptimizer = AdamW | AdamW8bit | Adafactor | Lion | Prodigy | ScheduleFreeAdamW
