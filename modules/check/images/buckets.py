"""What the buckets do to images: enlarge the small ones, cut the odd ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
NAMED = 20  # rows that are looked at for the few that a finding names
TRIED_FIRST = 1000  # rows: where these are enlarged, nobody has to ask all
BLOCK = 1_000_000  # rows at a time: what is worked out on the way to a number takes five times its room

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
    scales = _in_blocks(_scale, index.widths, index.heights, index.buckets, index.bucket_numbers)
    small = np.flatnonzero(scales > ENLARGED)
    if not len(small):
        return
    worst = _largest(scales, small, TRIED_FIRST)
    much = int((scales > MUCH_ENLARGED).sum())
    resolution = 0 if preset.training.resolutions else _resolution_for(preset, index, worst)
    lower = fix("fix.resolution", {"training.resolution": resolution}, resolution=resolution)
    yield Finding(
        "images.small",
        "warning" if much >= 0.1 * len(index) else "info",
        "training.resolution",
        {**part_of(len(small), len(index)), "times": float(scales[worst[0]])},
        [lower] if resolution else [],
        items=first_items(f"{index.file(int(row))}: enlarged {scales[row]:.1f} times" for row in worst[:NAMED]),
    )


def _resolution_for(preset: Preset, index: Index, worst: Numbers) -> int:
    """The highest resolution at which none is enlarged; 0 where that is less than half of what is wanted.

    `worst`: rows that are enlarged most now, to be asked first.
    """
    now = preset.resolution
    step = preset.card.bucket_step if now >= 8 * preset.card.bucket_step else preset.card.size_step
    for resolution in range((now - 1) // step * step, now // 2 - 1, -step):
        smaller = _with_training(preset, resolution=resolution, max_side=0)
        shapes = buckets_of(smaller)
        if resolution and not any(_is_enlarged(index, shapes, rows) for rows in (worst, slice(None))):
            return resolution if _allowed(_with_training(preset, resolution=resolution)) else 0
    return 0


def _is_enlarged(index: Index, shapes: tuple[Bucket, ...], rows: Numbers | slice) -> bool:
    """Whether any of these images would be, in buckets of these shapes."""
    widths, heights = index.widths[rows], index.heights[rows]
    return bool(
        (_in_blocks(_scale, widths, heights, shapes, nearest_buckets(widths, heights, shapes)) > ENLARGED).any()
    )


def _allowed(preset: Preset) -> bool:
    try:
        buckets_of(preset)
    except UserError:
        return False
    return True


# Cut ------------------------------------------------------------------------------------------------------------------


def _losses(index: Index, shares: Numbers, rows: Numbers) -> list[str]:
    """Files with what is cut off them."""
    return first_items(f"{index.file(int(row))}: loses {percent(float(shares[row]))}" for row in rows)


def _cut(preset: Preset, index: Index) -> Iterator[Finding]:
    """Images that lose much even in the shape that fits them best: hardly any but very long ones."""
    shares = _in_blocks(_cut_share, index.widths, index.heights, index.buckets, index.bucket_numbers)
    much = np.flatnonzero(shares > MUCH_CUT)
    if not len(much):
        return
    worst = _largest(shares, much, NAMED)
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
    order = _largest(pixels, huge, NAMED)
    yield Finding(
        "images.huge",
        "info",
        "training.resolution",
        {**part_of(len(huge), len(index)), "times": HUGE, "largest": float(pixels[order[0]]) / 1e6},
        items=first_items(f"{index.file(int(r))}: {index.widths[r]}x{index.heights[r]}" for r in order),
    )


# Arithmetic -----------------------------------------------------------------------------------------------------------


def _largest(values: Numbers, rows: Numbers, count: int) -> Numbers:
    """At most so many of `rows`: those with the largest values, the largest first, of equal ones the first row."""
    if len(rows) > count:
        least = np.partition(values[rows], len(rows) - count)[len(rows) - count]
        rows = rows[values[rows] >= least]
    return rows[np.argsort(-values[rows], kind="stable")][:count]


def _in_blocks(
    work: Callable[[Numbers, Numbers, Numbers], Numbers], widths: Numbers, heights: Numbers, shapes: tuple[Bucket, ...],
    numbers: Numbers,
) -> Numbers:  # fmt: skip
    """`work` of the sides of each image's bucket, (N, 2), its width and its height: a number of each image, (N,)."""
    sides, found = np.array(shapes, dtype=np.float64), np.empty(len(numbers))
    for start in range(0, len(numbers), BLOCK):
        block = slice(start, start + BLOCK)
        found[block] = work(sides[numbers[block]], widths[block], heights[block])
    return found


def _scale(sides_N2: Numbers, widths_N: Numbers, heights_N: Numbers) -> Numbers:
    """How many times larger each image becomes, (N,)."""
    return np.maximum(sides_N2[:, 0] / heights_N, sides_N2[:, 1] / widths_N)


def _cut_share(sides_N2: Numbers, widths_N: Numbers, heights_N: Numbers) -> Numbers:
    """The share of each image's area that lies outside its bucket, (N,)."""
    scales = _scale(sides_N2, widths_N, heights_N)
    return 1 - sides_N2[:, 0] * sides_N2[:, 1] / (heights_N * scales * widths_N * scales)


def _with_training(preset: Preset, **training: int) -> Preset:
    return preset.model_copy(update={"training": preset.training.model_copy(update=training)})
