"""A section has settings for as many text encoders as a family has; the names are those of today's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modules.catalog import FAMILIES
from modules.preset.files.store import read, write_preset
from modules.preset.rules.rules import conflicts
from modules.preset.validate import all_settings, examine, preset_of
from tests.families.pretend.card import CARD


def encoders() -> set[str]:
    return {setting.path.split(".")[1] for setting in all_settings() if setting.path.startswith("training.text_")}


def test_a_preset_of_today_loads_and_is_written_with_the_same_names(tmp_path: Path) -> None:
    values = {
        "version": 6,
        "model": {"family": "sdxl"},
        "training": {
            "text_encoder_1": {"train": True, "learning_rate": 1e-5},
            "text_encoder_2": {"start_after": "1 epoch"},
        },
    }
    (tmp_path / "old.json").write_text(json.dumps(values), encoding="utf-8")
    preset = read(tmp_path / "old.json")
    assert list(preset.trained_parts()) == ["denoiser", "text_encoder_1"]
    assert [encoder.train for encoder in preset.training.text_encoders] == [True, False, False]
    write_preset(preset, tmp_path / "new.json")
    assert json.loads((tmp_path / "new.json").read_text(encoding="utf-8")) == values


def test_there_are_settings_for_as_many_as_the_catalog_has_and_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    third = {"version": 6, "training": {"text_encoder_3": {"train": True}}}
    fourth = {"version": 6, "training": {"text_encoder_4": {"train": True}}}
    assert encoders() == {f"text_encoder_{number}" for number in (1, 2, 3)}, "Stable Diffusion 3 has three"
    assert set(examine(fourth)[1]) == {"training.text_encoder_4"}, "a setting that does not exist"
    monkeypatch.setitem(FAMILIES, "pretend", CARD)
    assert encoders() == {f"text_encoder_{number}" for number in (1, 2, 3, 4)}
    preset = preset_of({**third, "model": {"family": "pretend"}})
    assert list(preset.trained_parts()) == ["denoiser", "text_encoder_3"]
    assert len(preset.training.text_encoders) == 4 and not conflicts(preset)


def test_a_wrong_value_of_a_text_encoder_is_named_by_its_path() -> None:
    _, wrong = examine({"version": 6, "training": {"text_encoder_2": {"train": 1, "rate": 2}, "steps": -1}})
    assert set(wrong) == {"training.text_encoder_2.train", "training.text_encoder_2.rate", "training.steps"}
