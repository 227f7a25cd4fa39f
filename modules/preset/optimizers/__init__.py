"""Optimizers: a class of settings each, over a well-kept library. Adding one is adding a class and naming it here."""

from modules.preset.optimizers.adaptive import ADOPT, LAMB, Adagrad, Adam, AdamW, Adan, AdEMAMix, NAdam, RAdam, RMSprop
from modules.preset.optimizers.eight_bit import (
    Adagrad8bit,
    Adam8bit,
    AdamW8bit,
    AdEMAMix8bit,
    Lion8bit,
    PagedAdamW,
    PagedAdamW8bit,
    PagedAdEMAMix8bit,
    PagedLion8bit,
    RMSprop8bit,
    SGD8bit,
)
from modules.preset.optimizers.factored import CAME, Adafactor
from modules.preset.optimizers.optimizer import Optimizer
from modules.preset.optimizers.other import Other
from modules.preset.optimizers.plain import SGD, Lion, Muon
from modules.preset.optimizers.rate_free import (
    DAdaptAdagrad,
    DAdaptAdam,
    DAdaptAdan,
    DAdaptLion,
    DAdaptSGD,
    Prodigy,
    ProdigyScheduleFree,
)
from modules.preset.optimizers.schedule_free import ScheduleFreeAdamW, ScheduleFreeRAdam, ScheduleFreeSGD

# In the order of the form: what most people take first.
AnyOptimizer = (
    AdamW
    | AdamW8bit
    | Adafactor
    | Prodigy
    | Lion
    | CAME
    | ScheduleFreeAdamW
    | ProdigyScheduleFree
    | Adam
    | AdEMAMix
    | ADOPT
    | Muon
    | Adan
    | LAMB
    | RAdam
    | NAdam
    | RMSprop
    | Adagrad
    | SGD
    | ScheduleFreeRAdam
    | ScheduleFreeSGD
    | DAdaptAdam
    | DAdaptLion
    | DAdaptSGD
    | DAdaptAdagrad
    | DAdaptAdan
    | Adam8bit
    | Lion8bit
    | AdEMAMix8bit
    | SGD8bit
    | RMSprop8bit
    | Adagrad8bit
    | PagedAdamW
    | PagedAdamW8bit
    | PagedLion8bit
    | PagedAdEMAMix8bit
    | Other
)

__all__ = [
    "ADOPT",
    "CAME",
    "LAMB",
    "SGD",
    "AdEMAMix",
    "AdEMAMix8bit",
    "Adafactor",
    "Adagrad",
    "Adagrad8bit",
    "Adam",
    "Adam8bit",
    "AdamW",
    "AdamW8bit",
    "Adan",
    "AnyOptimizer",
    "DAdaptAdagrad",
    "DAdaptAdam",
    "DAdaptAdan",
    "DAdaptLion",
    "DAdaptSGD",
    "Lion",
    "Lion8bit",
    "Muon",
    "NAdam",
    "Optimizer",
    "Other",
    "PagedAdEMAMix8bit",
    "PagedAdamW",
    "PagedAdamW8bit",
    "PagedLion8bit",
    "Prodigy",
    "ProdigyScheduleFree",
    "RAdam",
    "RMSprop",
    "RMSprop8bit",
    "SGD8bit",
    "ScheduleFreeAdamW",
    "ScheduleFreeRAdam",
    "ScheduleFreeSGD",
]
