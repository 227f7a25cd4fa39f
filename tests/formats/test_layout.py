"""The table of names: what each of its operations does, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from modules.catalog.contents import PREFIXES
from modules.formats.checkpoint import NoPlace, Renamed, planned
from modules.formats.layout import Layout, within
from modules.system.weights import PlannedTensor, Weights, open_weights

LAYOUT = Layout(
    ("x_embedder", "img_in"),
    *within(
        "blocks.{i}", "layers.{i}",
        ("norm.weight", "norm.scale"),
        ("to_q + to_k + to_v", "qkv", "fuse"),
        ("table", "mod.lin", "flat"),
    ),
    ("attn.q.weight", "q.weight", "conv"),
    ("out.{last}.linear", "final.{last}.modulation", "swap"),
    ("out.{i}.linear", "middle.{i}.linear"),
    ("", "counter", "drop"),
)  # fmt: skip
OURS = {
    "x_embedder.weight": (2, 3), "x_embedder.bias": (2,), "blocks.10.norm.weight": (4,),
    "blocks.10.to_q.weight": (4, 3), "blocks.10.to_k.weight": (2, 3), "blocks.10.to_v.weight": (6, 3),
    "blocks.10.table": (6, 2), "out.0.linear.weight": (4, 3), "out.1.linear.weight": (4, 3), "other.{i}.weight": (1,),
    "attn.q.weight": (2, 3),
}  # fmt: skip


def tensors(shapes: dict[str, tuple[int, ...]] = OURS) -> dict[str, Tensor]:
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def written(ours: dict[str, Tensor], layout: Layout = LAYOUT, prefix: str = "") -> dict[str, Tensor]:
    """As a file would hold them."""
    plans = {name: PlannedTensor(tuple(t.shape), t.dtype, lambda t=t: t) for name, t in ours.items()}
    found = planned(plans, layout.links({name: tuple(t.shape) for name, t in ours.items()}, prefix))
    assert all(plan.shape == tuple(plan.make().shape) for plan in found.values())
    return {name: plan.make().contiguous() for name, plan in found.items()}


def in_file(folder: Path, **held: Tensor) -> Weights:
    save_file(held, folder / "x.safetensors")
    return open_weights(folder / "x.safetensors")


def test_each_operation_writes_what_the_table_says() -> None:
    ours = tensors()
    theirs = written(ours)
    swapped = ours["out.1.linear.weight"][[2, 3, 0, 1]]
    assert theirs.keys() == {
        "img_in.weight", "img_in.bias", "layers.10.norm.scale", "layers.10.qkv.weight", "layers.10.mod.lin",
        "middle.0.linear.weight", "final.1.modulation.weight", "other.{i}.weight", "q.weight",
    }  # fmt: skip
    q, k, v = (ours[f"blocks.10.to_{letter}.weight"] for letter in "qkv")
    assert torch.equal(theirs["layers.10.qkv.weight"], torch.cat([q, k, v]))
    assert torch.equal(theirs["layers.10.mod.lin"], ours["blocks.10.table"].flatten())
    assert torch.equal(theirs["final.1.modulation.weight"], swapped)
    assert torch.equal(theirs["q.weight"], ours["attn.q.weight"][:, :, None, None])
    assert torch.equal(theirs["middle.0.linear.weight"], ours["out.0.linear.weight"])


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_file_comes_back_whatever_stands_before_its_names(prefix: str, tmp_path: Path) -> None:
    ours = tensors()
    file = in_file(tmp_path, **written(ours, prefix=prefix), **{f"{prefix}counter": torch.zeros(1)})
    weights = Renamed(file, LAYOUT.links_of_file(file.shapes, OURS))
    assert weights.shapes == OURS
    assert all(torch.equal(weights.read(name), tensor) for name, tensor in ours.items())
    assert [name for name in file.shapes if LAYOUT.drops(name)] == [f"{prefix}counter"]


def test_a_file_with_the_modules_own_names_is_one_too(tmp_path: Path) -> None:
    ours = tensors()
    links = LAYOUT.links_of_file({*ours, "stranger"}, OURS)
    weights = Renamed(in_file(tmp_path, **ours), links)
    assert all(torch.equal(weights.read(name), tensor) for name, tensor in ours.items())
    assert LAYOUT.links_of_file({"stranger"}, OURS) == {}


def test_a_file_of_other_sizes_shows_other_shapes(tmp_path: Path) -> None:
    """So that the check of shapes finds it: nothing is stretched to fit."""
    ours = tensors({**OURS, "blocks.10.to_v.weight": (18, 3), "blocks.10.table": (6, 3)})
    shapes = Renamed(in_file(tmp_path, **written(ours)), LAYOUT.links(OURS)).shapes
    assert shapes["blocks.10.to_v.weight"] != OURS["blocks.10.to_v.weight"]
    assert shapes["blocks.10.table"] == (18,)


def test_a_part_of_what_lies_fused_has_no_place_alone() -> None:
    with pytest.raises(NoPlace, match=r"blocks\.10\.to_k\.weight"):
        LAYOUT.links({name: shape for name, shape in OURS.items() if "to_k" not in name})


def test_the_first_row_counts() -> None:
    layout = Layout(("a.b", "x"), ("a", "y"))
    links = layout.links({"a.b.weight": (1,), "a.c.weight": (1,), "ab.weight": (1,)})
    assert [link.theirs for link in links.values()] == ["x.weight", "y.c.weight", "ab.weight"]
