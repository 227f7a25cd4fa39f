"""The denoiser as samples ask it: with the prompt, without it, and with its self-attention perturbed (PAG, SEG).

Perturbations are a row each. The layers' own processors are swapped for the call and put back: no weight, adapter or
mode of the denoiser changes.

Shapes: B images drawn together, C latent channels, h w size of the latents or of the places, N places, D width,
H heads, d width of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.catalog import FamilyCard
from modules.diffusion.guidance import Guidance
from modules.diffusion.solvers import Moment
from modules.errors import UserError
from modules.families import Condition, Family
from modules.system.devices import autocast

INSIDE = ".to_v.weight"  # what every attention has


@dataclass(frozen=True)
class AttentionPerturbation:
    """How a self-attention is weakened."""

    blur: float  # of SEG, in places; 0: all is one
    size_hw: tuple[int, int]  # of the latents


def identity(attention: Any, x_BND: Tensor, perturbation: AttentionPerturbation) -> Tensor:
    """PAG: every place looks at itself alone (arXiv:2403.17377, eq. 13)."""
    del perturbation
    return attention.to_out[0](attention.to_v(x_BND))


def blurred(attention: Any, x_BND: Tensor, perturbation: AttentionPerturbation) -> Tensor:
    """SEG: what places ask for is blurred over the picture (arXiv:2408.00760, section 3.3)."""
    q_BND = _blurred(attention.to_q(x_BND), perturbation)
    q, k, v = (_heads(each, attention.heads) for each in (q_BND, attention.to_k(x_BND), attention.to_v(x_BND)))
    seen_BHNd = F.scaled_dot_product_attention(q, k, v)
    return attention.to_out[0](seen_BHNd.transpose(1, 2).flatten(2).to(x_BND.dtype))


PERTURBATIONS: dict[str, Callable[[Any, Tensor, AttentionPerturbation], Tensor]] = {"pag": identity, "seg": blurred}


def attention_layers(card: FamilyCard, names: Iterable[str], wanted: str) -> list[str]:
    """The self-attentions among a denoiser's weights that `wanted` names, as paths of modules.

    Raises:
        UserError: there are none.
    """
    ending, groups = f"{card.self_attention}{INSIDE}", card.attention_groups
    if not card.self_attention:
        raise UserError("perturbation.no-attention", type=card.title)
    known = [name.removesuffix(INSIDE) for name in names if name.endswith(ending)]
    starts = [groups.get(start, start) for part in wanted.split(",") if (start := part.strip())]
    found = [path for path in known if any(path == s or path.startswith(f"{s}." if s else "") for s in starts)]
    if not found:
        raise UserError(
            "perturbation.no-layer",
            wanted=wanted,
            groups=list(groups),
            example=known[0] if known else next(iter(groups.values())),
        )
    return found


@contextmanager
def perturbed_attention(
    denoiser: nn.Module, layers: Iterable[str], kind: str, perturbation: AttentionPerturbation
) -> Generator[None]:
    """Weaken these self-attentions while it lasts."""
    modules: list[Any] = [denoiser.get_submodule(path) for path in layers]
    own_processors = [module.processor for module in modules]
    weak = PERTURBATIONS[kind]

    def processor(attention: Any, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        return weak(attention, hidden_states, perturbation)

    for module in modules:
        module.processor = processor
    try:
        yield
    finally:
        for module, own in zip(modules, own_processors, strict=True):
            module.processor = own


def _heads(x_BND: Tensor, heads: int) -> Tensor:
    return x_BND.unflatten(2, (heads, -1)).transpose(1, 2)


def _blurred(x_BND: Tensor, perturbation: AttentionPerturbation) -> Tensor:
    if not perturbation.blur:
        return x_BND.mean(dim=1, keepdim=True).expand_as(x_BND)
    height, width = _places(x_BND.shape[1], perturbation.size_hw)
    x_BhwD = x_BND.unflatten(1, (height, width))
    down, across = (_gauss(size, perturbation.blur).to(x_BND) for size in (height, width))
    return torch.einsum("ij,kl,bjld->bikd", down, across, x_BhwD).flatten(1, 2)


def _gauss(size: int, width: float) -> Tensor:
    """Row i: the weights of a Gaussian around place i, which sum to one also at the border."""
    place = torch.arange(size, dtype=torch.float64)
    weights = torch.exp(-((place[:, None] - place) ** 2) / (2 * width**2))
    return weights / weights.sum(dim=1, keepdim=True)


def _places(count: int, size_hw: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the places at this depth: each halving rounds up."""
    height, width = size_hw
    while height * width > count:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != count:
        raise ValueError(f"{count} places do not come from latents of {size_hw}")
    return height, width


@dataclass
class GuidedDenoiser:
    """The denoiser as a group of prompts asks it: with and without the prompt, and weakened, as the guidance wants."""

    family: Family
    guidance: Guidance
    condition: Condition  # of the prompts; after them, where they are heard, of the negative ones
    count: int  # images
    layers: Sequence[str]  # self-attentions to weaken
    kind: str
    perturbation: AttentionPerturbation
    moment: Moment = field(default_factory=lambda: Moment(0.0))

    def set_moment(self, moment: Moment) -> None:
        self.moment = moment

    def predict(self, noisy_BChw: Tensor, time_B: Tensor) -> Tensor:
        """One answer for each image."""
        guidance, moment = self.guidance, self.moment
        unconditional = perturbed = None
        if guidance.needs_unconditional(moment):
            both = self._predict(torch.cat([noisy_BChw] * 2), torch.cat([time_B] * 2), self.condition)
            conditional, unconditional = both.chunk(2)
        else:
            conditional = self._predict(noisy_BChw, time_B, self.condition.between(0, self.count))
        if guidance.needs_perturbed(moment):
            with perturbed_attention(self.family.denoiser, self.layers, self.kind, self.perturbation):
                perturbed = self._predict(noisy_BChw, time_B, self.condition.between(0, self.count))
        return guidance.combine(moment, conditional, unconditional, perturbed)

    def _predict(self, noisy: Tensor, time: Tensor, condition: Condition) -> Tensor:
        with autocast(self.family.options.device, self.family.options.dtype):
            return self.family.predict(noisy, time, condition).float()
