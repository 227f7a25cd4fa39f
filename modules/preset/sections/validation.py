"""The section "validation": how wrong the model is about images that it never learns from."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When
from modules.preset.text.interval import IntervalText

ON = When("validation.enabled", (True,))


class Validation(Section):
    """Validation"""

    enabled: bool = Setting(False, "Validate")
    """Measures now and then how wrong the model is about images it never learns from, always with the same noise. While
    that falls the model learns; when it rises the model only learns your images by heart. Images: those of concepts of
    the kind validation, or else a share of the others."""
    share: float = Setting(0.05, "Share held out", gt=0, le=0.5, level="expert", when=ON)
    """Where no concept is of the kind validation, this share of each training concept is held out: at least one image
    of two. They are not learnt from. Usual: 0.05 to 0.1."""
    every: IntervalText = Setting("1 epoch", "Validate every", live=True, widget="interval", when=ON)
    """How often, besides before the first step and at the end: "1 epoch", "100 steps", "never"."""
    times: int = Setting(4, "Times per image", ge=1, le=100, level="expert", when=ON)
    """With how many amounts of noise each image is shown, spread evenly over those that are practised. More tell better
    and take longer. Usual: 4 to 10."""
    weights: Literal["ema", "live"] = Setting("ema", "Weights measured", level="expert", when=ON)
    """"ema": the weights that are saved: the moving average, if there is one. "live": the weights that are trained."""
    keep_best: bool = Setting(True, "Keep the best model", when=ON)
    """Whenever the model was never as good, it is saved as NAME-best, in the place of the last best one."""
    patience: int = Setting(0, "Patience", ge=0, le=10_000, unit="validations", level="expert", zero="no end", when=ON)
    """After so many validations without a better one, what the setting below says. 0: nothing. Usual: 0, or 5."""
    then: Literal["tell", "pause", "stop"] = Setting("tell", "When it is over", level="expert", when=ON)
    """"tell": it is said, and training goes on. "pause": the run waits for you to continue or to stop. "stop": the run
    ends here, with its model. Where nobody watches (the command line), "pause" only tells."""
