"""What the denoiser is told beside the latents: the captions as they were read, sizes, and what a family adds.

Shapes: B batch, C latent channels, h w latent size, T tokens, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from modules.system.devices import to_device


@dataclass(frozen=True)
class Condition:
    """What the denoiser gets beside the latents; a family takes of it what it knows. Change it with `replace`."""

    tokens_BTD: Tensor
    mask_BT: Tensor | None = None  # True where there is a token; None where all captions take up equal room
    pooled_BD: Tensor | None = None
    sizes_B6: Tensor | None = None  # original height, width, crop top, left, target height, width in pixels
    inpaint_BChw: Tensor | None = None  # mask and latents of the masked image, for inpainting models
    extras: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])  # (B, ...) each, by the family's own names
    lengths: tuple[int, ...] = ()  # tokens of each caption, as the mask says; () where nobody counted them

    def rows(self) -> list[dict[str, Tensor]]:
        """Each caption's text by itself, without padding, as the cache keeps it."""
        found: list[dict[str, Tensor]] = []
        for i, tokens_TD in enumerate(self.tokens_BTD):
            row = {"tokens": self._text(i, tokens_TD)}
            if self.pooled_BD is not None:
                row["pooled"] = self.pooled_BD[i]
            found.append(row | {name: x[i] for name, x in self.extras.items()})
        return found

    def texts(self) -> list[Tensor]:
        """Each caption's tokens without padding, (T, D), for denoisers that take captions of any lengths."""
        return [self._text(i, tokens_TD) for i, tokens_TD in enumerate(self.tokens_BTD)]

    def _text(self, i: int, tokens_TD: Tensor) -> Tensor:
        if self.lengths:  # no look at the mask, for which a card would wait
            return tokens_TD[: self.lengths[i]]
        return tokens_TD if self.mask_BT is None else tokens_TD[self.mask_BT[i]]

    @classmethod
    def stack(cls, rows: Sequence[Mapping[str, Tensor]]) -> Condition:
        """Captions of any lengths side by side; what padding is needed is masked, so that neighbours change nothing."""
        tokens = [row["tokens"] for row in rows]
        lengths = [len(t) for t in tokens]
        longest, mask_BT = max(lengths), None
        if min(lengths) < longest:
            mask_BT = torch.tensor([[i < n for i in range(longest)] for n in lengths], device=tokens[0].device)
        padded = [torch.nn.functional.pad(t, (0, 0, 0, longest - len(t))) for t in tokens]
        pooled_BD = torch.stack([row["pooled"] for row in rows]) if "pooled" in rows[0] else None
        others = [name for name in rows[0] if name not in ("tokens", "pooled")]
        extras = {name: torch.stack([row[name] for row in rows]) for name in others}
        return cls(torch.stack(padded), mask_BT, pooled_BD, extras=extras, lengths=tuple(lengths))

    def between(self, start: int, end: int) -> Condition:
        """Some of the captions, padded as all of them were."""
        return self._each(lambda _, x: x[start:end], self.lengths[start:end])

    def at(self, rows_N: Tensor) -> Condition:
        """The captions of these rows, padded as all of them were."""
        return self._each(
            lambda _, x: x[rows_N], tuple(self.lengths[i] for i in rows_N.tolist()) if self.lengths else ()
        )

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Condition:
        """The same on another device; in another precision what is neither a size, the guidance nor whole."""

        def moved(name: str, x: Tensor) -> Tensor:
            exact = name in ("sizes_B6", "guidance") or not x.is_floating_point()
            return to_device(x, device, None if exact else dtype)

        return self._each(moved, self.lengths)

    def _each(self, change: Callable[[str, Tensor], Tensor], lengths: tuple[int, ...]) -> Condition:
        """The same with every tensor changed; all of them have a row for each caption."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("extras", "lengths")}
        changed: dict[str, Any] = {name: None if x is None else change(name, x) for name, x in named.items()}
        extras = {name: change(name, x) for name, x in self.extras.items()}
        return Condition(**changed, extras=extras, lengths=lengths)
