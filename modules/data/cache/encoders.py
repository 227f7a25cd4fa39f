"""What data needs of a model, so that it need not know families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from modules.data.index import Bucket

TextEncoding = dict[str, Tensor]


class Encoders(Protocol):
    """What data needs of a model. The keys name all that changes an answer: weights, settings, dtype."""

    def image_key(self, size: Bucket) -> str: ...

    @property
    def text_key(self) -> str: ...

    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        """Pixels, fp32 in [-1, 1] on the CPU, to latents (B, C, h, w) on any device, in the dtype to keep them in."""
        ...

    def encode_text(self, captions: Sequence[str]) -> list[TextEncoding]:
        """A dict of tensors for each caption; lengths may differ."""
        ...
