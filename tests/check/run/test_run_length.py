"""What the check says of numbers: steps, rates, averages, showings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from modules.check.run.common_rates import common_rate
from modules.check.run.plan import Plan, samplings, validations
from modules.check.run.rates import initial_weights_share
from modules.check.run.run_length import findings
from modules.messages import BackupSaved, Finding, ModelSaved, Progress, SampleReady, Started
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.preset.validate import preset_of
from modules.system.bundled import ROOT
from modules.trainer.step.ema import Ema
from tests.check.rooms import preset_for
from tests.check.subjects import found, open_inputs, pictures
from tests.data.pictures import scanned
from tests.tiny import tiny_sd
from tests.trainer.runs import run, values

LONG = "training.steps=300"  # long enough to be no finding by itself


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that says it was made for 512 pixels."""
    return f"model.source={tiny_sd(tmp_path_factory.mktemp('large') / 'model', unet={'sample_size': 64})}"


def of(folder: Path, *settings: str) -> dict[str, Finding]:
    """What is found on the starter's 16 robots, in a run that would be long enough, but for the plan."""
    told = found(findings, folder, "training.learning_rate=5e-4", "schedule.warmup=5 %", LONG, *settings)
    del told["arithmetic.plan"]
    return told


# The plan -------------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_usual_numbers(tmp_path: Path) -> None:
    assert of(tmp_path) == {}


def test_the_plan_is_what_a_run_does(tmp_path: Path) -> None:
    settings = ("training.steps=0", "training.epochs=3", "training.accumulation=3", "backup.every=4 steps",
                "backup.save_every=1 epoch", "sampling.every=3 steps", "sampling.first=true", "sampling.last=true",
                'sampling.prompts=[{"prompt": "a", "steps": 1, "width": 64, "height": 64}]')  # fmt: skip
    plan = found(findings, tmp_path, *settings)["arithmetic.plan"]
    assert plan.title == ("9 steps in 3 epochs of 3 steps; a step trains on 6 images, 2 at once, 3 times.")
    assert "4 samples, 2 backups and 4 models" in plan.text
    events = run(values(tmp_path, *settings, "backup.at_end=false"))
    assert sum(isinstance(event, SampleReady) for event in events) == 4
    assert sum(isinstance(event, BackupSaved) for event in events) == 2
    assert sum(isinstance(event, ModelSaved) for event in events) == 4
    assert next(event.steps for event in events if isinstance(event, Started)) == 9
    assert max(event.step for event in events if isinstance(event, Progress)) == 9


@pytest.mark.parametrize(
    ("every", "last", "times"), [("3 steps", True, 4), ("4 steps", True, 3), ("1 epoch", True, 3), ("never", False, 0)]
)
def test_samplings_are_counted_with_the_last_one_once(every: str, last: bool, times: int) -> None:
    preset = validate(values(Path("/x"), f"sampling.every={every}", f"sampling.last={str(last).lower()}"))
    assert samplings(preset, Plan(16, 4, 4, 10 if every != "1 epoch" else 12, 4, 1)) == times


# Rates ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said", "severity"),
    [
        (("training.learning_rate=0.1",), "0.1, is 200 times above", "warning"),
        (("training.learning_rate=1.5e-3",), "3 times above", "info"),
        (("training.learning_rate=1e-6",), "1e-06, is 50 times below", "warning"),
        (("training.learning_rate=1e-5",), "5 times below", "info"),
        (("method.kind=full", "training.learning_rate=1e-4"), "10 times above", "warning"),
        (
            ("method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> ", "training.learning_rate=0.2"),
            "of the new tokens",
            "warning",
        ),
        (("optimizer.kind=lion", "training.learning_rate=1e-3"), "6 times above", "warning"),
        (
            ("training.learning_rate=5e-4", "training.batch_size=16", "training.scale_rate=batch"),
            "0.002, is 2.8 times above",
            "info",
        ),
        (("optimizer.kind=prodigy", "training.learning_rate=9"), "3 times above", "info"),
        (("method.alpha=1", "training.learning_rate=1e-6"), "200 times below", "warning"),
        (
            ("training.text_encoder_1.train=true", "training.text_encoder_1.learning_rate=1e-2"),
            "of text encoder 1, 0.01, is 50 times above",
            "warning",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:40],
)
def test_rates_far_from_usual_are_found(settings, said: str, severity: str, large: str, tmp_path: Path) -> None:
    rate = of(tmp_path, large, "training.learning_rate=1e-4", *settings)["arithmetic.rate"]
    assert said in rate.title
    assert rate.severity == severity
    assert rate.fixes


@pytest.mark.parametrize(
    "settings",
    [
        ("training.learning_rate=1e-4",),
        ("training.learning_rate=1e-5", "method.kind=full"),
        ("training.learning_rate=5e-3", "method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> "),
        ("training.learning_rate=1", "optimizer.kind=prodigy"),
        ("training.learning_rate=3e-5", "optimizer.kind=lion"),
        ("training.learning_rate=8e-4", "method.alpha=2"),
        ("training.learning_rate=2e-3", "training.batch_size=4", "training.accumulation=32", "training.steps=30"),
    ],
    ids=" ".join,
)
def test_usual_rates_are_not_spoken_of(settings: tuple[str, ...], large: str, tmp_path: Path) -> None:
    assert "arithmetic.rate" not in of(tmp_path, large, *settings)


@pytest.mark.parametrize(
    "preset", sorted((ROOT / "presets").rglob("*.json")), ids=lambda path: f"{path.parent.name} {path.stem}"
)
def test_the_presets_that_ship_have_usual_rates(preset: Path) -> None:
    import json

    told = Preset.model_validate_json(preset.read_text(encoding="utf-8"))
    resolution = 128 if "starter" in json.dumps(told.model.source) else 512
    for part in ("words",) if told.method.kind == "embedding" else told.trained_parts():
        own = getattr(told.training, part).learning_rate if part != "words" else 0
        usual = common_rate(told, part, resolution)
        assert usual is not None
        assert usual.low <= (own or told.training.learning_rate) <= usual.high


def test_a_rate_is_not_judged_where_the_model_is_not_known(tmp_path: Path) -> None:
    from dataclasses import replace

    context = replace(open_inputs(values(tmp_path, "training.learning_rate=0.1")), family=None)
    assert "arithmetic.rate" not in [finding.name for finding in findings(context)]


def test_a_text_encoder_at_the_denoisers_rate_is_found(large: str, tmp_path: Path) -> None:
    told = of(tmp_path, large, "training.learning_rate=1e-4", "training.text_encoder_1.train=true")
    assert told["arithmetic.text-rate"].severity == "info"
    assert told["arithmetic.text-rate"].title == "The learning rate of text encoder 1 is that of the denoiser, 0.0001."
    full = of(tmp_path, large, "method.kind=full", "training.learning_rate=4e-6", "training.text_encoder_1.train=true")
    assert full["arithmetic.text-rate"].severity == "warning"


def test_gradients_that_are_not_clipped_at_a_high_rate_are_found(large: str, tmp_path: Path) -> None:
    told = of(tmp_path, large, "training.learning_rate=1e-3", "training.clip_gradients=0")
    assert set(told) == {"arithmetic.clip"}
    assert "arithmetic.clip" not in of(tmp_path, large, "training.learning_rate=1e-4", "training.clip_gradients=0")


def test_a_warm_up_longer_than_the_run_is_found(tmp_path: Path) -> None:
    told = of(tmp_path, "schedule.warmup=1000 steps")["arithmetic.warmup"]
    assert (told.severity, told.title) == ("warning", "The warm-up of 1,000 steps takes the whole run of 300.")
    assert of(tmp_path, "schedule.warmup=50 %")["arithmetic.warmup"].severity == "info"


# The average ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "times"),
    [("4 steps", 4), ("5 steps", 3), ("1 epoch", 4), ("never", 2), ("100 steps", 2), ("5 minutes", None)],
)
def test_validations_are_counted_with_the_first_and_the_last_one(every: str, times: int | None) -> None:
    preset = preset_of({"version": 6, "validation": {"enabled": True, "every": every}})
    assert validations(preset, Plan(16, 4, 4, 10, 4, 1)) == times
    assert validations(preset_of({"version": 6}), Plan(16, 4, 4, 10, 4, 1)) == 0


def test_images_that_are_held_out_are_not_counted_as_shown(tmp_path: Path) -> None:
    preset = preset_for(tmp_path, (), "validation.enabled=true", "validation.share=0.25")
    index = scanned(preset)
    assert (index.images, Plan.of(preset, index).images) == (16, 12)


def test_an_average_that_is_taken_too_rarely_still_holds_the_first_weights() -> None:
    assert initial_weights_share(0.9, 50) < 1e-2
    assert initial_weights_share(0.9, 50, every=60) == 1.0


@pytest.mark.parametrize(("decay", "steps"), [(0.999, 1), (0.999, 3), (0.5, 6), (0.1, 2)])
def test_what_is_said_of_the_average_is_what_it_does(decay: float, steps: int) -> None:
    weight = nn.Parameter(torch.ones(1))
    ema = Ema({"w": weight}, decay)
    weight.data.zero_()
    for step in range(1, steps + 1):
        ema.update(step)
    assert float(ema.values["w"]) == pytest.approx(initial_weights_share(decay, steps), abs=1e-6)


def test_an_average_that_holds_the_first_weights_is_found(tmp_path: Path) -> None:
    told = of(tmp_path, "training.ema=true", "training.steps=1", "training.batch_size=16")["arithmetic.ema"]
    assert told.severity == "warning"
    assert told.title == "After 1 step the EMA still consists of the initial weights to 18\u00a0%."


def test_a_decay_that_is_not_reached_is_told(tmp_path: Path) -> None:
    told = of(tmp_path, "training.ema=true", "training.ema_decay=0.9999")["arithmetic.ema"]
    assert told.severity == "info"
    assert told.title == "The EMA decay of 0.9999 is not reached in 300 steps."
    assert "covers about 34 steps, not 10,000" in told.text
    assert "arithmetic.ema" not in of(tmp_path, "training.ema=true", "training.ema_decay=0.95")


# Ends -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["300 steps", "100 epochs", "10 minutes"])
def test_an_end_that_never_comes_is_found(end: str, tmp_path: Path) -> None:
    assert set(of(tmp_path, f"training.denoiser.stop_after={end}")) == {"arithmetic.stop-after"}


def test_a_run_that_has_nothing_left_to_train_is_found(tmp_path: Path) -> None:
    told = of(tmp_path, "training.denoiser.stop_after=250 steps")["arithmetic.nothing-left"]
    assert told.title == "Nothing is left to train after step 250 of 300: the run ends there."


# Length ---------------------------------------------------------------------------------------------------------------


def test_images_that_are_never_shown_are_counted(tmp_path: Path) -> None:
    path = pictures(tmp_path / "images", *[(64, 64)] * 30)
    told = of(tmp_path, path, "training.steps=10")["arithmetic.unseen"]
    assert told.title == "10 of 30 images are never shown (33\u00a0%)."
    assert told.fixes[0].changes == {"training.steps": 15}
    rare = of(tmp_path, path, "training.steps=10", "concepts.0.repeats=0.1")["arithmetic.unseen"]
    assert rare.title == "12 of 30 images are never shown (40\u00a0%)."
    assert "later epochs" in rare.text


def test_of_more_images_than_can_be_played_through_the_fewest_that_are_never_shown_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pictures(tmp_path / "images", *[(64, 64)] * 30)
    played = of(tmp_path, path, "training.steps=10")["arithmetic.unseen"]
    monkeypatch.setattr("modules.check.run.plan.MAX_VIEWS", 20)
    assert of(tmp_path, path, "training.steps=10")["arithmetic.unseen"] == played
    assert "arithmetic.unseen" not in of(tmp_path, path, "training.steps=15")


def test_a_run_of_whole_epochs_shows_everything(tmp_path: Path) -> None:
    path = pictures(tmp_path / "images", *[(64, 64)] * 30)
    assert "arithmetic.unseen" not in of(tmp_path, path, "training.steps=15")
    assert "arithmetic.unseen" not in of(tmp_path, path, "concepts.0.repeats=0.5", "training.steps=16")


def test_images_that_are_shown_far_too_often_are_found(tmp_path: Path) -> None:
    told = of(tmp_path, "training.steps=0", "training.epochs=500")["arithmetic.showings"]
    assert (told.severity, told.title) == ("info", "Each image is shown 500 times.")
    few = pictures(tmp_path / "few", (64, 64), (64, 64))
    more = f'concepts=[{{"path": "starter:robot"}}, {{"path": "{tmp_path / "few"}", "repeats": 10}}]'
    worst = of(tmp_path, few, more, "training.steps=0", "training.epochs=100")["arithmetic.showings"]
    assert (worst.severity, worst.title) == ("warning", "Each image of few is shown 1,000 times.")


def test_a_run_that_shows_next_to_nothing_is_told(tmp_path: Path) -> None:
    assert of(tmp_path, "training.steps=20")["arithmetic.short"].title == "The whole run shows 40 images."


def test_a_last_step_of_fewer_images_is_told(tmp_path: Path) -> None:
    told = of(tmp_path, "training.accumulation=3")["arithmetic.last-step"]
    assert told.title == "The last step of each epoch trains on 4 images instead of 6."
    assert told.fixes[0].changes == {"training.accumulation": 2}


def test_a_long_run_without_backups_or_samples_is_told(tmp_path: Path) -> None:
    told = of(tmp_path, "training.steps=1000", "backup.every=never", "sampling.every=never")
    assert told["arithmetic.no-backups"].title == "No backup is made in 1,000 steps."
    assert "there is no prompt" in told["arithmetic.no-samples"].title
    assert told["arithmetic.no-samples"].fixes[0].changes["sampling.prompts"] == [{"prompt": "blip robot"}]
    prompt = 'sampling.prompts=[{"prompt": "x"}]'
    far = of(tmp_path, "training.steps=1000", "backup.every=2000 steps", "sampling.every=never", prompt)
    assert far["arithmetic.no-backups"].title == "No backup is made in 1,000 steps: backup.every is 2000 steps."
    assert "samples are switched off" in far["arithmetic.no-samples"].title
