"""The settings that optimizers have in common, each with its label, its limits and its help text."""

from __future__ import annotations

from typing import Any, NamedTuple

from modules.preset.setting import Setting


class Option(NamedTuple):
    """A setting of an optimizer: an argument of its class."""

    name: str
    label: str
    default: float | bool
    help: str
    about: dict[str, Any]  # limits, unit, what 0 stands for: as in `Setting`
    aliases: str = ""  # what other programs call it, with commas between

    def but(self, default: float | bool, help: str = "", **about: Any) -> Option:
        """The same with another default; another help text and limits where they are given."""
        return self._replace(default=default, help=help or self.help, about=about or self.about)

    @property
    def field(self) -> tuple[type, Any]:
        """Its type and its declaration in a section."""
        texts: dict[str, Any] = {"description": self.help, "aliases": self.aliases}
        setting = Setting(self.default, self.label, level="expert", **texts, **self.about)
        return type(self.default), setting


SHARE: dict[str, Any] = {"ge": 0, "lt": 1}
NO_ENDS: dict[str, Any] = {"gt": 0, "lt": 1}
SQUARES = "How long the running mean of the squared gradient remembers."

BETA1 = Option(
    "beta1", "Beta 1", 0.9,
    "How long the running mean of the gradient remembers: 0.9 about 10 steps. Usual: 0.9.", SHARE, "adam_beta1, betas",
)  # fmt: skip
BETA2 = Option("beta2", "Beta 2", 0.999, f"{SQUARES} Shorter runs like 0.99.", SHARE, "adam_beta2")
BETA3 = Option(
    "beta3", "Beta 3", 0.9999,
    "How long the slow running mean of the gradient remembers: 0.9999 about 10,000 steps. Runs of 1,000 like 0.999.",
    SHARE,
)  # fmt: skip
EPS = Option(
    "eps", "Epsilon", 1e-8,
    "Keeps the division by small numbers in bounds. Usual: as it is.", {"gt": 0, "le": 1}, "adam_epsilon",
)  # fmt: skip
DECAY = Option(
    "weight_decay", "Weight decay", 0.01,
    "Pulls the weights towards zero at every step. 0: off. Usual: 0.01.", {"ge": 0, "le": 10}, "adam_weight_decay",
)  # fmt: skip
NO_DECAY = DECAY.but(
    0.0, "Pulls the weights towards zero at every step. 0: off, the usual choice for this optimizer.",
    ge=0, le=10, zero="off",
)  # fmt: skip
MOMENTUM = Option(
    "momentum", "Momentum", 0.9,
    "How much of the last step goes into the next one. 0: none. Usual: 0.9.", {**SHARE, "zero": "off"},
)  # fmt: skip
ALPHA = Option("alpha", "Alpha", 0.99, f"{SQUARES} Usual: 0.99.", SHARE)
SLOW_SHARE = Option(
    "alpha", "Alpha (slow mean)", 5.0,
    "How much the slow mean counts beside the fast one. Usual: 5; short runs 2.", {"ge": 0, "le": 100},
)  # fmt: skip
CLIP = Option(
    "clip_threshold", "Clip threshold", 1.0, "Maximum size of an update, as a multiple of the usual one.", {"gt": 0}
)
D0 = Option(
    "d0", "Initial D (d0)", 1e-6,
    "The learning rate it begins with. It only ever grows: raise it to 1e-5 if nothing is learnt in the first 100 "
    "steps.",
    {"gt": 0, "le": 1},
)  # fmt: skip
BIAS_CORRECTION = Option("use_bias_correction", "Bias correction", True, "Corrects the first steps, as Adam does.", {})
D_COEF = Option(
    "d_coef", "D coefficient", 1.0,
    "Scales the rate that Prodigy finds. 0.5 for gentler, 2 for bolder training.", {"gt": 0, "le": 100},
)  # fmt: skip
