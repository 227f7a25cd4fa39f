"""One tensor out of the same tensor of several models, in fp32: what the tool for merging asks for, name by name.

Shapes: any, the same for all. `shares` are how much of each model after the first is taken; the first takes the rest
where a method averages. A `base` is what the models were fine-tuned from; what they have learnt is the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from modules.system.seeds import seed_of

PARALLEL = 1e-4  # of a right angle's sine: below it an arc is a line
MEDIAN_STEPS, MEDIAN_CHANGE = 64, 1e-5  # of Weiszfeld's iteration, and how little of the norm ends it


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
    total = 1.0 - sum(mix.shares)
    found = models[0]
    for model, share in zip(models[1:], mix.shares, strict=True):
        total += share
        found = torch.lerp(found, model, share / total if total else 1.0) if share else found
    return found


def add_difference(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """The first model, and of each other what it has learnt: A + share (B - base)."""
    del name
    found = models[0]
    for model, share in zip(models[1:], mix.shares, strict=True):
        found = found + share * (model - _known(base)) if share else found
    return found


def slerp(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """Along the arc from the first to the second: directions turned, lengths averaged (Shoemake 1985)."""
    del base, name
    (one, other), (share,) = models, mix.shares
    lengths = torch.linalg.vector_norm(one), torch.linalg.vector_norm(other)
    if share in (0.0, 1.0) or not all(lengths):
        return torch.lerp(one, other, share)
    a, b = one / lengths[0], other / lengths[1]
    angle = torch.arccos((a * b).sum().clamp(-1, 1))
    if torch.sin(angle) < PARALLEL:
        return torch.lerp(one, other, share)
    turned = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
    return turned * torch.lerp(*lengths, share)


def ties(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """TIES (arXiv:2306.01708): of each difference the largest numbers, of these those with the sign of the most."""
    del name
    base = _known(base)
    shares = torch.tensor([share for _, share in _shared(models, mix)]).view(-1, *[1] * base.dim())
    kept = shares * torch.stack([_largest(model - base, mix.density) for model in models])
    agree = torch.sign(kept) == torch.where(kept.sum(0) >= 0, 1, -1)
    weight = (agree * shares.abs()).sum(0)
    return base + (kept * agree).sum(0) / torch.where(weight > 0, weight, 1)


def dare(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """DARE (arXiv:2311.03099): of each difference some numbers by chance, as much larger as there are fewer."""
    found = base = _known(base)
    for number, (model, share) in enumerate(_shared(models, mix)):
        chance = torch.Generator().manual_seed(seed_of(mix.seed, "dare", name, number))
        kept = torch.rand(base.shape, generator=chance) < mix.density
        found = found + share * (model - base) * kept / mix.density
    return found


def model_stock(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """Model Stock (arXiv:2403.19522): from the base towards the average, as far as the models agree."""
    del mix, name
    base, count = _known(base), len(models)
    learnt = torch.stack([(model - base).flatten() for model in models])
    units = torch.nn.functional.normalize(learnt, dim=1)
    cosines = units @ units.T
    agreement = ((cosines.sum() - cosines.trace()) / max(count * (count - 1), 1)).clamp(0, 1)
    towards = count * agreement / (1 + (count - 1) * agreement)
    return base + towards * learnt.mean(0).view(base.shape)


def geometric_median(models: Sequence[Tensor], base: Tensor | None, mix: Mix, name: str) -> Tensor:
    """The point with the least sum of distances to the models (Weiszfeld's iteration): one odd one moves it little."""
    del base, mix, name
    points = torch.stack([model.flatten() for model in models])
    found = points.mean(0)
    for _ in range(MEDIAN_STEPS):
        distances = torch.linalg.vector_norm(points - found, dim=1).clamp_min(1e-12)
        before, found = found, (points / distances[:, None]).sum(0) / (1 / distances).sum()
        if torch.linalg.vector_norm(found - before) <= MEDIAN_CHANGE * torch.linalg.vector_norm(found):
            break
    return found.view(models[0].shape)


METHODS: dict[str, Combine] = {
    "weighted_sum": weighted_sum, "add_difference": add_difference, "slerp": slerp, "ties": ties, "dare": dare,
    "model_stock": model_stock, "geometric_median": geometric_median,
}  # fmt: skip
NEED_BASE = {"add_difference", "ties", "dare", "model_stock"}


def _shared(models: Sequence[Tensor], mix: Mix) -> list[tuple[Tensor, float]]:
    """Each model and its share; the first has what the others leave, 0 or more."""
    return list(zip(models, (max(0.0, 1.0 - sum(mix.shares)), *mix.shares), strict=True))


def _largest(difference: Tensor, density: float) -> Tensor:
    """So much of it as is farthest from 0; all else is 0."""
    keep = max(1, int(density * prod(difference.shape)))
    if keep >= difference.numel():
        return difference
    kept = difference.abs().flatten().topk(keep).indices
    return torch.zeros_like(difference).flatten().scatter(0, kept, difference.flatten()[kept]).view(difference.shape)


def _known(base: Tensor | None) -> Tensor:
    assert base is not None, "the tool has asked for a base"
    return base
