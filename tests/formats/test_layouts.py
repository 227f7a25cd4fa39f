"""Each family's table of names against diffusers' own converter: tiny models, every tensor, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from diffusers.loaders import single_file_utils as converters
from torch import Tensor, nn

from modules.formats.checkpoint import planned
from modules.formats.layout import Layout
from modules.formats.layouts import zimage
from modules.system.weights import PlannedTensor
from tests.families.tiny_dits import tiny

Convert = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@dataclass(frozen=True)
class Case:
    layout: Layout
    make: Callable[[], nn.Module]
    convert: Convert
    renamed: int  # how many of its tensors have another name or another look in the file
    more: tuple[str, ...] = field(default=())  # what such files have beside the weights


CASES = {
    "z-image": Case(
        zimage.TRANSFORMER, tiny("zimage"), converters.convert_z_image_transformer_checkpoint_to_diffusers,
        24, ("norm_final.weight",),
    ),
}  # fmt: skip


def native(case: Case, ours: dict[str, Tensor]) -> dict[str, Tensor]:
    plans = {name: PlannedTensor(tuple(t.shape), t.dtype, lambda t=t: t) for name, t in ours.items()}
    links = case.layout.links({name: tuple(t.shape) for name, t in ours.items()})
    return {name: plan.make().clone() for name, plan in planned(plans, links).items()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_diffusers_reads_what_is_written_and_so_do_we(case: Case) -> None:
    with torch.no_grad():
        ours = {name: torch.randn_like(t, dtype=torch.float32) for name, t in case.make().state_dict().items()}
    theirs = native(case, ours)
    assert all(case.layout.drops(name) for name in case.more) and not any(case.layout.drops(name) for name in theirs)
    links = case.layout.links_of_file(theirs, {name: tuple(t.shape) for name, t in ours.items()})
    back = {name: link.read(theirs[link.theirs]) for name, link in links.items()}
    extra = {name: torch.zeros(1) for name in case.more}
    assert_same(case.convert({**theirs, **extra}), ours)
    assert_same(back, ours)
    assert sum(name not in theirs or not torch.equal(t, theirs[name]) for name, t in ours.items()) == case.renamed


def assert_same(found: dict[str, Any], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    assert [name for name, tensor in wanted.items() if not torch.equal(found[name], tensor)] == []
