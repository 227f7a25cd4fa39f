"""The promise of the seed setting: a run that was interrupted ends in the very same weights."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open

from modules.errors import UserError
from modules.messages import Note, Started
from modules.preset.files.store import read
from modules.system.files import sha256_of
from modules.wire import decode
from tests.trainer.runs import assert_equal, end_of, folder_of, model_of, run, stop_after_a_backup, trained, values

FULL = ("method.kind=full", "training.learning_rate=1e-4")
KINDS = {
    "lora with dropout, of text encoder and convolutions": (
        "method.rank_dropout=0.3",
        "training.text_encoder_1.train=true",
        "method.conv=true",
    ),
    "loha with dropouts": (
        "method.kind=loha",
        "method.rank=2",
        "method.rank_dropout=0.3",
        "method.module_dropout=0.3",
        "method.conv=true",
    ),
    "lokr with a limit and a rate of its own": (
        "method.kind=lokr",
        "method.rank=2",
        "method.max_norm=0.05",
        "method.rate_ratio=4",
    ),
    "oft": ("method.kind=oft", "method.block_size=4", "method.constraint=0.001"),
    "lora with dropout of numbers and groups": (
        "method.dropout=0.3",
        'method.groups=[{"layers": "mid", "rank": 2, "learning_rate": 0.001}]',
    ),
    "full": (*FULL, "training.text_encoder_1.train=true"),
    "full in bf16": (*FULL, "training.weights=bf16", "model.dtype=bf16"),
    "embedding": ("method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> "),
    "words beside a lora": (
        'words=[{"token": "<new>", "learning_rate": 1e-2, "stop_after": "3 steps"}]',
        "concepts.0.prefix=<new> ",
        "method.dropout=0.3",
    ),
    "dora, class images": (
        "method.dora=true",
        'concepts=[{"path": "starter:robot"}, {"path": "starter:prior", "kind": "class", "flip": true}]',
    ),
    "prior prediction": (
        'concepts=[{"path": "starter:robot"}, {"path": "starter:prior", "kind": "prior", "flip": true}]',
        "training.text_encoder_1.train=true",
    ),
    "kept answers": (
        *FULL,
        "prior.answers=2",
        'concepts=[{"path": "starter:robot"}, {"path": "starter:prior", "kind": "prior", "flip": true}]',
    ),
    # From here on parts that do not act on one another share a run
    "ema every three steps in main memory, checkpointing": (
        "training.ema=true",
        "training.ema_every=3",
        "training.ema_device=cpu",
        "training.gradient_checkpointing=all",
        "method.rank_dropout=0.3",
        "training.text_encoder_1.train=true",
    ),
    "validation, ema": (
        "validation.enabled=true",
        "validation.every=2 steps",
        "method.dropout=0.3",
        "training.ema=true",
        "training.ema_decay=0.9",
    ),
    "lion, falling rate, shuffled tags and offset noise": (
        "optimizer.kind=lion",
        "training.learning_rate=1e-4",
        "schedule.kind=cosine",
        "schedule.warmup=20 %",
        "concepts.0.shuffle_tags=true",
        "objective.noise.offset=0.1",
    ),
    "adafactor, accumulation": ("optimizer.kind=adafactor", "training.accumulation=3", "training.batch_size=1"),
    "schedule-free": ("optimizer.kind=schedule_free_adamw",),
    "prodigy, stopped part": (
        "optimizer.kind=prodigy",
        "training.learning_rate=1",
        "training.text_encoder_1.train=true",
        "training.text_encoder_1.stop_after=3 steps",
    ),
    "adamw 8-bit, draws that are not cached, in several sizes": (
        "optimizer.kind=adamw8bit",
        "method.rank=256",
        "concepts.0.rotation=10",
        "concepts.0.hue=20",
        "concepts.0.variants=0",
        "training.resolutions=64, 80",
    ),
    "ademamix 8-bit, full in bf16": (*FULL, "training.weights=bf16", "model.dtype=bf16", "optimizer.kind=ademamix8bit"),
    "prodigy schedule-free": ("optimizer.kind=prodigy_schedule_free", "training.learning_rate=1"),
    "d-adaptation, weights in captions": (
        "optimizer.kind=dadapt_adam",
        "training.learning_rate=1",
        "model.weighted_captions=true",
        "concepts.0.captions=prompt",
        "concepts.0.prompt=[blip] (robot:1.4)",
    ),
    "muon, full in bf16": (*FULL, "training.weights=bf16", "model.dtype=bf16", "optimizer.kind=muon"),
    "another by name, captions that are drawn and grow": (
        "optimizer.kind=other",
        "optimizer.name=pytorch_optimizer:Yogi",
        "concepts.0.more_captions=name",
        "concepts.0.several=join",
        "concepts.0.tag_separator= ",
        "concepts.0.tag_warmup=5",
        "concepts.0.tag_dropout=0.3",
        "concepts.0.capitals=any",
        "concepts.0.dropout_epochs=2",
    ),
    "drawn schedule, scaled rate": (
        "schedule.kind=custom",
        "schedule.points=0:0.2, 0.5:1, 1:0",
        "training.accumulation=2",
        "training.scale_rate=both",
    ),
    "fp16": ("model.dtype=fp16",),
}


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(settings, tmp_path) -> None:
    """The unbroken run loses its last backup, and goes on from the one before as if it had been killed since."""
    preset = values(tmp_path, *settings, "training.steps=7", "backup.every=4 steps")
    folder = folder_of(run(preset))
    parts = ("method", *(["ema"] if "training.ema=true" in settings else []))
    unbroken = {part: trained(folder, part) for part in parts}
    shutil.rmtree(folder / "backups" / "step-00000007")

    events = run(preset, resume="newest")

    resumed = next(e for e in events if isinstance(e, Started))
    assert (resumed.resumed_from, resumed.folder) == (4, str(folder))  # in the middle of an epoch of 8 batches
    assert end_of(events).step == 7
    for part in parts:
        assert_equal(unbroken[part], trained(folder, part))


def test_a_run_that_is_stopped_and_continued_ends_where_an_unbroken_one_does(tmp_path) -> None:
    settings = ("method.rank_dropout=0.3", "training.steps=7")
    unbroken = run(values(tmp_path / "unbroken", *settings))
    broken = values(tmp_path / "broken", *settings, "backup.every=3 steps")
    first = run(broken, answer=stop_after_a_backup)
    assert end_of(first).stopped
    assert end_of(first).step == 4

    second = run(broken, resume="newest")

    assert next(e for e in second if isinstance(e, Started)).resumed_from == 4
    assert folder_of(second) == folder_of(first)
    assert_equal(trained(folder_of(unbroken)), trained(folder_of(second)))


@pytest.mark.parametrize(
    "average", [("optimizer.kind=schedule_free_adamw",), ("training.ema=true",)], ids=["schedule-free", "ema"]
)
def test_samples_and_saves_on_the_way_change_nothing_that_is_learnt(average, tmp_path) -> None:
    settings = (*average, "method.rank_dropout=0.2", "training.steps=5")
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


def test_what_is_lost_and_what_is_passed_over_is_said(tmp_path) -> None:
    preset = values(tmp_path, "training.steps=6", "backup.every=2 steps")
    folder = folder_of(run(preset))
    whole = trained(folder)
    newest = folder / "backups" / "step-00000006"
    (newest / "optimizer.pt").write_bytes(b"torn")
    # As it was written, and yet no backup that torch can read.
    unreadable = folder / "backups" / "step-00000004"
    (unreadable / "meter.pt").write_bytes(b"not a file of torch")
    manifest = json.loads((unreadable / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"]["meter.pt"] = sha256_of(unreadable / "meter.pt")
    (unreadable / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "Prog')  # a power cut

    events = run(preset, resume="newest")

    assert next(e for e in events if isinstance(e, Started)).resumed_from == 2
    said = [e.text for e in events if isinstance(e, Note)]
    assert "The backup of step 6 is damaged (the checksum of optimizer.pt does not match) and is skipped." in said
    assert any(text.startswith("The backup of step 4 is skipped: meter.pt cannot be read") for text in said)
    assert "Continued from the backup of step 2; 4 steps since then are repeated (the log reached step 6)." in said
    assert_equal(whole, trained(folder))
    for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines():
        decode(line)


def test_backups_that_nobody_can_read_are_said(tmp_path) -> None:
    folder = folder_of(run(values(tmp_path, "training.steps=2")))
    backup = folder / "backups" / "step-00000002"
    (backup / "clock.pt").write_bytes(b"")
    manifest = {"step": 2, "sha256": {path.name: sha256_of(path) for path in backup.glob("*.pt")}}
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UserError, match=r"no backup of it can be read.*clock.pt cannot be read.*without --resume"):
        run(values(tmp_path, "training.steps=4"), resume="newest")


def test_a_run_without_a_backup_starts_again_in_its_folder_and_says_so(tmp_path) -> None:
    preset = values(tmp_path, "training.steps=4", "backup.at_end=false")
    first = run(preset)
    unbroken = values(tmp_path / "unbroken", "training.steps=4")
    again = run(values(tmp_path, "training.steps=4"), resume="newest")
    assert folder_of(again) == folder_of(first)
    assert next(e for e in again if isinstance(e, Started)).resumed_from == -1
    text = "This run has no backup yet: it starts again from the beginning, in the same folder."
    assert f"{text} It had reached step 4." in [event.text for event in again if isinstance(event, Note)]
    assert_equal(trained(folder_of(run(unbroken))), trained(folder_of(again)))


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
    folder = folder_of(run(values(tmp_path, "training.steps=2")))
    again = read(folder / "preset.json").model_dump(mode="json")
    assert Path(again["general"]["workspace"]) == tmp_path
    assert_equal(trained(folder), trained(folder_of(run(again))))


def test_a_longer_run_says_what_changed_and_its_model_takes_the_name(tmp_path) -> None:
    """The run's own earlier model steps aside; the settings follow, and those of before stay."""
    folder = folder_of(run(values(tmp_path, "general.name=cat", "training.steps=2")))
    early = (folder / "models" / "cat.safetensors").read_bytes()
    (folder / "preset.json").write_bytes(b"damaged")

    events = run(values(tmp_path, "general.name=cat", "training.steps=4", "training.learning_rate=5e-4"), resume="cat")

    started = next(e for e in events if isinstance(e, Started))
    assert started.resumed_from == 2
    assert started.changes == {"training.steps": [2, 4], "training.learning_rate": [0.001, 0.0005]}
    said = [e.text for e in events if isinstance(e, Note)]
    (changed,) = [text for text in said if text.startswith("Continued with other settings: ")]
    assert "training.steps 2 -> 4" in changed
    assert "training.learning_rate 0.001 -> 0.0005" in changed
    assert not any("has not written it" in text for text in said)
    assert model_of(events) == folder / "models" / "cat.safetensors"
    assert (folder / "models" / "cat-step-00000002.safetensors").read_bytes() == early
    assert names(folder / "models") == ["cat-step-00000002.safetensors", "cat.safetensors"]
    assert read(folder / "preset.json").training.steps == 4
    assert (folder / "preset-to-step-00000002.json").read_bytes() == b"damaged"


def test_what_a_stranger_put_under_the_name_of_the_model_stays(tmp_path) -> None:
    folder = folder_of(run(values(tmp_path, "general.name=cat", "training.steps=2")))
    (folder / "models" / "cat.safetensors").write_bytes(b"mine")
    events = run(values(tmp_path, "general.name=cat", "training.steps=3"), resume="newest")
    assert (folder / "models" / "cat.safetensors").read_bytes() == b"mine"
    assert model_of(events).name == "cat 2.safetensors"
    assert any(isinstance(e, Note) and "this run has not written it" in e.text for e in events)


def test_what_was_due_at_the_step_of_the_backup_is_made_once(tmp_path) -> None:
    """Killed right after a backup, after a sample, after a save, and after the last model: nothing lacks or doubles."""
    prompt = 'sampling.prompts=[{"prompt": "robot", "steps": 1, "width": 64, "height": 64}]'
    every = ("sampling.every=2 steps", "sampling.last=true", "sampling.first=true", "backup.save_every=2 steps")
    preset = values(tmp_path, "training.steps=5", "backup.every=2 steps", "general.name=cat", prompt, *every)
    folder = folder_of(run(preset))
    samples, models = names(folder / "samples"), names(folder / "models")
    assert samples == [f"{step:06d} - 1 - robot.png" for step in (0, 2, 4, 5)]
    assert models == ["cat-step-00000002.safetensors", "cat-step-00000004.safetensors", "cat.safetensors"]
    whole = trained(folder)
    for lost in ("", "samples/000004 - 1 - robot.png", "models/cat-step-00000004.safetensors"):
        shutil.rmtree(folder / "backups" / "step-00000005")
        if lost:
            (folder / lost).unlink()
        run(preset, resume="newest")
        assert (names(folder / "samples"), names(folder / "models")) == (samples, models), lost
    before = (folder / "samples" / samples[-1]).stat().st_mtime_ns
    run(preset, resume="newest")  # finished already: only the model is written again
    assert (names(folder / "samples"), names(folder / "models")) == (samples, models)
    assert (folder / "samples" / samples[-1]).stat().st_mtime_ns == before
    assert_equal(whole, trained(folder))


def test_the_start_of_a_run_is_that_of_its_first_process(tmp_path) -> None:
    def about(events) -> dict[str, str]:
        with safe_open(model_of(events), "pt") as file:
            return file.metadata()

    preset = values(tmp_path, "training.steps=2")
    first = about(run(preset))
    again = about(run(preset, resume="newest"))
    dates = ("modelspec.date", "ss_training_finished_at")
    assert [name for name in first if first[name] != again[name] and name not in dates] == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
