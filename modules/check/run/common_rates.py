"""What people use: learning rates by method, family and optimizer, and how often an image is shown.

Sources of the rates (for batches of 1 to 8, AdamW):
- LoRA 1e-4 (kohya-ss sd-scripts, docs/train_network_README; Hugging Face diffusers, examples/text_to_image and
  examples/dreambooth, README of LoRA: 1e-4, "higher than usual"), 5e-5 to 5e-4 in what is shared; text encoders 5e-5
  (kohya-ss), half of it to a tenth.
- Full SD 1 and 2: 1e-5 (diffusers, examples/text_to_image), 1e-6 to 5e-6 (diffusers, examples/dreambooth; the paper of
  DreamBooth, arXiv:2208.12242, section 4). SDXL: 4e-7 (kohya-ss, docs/train_SDXL-en) to 1e-5.
- Embedding: 5e-4 times batch (diffusers, examples/textual_inversion), 5e-3 (AUTOMATIC1111's wiki and the paper,
  arXiv:2208.01618, section 4.1).
Those of other optimizers, in AdamW's, stand with their settings (modules/preset/optimizers):
- Lion: 3 to 10 times lower than AdamW (arXiv:2302.06675, section 5). Prodigy: 1 (arXiv:2306.06101, README).
  Schedule-free AdamW: 1 to 10 times higher (arXiv:2405.15682, README).
- Larger batches: the root of their size, for optimizers of Adam's kind (arXiv:2205.10287).
- Models for less than 256 pixels, such as the one that ships with Seachange, learn at higher rates: its own presets.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

from modules.catalog import RateRange
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, Lokr, LowRank

Kind = Literal["full", "lora", "embedding"]
SMALL_RESOLUTION = 256  # pixels on a side for which a model was made, below which it is a small one
USUAL_BATCH = 8


# 1.2e-5 was found by trial in the SDXL fine-tune of 12.4 million images; for few images it is much.
TEXT: dict[Kind, RateRange] = {"lora": RateRange(5e-6, 5e-5, 2e-4), "full": RateRange(2e-7, 2e-6, 1.2e-5)}
SMALL_MODEL: dict[Kind, RateRange] = {
    "lora": RateRange(1e-4, 1e-3, 4e-3), "full": RateRange(5e-5, 5e-4, 2e-3), "embedding": RateRange(5e-4, 5e-3, 2e-2)
}  # fmt: skip
LEARNING_RATE_FREE = RateRange(0.3, 1.0, 3.0)  # of optimizers that find the rate by themselves

# Showings of one image in a whole run: above, a model begins to repeat the image instead of learning from it.
MAX_USUAL_VIEWS: dict[Kind, int] = {"lora": 250, "full": 120, "embedding": 1000}


def common_rate(preset: Preset, component: str, resolution: int) -> RateRange | None:
    """What people set as learning rate of a part; None for a family or a method of which nothing is known here.

    A LoRA's scale (alpha / rank) counts as well: half of it wants twice the rate. `resolution`: the model's own.
    """
    if preset.optimizer.is_learning_rate_free:
        return LEARNING_RATE_FREE
    kind = "embedding" if component == "words" else kind_of(preset)
    if resolution < SMALL_RESOLUTION:
        usual = SMALL_MODEL.get(kind)
    elif component.startswith("text_encoder"):
        usual = TEXT.get(kind)
    else:
        usual = preset.card.rates.get(kind)
    if usual is None:
        return None
    usual = usual.times(*preset.optimizer.rates)
    batch = preset.training.batch_size * preset.training.accumulation
    usual = usual.times(1.0, sqrt(max(1.0, batch / USUAL_BATCH)))
    scale = 1.0 if component == "words" else scale_of(preset)
    return usual.times(1 / scale, 1 / scale)


def kind_of(preset: Preset) -> Kind:
    """The method, where every kind of adapter is taken for a LoRA: what is known of rates is known of that."""
    method = preset.method
    return "lora" if isinstance(method, Adapter) else method.kind


def scale_of(preset: Preset) -> float:
    """How much an adapter's update counts: alpha / rank; 1 for methods that have no such thing."""
    method = preset.method
    whole = isinstance(method, Lokr) and method.full_matrix
    return method.alpha / method.rank if isinstance(method, LowRank) and not whole else 1.0
