"""Every kind of family has answers to be held against: noise, velocities and flows, with and without a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from modules.data.cache.store import Cache
from modules.families import Family, LoadOptions, family_class
from modules.preset.preset import Preset
from modules.trainer.retention.anchors import Anchors
from modules.trainer.retention.drift import Drift, drift_of, unit_of
from modules.trainer.retention.schedule import LONG, SHORT, Extent
from tests.families.tiny_models import tiny_flux1_fill, tiny_zimage
from tests.tiny import SMALLEST, SMALLEST_XL, tiny_sd, tiny_sdxl

MODELS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "noise": ("sd", lambda folder: tiny_sd(folder, unet=SMALLEST)),
    "velocity": ("sd", lambda folder: tiny_sd(folder, unet=SMALLEST, prediction_type="v_prediction")),
    "two encoders": ("sdxl", lambda folder: tiny_sdxl(folder, unet=SMALLEST_XL)),
    "inpainting": ("sd", lambda folder: tiny_sd(folder, unet={**SMALLEST, "in_channels": 9})),
    "flow": ("zimage", tiny_zimage),
    "flow with a mask and guidance": ("flux1", tiny_flux1_fill),
}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str, Extent], Anchors]]:
    caches = ExitStack()

    def made(name: str, extent: Extent) -> Anchors:
        kind, write = MODELS[name]
        folder = tmp_path / "model"
        if not folder.exists():
            write(folder)
        values = {
            "version": 6,
            "model": {"family": kind, "source": str(folder)},
            "training": {"resolution": 64},
            "examine": {"prompts": "a robot\n\n a red house "},
        }
        family = family_class(kind).load(str(folder), LoadOptions())
        return Anchors(Preset.model_validate(values), family, extent, caches.enter_context(Cache(tmp_path / "cache")))

    with caches:
        yield made


def drift(anchors: Anchors) -> Drift:
    assert anchors.points is not None
    answers = anchors.ask(anchors.texts, lambda done, total: None)
    schedule = anchors.family.noise_schedule
    return drift_of(anchors.points, answers, anchors.unprompted, anchors.extent.times, schedule)


def stir(family: Family) -> None:
    """As much of every weight of the denoiser as training may change."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in family.denoiser.parameters():
            parameter.add_(0.05 * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize(("name", "extent"), [*((name, LONG) for name in MODELS), ("noise", SHORT), ("flow", SHORT)])
def test_a_base_has_forgotten_nothing_and_another_model_something(
    name: str, extent: Extent, make: Callable[[str, Extent], Anchors]
) -> None:
    anchors, asked = make(name, extent), list[int]()
    assert anchors.prompts == ("a robot", "a red house")
    anchors.read()
    anchors.prepare(lambda done, total: asked.append(done))
    assert asked
    assert anchors.points is not None
    assert len(anchors.points.noisy_NChw) == 2 * extent.times
    assert unit_of(anchors.points, anchors.family.noise_schedule) > 0
    base = drift(anchors)
    assert (base.forgotten, base.by_prompt) == (0.0, [0.0, 0.0])
    stir(anchors.family)
    moved = drift(anchors)
    assert moved.forgotten > 0
    assert all(each > 0 for each in moved.by_prompt)


def test_the_base_is_asked_once_and_its_answers_come_back_bit_for_bit(make: Callable[[str, Extent], Anchors]) -> None:
    first, again, asked = make("noise", LONG), make("noise", LONG), list[int]()
    again.cache = first.cache
    first.read()
    first.prepare(lambda done, total: None)
    again.read()
    again.prepare(lambda done, total: asked.append(done))
    assert not asked
    assert first.points and again.points and first.points.key == again.points.key
    one, other = ((points.noisy_NChw, *points.answers) for points in (first.points, again.points))
    for mine, its in zip(one, other, strict=True):
        assert torch.equal(mine, its) and mine.stride() == its.stride()
