"""What is counted while a run goes on: epochs after a resume, losses that arrive late or are no numbers."""

import pytest
import torch

from modules.errors import UserError
from modules.messages import Progress
from modules.trainer.step import meter as meter_module
from modules.trainer.step.meter import Meter
from modules.trainer.step.schedule import Clock
from tests.trainer.runs import end_of, folder_of, run, stop_after_a_backup, trained, values


def test_a_run_resumed_with_shorter_epochs_still_counts_them(tmp_path) -> None:
    first = run(values(tmp_path, "training.steps=7", "backup.every=5 steps"), answer=stop_after_a_backup)
    assert end_of(first).step == 6  # of the 8 steps of an epoch
    larger = values(tmp_path, "training.steps=11", "training.batch_size=4")
    clock = trained(folder_of(run(larger, resume="newest")), "clock")
    assert clock == {"step": 11, "epoch": 2, "shown": 1}  # 4 steps an epoch: the first is over, then 5 more


def test_an_epoch_that_is_not_over_goes_on() -> None:
    clock = Clock(step=3, epoch=0, shown=3)
    clock.fit_epoch_length(4)
    assert (clock.epoch, clock.shown) == (0, 3)


class Late:
    """An event of a card that is behind."""

    def __init__(self) -> None:
        self.over = self.waited_for = False

    def query(self) -> bool:
        return self.over

    def synchronize(self) -> None:
        self.waited_for = True


def test_losses_still_under_way_are_told_later_each_once_and_nobody_waits_for_them(monkeypatch) -> None:
    told: list[Progress] = []
    meter = Meter(told.append, lambda *_: None)
    events = [Late() for _ in range(3)]
    for step, event in enumerate(events, 1):
        monkeypatch.setattr(meter_module, "to_cpu", lambda values, event=event: (values, event))
        meter.add(step, torch.tensor(float(step)), None, {"denoiser": 1.0}, 0.1)
    meter.report(3, 9, 0, 1, wait=False)
    assert told == []
    events[0].over = events[1].over = True
    meter.report(3, 9, 0, 1, wait=False)
    assert [progress.losses for progress in told] == [[[1, 1], [2, 2]]]
    assert not events[2].waited_for
    meter.report(3, 9, 0, 1)
    assert told[-1].losses == [[3, 3]] and events[2].waited_for


@pytest.mark.parametrize(
    ("guards", "words"),
    [("false", "The loss of step .* is NaN"), ("true", "after 3 rollbacks: the run")],
)
def test_a_run_whose_loss_is_no_number_ends_in_words_and_leaves_the_good_backups(guards, words, tmp_path) -> None:
    broken = ("method.kind=full", "training.learning_rate=0.49", "optimizer.kind=lion", "training.clip_gradients=0")
    broken += ("optimizer.weight_decay=10", f"training.guards.enabled={guards}")
    preset = values(tmp_path, *broken, "training.steps=60", "backup.every=2 steps", "schedule.warmup=0 steps")
    with pytest.raises(UserError, match=words):
        run(preset)
    assert all(t.isfinite().all() for t in trained(tmp_path / "test").values())
    assert not (tmp_path / "test" / "models").exists()


@pytest.mark.parametrize("other", ["lion", "adafactor", "schedule_free_adamw"])
def test_the_state_of_another_optimizer_is_refused_in_words(other, tmp_path) -> None:
    run(values(tmp_path, "training.steps=1"))
    with pytest.raises(UserError, match=f"optimizer.kind was adamw and is {other}"):
        run(values(tmp_path, f"optimizer.kind={other}", "training.steps=2"), resume="newest")


def test_zero_terminal_snr_mixes_as_the_scheduler_of_diffusers_does() -> None:
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    from modules.diffusion.noise_schedule import VPrediction

    ours = VPrediction(zero_terminal_snr=True)
    theirs = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
    )
    clean, noise = torch.randn(2, 1000, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    times = torch.arange(1000)
    assert torch.equal(ours.add_noise(clean, noise, times), theirs.add_noise(clean, noise, times))
    assert torch.equal(ours.target(clean, noise, times), theirs.get_velocity(clean, noise, times))


def test_a_backup_given_as_the_run_to_resume_is_refused_with_the_folder_to_give(tmp_path) -> None:
    folder = folder_of(run(values(tmp_path, "training.steps=2", "backup.every=1 step")))
    with pytest.raises(UserError, match="is a backup") as refused:
        run(values(tmp_path, "training.steps=3"), resume=str(folder / "backups" / "step-00000001"))
    assert str(folder) in str(refused.value)
