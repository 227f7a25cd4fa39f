"""Which images a VAE takes in tiles, and what the cache and the check know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.catalog import FAMILIES
from modules.check.memory import phases
from modules.check.memory.memory_tracker import counted
from modules.errors import UserError
from modules.families import LoadOptions, family_class
from modules.families.parts import building, vae_tiling
from modules.families.parts.vae_tiling import TILE, VaeTiling
from modules.preset.preset import Preset
from modules.text import GB
from modules.trainer.step.encoders import FamilyEncoders
from tests.tiny import tiny_sd

CARD = LoadOptions(device=torch.device("cuda"), vae_tiling="auto")
SD: dict[str, Any] = {
    "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
QWEN = {"base_dim": 96, "dim_mult": [1, 2, 4, 4]}


def card_of(monkeypatch: pytest.MonkeyPatch, total: float, free: float | None = None) -> None:
    monkeypatch.setattr(vae_tiling, "card_budget", lambda _: int(total * GB))
    monkeypatch.setattr(vae_tiling, "usable_memory", lambda _: int((total if free is None else free) * GB))


def test_what_a_card_has_room_for_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tiling = VaeTiling.of(SD, CARD)
    card_of(monkeypatch, 8, free=2)
    assert not tiling.encodes(1024, 1024), "what is free now changes latents"
    assert tiling.encodes(2048, 2048)
    assert tiling.decodes((1, 4, 128, 128))
    card_of(monkeypatch, 24)
    assert not tiling.encodes(2048, 2048)
    assert not tiling.decodes((1, 4, 128, 128))
    assert tiling.decodes((9, 4, 128, 128)), "nine at once take nine times as much"
    card_of(monkeypatch, 0)
    assert not tiling.encodes(512, 512), "less than a tile"


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_a_cpu_tiles_what_it_is_asked_to(mode: str) -> None:
    assert not VaeTiling.of(SD, LoadOptions(vae_tiling=mode)).encodes(9999, 9999)
    assert not VaeTiling.of(SD, LoadOptions(vae_tiling=mode)).decodes((9, 4, 9999, 9999))
    always = VaeTiling.of(SD, LoadOptions(vae_tiling="on"))
    assert [always.encodes(512, 512), always.encodes(512, 520), always.decodes((1, 4, 65, 64))] == [False, True, True]


@pytest.mark.parametrize(("name", "config", "frames"), [("sd", SD, ()), ("qwen_image", QWEN, (1,))])
def test_the_work_of_a_whole_image_is_what_was_counted(
    name: str, config: dict[str, Any], frames: tuple[int, ...]
) -> None:
    tiling, side, cpu = VaeTiling.of(config, CARD), 256, torch.device("cpu")
    empty = building.emptied(building.empty_component(FAMILIES[name].component("vae"), config))
    with counted(cpu) as ledger, torch.no_grad():
        vae: Any = building.meta_copy(empty, device=cpu, dtype=torch.float32)
        pixels = torch.empty(1, 3, *frames, side, side)
        still = ledger.live
        ledger.restart()
        latents = vae.encode(pixels).latent_dist.mean
        encoding, still = ledger.restart() - still, ledger.live
        vae.decode(latents)
        decoding = ledger.peak - still
    assert encoding == pytest.approx(tiling.encoding * side**2, rel=0.05)
    assert decoding == pytest.approx(tiling.decoding * side**2, rel=0.05)


def test_only_latents_of_tiles_have_another_key(tmp_path: Path) -> None:
    family = family_class("sd").load(str(tiny_sd(tmp_path / "model")), LoadOptions())
    before = FamilyEncoders(family).image_key((1024, 1024))
    family.options = replace(family.options, vae_tiling="on")
    assert FamilyEncoders(family).image_key((512, 512)) == before
    assert FamilyEncoders(family).image_key((1024, 512)) != before


@pytest.fixture
def cramped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Any, list[str]]]:
    """A family whose VAE has room for tiles only, and what it says of it."""

    def opened(mode: str) -> tuple[Any, list[str]]:
        said: list[str] = []
        options = LoadOptions(vae_tiling=mode, report=lambda what: said.append(what.code))
        family = family_class("sd").load(str(tiny_sd(tmp_path / "model")), options)
        vae: Any = family.component("vae")
        for name in ("encode", "decode"):
            monkeypatch.setattr(vae, name, partial(whole_or_tiled, vae, getattr(vae, name)))
        return family, said

    return opened


def whole_or_tiled(vae: Any, work: Callable[..., Any], *args: Any, **more: Any) -> Any:
    if not vae.use_tiling:
        raise torch.OutOfMemoryError("CUDA out of memory.")
    return work(*args, **more)


def test_what_cannot_be_decoded_whole_is_decoded_in_tiles_and_said_once(cramped: Callable[..., Any]) -> None:
    family, said = cramped("auto")
    side = TILE // family.downscale
    for _ in range(2):
        assert family.decode_image(torch.zeros(1, 4, side + 1, side)).shape == (1, 3, TILE + family.downscale, TILE)
    assert said == ["vae.tiles"]
    assert not family.encodes_in_tiles(2 * TILE, TILE), "latents of a run are the same however much is free"
    with pytest.raises(torch.OutOfMemoryError):  # no larger than a tile
        family.decode_image(torch.zeros(1, 4, side, side))


def test_a_vae_that_is_never_to_tile_does_not(cramped: Callable[..., Any]) -> None:
    family, said = cramped("off")
    with pytest.raises(torch.OutOfMemoryError):
        family.decode_image(torch.zeros(1, 4, TILE // family.downscale + 1, 8))
    assert not said


def test_what_cannot_be_encoded_whole_is_said_with_the_setting_that_helps(cramped: Callable[..., Any]) -> None:
    family, _ = cramped("auto")
    with pytest.raises(UserError, match=r"an image of 520x512 was encoded.*model\.vae_tiling"):
        family.encode_image(torch.zeros(1, 3, TILE, TILE + 8))
    with pytest.raises(torch.OutOfMemoryError):
        family.encode_image(torch.zeros(1, 3, 64, 64))


def test_the_check_counts_tiles_where_a_card_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family, asked = family_class("sd").load(str(tiny_sd(tmp_path / "model")), LoadOptions()), list[str]()
    preset = Preset.model_validate({"model": {"source": str(tmp_path)}})

    def sample_bytes(_: Any, preset: Preset) -> tuple[int, int]:
        asked.append(preset.model.vae_tiling)
        return 1 * GB, (2 if preset.model.vae_tiling == "on" else 6) * GB

    monkeypatch.setattr(phases, "device_named", lambda _: CARD.device)
    work = phases._vae(preset, lambda preset: sample_bytes(family, preset))
    assert work.within(12 * GB, beside=5 * GB) == (1 * GB, 6 * GB)
    assert work.within(12 * GB, beside=7 * GB) == (1 * GB, 2 * GB)
    assert asked == ["off", "on"]
