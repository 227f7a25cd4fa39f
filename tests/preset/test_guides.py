"""A guide sets what belongs together, changes nothing that is so already, and leaves nothing that clashes."""

from __future__ import annotations

from typing import Any

import pytest

from modules.diffusion.noise_schedule import RectifiedFlow, VPrediction
from modules.diffusion.solvers import scheduler_for
from modules.errors import UserError
from modules.preset.guides import GUIDES, changes_of
from modules.preset.paths import put
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.validate import preset_of

WITH = {"v_prediction": VPrediction(zero_terminal_snr=True), "flow": RectifiedFlow()}


def applied(name: str, **sections: Any) -> Preset:
    values = preset_of({"version": Preset.VERSION, **sections}).model_dump(mode="json")
    for path, value in changes_of(GUIDES[name], values).items():
        put(values, path, value)
    return preset_of(values)


@pytest.mark.parametrize("name", GUIDES)
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_what_a_guide_sets_is_valid_and_clashes_with_nothing(name: str, family: str) -> None:
    before = {"objective": {"noise": {"offset": 0.1}}, "training": {"text_encoder_1": {"train": True}}}
    preset = applied(name, model={"family": family}, **before)
    assert conflicts(preset) == []
    if name != "own":
        assert preset.objective.prediction == name
        assert preset.objective.noise.offset == 0
        assert not preset.trains_text


@pytest.mark.parametrize("name", WITH)
def test_samplers_that_cannot_draw_with_such_a_model_are_replaced(name: str) -> None:
    prompts = [{"prompt": "a"}, {"prompt": "b", "sampler": "heun"}, {"prompt": "c", "sampler": "ddim"}]
    preset = applied(name, sampling={"prompts": prompts})
    for prompt in preset.sampling.prompts:
        scheduler_for(prompt.sampler, WITH[name])
    for sampler in GUIDES[name].samplers:
        scheduler_for(sampler, WITH[name])
    replaced = "heun" if name == "v_prediction" else "ddim"
    with pytest.raises(UserError):
        scheduler_for(replaced, WITH[name])


def test_one_guide_takes_back_what_another_did() -> None:
    changed = applied("flow")
    values = changed.model_dump(mode="json")
    for path, value in changes_of(GUIDES["own"], values).items():
        put(values, path, value)
    assert preset_of(values).objective == Preset().objective


def test_nothing_is_changed_that_is_so_already() -> None:
    assert changes_of(GUIDES["own"], Preset().model_dump(mode="json")) == {}
    assert "objective.loss.mse" not in changes_of(GUIDES["flow"], Preset().model_dump(mode="json"))
