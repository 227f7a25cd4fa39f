"""What the check says of images to measure on."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.check.run.validation import findings
from modules.preset.preset import Preset
from tests.check.rooms import mended, preset_for, said
from tests.data.pictures import picture


def with_kind(tmp_path: Path, *settings: str) -> Preset:
    concepts = [{"path": "starter:robot"}, {"path": "starter:blueprint", "kind": "validation"}]
    return preset_for(tmp_path, (), *settings, concepts=concepts)


def test_images_for_validation_that_are_not_used_are_found(tmp_path: Path) -> None:
    preset = with_kind(tmp_path)
    finding = said(findings, preset)["validation.off"]
    assert "of the kind validation are not used" in finding.title
    assert not said(findings, mended(preset, finding))


def test_nothing_to_measure_on_keeps_a_run_from_starting(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    picture(folder / "1.png")
    finding = said(findings, preset_for(tmp_path, [folder], "validation.enabled=true"))["validation.nothing"]
    assert finding.severity == "error"


@pytest.mark.parametrize(("share", "few"), [(0.05, True), (0.5, False)])
def test_few_images_to_measure_on_are_told(share: float, few: bool, tmp_path: Path) -> None:
    told = said(findings, preset_for(tmp_path, (), "validation.enabled=true", f"validation.share={share}"))
    assert ("validation.few" in told) == few


def test_without_validation_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert not said(findings, preset_for(tmp_path))
