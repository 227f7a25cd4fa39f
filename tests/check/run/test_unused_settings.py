"""Settings that would do nothing are said before the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.catalog import FAMILIES
from modules.check.run.unused_settings import findings
from modules.preset.validate import preset_of
from tests.check.rooms import mended, preset_for, said, subject_of
from tests.families.pretend.card import CARD

TEXT = "training.text_encoder_1.train=true"


@pytest.mark.parametrize(
    ("settings", "name", "severity"),
    [
        (("training.turns=5 steps",), "idle.turns", "info"),
        (("method.kind=full", 'method.groups=[{"layers": "mid", "rank": 4}]'), "idle.rank", "info"),
        (("prior.weight=0", "concepts.0.kind=prior"), "idle.prior", "warning"),
        (("method.kind=oft",), "readers.oft", "info"),
        (("output.lora_format=diffusers",), "readers.diffusers-names", "warning"),
        (("method.dora=true", "method.dora_axis=outputs"), "readers.dora-outputs", "warning"),
        (("method.dora=true",), "readers.dora", "info"),
        (("method.kind=lokr", "method.dora=true"), "readers.dora-kind", "info"),
        (
            (TEXT, "training.steps=50", "training.text_encoder_1.start_after=50 steps"),
            "idle.start",
            "warning",
        ),
    ],
)
def test_what_does_nothing_is_said_and_its_mend_ends_it(settings, name: str, severity: str, tmp_path: Path) -> None:
    concepts = [{"path": "starter:robot"}, {"path": "starter:blueprint"}]
    preset = preset_for(tmp_path, (), *settings, concepts=concepts)
    finding = said(findings, preset)[name]
    assert finding.severity == severity
    if finding.fixes:
        assert name not in said(findings, mended(preset, finding))


def test_a_dora_in_names_that_only_diffusers_reads_is_spoken_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, "pretend", CARD)
    dora = ("model.family=pretend", "method.dora=true", "method.dora_axis=outputs", "output.lora_format=diffusers")
    preset = preset_for(tmp_path, (), *dora, concepts=[{"path": "starter:robot"}])
    finding = said(findings, preset)["readers.diffusers-dora"]
    assert "readers.diffusers-dora" not in said(findings, mended(preset, finding))


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("training.turns=5 steps", TEXT),
        ('method.groups=[{"layers": "mid", "rank": 4}]',),
        (TEXT, "training.steps=50", "training.text_encoder_1.start_after=20 steps"),
        ("prior.weight=0",),
    ],
)
def test_what_does_something_is_not_spoken_of(settings, tmp_path: Path) -> None:
    assert said(findings, preset_for(tmp_path, (), *settings, concepts=[{"path": "starter:robot"}])) == {}


def test_prompts_that_do_not_suit_a_distilled_model_are_said_with_what_is_usual() -> None:
    prompts = [{"prompt": "a cat", "steps": 30}, {"prompt": "a dog", "steps": 8, "guidance": 1, "negative": "fog"}]
    model = {"family": "zimage", "source": "Tongyi-MAI/Z-Image-Turbo"}
    preset = preset_of({"version": 6, "model": model, "sampling": {"prompts": prompts}})
    found = {finding.name: finding for finding in findings(subject_of(preset))}
    unsuited, unread = found["samples.unsuited"], found["idle.negative"]
    assert (unsuited.path, unsuited.severity) == ("sampling.prompts.0.steps", "warning")
    assert unsuited.fixes[0].changes == {"sampling.prompts.0.steps": 8, "sampling.prompts.0.guidance": 1}
    assert unread.path == "sampling.prompts.1.negative"
    assert "usually sampled with 8 steps and guidance 1" in unsuited.title
