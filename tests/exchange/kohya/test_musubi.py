"""musubi-tuner: its names and defaults over sd-scripts' arguments."""

from pathlib import Path

from modules.exchange.reading import read_text

LINE = """
accelerate launch --mixed_precision bf16 src/musubi_tuner/zimage_train_network.py \\
  --dit dit.safetensors --vae ae.safetensors --text_encoder qwen.safetensors --dataset_config data.toml \\
  --network_module networks.lora_zimage --network_dim 32 --optimizer_type adamw8bit --learning_rate 1e-4 \\
  --timestep_sampling shift --discrete_flow_shift 2.0 --max_train_epochs 16
"""
TABLES = """
[general]
resolution = [960, 960]
batch_size = 2
enable_bucket = true
[[datasets]]
image_directory = "/images/mine"
num_repeats = 3
"""


def test_a_command_and_its_tables_come_to_what_they_mean_there(tmp_path: Path) -> None:
    (tmp_path / "data.toml").write_text(TABLES, encoding="utf-8")
    found = read_text(LINE, "a line", tmp_path)
    preset = found.preset
    assert (found.program, preset.model.family, preset.model.source) == ("musubi-tuner", "zimage", "dit.safetensors")
    assert (preset.model.vae, preset.model.text_encoder_1) == ("ae.safetensors", "qwen.safetensors")
    assert (preset.training.batch_size, preset.training.resolution, preset.training.max_side) == (2, 960, 0)
    assert (preset.training.epochs, preset.objective.times.shift) == (16, 2.0)
    assert [(concept.path, concept.repeats) for concept in preset.concepts] == [("/images/mine", 3)]
    assert preset.method.model_dump()["alpha"] == 1.0


def test_tables_alone_say_nothing_of_the_method() -> None:
    found = read_text(TABLES, "a file")
    assert found.program == "musubi-tuner" and {"method", "model"}.isdisjoint(found.values)
    assert found.preset.training.batch_size == 2
