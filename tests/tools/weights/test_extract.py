"""What a model has learnt becomes a LoRA that does the same to its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modules.errors import UserError
from modules.families import Family, LoadOptions
from modules.formats.adapter_files import named_tensors, read_adapter
from modules.formats.lora import LoraTensors
from modules.formats.tensors import write_tensors
from modules.messages import Finished, Note, RunTool
from modules.system.weights import SafetensorsFile
from modules.tools.opening.models import merge_lora, open_model
from tests.test_run import do
from tests.tiny import tiny_sd, tiny_sdxl
from tests.tools.weights.test_convert import converted

RANK = 4


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd(tmp_path_factory.mktemp("extract") / "base")


@pytest.fixture(scope="module")
def lora(base: Path) -> Path:
    return lora_of_all_layers(base, base.parent / "lora.safetensors")


def lora_of_all_layers(base: Path, file: Path, *, seed: int = 1, form: Any = "kohya") -> Path:
    """Of all layers that a LoRA can change."""
    family, chance = open_model(str(base), "sd", LoadOptions()), torch.Generator().manual_seed(seed)
    updates: dict[str, Any] = {}
    for name in family.lora_names():
        component, _, path = name.partition("|")
        weight = family.component(component).get_submodule(path).get_parameter("weight")
        rank = min(RANK, *weight.flatten(1).shape)
        down = torch.randn(rank, *weight.shape[1:], generator=chance) * 0.02
        up = torch.randn(weight.shape[0], rank, *[1] * (weight.dim() - 2), generator=chance)
        updates[name] = LoraTensors.of(down, up, float(rank))
    write_tensors(file, named_tensors(updates, family.adapter_links(form), form, torch.float32), {})
    return file


@pytest.fixture(scope="module")
def tuned(base: Path, lora: Path) -> Path:
    return converted(base, base.parent / "tuned.safetensors", parts=str(lora), dtype="fp32")


def extracted(base: Path, tuned: Path, **settings: Any) -> tuple[Path, list[str]]:
    target = tuned.parent / "extracted.safetensors"
    values = {
        "base": str(base),
        "tuned": str(tuned),
        "out": str(target),
        "overwrite": True,
        "dtype": "fp32",
        **settings,
    }
    events = do(RunTool("extract", values))
    assert events[-1] == Finished(path=str(target))
    return target, [event.text for event in events if isinstance(event, Note)]


def updates_in(file: Path, model: Path) -> tuple[Family, dict[str, Any]]:
    family = open_model(str(model), "sd", LoadOptions())
    return family, read_adapter(file, family.layer_spellings())


def weights_of(family: Family) -> dict[str, Tensor]:
    return {
        f"{component}|{name}": tensor
        for component in ("denoiser", "text_encoder_1")
        for name, tensor in family.component(component).state_dict().items()
    }


def test_a_merged_lora_comes_out_again(base: Path, lora: Path, tuned: Path) -> None:
    file, said = extracted(base, tuned, size_by="rank", rank=RANK)
    family, found = updates_in(file, base)
    assert found.keys() == read_adapter(lora, family.layer_spellings()).keys()
    merge_lora(family, file)
    again, wanted = weights_of(family), weights_of(open_model(str(tuned), "sd", LoadOptions()))
    for name, tensor in wanted.items():
        torch.testing.assert_close(again[name], tensor, atol=1e-5, rtol=1e-3)
    assert any("the file holds over 99\xa0% of the change" in line for line in said), said
    assert any(line.startswith("The U-Net, attention: ") and f"rank {RANK}." in line for line in said), said


def test_the_kept_change_decides_the_rank_of_each_layer(base: Path, tuned: Path) -> None:
    file, _ = extracted(base, tuned, energy=60.0)
    _, found = updates_in(file, base)
    ranks = {update.rank for update in found.values()}
    assert max(ranks) <= RANK
    assert min(ranks) < RANK


def test_a_file_is_no_larger_than_asked_for(base: Path, tuned: Path) -> None:
    whole, _ = extracted(base, tuned, size_by="rank", rank=RANK)
    limit = whole.stat().st_size / 2 / 2**20
    half, said = extracted(base, tuned, size_by="file_size", megabytes=limit)
    tensors = SafetensorsFile(half)
    assert sum(tensors.read(name).nbytes for name in tensors.shapes if ".alpha" not in name) <= limit * 2**20
    kept = next(line for line in said if "of the change" in line)
    assert "over 99" not in kept


def test_convolutions_and_text_encoders_can_stay_away(base: Path, tuned: Path) -> None:
    file, said = extracted(base, tuned, convolutions=False, text_encoders=False)
    _, found = updates_in(file, base)
    assert {name.partition("|")[0] for name in found} == {"denoiser"}
    assert all(len(update.down.shape) == 2 or update.down.shape[2:] == (1, 1) for update in found.values())
    assert any("a LoRA has no place for" in line for line in said)


def test_a_kronecker_product_comes_out_again(base: Path, tmp_path: Path) -> None:
    family = open_model(str(base), "sd", LoadOptions())
    name = next(name for name in family.lora_names() if name.endswith("to_q"))
    component, _, path = name.partition("|")
    weight = family.component(component).get_submodule(path).get_parameter("weight")
    chance = torch.Generator().manual_seed(3)
    sizes = [side // 2 for side in weight.shape]
    small, large = torch.randn(2, 2, generator=chance), torch.randn(*sizes, generator=chance)
    delta = torch.kron(small, large) * 0.01
    family.save(
        tmp_path / "tuned", single_file=False, dtype=torch.float32, parts=family.component_names, metadata={},
        tensors={component: {f"{path}.weight": weight + delta}},
    )  # fmt: skip
    file, _ = extracted(base, tmp_path / "tuned", kind="lokr", factor=2)
    _, found = updates_in(file, base)
    assert [*found] == [name]
    torch.testing.assert_close(found[name].delta_weight(weight), delta, atol=1e-5, rtol=1e-3)


def test_what_cannot_be_extracted_is_refused(base: Path, tmp_path: Path) -> None:
    other = tiny_sdxl(tmp_path / "xl")
    for tuned, words in ((base, "does not differ"), (other, "Choose models of the same family")):
        values = {"base": str(base), "tuned": str(tuned), "out": str(tmp_path / "x.safetensors")}
        with pytest.raises(UserError, match=words):
            do(RunTool("extract", values))
    assert not (tmp_path / "x.safetensors").exists()
