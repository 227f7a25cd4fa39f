"""Parts begin, end and take turns; what rests stays bit for bit as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from modules.methods import Group
from modules.preset.preset import Preset
from modules.preset.sections.training import DenoiserPart, TextEncoderPart, Training
from modules.trainer.step.learner import Learner
from modules.trainer.step.schedule import Alternation, Clock
from tests.trainer.runs import run, values


def groups(**when: str) -> list[Group]:
    held = {"w": nn.Parameter(torch.zeros(1))}
    whole = (when.get("stop", "never"), when.get("start", "never"))
    text = (when.get("text_stop", "never"), when.get("text_start", "never"))
    return [
        Group("denoiser", held, 1e-4, *whole, "denoiser"),
        Group("text_encoder_1", held, 1e-4, *text, "text_encoder_1"),
        Group("<word>", held, 1e-4),
    ]


def turns(turn: str = "never") -> Alternation:
    parts = {"denoiser": DenoiserPart(), "text_encoder_1": TextEncoderPart(train=True)}
    return Alternation(Preset(training=Training(turns=turn, **parts)))


def active(turn: str, step: int, epoch: int = 0, **when: str) -> set[str]:
    return turns(turn).active(groups(**when), Clock(step=step, epoch=epoch))


def test_a_part_learns_from_its_beginning_to_its_end() -> None:
    when = {"start": "10 steps", "text_stop": "2 epochs"}
    assert active("never", 9, 0, **when) == {"text_encoder_1", "<word>"}
    assert active("never", 10, 1, **when) == {"denoiser", "text_encoder_1", "<word>"}
    assert active("never", 10, 2, **when) == {"denoiser", "<word>"}


def test_parts_take_turns_and_a_word_learns_in_each() -> None:
    found = [active("3 steps", step) - {"<word>"} for step in range(9)]
    assert found == [{"denoiser"}] * 3 + [{"text_encoder_1"}] * 3 + [{"denoiser"}] * 3
    assert all("<word>" in active("3 steps", step) for step in range(9))
    assert active("1 epoch", 50, 1) == {"text_encoder_1", "<word>"}


def test_a_part_that_is_over_has_no_turn_any_more() -> None:
    assert active("3 steps", 4, text_stop="4 steps") == {"denoiser", "<word>"}


def test_what_has_not_begun_begins_early_where_nothing_else_would_learn() -> None:
    only = [Group("denoiser", {}, 1e-4, start_after="100 steps", component="denoiser")]
    assert turns().active(only, Clock(step=5)) == {"denoiser"}


@pytest.mark.parametrize("optimizer", ["adamw", "lion", "adamw method.max_norm=0.001 method.rate_ratio=4"])
def test_what_rests_stays_bit_for_bit_weights_moments_and_decay(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of the denoiser, two of the text encoder, two of the denoiser."""
    seen: list[dict[str, torch.Tensor]] = []
    learn = Learner.learn

    def watched(self: Learner, batches):
        found = learn(self, batches)
        state = self.optimizer.inner.state
        held: dict[str, torch.Tensor] = {}
        for name, parameter in self.method.parameters().items():
            held[name] = parameter.detach().clone()
            for key, value in state.get(parameter, {}).items():
                if isinstance(value, torch.Tensor):
                    held[f"{name} {key}"] = value.detach().clone()
        seen.append(held)
        return found

    monkeypatch.setattr(Learner, "learn", watched)
    settings = ("training.steps=6", "training.turns=2 steps", "training.text_encoder_1.train=true")
    kind, *more = optimizer.split()
    run(values(tmp_path, *settings, f"optimizer.kind={kind}", "optimizer.weight_decay=0.1", *more))

    def moved(component: str, step: int) -> bool:
        names = [name for name in seen[step] if name.startswith(f"{component}|")]
        return any(not torch.equal(seen[step][n], seen[step - 1].get(n, torch.tensor(torch.nan))) for n in names)

    assert [moved("denoiser", step) for step in range(1, 6)] == [True, False, False, True, True]
    assert [moved("text_encoder_1", step) for step in range(2, 6)] == [True, True, False, False]
