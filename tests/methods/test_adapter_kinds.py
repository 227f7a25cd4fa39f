"""Every kind of adapter on every kind of layer, held against its formula as the papers write it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.formats.adapter import merged_weight
from modules.methods.adapter import UPDATES
from modules.methods.dropout import dropout_mask
from modules.methods.update import Update
from modules.preset.adapter_sizes import factors
from modules.preset.sections.method import ADAPTERS, LayerGroup

LAYERS = ["linear", "no bias", "conv", "strided conv", "pointwise"]
SETTINGS: dict[str, dict[str, Any]] = {
    "lora": {"kind": "lora", "rank": 3, "alpha": 1.5},
    "loha": {"kind": "loha", "rank": 2, "alpha": 3.0},
    "loha tucker": {"kind": "loha", "rank": 2, "alpha": 3.0, "tucker": True, "conv": True},
    "lora dora": {"kind": "lora", "rank": 3, "alpha": 1.5, "dora": True},
    "loha dora": {"kind": "loha", "rank": 2, "dora": True},
    "loha dora of outputs": {"kind": "loha", "rank": 2, "dora": True, "dora_axis": "outputs"},
    "lokr": {"kind": "lokr", "rank": 1, "alpha": 0.5, "factor": 2},
    "lokr full": {"kind": "lokr", "full_matrix": True},
    "lokr both": {"kind": "lokr", "rank": 1, "alpha": 0.5, "decompose_both": True},
    "lokr tucker": {"kind": "lokr", "rank": 1, "alpha": 0.5, "tucker": True},
    "lokr dora": {"kind": "lokr", "rank": 1, "dora": True},
    "oft": {"kind": "oft", "block_size": 4},
    "oft constrained": {"kind": "oft", "block_size": 3, "constraint": 0.05},
}
ALL = list(itertools.product(SETTINGS, LAYERS))


def layer_and_input(kind: str) -> tuple[Any, Tensor]:
    torch.manual_seed(0)
    if kind in ("linear", "no bias"):
        return nn.Linear(8, 12, bias=kind == "linear"), torch.randn(2, 3, 8)
    if kind == "strided conv":
        return nn.Conv2d(8, 12, 3, stride=2, padding=1), torch.randn(2, 8, 7, 5)
    size = 3 if kind == "conv" else 1
    return nn.Conv2d(8, 12, size, padding=size // 2), torch.randn(2, 8, 4, 5)


def initial_tensors(layer: Any, case: str, own: LayerGroup | None = None, **more: Any) -> Update:
    layer.requires_grad_(False)
    values = {**SETTINGS[case], **more}
    settings = ADAPTERS[values["kind"]].model_validate(values)
    kind: Any = UPDATES[values["kind"]]
    return kind(
        layer, kind.initial_tensors(layer, settings, own, torch.Generator().manual_seed(3)), settings, torch.float32
    )


def stirred(layer: Any, case: str, **more: Any) -> Update:
    update = initial_tensors(layer, case, **more)
    torch.manual_seed(1)
    for parameter in update.parameters().values():
        parameter.data += 0.3 * torch.randn(parameter.shape)
    return update


def like(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight, layer.bias)
    return F.conv2d(x, weight, layer.bias, layer.stride, layer.padding)


def by_the_paper(update: Update) -> Tensor:
    """The changed weight, written number by number, or with other tools than the program's, in fp64."""
    weight = update.layer.weight.double()
    p: dict[str, Tensor] = {name: tensor.detach().double() for name, tensor in update.parameters().items()}
    kind = type(update).__name__
    flat = weight.flatten(1)
    if kind == "OftUpdate":
        return turned(flat, p["blocks"], update).view(weight.shape)
    if kind == "LoraUpdate":
        change = p["up"].flatten(1) @ p["down"].flatten(1) * (1.5 / 3)
    elif kind == "LohaUpdate":
        change = hadamard(p) * (update.alpha / 2)
    else:
        change = kronecker(p, weight) * (1 if {"w1", "w2"} <= p.keys() else update.alpha)
    changed = flat + change.reshape(flat.shape)
    if "magnitude" in p:
        changed = changed.view(weight.shape)
        rows = not update.by_input
        sides = [side for side in range(weight.dim()) if side != (not rows)]
        shape = [len(p["magnitude"]) if side == (not rows) else 1 for side in range(weight.dim())]
        changed = changed / changed.square().sum(sides, keepdim=True).sqrt() * p["magnitude"].view(shape)
    return changed.view(weight.shape)


def hadamard(p: dict[str, Tensor]) -> Tensor:
    """FedPara, arXiv:2108.06098: proposition 1, and 3 for Tucker."""
    if "t1" not in p:
        return (p["w1_a"] @ p["w1_b"]) * (p["w2_a"] @ p["w2_b"])
    sides = []
    for n in "12":
        inputs = torch.tensordot(p[f"t{n}"], p[f"w{n}_b"], dims=([1], [0]))  # (R, k, k, I)
        sides.append(torch.tensordot(p[f"w{n}_a"], inputs, dims=([0], [0])).permute(0, 3, 1, 2))
    return sides[0] * sides[1]


def kronecker(p: dict[str, Tensor], weight: Tensor) -> Tensor:
    """Every block (o, i) of the weight is w1[o, i] times w2: arXiv:2309.14859, section 3.2."""
    small = p["w1"] if "w1" in p else p["w1_a"] @ p["w1_b"]
    (o, i), kernel = small.shape, weight.shape[2:]
    if "t2" in p:
        large = torch.tensordot(p["t2"], p["w2_b"], dims=([1], [0]))
        large = torch.tensordot(p["w2_a"], large, dims=([0], [0])).permute(0, 3, 1, 2)
    else:
        large = p["w2"] if "w2" in p else p["w2_a"] @ p["w2_b"]
    large = large.reshape(len(weight) // o, weight.shape[1] // i, *kernel)
    found = torch.zeros(weight.shape, dtype=torch.float64)
    rows, columns = large.shape[:2]
    for a in range(o):
        for b in range(i):
            found[a * rows : (a + 1) * rows, b * columns : (b + 1) * columns] = small[a, b] * large
    return found


def turned(flat: Tensor, blocks: Tensor, update: Update) -> Tensor:
    """The Cayley transform, section 4 of arXiv:2306.07280; the limit as kohya's files mean it."""
    skew = blocks - blocks.transpose(1, 2)
    limit = update.alpha * len(flat)
    if limit and skew.norm() > limit:
        skew = skew / skew.norm() * limit
    one = torch.eye(blocks.shape[1], dtype=torch.float64)
    turn = torch.block_diag(*((one + q) @ torch.linalg.inv(one - q) for q in skew))
    return turn.T @ flat


@pytest.mark.parametrize(("case", "kind"), ALL)
def test_an_adapted_layer_computes_what_the_paper_writes(case: str, kind: str) -> None:
    layer, x = layer_and_input(kind)
    update = stirred(layer, case)
    expected = by_the_paper(update).float()
    assert not torch.allclose(expected, layer.weight, atol=0.01)
    torch.testing.assert_close(merged_weight(layer.weight, update.tensors()), expected, rtol=1e-5, atol=1e-6)
    update.attach()
    torch.testing.assert_close(layer(x), like(layer, x, expected), rtol=1e-5, atol=1e-5)
    update.detach()
    assert layer(x).equal(like(layer, x, layer.weight))


@pytest.mark.parametrize(("case", "kind"), ALL)
def test_a_fresh_update_changes_nothing(case: str, kind: str) -> None:
    layer, x = layer_and_input(kind)
    before = layer(x)
    initial_tensors(layer, case).attach()
    torch.testing.assert_close(layer(x), before, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("case", "kind"), ALL)
def test_gradients_are_those_of_the_formula(case: str, kind: str) -> None:
    layer, x = layer_and_input(kind)
    update = stirred(layer, case)
    parameters = [*update.parameters().values()]
    found: list[list[Tensor]] = []
    for attached in (True, False):
        heard = x.clone().requires_grad_()
        if attached:
            update.attach()
            out = layer(heard)
            update.detach()
        else:
            scale = None if update.magnitude is None else update.magnitude.view(update.magnitude_shape)
            tensors = update.tensors_class(update.values, update.alpha, scale)
            out = like(layer, heard, tensors.changed(layer.weight))
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        found.append([out.detach(), heard.grad, *(p.grad.clone() for p in parameters)])  # type: ignore[union-attr]
        for parameter in parameters:
            parameter.grad = None
    for mine, reference in zip(*found, strict=True):
        torch.testing.assert_close(mine, reference, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("case", SETTINGS)
def test_in_bf16_a_small_update_is_heard_better_than_in_a_merged_weight(case: str) -> None:
    """A weight of 8 bits keeps nothing below a 256th of itself, and this update is a thousandth of it."""
    torch.manual_seed(0)
    layer, x = nn.Linear(192, 192), torch.randn(500, 192)
    update = initial_tensors(layer, case)
    small = update.values[update.tensors().zero_init]
    small.data += torch.randn(small.shape)
    for _ in range(3):  # OFT and DoRA are no straight lines
        change = by_the_paper(update).float() - layer.weight
        small.data *= 1e-3 * layer.weight.norm() / change.norm()
    layer, x = layer.to(torch.bfloat16), x.bfloat16()
    exact = F.linear(x.float(), by_the_paper(update).float() - layer.weight.float()).detach()
    before, merged = layer(x), like(layer, x, merged_weight(layer.weight, update.tensors()))
    update.attach()
    out = layer(x)
    assert out.dtype is torch.bfloat16
    heard, rounded = (alike((y.float() - before.float()).detach(), exact) for y in (out, merged))
    assert heard > 1.3 * rounded
    out.float().square().sum().backward()
    assert {p.grad.dtype for p in update.parameters().values() if p.grad is not None} == {torch.float32}


def alike(one: Tensor, other: Tensor) -> float:
    return float(F.cosine_similarity(one.flatten(), other.flatten(), dim=0))


@pytest.mark.parametrize(("case", "kind"), ALL)
def test_a_layer_that_is_silent_for_an_image_says_what_it_said_before(case: str, kind: str) -> None:
    layer, x = layer_and_input(kind)
    update = stirred(layer, case)
    update.attach()
    layer.train()
    whole = layer(x)
    update.set_dropout(None, torch.tensor([[0.0], [1.0]]))
    out = layer(x)
    torch.testing.assert_close(out[0], like(layer, x, layer.weight)[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(out[1], whole[1], rtol=1e-5, atol=1e-5)
    layer.eval()
    torch.testing.assert_close(layer(x), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("case", "kind"), [(c, k) for c, k in ALL if not c.startswith("lora")])
def test_a_silenced_output_says_what_it_said_before(case: str, kind: str) -> None:
    layer, x = layer_and_input(kind)
    update = stirred(layer, case)
    update.attach()
    layer.train()
    whole, plain = layer(x), like(layer, x, layer.weight)
    kept = torch.ones(2, 12)
    kept[0, 4] = 0
    update.set_dropout(kept, None)
    at = (slice(None), 4) if layer.weight.dim() == 4 else (slice(None), slice(None), 4)
    out = layer(x)
    torch.testing.assert_close(out[at][0], plain[at][0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(out[at][1], whole[at][1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(out[1], whole[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("case", "kind"), [(c, k) for c, k in ALL if not c.startswith("oft")])
def test_an_update_is_kept_below_its_largest_norm(case: str, kind: str) -> None:
    layer, _ = layer_and_input(kind)
    update = stirred(layer, case, max_norm=0.05)

    def norm() -> Tensor:
        held = update.tensors_class(update.values, update.alpha)
        return (held.delta_weight(layer.weight)).norm().detach()

    before = {name: p.detach().clone() for name, p in update.values.items()}
    assert norm() > 0.05
    update.limit(torch.tensor(True))
    assert all(p.equal(before[name]) for name, p in update.values.items())
    update.limit(torch.tensor(False))
    torch.testing.assert_close(norm(), torch.tensor(0.05), rtol=1e-4, atol=0)
    within = {name: p.detach().clone() for name, p in update.values.items()}
    update.settings = update.settings.model_copy(update={"max_norm": 1.0})
    update.limit(None)
    assert all(p.equal(within[name]) for name, p in update.values.items())


@pytest.mark.parametrize("case", SETTINGS)
def test_another_alpha_tells_the_same_update(case: str) -> None:
    layer, _ = layer_and_input("conv")
    tensors = stirred(layer, case).tensors()
    again = tensors.with_alpha(0.0 if case.startswith("oft") else 7.0)
    torch.testing.assert_close(again.changed(layer.weight), tensors.changed(layer.weight), rtol=1e-5, atol=1e-6)


# Sizes


@pytest.mark.parametrize(
    ("size", "wanted", "expected"),
    # LyCORIS's own table, in the docstring of lycoris.functional.general.factorization
    [(127, 0, (1, 127)), (128, 0, (8, 16)), (250, 0, (10, 25)), (360, 0, (18, 20)), (512, 0, (16, 32)),
     (1024, 0, (32, 32)), (127, 2, (1, 127)), (128, 2, (2, 64)), (128, 4, (4, 32)), (250, 4, (2, 125)),
     (250, 8, (5, 50)), (250, 16, (10, 25)), (360, 16, (15, 24)), (512, 16, (16, 32)), (1024, 16, (16, 64)),
     (320, 8, (8, 40)), (320, 64, (5, 64)), (768, 16, (16, 48)), (1280, 0, (32, 40))],
)  # fmt: skip
def test_a_size_is_split_as_lycoris_splits_it(size: int, wanted: int, expected: tuple[int, int]) -> None:
    assert factors(size, wanted) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"rank": 4}, {"w1": (16, 16), "w2_a": (20, 4), "w2_b": (4, 20)}),
        ({"rank": 4, "factor": 8}, {"w1": (8, 8), "w2_a": (40, 4), "w2_b": (4, 40)}),
        ({"rank": 10}, {"w1": (16, 16), "w2": (20, 20)}),
        ({"rank": 4, "full_matrix": True, "decompose_both": True}, {"w1": (16, 16), "w2": (20, 20)}),
        ({"rank": 4, "decompose_both": True}, {"w1_a": (16, 4), "w1_b": (4, 16), "w2_a": (20, 4), "w2_b": (4, 20)}),
        ({"rank": 8, "decompose_both": True}, {"w1": (16, 16), "w2_a": (20, 8), "w2_b": (8, 20)}),
    ],
)
def test_lokr_splits_what_is_smaller_split(settings: dict[str, Any], expected: dict[str, tuple[int, ...]]) -> None:
    update = initial_tensors(nn.Linear(320, 320), "lokr", **{"factor": 0, **settings})
    assert {name: tuple(p.shape) for name, p in update.values.items()} == expected


def test_oft_takes_the_largest_block_that_divides() -> None:
    sizes = {
        outputs: tuple(initial_tensors(nn.Linear(4, outputs), "oft", block_size=16).values["blocks"].shape)
        for outputs in (320, 640, 1280, 768, 77, 13)
    }
    assert sizes == {
        320: (20, 16, 16), 640: (40, 16, 16), 1280: (80, 16, 16), 768: (48, 16, 16), 77: (7, 11, 11), 13: (1, 13, 13),
    }  # fmt: skip


@pytest.mark.parametrize("case", ["lora", "loha", "lokr"])
def test_a_group_has_a_rank_and_an_alpha_of_its_own(case: str) -> None:
    own = LayerGroup(rank=1, alpha=0.25)
    tensors = initial_tensors(nn.Linear(320, 320), case, own).tensors()
    assert (tensors.rank, tensors.scale) == (1, 0.25)
    share = SETTINGS[case]["alpha"] / SETTINGS[case]["rank"]
    assert initial_tensors(nn.Linear(320, 320), case, LayerGroup(rank=2)).tensors().scale == share
    assert initial_tensors(nn.Linear(320, 320), case, LayerGroup()).tensors().scale == share


def test_oft_keeps_every_length_and_every_angle_inside_a_block() -> None:
    layer, _ = layer_and_input("linear")
    update = stirred(layer, "oft")
    before, after = layer.weight.view(3, 4, 8), merged_weight(layer.weight, update.tensors()).view(3, 4, 8)
    torch.testing.assert_close(after.mT @ after, before.mT @ before, rtol=1e-4, atol=1e-5)


def test_a_constraint_limits_how_far_oft_turns() -> None:
    layer, _ = layer_and_input("linear")
    changes = [
        (merged_weight(layer.weight, stirred(layer, "oft", constraint=limit).tensors()) - layer.weight).norm()
        for limit in (0.0, 0.05, 0.005)
    ]
    assert changes[0] > 2 * changes[1] > 4 * changes[2] > 0


# Dropout of single numbers


def test_dropout_of_numbers_is_chance_with_the_right_odds() -> None:
    kept = dropout_mask(torch.tensor([5, 6, 5]), (64, 64), 0.25)
    assert kept.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert (kept == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert kept[0].equal(kept[2])
    together = ((kept[0] == 0) & (kept[1] == 0)).float().mean()
    assert together == pytest.approx(0.25**2, abs=0.015)  # strangers to one another
    rows = (kept[0, :-1] == 0) & (kept[0, 1:] == 0)
    assert rows.float().mean() == pytest.approx(0.25**2, abs=0.015)


def test_the_numbers_are_those_of_splitmix64() -> None:
    """Held against its published form in whole numbers of Python."""
    word = 2**64

    def mixed(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % word
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % word
        return z ^ (z >> 31)

    seed, dropped = 2**62 + 12345, 0.5
    expected = [mixed((seed + n * 0x9E3779B97F4A7C15) % word) >> 40 >= 2**23 for n in range(1, 201)]
    assert (dropout_mask(torch.tensor([seed]), (200,), dropped)[0] > 0).tolist() == expected


@pytest.mark.parametrize("kind", ["linear", "conv", "strided conv", "pointwise"])
def test_dropout_silences_numbers_between_down_and_up(kind: str) -> None:
    layer, x = layer_and_input(kind)
    update: Any = stirred(layer, "lora", dropout=0.5)
    assert update.has_element_dropout
    update.attach()
    layer.train()
    whole = layer(x)
    answers = []
    for seeds in ([1, 2], [3, 4], [1, 2]):
        update.scatter(torch.tensor(seeds))
        answers.append(layer(x))
    assert answers[0].equal(answers[2]) and not answers[0].equal(answers[1])
    many = torch.stack([_drawn(update, layer, x, seed) for seed in range(400)]).mean(0)
    torch.testing.assert_close(many, whole, rtol=0.2, atol=0.4)  # right on the average
    update.set_dropout(None, None)
    assert layer(x).equal(whole)


def _drawn(update: Any, layer: Any, x: Tensor, seed: int) -> Tensor:
    update.scatter(torch.tensor([2 * seed, 2 * seed + 1]))
    return layer(x).detach()
