"""State in 8 bits, and state that moves out of a full card: bitsandbytes. arXiv:2110.02861, arXiv:2305.14314.

Weights of fewer than 4,096 numbers keep their state in 32 bits, as the library has it. Its LAMB and LARS are left out:
they are Adam and SGD with clipped updates, not what their papers say, and ask the card for each weight's norm.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from modules.preset.optimizers.optimizer import Decay, Epsilon, FirstMoment, Moments, Momentum, NoDecay
from modules.preset.setting import Setting


class AdamW8bit(Decay, Epsilon, Moments):
    """AdamW 8-bit"""

    kind: Literal["adamw8bit"] = "adamw8bit"
    target: ClassVar[str] = "bitsandbytes.optim:AdamW8bit"
    eight_bit: ClassVar[str] = "adamw"
    state_bytes: ClassVar[float] = 2


class PagedAdamW(Decay, Epsilon, Moments):
    """AdamW paged (state goes where there is room)"""

    kind: Literal["paged_adamw"] = "paged_adamw"
    target: ClassVar[str] = "bitsandbytes.optim:PagedAdamW"
    paged: ClassVar[bool] = True
    synchronizes: ClassVar[bool] = True


class PagedAdamW8bit(Decay, Epsilon, Moments):
    """AdamW 8-bit paged"""

    kind: Literal["paged_adamw8bit"] = "paged_adamw8bit"
    target: ClassVar[str] = "bitsandbytes.optim:PagedAdamW8bit"
    eight_bit: ClassVar[str] = "paged_adamw"
    paged: ClassVar[bool] = True
    synchronizes: ClassVar[bool] = True
    state_bytes: ClassVar[float] = 2


class Adam8bit(NoDecay, Epsilon, Moments):
    """Adam 8-bit"""

    kind: Literal["adam8bit"] = "adam8bit"
    target: ClassVar[str] = "bitsandbytes.optim:Adam8bit"
    eight_bit: ClassVar[str] = "adam"
    state_bytes: ClassVar[float] = 2


class _Lion8bit(NoDecay, FirstMoment):
    eight_bit: ClassVar[str] = "lion"
    state_bytes: ClassVar[float] = 1
    rates: ClassVar[tuple[float, float]] = (1 / 10, 1 / 3)
    beta2: float = Setting(0.99, "Beta 2", ge=0, lt=1, level="expert")
    """How long the memory of gradients lasts."""


class Lion8bit(_Lion8bit):
    """Lion 8-bit"""

    kind: Literal["lion8bit"] = "lion8bit"
    target: ClassVar[str] = "bitsandbytes.optim:Lion8bit"


class PagedLion8bit(_Lion8bit):
    """Lion 8-bit paged"""

    kind: Literal["paged_lion8bit"] = "paged_lion8bit"
    target: ClassVar[str] = "bitsandbytes.optim:PagedLion8bit"
    paged: ClassVar[bool] = True
    synchronizes: ClassVar[bool] = True


class _AdEMAMix8bit(Decay, Epsilon, Moments):
    eight_bit: ClassVar[str] = "ademamix"
    state_bytes: ClassVar[float] = 3
    beta3: float = Setting(0.9999, "Beta 3", ge=0, lt=1, level="expert")
    """How long the slow running mean of the gradient remembers: 0.9999 about 10,000 steps. Runs of 1,000 like 0.999."""
    alpha: float = Setting(5.0, "Slow share", ge=0, le=100, level="expert")
    """How much the slow mean counts beside the fast one. Usual: 5; short runs 2."""


class AdEMAMix8bit(_AdEMAMix8bit):
    """AdEMAMix 8-bit"""

    kind: Literal["ademamix8bit"] = "ademamix8bit"
    target: ClassVar[str] = "bitsandbytes.optim:AdEMAMix8bit"


class PagedAdEMAMix8bit(_AdEMAMix8bit):
    """AdEMAMix 8-bit paged"""

    kind: Literal["paged_ademamix8bit"] = "paged_ademamix8bit"
    target: ClassVar[str] = "bitsandbytes.optim:PagedAdEMAMix8bit"
    paged: ClassVar[bool] = True
    synchronizes: ClassVar[bool] = True


class SGD8bit(NoDecay, Momentum):
    """SGD 8-bit"""

    kind: Literal["sgd8bit"] = "sgd8bit"
    target: ClassVar[str] = "bitsandbytes.optim:SGD8bit"
    eight_bit: ClassVar[str] = "sgd"
    state_bytes: ClassVar[float] = 1
    rates: ClassVar[tuple[float, float]] = (10.0, 10_000.0)
    momentum: float = Setting(0.9, "Momentum", gt=0, lt=1, level="expert")
    """How much of the last step goes into the next one. Usual: 0.9."""


class RMSprop8bit(NoDecay, Epsilon):
    """RMSprop 8-bit"""

    kind: Literal["rmsprop8bit"] = "rmsprop8bit"
    target: ClassVar[str] = "bitsandbytes.optim:RMSprop8bit"
    eight_bit: ClassVar[str] = "rmsprop"
    state_bytes: ClassVar[float] = 1
    alpha: float = Setting(0.99, "Alpha", gt=0, lt=1, level="expert")
    """How long the running mean of the squared gradient remembers. Usual: 0.99."""


class Adagrad8bit(NoDecay):
    """Adagrad 8-bit"""

    kind: Literal["adagrad8bit"] = "adagrad8bit"
    target: ClassVar[str] = "bitsandbytes.optim:Adagrad8bit"
    eight_bit: ClassVar[str] = "adagrad"
    state_bytes: ClassVar[float] = 1
    rates: ClassVar[tuple[float, float]] = (1.0, 100.0)
    eps: float = Setting(1e-10, "Epsilon", gt=0, le=1, level="expert")
    """Keeps the division by small numbers in bounds. Usual: 1e-10."""
