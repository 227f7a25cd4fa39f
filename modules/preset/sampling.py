"""The tab "sampling": images made on the way, to see what has been learnt."""

from __future__ import annotations

from typing import Literal

from modules.preset.interval import IntervalText
from modules.preset.setting import Section, Setting, When

SamplerName = Literal["ddim", "euler", "euler_a", "heun", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde_karras", "unipc"]


class Prompt(Section):
    """Sample"""

    prompt: str = Setting("", "Prompt")
    """What to draw."""
    negative: str = Setting("", "Negative prompt")
    """What to keep away from."""
    seed: int = Setting(42, "Seed", ge=0, lt=2**63)
    """The same seed starts from the same noise, so that images of different steps can be compared."""
    width: int = Setting(0, "Width", ge=0, le=8192, unit="pixels", zero="as trained")
    """0: the resolution of the training."""
    height: int = Setting(0, "Height", ge=0, le=8192, unit="pixels", zero="as trained")
    """0: the resolution of the training."""
    sampler: SamplerName = Setting("euler", "Sampler")
    """The method that removes the noise."""
    steps: int = Setting(20, "Steps", ge=1, le=1000)
    """More are finer and slower. Usual: 20 to 30."""
    guidance: float = Setting(7.0, "Guidance (CFG)", ge=0, le=100)
    """How strictly the prompt is followed. 1: not at all enforced. Usual: 5 to 8."""
    enabled: bool = Setting(True, "Enabled")
    """Off: this one stays in the list and is not drawn."""


class Sampling(Section):
    """Samples"""

    every: IntervalText = Setting("100 steps", "Sample every", live=True, widget="interval")
    """How often images are made: "100 steps", "1 epoch", "10 minutes", "never"."""
    first: bool = Setting(True, "Sample before training")
    """Shows what the model draws before it has learnt anything, to compare with."""
    last: bool = Setting(True, "Sample at the end")
    """Shows what the finished model draws."""
    weights: Literal["ema", "live"] = Setting("ema", "Weights", level="expert", when=When("training.ema", (True,)))
    """Draw with the moving average or with the weights as they are."""
    prompts: tuple[Prompt, ...] = Setting((), "Prompts", max_length=1000)
    """What is drawn each time."""
