"""Nets that enlarge images and are shared as files of weights alone: which one a file is, its weights say.

RRDBNet: ESRGAN (Wang et al. 2018, arXiv 1809.00219, section 3.1), in its own names and in Real-ESRGAN's (2021, arXiv
2107.10833), which folds the pixels of 2x2 or 4x4 squares into channels first where it enlarges less than 4 times.
Compact: Real-ESRGAN's small net for videos and drawings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.errors import UserError

SLOPE = 0.2
DENSE_LAYERS = 5
KEEP = 0.2  # of what a block adds

BLOCK, OLD_BLOCK = re.compile(r"body\.(\d+)\.rdb1\."), re.compile(r"model\.1\.sub\.(\d+)\.RDB1\.")

Tensors = Mapping[str, Tensor]


def net_of(tensors: Tensors, name: str) -> tuple[nn.Module, int]:
    """The net that has these weights, and how many times it enlarges.

    Raises:
        UserError: they are of no net that is known.
    """
    own = _in_new_names(tensors) if "model.0.weight" in tensors else dict(tensors)
    try:
        if "conv_first.weight" in own:
            first, blocks = own["conv_first.weight"], _count(own, BLOCK)
            grown = own["body.0.rdb1.conv1.weight"].shape[0]
            ups = 2 if "conv_up2.weight" in own else 1 if "conv_up1.weight" in own else 0
            fold = isqrt(first.shape[1] // 3)
            net: nn.Module = RrdbNet(first.shape[0], grown, blocks, ups, fold)
            scale = 2**ups // fold
        else:
            last = max(int(key.split(".")[1]) for key in own if re.fullmatch(r"body\.\d+\.weight", key))
            features, out = own["body.0.weight"].shape[0], own[f"body.{last}.weight"].shape[0]
            scale = isqrt(out // 3)
            net = Compact(features, (last - 2) // 2, scale)
        net.load_state_dict(own)
    except (KeyError, ValueError, IndexError, RuntimeError, ZeroDivisionError) as error:
        raise UserError("upscaler.unknown", "upscaler", file=name) from error
    if scale < 1:
        raise UserError("upscaler.unknown", "upscaler", file=name)
    return net.eval(), scale


class _DenseBlock(nn.Module):
    def __init__(self, features: int, grown: int) -> None:
        super().__init__()
        for number in range(DENSE_LAYERS):
            last = number == DENSE_LAYERS - 1
            conv = nn.Conv2d(features + number * grown, features if last else grown, 3, padding=1)
            setattr(self, f"conv{number + 1}", conv)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for number in range(1, DENSE_LAYERS):
            seen.append(functional.leaky_relu(getattr(self, f"conv{number}")(torch.cat(seen, 1)), SLOPE))
        added: Tensor = getattr(self, f"conv{DENSE_LAYERS}")(torch.cat(seen, 1))
        return x + added * KEEP


class _Block(nn.Module):
    def __init__(self, features: int, grown: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_DenseBlock(features, grown) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.rdb3(self.rdb2(self.rdb1(x))) * KEEP


class RrdbNet(nn.Module):
    """(n, 3, h, w) to (n, 3, h * scale, w * scale), both from 0 to 1; scale is 2 ** ups / fold."""

    def __init__(self, features: int, grown: int, blocks: int, ups: int, fold: int) -> None:
        super().__init__()
        self._fold, self._ups = fold, ups
        self.conv_first = nn.Conv2d(3 * fold * fold, features, 3, padding=1)
        self.body = nn.Sequential(*(_Block(features, grown) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        for number in range(1, ups + 1):
            setattr(self, f"conv_up{number}", nn.Conv2d(features, features, 3, padding=1))
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_first(functional.pixel_unshuffle(x, self._fold) if self._fold > 1 else x)
        x = x + self.conv_body(self.body(x))
        for number in range(1, self._ups + 1):
            x = functional.leaky_relu(
                getattr(self, f"conv_up{number}")(functional.interpolate(x, scale_factor=2.0, mode="nearest")), SLOPE
            )
        return self.conv_last(functional.leaky_relu(self.conv_hr(x), SLOPE))


class Compact(nn.Module):
    """As `RrdbNet`; convolutions with PReLU, whose result is added to the enlarged image."""

    def __init__(self, features: int, convolutions: int, scale: int) -> None:
        super().__init__()
        self._scale = scale
        layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1), nn.PReLU(features)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(features, features, 3, padding=1), nn.PReLU(features)]
        self.body = nn.Sequential(*layers, nn.Conv2d(features, 3 * scale * scale, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        enlarged = functional.interpolate(x, scale_factor=float(self._scale), mode="nearest")
        return enlarged + functional.pixel_shuffle(self.body(x), self._scale)


def _in_new_names(tensors: Tensors) -> dict[str, Tensor]:
    """ESRGAN's first files number their layers: 0, the blocks in 1, then one for each doubling, and the last two."""
    blocks = _count(tensors, OLD_BLOCK)
    behind = sorted({int(key.split(".")[1]) for key in tensors if re.fullmatch(r"model\.\d+\.weight", key)})[1:]
    named = {"model.0": "conv_first", f"model.1.sub.{blocks}": "conv_body"}
    named |= {f"model.{number}": f"conv_up{up}" for up, number in enumerate(behind[:-2], 1)}
    named |= {f"model.{number}": name for number, name in zip(behind[-2:], ("conv_hr", "conv_last"), strict=True)}
    found: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        inside = re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)", key)
        owner, _, kind = key.rpartition(".")
        if inside:
            found[f"body.{inside[1]}.rdb{inside[2]}.conv{inside[3]}.{inside[4]}"] = tensor
        else:
            found[f"{named[owner]}.{kind}"] = tensor
    return found


def _count(tensors: Tensors, pattern: re.Pattern[str]) -> int:
    return 1 + max(int(match[1]) for key in tensors if (match := pattern.match(key)))
