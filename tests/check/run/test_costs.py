"""What a run will take of time and disk: held against small real runs, and against disks that are too small."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from modules.check import report
from modules.check.run import costs, probe
from modules.check.run.costs import findings
from modules.check.run.sizes import cache_bytes, sizes_of
from modules.families import Family
from modules.messages import CheckPreset, Finding
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.rules.rules import validate
from modules.sentences.problem import Problem, problem
from modules.sentences.render import PLAIN
from modules.system.read_cache import ReadCache
from modules.trainer.preparation import open_family
from modules.trainer.run_folder import throughput
from modules.trainer.run_folder.throughput import OLD_FILE, Speed, load_speed, save_speed, shape_of
from tests.check.rooms import mended, subject_of
from tests.data.pictures import scanned
from tests.test_run import do
from tests.trainer.runs import STARTER, folder_of, model_of, run, values

Values = dict[str, Any]


def told(preset_values: Values, *, probe: bool = False) -> dict[str, Finding]:
    preset = with_absolute_paths(validate(preset_values))
    family = open_family(preset, lambda event: None)
    context = replace(subject_of(preset, scanned(preset), family=family), probe=probe)
    return {one.name: one for one in findings(context)}


def size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


# Disk -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        ("examine.points=noise", "examine.budget=100", "training.steps=10"),
        ("optimizer.kind=adafactor",),
        ("optimizer.kind=prodigy", "training.learning_rate=1"),
        ("optimizer.kind=lion", "training.weights=bf16", "model.dtype=bf16", "training.ema=true"),
        ("method.dora=true", "output.dtype=fp16"),
        ("method.kind=full", "output.parts=trained"),
        ("method.kind=full", "training.text_encoder_1.train=true", "output.model_format=folder"),
    ],
    ids=lambda settings: " ".join(settings).replace("training.", "").replace("kind=", ""),
)
def test_sizes_are_those_of_a_real_run(settings: tuple[str, ...], tmp_path: Path) -> None:
    given = values(tmp_path, STARTER, "training.steps=1", *settings)
    preset = with_absolute_paths(validate(given))
    family = open_family(preset, lambda event: None)
    sizes = sizes_of(family, preset)
    cache = cache_bytes(family, preset, scanned(preset), sizes, preset.training.steps)
    events = run(given, cold=True)
    backup = next((folder_of(events) / "backups").glob("step-*"))
    assert sizes.backup == pytest.approx(size(backup), rel=0.1)
    assert sizes.model == pytest.approx(size(model_of(events)), rel=0.1)
    assert cache == pytest.approx(size(tmp_path / "cache"), rel=0.1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 5 MB: room for a LoRA's run with one backup, not with a dozen."""
    place = tmp_path / "disk"
    place.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root can mount a small disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", place], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_without_room_stops_the_run_and_fewer_backups_help(small_disk: Path) -> None:
    given = values(small_disk, STARTER, "backup.every=1 steps", "backup.keep=10", "training.steps=40")
    finding = told(given)["costs.disk"]
    assert finding.severity == "error"
    assert finding.title.startswith("The run needs about 7.")
    assert f"on the disk with {small_disk}, and 5.0 MB are free." in finding.title
    assert [mend.changes for mend in finding.fixes] == [{"backup.keep": 1}]
    assert told(mended(validate(given), finding).model_dump(mode="json"))["costs.disk"].severity == "info"


def test_models_on_the_way_are_counted_too(small_disk: Path) -> None:
    given = values(small_disk, STARTER, "backup.save_every=1 steps", "training.steps=40")
    finding = told(given)["costs.disk"]
    assert [mend.changes for mend in finding.fixes] == [{"backup.save_every": "never"}]
    assert told(mended(validate(given), finding).model_dump(mode="json"))["costs.disk"].severity == "info"


def test_what_lies_on_another_disk_is_counted_there(small_disk: Path, tmp_path: Path) -> None:
    many = ("backup.every=1 steps", "backup.keep=10", "training.steps=40")
    finding = told(values(tmp_path / "roomy", STARTER, *many, f"general.cache={small_disk / 'cache'}"))["costs.disk"]
    assert finding.severity == "info"


def test_hardly_any_room_left_hurts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = values(tmp_path)
    total = sum(amount for _, amount in told(given)["costs.disk"].bars)
    monkeypatch.setattr(costs, "free_bytes", lambda path: int(total / 0.95))
    finding = told(given)["costs.disk"]
    assert finding.severity == "warning"
    assert "Hardly any space would be left" in finding.text


def test_a_cache_that_is_there_already_does_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = values(tmp_path)
    total = sum(amount for _, amount in told(given)["costs.disk"].bars)
    monkeypatch.setattr(costs, "free_bytes", lambda path: int(total * 0.95))
    assert told(given)["costs.disk"].severity == "error"
    (tmp_path / "cache" / "1.shard").write_bytes(b"")
    finding = told(given)["costs.disk"]
    assert finding.severity == "warning"
    assert "encoded before" in finding.text


# Time -----------------------------------------------------------------------------------------------------------------


def test_what_is_shown_once_needs_no_cache_and_what_is_shown_often_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "LARGE_CACHE", 1)  # bytes
    once = ("training.steps=8", "training.batch_size=2", "concepts.0.flip=false")  # 16 images
    found = told(values(tmp_path, *once))
    assert not mended(validate(values(tmp_path, *once)), found["costs.read-once"]).general.cache_latents
    assert "costs.read-once" not in told(values(tmp_path, *once, "training.steps=9"))
    off = (*once, "general.cache_latents=false")
    assert not {"costs.read-once", "costs.encoded-again"} & set(told(values(tmp_path, *off)))
    assert told(values(tmp_path, *off, "training.steps=24"))["costs.encoded-again"].title.startswith(
        "Each image is encoded about 3 times"
    )


def test_before_the_first_run_nobody_knows(tmp_path: Path) -> None:
    finding = told(values(tmp_path))["costs.time"]
    assert "is not known" in finding.title
    assert "--probe" in finding.text


def test_a_run_tells_the_next_check_how_fast_it_was(tmp_path: Path) -> None:
    prompt = 'sampling.prompts=[{"prompt": "x", "steps": 2, "width": 64, "height": 64}]'
    given = values(tmp_path, STARTER, prompt, "sampling.last=true", "training.steps=10")
    run(given)
    finding = told(given)["costs.time"]
    assert "10 steps of" in finding.title
    assert "As measured on this machine" in finding.text
    assert [*bars_of(finding)] == ["steps", "samples"]
    larger = told(values(tmp_path, STARTER, prompt, "sampling.last=true", "training.steps=10", "training.batch_size=4"))
    assert "only roughly" in larger["costs.time"].text
    other = told(values(tmp_path, STARTER, "method.kind=full"))
    assert "is not known" in other["costs.time"].title


def test_time_and_energy_are_worked_out_from_what_was_measured(tmp_path: Path) -> None:
    prompt = 'sampling.prompts=[{"prompt": "x", "steps": 20}]'
    given = values(tmp_path, "training.steps=1000", prompt, "sampling.every=100 steps", "sampling.first=true")
    preset = with_absolute_paths(validate(given))
    numbers = sizes_of(open_family(preset, lambda event: None), preset).denoiser
    save_speed(tmp_path / "cache", shape_of(preset, numbers), Speed(step=7.2, drawing=0.5, watts=350))
    finding = told(given)["costs.time"]
    # 11 times 20 steps; and 3 % of the steps.
    assert bars_of(finding) == {"steps": 7200, "samples": 110, "learnt and forgotten": 216}
    assert finding.title == "About 2 hours 5 minutes: 1,000 steps of 7.2 seconds, and 0.73 kWh for the graphics card."
    plain = bars_of(told(given | {"examine": {"enabled": False}})["costs.time"])
    assert plain == {"steps": 7200, "samples": 110}


@pytest.mark.parametrize("method", ["lora", "full", "embedding"])
def test_a_probe_measures_real_steps_and_keeps_nothing_but_times(method: str, tmp_path: Path) -> None:
    word = ("words.0.token=<new>",) if method == "embedding" else ()
    given = values(tmp_path, f"method.kind={method}", *word, "concepts.0.prefix=<new> ", "training.accumulation=2")
    finding = told(given, probe=True)["costs.time"]
    assert "8 steps of" in finding.title
    assert {path.name for path in tmp_path.rglob("*")} <= {"cache", "read-cache.sqlite"}
    assert told(given)["costs.time"].title == finding.title


def test_a_probe_compiles_what_the_run_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()

    def compiled(family: Family) -> Problem:
        seen.append(sum(1 for each in family.denoiser.modules() if type(each).__name__ == "BasicTransformerBlock"))
        return problem("compile.blocks", "general.compile", count=seen[-1])

    monkeypatch.setattr(probe, "compiled", compiled)
    given = values(tmp_path, "general.compile=on")
    assert "8 steps of" in told(given, probe=True)["costs.time"].title
    assert len(seen) == 1 and seen[0] > 0
    assert "8 steps of" not in told({**given, "general": {**given["general"], "compile": "off"}})["costs.time"].title


def test_a_check_that_is_asked_to_passes_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(report, "CHECKS", {"costs": lambda context: iter(asked.append(context.probe) or ())})
    do(CheckPreset(values(tmp_path), probe=True))
    do(CheckPreset(values(tmp_path)))
    assert asked == [True, False]


# The memory of speeds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 6}', '{"version": 1, "speeds": [{"shape": {}, "speed": {"step": "x"}}]}']
)
def test_a_torn_file_of_speeds_of_an_earlier_release_is_passed_over(text: str, tmp_path: Path) -> None:
    shape = shape_of(with_absolute_paths(validate(values(tmp_path))), 100)
    tmp_path.joinpath(OLD_FILE).write_text(text)
    assert load_speed(tmp_path, shape) is None
    save_speed(tmp_path, shape, Speed(2.0))
    assert load_speed(tmp_path, shape) == Speed(2.0)


def test_speeds_of_an_earlier_release_are_still_known(tmp_path: Path) -> None:
    shape = shape_of(with_absolute_paths(validate(values(tmp_path))), 100)
    entry = {"shape": asdict(shape), "speed": {"step": 2.5, "drawing": 0.5, "watts": 0.0, "when": 7.0, "exact": True}}
    tmp_path.joinpath(OLD_FILE).write_text(json.dumps({"version": 1, "speeds": [entry]}))
    assert load_speed(tmp_path, shape) == Speed(2.5, 0.5, when=7.0)
    save_speed(tmp_path, shape, Speed(2.0))
    assert load_speed(tmp_path, shape) == Speed(2.0)


def test_only_the_newest_speeds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "MOST", 2)
    shapes = [shape_of(with_absolute_paths(validate(values(tmp_path))), 100 + number) for number in range(3)]
    for when, shape in enumerate(shapes):
        save_speed(tmp_path, shape, Speed(2.0, when=when))
    with ReadCache(tmp_path) as kept:
        assert len(kept.all("speeds 1")) == 2
    assert not load_speed(tmp_path, shapes[0])


def test_the_newest_speed_of_a_shape_counts_and_other_shapes_stay(tmp_path: Path) -> None:
    one = shape_of(with_absolute_paths(validate(values(tmp_path))), 100)
    other = shape_of(with_absolute_paths(validate(values(tmp_path, "optimizer.kind=lion"))), 100)
    save_speed(tmp_path, one, Speed(2.0, when=1))
    save_speed(tmp_path, other, Speed(5.0, when=2))
    save_speed(tmp_path, one, Speed(3.0, when=3))
    assert load_speed(tmp_path, one) == Speed(3.0, when=3)
    assert load_speed(tmp_path, other) == Speed(5.0, when=2)
    assert load_speed(tmp_path, shape_of(with_absolute_paths(validate(values(tmp_path))), 200)) is None


def bars_of(finding: Finding) -> dict[str, float]:
    return {PLAIN.words(label): amount for label, amount in finding.bars}


def test_validation_takes_time_and_room_for_the_best_model(tmp_path: Path) -> None:
    given = values(tmp_path, "training.steps=100", "validation.enabled=true", "validation.every=25 steps")
    preset = with_absolute_paths(validate(given))
    shape = shape_of(preset, sizes_of(open_family(preset, lambda event: None), preset).denoiser)
    save_speed(Path(preset.general.cache), shape, Speed(3.0))
    bars = bars_of(told(given)["costs.time"])
    # 5 times 1 image of 16 with 4 amounts of noise, each a third of what a step of 2 images takes for one.
    assert bars["validation"] == pytest.approx(5 * 1 * 4 * 1.5 / 3, abs=0.1)
    room = bars_of(told(given)["costs.disk"])
    assert room["best model"] == 2 * room["finished model"]
    assert "best model" not in bars_of(told(given | {"validation": {}})["costs.disk"])
