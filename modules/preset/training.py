"""The tab "training": how long, how much at once, at which rate, and which parts."""

from __future__ import annotations

from typing import Literal

from modules.preset.interval import IntervalText
from modules.preset.setting import Section, Setting, When


class DenoiserPart(Section):
    """Denoiser (U-Net)"""

    train: bool = Setting(True, "Train")
    """The part that paints. Off only to train a text encoder alone."""
    learning_rate: float = Setting(0.0, "Learning rate", ge=0, le=10, level="expert", zero="as above")
    """For this part alone. 0: the learning rate above."""
    stop_after: IntervalText = Setting("never", "Stop training after", level="expert", widget="interval")
    """Freeze this part after so many steps or epochs: "500 steps", "3 epochs", "never"."""


class TextEncoderPart(Section):
    """Text encoder"""

    train: bool = Setting(False, "Train")
    """The part that reads captions. Training it learns new words better, needs more memory, and forgets faster."""
    learning_rate: float = Setting(0.0, "Learning rate", ge=0, le=10, level="expert", zero="as above")
    """For this part alone; usual is a third to a tenth of the denoiser's. 0: the learning rate above."""
    stop_after: IntervalText = Setting("never", "Stop training after", level="expert", widget="interval")
    """Freeze this part after so many steps or epochs: "500 steps", "3 epochs", "never"."""


class Training(Section):
    """Run length and step"""

    steps: int = Setting(0, "Steps", ge=0, unit="steps", zero="epochs decide")
    """End after exactly so many steps. 0: epochs decide."""
    epochs: int = Setting(20, "Epochs", ge=1, unit="epochs", when=When("training.steps", (0,)))
    """How many times every image is shown. Counts only where no steps are given."""
    batch_size: int = Setting(2, "Batch size", ge=1, le=4096, unit="images")
    """Images that are learnt from at once. Larger is smoother and needs more memory."""
    accumulation: int = Setting(1, "Accumulation", ge=1, le=4096, unit="batches", level="expert")
    """Batches that make one step: the effect of a larger batch at the price of time instead of memory."""
    learning_rate: float = Setting(1e-4, "Learning rate", gt=0, le=10)
    """The size of each update. LoRA: about 1e-4. Full fine-tune: about 1e-5. Embedding: about 5e-3. Prodigy: 1."""
    resolution: int = Setting(0, "Resolution", ge=0, le=8192, unit="pixels", zero="what the model was made for")
    """Images are resized to the area of a square of this side, in buckets of their own shape. 0: what the model was
    made for."""
    max_side: int = Setting(
        0, "Longest side of a bucket", ge=0, le=16384, unit="pixels", level="expert", zero="twice the resolution"
    )
    """No bucket has a longer side. 0: twice the resolution."""
    weights: Literal["fp32", "bf16"] = Setting("fp32", "Trained weights", level="expert")
    """How trained weights are held. bf16 takes half the memory; small updates survive because they are rounded at
    random (stochastic rounding)."""
    clip_gradients: float = Setting(1.0, "Clip gradients", ge=0, level="expert", zero="off")
    """Longest allowed gradient; longer ones are shortened. 0: off. Usual: 1."""
    gradient_checkpointing: bool = Setting(False, "Gradient checkpointing")
    """Computes some things twice to save much memory; about a quarter slower."""
    ema: bool = Setting(False, "Moving average of weights (EMA)", level="expert")
    """Keeps an average of the weights beside them. It is smoother than the last weights, and is what is sampled and
    saved."""
    ema_decay: float = Setting(0.999, "EMA decay", ge=0, lt=1, level="expert", when=When("training.ema", (True,)))
    """How slowly the average follows. 0.999 looks back about 1,000 steps, 0.99 about 100."""
    denoiser: DenoiserPart = DenoiserPart()
    text_encoder_1: TextEncoderPart = TextEncoderPart()
    text_encoder_2: TextEncoderPart = TextEncoderPart()
