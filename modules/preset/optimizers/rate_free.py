"""Optimizers that find the learning rate by themselves."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modules.preset.optimizers.optimizer import Decay, FirstMoment, LearningRateFree, Moments, Momentum, NoDecay
from modules.preset.setting import Setting


class Prodigy(Decay, FirstMoment, LearningRateFree):
    """Prodigy"""  # arXiv:2306.06101, algorithm 4

    kind: Literal["prodigy"] = "prodigy"
    target: ClassVar[str] = "prodigyopt:Prodigy"
    constants: ClassVar[dict[str, Any]] = {"decouple": True}
    state_bytes: ClassVar[float] = 16
    beta2: float = Setting(0.99, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers."""
    d_coef: float = Setting(1.0, "D coefficient", gt=0, le=100, level="expert")
    """Scales the rate that Prodigy finds. 0.5 for gentler, 2 for bolder training."""
    use_bias_correction: bool = Setting(True, "Bias correction", level="expert")
    """Corrects the first steps, as Adam does."""
    safeguard_warmup: bool = Setting(True, "Safeguard warm-up", level="expert")
    """Keeps a warm-up from spoiling the estimate of the rate."""
    slice_p: int = Setting(1, "Slice (slice_p)", ge=1, le=1000, level="expert")
    """Estimates from every so many values of a weight: 11 saves two fifths of its memory and finds nearly the same. 1:
    from all."""


class ProdigyScheduleFree(NoDecay, LearningRateFree):
    """Prodigy with schedule-free"""  # arXiv:2306.06101 and arXiv:2405.15682, put together by prodigyplus

    kind: Literal["prodigy_schedule_free"] = "prodigy_schedule_free"
    target: ClassVar[str] = "prodigyplus:ProdigyPlusScheduleFree"
    # bf16 is rounded by chance here for every optimizer alike, from an address that a resumed run finds again.
    constants: ClassVar[dict[str, Any]] = {"stochastic_rounding": False}
    is_schedule_free: ClassVar[bool] = True
    state_bytes: ClassVar[float] = 4 + 4 / 11
    beta1: float = Setting(0.9, "Beta 1", gt=0, lt=1, level="expert")
    """Between the average and the newest weights, where gradients are taken. Usual: 0.9; try 0.95 to 0.98."""
    beta2: float = Setting(0.99, "Beta 2", gt=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers."""
    d_coef: float = Setting(1.0, "D coefficient", gt=0, le=100, level="expert")
    """Scales the rate that it finds. 0.5 for gentler, 2 for bolder training."""
    d_limiter: bool = Setting(True, "Limit growth of D", level="expert")
    """Lets the rate grow by a fifth a step at most. Usual: on."""
    prodigy_steps: int = Setting(0, "Prodigy steps", ge=0, unit="steps", level="expert", zero="never")
    """Keeps the learning rate from this step on. 0: looks for it to the end."""
    schedulefree_c: float = Setting(0.0, "Schedule-free C", ge=0, le=10_000, level="expert", zero="all steps alike")
    """How much more the newest steps count in the average (arXiv:2507.09846). 0: all alike. Usual: 0; short runs 6 to
    12."""
    split_groups: bool = Setting(True, "Split groups", level="expert")
    """Finds a learning rate for the denoiser, and one for each text encoder. Off: one for all."""
    factored: bool = Setting(True, "Factored second moment", level="expert")
    """Keeps rows and columns instead of all squares, as Adafactor does: half the memory. Usual: on."""
    use_stableadamw: bool = Setting(True, "StableAdamW clipping", level="expert")
    """Scales down updates that are longer than usual. Off if the rate never grows."""
    use_bias_correction: bool = Setting(False, "Bias correction", level="expert")
    """Warms up by itself, as RAdam does; takes much longer to find the rate. Usual: off."""
    use_speed: bool = Setting(False, "SPEED", level="expert")
    """Another way to look for the rate, with less memory; an experiment of its author. Usual: off."""

    @property
    def has_single_rate(self) -> bool:
        return not self.split_groups


class DAdaptAdam(NoDecay, Moments, LearningRateFree):
    """D-Adaptation Adam"""  # arXiv:2301.07733, algorithm 5, as the authors' third version has it

    kind: Literal["dadapt_adam"] = "dadapt_adam"
    target: ClassVar[str] = "pytorch_optimizer:DAdaptAdam"
    constants: ClassVar[dict[str, Any]] = {"weight_decouple": True}
    state_bytes: ClassVar[float] = 12
    bias_correction: bool = Setting(False, "Bias correction", level="expert")
    """Corrects the first steps, as Adam does. Usual: off."""


class DAdaptLion(NoDecay, FirstMoment, LearningRateFree):
    """D-Adaptation Lion"""  # arXiv:2301.07733 and arXiv:2302.06675

    kind: Literal["dadapt_lion"] = "dadapt_lion"
    target: ClassVar[str] = "pytorch_optimizer:DAdaptLion"
    constants: ClassVar[dict[str, Any]] = {"weight_decouple": True}
    beta2: float = Setting(0.999, "Beta 2", ge=0, lt=1, level="expert")
    """How long the memory of gradients lasts."""


class DAdaptSGD(NoDecay, Momentum, LearningRateFree):
    """D-Adaptation SGD"""  # arXiv:2301.07733, algorithm 4

    kind: Literal["dadapt_sgd"] = "dadapt_sgd"
    target: ClassVar[str] = "pytorch_optimizer:DAdaptSGD"
    constants: ClassVar[dict[str, Any]] = {"weight_decouple": True}
    state_bytes: ClassVar[float] = 12


class DAdaptAdagrad(LearningRateFree):
    """D-Adaptation Adagrad"""  # arXiv:2301.07733, algorithm 3

    # No weight decay: the library takes it by the rate of the form, 1, and not by the one that it found.
    kind: Literal["dadapt_adagrad"] = "dadapt_adagrad"
    target: ClassVar[str] = "pytorch_optimizer:DAdaptAdaGrad"
    state_bytes: ClassVar[float] = 12
    momentum: float = Setting(0.0, "Momentum", ge=0, lt=1, level="expert", zero="off")
    """How much of the last step goes into the next one. 0: none. Usual: 0."""


class DAdaptAdan(NoDecay, LearningRateFree):
    """D-Adaptation Adan"""  # arXiv:2301.07733 and arXiv:2208.06677

    # The authors' own: pytorch_optimizer 4.1 takes fourth powers of gradients for squares in this one.
    kind: Literal["dadapt_adan"] = "dadapt_adan"
    target: ClassVar[str] = "dadaptation:DAdaptAdan"
    state_bytes: ClassVar[float] = 20
    beta1: float = Setting(0.98, "Beta 1", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient remembers. Usual: 0.98."""
    beta2: float = Setting(0.92, "Beta 2", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient's changes remembers. Usual: 0.92."""
    beta3: float = Setting(0.99, "Beta 3", ge=0, lt=1, level="expert")
    """How long the running mean of the squares remembers. Usual: 0.99."""
