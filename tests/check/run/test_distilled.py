"""Who trains a model that draws in few steps as it is hears of it; who does it right does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.catalog import FAMILIES
from modules.check.run.rates import findings
from modules.sentences.render import PLAIN
from tests.check.rooms import preset_for, subject_of

ADAPTER = 'model.training_adapters=[{"path": "a.safetensors"%s}]'


@pytest.mark.parametrize(
    "name",
    ["stabilityai/sdxl-turbo", "dreamshaperXL_v21TurboDPMSDE.safetensors", "Tongyi-MAI/Z-Image-Turbo",
     "black-forest-labs/FLUX.1-schnell", "black-forest-labs/FLUX.2-klein-4B", "/m/flux-2-klein-9b.safetensors",
     "lodestones/Chroma1-Flash", "SDXL-Lightning", "lcm-sdxl", "Hyper-SDXL-8step", r"C:\m\krea2_turbo.gguf",
     "sd_xl_turbo/"],
)  # fmt: skip
def test_a_distilled_model_is_known_by_its_name(name: str) -> None:
    assert FAMILIES["sdxl"].is_distilled(name)


@pytest.mark.parametrize(
    "name",
    ["stabilityai/stable-diffusion-xl-base-1.0", "black-forest-labs/FLUX.2-klein-base-4B", "Tongyi-MAI/Z-Image",
     "ostris/Z-Image-De-Turbo", "deturbo.safetensors", "/turbo/lcm/model.safetensors", "hyperrealism_v2.safetensors",
     "flashback.safetensors", ""],
)  # fmt: skip
def test_others_are_not_taken_for_one(name: str) -> None:
    assert not FAMILIES["sdxl"].is_distilled(name)


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        (("model.source=stabilityai/sdxl-turbo",), True),
        (("model.source=stabilityai/sdxl-turbo", ADAPTER % ""), False),
        (("model.source=stabilityai/sdxl-turbo", ADAPTER % ', "enabled": false'), True),
        (("model.source=stabilityai/sdxl-turbo", "training.denoiser.train=false", "training.text_encoder_1.train=true"),
         False),
        (("model.source=stabilityai/sdxl",), False),
        (("model.source=sdxl-turbo", "model.family=zimage", "model.variant=Z-Image"), False),
    ],
)  # fmt: skip
def test_training_one_without_an_adapter_is_a_warning(tmp_path: Path, settings: tuple[str, ...], warned: bool) -> None:
    told = {each.name: each for each in findings(subject_of(preset_for(tmp_path, (), *settings)))}
    assert ("model.distilled-training" in told) == warned
    if warned:
        finding = told["model.distilled-training"]
        assert (finding.severity, finding.path) == ("warning", "model.source")
        assert PLAIN.sentence(finding.problem).startswith("sdxl-turbo draws in few steps")
