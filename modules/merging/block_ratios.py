"""Ratios by block as they are written, drawn and computed: names of blocks, curves, "IN00-IN05=0.2". No torch.

U-Nets         IN00 ... MID ... OUT00 ..., by the numbers of the original files, which is how most advice names them
transformers   00, 01, ..., counted through all stacks in the order in which they are run
both           BASE: embeddings of time and size, the ends of the net; TE: the text encoders; VAE
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import cos, pi
from typing import Any

from modules.errors import UserError

BASE, TEXT, VAE = "BASE", "TE", "VAE"
RANGE = re.compile(r"([A-Z]*\d*)(?:-([A-Z]*\d+))?")
LARGEST_RATIO = 10.0
STACKS = {"n_refiner_layers": 2, "n_layers": 1, "num_layers": 1, "num_single_layers": 1}  # in configs, how often

# A curve gives for each place in the net (0: the first block, 1: the last) what the ratio is multiplied with.
CURVES = {
    "flat": lambda x: 1.0,
    "inputs more": lambda x: 1.0 + cos(pi * x),
    "outputs more": lambda x: 1.0 - cos(pi * x),
    "middle more": lambda x: 1.0 - cos(2 * pi * x),
    "ends more": lambda x: 1.0 + cos(2 * pi * x),
}  # fmt: skip
USUAL = {"add_difference": 1.0, "model_stock": 1.0, "geometric_median": 1.0}  # ratios; of others an equal share


def usual_ratio(method: str, models: int) -> float:
    """Of each model after the first, where nobody gives one."""
    return USUAL.get(method, 1 / max(1, models))


def on_curve(curve: str, ratio: float, names: Sequence[str]) -> dict[str, float]:
    """The ratio of each block on a curve around it, from 0 to 1; none on a flat one."""
    if curve == "flat":
        return {}
    last = max(1, len(names) - 1)
    return {name: min(1.0, max(0.0, ratio * CURVES[curve](place / last))) for place, name in enumerate(names)}


def overall_ratios(text: str) -> tuple[float, ...]:
    """Those of the models after the first, as they are written: "0.3", "0.3, 0.2".

    Raises:
        UserError: one is not a number.
    """
    try:
        found = tuple(float(part) for part in re.split(r"[,;\s]+", text.strip()) if part)
    except ValueError:
        raise UserError("merge.ratio", "ratio", text=text) from None
    if any(abs(ratio) > LARGEST_RATIO or ratio != ratio for ratio in found):  # noqa: PLR0124 - NaN
        raise UserError("merge.ratio", "ratio", text=text)
    return found


def at_ratio(text: str, blocks: str, ratio: float, usual: float, names: Sequence[str]) -> tuple[str, str]:
    """Both texts with another first ratio: those of other models and of single blocks change in proportion.

    Args:
        usual: what an empty text means.

    Raises:
        UserError: one of them cannot be read.
    """
    before = overall_ratios(text) or (usual,)
    grows = ratio / before[0] if before[0] else 0.0
    others = [ratio, *(each * grows if before[0] else ratio for each in before[1:])]
    own = {name: min(1.0, each * grows) if before[0] else each for name, each in ratios_in(blocks, names).items()}
    return ", ".join(f"{each:g}" for each in others), written(own, names)


def block_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The blocks of a denoiser with this config, in the order in which they are run; without BASE."""
    if "down_block_types" in config:
        per_level = int(config.get("layers_per_block", 2)) + 1
        numbers = range(len(config["down_block_types"]) * per_level)
        return (*(f"IN{n:02}" for n in numbers), "MID", *(f"OUT{n:02}" for n in numbers))
    return tuple(f"{n:02}" for n in range(sum(int(config.get(key) or 0) * often for key, often in STACKS.items())))


def ratios_in(text: str, names: Sequence[str]) -> dict[str, float]:
    """Ratios as they are written: "IN00-IN05=0.2, MID=0.5, OUT08=0.9". `names`: without BASE and TE.

    Raises:
        UserError: that is no block of this model, or no number.
    """
    found: dict[str, float] = {}
    for entry in filter(None, re.split(r"[,;\s]+", text.strip())):
        place, _, number = entry.partition("=")
        try:
            ratio = float(number)
        except ValueError:
            raise UserError("blocks.number", "blocks", entry=entry) from None
        found |= dict.fromkeys(_range(place.upper(), names), ratio)
    return found


def written(ratios: Mapping[str, float], names: Sequence[str]) -> str:
    """The text of these ratios: neighbours of one kind of name with equal ratios together."""
    runs: list[tuple[str, str, float]] = []  # first and last block
    ordered, last = [BASE, TEXT, *names], ""
    for name in ordered:
        if name not in ratios:
            last = ""
            continue
        start, _, ratio = runs[-1] if runs else ("", "", 0.0)
        if last and ratio == ratios[name] and last[-1].isdigit() and _stem(last) == _stem(name):
            runs[-1] = (start, name, ratio)
        else:
            runs.append((name, name, ratios[name]))
        last = name
    return ", ".join(f"{first if first == end else f'{first}-{end}'}={ratio:g}" for first, end, ratio in runs)


def _stem(name: str) -> str:
    return name.rstrip("0123456789")


def _range(place: str, names: Sequence[str]) -> Iterator[str]:
    known, match = [BASE, TEXT, *names], RANGE.fullmatch(place)
    first, last = (match[1], match[2] or match[1]) if match else ("", "")
    if first not in known or last not in known or known.index(first) > known.index(last):
        raise UserError("blocks.none", "blocks", place=place, first=names[0], last=names[-1])
    yield from known[known.index(first) : known.index(last) + 1]
