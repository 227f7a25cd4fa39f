"""What is learnt and forgotten is measured without a trace in what is trained, and at the same steps after a kill."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
import torch
from safetensors import safe_open

from modules.messages import Event, ModelSaved, Note, Retention, Stage, Validated
from modules.placement import compiling
from modules.preset.rules.rules import validate
from modules.trainer.retention import anchors as anchors_module
from modules.trainer.retention.examiner import Examiner
from modules.trainer.retention.schedule import LONG, SHORT, extent_for
from modules.trainer.run_folder.throughput import SpeedRecorder
from modules.wire import decode, encode
from tests.trainer.runs import STARTER, assert_equal, end_of, folder_of, run, stop_after_a_backup, trained, values


@pytest.fixture(autouse=True)
def _slow_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps count as so long that every measurement fits: a test must not hang on how fast a machine is."""
    monkeypatch.setattr(SpeedRecorder, "seconds_per_step", 1e4)


ON = ("examine.budget=100", "examine.points=noise", "training.steps=12", "training.batch_size=4")


def measured(events: list[Event]) -> list[Retention]:
    return [event for event in events if isinstance(event, Retention)]


def notes(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def test_it_begins_at_nothing_and_is_told(tmp_path: Path) -> None:
    events = run(values(tmp_path, *ON))
    found = measured(events)
    assert [event.step for event in found] == [0, 10, 12]
    first, last = found[0], found[-1]
    assert (first.forgotten, first.practised, first.balance, first.alarm) == (0.0, 0.0, 0.0, False)
    assert [drift for _, drift in first.prompts] == [0.0] * 8
    assert first.cosine == pytest.approx(1, abs=1e-5)
    assert last.forgotten > 0
    assert last.forgotten == pytest.approx(sum(drift for _, drift in last.prompts) / 8)
    assert last.practised is not None
    assert last.balance == last.practised - last.forgotten
    assert last.best_step == max(found[1:], key=lambda event: event.balance).step
    assert {event.points for event in found} == {first.points}
    assert decode(encode(last)) == last


DRAWN = ("examine.budget=100", "examine.points=drawings", "training.batch_size=4", "training.steps=30")
LORA = ("method.rank_dropout=0.3", "training.ema=true", "concepts.0.caption_dropout=0.3", "validation.enabled=true")


WITH_TEXT = ("training.text_encoder_1.train=true", "method.rank_dropout=0.3")  # and nothing else that looks at it


@pytest.mark.parametrize("kind", [LORA, ("method.kind=full",), WITH_TEXT])
def test_what_is_learnt_does_not_know_whether_it_is_measured(kind: tuple[str, ...], tmp_path: Path) -> None:
    on = run(values(tmp_path / "on", *DRAWN, *kind))
    off = run(values(tmp_path / "off", *DRAWN, *kind, "examine.enabled=false"))
    assert [event.step for event in measured(on)] == [0, 10, 20, 30]
    assert not measured(off)
    assert_equal(trained(folder_of(on)), trained(folder_of(off)))
    assert repr(trained(folder_of(on), "optimizer")) == repr(trained(folder_of(off), "optimizer"))
    if "validation.enabled=true" in kind:
        assert [event for event in on if isinstance(event, Validated)] == [
            event for event in off if isinstance(event, Validated)
        ]
        assert all(event.held_out is not None for event in measured(on))
        assert measured(on)[-1].balance == measured(on)[-1].held_out - measured(on)[-1].forgotten


def test_dropout_is_off(tmp_path: Path) -> None:
    """The same weights, once with the dropout that they were trained with and once without any."""
    dropout = ("method.rank_dropout=0.5", "method.module_dropout=0.5", "method.dropout=0.5")
    settings = (*ON, "training.steps=8")
    run(values(tmp_path / "a", *settings, *dropout, "examine.enabled=false"))
    copytree(tmp_path / "a", tmp_path / "b")
    (one,) = measured(run(values(tmp_path / "a", *settings, *dropout), resume="newest"))
    (other,) = measured(run(values(tmp_path / "b", *settings), resume="newest"))
    assert one == other
    assert one.step == 8 and one.forgotten > 0 and one.practised


def test_the_average_is_measured(tmp_path: Path) -> None:
    settings = (*ON, "training.steps=8", "training.ema_decay=0.99")
    average, live = (
        measured(run(values(tmp_path / ema, *settings, f"training.ema={ema}")))[-1] for ema in ("true", "false")
    )
    assert average.forgotten < 0.9 * live.forgotten  # it lags behind


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_run_that_was_stopped_measures_the_same(kind: str, tmp_path: Path) -> None:
    """Stopped by a user at a step that is due, and gone on with in another process; from base answers of the cache."""
    settings = (*ON, f"method.kind={kind}", "backup.every=9 steps")
    whole = run(values(tmp_path / "whole", *settings))
    preset = values(tmp_path / "parted", *settings)
    stopped = run(preset, answer=stop_after_a_backup)
    assert end_of(stopped).step == 10
    again = run(preset, resume="newest")
    assert not any(isinstance(event, Stage) and event.code == "stage.asking-base" for event in again)
    assert measured(stopped) + measured(again) == measured(whole)
    assert [event.step for event in measured(again)] == [10, 12]


def test_a_run_that_goes_on_with_more_steps_goes_on_with_its_series(tmp_path: Path) -> None:
    """Though a new one of so many steps would be measured on drawings."""
    settings = ("examine.budget=100", "examine.prompts=cat\npizza", "training.batch_size=4")
    first = run(values(tmp_path, *settings, "training.steps=12"))
    preset = values(tmp_path, *settings, "training.steps=24")
    assert extent_for(validate(preset), 12) == SHORT
    assert extent_for(validate(preset), 24) == LONG
    again = run(preset, resume="newest")
    assert [event.step for event in measured(again)] == [20, 24]
    assert {event.points for event in measured(again)} == {event.points for event in measured(first)}
    series = trained(folder_of(again), "retention")
    assert [each["step"] for each in series["measured"]] == [0, 10, 12, 20, 24]
    assert series["extent"] == asdict(SHORT)


@pytest.mark.filterwarnings("ignore")  # of what compiles
def test_nothing_is_compiled_for_a_measurement_nor_drawn_from_streams_of_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs for its batches, of another size than those of training, would change which ones training is given."""
    compiled_for: list[bool] = []
    measuring, plain = [False], Examiner._measured

    def compiled(graph: Any, _inputs: list[Any]) -> Any:
        compiled_for.append(measuring[0])
        return graph.forward

    def watched(examiner: Examiner) -> Any:
        measuring[0], before = True, torch.get_rng_state()
        found = plain(examiner)
        measuring[0] = False
        assert torch.equal(torch.get_rng_state(), before)  # else it "was not measured"
        return found

    monkeypatch.setattr(compiling, "BACKEND", compiled)
    monkeypatch.setattr(Examiner, "_measured", watched)
    torch._dynamo.reset()
    events = run(values(tmp_path, *ON, "general.compile=on", "training.steps=8"))
    assert [event.step for event in measured(events)] == [0, 8]
    assert set(compiled_for) == {False}


def test_the_best_is_by_balance_though_the_loss_says_another_step(tmp_path: Path) -> None:
    """Hot training goes on lowering the loss on held-out images long after it forgets more than it learns."""
    settings = (
        *ON, STARTER, "training.steps=20", "method.kind=full", "training.learning_rate=2e-3",
        "validation.enabled=true", "validation.every=10 steps", "validation.best_by=balance",
    )  # fmt: skip
    events = run(values(tmp_path, *settings))
    best = max(measured(events)[1:], key=lambda event: event.balance)
    loss = [event for event in events if isinstance(event, Validated)][-1].best_step
    assert (best.step, loss) == (10, 20), "the test is to be a run of which they say different things"
    path = folder_of(events) / "models" / "test-best.safetensors"
    assert [event.step for event in events if isinstance(event, ModelSaved) and event.path == str(path)] == [best.step]
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    about = {"step": 10, "balance": round(best.balance, 6), "forgotten": round(best.forgotten, 6)}
    assert json.loads(metadata["seachange.retention"]) == about
    assert "seachange.validation" not in metadata


def test_a_full_fine_tune_goes_on_without_its_cache(tmp_path: Path) -> None:
    """The base is asked again: its file is what it was."""
    settings = (*ON, "method.kind=full", "backup.every=9 steps")
    preset = values(tmp_path, *settings)
    first = run(preset, answer=stop_after_a_backup)
    rmtree(tmp_path / "cache")
    again = run(preset, resume="newest")
    assert measured(again)[0].points == measured(first)[0].points
    assert measured(again)[0].forgotten > 0.1
    assert measured(again)[-1].practised is not None


def test_an_embedding_forgets_nothing_of_prompts_without_its_word(tmp_path: Path) -> None:
    word = 'words=[{"token": "blip", "start": "robot"}]'
    events = run(values(tmp_path, *ON, "method.kind=embedding", word, STARTER, "training.learning_rate=0.01"))
    assert [event.forgotten for event in measured(events)] == [0.0] * 3
    assert measured(events)[-1].practised != 0.0


def test_the_models_that_are_kept_are_measured(tmp_path: Path) -> None:
    events = run(values(tmp_path, *ON, "backup.save_every=11 steps"))
    found = [event for event in events if isinstance(event, ModelSaved | Retention)]
    assert [(event.step, type(event)) for event in found[2:4]] == [(11, Retention), (11, ModelSaved)]


def test_a_short_run_says_why_it_is_not_measured(tmp_path: Path) -> None:
    events = run(values(tmp_path, "training.steps=3"))
    assert not measured(events)
    assert notes(events).count("is not measured") == 1
    assert "the time of 3 steps there is no room for it" in notes(events)


def test_who_forgets_faster_than_he_learns_is_told_once_and_at_the_end(tmp_path: Path) -> None:
    events = run(values(tmp_path, *ON, "method.kind=full", "training.learning_rate=0.01"))
    assert measured(events)[-1].alarm
    told = [event for event in events if isinstance(event, Note) and event.level == "warning" and event.fixes]
    assert [event.problems[0].code for event in told] == ["retention.alarm", "retention.never"]
    assert told[0].fixes[0].changes == {"training.learning_rate": 0.005}
    assert told[0].fixes[1].changes["prior.made.prompts"].splitlines() == [
        name for name, _ in measured(events)[0].prompts
    ]


def test_what_goes_wrong_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(anchors_module.Anchors, "ask", fail)
    events = run(values(tmp_path, *ON))
    assert notes(events).count("was not measured at step") == 3
    assert end_of(events).step == 12
    monkeypatch.setattr(anchors_module.Anchors, "prepare", fail)
    events = run(values(tmp_path / "again", *ON))
    assert "cannot be measured: RuntimeError" in notes(events)
    assert end_of(events).step == 12


def test_curves_are_drawn(tmp_path: Path) -> None:
    prompts = "examine.prompts=cat\npizza"
    events = run(values(tmp_path, *ON, prompts, "general.tensorboard=true"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board: Any = EventAccumulator(str(folder_of(events) / "tensorboard")).Reload()
    names = {name for name in board.Tags()["scalars"] if name.startswith("examine/")}
    of_prompts = {f"examine/forgotten/{prompt}" for prompt in ("cat", "pizza")}
    assert names == {f"examine/{name}" for name in ("forgotten", "balance", "learnt", "cosine")} | of_prompts
    assert [point.step for point in board.Scalars("examine/forgotten")] == [0, 10, 12]
