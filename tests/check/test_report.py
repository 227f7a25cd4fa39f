"""A check finds what would keep a run from starting, and reads no weights and writes no run for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from modules.check import report
from modules.errors import UserError
from modules.event_text import sentence
from modules.families.parts import building
from modules.messages import (
    CheckPreset,
    Command,
    Event,
    Finding,
    Finished,
    Note,
    Result,
    Stage,
    Stop,
    Train,
)
from modules.preset.files.set_option import apply_overrides
from modules.preset.files.store import load
from modules.sentences.render import PLAIN
from modules.system.bundled import ROOT
from modules.trainer.run_folder.own_files import OwnFiles
from tests.check.subjects import captioned, open_inputs, option
from tests.data.pictures import picture
from tests.test_run import do
from tests.tiny import SMALLEST, tiny_sd
from tests.trainer.runs import values

ALL_ROOMS = dict(report.CHECKS)
SLOW = ("memory", "costs")  # seconds each; most of what is tested here has nothing to do with them


@pytest.fixture(autouse=True)
def few_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "CHECKS", {name: room for name, room in ALL_ROOMS.items() if name not in SLOW})


@pytest.fixture
def all_rooms(few_rooms: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "CHECKS", ALL_ROOMS)


def check(workspace: Path, *settings: str) -> list[Event]:
    return do(CheckPreset(values(workspace, *settings)))


def found(events: list[Event]) -> list[Finding]:
    return [event for event in events if isinstance(event, Finding)]


def answer(events: list[Event]) -> str:
    assert isinstance(events[-1], Finished)
    return next(event.text for event in events if isinstance(event, Result))


def test_it_counts_what_a_run_would_do(tmp_path: Path) -> None:
    text = answer(check(tmp_path, "training.steps=0", "training.epochs=3", "training.accumulation=3"))
    assert "Stable Diffusion 1 and 2, LoRA. Trained: denoiser. The model was made for 64 pixels" in text
    assert "predicts." not in text, "a code, and not what it says"
    assert "16 images in 1 bucket (64x64: 16)." in text
    assert "9 steps in 3 epochs of 3 steps; a step trains on 6 images" in text


def test_shapes_are_counted_by_width_and_height(tmp_path: Path) -> None:
    for number, (width, height) in enumerate([(64, 64), (128, 32), (128, 32)]):
        picture(tmp_path / "images" / f"{number}.png", width, height)
    text = answer(check(tmp_path, f'concepts=[{{"path": "{tmp_path / "images"}"}}]'))
    assert "3 images in 2 buckets (128x32: 2, 64x64: 1)." in text


def test_it_loads_no_part_of_the_model(all_rooms: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def loud(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(building, "load_weights", loud)
    check(tmp_path, f"model.source={tiny_sd(tmp_path / 'model', unet=SMALLEST)}")
    assert {path.name for path in tmp_path.iterdir()} <= {"model", "cache"}
    with pytest.raises(AssertionError):
        do(Train(values(tmp_path, f"model.source={tmp_path / 'model'}")))


def test_a_summary_counts_what_was_found(tmp_path: Path) -> None:
    events = check(tmp_path, "training.learning_rate=0.4", "schedule.warmup=99 steps")
    counts = Counter(event.severity for event in events if isinstance(event, Finding))
    assert counts["warning"] >= 2
    said = f"The preset can start, {counts['warning']} warnings, {counts['info']} notes."
    assert answer(events).splitlines()[0] == said
    [result] = [event for event in events if isinstance(event, Result)]
    assert sentence(replace(result, text="")) == result.text, "it is told as data, too"


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        (("method.kind=embedding", "words.0.token=<new>"), "words.lost", "No caption holds the token <new>"),
        (
            ("method.kind=embedding", 'words=[{"token": "a"}]'),
            "words.known",
            'The model knows the word "a" already.',
        ),
        (
            ("method.kind=embedding", 'words=[{"token": "a+b"}]', "concepts.0.prefix=a+b "),
            "words.spelling",
            "other characters",
        ),
        (("model.source=/nowhere",), "model.cannot-open", "There is no model at /nowhere"),
        (("concepts.0.path=/nowhere",), "images.cannot-read", "/nowhere"),
        (("output.path=/",), "settings", "output.path"),
        (("output.path=TAKEN.safetensors",), "output.taken", "exists already"),
        (("method.layers=nothing",), "layers.none", "method.layers"),
    ],
    ids=["word", "known", "spelling", "model", "folder", "output", "taken", "layers"],
)
def test_what_a_run_would_refuse_is_a_finding(settings: tuple[str, ...], name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "TAKEN.safetensors").touch()
    settings = tuple(setting.replace("TAKEN", str(tmp_path / "TAKEN")) for setting in settings)
    plain = tuple(setting for setting in settings if setting != "output.path=/")
    preset = values(tmp_path, *plain)
    if plain != settings:
        preset["output"]["path"] = "/"
    stops = [finding for finding in found(do(CheckPreset(preset))) if finding.severity == "error"]
    assert [finding.name for finding in stops] == [name]
    assert words in stops[0].title
    assert stops[0].path
    for mend in stops[0].fixes:
        mended = do(CheckPreset(apply_overrides(preset, [option(path, value) for path, value in mend.changes.items()])))
        assert not any(finding.severity == "error" for finding in found(mended)), mend
    with pytest.raises(UserError):
        do(Train(preset))


@pytest.mark.parametrize("weighting", ["none", "min_snr"])  # min-SNR would be 0 / 0 at the last time
def test_zero_terminal_snr_is_refused_for_a_model_that_turns_out_to_predict_epsilon(
    weighting: str, tmp_path: Path
) -> None:
    model = f"model.source={tiny_sd(tmp_path / 'model')}"
    preset = values(tmp_path, model, "objective.zero_terminal_snr=on", f"objective.weighting={weighting}")
    (stop,) = [finding for finding in found(do(CheckPreset(preset))) if finding.severity == "error"]
    assert "Zero terminal SNR needs v-prediction" in stop.title and stop.path == "objective.zero_terminal_snr"
    changes = [option(path, value) for path, value in stop.fixes[0].changes.items()]
    mended = do(CheckPreset(apply_overrides(preset, changes)))
    assert not any(finding.severity == "error" for finding in found(mended))
    with pytest.raises(UserError, match="Zero terminal SNR needs v-prediction"):
        do(Train(preset))


def test_what_can_be_looked_at_without_a_model_is_looked_at(tmp_path: Path) -> None:
    names = [finding.name for finding in found(check(tmp_path, "model.source=/nowhere", "schedule.warmup=9 steps"))]
    assert {"model.cannot-open", "arithmetic.warmup", "captions.duplicates"} <= set(names)


def test_what_can_be_looked_at_without_images_is_looked_at(tmp_path: Path) -> None:
    names = {
        finding.name for finding in found(check(tmp_path, "concepts.0.path=/nowhere", "training.learning_rate=0.4"))
    }
    assert {"images.cannot-read", "arithmetic.rate"} <= names


def test_neither_model_nor_images_is_still_a_report(tmp_path: Path) -> None:
    events = check(tmp_path, "concepts.0.path=/nowhere", "model.source=/nowhere")
    assert answer(events).startswith("2 problems.\n")


def test_settings_that_no_run_takes_are_findings(tmp_path: Path) -> None:
    preset = values(tmp_path)
    preset["training"]["batch_size"] = 0
    preset["general"]["sed"] = 1
    events = do(CheckPreset(preset))
    assert {(finding.severity, finding.path) for finding in found(events)} == {
        ("error", "training.batch_size"),
        ("error", ""),
    }
    assert "Did you mean general.seed?" in " ".join(finding.text for finding in found(events))
    assert answer(events).startswith("2 problems. ")


def test_a_sampler_that_cannot_draw_with_the_model_is_found_with_one_that_can(tmp_path: Path) -> None:
    model = tiny_sd(tmp_path / "model", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    prompts = 'sampling.prompts=[{"prompt": "x", "sampler": "heun"}]'
    settings = (f"model.source={model}", prompts)
    (stop,) = [finding for finding in found(check(tmp_path, *settings)) if finding.name == "samples.cannot-draw"]
    assert "The sampler Heun does not work" in stop.title
    changes = [option(path, value) for path, value in stop.fixes[0].changes.items()]
    assert "samples.cannot-draw" not in [f.name for f in found(check(tmp_path, *settings, *changes))]


def test_a_caption_that_is_no_text_hides_nothing_and_stops_nothing(tmp_path: Path) -> None:
    captioned(tmp_path / "images", {"a": "a robot", "b": b"caf\x81"})
    told = {finding.name: finding for finding in found(check(tmp_path, f"concepts.0.path={tmp_path / 'images'}"))}
    assert told["captions.unreadable"].severity == "warning"
    assert "b.txt is not text" in PLAIN.words(told["captions.unreadable"].items[0])
    assert "images.unreadable" not in told
    assert "images.buckets" in told
    assert not [finding for finding in told.values() if finding.severity == "error"]


def test_a_check_can_be_left(tmp_path: Path) -> None:
    def user(event: Event) -> Command | None:
        return Stop() if isinstance(event, Stage) and event.code == "stage.check-captions" else None

    events = do(CheckPreset(values(tmp_path)), user)
    assert events[-1] == Finished(stopped=True)
    assert not any(isinstance(event, Result) for event in events)


def test_every_room_says_nothing_where_it_cannot_know(tmp_path: Path) -> None:
    context = open_inputs(values(tmp_path))
    for name, room in ALL_ROOMS.items():
        for blind in ({"family": None}, {"index": None}, {"family": None, "index": None}):
            assert all(finding.severity != "error" for finding in room(replace(context, **blind))), name


@pytest.mark.parametrize("preset", sorted((ROOT / "presets" / "Starter").glob("*.json")), ids=lambda path: path.stem)
def test_the_presets_for_a_first_run_have_nothing_that_hurts(preset: Path, tmp_path: Path) -> None:
    settings = load(preset).values
    settings["general"] = {"workspace": str(tmp_path), "device": "cpu"}
    assert [f.title for f in found(do(CheckPreset(settings))) if f.severity != "info"] == []


def test_all_rooms_together_find_nothing_that_hurts_a_first_run(all_rooms: None, tmp_path: Path) -> None:
    settings = load(ROOT / "presets" / "Starter" / "Robot LoRA.json").values
    settings["general"] = {"workspace": str(tmp_path), "device": "cpu"}
    told = found(do(CheckPreset(settings)))
    assert [f.title for f in told if f.severity != "info"] == []
    assert {"arithmetic", "captions", "images", "memory"} <= {f.name.partition(".")[0] for f in told}


def test_a_run_says_by_itself_what_will_hurt(tmp_path: Path) -> None:
    events = do(Train(values(tmp_path, "training.steps=1", "training.learning_rate=0.4")))
    said = [event.text for event in events if isinstance(event, Note) and event.level == "warning"]
    assert any("is 100 times above the usual" in text for text in said)
    assert any("14 of 16 images are never shown (88\u00a0%)." in text for text in said)
    assert not any(isinstance(event, Finding) for event in events)


def test_the_model_of_the_run_that_is_continued_is_in_nobodys_way(tmp_path: Path) -> None:
    preset = values(tmp_path, "general.name=Cat", f"output.path={tmp_path / 'cat.safetensors'}")
    folder, model = tmp_path / "Cat", tmp_path / "cat.safetensors"
    folder.mkdir()
    own = OwnFiles(folder, continued=False)
    own.claim(model, 4)
    model.write_bytes(b"a model")
    own.written(model, 4)
    assert "output.taken" in [finding.name for finding in found(do(CheckPreset(preset)))]
    assert "output.taken" not in [finding.name for finding in found(do(CheckPreset(preset, resume=str(folder))))]
