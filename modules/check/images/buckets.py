"""What the buckets do to images: enlarge the small ones, cut the odd ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modules.check.context import CheckContext
from modules.check.wording import first_items, part_of
from modules.data.buckets import buckets_of, nearest_buckets
from modules.data.index import Bucket, Index
from modules.errors import UserError
from modules.messages import Finding
from modules.preset.preset import Preset
from modules.sentences.render import fix
from modules.text import percent

ENLARGED = 1.05  # times: less is seen by nobody
MUCH_ENLARGED = 1.5
HUGE = 16  # times the pixels of its bucket
MUCH_CUT = 0.15  # of the area
MOST_BARS = 40

Numbers = np.ndarray


def findings(context: CheckContext, index: Index) -> Iterator[Finding]:
    """Yield what there is to say of an index that has images."""
    yield _overview(index)
    index = index.largest()
    for find in (_enlarged, _cut, _oversized):
        yield from find(context.preset, index)


def _overview(index: Index) -> Finding:
    sizes = {f"{width}x{height}": float(len(rows)) for (height, width), rows in index.bucket_rows().items()}
    return Finding(
        "images.buckets",
        "info",
        "training.resolution",
        {"count": index.images, "buckets": len(sizes)},
        bars=list(sizes.items())[:MOST_BARS],
        unit="images",
    )


# Too small ------------------------------------------------------------------------------------------------------------


def _enlarged(preset: Preset, index: Index) -> Iterator[Finding]:
    scales = _scales(index, index.buckets, index.bucket_numbers)
    small = np.flatnonzero(scales > ENLARGED)
    if not len(small):
        return
    worst = small[np.argsort(-scales[small], kind="stable")]
    much = int((scales > MUCH_ENLARGED).sum())
    resolution = 0 if preset.training.resolutions else _resolution_for(preset, index)
    lower = fix("fix.resolution", {"training.resolution": resolution}, resolution=resolution)
    yield Finding(
        "images.small",
        "warning" if much >= 0.1 * len(index) else "info",
        "training.resolution",
        {**part_of(len(small), len(index)), "times": float(scales[worst[0]])},
        [lower] if resolution else [],
        items=first_items(f"{index.file(int(row))}: enlarged {scales[row]:.1f} times" for row in worst[:20]),
    )


def _resolution_for(preset: Preset, index: Index) -> int:
    """The highest resolution at which none is enlarged; 0 where that is less than half of what is wanted."""
    now = preset.resolution
    step = preset.card.bucket_step if now >= 8 * preset.card.bucket_step else preset.card.size_step
    for resolution in range((now - 1) // step * step, now // 2 - 1, -step):
        smaller = _with_training(preset, resolution=resolution, max_side=0)
        shapes = buckets_of(smaller)
        numbers = nearest_buckets(index.widths, index.heights, shapes)
        if resolution and not (_scales(index, shapes, numbers) > ENLARGED).any():
            return resolution if _allowed(_with_training(preset, resolution=resolution)) else 0
    return 0


def _allowed(preset: Preset) -> bool:
    try:
        buckets_of(preset)
    except UserError:
        return False
    return True


# Cut ------------------------------------------------------------------------------------------------------------------


def _losses(index: Index, shares: Numbers, rows: Numbers) -> list[str]:
    """Files with what is cut off them."""
    return first_items(f"{index.file(int(row))}: loses {percent(float(shares[row]))}" for row in rows[:20])


def _cut(preset: Preset, index: Index) -> Iterator[Finding]:
    """Images that lose much even in the shape that fits them best: hardly any but very long ones."""
    shares = _cut_shares(index, index.buckets, index.bucket_numbers)
    much = np.flatnonzero(shares > MUCH_CUT)
    if not len(much):
        return
    worst = much[np.argsort(-shares[much], kind="stable")]
    yield Finding(
        "images.cut",
        "warning" if len(much) >= 0.1 * len(index) else "info",
        "training.resolution",
        {**part_of(len(much), len(index)), "much": MUCH_CUT, "worst": float(shares[worst[0]])},
        items=_losses(index, shares, worst),
    )


def _oversized(preset: Preset, index: Index) -> Iterator[Finding]:
    pixels = index.widths.astype(np.int64) * index.heights
    areas = np.array([height * width for height, width in index.buckets])[index.bucket_numbers]
    huge = np.flatnonzero(pixels > HUGE * areas)
    if not len(huge):
        return
    order = huge[np.argsort(-pixels[huge], kind="stable")]
    yield Finding(
        "images.huge",
        "info",
        "training.resolution",
        {**part_of(len(huge), len(index)), "times": HUGE, "largest": float(pixels[order[0]]) / 1e6},
        items=first_items(f"{index.file(int(r))}: {index.widths[r]}x{index.heights[r]}" for r in order[:20]),
    )


# Arithmetic -----------------------------------------------------------------------------------------------------------


def _scales(index: Index, shapes: tuple[Bucket, ...], numbers: Numbers) -> Numbers:
    """How many times larger each image becomes, (N,)."""
    sides = np.array(shapes, dtype=np.float64)[numbers]
    return np.maximum(sides[:, 0] / index.heights, sides[:, 1] / index.widths)


def _cut_shares(index: Index, shapes: tuple[Bucket, ...], numbers: Numbers) -> Numbers:
    """The share of each image's area that lies outside its bucket, (N,)."""
    sides = np.array(shapes, dtype=np.float64)[numbers]
    scales = np.maximum(sides[:, 0] / index.heights, sides[:, 1] / index.widths)
    return 1 - sides[:, 0] * sides[:, 1] / (index.heights * scales * index.widths * scales)


def _with_training(preset: Preset, **training: int) -> Preset:
    return preset.model_copy(update={"training": preset.training.model_copy(update=training)})
