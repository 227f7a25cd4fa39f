"""What a run takes of the memory plan, and that it goes on when memory runs out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.errors import UserError
from modules.messages import Event, Note, Started
from modules.trainer.step.learner import Learner
from tests.trainer.runs import end_of, folder_of, run, trained, values

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
    folder = folder_of(events)
    for name, tensor in trained(folder_of(whole)).items():
        assert torch.equal(trained(folder)[name], tensor), name
    assert json.loads((folder / "preset.json").read_text())["training"]["gradient_checkpointing"] == "all"


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
