"""Each family's table of names against diffusers' own converter: tiny models, every tensor, in both directions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from modules.formats.checkpoint import planned
from modules.formats.layout import Layout
from modules.system.weights import PlannedTensor
from tests.families.tiny_dits import DITS, TinyDit


def native(layout: Layout, ours: dict[str, Tensor]) -> dict[str, Tensor]:
    plans = {name: PlannedTensor(tuple(t.shape), t.dtype, lambda t=t: t) for name, t in ours.items()}
    links = layout.links({name: tuple(t.shape) for name, t in ours.items()})
    return {name: plan.make().clone() for name, plan in planned(plans, links).items()}


@pytest.mark.parametrize("dit", DITS.values(), ids=DITS)
def test_diffusers_reads_what_is_written_and_so_do_we(dit: TinyDit) -> None:
    ours = {name: torch.randn_like(tensor) for name, tensor in dit.module.state_dict().items()}
    theirs = native(dit.layout, ours)
    assert all(map(dit.layout.drops, dit.more)) and not any(map(dit.layout.drops, theirs))
    links = dit.layout.links_of_file(theirs, {name: tuple(t.shape) for name, t in ours.items()})
    assert_same({name: link.read(theirs[link.theirs]) for name, link in links.items()}, ours)
    assert sum(name not in theirs or not torch.equal(t, theirs[name]) for name, t in ours.items()) == dit.renamed
    assert_same(dit.convert({**theirs, **{name: torch.zeros(1) for name in dit.more}}), ours)


def assert_same(found: dict[str, Any], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    assert [name for name, tensor in wanted.items() if not torch.equal(found[name], tensor)] == []
