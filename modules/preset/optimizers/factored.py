"""Rows and columns instead of a number for each weight: hardly any memory."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modules.preset.optimizers.optimizer import NoDecay
from modules.preset.setting import Setting


class Adafactor(NoDecay):
    """Adafactor"""  # arXiv:1804.04235, algorithm 4

    kind: Literal["adafactor"] = "adafactor"
    target: ClassVar[str] = "transformers.optimization:Adafactor"
    # With its own relative steps it would ignore the learning rate and the schedule of the form. The same steps come of
    # schedule.kind adafactor, training.learning_rate 0.01 and scale_parameter.
    constants: ClassVar[dict[str, Any]] = {"relative_step": False, "warmup_init": False}
    state_bytes: ClassVar[float] = 0.0
    clip_threshold: float = Setting(1.0, "Clip threshold", gt=0, level="expert")
    """Maximum size of an update, as a multiple of the usual one."""
    decay_rate: float = Setting(-0.8, "Decay rate", ge=-2, lt=0, level="expert")
    """How fast the memory of squared gradients grows with the steps."""
    scale_parameter: bool = Setting(False, "Scale parameter", level="expert")
    """Steps in proportion to the size of each weight: the learning rate is then a share, usually 0.001 to 0.01. With
    the schedule "Adafactor's own" and a rate of 0.01 this is what others call relative step. Asks the card about each
    weight at each step, which costs some time."""
    beta1: float = Setting(0.0, "Beta 1", ge=0, lt=1, level="expert", zero="none")
    """Also keeps a running mean of the gradient, which takes 4 bytes for each number. 0: none. Usual: 0, else 0.9."""

    def keywords(self) -> dict[str, Any]:
        values = {**self.model_dump(exclude={"kind"}), **self.constants}
        return {**values, "beta1": self.beta1 or None}


class CAME(NoDecay):
    """CAME (Adafactor with confidence)"""  # arXiv:2307.02047, algorithm 2

    kind: Literal["came"] = "came"
    target: ClassVar[str] = "pytorch_optimizer:CAME"
    state_bytes: ClassVar[float] = 4
    beta1: float = Setting(0.9, "Beta 1", ge=0, lt=1, level="expert")
    """How long the running mean of the update remembers. Usual: 0.9."""
    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the memory of squared gradients lasts. Usual: 0.999."""
    beta3: float = Setting(0.9999, "Beta 3", ge=0, lt=1, level="expert")
    """How long it remembers how much updates differed. Usual: 0.9999."""
    clip_threshold: float = Setting(1.0, "Clip threshold", gt=0, level="expert")
    """Maximum size of an update, as a multiple of the usual one."""
