"""Settings that are right alone and wrong together are refused before anything loads."""

from typing import Any

import pytest

from modules.errors import Problems
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts, missing_settings, validate
from modules.preset.validate import preset_of
from modules.sentences.problem import problem
from modules.sentences.render import PLAIN

READY = {"version": 6, "model": {"source": "starter:model"}, "concepts": [{"path": "starter:robot"}]}


def with_(**values: Any) -> Preset:
    return preset_of({**READY, **values})


def test_the_defaults_contradict_nothing() -> None:
    assert conflicts(Preset()) == []
    assert [*conflicts(with_()), *missing_settings(with_())] == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"model": {"dtype": "fp16"}, "training": {"weights": "bf16"}},
            "model.dtype fp16 and training.weights bf16 cannot",
        ),
        (
            {"optimizer": {"kind": "schedule_free_adamw"}, "schedule": {"kind": "cosine"}},
            "replaces a learning rate",
        ),
        ({"optimizer": {"kind": "schedule_free_adamw"}, "training": {"weights": "bf16"}}, "too coarse"),
        ({"training": {"denoiser": {"train": False}}}, "nothing would be trained"),
        ({"training": {"text_encoder_2": {"train": True}}}, "sd has no such text encoder"),
        ({"method": {"kind": "embedding"}, "training": {"text_encoder_1": {"train": True}}}, "unchanged text encoder"),
        ({"optimizer": {"kind": "prodigy"}}, "Set training.learning_rate to 1"),
        ({"training": {"gradients": "main_memory"}}, "is for full fine-tunes"),
        (
            {
                "training": {"gradients": "main_memory", "learning_rate": 1e-5},
                "method": {"kind": "full"},
                "general": {"device": "cpu"},
            },
            "moves gradients off a graphics card",
        ),
        ({"training": {"learning_rate": 1.0}}, "destroys a model"),
        ({"objective": {"prediction": "epsilon", "zero_terminal_snr": "on"}}, "needs v-prediction"),
        ({"objective": {"prediction": "flow", "zero_terminal_snr": "on"}}, "always ends in pure noise"),
        ({"objective": {"loss": {"mse": 0.0}}}, "weight 0"),
        ({"validation": {"enabled": True, "every": "never", "patience": 3}}, "counts validations"),
        ({"objective": {"times": {"lower": 0.6, "upper": 0.5}}}, "is not below"),
        ({"words": [{"token": "<a>"}, {"token": "<a>"}]}, "is there 2 times"),
        ({"words": [{"token": "my cat"}]}, "contains a space"),
        ({"words": [{"start": "cat", "file": "cat.safetensors"}]}, "both say"),
        ({"words": [{"train": False}]}, "names no file"),
        ({"words": [{"token": "denoiser"}]}, "the name of a component"),
        ({"words": [{}], "optimizer": {"kind": "schedule_free_adamw"}}, "behind the back"),
        ({"prior": {"made": {"count": 5}}}, "prior.made.prompts is empty"),
        ({"training": {"resolution": 500}}, "training.resolution: 500 is not a multiple of 8"),
        ({"sampling": {"prompts": [{}, {"width": 513}]}}, "sampling.prompts.1.width: 513 is not a multiple of 8"),
        ({"training": {"resolution": 768, "max_side": 512}}, "training.max_side 512 is shorter"),
        ({"output": {"path": "cat.ckpt"}}, "end with .safetensors"),
        (
            {"output": {"path": "cat.safetensors", "model_format": "folder"}, "method": {"kind": "full"}},
            "the result is a folder",
        ),
    ],
)
def test_a_clash_is_refused_with_its_paths(values: dict[str, Any], said: str) -> None:
    found = conflicts(with_(**values))
    assert len(found) == 1
    assert said in PLAIN.line(found[0])


def test_settings_that_look_alike_and_are_fine_pass() -> None:
    assert conflicts(with_(training={"weights": "bf16", "learning_rate": 1.0}, optimizer={"kind": "prodigy"})) == []
    assert conflicts(with_(model={"family": "sdxl"}, training={"text_encoder_2": {"train": True}})) == []
    assert conflicts(with_(method={"kind": "embedding"}, training={"denoiser": {"train": False}})) == []
    assert conflicts(with_(method={"kind": "embedding"}, words=[{}], output={"path": "words"})) == []
    assert conflicts(with_(schedule={"warmup": "50 %"}, optimizer={"kind": "schedule_free_adamw"})) == []


def test_a_run_needs_a_model_and_images() -> None:
    assert [problem.path for problem in missing_settings(Preset())] == ["model.source", "concepts"]
    kept = with_(concepts=[{"path": "starter:prior", "kind": "class"}])
    assert missing_settings(kept)[0].code == "preset.no-training-images"
    assert missing_settings(with_(method={"kind": "embedding"}))[0].path == "words"
    off = with_(concepts=[{"path": "starter:robot", "enabled": False}])
    assert missing_settings(off)[0].code == "preset.concepts-disabled"
    assert missing_settings(with_(concepts=[{"path": "starter:robot"}, {}]))[0].path == "concepts.1.path"


def test_wrong_values_and_clashes_are_reported_together() -> None:
    with pytest.raises(Problems) as caught:
        validate(
            {**READY, "training": {"batch_size": 0, "resolution": 500}},
            (problem("value.wrong", "general.name", value="known before"),),
        )
    assert len(caught.value.problems) == 3


def test_no_rule_speaks_of_a_value_that_nobody_wrote() -> None:
    with pytest.raises(Problems) as caught:
        validate({"version": 6, "model": {"source": 7}, "concepts": 3})
    assert [problem.path for problem in caught.value.problems] == ["model.source", "concepts"]
