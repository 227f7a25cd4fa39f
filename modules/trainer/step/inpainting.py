"""What an inpainting model is shown in training: a mask, and the image with what the mask hides painted grey.

Shapes: B batch, H W pixel size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from modules.families import Family
from modules.system.devices import to_device
from modules.system.seeds import seed_of

WHOLE = 0.25  # share of masks that hide the whole image, so that drawing from nothing is not forgotten
HALF = 0.5  # an inpainting model knows hidden and not hidden, and nothing between


def inpaint_condition(
    family: Family,
    pixels_B3HW: Tensor,
    seeds: Sequence[int],
    hidden: Sequence[Tensor | None] | None = None,
    shown: Sequence[Tensor | None] | None = None,
) -> Tensor:
    """What an inpainting model is shown of these images, see `Family.inpaint_input`.

    `hidden`: masks of the images' own, (1, H, W) of 0 to 1; where there is none, one comes from the item's seed.
    `shown`: pictures (3, H, W) to be seen in place of the masked image.
    """
    size, device = pixels_B3HW.shape[2:], pixels_B3HW.device
    own = hidden or [None] * len(seeds)
    masks = [
        random_mask(seed_of(seed, "mask"), *size) if mask is None else (mask > HALF).float()
        for seed, mask in zip(seeds, own, strict=True)
    ]
    mask_B1HW = to_device(torch.stack(masks), device)
    seen_B3HW = pixels_B3HW * (1 - mask_B1HW)  # 0 is grey
    if shown and any(picture is not None for picture in shown):
        rows = zip(seen_B3HW, shown, strict=True)
        seen_B3HW = torch.stack([seen if picture is None else to_device(picture, device) for seen, picture in rows])
    return family.inpaint_input(mask_B1HW, seen_B3HW)


def random_mask(seed: int, height: int, width: int) -> Tensor:
    """One to four rectangles, each a tenth to two thirds of the image on a side, or all of it: (1, H, W) of 0 and 1."""
    chance = torch.Generator().manual_seed(seed)
    draws = torch.rand(1 + 4 * 4 + 1, generator=chance).tolist()
    if draws[0] < WHOLE:
        return torch.ones(1, height, width)
    mask = torch.zeros(1, height, width)
    for number in range(1 + int(draws[1] * 4)):
        y, x, h, w = draws[2 + 4 * number : 6 + 4 * number]
        tall, wide = int(height * (0.1 + 0.57 * h)), int(width * (0.1 + 0.57 * w))
        top, left = int(y * (height - tall)), int(x * (width - wide))
        mask[:, top : top + tall, left : left + wide] = 1
    return mask
