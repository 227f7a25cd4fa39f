"""Memory runs out: a batch is taken in parts and learns the same, samples are skipped, and the rest is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from modules.data.cache.fill import in_smaller_batches
from modules.errors import UserError
from modules.families.parts.unet.clip_unet import ClipUnetFamily
from modules.messages import Channel, Event, Failed, Note, SampleReady, Started, Train
from modules.sentences.problem import as_it_is
from modules.sentences.render import PLAIN
from modules.session import Session
from modules.system.devices import is_out_of_memory
from modules.trainer.sampling.sampler import Sampler
from modules.trainer.step.item_loss import LossComputer
from modules.trainer.step.learner import Learner
from modules.trainer.step.out_of_memory import STEPS_SLOW, SpillDetector
from tests.trainer.runs import assert_equal, end_of, folder_of, run, trained, values

KINDS = {
    "the card": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "torch on the CPU": RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    "torch on Windows": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    "Python": MemoryError(),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_run_out_of_memory_is_known(kind) -> None:
    assert is_out_of_memory(KINDS[kind])
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied")) and not is_out_of_memory(
        ValueError("out of memory")
    )


def too_many(monkeypatch: pytest.MonkeyPatch, most: int, error: BaseException) -> list[int]:
    """Let the denoiser have no room for more than `most` items; gives how many it was asked for each time."""
    asked: list[int] = []
    predict = ClipUnetFamily.predict

    def cramped(family: ClipUnetFamily, noisy_BChw: Tensor, *rest) -> Tensor:
        if torch.is_grad_enabled():
            asked.append(len(noisy_BChw))
            if len(noisy_BChw) > most:
                raise error
        return predict(family, noisy_BChw, *rest)

    monkeypatch.setattr(ClipUnetFamily, "predict", cramped)
    return asked


def told(events: list[Event]) -> list[str]:
    begins = next((i for i, event in enumerate(events) if isinstance(event, Started)), 0)
    return [event.text for event in events[begins:] if isinstance(event, Note) and event.level != "info"]


# A large epsilon makes the updates proportional to the gradients: one that is only rounding error does not count.
SAME = ("training.steps=3", "optimizer.eps=1", "training.learning_rate=0.4", "schedule.warmup=0 steps")
SAME += ("method.dropout=0.5", "concepts.0.random_crop=true")


@pytest.mark.parametrize("kind", ["the card", "Python"])
@pytest.mark.parametrize("settings", [("training.batch_size=5",), ("training.batch_size=4", "training.accumulation=2")])
def test_a_batch_in_parts_learns_what_the_whole_would_have(settings, kind, tmp_path, monkeypatch) -> None:
    whole = trained(folder_of(run(values(tmp_path / "a", *SAME, *settings))))
    asked = too_many(monkeypatch, 2, KINDS[kind])
    events = run(values(tmp_path / "b", *SAME, *settings))
    parted = trained(folder_of(events))
    for name in whole:
        torch.testing.assert_close(whole[name], parted[name], rtol=1e-5, atol=1e-6)
    batch = 5 if "training.batch_size=5" in settings else 4
    assert asked[0] == batch and max(asked[3:]) == 2  # remembered: no later step tries more
    assert told(events)[0].startswith(
        f"Memory ran out at step 1 (batch of {batch} at 64x64): batches of this size are split into 2"
    )
    assert sum("Memory ran out" in text for text in told(events)) == (2 if batch == 5 else 1)


def test_captions_are_padded_with_those_of_the_whole_batch(tmp_path, monkeypatch) -> None:
    lengths: list[tuple[int, int]] = []
    condition, learn, now = LossComputer.condition, Learner.learn, [0]

    def begun(learner: Learner, batches):
        now[0] = learner.clock.step
        return learn(learner, batches)

    def seen(loss_computer: LossComputer, *rest):
        found = condition(loss_computer, *rest)
        lengths.append((now[0], found.tokens_BTD.shape[1]))
        return found

    monkeypatch.setattr(Learner, "learn", begun)
    monkeypatch.setattr(LossComputer, "condition", seen)
    too_many(monkeypatch, 1, KINDS["the card"])
    run(values(tmp_path, "training.steps=4", "training.batch_size=4", "concepts.0.caption_dropout=0.5"))
    for step in range(4):
        assert len({length for at, length in lengths if at == step}) == 1


def test_a_text_encoder_that_is_trained_reads_in_parts_too(tmp_path, monkeypatch) -> None:
    settings = (*SAME, "training.batch_size=4", "training.text_encoder_1.train=true")
    whole = trained(folder_of(run(values(tmp_path / "a", *settings))))
    too_many(monkeypatch, 2, KINDS["the card"])
    parted = trained(folder_of(run(values(tmp_path / "b", *settings))))
    for name in whole:
        torch.testing.assert_close(whole[name], parted[name], rtol=1e-5, atol=1e-6)


def test_without_room_for_one_item_the_run_ends_with_what_would_help(tmp_path, monkeypatch) -> None:
    too_many(monkeypatch, 0, KINDS["the card"])
    channel = Channel.open()
    session = Session(Train(values(tmp_path, "training.batch_size=2", "training.accumulation=3")), channel)
    session.start()
    session.wait(240)
    failed = list(channel.events.drain(1000))[-1]
    assert isinstance(failed, Failed) and not failed.details
    assert "Memory ran out at step 1, even with one image of 64x64 at a time." in failed.message
    changes = [mend.changes for mend in failed.fixes]
    assert changes[0] == {"training.batch_size": 1, "training.accumulation": 6}
    assert {"training.gradient_checkpointing": "all"} not in changes  # which it has tried by itself
    assert {"model.dtype": "bf16"} in changes


def test_other_errors_of_the_denoiser_are_not_taken_for_it(tmp_path, monkeypatch) -> None:
    too_many(monkeypatch, 0, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="multiplied"):
        run(values(tmp_path))


def test_no_room_for_the_optimizer_is_said_as_such(tmp_path, monkeypatch) -> None:
    def full(*_):
        raise KINDS["the card"]

    monkeypatch.setattr("modules.trainer.step.optimizers.MixedPrecisionOptimizer.step", full)
    with pytest.raises(UserError, match="in the update of step 1"):
        run(values(tmp_path))


def test_what_is_encoded_for_the_cache_is_taken_in_halves() -> None:
    asked: list[int] = []

    def encode(pixels: list[np.ndarray]) -> list[int]:
        asked.append(len(pixels))
        if len(pixels) > 2:
            raise KINDS["the card"]
        return [int(each.sum()) for each in pixels]

    things = [np.full((2, 2), number) for number in range(7)]
    assert [each for part in in_smaller_batches(encode, things) for each in part] == [4 * number for number in range(7)]
    assert asked == [7, 3, 1, 2, 4, 2, 2]

    def never(_):
        raise KINDS["Python"]

    with pytest.raises(MemoryError):
        list(in_smaller_batches(never, things))


# Samples --------------------------------------------------------------------------------------------------------------

PROMPTS = 'sampling.prompts=[{"prompt": "blip robot", "steps": 1}, {"prompt": "a robot", "steps": 1}]'
SAMPLES = (PROMPTS, "sampling.every=1 step", "sampling.first=true", "sampling.last=true", "training.steps=5")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException, fails: Callable[[int], bool]) -> None:
    """Let the sampler fail in some of its rounds, in the middle of its work."""
    rounds: list[int] = []
    images = Sampler._images

    def drawn(sampler: Sampler, prompts, step_done):
        rounds.append(len(prompts))
        if fails(len(rounds) - 1):
            raise error
        return images(sampler, prompts, step_done)

    monkeypatch.setattr(Sampler, "_images", drawn)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("a bug in a solver"), "ValueError('a bug in a solver')"),
        (KINDS["torch on the CPU"], "memory ran out"),
    ],
)
def test_failing_samples_never_end_a_run_nor_change_what_is_learnt(error, words, tmp_path, monkeypatch) -> None:
    settings = ("training.ema=true", "method.dropout=0.2")
    silent = run(values(tmp_path / "a", *settings, "training.steps=5"))
    failing(monkeypatch, error, lambda _: True)
    events = run(values(tmp_path / "b", *settings, *SAMPLES))
    assert end_of(events).step == 5
    assert_equal(trained(folder_of(events)), trained(folder_of(silent)))
    notes = told(events)
    assert len(notes) == 3 and all(words.rstrip(".") in text for text in notes)
    assert notes[0].startswith("No sample at step 0: ") and notes[0].endswith("Training goes on.")
    assert "further failures are not reported" in notes[2]
    assert not list((folder_of(events) / "samples").glob("*"))


def test_a_prompt_that_cannot_be_drawn_is_said_three_times_and_the_run_goes_on(tmp_path, monkeypatch) -> None:
    failing(monkeypatch, UserError(as_it_is("The picture is gone.")), lambda _: True)
    events = run(values(tmp_path, *SAMPLES))
    assert end_of(events).step == 5
    notes = told(events)
    assert len(notes) == 6 and all("The picture is gone." in text for text in notes)  # two prompts
    assert sum("Further failures of this prompt are not reported" in text for text in notes) == 2


def test_samples_are_tried_again_and_told_anew_once_one_came(tmp_path, monkeypatch) -> None:
    failing(monkeypatch, ValueError("now and then"), lambda number: number % 2 == 0)
    events = run(values(tmp_path, *SAMPLES))
    assert len(told(events)) == 3 and len([e for e in events if isinstance(e, SampleReady)]) == 6


def test_where_memory_is_too_small_for_all_prompts_at_once_fewer_are_drawn(tmp_path, monkeypatch) -> None:
    failing(monkeypatch, KINDS["the card"], lambda number: number == 0)
    events = run(values(tmp_path, PROMPTS, "sampling.first=true", "training.steps=1"))
    assert not told(events)
    assert [event.number for event in events if isinstance(event, SampleReady)] == [1, 2]


# The driver that says nothing -----------------------------------------------------------------------------------------


def said_after(seconds: list[float], free: int, total: int = 12_000) -> list[str]:
    slow = SpillDetector(lambda: (free, total))
    return [PLAIN.sentence(said) for each in seconds if (said := slow.step(each))]


def test_steps_that_become_slow_on_a_full_card_are_said_once() -> None:
    seconds = [1.0] * 20 + [4.0] * 20
    (said,) = said_after(seconds, free=100)
    assert "4.0 times as long" in said and "the card's memory is full" in said
    assert not said_after(seconds, free=4_000)  # not full: something else
    assert not said_after(seconds, free=0, total=0)  # no card
    assert not said_after([1.0] * 20 + [2.5] * 20, free=100)
    assert not said_after(([1.0] * 10 + [9.0] * (STEPS_SLOW - 1)) * 3, free=100)  # samples and backups
