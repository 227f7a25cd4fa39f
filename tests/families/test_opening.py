"""What a model needs and does not get, lacks, or says of itself is found when it is opened, before anything is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.families import LoadOptions, family_class
from modules.families.parts import building
from modules.families.parts.config_check import check_supported
from modules.families.parts.unet import single_file
from modules.formats.checkpoint import unet_links
from modules.formats.unet_blocks import unet_changes
from modules.system.weights import open_weights
from tests.tiny import tiny_sd

CARD = FAMILIES["sd"]


@pytest.mark.parametrize(
    ("component", "setting", "value", "fine"),
    [
        ("denoiser", "time_cond_proj_dim", 256, None),
        ("denoiser", "class_embed_type", "projection", None),
        ("denoiser", "num_class_embeds", 10, None),
        ("denoiser", "encoder_hid_dim_type", "image_proj", None),
        ("denoiser", "addition_embed_type", "image", "text_time"),
        ("denoiser", "attention_type", "gated", "default"),
        ("vae", "latents_mean", [0.1, 0.2], None),
        ("scheduler", "timestep_type", "continuous", "discrete"),
        ("scheduler", "_class_name", "EDMEulerScheduler", "EulerDiscreteScheduler"),
        ("scheduler", "_class_name", "NobodyKnowsScheduler", "DPMSolverMultistepScheduler"),
    ],
)
def test_a_model_that_would_be_asked_wrongly_is_refused_by_its_setting(
    component: str, setting: str, value: Any, fine: Any
) -> None:
    check_supported({component: {setting: fine}}, CARD, "it")
    with pytest.raises(UserError, match=re.escape(str(value)[:9])):
        check_supported({component: {setting: value}}, CARD, "it")


def opened(path: Path, **options: Any) -> Any:
    return family_class("sd").load(str(path), LoadOptions(**options))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in a single file."""
    folder = tmp_path_factory.mktemp("opening")
    family = opened(tiny_sd(folder / "model"))
    target = folder / "model.safetensors"
    family.save(target, single_file=True, dtype=torch.float32, parts=family.component_names, metadata={}, tensors={})
    return target


def changed(whole: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """The single file with other tensors in it."""
    tensors = load_file(whole)
    change(tensors)
    save_file(tensors, target, dict(open_weights(whole).metadata))
    return target


def without(start: str) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith(start)]


def test_a_model_without_a_vae_is_whole_with_that_of_the_settings(whole: Path, tmp_path: Path) -> None:
    path = changed(whole, tmp_path / "x.safetensors", without("first_stage_model."))
    with pytest.raises(UserError, match=r"holds no vae.*model\.vae"):
        opened(path)
    for vae in (whole, whole.parent / "model"):
        assert opened(path, others={"vae": str(vae)}).component("vae") is not None
    folder = tiny_sd(tmp_path / "folder")
    for file in (folder / "vae").iterdir():
        file.unlink()
    (folder / "vae").rmdir()
    with pytest.raises(UserError, match=r"no folder vae.*model\.vae"):
        opened(folder)
    assert opened(folder, others={"vae": str(whole.parent / "model")}).component("vae") is not None


@pytest.mark.parametrize("mark", ["edm_vpred.sigma_max", "edm_mean"])
def test_the_marks_of_edm_are_read(mark: str, whole: Path, tmp_path: Path) -> None:
    path = changed(whole, tmp_path / "x.safetensors", lambda tensors: tensors.update({mark: torch.ones(1)}))
    with pytest.raises(UserError, match=f"EDM model \\({mark}\\)"):
        opened(path)


@pytest.mark.parametrize("of", ["model.diffusion_model.out.2.bias", "first_stage_model.decoder.conv_out.bias"])
def test_a_tensor_that_is_missing_is_found_when_the_model_is_opened(of: str, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks .*conv_out\.bias"):
        opened(changed(whole, tmp_path / "x.safetensors", without(of)))


@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_weights_that_are_no_numbers_are_refused(value: float, whole: Path, tmp_path: Path) -> None:
    name = "model.diffusion_model.out.2.bias"
    path = changed(whole, tmp_path / "x.safetensors", lambda tensors: tensors[name].fill_(value))
    with pytest.raises(UserError, match=r"conv_out\.bias holds NaN or infinite"):
        opened(path).component("denoiser")


def test_a_config_of_ldm_beside_the_file_says_what_it_predicts(whole: Path, tmp_path: Path) -> None:
    tensors = load_file(whole)
    metadata = {k: v for k, v in open_weights(whole).metadata.items() if "prediction" not in k}
    save_file(tensors, tmp_path / "x.safetensors", metadata)
    assert opened(tmp_path / "x.safetensors").noise_schedule.prediction == "epsilon"
    (tmp_path / "x.yaml").write_text('model:\n  params:\n    parameterization: "v"\n', encoding="utf-8")
    family = opened(tmp_path / "x.safetensors")
    assert family.noise_schedule.prediction == "v_prediction" and family.notes[0].code == "model.yaml-says-v"


# Blocks as published: transformer layers of each input and output block, and whether the middle has any
BLOCKS: dict[str, tuple[str, dict[str, Any]]] = {
    "SD 1.5": ("sd15", {}),
    "SDXL": ("sdxl", {}),
    "SSD-1B": ("sdxl", {"mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [[1, 1], [2, 2], [4, 4]],
                        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], [1, 1, 1]]}),
    "Vega": ("sdxl", {"mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [1, 1, 2]}),
    "KOALA": ("sdxl", {"layers_per_block": 1, "mid_block_type": "UNetMidBlock2D",
                       "transformer_layers_per_block": [1, 2, 5]}),
    "small SD": ("sd15", {"layers_per_block": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "config"), BLOCKS.values(), ids=BLOCKS)
def test_the_blocks_of_distilled_models_are_read_from_their_names(kind: str, config: dict[str, Any]) -> None:
    """At a tenth of their widths, which do not matter."""
    bundled = single_file.bundled_config(kind, "denoiser")
    bundled["block_out_channels"] = [32 * 2**i for i in range(len(bundled["block_out_channels"]))]
    bundled["attention_head_dim"] = 8
    names = building.tensor_shapes(CARD.component("denoiser"), {**bundled, **config})[0]
    in_file = [link.theirs for link in unet_links(names, {**bundled, **config}, single_file.UNET).values()]
    changes = unet_changes(in_file, single_file.UNET, bundled)
    assert changes.keys() == config.keys()
    assert building.tensor_shapes(CARD.component("denoiser"), {**bundled, **changes})[0] == names


def test_configs_are_looked_at_when_a_model_is_opened(tmp_path: Path) -> None:
    folder = tiny_sd(tmp_path / "model")
    config = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "encoder_hid_dim": 8}), encoding="utf-8")
    with pytest.raises(UserError, match="unet has encoder_hid_dim 8"):
        opened(folder)


def test_a_tokenizer_of_its_own_is_no_part_of_a_files_header(whole: Path, tmp_path: Path) -> None:
    weights = open_weights(whole)
    with whole.open("rb") as file:
        assert int.from_bytes(file.read(8), "little") < 200_000
    assert weights.shapes["seachange.tokenizer.text_encoder_1"][0] > 50_000
    own = opened(whole).tokenizers["text_encoder_1"]
    assert own.fingerprint() == opened(whole.parent / "model").tokenizers["text_encoder_1"].fingerprint()

    half = changed(whole, tmp_path / "half.safetensors", lambda tensors: tensors.update(cast_all(tensors)))
    assert opened(half).tokenizers["text_encoder_1"].fingerprint() == own.fingerprint()


def cast_all(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.bfloat16() for name, tensor in tensors.items()}


def test_a_file_whose_tokenizer_is_gone_is_refused(whole: Path, tmp_path: Path) -> None:
    path = changed(whole, tmp_path / "x.safetensors", without("seachange.tokenizer."))
    with pytest.raises(UserError, match=r"written with a tokenizer of its own.*no longer in it"):
        opened(path)


def test_a_file_of_an_older_version_has_its_tokenizer_in_the_header(whole: Path, tmp_path: Path) -> None:
    tokenizer = opened(whole).tokenizers["text_encoder_1"]
    about = {"text": tokenizer.tokenizer.text(), "padding": tokenizer.tokenizer.padding}
    metadata = dict(open_weights(whole).metadata)
    configs = {**json.loads(metadata["seachange.configs"]), "tokenizers": {"text_encoder_1": about}}
    tensors = load_file(whole)
    del tensors["seachange.tokenizer.text_encoder_1"]
    save_file(tensors, tmp_path / "old.safetensors", {**metadata, "seachange.configs": json.dumps(configs)})
    assert opened(tmp_path / "old.safetensors").tokenizers["text_encoder_1"].fingerprint() == tokenizer.fingerprint()
