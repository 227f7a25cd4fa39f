"""Packed weights: how exact, how small, and what is kept of them between the way there and the way back."""

from __future__ import annotations

import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modules.families import LoadOptions, family_class
from modules.formats.adapter import merged_weight
from modules.formats.adapter_files import read_adapter
from modules.formats.checkpoint import Link, Renamed
from modules.methods.adapter import UPDATES
from modules.methods.update import Update
from modules.placement.frozen import KINDS, Fp8Weight, Int8Weight, Packed, W8A8Weight
from modules.placement.holding import Holding
from modules.placement.layers import is_packed, linear, packable_weights, put_packed, weight_of
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.sections.method import Loha, Lokr, Lora, Oft
from modules.system.bundled import resolve
from modules.system.weights import open_weights
from modules.trainer import preparation
from modules.trainer.preparation import load_options
from modules.trainer.sampling.lora_overlay import with_loras
from tests.tiny import tiny_sd
from tests.trainer.runs import STARTER, end_of, model_of, run, values

# The 16 values of arXiv:2305.14314, appendix E
NF4 = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])  # fmt: skip
ADAPTERS: dict[str, Any] = {
    "lora": Lora(rank=2), "lora dropped": Lora(rank=2), "dora": Lora(rank=2, dora=True),
    "dora outputs": Lora(rank=2, dora=True, dora_axis="outputs"), "loha": Loha(rank=2), "lokr": Lokr(rank=2),
    "oft": Oft(block_size=4),
}  # fmt: skip


def layer_of(shape: tuple[int, ...]) -> nn.Linear | nn.Conv2d:
    torch.manual_seed(0)
    if len(shape) == 2:
        layer: nn.Linear | nn.Conv2d = nn.Linear(shape[1], shape[0])
    else:
        layer = nn.Conv2d(shape[1], shape[0], shape[2], padding=shape[2] // 2)
        layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    return layer.requires_grad_(False).bfloat16()


def packed_layer(kind: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """A packed layer, and a dense one that holds what the packed one unpacks."""
    packed, dense = layer_of(shape), layer_of(shape)
    put_packed(packed, KINDS[kind].of(packed.weight, torch.bfloat16))
    dense.weight.data = packed.weight
    return packed, dense


def input_of(shape: tuple[int, ...]) -> Tensor:
    torch.manual_seed(1)
    size = (2, 5, shape[1]) if len(shape) == 2 else (2, shape[1], 6, 5)
    x = torch.randn(size).bfloat16()
    return x if len(shape) == 2 else x.contiguous(memory_format=torch.channels_last)


SHAPES = [(16, 32), (16, 32, 3, 3), (16, 32, 1, 1)]


@pytest.mark.parametrize(("kind", "error", "bytes_each"), [("int8", 0.008, 1.13), ("nf4", 0.1, 0.57)])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_packed_weight_is_small_and_near(kind: str, error: float, bytes_each: float, shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape)
    weight = weight.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else weight
    packed = KINDS[kind].of(weight, torch.bfloat16)
    found = packed.unpack(torch.float32)
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    assert found.is_contiguous(memory_format=layout)
    assert 0 < torch.linalg.vector_norm(found - weight) / torch.linalg.vector_norm(weight) < error
    assert sum(buffer.nbytes for buffer in packed.buffers()) <= bytes_each * weight.numel()


def test_int8_is_rounded_to_the_nearest_step_and_once_more_to_the_dtype() -> None:
    weight = torch.randn(4, 64) * torch.tensor([[1.0], [1e-3], [0.0], [1e3]])
    packed = Int8Weight.of(weight, torch.bfloat16)
    assert isinstance(packed, Int8Weight)
    exact = packed.held()["values"].float() * packed.held()["scale"]
    assert torch.all((exact - weight).abs() <= packed.held()["scale"] * 0.5001)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert torch.equal(packed.unpack(dtype), exact.to(dtype))


def test_nf4_is_the_nearest_of_its_sixteen_values() -> None:
    blocks = torch.randn(8, 64)
    scale = blocks.abs().amax(1, keepdim=True)
    nearest = NF4[(blocks[..., None] / scale[..., None] - NF4).abs().argmin(-1)] * scale
    found = KINDS["nf4"].of(blocks.view(16, 32), torch.float32).unpack(torch.float32).view(8, 64)
    torch.testing.assert_close(found, nearest, rtol=1e-4, atol=1e-4)


def adapted(layer: Any, name: str) -> Update[Any]:
    settings = ADAPTERS[name]
    kind: Any = UPDATES[settings.kind]
    update = kind(
        layer, kind.initial_tensors(layer, settings, None, torch.Generator().manual_seed(3)), settings, torch.float32
    )
    torch.manual_seed(4)
    for parameter in update.values.values():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    if name.endswith("dropped"):
        layer.train()
        update.gate_BX = torch.tensor([[1.0], [0.0]])
    update.attach()
    return update


def passed(layer: Any, update: Update[Any] | None, x: Tensor) -> list[Tensor]:
    """The answer and all gradients."""
    x = x.clone().requires_grad_()
    out = layer(x)
    out.float().square().sum().backward()
    assert x.grad is not None
    parameters = [] if update is None else [*update.parameters().values()]
    return [out.detach(), x.grad, *(p.grad for p in parameters if p.grad is not None)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["", *ADAPTERS])
def test_a_packed_layer_answers_and_learns_like_a_dense_one_with_its_weight(
    kind: str, name: str, shape: tuple[int, ...]
) -> None:
    packed, dense = packed_layer(kind, shape)
    x = input_of(shape)
    for one, other in zip(
        passed(packed, adapted(packed, name) if name else None, x),
        passed(dense, adapted(dense, name) if name else None, x),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def kept_of(layer: Any, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many unpacked weights are still there between the way there and the way back."""
    seen: list[weakref.ref[Any]] = []
    unpack = Int8Weight.unpack

    def watched(self: Int8Weight, dtype: torch.dtype) -> Tensor:
        weight = unpack(self, dtype)
        seen.append(weakref.ref(weight.untyped_storage()))
        return weight

    monkeypatch.setattr(Int8Weight, "unpack", watched)
    out = layer(x.clone().requires_grad_())
    kept = sum(each() is not None for each in seen)
    assert seen and out.requires_grad
    return kept


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["", *ADAPTERS])
def test_nothing_unpacked_is_kept_for_the_way_back(
    name: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, _ = packed_layer("int8", shape)
    if name:
        adapted(packed, name)
    assert kept_of(packed, input_of(shape), monkeypatch) == 0


def test_what_multiplies_with_an_unpacked_weight_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above can fail."""
    packed, _ = packed_layer("int8", (16, 32))
    vars(packed)["forward"] = lambda x: nn.functional.linear(x, packed.weight)
    assert kept_of(packed, input_of((16, 32)), monkeypatch) == 1


# Whole models ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_sd(tmp_path_factory.mktemp("packed") / "model"))


def test_the_blocks_of_a_model_are_packed_as_they_are_read(model: str) -> None:
    plain = family_class("sd").load(model, LoadOptions())
    packed = family_class("sd").load(model, LoadOptions(holding=Holding("int8")))
    names = [*packable_weights(plain.denoiser)]
    for name in names:
        layer = packed.denoiser.get_submodule(name.removesuffix(".weight"))
        own = plain.denoiser.get_parameter(name)
        assert is_packed(layer)
        torch.testing.assert_close(
            weight_of(layer).unpack(torch.float32), own, rtol=0, atol=float(own.abs().max()) / 250
        )
    left = {name for name, _ in packed.denoiser.named_parameters() if name.endswith("weight") and "norm" not in name}
    assert left == {
        "conv_in.weight",
        "conv_out.weight",
        "time_embedding.linear_1.weight",
        "time_embedding.linear_2.weight",
    }
    assert not any(
        isinstance(each, Packed) for name in packed.text_encoders for each in packed.component(name).modules()
    )
    assert plain.fingerprint("denoiser") != packed.fingerprint("denoiser")


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA that was learnt on the packed starter, in two steps."""
    more = [STARTER, "model.quantization=int8", "training.steps=2", "training.gradient_checkpointing=all"]
    events = run(values(tmp_path_factory.mktemp("run"), *more))
    assert end_of(events).step == 2
    return model_of(events)


def test_a_lora_that_was_learnt_on_a_packed_model_is_laid_over_one(lora: Path) -> None:
    """What is drawn is what the unpacked weights with the LoRA in them draw; nothing is packed anew."""
    source = str(resolve("starter:model"))
    packed = family_class("sd").load(source, LoadOptions(holding=Holding("int8")))
    layers = {name: layer for name, layer in packed.denoiser.named_modules() if is_packed(layer)}
    before = {name: weight_of(layer).unpack(torch.float32) for name, layer in layers.items()}
    updates = read_adapter(lora, packed.layer_spellings(), [])
    with with_loras(packed, ((lora, 3.0), (lora, -1.0)), {"denoiser"}):
        for name, layer in layers.items():
            expected = before[name]
            if update := updates.get(f"denoiser|{name}"):
                expected = merged_weight(merged_weight(expected, update, 3.0), update, -1.0)
            assert torch.equal(weight_of(layer).unpack(torch.float32), expected)
    assert all(torch.equal(weight_of(layer).unpack(torch.float32), before[name]) for name, layer in layers.items())
    assert any(update.values["up"].abs().max() > 0 for update in updates.values())


def test_weights_that_are_trained_cannot_be_packed() -> None:
    preset = Preset.model_validate({"method": {"kind": "full"}, "model": {"quantization": "int8"}})
    assert [each.code for each in conflicts(preset)] == ["rules.quantized-trained"]


@pytest.mark.parametrize("shape", [(32, 32), (33, 7), (16, 32, 3, 3)])
def test_nf4_is_unpacked_in_the_shape_that_was_asked_for(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a compiled block fails, which has believed it."""
    from bitsandbytes import functional

    asked, given, unpack = list[torch.Size](), list[torch.Size](), functional.dequantize_4bit

    def watched(values: Tensor, state: Any) -> Tensor:
        asked.append(state.shape)
        given.append((out := unpack(values, state)).shape)
        return out

    monkeypatch.setattr(functional, "dequantize_4bit", watched)
    assert KINDS["nf4"].of(torch.randn(shape), torch.float32).unpack(torch.float32).shape == shape
    assert asked == given


# Of fp8 files ---------------------------------------------------------------------------------------------------------

SCALES = {"none": (), "one": (1,), "rows": (-1,), "blocks": (-1, 4, 1)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_fp8_is_what_the_file_says_and_rounded_once(dtype: torch.dtype, scale: str, shape: tuple[int, ...]) -> None:
    if scale == "blocks" and len(shape) == 4:
        pytest.skip("only rows of linear layers come in blocks")
    values = torch.randn(shape).to(dtype)
    scales = torch.rand([shape[0] if side == -1 else side for side in SCALES[scale]]) + 0.1 if scale != "none" else None
    if len(shape) == 4:
        values = values.to(memory_format=torch.channels_last)
    packed = Fp8Weight.of(values, torch.bfloat16, scales)
    factor = torch.ones(1) if scales is None else scales
    if factor.dim() == 3:
        factor = factor.repeat_interleave(shape[1] // 4, 1).view(shape)
    exact = values.float() * (factor if factor.dim() > 1 else factor.view(-1, *[1] * (len(shape) - 1)))
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        found = packed.unpack(kind)
        assert torch.equal(found, exact.to(kind))
        assert found.stride() == values.stride()
    assert {name: buffer.dtype for name, buffer in packed.named_buffers()}["values"] is dtype


def as_fp8(model: Path, target: Path) -> Path:
    """The model with its denoiser's linear layers in scaled fp8, in a diffusers folder."""
    shutil.copytree(model, target)
    file = next((target / "unet").glob("*.safetensors"))
    tensors = load_file(file)
    for name, tensor in [*tensors.items()]:
        if name.endswith(".weight") and tensor.dim() == 2:
            scale = tensor.abs().amax() / 448 + 1e-9
            tensors[name] = (tensor / scale).to(torch.float8_e4m3fn)
            tensors[f"{name.removesuffix('weight')}scale_weight"] = scale
    save_file(tensors, file)
    return target


def test_what_is_fp8_in_a_file_is_held_as_it_is_and_the_rest_in_int8(model: str, tmp_path: Path) -> None:
    source = str(as_fp8(Path(model), tmp_path / "fp8"))
    read = family_class("sd").load(source, LoadOptions(dtype=torch.bfloat16))
    held = family_class("sd").load(source, LoadOptions(dtype=torch.bfloat16, holding=Holding("fp8")))
    kinds = set[tuple[int, type[Any]]]()
    for name in packable_weights(read.denoiser):
        layer, own = held.denoiser.get_submodule(name.removesuffix(".weight")), read.denoiser.get_parameter(name)
        packed = weight_of(layer)
        kinds.add((own.dim(), type(packed)))
        if isinstance(packed, Fp8Weight):
            assert torch.equal(packed.unpack(torch.bfloat16), own)
    assert kinds == {(2, Fp8Weight), (4, Int8Weight)}
    noisy, asked = torch.randn(1, 4, 8, 8), held.encode_text(["a robot"])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answers = [each.predict(noisy, torch.tensor([500]), asked) for each in (read, held)]
    torch.testing.assert_close(*answers, rtol=0, atol=0.05)


def test_of_fused_weights_each_has_its_rows_and_their_scales(tmp_path: Path) -> None:
    values, scale = torch.randn(6, 8).to(torch.float8_e4m3fn), torch.rand(6)
    save_file({"qkv.weight": values, "qkv.weight_scale": scale}, tmp_path / "x.safetensors")
    links = {f"{name}.weight": Link("qkv.weight", "slice", place, (1, 1, 1)) for place, name in enumerate("qkv")}
    weights = Renamed(open_weights(tmp_path / "x.safetensors"), links)
    for place, name in enumerate("qkv"):
        found = weights.fp8(f"{name}.weight")
        assert found is not None and found[1] is not None
        assert torch.equal(found[0].float(), values[2 * place : 2 * place + 2].float())
        unpacked = Fp8Weight.of(found[0], torch.bfloat16, found[1]).unpack(torch.bfloat16)
        assert torch.equal(unpacked, weights.read(f"{name}.weight"))
    assert Renamed(weights, {"a": Link("q.weight", "turned")}).fp8("a") is None


# int8 products --------------------------------------------------------------------------------------------------------

ROWS = (2, 12, 32)  # more than a card's kernels need


def in_int8(x: Tensor, weight: Packed, bias: Tensor) -> Tensor:
    """The product in plain torch, whole numbers as they are."""
    rows, held = x.flatten(0, -2).float(), weight.held()
    scale = rows.abs().amax(1, keepdim=True) / 127
    sums = (rows / scale).round().long() @ held["values"].long().t()
    return (sums.float() * scale * held["scale"].t() + bias.float()).to(x.dtype).view(*x.shape[:-1], -1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_an_int8_product_is_that_of_whole_numbers(dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    weight, bias, x = W8A8Weight.of(torch.randn(16, 32), dtype), torch.randn(16).to(dtype), torch.randn(ROWS).to(dtype)
    assert isinstance(weight, W8A8Weight)
    found = linear(x, weight, bias)
    assert torch.equal(found, in_int8(x, weight, bias))
    unpacked = nn.functional.linear(x, weight.unpack(dtype), bias)
    assert 0 < torch.linalg.vector_norm(found - unpacked) < 0.02 * torch.linalg.vector_norm(unpacked)
    nothing = linear(torch.zeros(ROWS, dtype=dtype), weight, bias)
    assert torch.equal(nothing, bias.expand(nothing.shape)), "a row of zeros has no scale"
    assert not linear(x.index_fill(1, torch.tensor([3]), torch.inf), weight, bias)[:, 3].isfinite().any()


@pytest.mark.parametrize(("outputs", "inputs", "rows"), [(16, 32, 16), (12, 32, 24), (16, 20, 24)])
def test_sizes_that_a_card_does_not_multiply_are_unpacked(outputs: int, inputs: int, rows: int) -> None:
    weight, x = W8A8Weight.of(torch.randn(outputs, inputs), torch.bfloat16), torch.randn(rows, inputs).bfloat16()
    assert torch.equal(linear(x, weight, None), nn.functional.linear(x, weight.unpack(torch.bfloat16)))


@pytest.mark.parametrize("name", ["", "lora", "dora", "dora outputs", "oft"])
def test_gradients_of_int8_products_are_those_of_the_weight(name: str) -> None:
    """But for what hangs on the answer itself."""
    packed, dense = packed_layer("w8a8", (16, 32))
    x = torch.randn(ROWS).bfloat16()
    found, wanted = (passed(layer, adapted(layer, name) if name else None, x) for layer in (packed, dense))
    assert not torch.equal(found[0], wanted[0])
    for one, other in zip(found, wanted, strict=True):
        assert torch.linalg.vector_norm((one - other).float()) < 0.08 * torch.linalg.vector_norm(other.float())


def test_a_lora_learns_through_int8_products_what_it_learns_in_bf16() -> None:
    torch.manual_seed(5)
    x, wanted, losses = torch.randn(64, 32).bfloat16(), torch.randn(64, 16), list[list[float]]()
    for layer in packed_layer("w8a8", (16, 32)):
        update = adapted(layer, "lora")
        optimizer = torch.optim.Adam(update.parameters().values(), lr=0.02)
        losses.append([])
        for _ in range(60):
            loss = (layer(x).float() - wanted).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    (packed, dense) = losses
    assert dense[-1] < 0.93 * dense[0]
    assert abs(packed[-1] - dense[-1]) < 0.05 * (dense[0] - dense[-1])


def test_int8_products_are_for_int8_and_for_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(**model: Any) -> Preset:
        return Preset.model_validate({"model": {"int8_products": True, **model}})

    assert load_options(asked(quantization="int8")).holding.kind == "int8", "a CPU multiplies in int8 slowly"
    monkeypatch.setattr(preparation, "multiplies_int8", lambda _: True)
    assert load_options(asked(quantization="int8")).holding.kind == "w8a8"
    assert load_options(asked()).holding.kind == ""
    assert [each.code for each in conflicts(asked(quantization="nf4"))] == ["rules.int8-products"]
    on_cpu = Preset.model_validate({"model": {"int8_products": True}, "general": {"device": "cpu"}})
    assert [each.code for each in conflicts(on_cpu)] == ["rules.int8-products-on-cpu"]
