"""What a run takes of the memory plan, and that it goes on when memory runs out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from app.gui.session.event_log import EventLog
from modules.check.context import CheckContext
from modules.check.plan import findings, start
from modules.check.plan.plan import Place
from modules.data.batches import Batch
from modules.errors import UserError
from modules.event_text import sentence
from modules.messages import Event, MemoryPlan, Note, Rung, Started
from modules.preset.paths import get
from modules.sentences.problem import Problem
from modules.text import GB
from modules.trainer.backup import newest_backup
from modules.trainer.preparation import WITHOUT_PLAN
from modules.trainer.step.learner import Learner
from tests.trainer.runs import assert_equal, end_of, folder_of, run, trained, values

AT = 4  # steps are whole when memory runs out
LOSSES = Learner.losses


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A memory that has no room for a step without checkpointing, from step `at` on."""

    def shrink(at: int = AT) -> None:
        def losses(self: Learner, *args: Any) -> Any:
            if self.clock.step >= at and not self.preset.training.checkpointed:
                raise torch.OutOfMemoryError("there is no room")
            return LOSSES(self, *args)

        monkeypatch.setattr(Learner, "losses", losses)

    return shrink


def codes(events: list[Event]) -> list[str]:
    return [each.code for event in events if isinstance(event, Note) for each in event.problems]


def test_a_run_without_room_goes_on_with_the_next_rung_and_learns_the_same_bits(
    tmp_path: Path, small_memory: Callable[..., None]
) -> None:
    whole = run(values(tmp_path / "whole", "training.gradient_checkpointing=all"))
    small_memory()
    events = run(values(tmp_path / "small"))
    assert end_of(events).step == 8 and "plan.next" in codes(events)
    assert [event.resumed_from for event in events if isinstance(event, Started)] == [-1, AT]
    assert codes(events).count("model.predicts") == 1, "what is noted of a model is noted once"
    folder = folder_of(events)
    for name, tensor in trained(folder_of(whole)).items():
        assert torch.equal(trained(folder)[name], tensor), name
    assert json.loads((folder / "preset.json").read_text())["training"]["gradient_checkpointing"] == "all"


@pytest.mark.parametrize(("at", "from_step"), [(4, 3), (1, -1)])
def test_a_shortage_in_an_update_costs_the_steps_since_the_last_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, from_step: int
) -> None:
    whole = run(values(tmp_path / "whole", "training.gradient_checkpointing=all", "backup.every=3 steps"))
    update = Learner._update

    def half_done(self: Learner, loss: torch.Tensor) -> Any:
        result = update(self, loss)
        if self.clock.step == at and not self.preset.training.checkpointed:
            raise torch.OutOfMemoryError("there is no room")
        return result

    monkeypatch.setattr(Learner, "_update", half_done)
    events = run(values(tmp_path / "small", "backup.every=3 steps"))
    assert [event.resumed_from for event in events if isinstance(event, Started)] == [-1, from_step]
    assert "plan.next" in codes(events)
    assert losses(folder_of(events)) == losses(folder_of(whole)) and len(losses(folder_of(whole))) == 8
    assert_equal(trained(folder_of(events)), trained(folder_of(whole)))
    for file in ("optimizer.pt", "clock.pt"):
        assert newest(events, file) == newest(whole, file), file


def newest(events: list[Event], file: str) -> str:
    """What the newest backup says of the content of one of its files."""
    backup = newest_backup(folder_of(events) / "backups")
    assert backup is not None
    return json.loads((backup / "manifest.json").read_text())["sha256"][file]


def losses(folder: Path) -> list[tuple[int, float]]:
    """Of the run as a window draws them."""
    log = EventLog(folder / "events.jsonl")
    log.update()
    return log.losses


def test_what_a_person_has_set_is_not_changed_and_the_run_ends(
    tmp_path: Path, small_memory: Callable[..., None]
) -> None:
    small_memory()
    with pytest.raises(UserError) as ended:
        run(values(tmp_path, "training.gradient_checkpointing=none"))
    assert ended.value.problem.code == "memory.step"


def test_a_run_that_goes_on_keeps_what_it_had_decided(tmp_path: Path, small_memory: Callable[..., None]) -> None:
    small_memory(0)
    first = run(values(tmp_path, "training.steps=2"))
    again = run(values(tmp_path), resume=str(folder_of(first)))
    assert end_of(again).step == 8 and "plan.next" not in codes(again)
    assert next(event for event in again if isinstance(event, Started)).changes.keys() <= {"training.steps"}


def test_without_shortage_nothing_is_decided_and_nothing_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.check.plan.numbers.held_weights", lambda *_: pytest.fail("counted"))
    recorded = json.loads((folder_of(run(values(tmp_path))) / "preset.json").read_text())
    assert recorded["model"]["quantization"] == "off" and recorded["model"]["offload"] == "none"
    assert recorded["training"]["gradient_checkpointing"] == "none"


# The plan of a run without a card -------------------------------------------------------------------------------------


@pytest.fixture
def not_tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A model that is worth a count, where so many bytes of main memory are free."""

    def leave(free: float) -> None:
        memory = SimpleNamespace(total=64 * GB, available=int(free))
        monkeypatch.setattr(start, "is_tiny", lambda _: False)
        monkeypatch.setattr(findings.psutil, "virtual_memory", lambda: memory)

    return leave


def test_a_run_short_of_main_memory_plans_and_trains_by_the_plan(
    tmp_path: Path, not_tiny: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "KEPT", 1e6)  # a step of a tiny model is nothing beside the program
    pictures = ("training.resolution=128", "training.steps=1", "training.batch_size=4")
    not_tiny(1)
    least = next(event for event in run(values(tmp_path / "a", *pictures)) if isinstance(event, MemoryPlan))
    assert not least.rungs[least.chosen].fits
    checkpointed = next(rung for rung in least.rungs if rung.checkpointed and rung.batch_parts == 4)
    not_tiny(checkpointed.peak / 0.85 + 2)
    events = run(values(tmp_path / "b", *pictures))
    plan = next(event for event in events if isinstance(event, MemoryPlan))
    rung = plan.rungs[plan.chosen]
    assert rung.fits and rung.peak <= checkpointed.peak and not plan.card
    assert "main memory" in sentence(plan)
    recorded = json.loads((folder_of(events) / "preset.json").read_text())
    for path, value in rung.settings.items():
        assert get(recorded, path) == value
    assert rung.checkpointed or rung.batch_parts > 1


def test_a_run_with_plenty_of_main_memory_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, not_tiny: Callable[..., None]
) -> None:
    monkeypatch.setattr("modules.check.plan.numbers.held_weights", lambda *_: pytest.fail("counted"))
    not_tiny(32 * GB)
    assert end_of(run(values(tmp_path, "training.steps=1"))).step == 1
    not_tiny(1)
    with pytest.raises(pytest.fail.Exception):
        run(values(tmp_path, "training.steps=1"))


# A run that goes on ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "again"), [("training.steps=4", 0), ("training.batch_size=1", 1), ("general.card_memory=6", 1)]
)
def test_a_run_that_goes_on_plans_anew_where_its_settings_take_other_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, again: int
) -> None:
    planned: list[str] = []

    def plan(context: CheckContext, earlier: Any) -> start.Decided:
        planned.append("kept" if earlier is not None else "anew")
        return start.decide(context, earlier) if earlier is not None else start.Decided({"model.offload": "all"}, 1)

    monkeypatch.setattr("modules.run.decide", plan)
    first = run(values(tmp_path, "training.steps=2"))
    events = run(values(tmp_path, "training.steps=3", changed), resume=str(folder_of(first)))
    assert planned == ["anew", "anew" if again else "kept"]
    assert json.loads((folder_of(events) / "preset.json").read_text())["model"]["offload"] == "all"


class SomePlan:
    """A way for each card, whatever is trained."""

    def plan(self, place: Place) -> MemoryPlan:
        again = WITHOUT_PLAN | {"training.gradient_checkpointing": "all" if place.usable < 8 * GB else "none"}
        bars = [(Problem("bar.denoiser"), 1.0)]
        rung = Rung(again, 1, bars, 0, 1, 0, 0, 1, 0.1, "exact", True)
        return MemoryPlan(place.name, place.here, place.total, place.usable, "balanced", "bf16", [rung], 0, [])


def test_a_run_that_goes_on_with_a_smaller_card_plans_anew_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_card(gigabytes: float, *settings: str, **more: str) -> tuple[str, bool]:
        place = Place("some card", int(gigabytes * GB), int(gigabytes * GB), None, here=True, on_card=gigabytes > 0)
        monkeypatch.setattr(start, "place_of", lambda _: place)
        events = run(values(tmp_path, *settings), **more)
        folders.append(folder_of(events))
        recorded = json.loads((folders[-1] / "preset.json").read_text())
        return recorded["training"]["gradient_checkpointing"], "plan.elsewhere" in codes(events)

    folders: list[Path] = []
    monkeypatch.setattr(start, "is_tiny", lambda _: False)
    monkeypatch.setattr(start, "planner_for", lambda *_: (None, SomePlan()))
    assert on_card(24, "training.steps=2") == ("none", False)
    going_on = {"resume": str(folders[0])}
    assert on_card(23.9, "training.steps=3", **going_on) == ("none", False)
    assert on_card(6, "training.steps=4", **going_on) == ("all", True)
    assert on_card(6, "training.steps=5", **going_on) == ("all", False)
    assert on_card(24, "training.steps=6", **going_on) == ("all", False), "what was less is enough"


def test_a_run_that_goes_on_learns_as_many_images_at_once_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def seen(self: Learner, batch: Batch, *args: Any) -> Any:
        sizes.append(len(batch.items))
        if len(batch.items) > 2:
            raise torch.OutOfMemoryError("there is no room")
        return LOSSES(self, batch, *args)

    monkeypatch.setattr(Learner, "losses", seen)
    four = ("training.batch_size=4", "training.learning_rate=1e-4")
    first = run(values(tmp_path, "training.steps=2", *four))
    run(values(tmp_path, "training.steps=4", *four), resume=str(folder_of(first)))
    assert sizes == [4, *[2] * 8], "what ran out of memory is known to the backup"
    sizes.clear()
    run(values(tmp_path, "training.steps=5", "training.batch_size=5", *four[1:]), resume=str(folder_of(first)))
    assert sizes[0] == 5, "another batch is another question"
