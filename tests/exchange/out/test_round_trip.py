"""What goes out to another program comes back as it was, and what does not is named."""

import json
import math
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.cli import run
from modules.errors import UserError
from modules.exchange.out.exported import Exported, spelled_out
from modules.exchange.out.programs import PROGRAMS, Program, export, write
from modules.exchange.out.shell import Shell
from modules.exchange.reading import read
from modules.preset.files import store
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import all_settings, examine, schema_path
from modules.sentences.render import PLAIN
from modules.system.bundled import ROOT

SHIPPED = sorted(path for path in (ROOT / "presets").rglob("*.json"))
# What both programs have in one form or another: never to be lost
ALWAYS = (
    "model.family", "model.source", "method.kind", "method.rank", "method.alpha", "training.batch_size",
    "training.accumulation", "training.learning_rate", "training.resolution", "training.buckets", "optimizer.kind",
    "training.clip_gradients", "training.denoiser.train", "training.text_encoder_1.train", "concepts.0.flip",
    "concepts.0.path", "objective.weighting", "objective.times.kind", "output.dtype", "schedule.kind",
)  # fmt: skip
OF_ONE = {
    "kohya": ("training.steps", "schedule.warmup", "concepts.0.caption_dropout", "general.seed", "words.0.token"),
    "onetrainer": ("backup.every", "sampling.every", "method.layers", "words.0.token", "training.ema"),
}


def back(exported: Exported, folder: Path) -> Preset:
    """As that program's files are read, with nothing known of how they were made."""
    write(exported, folder, overwrite=True)
    return read(folder / next(iter(exported.files))).preset


def exported_or_refused(preset: Preset, program: Program, shell: Shell = "posix") -> Exported | None:
    try:
        return export(preset, program, shell)
    except UserError as error:
        assert error.problem.code in ("export.no-family", "export.no-method")
        return None


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name + "/" + path.stem)
def test_each_shipped_preset_comes_back(path: Path, program: Program, tmp_path: Path) -> None:
    preset = store.read(path)
    exported = exported_or_refused(preset, program)
    if exported is None:
        assert program == "kohya" and preset.model.family not in ("sd", "sdxl", "sd3", "flux1", "chroma", "anima")
        return
    before, after = spelled_out(preset), spelled_out(back(exported, tmp_path))
    told = {said.path for said in exported.missing}
    for name in (*ALWAYS, *OF_ONE[program]):
        if name not in told:
            assert get(after, name) == pytest.approx(get(before, name)) or name.startswith("concepts"), name
    assert told <= {
        "backup.every", "backup.keep", "method.conv", "method.conv_alpha", "method.conv_rank", "method.layers",
        "model.max_chunks", "output.parts", "prior.made.count", "prior.made.prompts", "training.steps",
        "sampling.prompts.0.spacing", "sampling.prompts.0.guidance_rescale", "training.resolutions", "concepts.1.kind",
        "sampling.prompts.0.distilled_guidance", "training.text_encoder_1.stop_after", "words.0.keep_norm",
    }  # fmt: skip


def values_for(setting: SettingInfo) -> st.SearchStrategy[Any] | None:
    """Values that the setting may have, where a number or a choice is all that it is."""
    low, high = (setting.bounds.get(name, usual) for name, usual in (("ge", 0), ("le", 50)))
    if setting.choices:
        return st.sampled_from(setting.choices)
    if setting.kind is bool:
        return st.booleans()
    if setting.kind is int:
        return st.integers(int(low), int(min(high, 2000)))
    if setting.kind is float:
        least, most = max(low, setting.bounds.get("gt", low) + 1e-3), min(high, 40.0)
        return st.integers(0, 1000).map(lambda share: round(least + (most - least) * share / 1000, 6))
    return None


OPEN = {
    setting.path: values
    for setting in all_settings()
    if setting.path.startswith(("model", "training", "method", "objective", "schedule", "concepts", "prior.weight"))
    and (values := values_for(setting)) is not None
    and ".groups." not in setting.path and "adapters" not in setting.path
    and setting.path not in ("concepts.0.enabled", "concepts.0.kind")  # what is not trained on does not go out
}  # fmt: skip
OPEN["general.seed"] = st.integers(1, 10**9)
OPEN["optimizer.kind"] = st.sampled_from(next(s.choices for s in all_settings() if s.path == "optimizer.kind"))
quick = settings(
    max_examples=60, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@quick
@given(st.data())
def test_any_preset_comes_back_or_says_what_does_not(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(OPEN)), max_size=12, unique=True))
    values: Values = {"version": Preset.VERSION, "concepts": [{"path": 'pictures/of it\'s "me" 100%'}]}
    for name in names:
        put(values, name, data.draw(OPEN[name]))
    preset = examine(values)[0]
    with tempfile.TemporaryDirectory() as folder:
        for program in PROGRAMS:
            if exported := exported_or_refused(preset, program):
                assert_told(preset, exported, Path(folder))


def assert_told(preset: Preset, exported: Exported, folder: Path) -> None:
    """All that differs afterwards and has a say is among what is said to be missing."""
    before, after = spelled_out(preset), spelled_out(back(exported, folder))
    told = {schema_path(said.path) for said in exported.missing}
    for name in (*ALWAYS, *OPEN):
        one, other = get(before, name), get(after, name)
        known = schema_path(name) in told or one in ("auto", None) or other in ("auto", None)
        assert known or same(one, other) or not counts(name, before), (name, one, other)


def same(one: Any, other: Any) -> bool:
    return math.isclose(one, other, rel_tol=1e-5) if isinstance(one, float) and other else one == other


def counts(name: str, values: Values) -> bool:
    """Whether a setting has a say beside the others."""
    setting = next(s for s in all_settings() if s.path == schema_path(name))
    known = [s for s in all_settings() if s.path == setting.path]
    _, part, rest = (*name.split("."), "", "")[:3]
    trained = values["method"]["kind"] != "embedding" and get(values, f"training.{part}.train") is not False
    if name.startswith("training.") and rest and part.startswith(("denoiser", "text_")):
        family = store.Preset(model={"family": values["model"]["family"]}).card  # type: ignore[arg-type]
        return part in family.trainable and trained
    return any(applies(s, values) for s in known)


def applies(setting: SettingInfo, values: Values) -> bool:
    card = examine({"model": {"family": values["model"]["family"]}})[0].card
    if not card.uses(setting.path) or setting.scope == "machine":
        return False
    if setting.when is None:
        return True
    where = setting.when.path if "." in setting.when.path else f"concepts.0.{setting.when.path}"
    return get(values, where) in setting.when.values


@pytest.mark.parametrize("shell", ["posix", "windows"])
def test_a_command_survives_its_shell(shell: Shell, tmp_path: Path) -> None:
    path = "C:\\My Pictures\\a & b (1)" if shell == "windows" else "/my pictures/it's $HOME `x`"
    preset = examine({"model": {"source": f"{path}/model.safetensors"}, "title": "A \"title\" with 100 % & more",
                      "concepts": [{"path": path}]})[0]  # fmt: skip
    exported = export(preset, "kohya", shell)
    found = back(exported, tmp_path)
    assert found.model.source == f"{path}/model.safetensors" and found.concepts[0].path == path
    (line,) = [name for name in exported.files if name.startswith("train.")]
    assert line == {"posix": "train.sh", "windows": "train.bat"}[shell]
    assert ("^\r\n" in exported.files[line]) == (shell == "windows")


def test_images_of_several_sizes_are_sets_of_their_own() -> None:
    concepts = [{"path": "a"}, {"path": "b", "resolutions": "768"}, {"path": "c", "kind": "validation"},
                {"path": "d", "enabled": False}]  # fmt: skip
    exported = export(examine({"concepts": concepts})[0], "kohya")
    sets = tomllib.loads(exported.files["dataset.toml"])["datasets"]
    assert [(each["resolution"], [sub["image_dir"] for sub in each["subsets"]]) for each in sets] == [
        (512, ["a"]), (768, ["b"])]  # fmt: skip
    assert "export.no-validation" in [said.code for said in exported.missing]


def test_the_command_line_prints_it_or_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = "presets/SD 1.5/LoRA 8 GB.json"
    assert run(["export", preset, "--as", "onetrainer", "--set", "training.batch_size=3"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["batch_size"] == 3 and "training.steps" in printed.err
    assert run(["export", preset, "--as", "kohya", "--shell", "posix", "-o", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset.toml", "prompts.txt", "train.sh"]
    assert run(["export", preset, "--as", "kohya", "--shell", "posix", "-o", str(tmp_path)]) == 2
    assert run(["export", "presets/Z-Image/LoRA, style.json", "--as", "kohya"]) == 2
    assert "does not train Z-Image" in capsys.readouterr().err


def test_each_row_of_what_is_missing_is_a_sentence() -> None:
    preset = examine({"training": {"ema": True, "steps": 7}, "objective": {"weighting": "p2"}})[0]
    for program in PROGRAMS:
        exported = export(preset, program)
        assert exported.missing and all(PLAIN.line(said) for said in exported.missing)
        assert PLAIN.what(exported.summary)


CONCEPT: Values = {
    "path": "pictures", "repeats": 3.0, "flip": True, "random_crop": True, "shuffle_tags": True, "keep_tags": 2,
    "tag_dropout": 0.25, "prefix": "robot, ", "wildcards": True, "caption_ending": ".caption",
}  # fmt: skip
BOTH: Values = {
    "version": Preset.VERSION,
    "model": {"family": "sdxl", "source": "a/model.safetensors", "vae": "a/vae.safetensors", "dtype": "fp16"},
    "method": {"kind": "lora", "rank": 24, "alpha": 6.0, "dropout": 0.125, "layers": "attention-mlp"},
    "training": {"batch_size": 3, "accumulation": 4, "learning_rate": 3e-4, "resolution": 896, "clip_gradients": 0.5,
                 "denoiser": {"learning_rate": 1e-4}, "epochs": 7,
                 "text_encoder_1": {"train": True, "learning_rate": 5e-5}},
    "optimizer": {"kind": "prodigy", "weight_decay": 0.25, "beta2": 0.98, "d_coef": 2.0, "use_bias_correction": True},
    "objective": {"weighting": "min_snr", "min_snr_gamma": 4.0, "prediction": "v_prediction",
                  "noise": {"offset": 0.05, "perturbation": 0.1}},
    "schedule": {"kind": "cosine_restarts", "cycles": 3, "warmup": "25 steps"},
    "sampling": {"every": "50 steps", "prompts": [{"prompt": "a robot", "negative": "bad", "seed": 7, "steps": 9,
                                                   "sampler": "euler_a", "guidance": 5.5}]},
    "output": {"dtype": "bf16"}, "backup": {"save_every": "2 epochs"},
}  # fmt: skip
OF_KOHYA: Values = {
    "model.max_chunks": 3, "training.max_side": 1536, "training.min_side": 320, "training.bucket_step": 32,
    "training.text_encoder_2": {"train": True, "learning_rate": 2e-5}, "method.conv": True, "method.conv_rank": 8,
    "method.conv_alpha": 2.0, "method.rate_ratio": 16.0, "method.max_norm": 1.0, "method.rank_dropout": 0.25,
    "objective.loss": {"mse": 0.0, "pseudo_huber": 1.0, "huber_schedule": "snr", "huber_delta": 0.2},
    "objective.noise.offset_random": True, "objective.times.lower": 0.02, "objective.zero_terminal_snr": "on",
    "concepts.0": {**CONCEPT, "keep_separator": "||", "caption_dropout": 0.1, "tag_warmup": 100, "masks": "alpha"},
    "general.seed": 5, "prior.weight": 0.5,
}  # fmt: skip
OF_ONETRAINER: Values = {
    "method.dora": True, "method.dora_axis": "outputs", "training.ema": True, "training.ema_decay": 0.99,
    "training.ema_every": 3, "training.text_encoder_1.stop_after": "3 epochs", "method.layers": "attention",
    "objective.loss": {"mse": 0.5, "mae": 0.25, "log_cosh": 0.25}, "objective.times.kind": "logit_normal",
    "objective.times.mean": -0.5, "objective.times.spread": 1.5, "backup.every": "20 minutes", "backup.keep": 2,
    "training.scale_rate": "both", "schedule.minimum": 0.1,
    "concepts.0": {"path": "pictures", "name": "mine", "repeats": 0.5, "flip": True, "random_crop": True, "hue": 18.0,
                   "rotation": 5.0, "rotation_fixed": True, "shuffle_tags": True, "keep_tags": 2, "tag_dropout": 0.25,
                   "tag_dropout_kind": "weighted", "tag_list_use": "keep", "tag_list": "robot\nred", "loss_weight": 2.0,
                   "capitals": "title", "capitals_share": 0.5, "variants": 2, "subfolders": True,
                   "resolutions": "512, 768", "masks": "file"},
    "training.masks": {"unmasked_weight": 0.2, "unmasked_probability": 0.3, "normalize": True},
}  # fmt: skip


@pytest.mark.parametrize(("program", "more"), [("kohya", OF_KOHYA), ("onetrainer", OF_ONETRAINER)])
def test_nothing_that_has_a_counterpart_is_missing(program: Program, more: Values, tmp_path: Path) -> None:
    values = json.loads(json.dumps(BOTH))
    for path, value in more.items():
        put(values, path, value)
    preset, wrong = examine(values)
    assert not wrong
    exported = export(preset, program)
    assert [PLAIN.line(said) for said in exported.missing] == []
    before, after = spelled_out(preset), spelled_out(back(exported, tmp_path))
    for path in set(settings_in(values)) - {"version"}:
        assert same(get(before, path), get(after, path)), path


def settings_in(values: Any, path: str = "") -> list[str]:
    if isinstance(values, dict):
        return [name for key, inside in values.items() for name in settings_in(inside, f"{path}.{key}".lstrip("."))]
    if isinstance(values, list):
        return [name for n, entry in enumerate(values) for name in settings_in(entry, f"{path}.{n}")]
    return [path]
