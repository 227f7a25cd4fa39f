"""SimpleTuner's arguments and datasets, against its own schedules written anew."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from modules.exchange.imported import Imported
from modules.exchange.reading import read, read_text

CONFIG: dict[str, Any] = {
    "model_family": "sdxl", "model_type": "lora", "lora_rank": 32, "lora_alpha": 16, "max_train_steps": 1000,
    "num_train_epochs": 0, "train_batch_size": 2, "learning_rate": "1e-4", "lr_scheduler": "polynomial",
    "lr_warmup_steps": 100, "optimizer": "adamw_bf16", "data_backend_config": "config/multidatabackend.json",
    "checkpoint_step_interval": 500, "seed": 42, "mixed_precision": "bf16", "validation_prompt": "a cat",
}  # fmt: skip
BACKENDS = [
    {"id": "mine", "type": "local", "instance_data_dir": "/images/mine", "repeats": 9, "caption_strategy": "textfile",
     "resolution": 512, "crop": True, "crop_style": "random", "crop_aspect": "preserve"},
    {"id": "others", "type": "local", "instance_data_dir": "/images/others", "is_regularisation_data": True},
    {"id": "texts", "dataset_type": "text_embeds", "type": "local", "default": True, "cache_dir": "cache/text"},
]  # fmt: skip


def imported(**values: Any) -> Imported:
    return read_text(json.dumps({**CONFIG, **values}), "a file")


def their_rate(kind: str, step: int, total: int, warm: int) -> float:
    low = 4e-7 / 1e-4
    waves = {"cosine": math.cos(math.pi * step / warm), "sine": math.sin(math.pi * step / warm)}
    if kind in waves:
        return low + (1 - low) * (0.5 + 0.5 * waves[kind])
    if kind in ("constant", "cosine_with_restarts"):
        return 1.0
    left = 1 - max(0, step - warm) / (total - warm)
    fallen = {"polynomial": low + (1 - low) * left**0.8, "linear": left}.get(kind, 1.0)
    return (step + 1) / warm if step < warm else fallen


@pytest.mark.parametrize(
    "kind", ["constant", "constant_with_warmup", "linear", "polynomial", "cosine", "sine", "cosine_with_restarts"]
)
def test_each_step_has_the_rate_that_it_has_there(kind: str) -> None:
    preset = imported(lr_scheduler=kind, lr_warmup_steps=200).preset
    assert (preset.training.steps, preset.training.learning_rate) == (1000, 1e-4)
    for step in range(0, 1000, 13):
        wanted = their_rate(kind, step, 1000, 200)
        assert preset.schedule.factor(step, 1000) == pytest.approx(wanted, abs=0.01), step


def test_what_a_configuration_leaves_out_means_what_it_means_there() -> None:
    preset = read_text(json.dumps({"model_family": "flux", "model_type": "lora"}), "a file").preset
    method = preset.method.model_dump()
    assert (method["rank"], method["alpha"], method["dropout"], method["layers"]) == (16, 16.0, 0.1, "attention")
    assert (preset.training.epochs, preset.training.batch_size, preset.training.learning_rate) == (1, 4, 4e-7)
    assert preset.model.source == "black-forest-labs/FLUX.1-Krea-dev"
    assert (preset.objective.times.kind, preset.objective.times.shift) == ("logit_normal", 3.0)
    assert imported(model_type="full").preset.method.kind == "full"


def test_datasets_are_read_beside_it_and_repeats_are_one_more(tmp_path: Path) -> None:
    (tmp_path / "multidatabackend.json").write_text(json.dumps(BACKENDS), encoding="utf-8")
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG), encoding="utf-8")
    preset = read(file).preset
    mine, others = preset.concepts
    assert (mine.path, mine.repeats, mine.captions, mine.random_crop) == ("/images/mine", 10, "file", True)
    assert (others.kind, others.repeats, others.captions) == ("prior", 1, "filename")
    assert preset.training.resolution == 512
    alone = read_text(json.dumps(BACKENDS), "a file")
    assert len(alone.preset.concepts) == 2 and "method" not in alone.values


def test_all_its_ways_to_write_the_same_say_the_same() -> None:
    dashes = json.dumps({f"--{name}": value for name, value in CONFIG.items()})
    toml = "\n".join(f"{name} = {json.dumps(value)}" for name, value in CONFIG.items())
    line = "simpletuner train " + " ".join(f"--{name}={json.dumps(value)}" for name, value in CONFIG.items())
    wanted = imported().values
    for text in (dashes, toml, line):
        found = read_text(text, "a file")
        assert (found.program, found.values) == ("SimpleTuner", wanted)


def test_an_environment_is_read_and_not_run() -> None:
    text = """
    export MODEL_FAMILY='sdxl'   # a word about it
    export MODEL_NAME="a/$(touch /tmp/never)"
    export MAX_NUM_STEPS=300
    export LR_SCHEDULE="constant"
    export TRAINER_EXTRA_ARGS="--lora_rank=8 --model_type lora"
    """
    preset = read_text(text, "a file").preset
    assert (preset.model.family, preset.training.steps) == ("sdxl", 300)
    assert preset.model.source == "a/$(touch /tmp/never)"
    assert preset.method.model_dump()["rank"] == 8


def test_a_lycoris_file_beside_it_decides_the_kind(tmp_path: Path) -> None:
    own = {"algo": "lokr", "full_matrix": True, "linear_alpha": 1, "factor": 16}
    (tmp_path / "lycoris_config.json").write_text(json.dumps(own), encoding="utf-8")
    more = {**CONFIG, "lora_type": "lycoris", "lycoris_config": "config/lycoris_config.json"}
    method = read_text(json.dumps(more), "a file", tmp_path).preset.method.model_dump()
    assert (method["kind"], method["full_matrix"], method["factor"]) == ("lokr", True, 16)
