"""What files say about themselves, and what they must not say."""

from __future__ import annotations

import getpass
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from modules.formats.metadata import ConceptStats, RunFacts, base_name, file_metadata
from modules.methods import attach
from modules.preset.preset import Preset
from tests.methods.setting import folder, opened, preset, stir

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "kohya_sd15_lora_meta.json").read_text())
FACTS = RunFacts(
    name="robot", step=20, steps=40, epoch=1, epochs=2, steps_per_epoch=20, started=1_700_000_000.5,
    finished=1_700_000_100.0, concepts=(ConceptStats(32, 5, {"a photo": 2, "demo style": 32}),), session=7,
)  # fmt: skip
SPEC = {"modelspec.architecture": "stable-diffusion-v1", "modelspec.prediction_type": "epsilon",
        "ss_base_model_version": "sd_v1", "ss_v2": "False"}  # fmt: skip
LORA: dict[str, Any] = {"kind": "lora", "rank": 8, "alpha": 4.0}


def test_it_says_what_sd_scripts_says_where_both_know() -> None:
    settings = preset(
        LORA, general={"seed": 42}, training={"learning_rate": 1e-4, "steps": 20, "resolution": 128, "batch_size": 1},
        model={"source": "/home/somebody/rand-sd15", "dtype": "fp32"},
    )  # fmt: skip
    facts = RunFacts(
        "kohya_sd15", 20, 20, 1, 1, 160, 1.0, 2.0, (ConceptStats(32, 5),), 1,
        ((64, 192, 40), (128, 128, 120)), 0.42795138888888884, {"sd_model_hash": "IsADirectory"},
    )  # fmt: skip
    found = file_metadata(settings, SPEC, facts)
    same = [
        "ss_network_module",
        "ss_network_dim",
        "ss_network_alpha",
        "ss_network_dropout",
        "ss_base_model_version",
        "ss_v2",
        "ss_seed",
        "ss_output_name",
        "ss_learning_rate",
        "ss_num_train_images",
        "ss_num_epochs",
        "ss_epoch",
        "ss_steps",
        "ss_max_train_steps",
        "ss_resolution",
        "ss_sd_model_name",
        "ss_mixed_precision",
        "ss_lr_scheduler",
        "ss_lr_warmup_steps",
        "ss_clip_skip",
        "ss_cache_latents",
        "ss_batch_size_per_device",
        "ss_total_batch_size",
        "ss_gradient_accumulation_steps",
        "ss_max_grad_norm",
        "ss_gradient_checkpointing",
        "ss_num_batches_per_epoch",
        "ss_noise_offset",
        "ss_min_snr_gamma",
        "ss_loss_type",
        "ss_flip_aug",
        "ss_enable_bucket",
        "ss_num_reg_images",
        "ss_shuffle_caption",
        "ss_random_crop",
        "ss_text_encoder_lr",
        "modelspec.architecture",
        "modelspec.implementation",
        "modelspec.prediction_type",
        "modelspec.resolution",
        "modelspec.sai_model_spec",
        "modelspec.title",
        "ss_caption_dropout_rate",
        "ss_bucket_info",
        "ss_sd_model_hash",
        "ss_huber_c",
        "ss_huber_scale",
        "ss_zero_terminal_snr",
        "ss_training_comment",
        "ss_reg_dataset_dirs",
        "ss_multires_noise_discount",
        "ss_noise_offset_random_strength",
        "ss_ip_noise_gamma_random_strength",
        "ss_fp8_base",
        "ss_full_fp16",
        "ss_validation_split",
    ]
    assert {name: found[name] for name in same} == {name: GOLDEN[name] for name in same}


def test_every_name_is_known_to_sd_scripts_and_every_value_is_text() -> None:
    found = file_metadata(preset({**LORA, "conv": True, "dora": True}), SPEC, FACTS)
    beyond = {"seachange.preset", "ss_network_args", "ss_vae_name"}
    assert found.keys() - beyond <= GOLDEN.keys()
    assert all(isinstance(text, str) for text in found.values())
    assert json.loads(found["ss_network_args"])["conv_dim"] == "8"


def test_tags_are_counted_by_concept_in_the_form_that_a1111_shows() -> None:
    found = file_metadata(preset(LORA), SPEC, FACTS)
    assert json.loads(found["ss_tag_frequency"]) == {"5_concept 1": {"demo style": 32, "a photo": 2}}
    assert json.loads(found["ss_dataset_dirs"]) == {"5_concept 1": {"n_repeats": 5, "img_count": 32}}


def test_tags_are_told_to_nobody_where_they_are_not_wanted() -> None:
    found = file_metadata(preset(LORA, output={"include_tags": False}), SPEC, FACTS)
    assert "demo style" not in json.dumps(found) and json.loads(found["ss_dataset_dirs"])


def test_the_layer_and_the_timesteps_are_told_where_they_are_not_the_usual_ones() -> None:
    settings = preset(LORA, model={"clip_skip": 2}, objective={"times": {"lower": 0.1}})
    found = file_metadata(settings, SPEC, FACTS)
    assert (found["modelspec.encoder_layer"], found["modelspec.timestep_range"]) == ("2", "100,1000")
    assert "modelspec.encoder_layer" not in file_metadata(preset(LORA), SPEC, FACTS)


def test_regularization_images_are_listed_by_themselves_and_zero_terminal_snr_is_that_of_the_schedule() -> None:
    concepts = (ConceptStats(32, 5), ConceptStats(100, 1, is_regularization=True))
    facts = replace(FACTS, concepts=concepts, zero_terminal_snr=True)
    found = file_metadata(preset(LORA, objective={"loss": {"huber_schedule": "snr", "huber_delta": 0.2}}), SPEC, facts)
    assert json.loads(found["ss_dataset_dirs"]) == {"5_concept 1": {"n_repeats": 5, "img_count": 32}}
    assert json.loads(found["ss_reg_dataset_dirs"]) == {"1_concept 2": {"n_repeats": 1, "img_count": 100}}
    told = [found[f"ss_{name}"] for name in ("zero_terminal_snr", "huber_schedule", "huber_c")]
    assert told == ["True", "snr", "0.2"]


def test_of_a_million_tags_the_most_frequent_thousand_are_told() -> None:
    many = tuple(ConceptStats(1, 1, {f"tag {c} {i}": i for i in range(5000)}) for c in range(2))
    facts = RunFacts("x", 1, 1, 1, 1, 1, 0.0, 0.0, many)
    found = json.loads(file_metadata(preset(LORA), SPEC, facts)["ss_tag_frequency"])
    assert sum(map(len, found.values())) == 1000
    assert min(min(tags.values()) for tags in found.values()) == 4500


def test_the_recipe_can_be_read_as_a_preset_again() -> None:
    settings = preset({**LORA, "conv": True}, training={"learning_rate": 3e-4}, title="Mine", note="for my cousin")
    found = file_metadata(settings, SPEC, FACTS)["seachange.preset"]
    again = Preset.model_validate(json.loads(found))
    assert again.method == settings.method and again.training == settings.training and again.title == "Mine"
    assert "cousin" not in found


def test_without_the_settings_only_what_loaders_need_is_told() -> None:
    found = file_metadata(preset(LORA, output={"include_preset": False}), SPEC, FACTS)
    assert not any(name.startswith("seachange") for name in found)
    assert {name for name in found if name.startswith("ss_")} == {
        "ss_network_module", "ss_network_dim", "ss_network_alpha", "ss_network_dropout",
        "ss_base_model_version", "ss_v2", "ss_output_name",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "name"),
    [("/home/me/models/dream.safetensors", "dream.safetensors"), (r"C:\Users\me\m\x.ckpt", "x.ckpt"),
     ("org/model", "model"), ("starter:model", "starter:model"), ("", "")],
)  # fmt: skip
def test_of_a_model_only_the_last_name_is_told(source: str, name: str) -> None:
    assert base_name(source) == name


@pytest.mark.parametrize(
    ("method", "form"),
    [(LORA, "kohya"), (LORA, "diffusers"), ({"kind": "embedding"}, ""), ({"kind": "full"}, "")],
)
def test_no_path_and_no_name_of_the_user_gets_into_a_file(method: dict[str, Any], form: str, tmp_path: Path) -> None:
    family = opened()
    private = tmp_path / "Aunt Erna"
    settings = preset(
        method,
        model={"source": str(folder("sd")), "vae": str(private / "my.vae.safetensors")},
        words=[{}] if method["kind"] == "embedding" else [],  # type: ignore[arg-type]
        concepts=[{"path": str(private / "photos"), "name": "Erna", "prefix": "xyz "}],  # type: ignore[arg-type]
        general={"workspace": str(private), "cache": str(private / "cache"), "name": "Erna run"},
        output={"path": str(private / "out.safetensors"), **({"lora_format": form} if form else {})},
    )
    trained = attach(family, settings)
    stir(trained, 0.01)
    [path] = trained.export(tmp_path / "out", file_metadata(settings, family.modelspec(), FACTS))
    with safe_open(path, "pt") as file:
        text = json.dumps(file.metadata())
    assert "modelspec.title" in text
    for secret in (
        str(tmp_path),
        str(folder("sd").parent),
        str(Path.home()),
        "Erna",
        "photos",
        f"/{getpass.getuser()}/",
    ):
        assert secret not in text


@pytest.mark.parametrize(("kind", "ending"), [("lora", "/lora"), ("embedding", "/textual-inversion"), ("full", "")])
def test_the_architecture_tells_the_kind_of_file(kind: str, ending: str) -> None:
    found = file_metadata(preset({"kind": kind}), SPEC, FACTS)
    assert found["modelspec.architecture"] == f"stable-diffusion-v1{ending}"
    assert found["modelspec.date"] == "2023-11-14T22:15:00"
