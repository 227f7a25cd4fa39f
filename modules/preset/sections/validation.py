"""The sections "validation" and "examine": what a run does on other images, and what it forgets."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When
from modules.preset.text.interval import IntervalText

ON = When("validation.enabled", (True,))
EXAMINED = When("examine.enabled", (True,))


class Validation(Section):
    """Validation"""

    enabled: bool = Setting(False, "Validation loss", aliases="eval loss, overfitting, validation")
    """Measures now and then the loss of images that are never trained on, always with the same noise. While it falls
    the model learns; when it rises the model is overfitting: it learns your images by heart. Images: those of
    concepts of the type validation, or else a share of the others."""
    share: float = Setting(0.05, "Validation split", gt=0, le=0.5, level="expert", when=ON, aliases="eval split")
    """Where no concept has the type validation, this share of each training concept is held out: at least one image of
    two. They are not trained on. Usual: 0.05 to 0.1."""
    every: IntervalText = Setting(
        "1 epoch", "Validate every", live=True, widget="interval", when=ON,
        aliases="validate_after, validate_every_n_steps, validate_every_n_epochs, eval_every_n_epochs",
    )  # fmt: skip
    """How often, besides before the first step and at the end: "1 epoch", "100 steps", "never"."""
    times: int = Setting(
        4, "Timesteps per image", ge=1, le=100, level="expert", when=ON, aliases="max_validation_steps"
    )
    """At how many timesteps each image is measured, spread evenly over those that are trained. More measure better and
    take longer. Usual: 4 to 10."""
    weights: Literal["ema", "live"] = Setting("ema", "Weights to validate", level="expert", when=ON)
    """"ema": the weights that are saved: the moving average, if there is one. "live": the weights that are trained."""
    keep_best: bool = Setting(True, "Keep the best model", when=ON, aliases="best checkpoint")
    """Whenever the model is better than before, it is saved as NAME-best, in place of the last best one. The last model
    is saved in any case: no rule is proven to pick the one that you will like best."""
    best_by: Literal["balance", "loss"] = Setting(
        "balance", "Best is", level="expert", when=When("validation.keep_best", (True,))
    )
    """ "balance": the model that has learnt most of the images that it is not trained on, less what it has forgotten;
    where that is not measured, as "loss". "loss": the lowest validation loss. That alone often picks a model that has
    lost much, and with prior images one that has learnt little: it rises while both get better."""
    patience: int = Setting(
        0, "Early stopping patience", ge=0, le=10_000, unit="validations", level="expert", zero="no end", when=ON,
        aliases="early stopping",
    )  # fmt: skip
    """After this many validations without a better one, what the setting below says. 0: nothing. Usual: 0, or 5."""
    then: Literal["tell", "pause", "stop"] = Setting("tell", "After the patience", level="expert", when=ON)
    """ "tell": only a message, and training goes on. "pause": the run waits for you to continue or to stop. "stop": the
    run ends here, with its model. On the command line, where nobody may be watching, "pause" only tells."""


class Examine(Section):
    """Learnt and forgotten"""

    enabled: bool = Setting(
        True, "Measure what is forgotten",
        aliases="catastrophic forgetting, retention, drift, knowledge, overfitting, prior knowledge",
    )  # fmt: skip
    """Compares the model now and then with the base model, on what the base itself draws for prompts that it knows, and
    on some of your images. "Forgotten" is 1 where its answers have changed as much as if the prompt had been taken
    away; "learnt" is how far the loss has fallen. It never changes what is trained. A run that is too short for it goes
    without."""
    prompts: str = Setting(
        "", "Prompts that the base knows", widget="lines", when=EXAMINED,
        aliases="regularization prompts, control prompts, knowledge prompts",
    )  # fmt: skip
    """One a line, eight or so: plain things that the base model draws well and that you do not train. What it does not
    know tells nothing. Empty: those of the model's family."""
    points: Literal["auto", "drawings", "noise"] = Setting("auto", "Points", level="expert", when=EXAMINED)
    """ "drawings": the models are compared on 32 points between what the base draws and noise. "noise": on 16 of pure
    noise, which takes a seventh of the preparation and half of the time. "auto": drawings where the run is long enough.
    Only runs with the same points can be compared."""
    budget: float = Setting(3.0, "Share of the training time", gt=0, le=100, unit="%", level="expert", when=EXAMINED)
    """The most that measuring may take, with its preparation. More gives more points in the chart."""
