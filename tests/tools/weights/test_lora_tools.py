"""LoRAs made smaller and added up: against their products, in every program's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.errors import UserError
from modules.families import LoadOptions
from modules.families.parts.adapter_origin import model_of, read_for
from modules.formats.adapter_files import named_tensors, read_adapter
from modules.formats.loha import LohaTensors
from modules.formats.lora import LoraTensors
from modules.formats.tensors import write_tensors
from modules.messages import Finished, Note, RunTool
from modules.tools.opening.models import open_model
from tests.test_run import do
from tests.tiny import tiny_sd
from tests.tools.weights.test_extract import RANK, lora_of_all_layers


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd(tmp_path_factory.mktemp("loras") / "base")


@pytest.fixture(scope="module")
def loras(base: Path) -> list[Path]:
    """One in kohya's names, one in diffusers'."""
    forms = ("kohya", "diffusers")
    return [lora_of_all_layers(base, base.parent / f"{n}.safetensors", seed=n, form=f) for n, f in enumerate(forms)]


def made(tool: str, target: Path, **settings: Any) -> tuple[Path, list[str]]:
    events = do(RunTool(tool, {"out": str(target), "overwrite": True, "dtype": "fp32", **settings}))
    assert events[-1] == Finished(path=str(target))
    return target, [event.text for event in events if isinstance(event, Note)]


def deltas(base: Path, file: Path) -> dict[str, Tensor]:
    family = open_model(str(base), "sd", LoadOptions())
    found = read_for(family, file)
    weight = {name: family.component(name.partition("|")[0]).get_submodule(name.partition("|")[2]) for name in found}
    return {name: lora.delta_weight(weight[name].get_parameter("weight")) for name, lora in found.items()}


def ranks(file: Path) -> dict[str, int]:
    return {name: len(tensor) for name, tensor in load_file(file).items() if "lora_down" in name or "lora_A" in name}


def test_the_same_rank_is_the_same_lora(base: Path, loras: list[Path], tmp_path: Path) -> None:
    for lora in loras:
        found, _ = made("resize", tmp_path / "x.safetensors", lora=str(lora), size_by="rank", rank=RANK)
        assert load_file(found).keys() == load_file(lora).keys()
        one, other = deltas(base, lora), deltas(base, found)
        for name, delta in one.items():
            torch.testing.assert_close(other[name], delta, atol=1e-5, rtol=1e-5)


def test_each_layer_gets_the_smallest_rank_that_holds_enough(base: Path, loras: list[Path], tmp_path: Path) -> None:
    found, said = made("resize", tmp_path / "x.safetensors", lora=str(loras[0]), energy=70.0)
    whole = deltas(base, loras[0])
    small = read_adapter(found, open_model(str(base), "sd", LoadOptions()).layer_spellings())
    assert small.keys() == whole.keys()
    for name, lora in small.items():
        squares = torch.linalg.svdvals(whole[name].flatten(1)).double().square()
        held = squares.cumsum(0) / squares.sum()
        assert held[lora.rank - 1] >= 0.7 - 1e-6, name
        assert lora.rank == 1 or held[lora.rank - 2] < 0.7 + 1e-6, name  # one less would not
    assert any("of the change of a layer" in line for line in said)


def test_another_programs_names_say_the_same(base: Path, loras: list[Path], tmp_path: Path) -> None:
    how = {"size_by": "rank", "rank": RANK, "base": str(base)}
    found, _ = made("resize", tmp_path / "x.safetensors", lora=str(loras[0]), lora_format="diffusers", **how)
    assert all(name.startswith(("unet.", "text_encoder.")) for name in load_file(found))
    one, other = deltas(base, loras[0]), deltas(base, found)
    assert one.keys() == other.keys()
    for name, delta in one.items():
        torch.testing.assert_close(other[name], delta, atol=1e-5, rtol=1e-5)


def test_a_sum_is_exact_and_what_only_one_changes_stays(base: Path, loras: list[Path], tmp_path: Path) -> None:
    part = tmp_path / "part.safetensors"
    some = {name: tensor for name, tensor in load_file(loras[1]).items() if name.startswith("unet.mid")}
    save_file({**some, "bundle_emb.new.string_to_param.*": torch.ones(1, 16)}, part)
    files = [f"{loras[0]}:0.5", f"{part}:-1"]
    found, said = made("join", tmp_path / "x.safetensors", loras=files, base=str(base))
    one, other, both = deltas(base, loras[0]), deltas(base, loras[1]), deltas(base, found)
    assert both.keys() == one.keys()
    for name, delta in both.items():
        more = other[name] if name.startswith("denoiser|mid") else 0
        torch.testing.assert_close(delta, 0.5 * one[name] - more, atol=1e-6, rtol=1e-5)
    assert "bundle_emb.new.string_to_param.*" in load_file(found)
    assert any("at strength -1" in line for line in said)
    small, said = made("join", tmp_path / "y.safetensors", loras=files, base=str(base), rank=2)
    assert set(ranks(small).values()) <= {1, 2}
    assert any(line.startswith("Rank 2, ") for line in said)


def test_other_kinds_become_loras_and_it_is_told(base: Path, loras: list[Path], tmp_path: Path) -> None:
    family, chance = open_model(str(base), "sd", LoadOptions()), torch.Generator().manual_seed(5)
    name = next(name for name in family.lora_names() if name.endswith("attn1.to_q"))
    side = family.component("denoiser").get_submodule(name.partition("|")[2]).get_parameter("weight").shape[0]
    values = {n: torch.randn(*size, generator=chance) for n, size in
              {"w1_a": (side, 2), "w1_b": (2, side), "w2_a": (side, 2), "w2_b": (2, side)}.items()}  # fmt: skip
    loha, dora = tmp_path / "loha.safetensors", tmp_path / "dora.safetensors"
    kohya = family.adapter_links("kohya")
    write_tensors(loha, named_tensors({name: LohaTensors(values, 2.0)}, kohya, "kohya", torch.float32), {})
    found, said = made("resize", tmp_path / "x.safetensors", lora=str(loha), size_by="rank", rank=8, base=str(base))
    torch.testing.assert_close(deltas(base, found)[name], deltas(base, loha)[name], atol=1e-4, rtol=1e-4)
    assert any("1 layer of LoHa becomes a LoRA" in line for line in said), said
    down, up = torch.randn(2, side, generator=chance), torch.randn(side, 2, generator=chance)
    lora = LoraTensors.of(down, up, 2.0, torch.ones(side, 1))
    write_tensors(dora, named_tensors({name: lora}, kohya, "kohya", torch.float32), {"ss_base_model_version": "sd_v1"})
    with pytest.raises(UserError, match="DoRA says nothing without the weights"):
        made("resize", tmp_path / "x.safetensors", lora=str(dora))
    found, said = made("resize", tmp_path / "x.safetensors", lora=str(dora), size_by="rank", rank=64, base=str(base))
    weight = family.component("denoiser").get_submodule(name.partition("|")[2]).get_parameter("weight")
    torch.testing.assert_close(deltas(base, found)[name], lora.changed(weight) - weight, atol=1e-4, rtol=1e-4)


def test_the_model_of_a_file_is_found_by_its_layers(loras: list[Path], tmp_path: Path) -> None:
    told = tmp_path / "told.safetensors"
    save_file(load_file(loras[0]), told, {"ss_base_model_version": "sd_v1"})
    family = model_of(told)
    assert (family.name, family.component_names) == ("sd", ("denoiser", "text_encoder_1"))


def test_what_cannot_be_joined_is_refused(loras: list[Path], base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to join"):
        made("join", tmp_path / "x.safetensors", loras=[str(loras[0])])
    with pytest.raises(UserError):
        made(
            "join",
            tmp_path / "x.safetensors",
            loras=[str(loras[0]), str(base / "unet" / "config.json")],
            base=str(base),
        )
    assert not (tmp_path / "x.safetensors").exists()
