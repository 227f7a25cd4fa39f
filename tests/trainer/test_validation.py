"""Validation measures the same thing each time, touches nothing that is learnt, and keeps the best."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from modules.errors import UserError
from modules.messages import Command, Continue, Event, ModelSaved, Note, Paused, Validated, ValidateNow
from modules.trainer.validation import Best, mean_and_error
from modules.wire import decode, encode
from tests.trainer.runs import assert_equal, end_of, folder_of, run, stop_after_a_backup, trained, values

ON = ("validation.enabled=true", "validation.every=2 steps", "validation.share=0.25")
WORSE = ("training.learning_rate=0.05", "method.alpha=64", "training.clip_gradients=0", "training.guards.enabled=false")


def validated(events: list[Event]) -> list[Validated]:
    return [event for event in events if isinstance(event, Validated)]


def notes(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def test_it_measures_before_in_between_and_at_the_end(tmp_path: Path) -> None:
    events = run(values(tmp_path, *ON, "training.steps=5"))
    found = validated(events)
    assert [event.step for event in found] == [0, 2, 4, 5]
    assert all(event.images == 4 for event in found)  # of 16
    assert all(set(event.concepts) == {"robot"} for event in found)
    assert [share for share, _ in found[0].times] == [0.125, 0.375, 0.625, 0.875]
    for event in found:
        assert event.mean == pytest.approx(sum(loss for _, loss in event.times) / 4)
        assert event.mean == pytest.approx(event.concepts["robot"])
        assert decode(encode(event)) == event
    assert found[-1].mean < found[0].mean
    assert "4 images that are not trained on (held out)" in notes(events)


def test_what_is_learnt_does_not_know_whether_it_is_validated(tmp_path: Path) -> None:
    """The images are held out in both runs; in one of them nothing is ever measured but at the start and the end."""
    settings = ("method.rank_dropout=0.3", "training.ema=true", "concepts.0.caption_dropout=0.3", "training.steps=5")
    rare = run(values(tmp_path / "rare", *ON, *settings, "validation.every=never"))
    often = run(values(tmp_path / "often", *ON, *settings, "validation.every=1 step", "validation.times=7"))
    assert (len(validated(rare)), len(validated(often))) == (2, 6)
    for what in ("method", "ema", "optimizer"):
        one, other = trained(folder_of(rare), what), trained(folder_of(often), what)
        if what == "optimizer":
            assert repr(one) == repr(other)
        else:
            assert_equal(one, other)


def test_the_noise_belongs_to_the_image_and_not_to_the_step(tmp_path: Path) -> None:
    """A model that hardly moves: what is measured moves as little, though training drew other noise meanwhile."""
    still = ("training.learning_rate=1e-12", "schedule.warmup=0 steps", "training.steps=4")
    first, *rest = validated(run(values(tmp_path / "a", *ON, *still)))
    assert all(event.mean == pytest.approx(first.mean, rel=1e-5) for event in rest)
    # Nor to how training goes about its work.
    other = ("training.accumulation=2", "concepts.0.flip=false")
    again = validated(run(values(tmp_path / "b", *ON, *still, *other)))[0]
    assert again.mean == pytest.approx(first.mean, rel=1e-6)
    seeded = validated(run(values(tmp_path / "c", *ON, *still, "general.seed=77")))[0]
    assert seeded.mean != pytest.approx(first.mean, rel=1e-5)


def test_dropout_is_off(tmp_path: Path) -> None:
    """The same weights, once with the dropout that they were trained with and once without any."""
    settings = (*ON, "training.steps=4", "validation.every=never")
    dropout = ("method.rank_dropout=0.5", "method.module_dropout=0.5", "method.dropout=0.5")
    first = validated(run(values(tmp_path, *settings, *dropout)))
    again = validated(run(values(tmp_path, *settings), resume="newest"))
    assert [event.step for event in again] == [4]
    assert again[-1].mean == first[-1].mean != first[0].mean


def test_what_makes_training_harder_on_purpose_is_left_out(tmp_path: Path) -> None:
    plain = validated(run(values(tmp_path / "a", *ON, "training.steps=1")))[0]
    harder = ("objective.noise.perturbation=0.5", "concepts.0.shuffle_tags=true", "concepts.0.caption_dropout=1")
    assert validated(run(values(tmp_path / "b", *ON, "training.steps=1", *harder)))[0].mean == plain.mean


def test_a_concept_for_validation_is_measured_and_nothing_else_held_out(tmp_path: Path) -> None:
    concepts = 'concepts=[{"path": "starter:robot"}, {"path": "starter:blueprint", "kind": "validation"}]'
    events = run(values(tmp_path, *ON, concepts, "training.steps=2"))
    assert set(validated(events)[0].concepts) == {"blueprint"}
    assert "held out" not in notes(events)


def test_concepts_are_measured_apart(tmp_path: Path) -> None:
    concepts = 'concepts=[{"path": "starter:robot", "name": "A"}, {"path": "starter:blueprint", "name": "A"}]'
    event = validated(run(values(tmp_path, *ON, concepts, "training.steps=1")))[0]
    assert set(event.concepts) == {"A", "A (2)"}
    assert event.concepts["A"] != event.concepts["A (2)"]


def test_the_average_is_measured_unless_the_live_weights_are_wanted(tmp_path: Path) -> None:
    settings = (*ON, "training.ema=true", "training.ema_decay=0.99", "training.steps=4")
    average = validated(run(values(tmp_path / "a", *settings)))
    live = validated(run(values(tmp_path / "b", *settings, "validation.weights=live")))
    assert average[0].mean == live[0].mean
    assert average[-1].mean > live[-1].mean  # it lags behind


def test_the_best_model_is_kept_and_says_what_it_is(tmp_path: Path) -> None:
    events = run(values(tmp_path, *ON, *WORSE, "training.steps=12"))
    found = validated(events)
    best = min(found, key=lambda event: event.mean)
    assert best.step not in (0, 12), "the test is to get worse in the end"
    assert found[-1].best_step == best.step
    assert not found[-1].best
    assert found[-1].change == pytest.approx(found[-1].mean - best.mean)
    path = folder_of(events) / "models" / "test-best.safetensors"
    assert [event.step for event in events if isinstance(event, ModelSaved) and event.path == str(path)][
        -1
    ] == best.step
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["seachange.validation"])
    assert about == {"step": best.step, "loss": round(best.mean, 8), "images": 4}
    # The run itself is the same up to there: its model at that step is the best one.
    short = run(values(tmp_path / "short", *ON, *WORSE, f"training.steps={best.step}", "schedule.warmup=3 steps"))
    assert_equal(load_file(path), load_file(folder_of(short) / "models" / "test.safetensors"))


def test_no_best_model_is_kept_where_it_is_not_wanted(tmp_path: Path) -> None:
    events = run(values(tmp_path, *ON, "training.steps=2", "validation.keep_best=false"))
    assert not list((folder_of(events) / "models").glob("*best*"))


def test_a_continued_run_knows_the_best_of_before(tmp_path: Path) -> None:
    settings = (*ON, *WORSE, "backup.every=2 steps")
    unbroken = run(values(tmp_path / "a", *settings, "training.steps=12"))
    run(values(tmp_path / "b", *settings, "training.steps=8"))
    second = run(values(tmp_path / "b", *settings, "training.steps=12"), resume="newest")
    assert validated(second) == validated(unbroken)[-len(validated(second)) :]
    assert [event.step for event in validated(second)] == [10, 12]


def test_a_run_may_be_continued_with_validation(tmp_path: Path) -> None:
    run(values(tmp_path, "training.steps=2"))
    events = run(values(tmp_path, *ON, "training.steps=4"), resume="newest")
    assert [event.step for event in validated(events)] == [4]
    assert validated(events)[0].best


@pytest.mark.parametrize("then", ["tell", "stop"])
def test_a_run_that_does_not_get_better_says_so_or_ends(then: str, tmp_path: Path) -> None:
    settings = (*ON, *WORSE, "validation.every=1 step", "training.steps=14", "validation.patience=2")
    events = run(values(tmp_path, *settings, f"validation.then={then}"))
    best = min(validated(events), key=lambda event: event.mean).step
    words = notes(events)
    assert f"Validation has not improved since step {best}, in 2 validations" in words
    assert "test-best.safetensors" in words
    if then == "stop":
        assert end_of(events).step == best + 2
        assert not end_of(events).stopped  # it has its model
        assert Path(end_of(events).path).is_file()
    else:
        assert end_of(events).step == 14


def test_a_run_that_does_not_get_better_can_wait_to_be_told(tmp_path: Path) -> None:
    settings = (*ON, *WORSE, "validation.every=1 step", "training.steps=14", "validation.patience=2")

    def answer(event: Event) -> Command | None:
        return Continue() if isinstance(event, Paused) else None

    events = run(values(tmp_path, *settings, "validation.then=pause"), answer=answer)
    paused = [event for event in events if isinstance(event, Paused)]
    assert paused
    assert all("has not improved since step" in event.reason for event in paused)
    assert end_of(events).step == 14


def test_nobody_is_told_twice_that_it_is_over(tmp_path: Path) -> None:
    """The last step is due for a validation twice: as the last one, and as one of each."""
    settings = (*ON, *WORSE, "validation.every=1 step", "training.steps=14", "validation.patience=1")
    told = [line for line in notes(run(values(tmp_path, *settings))).splitlines() if "has not improved" in line]
    assert told
    assert len(told) == len(set(told))


def test_a_validation_that_a_stop_left_out_is_made_up_for(tmp_path: Path) -> None:
    settings = (*ON, "validation.every=4 steps", "backup.every=3 steps", "training.steps=7")
    whole = run(values(tmp_path / "whole", *settings))
    preset = values(tmp_path / "parted", *settings)
    stopped = run(preset, answer=stop_after_a_backup)
    again = run(preset, resume="newest")
    assert end_of(stopped).step == 4
    assert validated([*stopped, *again]) == validated(whole)
    assert trained(folder_of(whole), "validation") == trained(folder_of(again), "validation")


def test_it_can_be_asked_for(tmp_path: Path) -> None:
    def answer(event: Event) -> Command | None:
        return ValidateNow() if isinstance(event, Validated) and event.step == 0 else None

    events = run(values(tmp_path, *ON, "validation.every=never", "training.steps=3"), answer=answer)
    assert [event.step for event in validated(events)] == [0, 1, 3]


def test_without_an_image_to_measure_on_nothing_begins(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "1.png")
    with pytest.raises(UserError, match="no image to validate on"):
        run(values(tmp_path, *ON, f"concepts.0.path={folder}"))


def test_curves_by_concept_and_by_noise_are_drawn(tmp_path: Path) -> None:
    events = run(values(tmp_path, *ON, "training.steps=2", "general.tensorboard=true"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board: Any = EventAccumulator(str(folder_of(events) / "tensorboard")).Reload()
    names = {name for name in board.Tags()["scalars"] if name.startswith("validation/")}
    by_noise = {f"validation/noise/{share:.3f}" for share in (0.125, 0.375, 0.625, 0.875)}
    assert names == {"validation/mean", "validation/standard_error", "validation/concept/robot", *by_noise}
    assert [point.step for point in board.Scalars("validation/mean")] == [0, 2]


def test_means_come_with_their_standard_error() -> None:
    values_ = [1.0, 2.0, 4.0, 9.0]
    variance = sum((value - 4) ** 2 for value in values_) / 3
    assert mean_and_error(values_) == pytest.approx((4.0, sqrt(variance / 4)))
    assert mean_and_error([3.0]) == (3.0, 0.0)


def test_the_best_is_compared_image_by_image() -> None:
    best = Best()
    assert best.compare(10, {"a": 1.0, "b": 3.0}, 4) == (True, 0.0, 0.0)
    better, change, error = best.compare(20, {"a": 0.9, "b": 2.8}, 4)
    assert better
    assert (change, error) == pytest.approx((-0.15, 0.05))
    better, change, _ = best.compare(30, {"a": 1.0, "b": 2.8}, 4)
    assert (better, best.since, best.step) == (False, 1, 20)
    assert change == pytest.approx(0.05)
    assert best.compare(40, {"a": 7.0}, 4) == (True, 0.0, 0.0)  # another measure: a new beginning
