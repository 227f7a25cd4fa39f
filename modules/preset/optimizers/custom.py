"""Optimizers whose settings need code on their way to the class: each a class of settings. The others are rows."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from modules.preset.optimizers.optimizer import Optimizer
from modules.preset.optimizers.options import CLIP, D0, DECAY, MOMENTUM, NO_DECAY
from modules.preset.setting import Setting


class SGD(Optimizer):
    """SGD"""

    kind: Literal["sgd"] = "sgd"
    target: ClassVar[str] = "torch.optim:SGD"
    state_bytes: ClassVar[float] = 4
    rates: ClassVar[tuple[float, float]] = (10.0, 10_000.0)
    momentum: float = MOMENTUM.field[1]
    weight_decay: float = NO_DECAY.field[1]
    nesterov: bool = Setting(False, "Nesterov", level="expert")
    """Takes the gradient where the momentum leads, not where the weights are. Needs momentum."""

    def keywords(self) -> dict[str, Any]:
        return {**super().keywords(), "nesterov": self.nesterov and self.momentum > 0}


class Muon(Optimizer):
    """Muon (whole matrices; the rest by AdamW)"""

    # https://kellerjordan.github.io/posts/muon; the size of its steps as in arXiv:2502.16982, eq. 4, so that it takes
    # AdamW's learning rates. torch.optim.Muon refuses all but matrices: it would need a second optimizer beside it,
    # with a state of its own, for biases and norms, and could not have convolutions at all, which are half a U-Net.
    kind: Literal["muon"] = "muon"
    target: ClassVar[str] = "pytorch_optimizer:Muon"
    constants: ClassVar[dict[str, Any]] = {"use_adjusted_lr": True}
    group_argument_names: ClassVar[tuple[str, ...]] = ("betas", "eps")
    matrices_only: ClassVar[bool] = True
    state_bytes: ClassVar[float] = 4
    weight_decay: float = DECAY.field[1]
    momentum: float = Setting(0.95, "Momentum", ge=0, lt=1, level="expert")
    """How long the running mean of the gradient remembers. Usual: 0.95."""
    nesterov: bool = Setting(True, "Nesterov", level="expert")
    """Looks ahead along the momentum. Usual: on."""
    ns_steps: int = Setting(5, "Newton-Schulz steps", ge=1, le=20, level="expert")
    """Steps of the iteration that makes a gradient orthogonal. Usual: 5."""
    beta1: float = Setting(0.9, "AdamW beta 1", ge=0, lt=1, level="expert")
    """For biases and norms, which AdamW trains. Usual: 0.9."""
    beta2: float = Setting(0.95, "AdamW beta 2", ge=0, lt=1, level="expert")
    """For biases and norms, which AdamW trains. Usual: 0.95."""

    def keywords(self) -> dict[str, Any]:
        values = super().keywords()
        rest = {"adamw_betas": values.pop("betas"), "adamw_wd": self.weight_decay, "adamw_eps": 1e-8}
        return {**values, **rest}

    def group_arguments(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Matrices, and convolutions as matrices of (outputs, all else), are turned; biases and norms are not."""
        return {"use_muon": len(shape) >= 2}


class Adafactor(Optimizer):
    """Adafactor"""  # arXiv:1804.04235, algorithm 4

    kind: Literal["adafactor"] = "adafactor"
    target: ClassVar[str] = "transformers.optimization:Adafactor"
    # With its own relative steps it would ignore the learning rate and the schedule of the form. The same steps come of
    # schedule.kind adafactor, training.learning_rate 0.01 and scale_parameter.
    constants: ClassVar[dict[str, Any]] = {"relative_step": False, "warmup_init": False}
    state_bytes: ClassVar[float] = 0.0
    weight_decay: float = NO_DECAY.field[1]
    clip_threshold: float = CLIP.field[1]
    decay_rate: float = Setting(-0.8, "Decay rate", ge=-2, lt=0, level="expert")
    """How fast the memory of squared gradients grows with the steps."""
    scale_parameter: bool = Setting(False, "Scale parameter", level="expert")
    """Steps in proportion to the size of each weight: the learning rate is then a share, usually 0.001 to 0.01. With
    the schedule "Adafactor's own" and a rate of 0.01 this is what others call relative step. Asks the card about each
    weight at each step, which costs some time."""
    beta1: float = Setting(0.0, "Beta 1", ge=0, lt=1, level="expert", zero="none")
    """Also keeps a running mean of the gradient, which takes 4 bytes for each number. 0: none. Usual: 0, else 0.9."""
    kernels_as_matrices: bool = Setting(False, "Kernels as matrices", level="expert")
    """Sees a convolution as a matrix of outputs by all else, whose rows and columns say enough. Off: as the library
    does, rows and columns of each 3 by 3 kernel, which takes 0.9 GB for SDXL instead of a few MB."""

    @property
    def folds_kernels(self) -> bool:
        return self.kernels_as_matrices

    def keywords(self) -> dict[str, Any]:
        values = {**self.model_dump(exclude={"kind", "kernels_as_matrices"}), **self.constants}
        return {**values, "beta1": self.beta1 or None}


class ProdigyScheduleFree(Optimizer):
    """Prodigy with schedule-free"""  # arXiv:2306.06101 and arXiv:2405.15682, put together by prodigyplus

    kind: Literal["prodigy_schedule_free"] = "prodigy_schedule_free"
    target: ClassVar[str] = "prodigyplus:ProdigyPlusScheduleFree"
    # bf16 is rounded by chance here for every optimizer alike, from an address that a resumed run finds again.
    constants: ClassVar[dict[str, Any]] = {"stochastic_rounding": False}
    is_schedule_free: ClassVar[bool] = True
    state_bytes: ClassVar[float] = 4 + 4 / 11
    per_tensor: ClassVar[bool] = False
    synchronizes: ClassVar[bool] = True
    is_learning_rate_free: ClassVar[bool] = True
    d0: float = D0.field[1]
    weight_decay: float = NO_DECAY.field[1]
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
