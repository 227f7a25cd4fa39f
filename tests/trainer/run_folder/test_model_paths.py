"""What a run tells its files of its buckets and of the files that it began with."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.trainer.run_folder import model_paths
from modules.trainer.run_folder.model_paths import aspect_error, base_hashes, bucket_counts, concept_facts
from tests.data.pictures import index_of, preset_of, scanned


def test_buckets_are_counted_with_repeats_and_aspect_ratios_without() -> None:
    concepts = (Concept(repeats=3), Concept(samples=2))
    index = index_of((0, 0), (0, 1), (0, 1), (1, 2), (1, 2), concepts=concepts)  # 64 x 64 each
    assert index.buckets == ((32, 32), (32, 40), (32, 48))
    assert bucket_counts(index) == ((32, 32, 3), (40, 32, 6), (48, 32, 2))
    assert aspect_error(index) == pytest.approx((0 + 0.25 + 0.25 + 0.5 + 0.5) / 5)


def test_the_files_of_the_model_and_the_vae_have_hashes_and_folders_have_none(tmp_path: Path) -> None:
    (file := tmp_path / "base.safetensors").write_bytes(b"weights")
    model = {"source": str(file), "vae": "starter:model"}
    preset = Preset.model_validate({"model": model, "general": {"cache": str(tmp_path / "cache")}})
    whole, nothing = hashlib.sha256(b"weights").hexdigest(), hashlib.sha256(b"").hexdigest()[:8]
    assert base_hashes(preset, lambda: None) == {"sd_model_hash": nothing, "new_sd_model_hash": whole}
    model["vae"], model["source"] = str(file), "some/model"
    preset = preset.model_copy(update={"model": preset.model.model_copy(update=model)})
    assert base_hashes(preset, lambda: None) == {"vae_hash": nothing, "new_vae_hash": whole}


def test_of_very_many_images_only_their_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    index = scanned(preset_of({"path": "starter:robot"}))
    [few] = concept_facts(index)
    monkeypatch.setattr(model_paths, "MOST_TAGGED", len(index) - 1)
    [many] = concept_facts(index)
    assert few.tags
    assert many == replace(few, tags={})
