"""What a model is usually drawn with: for new prompts, and for those that were made for another model."""

from __future__ import annotations

from typing import Any

import pytest

from modules.preset.rules.rules import conflicts
from modules.preset.usual_sampling import better_sampling, is_flow, usual_prompt
from modules.preset.validate import preset_of

TURBO, BASE = "Tongyi-MAI/Z-Image-Turbo", "Tongyi-MAI/Z-Image"
OLD = {"prompt": "a cat", "steps": 30, "guidance": 7.0, "sampler": "euler_a"}  # as it suits SDXL


def values(family: str, source: str, *prompts: dict[str, Any], **sections: Any) -> dict[str, Any]:
    model = {"family": family, "source": source}
    return {"version": 6, "model": model, "sampling": {"prompts": list(prompts)}, **sections}


def test_a_new_prompt_begins_as_its_model_is_usually_drawn() -> None:
    assert usual_prompt(values("zimage", TURBO)) == {"steps": 8, "guidance": 1, "sampler": "euler"}
    assert usual_prompt(values("zimage", BASE))["steps"] == 30
    assert usual_prompt(values("nobody", "")) == {}
    for variant, steps in (("auto", 30), ("Z-Image-Turbo", 8), ("Krea 2 Turbo", 30)):
        unnamed = {**values("zimage", "mine.safetensors"), "model": {"family": "zimage", "variant": variant}}
        assert usual_prompt(unnamed)["steps"] == steps


@pytest.mark.parametrize(
    ("family", "variant", "codes"),
    [("zimage", "Z-Image-Turbo", []), ("zimage", "Krea 2 Turbo", ["rules.variant"]), ("sd", "Krea 2 Turbo", [])],
)
def test_a_variant_is_one_of_the_familys(family: str, variant: str, codes: list[str]) -> None:
    preset = preset_of({"version": 6, "model": {"family": family, "variant": variant}})
    assert [each.code for each in conflicts(preset) if each.path == "model.variant"] == codes


@pytest.mark.parametrize(
    ("family", "source", "changes"),
    [
        ("sdxl", "base.safetensors", {}),
        ("zimage", BASE, {"sampler": "euler"}),
        ("zimage", TURBO, {"steps": 8, "guidance": 1, "sampler": "euler"}),
    ],
)
def test_prompts_of_another_model_are_mended(family: str, source: str, changes: dict[str, Any]) -> None:
    prompts = ({**OLD, "enabled": False}, OLD)
    found = better_sampling(values(family, source, *prompts))
    assert found == {f"sampling.prompts.1.{name}": value for name, value in changes.items()}


def test_what_suits_a_distilled_model_is_left_alone() -> None:
    fine = {"prompt": "a cat", "steps": 12, "guidance": 1.5, "sampler": "dpmpp_2m"}
    assert better_sampling(values("zimage", TURBO, fine)) == {}


def test_class_images_are_looked_at_where_there_are_any() -> None:
    made = {"count": 20, "sampler": "ddim", "steps": 30, "guidance": 5.0}
    found = better_sampling(values("zimage", TURBO, prior={"made": made}))
    assert found == {"prior.made.sampler": "euler", "prior.made.steps": 8, "prior.made.guidance": 1}
    assert not better_sampling(values("zimage", TURBO, prior={"made": {**made, "count": 0}}))


def test_a_transformer_is_a_flow_and_can_be_nothing_else() -> None:
    assert is_flow(values("zimage", BASE)) and not is_flow(values("sdxl", ""))
    assert is_flow(values("sdxl", "", objective={"prediction": "flow"}))
    for prediction, codes in (("v_prediction", ["rules.always-flow"]), ("flow", []), ("auto", [])):
        preset = preset_of(values("zimage", BASE, objective={"prediction": prediction}))
        assert [problem.code for problem in conflicts(preset)] == codes
