"""One tensor out of the same tensor of several models: what the tool for merging asks for, name by name.

Models come as they are stored; the result, and each piece while it is worked on, is in fp32.

Shapes: any, the same for all. `shares` are how much of each model after the first is taken; the first takes the rest
where a method averages. A `base` is what the models were fine-tuned from; what they have learnt is the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modules.system.seeds import seed_of

PARALLEL = 1e-4  # of a right angle's sine: below it an arc is a line
MEDIAN_STEPS, MEDIAN_CHANGE = 64, 1e-6  # of Weiszfeld's iteration, and how little a share changes at its end
PIECE = 2**20  # numbers that are worked on at a time


@dataclass(frozen=True)
class Mix:
    """How much of each model, and what some methods need beside."""

    shares: tuple[float, ...]  # of the second model, the third, ...
    density: float = 0.2  # TIES, DARE: the share of a difference that is kept
    seed: int = 0  # DARE: which of it


Combine = Callable[[Sequence[Tensor], Tensor | None, Mix, str], Tensor]  # models, base, how much, the tensor's name


def weighted_sum(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """The average by shares. Exactly the first model where all shares are 0, exactly another where its share is 1."""
    del base, name

    def some(first: Tensor, *others: Tensor) -> Tensor:
        total, found = 1.0 - sum(mix.shares), first
        for model, share in zip(others, mix.shares, strict=True):
            total += share
            found = torch.lerp(found, model, share / total if total else 1.0) if share else found
        return found

    return _by_pieces(some, *models)


def add_difference(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """The first model, and of each other what it has learnt: A + share (B - base)."""
    del name

    def some(base: Tensor, first: Tensor, *others: Tensor) -> Tensor:
        found = first
        for model, share in zip(others, mix.shares, strict=True):
            found = found + share * (model - base) if share else found
        return found

    return _by_pieces(some, _known(base), *models)


def slerp(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """Along the arc from the first to the second: directions turned, lengths averaged (Shoemake 1985)."""
    (one, other), (share,) = models, mix.shares
    products = _products([one, other])
    lengths = products.diagonal().sqrt()
    if share in (0.0, 1.0) or not all(lengths):
        return weighted_sum(models, base, mix, name)
    angle = torch.arccos((products[0, 1] / lengths.prod()).clamp(-1, 1))
    if torch.sin(angle) < PARALLEL:
        return weighted_sum(models, base, mix, name)
    length = torch.lerp(lengths[0], lengths[1], share) / torch.sin(angle)
    a = float(length * torch.sin((1 - share) * angle) / lengths[0])
    b = float(length * torch.sin(share * angle) / lengths[1])
    return _by_pieces(lambda one, other: a * one + b * other, one, other)


def ties(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """TIES (arXiv:2306.01708): of each difference the largest numbers, of these those with the sign of the most."""
    del name
    shares = [share for _, share in _shared(models, mix)]
    least = [_least_kept(model.float() - _known(base).float(), mix.density) for model in models]

    def some(base: Tensor, *models: Tensor) -> Tensor:
        learnt = [model - base for model in models]
        kept = torch.stack([share * d * (d.abs() >= t) for d, share, t in zip(learnt, shares, least, strict=True)])
        agree = torch.sign(kept) == torch.where(kept.sum(0) >= 0, 1, -1)
        weight = (agree * torch.tensor(shares).abs()[:, None]).sum(0)
        return base + (kept * agree).sum(0) / torch.where(weight > 0, weight, 1)

    return _by_pieces(some, _known(base), *models)


def dare(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """DARE (arXiv:2311.03099): of each difference some numbers by chance, as much larger as there are fewer."""
    chances = [torch.Generator().manual_seed(seed_of(mix.seed, "dare", name, n)) for n in range(len(models))]

    def some(base: Tensor, *models: Tensor) -> Tensor:
        found = base
        for (model, share), chance in zip(_shared(models, mix), chances, strict=True):
            kept = torch.rand(len(base), generator=chance) < mix.density
            found = found + share * (model - base) * kept / mix.density
        return found

    return _by_pieces(some, _known(base), *models)


def model_stock(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """Model Stock (arXiv:2403.19522): from the base towards the average, as far as the models agree."""
    del mix, name
    base, count = _known(base), len(models)
    products = _products(models, base)
    lengths = products.diagonal().sqrt().clamp_min(1e-12)
    cosines = products / (lengths[:, None] * lengths)
    agreement = ((cosines.sum() - cosines.trace()) / max(count * (count - 1), 1)).clamp(0, 1)
    towards = float(count * agreement / (1 + (count - 1) * agreement))
    return _by_pieces(lambda base, *some: base + towards * (sum(m - base for m in some) / count), base, *models)


def geometric_median(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """The point with the least sum of distances to the models: one odd one moves it little.

    By Weiszfeld's iteration. The point is always an average of the models, so that their products are all it needs.
    """
    del base, mix, name
    products, count = _products(models, models[0]), len(models)
    shares = torch.full((count,), 1 / count, dtype=torch.float64)
    for _ in range(MEDIAN_STEPS):
        toward = products @ shares
        distances = (products.diagonal() - 2 * toward + shares @ toward).clamp_min(1e-24).sqrt()
        before, shares = shares, (1 / distances) / (1 / distances).sum()
        if float((shares - before).abs().max()) <= MEDIAN_CHANGE:
            break
    return weighted_sum(models, None, Mix(tuple(shares[1:].tolist())), "")


METHODS: dict[str, Combine] = {
    "weighted_sum": weighted_sum, "add_difference": add_difference, "slerp": slerp, "ties": ties, "dare": dare,
    "model_stock": model_stock, "geometric_median": geometric_median,
}  # fmt: skip
NEED_BASE = {"add_difference", "ties", "dare", "model_stock"}


def _shared(models: Sequence[Tensor], mix: Mix) -> list[tuple[Tensor, float]]:
    """Each model and its share; the first has what the others leave, 0 or more."""
    return list(zip(models, (max(0.0, 1.0 - sum(mix.shares)), *mix.shares), strict=True))


def _by_pieces(some: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Number by number from several tensors, so many at a time that nothing on the way is as large as one of them."""
    flat = [tensor.reshape(-1) for tensor in tensors]
    found = torch.empty(flat[0].shape)
    for start in range(0, len(found), PIECE):
        piece = slice(start, start + PIECE)
        found[piece] = some(*(each[piece].float() for each in flat))
    return found.view(tensors[0].shape)


def _products(models: Sequence[Tensor], start: Tensor | None = None) -> Tensor:
    """The scalar products of models, or of their differences from `start`, (models, models) in fp64."""
    flat = [model.reshape(-1) for model in models]
    found = torch.zeros(len(flat), len(flat), dtype=torch.float64)
    for first in range(0, len(flat[0]), PIECE):
        piece = slice(first, first + PIECE)
        below = 0.0 if start is None else start.reshape(-1)[piece].float()
        points = torch.stack([(each[piece].float() - below).double() for each in flat])
        found += points @ points.T
    return found


def _least_kept(difference: Tensor, density: float) -> float:
    """How far from 0 a number is at least that belongs to so many of the largest."""
    keep = max(1, int(density * difference.numel()))
    if keep >= difference.numel():
        return 0.0
    return float(difference.abs_().flatten().kthvalue(difference.numel() - keep + 1).values)


def _known(base: Tensor | None) -> Tensor:
    assert base is not None, "the tool has asked for a base"
    return base
