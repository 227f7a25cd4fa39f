"""sd-scripts and kohya_ss, against their own arithmetic written anew."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from modules.exchange.imported import Imported
from modules.exchange.reading import read_text
from modules.preset.paths import get

WINDOW: dict[str, Any] = {
    "LoRA_type": "Standard", "pretrained_model_name_or_path": "D:/models/sd_xl_base.safetensors", "sdxl": True,
    "max_resolution": "1024,1024", "network_dim": 32, "network_alpha": 16, "learning_rate": 1e-4, "unet_lr": 1e-4,
    "text_encoder_lr": 5e-5, "optimizer": "AdamW8bit", "optimizer_args": "", "lr_scheduler": "cosine", "lr_warmup": 10,
    "epoch": 10, "train_batch_size": 2, "xformers": "xformers", "clip_skip": "1", "keep_tokens": "0",
    "noise_offset": 0.0, "min_snr_gamma": 0, "max_token_length": "75", "additional_parameters": "",
}  # fmt: skip


def imported(**values: Any) -> Imported:
    return read_text(json.dumps({**WINDOW, **values}), "a file")


def of_line(line: str) -> Imported:
    return read_text(f"accelerate launch sdxl_train_network.py --network_module=networks.lora {line}", "a line")


def after_warm_up(kind: str, done: float, more: Any) -> float:
    curves: dict[str, Callable[[float], float]] = {
        "cosine": lambda p: 0.5 * (1 + math.cos(math.pi * p)),
        "cosine_with_restarts": lambda p: 0.5 * (1 + math.cos(math.pi * (more["cycles"] * p % 1))),
        "linear": lambda p: 1 - p,
        "polynomial": lambda p: (1 - p) ** more.get("power", 1.0),
    }
    return curves.get(kind, lambda _: 1.0)(done)


def kohya_rate(kind: str, step: int, total: int, warm: int, **more: Any) -> float:
    """Transformers' and diffusers' schedules, as sd-scripts calls them; the step in hand counts in its warm-up."""
    if kind == "constant":
        return 1.0
    if step < warm:
        return (step + 1) / warm
    if kind == "inverse_sqrt":
        return 1 / math.sqrt(step / warm)
    return after_warm_up(kind, (step - warm) / max(1, total - warm), more)


@pytest.mark.parametrize(
    ("kind", "line", "more"),
    [
        ("constant", "--lr_warmup_steps 100", {}),
        ("constant_with_warmup", "--lr_warmup_steps 100", {}),
        ("cosine", "--lr_warmup_steps 100", {}),
        ("cosine_with_restarts", "--lr_warmup_steps 0.1 --lr_scheduler_num_cycles 4", {"cycles": 4}),
        ("linear", "--lr_warmup_steps 100", {}),
        ("polynomial", "--lr_warmup_steps 100", {}),
        ("polynomial", "--lr_warmup_steps 100 --lr_scheduler_power 2", {"power": 2.0}),
        ("inverse_sqrt", "--lr_warmup_steps 100", {}),
    ],
)
def test_each_update_has_the_rate_that_it_has_there(kind: str, line: str, more: dict[str, Any]) -> None:
    preset = of_line(f"--lr_scheduler={kind} {line} --max_train_steps=1000 --learning_rate 2e-4").preset
    assert preset.training.steps == 1000
    for step in range(0, 1000, 13):
        mine = preset.training.learning_rate * preset.schedule.factor(step, 1000)
        assert mine == pytest.approx(2e-4 * kohya_rate(kind, step, 1000, 100, **more), rel=1e-6), step


def test_its_window_counts_epochs_and_percents() -> None:
    preset = imported().preset
    assert (preset.training.epochs, preset.training.steps, preset.schedule.warmup) == (10, 0, "10 %")
    assert imported(max_train_steps=500).preset.training.steps == 500
    assert imported(max_train_epochs="3", max_train_steps=500).preset.training.epochs == 3
    assert imported(lr_warmup_steps=50).preset.schedule.warmup == "50 steps"


def test_what_a_command_leaves_out_means_what_it_means_there() -> None:
    values = of_line("--train_batch_size 2 --max_train_epochs 1").preset.model_dump()
    assert (get(values, "method.rank"), get(values, "method.alpha")) == (4, 1.0)
    assert get(values, "training.text_encoder_1.train") and get(values, "training.text_encoder_2.train")
    assert (get(values, "optimizer.kind"), get(values, "schedule.kind")) == ("adamw", "constant")


@pytest.mark.parametrize(
    ("unet", "encoder", "trains", "rates"),
    [
        (1e-4, 0, (True, False, False), (0.0, 0.0)),
        (0, 5e-5, (False, True, True), (0.0, 5e-5)),
        (0, 0, (True, True, True), (0.0, 0.0)),
        ("", "", (True, True, True), (0.0, 0.0)),
        (2e-4, 5e-5, (True, True, True), (2e-4, 5e-5)),
    ],
)
def test_a_rate_of_zero_switches_a_part_off(unet: Any, encoder: Any, trains: tuple[bool, ...], rates: Any) -> None:
    training = imported(unet_lr=unet, text_encoder_lr=encoder).preset.training
    assert (training.denoiser.train, *(part.train for part in training.text_encoders[:2])) == trains
    assert (training.denoiser.learning_rate, training.text_encoders[0].learning_rate) == rates


def test_clip_skip_of_sdxl_is_ignored_as_it_is_there() -> None:
    assert imported(clip_skip=2).preset.model.clip_skip == 0
    assert imported(clip_skip=2, sdxl=False, pretrained_model_name_or_path="a/b").preset.model.clip_skip == 2


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "options"),
    [
        ("Prodigy", "decouple=True weight_decay=0.5 betas=0.9,0.99", "prodigy",
         {"weight_decay": 0.5, "beta2": 0.99, "use_bias_correction": False, "safeguard_warmup": False}),
        ("Adafactor", "scale_parameter=False relative_step=False warmup_init=False", "adafactor",
         {"scale_parameter": False}),
        ("DAdaptAdam", '"decouple=True" "weight_decay=0.2"', "dadapt_adam", {"weight_decay": 0.2}),
        ("PagedAdamW8bit", "", "paged_adamw8bit", {"weight_decay": 0.01}),
        ("SGDNesterov", "", "sgd", {"nesterov": True, "momentum": 0.9}),
        ("prodigyplus.ProdigyPlusScheduleFree", "", "prodigy_schedule_free", {}),
    ],
)  # fmt: skip
def test_optimizers_keep_their_arguments(name: str, arguments: str, kind: str, options: dict[str, Any]) -> None:
    values = imported(optimizer=name, optimizer_args=arguments).preset.optimizer.model_dump()
    assert values["kind"] == kind and options.items() <= values.items()


def test_adafactors_relative_steps_take_no_rate() -> None:
    preset = imported(optimizer="Adafactor").preset
    assert (preset.schedule.kind, preset.training.learning_rate) == ("adafactor", 0.01)
    assert preset.optimizer.model_dump()["scale_parameter"]


def test_a_share_of_all_steps_needs_steps_to_be_a_share_of() -> None:
    by_steps = imported(stop_text_encoder_training=25, max_train_steps=400).preset
    assert by_steps.training.text_encoders[0].stop_after == "100 steps"
    codes = [row.problem.values["why"].code for row in imported(stop_text_encoder_training=25).of("none")]
    assert "import.share-of-epochs" in codes


def test_kinds_of_lora() -> None:
    kinds = {"LyCORIS/LoHa": "loha", "LyCORIS/LoKr": "lokr", "LyCORIS/Diag-OFT": "oft", "Kohya LoCon": "lora"}
    for name, kind in kinds.items():
        assert imported(LoRA_type=name, conv_dim=8, conv_alpha=4).preset.method.kind == kind
    locon = imported(LoRA_type="Kohya LoCon", conv_dim=8, conv_alpha=4).preset.method.model_dump()
    assert (locon["conv"], locon["conv_rank"], locon["conv_alpha"]) == (True, 8, 4.0)
    assert not imported(conv_dim=8, conv_alpha=4).preset.method.model_dump()["conv"]
    assert "import.no-method" in [row.problem.code for row in imported(LoRA_type="LyCORIS/iA3").rows]


def test_only_the_chosen_noise_counts() -> None:
    noise = imported(
        noise_offset=0.05, multires_noise_iterations=6, noise_offset_type="Original"
    ).preset.objective.noise
    assert (noise.offset, noise.pyramid_levels) == (0.05, 0)
    noise = imported(
        noise_offset=0.05, multires_noise_iterations=6, noise_offset_type="Multires"
    ).preset.objective.noise
    assert (noise.offset, noise.pyramid_levels) == (0.0, 6)


def test_ranks_of_blocks_become_layer_groups() -> None:
    dims = ",".join(str(number) for number in range(23))
    groups = imported(block_dims=dims).preset.method.model_dump()["groups"]
    assert {group["layers"]: group["rank"] for group in groups}["middle 1"] == 11
    assert not next(group for group in groups if group["layers"] == "time")["train"]


def test_subsets_become_concepts_with_what_stands_above_them() -> None:
    text = """
    [general]
    shuffle_caption = true
    caption_extension = ".txt"
    [[datasets]]
    resolution = [1024, 1024]
    batch_size = 3
    enable_bucket = true
      [[datasets.subsets]]
      image_dir = "/pictures/dog"
      num_repeats = 10
      keep_tokens = 2
      [[datasets.subsets]]
      image_dir = "/pictures/dogs"
      is_reg = true
      flip_aug = true
    """
    preset = read_text(text, "a file").preset
    mine, others = preset.concepts
    assert (mine.path, mine.repeats, mine.keep_tags, mine.shuffle_tags) == ("/pictures/dog", 10, 2, True)
    assert (others.kind, others.flip, others.shuffle_tags) == ("class", True, True)
    assert (preset.training.batch_size, preset.training.resolution, preset.training.max_side) == (3, 1024, 1024)


def test_folders_with_a_number_become_concepts(tmp_path: Any) -> None:
    for name in ("10_sks dog", "2_cat", "notes"):
        (tmp_path / name).mkdir()
    concepts = imported(train_data_dir=str(tmp_path)).preset.concepts
    assert [(concept.path.rpartition("/")[2].rpartition("\\")[2], concept.repeats) for concept in concepts] == [
        ("10_sks dog", 10), ("2_cat", 2),
    ]  # fmt: skip


def test_fine_tuning_in_its_window_names_one_folder() -> None:
    left_out = ("LoRA_type", "network_dim", "network_alpha", "unet_lr", "text_encoder_lr", "sdxl")
    values = {name: value for name, value in WINDOW.items() if name not in left_out}
    values |= {"sdxl_checkbox": True, "image_folder": "/pictures/all", "dataset_repeats": 5, "train_text_encoder": True,
               "learning_rate_te1": 1e-5, "learning_rate_te2": 0}  # fmt: skip
    preset = read_text(json.dumps(values), "a file").preset
    assert (preset.model.family, preset.method.kind) == ("sdxl", "full")
    assert [(concept.path, concept.repeats) for concept in preset.concepts] == [("/pictures/all", 5)]
    assert [part.train for part in preset.training.text_encoders[:2]] == [True, False]


def test_more_arguments_of_the_window_count_more() -> None:
    assert (
        imported(additional_parameters="--max_grad_norm=0.5 --zero_terminal_snr").preset.training.clip_gradients == 0.5
    )


def test_a_command_line_of_windows_keeps_its_paths() -> None:
    line = '--pretrained_model_name_or_path="D:\\my models\\xl.safetensors" ^\n --network_dim 8 --network_alpha=4'
    preset = of_line(line).preset
    assert preset.model.source == "D:\\my models\\xl.safetensors" and preset.method.model_dump()["alpha"] == 4
