"""A family in the words of the data: pixels to latents, captions to text, and the keys under which they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from modules.data.index import Bucket
from modules.families import Family
from modules.system.devices import autocast, to_cpu, to_device


class FamilyEncoders:
    """What `modules.data.batches.Encoders` asks for. Keys are worked out once, when they are first wanted."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._image_key = self._text_key = ""

    def image_key(self, size: Bucket) -> str:
        if not self._image_key:
            self._image_key = self.family.fingerprint("vae")
        return f"{self._image_key} in tiles" if self.family.encodes_in_tiles(*size) else self._image_key

    @property
    def text_key(self) -> str:
        if not self._text_key:
            names = self.family.text_encoders
            self._text_key = f"{self.family.options.dtype} " + " ".join(self.family.fingerprint(n) for n in names)
        return self._text_key

    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        return self.family.encode_image(to_device(pixels_B3HW, self.family.options.device))

    @torch.no_grad()
    def encode_text(self, captions: Sequence[str]) -> list[dict[str, Tensor]]:
        with autocast(self.family.options.device, self.family.options.dtype):
            rows = self.family.encode_text(captions).rows()
        copies = [{name: to_cpu(tensor.contiguous()) for name, tensor in row.items()} for row in rows]
        for _, arrived in chain.from_iterable(row.values() for row in copies):  # all are on their way together
            if arrived:
                arrived.synchronize()
        return [{name: copy for name, (copy, _) in row.items()} for row in copies]
