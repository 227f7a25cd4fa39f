"""The layers of an adapter, held against autograd, against PEFT and against their own mathematics."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.formats.adapter import merged_weight
from modules.formats.lora import LoraTensors
from modules.methods.lora_update import AdaptedConv, AdaptedLinear, LoraUpdate
from modules.placement.frozen import Dense
from modules.preset.sections.method import Lora

KINDS = ["linear", "no bias", "conv", "strided conv", "pointwise", "pointwise last"]
DORA = ["", "inputs", "outputs"]  # the side of its magnitudes; none without it
BOTH = list(itertools.product(KINDS, DORA))


def layer_and_input(kind: str) -> tuple[Any, Tensor]:
    torch.manual_seed(0)
    if kind in ("linear", "no bias"):
        return nn.Linear(6, 10, bias=kind == "linear"), torch.randn(2, 3, 6)
    if kind == "strided conv":
        return nn.Conv2d(6, 10, 3, stride=2, padding=1), torch.randn(2, 6, 7, 5)
    layer = nn.Conv2d(6, 10, 3, padding=1) if kind == "conv" else nn.Conv2d(6, 10, 1)
    layout = torch.channels_last if kind == "pointwise last" else torch.contiguous_format
    return layer, torch.randn(2, 6, 4, 5).to(memory_format=layout)


def update_for(layer: Any, *, dora: str = "", rank: int = 3, alpha: float = 1.5) -> LoraUpdate:
    layer.requires_grad_(False)
    torch.manual_seed(1)
    down = torch.randn(rank, *layer.weight.shape[1:])
    up = torch.randn(10, rank, *[1] * (layer.weight.dim() - 2))
    update = LoraUpdate(
        layer, LoraTensors.of(down, up, alpha), Lora(dora=bool(dora), dora_axis=dora or "inputs"), torch.float32
    )
    if update.magnitude is not None:
        update.magnitude.data *= torch.rand(update.magnitude.shape) + 0.5
    return update


def like(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight, layer.bias)
    return F.conv2d(x, weight, layer.bias, layer.stride, layer.padding)


@pytest.mark.parametrize(("kind", "dora"), BOTH)
def test_an_adapted_layer_is_the_layer_with_the_merged_weight(kind: str, dora: str) -> None:
    layer, x = layer_and_input(kind)
    update = update_for(layer, dora=dora)
    expected = like(layer, x, merged_weight(layer.weight, update.tensors()))
    update.attach()
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    update.detach()
    assert layer(x).equal(like(layer, x, layer.weight))


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_lora_changes_no_bit(kind: str) -> None:
    layer, x = layer_and_input(kind)
    before = layer(x)
    update = update_for(layer)
    update.up.data.zero_()
    update.attach()
    # A 1x1 convolution over the last channels is computed as a linear layer: the same but for rounding.
    exact = kind != "pointwise last"
    assert layer(x).equal(before) if exact else torch.allclose(layer(x), before, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_dora_changes_nothing_but_rounding(kind: str) -> None:
    layer, x = layer_and_input(kind)
    before = layer(x)
    down = torch.randn(3, *layer.weight.shape[1:])
    tensors = LoraTensors.of(down, torch.zeros(10, 3, *[1] * (layer.weight.dim() - 2)), 1.0)
    LoraUpdate(layer, tensors, Lora(dora=True), torch.float32).attach()
    torch.testing.assert_close(layer(x), before, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_the_linear_function_is_right(masked: bool) -> None:
    torch.manual_seed(0)
    x, down, up = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((2, 3, 4), (2, 4), (5, 2)))
    weight, bias = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    mask = torch.tensor([[[0.0, 2]], [[2, 2]]], dtype=torch.float64) if masked else None
    assert torch.autograd.gradcheck(
        lambda x, d, u: AdaptedLinear.apply(x, Dense(weight), bias, d, u, 0.7, mask), (x, down, up)
    )


@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_the_convolution_is_right(masked: bool) -> None:
    torch.manual_seed(0)
    shapes = ((2, 3, 5, 4), (2, 3, 3, 3), (4, 2, 1, 1))
    x, down, up = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes)
    weight, bias = torch.randn(4, 3, 3, 3, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    mask = torch.tensor([[0.0, 2], [2, 2]], dtype=torch.float64)[:, :, None, None] if masked else None
    how = ((2, 2), (1, 1), (1, 1))
    assert torch.autograd.gradcheck(
        lambda x, d, u: AdaptedConv.apply(x, Dense(weight), bias, d, u, 0.7, mask, how), (x, down, up)
    )


@pytest.mark.parametrize(("kind", "dora"), [(k, d) for k, d in BOTH if d != "inputs"])
def test_outputs_and_gradients_are_those_of_peft(kind: str, dora: str) -> None:
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    layer, x = layer_and_input(kind)
    update = update_for(layer, dora=dora)
    theirs = LoraModel(
        nn.ModuleDict({"it": layer_and_input(kind)[0]}),
        LoraConfig(r=3, lora_alpha=1.5, target_modules=["it"], use_dora=bool(dora)), "default",
    ).model["it"]  # fmt: skip
    theirs.lora_A["default"].weight.data = update.down.data.clone()
    theirs.lora_B["default"].weight.data = update.up.data.clone()
    if dora:
        magnitude = theirs.lora_magnitude_vector["default"].weight
        magnitude.data = update.magnitude.detach().view(magnitude.shape).clone()
    update.attach()
    seen: list[list[Tensor]] = []
    for module, parameters in (
        (layer, list(update.parameters().values())),
        (theirs, [theirs.lora_A["default"].weight, theirs.lora_B["default"].weight, *([magnitude] if dora else [])]),
    ):
        heard = x.clone().requires_grad_()
        out = module(heard)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        seen.append([out, heard.grad, *(p.grad.flatten() for p in parameters)])
    for mine, reference in zip(*seen, strict=True):
        torch.testing.assert_close(mine, reference, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_frozen_layer_gets_no_gradient(kind: str) -> None:
    layer, x = layer_and_input(kind)
    update = update_for(layer)
    update.attach()
    layer(x).sum().backward()
    assert layer.weight.grad is None and all(p.grad is not None for p in update.parameters().values())


@pytest.mark.parametrize(("kind", "dora"), BOTH)
def test_it_computes_in_the_type_of_autocast_and_learns_in_its_own(kind: str, dora: str) -> None:
    layer, x = layer_and_input(kind)
    update = update_for(layer, dora=dora)
    expected = like(layer, x, merged_weight(layer.weight, update.tensors()))
    update.attach()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.3)
    out.float().sum().backward()
    assert update.down.grad.dtype == torch.float32


def test_an_update_in_fp32_fits_a_layer_in_bf16() -> None:
    layer, x = layer_and_input("linear")
    layer = layer.to(torch.bfloat16)
    update = update_for(layer)
    update.attach()
    out = layer(x.to(torch.bfloat16))
    out.sum().backward()
    assert out.dtype == torch.bfloat16 and update.up.grad.dtype == update.up.dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_a_silenced_rank_says_nothing_for_that_image(kind: str) -> None:
    layer, x = layer_and_input(kind)
    update = update_for(layer)
    update.attach()
    layer.train()
    update.mask_BR = torch.tensor([[0.0, 0, 0], [2, 2, 2]])
    out = layer(x)
    frozen = like(layer, x, layer.weight)
    torch.testing.assert_close(out[0], frozen[0])
    twice = merged_weight(layer.weight, update.tensors(), 2.0)
    torch.testing.assert_close(out[1], like(layer, x, twice)[1], rtol=1e-4, atol=1e-5)
    layer.eval()
    torch.testing.assert_close(
        layer(x), like(layer, x, merged_weight(layer.weight, update.tensors())), rtol=1e-5, atol=1e-5
    )


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own doing
def test_torch_compile_sees_one_graph() -> None:
    layer, x = layer_and_input("linear")
    update_for(layer).attach()
    expected = layer(x)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
