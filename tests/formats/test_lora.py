"""LoRA files: the names of other programs, diffusers' own loaders, and our reader."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modules.errors import UserError
from modules.families import LoadOptions, family_class
from modules.families.parts.building import emptied
from modules.families.parts.model_files import ModelFiles, folder_tokenizers
from modules.families.parts.unet.single_file import BUNDLED, bundled_config, clip_vocabulary
from modules.formats.adapter import merged_weight
from modules.formats.adapter_files import kohya_tensors, read_adapter
from modules.formats.lora import LoraTensors
from modules.methods import attach
from modules.methods.adapter import Adapter
from tests.methods.setting import answer, condition, folder, inputs, opened, preset, stir

GOLDEN = Path(__file__).parents[1] / "golden"
TEXTS = {"sd": ("text_encoder_1",), "sdxl": ("text_encoder_1", "text_encoder_2")}


# Names, against lists of files that sd-scripts wrote


@cache
def meta_copy(kind: str, bundled: str) -> Any:
    """A family at full size without weights, for all tests: each attaches what it wants over what was there."""
    parts = ("denoiser", "vae", *TEXTS[kind])
    configs = {component: bundled_config(bundled, component) for component in (*parts, "scheduler")}
    tokenizers = folder_tokenizers(
        BUNDLED / bundled,
        {name: name.replace("text_encoder", "tokenizer").removesuffix("_1") for name in TEXTS[kind]},
        clip_vocabulary(),
    )
    family: Any = family_class(kind)(ModelFiles(Path(bundled), configs, tokenizers, {}, bundled), LoadOptions(), None)
    family.component = cache(lambda name: emptied(family.empty(name)))
    return family


@pytest.mark.parametrize(
    ("kind", "bundled", "golden", "method", "modules"),
    [
        ("sd", "sd15", "lora_sd15_kohya", {"rank": 8, "alpha": 4.0}, 264),
        ("sd", "sd15", "lora_sd15_locon_kohya", {"rank": 4, "conv": True}, 350),
        ("sdxl", "sdxl", "lora_sdxl_kohya", {"rank": 4}, 986),
    ],
)
def test_names_and_shapes_are_those_of_kohya(
    kind: str, bundled: str, golden: str, method: dict[str, Any], modules: int
) -> None:
    lines = (GOLDEN / f"{golden}.tsv").read_text().splitlines()
    expected = {name: shape for name, _, shape in (line.partition("\t") for line in lines)}
    adapter = attach(meta_copy(kind, bundled), preset({"kind": "lora", **method}, *TEXTS[kind], kind=kind))
    assert isinstance(adapter, Adapter)
    assert len(adapter.updates) == modules
    names = adapter.family.lora_names()
    loras = {
        names[name]: LoraTensors.of(torch.zeros(u.down.shape), torch.zeros(u.up.shape), u.alpha)
        for name, u in adapter.updates.items()
    }
    found = {name: str(tuple(t.shape)) for name, t in kohya_tensors(loras, torch.float16).items()}
    assert found == expected


# What other programs see


def pipeline(kind: str) -> Any:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    pipe = StableDiffusionXLPipeline if kind == "sdxl" else StableDiffusionPipeline
    return pipe.from_pretrained(folder(kind), safety_checker=None, feature_extractor=None)


CASES = {
    "linear": {"rank": 4, "alpha": 2.0},
    "conv": {"rank": 4, "alpha": 2.0, "conv": True, "conv_rank": 3, "conv_alpha": 6.0},
    "dora": {"rank": 4, "alpha": 2.0, "conv": True, "dora": True, "dora_axis": "outputs"},
}


@pytest.mark.filterwarnings("ignore")  # diffusers and transformers speak of each other's old names
@pytest.mark.parametrize(
    ("kind", "form", "case"),
    [
        ("sd", "kohya", "linear"), ("sd", "kohya", "conv"), ("sd", "diffusers", "conv"), ("sd", "diffusers", "dora"),
        ("sdxl", "kohya", "conv"), ("sdxl", "diffusers", "conv"), ("sdxl", "diffusers", "dora"),
    ],
)  # fmt: skip
def test_diffusers_draws_with_our_file_what_we_draw(kind: str, form: str, case: str, tmp_path: Path) -> None:
    family = opened(kind)
    settings = preset(
        {"kind": "lora", **CASES[case]}, *TEXTS[kind], kind=kind, output={"lora_format": form, "dtype": "fp32"}
    )
    adapter = attach(family, settings)
    assert isinstance(adapter, Adapter)
    plain = answer(family)
    stir(adapter)
    [path] = adapter.export(tmp_path / "it", {})
    pipe = pipeline(kind)
    pipe.load_lora_weights(str(path))
    theirs = {
        "denoiser": pipe.unet,
        "text_encoder_1": pipe.text_encoder,
        "text_encoder_2": getattr(pipe, "text_encoder_2", None),
    }
    adapted = {component: count(module) for component, module in theirs.items() if module is not None}
    assert adapted == {component: sum(n.startswith(f"{component}|") for n in adapter.updates) for component in adapted}
    mine, changed = condition(family), answer(family)
    assert not torch.allclose(changed, plain, atol=1e-2)
    for component, module in theirs.items():
        if module is not None:
            family._components[component] = module.eval()
    heard = condition(family)
    torch.testing.assert_close(heard.tokens_BTD, mine.tokens_BTD, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(family.predict(*inputs()[:2], heard), changed, rtol=1e-4, atol=2e-4)


def count(module: nn.Module) -> int:
    return sum(hasattr(layer, "lora_A") for layer in module.modules())


# Our reader


def lora_file(path: Path, **changes: Tensor | None) -> Path:
    """A file with one whole layer, with tensors changed or (None) left out."""
    name = "lora_unet_mid_block_resnets_0_time_emb_proj"
    tensors: dict[str, Tensor | None] = {
        f"{name}.lora_down.weight": torch.ones(2, 32), f"{name}.lora_up.weight": torch.ones(16, 2),
        f"{name}.alpha": torch.tensor(1.0),
        **{key if key.startswith("lora_unet") else f"{name}.{key}": tensor for key, tensor in changes.items()},
    }  # fmt: skip
    save_file({key: tensor for key, tensor in tensors.items() if tensor is not None}, path)
    return path


def test_without_alpha_the_scale_is_one(tmp_path: Path) -> None:
    names = opened().layer_spellings()
    assert next(iter(read_adapter(lora_file(tmp_path / "a.safetensors"), names).values())).scale == 0.5
    assert next(iter(read_adapter(lora_file(tmp_path / "b.safetensors", alpha=None), names).values())).scale == 1.0


def test_diffusers_paths_in_kohya_s_dress_are_read_for_sdxl(tmp_path: Path) -> None:
    [name] = read_adapter(lora_file(tmp_path / "a.safetensors"), opened("sdxl").layer_spellings())
    assert name == "denoiser|mid_block.resnets.0.time_emb_proj"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lora_up.weight": None}, "not whole"),
        ({"lora_up.weight": torch.ones(16, 3)}, "do not fit"),
        ({"lora_unet_elsewhere.lora_up.weight": torch.ones(1, 1)}, "1 tensor that cannot be read here"),
        ({"hada_w1_a": torch.ones(1, 1)}, "LoHa"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_words(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        read_adapter(lora_file(tmp_path / "a.safetensors", **changes), opened().layer_spellings())


def test_a_missing_and_a_torn_file_are_refused_in_words(tmp_path: Path) -> None:
    whole = lora_file(tmp_path / "a.safetensors")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(whole.read_bytes()[:-9])
    for path in (tmp_path / "nowhere.safetensors", torn):
        with pytest.raises(UserError, match=path.name):
            read_adapter(path, opened().layer_spellings())


def test_merging_by_half_is_half_way() -> None:
    torch.manual_seed(0)
    weight, down, up = torch.randn(5, 4), torch.randn(2, 4), torch.randn(5, 2)
    for scale in (None, torch.rand(5, 1) + 1):
        lora = LoraTensors.of(down, up, 1.0, scale)
        whole, half = merged_weight(weight, lora), merged_weight(weight, lora, 0.5)
        torch.testing.assert_close(half, (whole + weight) / 2)
        torch.testing.assert_close(merged_weight(weight, lora, 0.0), weight)
    torch.testing.assert_close(merged_weight(weight, LoraTensors.of(down, up, 1.0)), weight + 0.5 * up @ down)
    assert not LoraTensors.of(down, up, 1.0).fits((5, 3))


def test_a_merged_model_is_the_model_with_its_adapter(tmp_path: Path) -> None:
    family, merged = opened(), opened()
    adapter = attach(family, preset({"kind": "lora", **CASES["dora"]}, *TEXTS["sd"], output={"dtype": "fp32"}))
    stir(adapter)
    [path] = adapter.export(tmp_path / "it", {})
    for name, lora in read_adapter(path, merged.layer_spellings()).items():
        component, _, layer = name.partition("|")
        parameter = merged.component(component).get_parameter(f"{layer}.weight")
        parameter.data = merged_weight(parameter.data, lora)
    torch.testing.assert_close(answer(merged), answer(family), rtol=1e-4, atol=1e-5)


def test_alpha_is_a_number_without_dimensions_in_the_type_of_the_file(tmp_path: Path) -> None:
    adapter = attach(opened(), preset({"kind": "lora", "rank": 4, "alpha": 2.0}, output={"dtype": "bf16"}))
    [path] = adapter.export(tmp_path / "it", {})
    alphas = {name: t for name, t in load_file(path).items() if name.endswith(".alpha")}
    assert len(alphas) == len(adapter.updates)  # type: ignore[attr-defined]
    assert {(t.shape, t.dtype, t.item()) for t in alphas.values()} == {(torch.Size(()), torch.bfloat16, 2.0)}
