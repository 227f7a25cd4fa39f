"""Adapters of modern denoisers in files: what is written is what diffusers loads, and every dialect is read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from modules.catalog.card import LoraFormat
from modules.errors import UserError
from modules.formats.adapter import AdapterTensors
from modules.formats.adapter_files import kohya_tensors, read_adapter
from modules.formats.adapter_names import in_file
from modules.formats.checkpoint import Link
from modules.formats.loha import LohaTensors
from modules.formats.lokr import LokrTensors
from modules.formats.lora import LoraTensors, peft_tensors
from modules.formats.oft import OftTensors
from tests.families.tiny_dits import DITS

FORMATS: tuple[LoraFormat, ...] = ("kohya", "diffusers", "native")
EVERY = [(name, form) for name in DITS for form in FORMATS]


@cache
def loras(name: str) -> dict[str, LoraTensors]:
    """One on every layer that can be trained; alpha is not the rank."""
    family, found = DITS[name].family, dict[str, LoraTensors]()
    for place in family.lora_names():
        weight = DITS[name].module.get_parameter(f"{place.partition('|')[2]}.weight")
        found[place] = LoraTensors.of(torch.randn(2, weight.shape[1]), torch.randn(len(weight), 2), 0.5)
    assert len(found) >= 10
    return found


def written(name: str, form: LoraFormat, updates: dict[str, Any] | None = None) -> dict[str, Tensor]:
    plain = updates is None
    named = in_file(updates or loras(name), DITS[name].family.adapter_links(form, fused=plain))
    return kohya_tensors(named, torch.float32) if form == "kohya" else peft_tensors(named, torch.float32)


def saved(folder: Path, tensors: dict[str, Tensor]) -> Path:
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / "x.safetensors")
    return folder / "x.safetensors"


def answers(updates: dict[str, Any]) -> dict[str, Tensor]:
    """What each adds to the layer's answer to the same input."""
    return {place: lora.scale * (lora.up @ (lora.down @ _input(lora.down))) for place, lora in updates.items()}


def _input(down: Tensor) -> Tensor:
    return torch.linspace(-1, 1, down.shape[1])


def assert_close(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for place, tensor in wanted.items():
        torch.testing.assert_close(found[place], tensor, rtol=1e-4, atol=1e-3, msg=place)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_what_is_written_is_read_back(name: str, form: LoraFormat, tmp_path: Path) -> None:
    path = saved(tmp_path, written(name, form))
    found = read_adapter(path, DITS[name].family.layer_spellings())
    assert_close(answers(found), answers(loras(name)))


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, dit in DITS.items() for form in dit.reads])
def test_diffusers_loads_it_and_draws_the_same(name: str, form: LoraFormat) -> None:
    found = DITS[name].read_lora(written(name, form))
    wanted = {f"transformer.{place.partition('|')[2]}": answer for place, answer in answers(loras(name)).items()}
    downs = {key.removesuffix(".lora_A.weight"): tensor for key, tensor in found.items() if "lora_A" in key}
    ups = {key.removesuffix(".lora_B.weight"): tensor for key, tensor in found.items() if "lora_B" in key}
    assert len(found) == 2 * len(wanted), "alpha is worked in, and nothing is left over"
    assert form == "native" or name == "z-image" or {len(down) for down in downs.values()} == {2}, (
        "blocks are told apart"
    )
    assert_close({key: ups[key] @ (down @ _input(down)) for key, down in downs.items()}, wanted)


QKV, PARTS = "layers.0.attention.qkv", [f"denoiser|layers.0.attention.to_{letter}" for letter in "qkv"]
DIALECTS = (
    "diffusion_model.{}", "model.diffusion_model.{}", "base_model.model.{}", "base_model.model.diffusion_model.{}",
    "lycoris_{flat}", "lora_unet_{flat}", "lora_unet__{flat}", "lora_transformer_{flat}", "transformer.{}", "{}",
)  # fmt: skip


@cache
def spellings() -> Any:
    return DITS["z-image"].family.layer_spellings()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_read_and_what_lies_fused_is_taken_apart(dialect: str, tmp_path: Path) -> None:
    path = "layers.0.attention"
    tensors = {QKV: (torch.randn(2, 16), torch.randn(48, 2)), f"{path}.out": (torch.randn(2, 16), torch.randn(16, 2))}
    tensors[f"{path}.to_out.0"] = tensors.pop(f"{path}.out") if "transformer" in dialect else tensors[f"{path}.out"]
    wanted = tensors.pop(f"{path}.to_out.0"), tensors[QKV]
    tensors.setdefault(f"{path}.out", wanted[0])
    file = {
        f"{dialect.format(name, flat=name.replace('.', '_'))}.lora_{letter}.weight": tensor
        for name, pair in tensors.items()
        for letter, tensor in zip("AB", pair, strict=True)
    }
    found: dict[str, Any] = read_adapter(saved(tmp_path, file), spellings())
    assert found.keys() == {*PARTS, "denoiser|layers.0.attention.to_out.0"}
    for place, up in zip(PARTS, wanted[1][1].chunk(3), strict=True):
        assert torch.equal(found[place].down, wanted[1][0]) and torch.equal(found[place].up, up)


def test_the_names_of_xlabs_are_read_as_diffusers_reads_them(tmp_path: Path) -> None:
    names = [f"double_blocks.0.processor.{each}_lora{which}" for each in ("qkv", "proj") for which in "12"]
    names += [f"single_blocks.0.processor.{each}_lora" for each in ("qkv", "proj")]
    module, file = DITS["flux1"].module, dict[str, Tensor]()
    width = module.get_parameter("transformer_blocks.0.attn.to_q.weight").shape[0]
    for name in names:
        inputs = 5 * width if name == "single_blocks.0.processor.proj_lora" else width
        file[f"{name}.down.weight"] = torch.randn(2, inputs)
        file[f"{name}.up.weight"] = torch.randn(width * (3 if "qkv" in name else 1), 2)
    wanted = DITS["flux1"].read_lora(file)
    found: dict[str, Any] = read_adapter(saved(tmp_path, file), DITS["flux1"].family.layer_spellings())
    assert len(wanted) == 2 * len(found) == 24
    for place, lora in found.items():
        path = f"transformer.{place.partition('|')[2]}"
        assert torch.equal(lora.down, wanted[f"{path}.lora_A.weight"])
        assert torch.equal(lora.up, wanted[f"{path}.lora_B.weight"])


def kinds(outputs: int) -> dict[str, AdapterTensors]:
    made = torch.randn
    loha = {"w1_a": made(outputs, 2), "w1_b": made(2, 16), "w2_a": made(outputs, 2), "w2_b": made(2, 16)}
    return {
        "lora": LoraTensors.of(made(2, 16), made(outputs, 2), 1.0),
        "dora of outputs": LoraTensors.of(made(2, 16), made(outputs, 2), 1.0, made(outputs, 1)),
        "loha": LohaTensors(loha, 1.0),
        "lokr": LokrTensors({"w1": made(6, 4), "w2": made(outputs // 6, 4)}, 1.0),
        "lokr of two": LokrTensors({"w1_a": made(6, 1), "w1_b": made(1, 4), "w2": made(outputs // 6, 4)}, 1.0),
        "oft": OftTensors({"blocks": made(outputs // 8, 8, 8)}, 0.0),
        "oft with a limit": OftTensors({"blocks": made(outputs // 8, 8, 8)}, 0.001),
    }


@pytest.mark.parametrize("kind", kinds(48))
def test_each_part_of_a_fused_update_does_what_the_whole_does_to_its_rows(kind: str) -> None:
    whole, weight = kinds(48)[kind], torch.randn(48, 16)
    changed = whole.changed(weight)
    for sizes in ((16, 16, 16), (8, 8, 32)):
        first = 0
        for place, size in enumerate(sizes):
            part = whole.part(Link("", "slice", place, sizes))
            assert part is not None
            rows = slice(first, first := first + size)
            torch.testing.assert_close(part.changed(weight[rows]), changed[rows])
    swapped = whole.part(Link("", "swapped"))
    assert swapped is not None
    torch.testing.assert_close(swapped.changed(weight.roll(24, 0)), changed.roll(24, 0))


WHOLE: dict[str, AdapterTensors] = {
    "a lokr of four blocks": LokrTensors({"w1": torch.ones(4, 4), "w2": torch.ones(12, 4)}, 1.0),
    "a dora of inputs": LoraTensors.of(torch.ones(2, 16), torch.ones(48, 2), 1.0, torch.ones(1, 16)),
    "an oft across the seams": OftTensors({"blocks": torch.ones(2, 24, 24)}, 0.0),
}


@pytest.mark.parametrize("update", WHOLE.values(), ids=WHOLE)
def test_what_cannot_be_taken_apart_is_named_and_the_rest_is_read(update: AdapterTensors, tmp_path: Path) -> None:
    other = {"layers.0.feed_forward.w1.lora_A.weight": torch.ones(1, 16),
             "layers.0.feed_forward.w1.lora_B.weight": torch.ones(40, 1)}  # fmt: skip
    path = saved(tmp_path, {**kohya_tensors({f"diffusion_model.{QKV}": update}, torch.float32), **other})
    with pytest.raises(UserError, match=r"attention\.qkv"):
        read_adapter(path, spellings())
    unread: list[str] = []
    assert [*read_adapter(path, spellings(), unread)] == ["denoiser|layers.0.feed_forward.w1"]
    assert {key.rpartition("qkv")[0] for key in unread} == {"diffusion_model.layers.0.attention."}


def test_ranks_of_other_parts_are_left_out_and_parts_that_nothing_changes(tmp_path: Path) -> None:
    """A fused file of only queries and values, as ours are when keys were not trained."""
    place, other = PARTS[0], PARTS[2]
    trained = {place: loras("z-image")[place], other: loras("z-image")[other]}
    named = in_file(trained, DITS["z-image"].family.adapter_links("native"))
    [fused] = named.values()
    found = read_adapter(saved(tmp_path, peft_tensors(named, torch.float32)), spellings())
    assert (fused.rank, {name: lora.rank for name, lora in found.items()}) == (4, {place: 2, other: 2})
    assert_close(answers(found), answers(trained))


def test_parts_beside_the_whole_are_what_counts(tmp_path: Path) -> None:
    """Some programs write a fused layer and its parts."""
    pairs = {f"diffusion_model.{QKV}": (torch.ones(1, 16), torch.ones(48, 1))}
    pairs |= {f"transformer.{place.partition('|')[2]}": (torch.ones(1, 16), 2 * torch.ones(16, 1)) for place in PARTS}
    file = {f"{name}.lora_{end}.weight": pair[i] for name, pair in pairs.items() for i, end in enumerate("AB")}
    found: dict[str, Any] = read_adapter(saved(tmp_path, file), spellings())
    assert [float(found[place].up.sum()) for place in PARTS] == [32, 32, 32]


@pytest.mark.parametrize("name", DITS)
def test_other_kinds_have_a_name_for_each_layer_that_ends_where_programs_look(name: str, tmp_path: Path) -> None:
    family = DITS[name].family
    doras = {place: LoraTensors(lora.values, lora.alpha, torch.ones(1, lora.down.shape[1])) for place, lora in
             loras(name).items()}  # fmt: skip
    tensors = written(name, "kohya", doras)
    names = {key.partition(".")[0] for key in tensors}
    assert names == {*family.lora_names().values()} and len(names) == len(doras)
    assert {name.partition("_")[0] for name in names} <= {"lora", "lycoris"}
    found = read_adapter(saved(tmp_path, tensors), family.layer_spellings())
    assert_close(answers(found), answers(doras))
