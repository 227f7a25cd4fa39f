"""`--set path=value`."""

from typing import Any

import pytest

from modules.errors import Problems
from modules.preset.files.set_option import apply_overrides
from modules.preset.validate import preset_of

LORA: dict[str, Any] = {"version": 6, "method": {"kind": "lora", "rank": 8, "layers": "all"}}


def test_values_are_read_as_the_setting_wants_them() -> None:
    texts = [
        "training.steps=5",
        "training.learning_rate=1e-5",
        "training.ema=true",
        "general.name=5",
        "model.dtype=bf16",
    ]
    preset = preset_of(apply_overrides({"version": 6}, [*texts, "sampling.every=10 steps", "general.name=a=b"]))
    assert (preset.training.steps, preset.training.learning_rate, preset.training.ema) == (5, 1e-5, True)
    assert (preset.general.name, preset.model.dtype, preset.sampling.every) == ("a=b", "bf16", "10 steps")


def test_the_values_given_stay_as_they_are() -> None:
    apply_overrides(LORA, ["method.rank=4"])
    assert LORA["method"]["rank"] == 8


def test_another_kind_drops_the_settings_of_the_former() -> None:
    preset = preset_of(apply_overrides(LORA, ["method.kind=full"]))
    assert (preset.method.kind, preset.method.layers) == ("full", "all")


def test_a_kind_and_its_settings_may_be_given_in_either_order() -> None:
    values = apply_overrides({"version": 6, "method": {"kind": "full"}}, ["method.rank=4", "method.kind=lora"])
    assert values["method"] == {"kind": "lora", "rank": 4}


def test_lists_grow_at_their_end() -> None:
    values = apply_overrides({"version": 6, "concepts": [{}]}, ["concepts.0.repeats=2", "concepts.1.path=/cats"])
    assert values["concepts"] == [{"repeats": 2}, {"path": "/cats"}]
    values = apply_overrides({"version": 6}, ['sampling.prompts=[{"prompt": "cat"}]'])
    assert values["sampling"] == {"prompts": [{"prompt": "cat"}]}


def test_everything_that_cannot_be_laid_is_said_together() -> None:
    with pytest.raises(Problems) as caught:
        apply_overrides({"version": 6}, ["training.epocs=5", "steps", "concepts.7.path=x"])
    assert caught.value.problems[0].values == {"near": "training.epochs"}
    assert caught.value.problems[1].code == "option.no-value"
    assert caught.value.problems[2].code == "option.no-entry"


def test_a_wrong_value_is_left_for_the_schema_to_refuse() -> None:
    with pytest.raises(Problems, match=r'training\.steps: "many" is not a whole number'):
        preset_of(apply_overrides({"version": 6}, ["training.steps=many"]))
    with pytest.raises(Problems, match=r"method\.kind: \"glora\" is none of"):
        preset_of(apply_overrides(LORA, ["method.kind=glora"]))
