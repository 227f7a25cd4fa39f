"""A bad step changes nothing, is told with its items, and when bad steps repeat the run goes back."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path

import pytest
import torch
from torch import nn

from modules.data.batches import Batch
from modules.errors import UserError
from modules.messages import Continue, Event, Finished, Note, Paused, Progress, Started
from modules.methods import Group
from modules.preset.sections.training import Guards
from modules.trainer.step import step_guard as guarding
from modules.trainer.step.ema import Ema
from modules.trainer.step.learner import Learner
from modules.trainer.step.meter import StepMetrics
from modules.trainer.step.optimizers import MixedPrecisionOptimizer
from modules.trainer.step.step_guard import (
    GOOD,
    GRADIENT_NAN,
    GRADIENT_SPIKE,
    LOSS_NAN,
    LOSS_SPIKE,
    Guard,
    RunningStats,
)
from tests.trainer.optimizer_kinds import FORMATS, KINDS, soon
from tests.trainer.runs import assert_equal, end_of, folder_of, run, stop_after_a_backup, trained, values

NAN = float("nan")


# The optimizers -------------------------------------------------------------------------------------------------------


class Taught:
    """Weights of three shapes, two of them in a group of their own, and the optimizer that teaches them."""

    def __init__(self, kind, dtype: torch.dtype, *, on_card: bool) -> None:
        chance = torch.Generator().manual_seed(1)
        shapes = ((70, 65), (9,), (4, 3, 3, 3))
        self.weights = [nn.Parameter(torch.randn(shape, generator=chance).to(dtype)) for shape in shapes]
        named = {str(number): weight for number, weight in enumerate(self.weights)}
        self.rate = 1.0 if kind.is_learning_rate_free else 0.01
        first = {"0": named.pop("0")}
        groups = [Group("one", first, self.rate), Group("two", named, self.rate)]
        self.optimizer = MixedPrecisionOptimizer(soon(kind), groups, seed=3, on_card=on_card)

    def step(self, number: int, *, bad: bool | None) -> None:
        for i, weight in enumerate(self.weights):
            chance = torch.Generator().manual_seed(100 * number + i)
            weight.grad = torch.randn(weight.shape, generator=chance).to(weight.dtype) * (NAN if bad else 1)
        self.optimizer.set_rates({"one": self.rate, "two": self.rate})
        self.optimizer.step(number, None if bad is None else torch.tensor(bad))
        self.optimizer.zero_grad()

    def tensors(self) -> dict[str, torch.Tensor]:
        """All weights, and all state that is no plain number of Python."""
        found = {f"weight {i}": weight.detach().clone() for i, weight in enumerate(self.weights)}
        for i, weight in enumerate(self.weights):
            state = self.optimizer.inner.state.get(weight, {})
            found |= {f"{i} {k}": v.clone() for k, v in state.items() if isinstance(v, torch.Tensor)}
        return found

    def counts(self) -> list[dict[str, float]]:
        slots = [
            {k: v for k, v in slot.items() if isinstance(v, int | float)} for slot in self.optimizer.inner.param_groups
        ]
        states = [self.optimizer.inner.state.get(weight, {}) for weight in self.weights]
        return [*slots, *({k: v for k, v in state.items() if isinstance(v, int | float)} for state in states)]


@pytest.mark.parametrize("on_card", [False, True], ids=["asking", "as on a card"])
@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_a_bad_step_leaves_weights_and_state_bit_for_bit(kind, dtype, on_card) -> None:
    taught = Taught(kind, dtype, on_card=on_card)
    taught.step(0, bad=True)
    start = taught.tensors()
    for number in range(1, 8):  # some only look at gradients in their first steps
        taught.step(number, bad=False)
    before = taught.tensors()
    assert not torch.equal(start["weight 0"], before["weight 0"])
    taught.step(8, bad=True)
    assert_equal(taught.tensors(), before)
    taught.step(9, bad=False)
    assert all(tensor.isfinite().all() for tensor in taught.tensors().values())


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_what_is_decided_on_the_device_is_what_would_be_decided_here(kind, dtype, monkeypatch) -> None:
    monkeypatch.setattr("modules.trainer.step.optimizers.CHUNK", 100)  # more than one chunk
    one, other = (Taught(kind, dtype, on_card=on_card) for on_card in (False, True))
    if kind.fused:  # its kernel rounds in an order of its own
        one = Taught(kind, dtype, on_card=True)
        one.optimizer._fused = False
    for number, bad in enumerate((False, False, True, False, True, True, False)):
        one.step(number, bad=bad)
        other.step(number, bad=bad)
        assert_equal(one.tensors(), other.tensors())
    assert one.counts() == other.counts()


@pytest.mark.parametrize(("kind", "dtype"), FORMATS)
def test_good_steps_are_the_same_with_a_guard_and_without(kind, dtype, monkeypatch) -> None:
    monkeypatch.setattr("modules.trainer.step.optimizers.CHUNK", 100)
    guarded, free = (Taught(kind, dtype, on_card=True) for _ in range(2))
    for number in range(4):
        guarded.step(number, bad=False)
        free.step(number, bad=None)
    assert_equal(guarded.tensors(), free.tensors())
    assert guarded.counts() == free.counts()


class Unasked(torch.Tensor):
    """A verdict that must not be asked for on the host."""

    def __bool__(self) -> bool:
        raise AssertionError("somebody waited for the card")

    def item(self) -> float:
        raise AssertionError("somebody waited for the card")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.synchronizes])
def test_as_on_a_card_nobody_asks_for_the_verdict_once_there_is_state(kind) -> None:
    taught = Taught(kind, torch.float32, on_card=True)
    taught.step(0, bad=False)
    before = taught.tensors()
    for weight in taught.weights:
        weight.grad = torch.full_like(weight, NAN)
    taught.optimizer.step(1, torch.tensor(data=True).as_subclass(Unasked))
    assert_equal(taught.tensors(), before)


def test_the_moving_average_stays_bit_for_bit_in_a_bad_step_and_moves_as_ever_in_a_good_one() -> None:
    weight = nn.Parameter(torch.randn(50))
    one, other = Ema({"w": weight}, 0.9), Ema({"w": weight}, 0.9)
    weight.data += 1
    start = one.values["w"].clone()
    one.update(1, torch.tensor(data=True))
    assert torch.equal(one.values["w"], start)
    one.update(1, torch.tensor(data=False))
    other.update(1)
    assert torch.equal(one.values["w"], other.values["w"])


# The judge ------------------------------------------------------------------------------------------------------------


def judged(running_stats: RunningStats, loss: float, norm: float) -> int:
    return int(running_stats.verdict(torch.tensor(loss), torch.tensor(norm)))


def test_what_is_no_number_is_bad_from_the_first_step_on() -> None:
    running_stats = RunningStats(50, torch.device("cpu"))
    assert judged(running_stats, NAN, 1.0) == LOSS_NAN
    assert judged(running_stats, 1.0, float("inf")) == GRADIENT_NAN
    assert judged(running_stats, NAN, NAN) == LOSS_NAN
    assert judged(running_stats, 1.0, 1.0) == GOOD
    assert running_stats.state_dict()["means"].tolist() == [1.0, 1.0]  # the bad ones left no trace


def test_a_spike_is_measured_by_the_good_steps_and_only_after_the_warm_up() -> None:
    running_stats = RunningStats(10, torch.device("cpu"))
    assert judged(running_stats, 1.0, 1.0) == GOOD
    assert judged(running_stats, 500.0, 1.0) == GOOD  # within the warm-up
    running_stats = RunningStats(10, torch.device("cpu"))
    assert [judged(running_stats, 1.0, 2.0) for _ in range(guarding.WARM_UP)] == [GOOD] * guarding.WARM_UP
    assert judged(running_stats, 1.0, 20.5) == GRADIENT_SPIKE
    assert judged(running_stats, 10.5, 20.5) == LOSS_SPIKE
    assert judged(running_stats, 9.5, 19.5) == GOOD


def test_nothing_is_a_spike_where_spikes_are_off() -> None:
    running_stats = RunningStats(0, torch.device("cpu"))
    for _ in range(guarding.WARM_UP):
        judged(running_stats, 0.0, 0.0)
    assert judged(running_stats, 1e9, 1e9) == GOOD
    assert judged(running_stats, NAN, 1e9) == LOSS_NAN


def test_the_usual_size_comes_back_from_a_backup() -> None:
    running_stats, again = RunningStats(10, torch.device("cpu")), RunningStats(10, torch.device("cpu"))
    for number in range(30):
        judged(running_stats, 1 + number / 10, 2.0)
    again.load_state_dict(running_stats.state_dict())
    assert judged(again, 60.0, 1.0) == judged(running_stats, 60.0, 1.0) == LOSS_SPIKE


# Those who hear of it -------------------------------------------------------------------------------------------------


def skipped(guard: Guard, verdicts: list[int], start: int = 1) -> list[int]:
    for step, verdict in enumerate(verdicts, start):
        guard.watch(StepMetrics(step, torch.tensor([1.0, 1.0, float(verdict)]), None, {}), [])
    return [bad.values["step"] for bad in guard.skipped()]


def test_patience_counts_the_bad_ones_among_the_last_twenty_steps() -> None:
    guard = Guard(Guards(patience=3), scaled=False)
    assert skipped(guard, [LOSS_NAN, GOOD, LOSS_SPIKE] + [GOOD] * 18 + [GRADIENT_SPIKE]) == [1, 3, 22]
    assert not guard.must_roll_back  # the first is out of sight
    skipped(guard, [GOOD, LOSS_NAN], start=23)
    assert guard.bad_steps == [22, 24] and not guard.must_roll_back
    skipped(guard, [LOSS_NAN], start=25)
    assert guard.must_roll_back


def test_what_came_after_the_end_of_patience_does_not_count_whenever_it_is_heard() -> None:
    early, late = (Guard(Guards(patience=2), scaled=False) for _ in range(2))
    skipped(early, [LOSS_NAN, LOSS_NAN])
    skipped(late, [LOSS_NAN, LOSS_NAN, GOOD, LOSS_NAN, LOSS_NAN])
    assert late.must_roll_back and late.state_dict() == early.state_dict()


def test_a_scale_of_fp16_that_is_being_found_is_no_trouble_unless_it_never_ends() -> None:
    guard = Guard(Guards(), scaled=True)
    assert skipped(guard, [GRADIENT_NAN] * 15 + [GOOD]) == []
    assert skipped(guard, [GRADIENT_NAN] * 24, start=17) == [36, 37, 38, 39, 40] and guard.must_roll_back


# Runs -----------------------------------------------------------------------------------------------------------------


def poison(monkeypatch: pytest.MonkeyPatch, factor: Callable[[Learner, Batch], float]) -> None:
    """Multiply losses: with NaN, or with much."""
    losses = Learner.losses

    def spoiled(learner: Learner, batch: Batch, *rest):
        return losses(learner, batch, *rest) * factor(learner, batch)

    monkeypatch.setattr(Learner, "losses", spoiled)


def at(*steps: int, times: float = NAN, attempts: int = 1) -> Callable[[Learner, Batch], float]:
    """Spoil these steps, the first so many times that the run comes along."""
    return lambda learner, _: times if learner.clock.step + 1 in steps and learner.guard.attempt < attempts else 1.0


def notes(events: list[Event]) -> list[str]:
    """What the user is warned of, once the run is under way."""
    begins = next((i for i, event in enumerate(events) if isinstance(event, Started)), 0)
    return [event.text for event in events[begins:] if isinstance(event, Note) and event.level != "info"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_step_whose_loss_is_no_number_is_left_out_and_its_items_are_named(method, tmp_path, monkeypatch) -> None:
    seen: list[set[str]] = []
    weights: list[list[torch.Tensor]] = []

    def factor(learner: Learner, batch: Batch) -> float:
        weights.append([p.detach().clone() for p in learner.method.parameters().values()])
        if learner.clock.step != 3:
            return 1.0
        seen.append({item.file.name for item in batch.items})
        return NAN

    poison(monkeypatch, factor)
    events = run(values(tmp_path, f"method.kind={method}", "training.steps=6"))
    told = [text for text in notes(events) if "was skipped" in text]
    assert len(told) == 1 and told[0].startswith("Step 4 was skipped: the loss is NaN. In the batch: ")
    assert all(name in told[0] for name in seen[0])
    assert all(torch.equal(a, b) for a, b in zip(weights[3], weights[4], strict=True))  # before and after step 4
    assert not all(torch.equal(a, b) for a, b in zip(weights[4], weights[5], strict=True))
    assert all(tensor.isfinite().all() for tensor in trained(folder_of(events)).values())
    smooth = [event.smooth_loss for event in events if isinstance(event, Progress)]
    assert smooth and all(isfinite(value) for value in smooth)


def test_the_vectors_of_new_words_stay_bit_for_bit_though_their_length_is_kept(tmp_path, monkeypatch) -> None:
    weights: list[list[torch.Tensor]] = []

    def factor(learner: Learner, _: Batch) -> float:
        weights.append([p.detach().clone() for p in learner.method.parameters().values()])
        return NAN if learner.clock.step == 1 else 1.0

    poison(monkeypatch, factor)
    word = ("method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> ", "words.0.keep_norm=true")
    run(values(tmp_path, *word, "training.steps=3"))
    assert all(torch.equal(a, b) for a, b in zip(weights[1], weights[2], strict=True))


def test_a_spike_is_left_out_and_an_ordinary_run_has_none(tmp_path, monkeypatch) -> None:
    assert not notes(run(values(tmp_path / "a", "training.steps=30")))
    poison(monkeypatch, at(25, times=1e6))
    (told,) = notes(run(values(tmp_path / "b", "training.steps=30")))
    assert "Step 25 was skipped" in told and "more than 50 times its usual value" in told


def test_resumed_after_a_step_that_was_left_out_a_run_is_bit_equal_to_an_unbroken_one(tmp_path, monkeypatch) -> None:
    poison(monkeypatch, at(3))
    settings = ("training.steps=8", "training.ema=true", "method.dropout=0.3")
    unbroken = run(values(tmp_path / "a", *settings))
    preset = values(tmp_path / "b", *settings, "backup.every=4 steps")
    assert end_of(run(preset, answer=stop_after_a_backup)).step == 5
    resumed = run(preset, resume="newest")
    for what in ("method", "ema", "usual"):
        assert_equal(trained(folder_of(resumed), what), trained(folder_of(unbroken), what))
    assert trained(folder_of(resumed), "guard") == trained(folder_of(unbroken), "guard")


BAD = (7, 8, 9, 10, 11)


@pytest.mark.parametrize(("then", "factor"), [("continue", 1.0), ("lower_rate", 0.5)])
def test_after_several_bad_steps_the_run_goes_back_to_its_backup_and_on(then, factor, tmp_path, monkeypatch) -> None:
    poison(monkeypatch, at(*BAD))
    settings = ("training.steps=16", "backup.every=5 steps", f"training.guards.then={then}")
    events = run(values(tmp_path / "a", *settings))
    told = notes(events)
    assert [text.split(" was")[0] for text in told[:5]] == [f"Step {step}" for step in BAD]
    assert "rolled back to the backup of step 5" in told[5] and len(told) == 6
    assert end_of(events).step == 16 and Path(end_of(events).path).exists()
    assert [event for event in events if isinstance(event, Progress)][-1].rates["denoiser"] == 1e-3 * factor
    # As often as one likes, it ends in the same weights: nothing depends on when the verdicts were heard.
    monkeypatch.setattr("modules.trainer.step.step_guard.has_arrived", lambda _: False)
    late = run(values(tmp_path / "b", *settings))
    assert_equal(trained(folder_of(late)), trained(folder_of(events)))


def test_after_going_back_other_noise_is_drawn(tmp_path, monkeypatch) -> None:
    seeds: list[tuple[int, int]] = []
    noise = Learner._seed

    def seen(learner: Learner, place: int) -> int:
        seeds.append((learner.clock.step, noise(learner, place)))
        return seeds[-1][1]

    monkeypatch.setattr(Learner, "_seed", seen)
    poison(monkeypatch, at(*BAD))
    run(values(tmp_path, "training.steps=11", "training.batch_size=1", "backup.every=5 steps"))
    of_step_7 = [seed for step, seed in seeds if step == 6]
    assert len(of_step_7) == 2 == len(set(of_step_7))


def test_without_a_backup_a_lora_goes_back_to_its_start(tmp_path, monkeypatch) -> None:
    poison(monkeypatch, at(3, 4, attempts=1))
    starts: list[dict[str, torch.Tensor]] = []
    losses = Learner.losses

    def seen(learner: Learner, *rest):
        if learner.clock.step == 0:
            starts.append({n: p.detach().clone() for n, p in learner.method.parameters().items()})
            assert not learner.optimizer.inner.state
        return losses(learner, *rest)

    monkeypatch.setattr(Learner, "losses", seen)
    events = run(values(tmp_path, "training.steps=6", "training.guards.patience=2", "training.ema=true"))
    assert any("no backup yet: the run is rolled back to its start" in text for text in notes(events))
    assert len(starts) == 2
    assert_equal(*starts)
    assert end_of(events).step == 6


def test_too_large_to_be_copied_a_start_is_not_and_the_run_stays_where_it_is(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("modules.trainer.run_folder.rollback.MAX_COPY_BYTES", 10)
    poison(monkeypatch, at(3, 4, attempts=1))
    events = run(values(tmp_path, "training.steps=6", "training.guards.patience=2"))
    assert any("stays at step 4, with the last good weights" in text for text in notes(events))
    assert end_of(events).step == 6


def test_pausing_the_run_waits_for_its_user_at_the_last_good_state(tmp_path, monkeypatch) -> None:
    poison(monkeypatch, at(*BAD))
    preset = values(tmp_path, "training.steps=12", "backup.every=5 steps", "training.guards.then=pause")
    events = run(preset, answer=lambda event: Continue() if isinstance(event, Paused) else None)
    (paused,) = [event for event in events if isinstance(event, Paused)]
    assert paused.step == 5 and "were skipped" in paused.reason
    assert end_of(events).step == 12


def test_the_same_trouble_again_takes_an_older_backup_and_in_the_end_gives_up_in_words(tmp_path, monkeypatch) -> None:
    poison(monkeypatch, lambda learner, _: NAN if learner.clock.step >= 7 else 1.0)
    settings = ("training.steps=30", "backup.every=3 steps", "training.guards.returns=2", "training.guards.patience=2")
    told: list[str] = []

    def listen(event: Event) -> None:
        told.extend(notes([event]))

    with pytest.raises(UserError, match="after 2 rollbacks: the run ends") as ended:
        run(values(tmp_path, *settings), answer=listen)
    backs = [text for text in told if "rolled back" in text]
    assert ["backup of step 6" in backs[0], "backup of step 3" in backs[1]] == [True, True]
    assert ended.value.fixes[0].changes == {"training.learning_rate": 1e-4}
    assert not (tmp_path / "test" / "models").exists()
    assert all(tensor.isfinite().all() for tensor in trained(tmp_path / "test").values())
    assert trained(tmp_path / "test", "guard")["attempt"] == 2  # the one of step 6 is of this past, not of the last
    assert {path.name for path in (tmp_path / "test" / "backups").iterdir()} == {"step-00000003", "step-00000006"}


def test_weights_that_are_no_numbers_are_neither_backed_up_nor_saved_and_the_run_goes_back(
    tmp_path, monkeypatch
) -> None:
    learn = Learner.learn

    def destroyed(learner: Learner, batches):
        learnt = learn(learner, batches)
        if learner.clock.step == 5 and not learner.guard.attempt:  # the last step
            next(iter(learner.method.parameters().values())).data.view(-1)[0] = NAN
        return learnt

    monkeypatch.setattr(Learner, "learn", destroyed)
    events = run(values(tmp_path, "training.steps=6", "backup.every=3 steps", "backup.save_every=6 steps"))
    told = notes(events)
    assert told[:2] == [
        "No backup at step 6: the trained weights contain NaN.",
        "No model at step 6: the trained weights contain NaN.",
    ]
    assert "rolled back to the backup of step 3" in told[2]
    assert isinstance(events[-1], Finished)
    assert all(tensor.isfinite().all() for tensor in trained(folder_of(events)).values())


def test_in_fp16_the_scale_is_found_without_a_word_by_every_optimizer(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("modules.trainer.step.optimizers.CHUNK", 100)
    settings = ("model.dtype=fp16", "training.steps=6", "optimizer.kind=lion", "training.learning_rate=1e-4")
    poison(monkeypatch, lambda learner, _: 1e36 if learner.clock.step < 2 else 1.0)  # overflows once it is scaled
    events = run(values(tmp_path, *settings, "training.guards.spikes=0"))
    assert not [text for text in notes(events) if "was skipped" in text]
    scaler = trained(folder_of(events), "scaler")
    assert scaler["scale"] == 65536 / 4
    assert all(tensor.isfinite().all() for tensor in trained(folder_of(events)).values())
