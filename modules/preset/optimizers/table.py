"""Optimizers without code of their own: a row each, with the class of a well-kept library and its settings.

Adding one is adding a row. An option that differs from the usual one says how: `BETA2.but(0.99)`.

State in 8 bits and paged state are bitsandbytes' (arXiv:2110.02861, arXiv:2305.14314). Weights of fewer than 4,096
numbers keep their state in 32 bits, as the library has it. Its LAMB and LARS are left out: they are Adam and SGD with
clipped updates, not what their papers say, and ask the card for each weight's norm.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import create_model

from modules.preset.optimizers.optimizer import Optimizer
from modules.preset.optimizers.options import (
    ALPHA,
    BETA1,
    BETA2,
    BETA3,
    BIAS_CORRECTION,
    CLIP,
    D0,
    D_COEF,
    DECAY,
    EPS,
    MOMENTUM,
    NO_DECAY,
    NO_ENDS,
    SLOW_SHARE,
    SQUARES,
    Option,
)


class Row(Optimizer):
    """An optimizer whose settings bring their help texts along: there is no source text to take them from."""


def row(kind: str, title: str, target: str, *options: Option, **traits: Any) -> type[Optimizer]:
    """The settings of one optimizer as a class. `traits` are class variables of `Optimizer`."""
    assert all(hasattr(Optimizer, name) for name in traits), f"{kind}: {traits}"
    fields: dict[str, Any] = {"kind": (Literal[kind], kind), **{option.name: option.field for option in options}}
    made = cast("Any", create_model)(target.partition(":")[2], __base__=Row, __doc__=title, **fields)
    for name, value in {"target": target, **traits}.items():
        setattr(made, name, value)
    return made


MOMENTS = (BETA1, BETA2)
BETWEEN = BETA1.but(0.9, "Between the average and the newest weights, where gradients are taken.", **NO_ENDS)
MEMORY = BETA2.but(0.99, "How long the memory of gradients lasts.")
SMALL_EPS = EPS.but(1e-6, "Keeps the division by small numbers in bounds. Usual: 1e-6.")
TINY_EPS = EPS.but(1e-10, "Keeps the division by small numbers in bounds. Usual: 1e-10.")
ADAN_BETAS = (
    BETA1.but(0.98, "How long the running mean of the gradient remembers. Usual: 0.98."),
    BETA2.but(0.92, "How long the running mean of the gradient's changes remembers. Usual: 0.92."),
    BETA3.but(0.99, "How long the running mean of the squares remembers. Usual: 0.99."),
)
NO_MOMENTUM = MOMENTUM.but(0.0, "How much of the last step goes into the next one. 0: none. Usual: 0.")
# Of an average of the weights that takes the place of a falling rate. arXiv:2405.15682.
SCHEDULE_FREE_OPTIONS = (
    NO_DECAY,
    Option(
        "r", "Step weighting (r)", 0.0,
        "How much more late steps count in the average: 0 all alike, 1 in proportion to the step. Usual: 0.",
        {"ge": 0, "le": 10, "zero": "all alike"},
    ),
    Option(
        "weight_lr_power", "Learning rate weighting", 2.0,
        "How much steps at a low learning rate (of the warm-up) count less in the average. Usual: 2.",
        {"ge": 0, "le": 10},
    ),
)  # fmt: skip
PAGED: dict[str, Any] = {"paged": True, "synchronizes": True}
DECOUPLED = {"weight_decouple": True}
SCHEDULE_FREE: dict[str, Any] = {"is_schedule_free": True, "rates": (1.0, 10.0)}
LEARNING_RATE_FREE: dict[str, Any] = {  # its step size is one number for all weights
    "per_tensor": False, "synchronizes": True, "is_learning_rate_free": True,
}  # fmt: skip
BOLD = (10.0, 10_000.0)  # SGD's rates, in those of AdamW
SIGNS = (1 / 10, 1 / 3)  # Lion's

# Adam and those who go back to it: steps in units of the gradient's own size ------------------------------------------

AdamW = row(  # arXiv:1711.05101, algorithm 2
    "adamw", "AdamW", "torch.optim:AdamW", *MOMENTS, EPS, DECAY, fused=True,
)  # fmt: skip
ADAPTIVE = (
    # arXiv:1412.6980, algorithm 1; its weight decay goes through the gradient
    row("adam", "Adam", "torch.optim:Adam", *MOMENTS, EPS, NO_DECAY, fused=True),
    row(  # arXiv:2409.03137, algorithm 1
        "ademamix", "AdEMAMix (also remembers long ago)", "pytorch_optimizer:AdEMAMix",
        *MOMENTS, EPS, DECAY, BETA3, SLOW_SHARE, constants=DECOUPLED, state_bytes=12,
    ),
    row(  # arXiv:2411.02853, algorithm 2, clipped as in its section 4
        "adopt", "ADOPT (Adam that converges for any beta 2)", "pytorch_optimizer:ADOPT",
        BETA1, BETA2.but(0.9999, f"{SQUARES} Usual: 0.9999."), NO_DECAY, SMALL_EPS,
        # The library counts the step that only looks at gradients, the paper does not.
        constants={**DECOUPLED, "clip_lambda": lambda step: (step - 1) ** 0.25},
    ),
)  # fmt: skip
LIKE_ADAM = (
    row(  # arXiv:2208.06677, algorithm 1
        "adan", "Adan (learns from how gradients change)", "pytorch_optimizer:Adan",
        EPS, NO_DECAY, *ADAN_BETAS, constants=DECOUPLED, state_bytes=16, rates=(1.0, 10.0),
    ),
    row(  # arXiv:1904.00962, algorithm 2
        "lamb", "LAMB (steps in proportion to each weight)", "pytorch_optimizer:Lamb", *MOMENTS, DECAY, SMALL_EPS,
        # The decay belongs into the step whose length is measured; the gradient is clipped for all optimizers alike;
        # with its bias correction, which comes after the length was set, the first step would be ten times too long.
        constants={"weight_decouple": False, "max_grad_norm": 0.0, "adam_debias": True}, rates=(1.0, 30.0),
    ),
    row(  # arXiv:1908.03265, algorithm 2
        "radam", "RAdam (warms up by itself)", "torch.optim:RAdam",
        *MOMENTS, EPS, NO_DECAY, constants={"decoupled_weight_decay": True},
    ),
    row(  # Dozat, Incorporating Nesterov Momentum into Adam, 2016
        "nadam", "NAdam (Adam that looks ahead)", "torch.optim:NAdam", *MOMENTS, EPS, NO_DECAY,
        Option(
            "momentum_decay", "Momentum decay", 0.004,
            "How fast the first steps' momentum grows to its full size. Usual: 0.004.", {"ge": 0, "le": 1},
        ),
        constants={"decoupled_weight_decay": True},
    ),
    row(  # Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012
        "rmsprop", "RMSprop", "torch.optim:RMSprop", EPS, NO_DECAY, ALPHA,
        MOMENTUM.but(
            0.0,
            "How much of the last step goes into the next one. 0: none. Takes as much memory again. Usual: 0.",
        ),
        Option(
            "centered", "Centred", False,
            "Measures the gradient's size around its mean. Takes as much memory again. Usual: off.", {},
        ),
        state_bytes=4,
    ),
    row(  # Duchi, Hazan and Singer, JMLR 12, 2011
        "adagrad", "Adagrad (steps that only shrink)", "torch.optim:Adagrad", NO_DECAY,
        Option(
            "lr_decay", "Learning rate decay", 0.0,
            "Lowers the learning rate with the steps, beside what the schedule does. 0: off. Usual: 0.",
            {"ge": 0, "le": 1, "zero": "off"},
        ),
        Option(
            "initial_accumulator_value", "Initial accumulator value", 0.0,
            "What the sum of squares begins with. Larger makes the first steps smaller. Usual: 0.",
            {"ge": 0, "le": 100},
        ),
        TINY_EPS, state_bytes=4, rates=(1.0, 100.0),
    ),
)  # fmt: skip

# Little state, and average in place of a falling rate -----------------------------------------------------------------

LION = row(  # arXiv:2302.06675, algorithm 2
    "lion", "Lion", "lion_pytorch:Lion",
    BETA1.but(0.9, "Share of the memory in each update."),
    DECAY.but(0.0, "Pulls the weights towards zero at every step. Lion wants 3 to 10 times AdamW's."), MEMORY,
    state_bytes=4, rates=SIGNS,
)  # fmt: skip
CAME = row(  # arXiv:2307.02047, algorithm 2
    "came", "CAME (Adafactor with confidence)", "pytorch_optimizer:CAME", NO_DECAY,
    BETA1.but(0.9, "How long the running mean of the update remembers. Usual: 0.9."),
    BETA2.but(0.999, "How long the memory of squared gradients lasts. Usual: 0.999."),
    BETA3.but(0.9999, "How long it remembers how much updates differed. Usual: 0.9999."), CLIP, state_bytes=4,
)  # fmt: skip
SCHEDULE_FREE_ADAMW = row(
    "schedule_free_adamw", "Schedule-free AdamW", "schedulefree:AdamWScheduleFree",
    *SCHEDULE_FREE_OPTIONS, BETWEEN, BETA2.but(0.999, SQUARES), **SCHEDULE_FREE,
)  # fmt: skip
SCHEDULE_FREE_OTHERS = (
    row(
        "schedule_free_radam", "Schedule-free RAdam (warms up by itself)", "schedulefree:RAdamScheduleFree",
        *SCHEDULE_FREE_OPTIONS, BETWEEN, BETA2.but(0.999, f"{SQUARES} Its warm-up lasts about 5 steps."),
        # Off: the first steps would be plain SGD at Adam's rate. On: they only gather what Adam needs.
        constants={"silent_sgd_phase": True}, **SCHEDULE_FREE,
    ),
    row(
        "schedule_free_sgd", "Schedule-free SGD", "schedulefree:SGDScheduleFree", *SCHEDULE_FREE_OPTIONS,
        MOMENTUM.but(
            0.9, "Between the average and the newest weights, where gradients are taken. Usual: 0.9.", **NO_ENDS
        ),
        state_bytes=4, is_schedule_free=True, rates=BOLD,
    ),
)  # fmt: skip

# Those that find the learning rate by themselves ----------------------------------------------------------------------

PRODIGY = row(  # arXiv:2306.06101, algorithm 4
    "prodigy", "Prodigy", "prodigyopt:Prodigy", D0, BETA1, DECAY, BETA2.but(0.99, SQUARES), D_COEF, BIAS_CORRECTION,
    Option(
        "safeguard_warmup", "Safeguard warm-up", True, "Keeps a warm-up from spoiling the estimate of the rate.", {}
    ),
    Option(
        "slice_p", "Slice (slice_p)", 1,
        "Estimates from one in this many values of a weight: 11 saves two fifths of its memory and finds nearly the "
        "same. 1: from all.", {"ge": 1, "le": 1000},
    ),
    constants={"decouple": True}, state_bytes=16, **LEARNING_RATE_FREE,
)  # fmt: skip
D_ADAPTATION = (
    row(  # arXiv:2301.07733, algorithm 5, as the authors' third version has it
        "dadapt_adam", "D-Adaptation Adam", "pytorch_optimizer:DAdaptAdam", D0, *MOMENTS, NO_DECAY,
        Option("bias_correction", "Bias correction", False, "Corrects the first steps, as Adam does. Usual: off.", {}),
        constants=DECOUPLED, state_bytes=12, **LEARNING_RATE_FREE,
    ),
    row(  # arXiv:2301.07733 and arXiv:2302.06675
        "dadapt_lion", "D-Adaptation Lion", "pytorch_optimizer:DAdaptLion",
        D0, BETA1, NO_DECAY, MEMORY.but(0.999), constants=DECOUPLED, **LEARNING_RATE_FREE,
    ),
    row(  # arXiv:2301.07733, algorithm 4
        "dadapt_sgd", "D-Adaptation SGD", "pytorch_optimizer:DAdaptSGD",
        D0, MOMENTUM, NO_DECAY, constants=DECOUPLED, state_bytes=12, **LEARNING_RATE_FREE,
    ),
    row(  # arXiv:2301.07733, algorithm 3
        # No weight decay: the library takes it by the rate of the form, 1, and not by the one that it found.
        "dadapt_adagrad", "D-Adaptation Adagrad", "pytorch_optimizer:DAdaptAdaGrad",
        D0, NO_MOMENTUM, state_bytes=12, **LEARNING_RATE_FREE,
    ),
    row(  # arXiv:2301.07733 and arXiv:2208.06677
        # The authors' own: pytorch_optimizer 4.1 takes fourth powers of gradients for squares in this one.
        "dadapt_adan", "D-Adaptation Adan", "dadaptation:DAdaptAdan",
        D0, NO_DECAY, *ADAN_BETAS, state_bytes=20, **LEARNING_RATE_FREE,
    ),
)  # fmt: skip

# State in 8 bits, and state that moves out of a full card -------------------------------------------------------------

ADAMW_8BIT = row(
    "adamw8bit", "AdamW 8-bit", "bitsandbytes.optim:AdamW8bit", *MOMENTS, EPS, DECAY, eight_bit="adamw", state_bytes=2,
)  # fmt: skip
LION_OPTIONS = (BETA1, NO_DECAY, MEMORY)
ADEMAMIX_OPTIONS = (*MOMENTS, EPS, DECAY, BETA3, SLOW_SHARE)
EIGHT_BIT = (
    row(
        "adam8bit", "Adam 8-bit", "bitsandbytes.optim:Adam8bit",
        *MOMENTS, EPS, NO_DECAY, eight_bit="adam", state_bytes=2,
    ),
    row(
        "lion8bit", "Lion 8-bit", "bitsandbytes.optim:Lion8bit",
        *LION_OPTIONS, eight_bit="lion", state_bytes=1, rates=SIGNS,
    ),
    row(
        "ademamix8bit", "AdEMAMix 8-bit", "bitsandbytes.optim:AdEMAMix8bit",
        *ADEMAMIX_OPTIONS, eight_bit="ademamix", state_bytes=3,
    ),
    row(
        "sgd8bit", "SGD 8-bit", "bitsandbytes.optim:SGD8bit",
        MOMENTUM.but(0.9, "How much of the last step goes into the next one. Usual: 0.9.", **NO_ENDS), NO_DECAY,
        eight_bit="sgd", state_bytes=1, rates=BOLD,
    ),
    row(
        "rmsprop8bit", "RMSprop 8-bit", "bitsandbytes.optim:RMSprop8bit",
        EPS, NO_DECAY, ALPHA.but(0.99, **NO_ENDS), eight_bit="rmsprop", state_bytes=1,
    ),
    row(
        "adagrad8bit", "Adagrad 8-bit", "bitsandbytes.optim:Adagrad8bit",
        NO_DECAY, TINY_EPS, eight_bit="adagrad", state_bytes=1, rates=(1.0, 100.0),
    ),
    row(
        "paged_adamw", "AdamW paged (state goes where there is room)", "bitsandbytes.optim:PagedAdamW",
        *MOMENTS, EPS, DECAY, **PAGED,
    ),
    row(
        "paged_adamw8bit", "AdamW 8-bit paged", "bitsandbytes.optim:PagedAdamW8bit",
        *MOMENTS, EPS, DECAY, eight_bit="paged_adamw", state_bytes=2, **PAGED,
    ),
    row(
        "paged_lion8bit", "Lion 8-bit paged", "bitsandbytes.optim:PagedLion8bit",
        *LION_OPTIONS, eight_bit="lion", state_bytes=1, rates=SIGNS, **PAGED,
    ),
    row(
        "paged_ademamix8bit", "AdEMAMix 8-bit paged", "bitsandbytes.optim:PagedAdEMAMix8bit",
        *ADEMAMIX_OPTIONS, eight_bit="ademamix", state_bytes=3, **PAGED,
    ),
)  # fmt: skip
