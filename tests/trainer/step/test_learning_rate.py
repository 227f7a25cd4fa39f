"""Which learning rate a step has, and how the log words it. The schedules: tests/preset/sections/test_schedule.py."""

import pytest

from modules.messages import Note
from modules.preset.sections.schedule import Schedule
from modules.trainer.step.learner import Learner
from modules.trainer.step.schedule import rate_factor
from tests.trainer.runs import run, values


def curve(steps: int, **settings) -> list[float]:
    return [rate_factor(Schedule(**settings), step, steps) for step in range(steps)]


def test_warm_up_climbs_in_even_steps_and_ends_at_the_full_rate() -> None:
    assert curve(6, warmup="4 steps") == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert curve(10, warmup="20 %")[:3] == pytest.approx([0.5, 1, 1])


@pytest.mark.parametrize(
    ("settings", "scale", "said"),
    [
        ((), 1.0, ""),
        (
            ("training.scale_rate=both",),
            8**0.5,
            "by the square root of the batch size and the accumulation: times 2.828, 0.002828",
        ),
        (("training.scale_rate=accumulation", "training.scale_by=linear"), 4.0, "by the accumulation: times 4, 0.004"),
    ],
)
def test_the_scaled_rate_is_what_is_learnt_with_and_what_is_told(settings, scale, said, tmp_path, monkeypatch) -> None:
    used: list[dict[str, float]] = []
    original = Learner.rates
    monkeypatch.setattr(Learner, "rates", lambda learner: used.append(original(learner)) or used[-1])
    base = ("training.steps=1", "schedule.warmup=0 steps", "training.batch_size=2", "training.accumulation=4")
    events = run(values(tmp_path, *base, *settings))
    assert used[0] == {"denoiser": pytest.approx(1e-3 * scale)}
    notes = [event.text for event in events if isinstance(event, Note) and "is scaled" in event.text]
    assert len(notes) == bool(said)
    assert not said or f"The learning rate 0.001 is scaled {said}." in notes[0]
