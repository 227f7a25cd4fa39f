"""The promise of the seed setting: a run that was interrupted ends in the very same weights."""

from pathlib import Path

import pytest

from modules.errors import UserError
from modules.messages import Note, Started
from tests.trainer.runs import assert_equal, end_of, folder_of, run, stop_after_a_backup, trained, values

FULL = ("method.kind=full", "training.learning_rate=1e-4")
KINDS = {
    "lora with dropout": ("method.dropout=0.3",),
    "lora of text encoder and convolutions": ("training.text_encoder_1.train=true", "method.conv=true"),
    "dora": ("method.dora=true",),
    "full": (*FULL, "training.text_encoder_1.train=true"),
    "full in bf16": (*FULL, "training.weights=bf16", "model.dtype=bf16"),
    "embedding": ("method.kind=embedding", "concepts.0.prefix=<new> "),
    "ema": ("training.ema=true", "training.ema_decay=0.9"),
    "accumulation": ("training.accumulation=3", "training.batch_size=1"),
    "falling rate": ("schedule.kind=cosine", "schedule.warmup=20 %"),
    "schedule-free": ("optimizer.kind=schedule_free_adamw",),
    "prodigy": ("optimizer.kind=prodigy", "training.learning_rate=1"),
    "adamw 8-bit": ("optimizer.kind=adamw8bit", "method.rank=64"),
    "adafactor": ("optimizer.kind=adafactor",),
    "lion": ("optimizer.kind=lion", "training.learning_rate=1e-4"),
    "fp16": ("model.dtype=fp16",),
    "stopped part": ("training.text_encoder_1.train=true", "training.text_encoder_1.stop_after=3 steps"),
    "shuffled tags and offset noise": ("concepts.0.shuffle_tags=true", "objective.noise_offset=0.1"),
    "checkpointing": (
        "training.gradient_checkpointing=true",
        "method.dropout=0.3",
        "training.text_encoder_1.train=true",
    ),
}


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(settings, tmp_path) -> None:
    unbroken = run(values(tmp_path / "unbroken", *settings, "training.steps=7"))
    broken = values(tmp_path / "broken", *settings, "training.steps=7", "backup.every=3 steps")
    first = run(broken, answer=stop_after_a_backup)
    assert end_of(first).stopped
    assert end_of(first).step == 4  # in the middle of an epoch of 8 batches

    second = run(broken, resume="newest")

    assert next(e for e in second if isinstance(e, Started)).resumed_from == 4
    assert end_of(second).step == 7
    assert folder_of(second) == folder_of(first)
    for what in ("method", *(["ema"] if "training.ema=true" in settings else [])):
        assert_equal(trained(folder_of(unbroken), what), trained(folder_of(second), what))


@pytest.mark.parametrize(
    "average", [("optimizer.kind=schedule_free_adamw",), ("training.ema=true",)], ids=["schedule-free", "ema"]
)
def test_samples_and_saves_on_the_way_change_nothing_that_is_learnt(average, tmp_path) -> None:
    settings = (*average, "method.dropout=0.2", "training.steps=5")
    quiet = run(values(tmp_path / "quiet", *settings))
    prompt = 'sampling.prompts=[{"prompt": "blip robot", "steps": 2, "width": 64, "height": 64}]'
    often = ("sampling.every=1 step", "sampling.first=true", "backup.save_every=2 steps", "backup.every=2 steps")
    busy = run(values(tmp_path / "busy", *settings, prompt, *often))
    assert len(list((folder_of(busy) / "samples").iterdir())) == 6
    assert_equal(trained(folder_of(quiet)), trained(folder_of(busy)))
    if "training.ema=true" in average:
        assert_equal(trained(folder_of(quiet), "ema"), trained(folder_of(busy), "ema"))


def test_a_torn_backup_is_passed_over_and_the_older_one_continues(tmp_path) -> None:
    preset = values(tmp_path, "training.steps=6", "backup.every=2 steps")
    folder = folder_of(run(preset))
    newest = sorted((folder / "backups").iterdir())[-1]
    whole = trained(folder)
    (newest / "optimizer.pt").write_bytes(b"torn")
    events = run(preset, resume="newest")
    assert next(e for e in events if isinstance(e, Started)).resumed_from == 4
    assert_equal(whole, trained(folder))


def test_a_backup_made_with_other_settings_is_refused_in_words(tmp_path) -> None:
    run(values(tmp_path, "training.steps=2"))
    with pytest.raises(UserError, match="other settings"):
        run(values(tmp_path, "training.steps=4", "training.ema=true"), resume="newest")
    with pytest.raises(UserError, match="does not fit"):
        run(values(tmp_path, "training.steps=4", "method.rank=8"), resume="newest")


def test_a_run_that_never_was_cannot_be_continued(tmp_path) -> None:
    with pytest.raises(UserError, match="no run named"):
        run(values(tmp_path), resume="newest")
    assert not (tmp_path / "test").exists()


def test_a_second_fresh_run_gets_a_folder_of_its_own_and_resume_takes_the_newest(tmp_path) -> None:
    preset = values(tmp_path, "training.steps=2")
    first, second = folder_of(run(preset)), folder_of(run(preset))
    assert (first.name, second.name) == ("test", "test 2")
    longer = values(tmp_path, "training.steps=3")
    assert folder_of(run(longer, resume="newest")) == second
    assert folder_of(run(longer, resume=str(first))) == first


def test_only_as_many_backups_stay_as_are_wanted(tmp_path) -> None:
    events = run(values(tmp_path, "training.steps=6", "backup.every=1 step", "backup.keep=2"))
    assert [path.name for path in sorted((folder_of(events) / "backups").iterdir())] == [
        "step-00000005",
        "step-00000006",
    ]


def test_nothing_is_left_to_train_ends_the_run_with_a_word(tmp_path) -> None:
    events = run(values(tmp_path, "training.denoiser.stop_after=2 steps", "training.steps=5"))
    assert any(isinstance(e, Note) and "Nothing is left to train" in e.text for e in events)
    assert end_of(events).step == 2


def test_the_folder_of_a_run_holds_a_project_that_trains_the_same_again(tmp_path) -> None:
    from modules.preset.store import read

    folder = folder_of(run(values(tmp_path, "training.steps=2")))
    again = read(folder / "preset.json").model_dump(mode="json")
    assert Path(again["general"]["workspace"]) == tmp_path
    assert_equal(trained(folder), trained(folder_of(run(again))))
