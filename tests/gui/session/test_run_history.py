import json
import time
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.gui.run.run_list import summary_text
from app.gui.session.event_log import EventLog, last_events
from app.gui.session.run_history import Run, Runs, pairs_between, parameters_in, settings_between
from modules.messages import Event, Failed, Finished, Note, Progress, SampleReady, Started, Validated
from modules.preset.files import store
from modules.preset.preset import Preset
from modules.run_folders import LOCK
from modules.system.bundled import ROOT
from modules.system.locks import Lock
from modules.wire import encode

ROBOT = store.read(ROOT / "presets" / "Starter" / "Robot LoRA.json")


def progress(step: int) -> Progress:
    return Progress(step, 600, 1, 3, losses=[[step - 1, 0.5], [step, 0.4]], rates={"denoiser": 1e-4})


def run_of(folder: Path, *events: Event, preset: Preset = ROBOT) -> Run:
    folder.mkdir(parents=True)
    store.write_project(preset, folder / "preset.json")
    (folder / "events.jsonl").write_text("".join(f"{encode(event)}\n" for event in events), encoding="utf-8")
    return Run(folder)


def old(run: Run) -> Run:
    """As if it had been written long ago."""
    import os

    os.utime(run.folder / "events.jsonl", (1_700_000_000, 1_700_000_000))
    return run


@pytest.mark.parametrize(
    ("events", "status", "step"),
    [
        ([Started("x", 600, 3, 200), progress(600), Finished(600)], "finished", 600),
        ([Started("x", 600, 3, 200), progress(50), Finished(50, stopped=True)], "stopped", 50),
        ([Started("x", 600, 3, 200), progress(50), Failed("The memory is full.")], "failed", 50),
        ([Started("x", 600, 3, 200), progress(50)], "cut off", 50),
        ([progress(50), Finished(50, stopped=True), Started("x", 600, 3, 200, 50), progress(60)], "cut off", 60),
        ([], "cut off", 0),
    ],
)
def test_a_line_of_the_list_says_how_a_run_ended(tmp_path: Path, events: list[Event], status: str, step: int) -> None:
    summary = old(run_of(tmp_path / "run", *events)).summary
    assert (summary.status, summary.step, summary.title) == (status, step, "Robot LoRA")


def test_a_run_whose_folder_is_locked_is_running(tmp_path: Path) -> None:
    run = old(run_of(tmp_path / "run", Started("x", 600, 3, 200), progress(2)))
    assert run.summary.status == "cut off"
    with Lock(run.folder / LOCK):
        assert run.summary.status == "running"


def test_where_a_run_was_continued_is_known(tmp_path: Path) -> None:
    """Two times from the same step, then from an earlier one: what never came to be is forgotten."""
    again = [Started("x", 600, 3, 200, step, {"training.steps": [9, step]}) for step in (2, 4, 4, 3)]
    log = run_of(tmp_path / "run", Started("x", 600, 3, 200), *again).records
    log.update()
    assert log.resumed == [again[0], again[3]]


def test_why_a_run_failed_is_in_its_line(tmp_path: Path) -> None:
    assert run_of(tmp_path / "run", Failed("The memory is full.")).summary.failure == "The memory is full."


def test_losses_are_followed_as_they_come_and_half_a_line_waits(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", Started("x", 600, 3, 200), progress(2))
    run.records.update()
    assert run.records.losses == [(1, 0.5), (2, 0.4)]
    line = encode(progress(4))
    with (run.folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(line[:40])
        file.flush()
        run.records.update()
        assert len(run.records.losses) == 2
        file.write(f"{line[40:]}\n")
    run.records.update()
    assert [step for step, _ in run.records.losses] == [1, 2, 3, 4]
    assert run.records.rates[-1] == (4, 1e-4)


def test_a_long_file_is_read_in_bites(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", *(progress(step) for step in range(2, 202, 2)))
    bites = 1
    while run.records.update(at_most=1000):
        bites += 1
    assert len(run.records.losses) == 200
    assert bites > 5


def test_damaged_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", progress(2))
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b'\xff\xfe torn\n{"kind": "Nonsense"}\n' + encode(Finished(2)).encode() + b"\n")
    run.records.update()
    assert (run.records.damaged, run.records.end) == (2, Finished(2))
    assert last_events(run.folder / "events.jsonl")[-1] == Finished(2)


def test_a_run_that_goes_on_from_a_backup_forgets_what_came_after_it(tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "run", progress(2), progress(4), Finished(4, stopped=True), Started("x", 9, 1, 9, 2), progress(4)
    )
    run.records.update()
    assert [step for step, _ in run.records.losses] == [1, 2, 3, 4]
    assert run.records.end is None


def test_the_end_of_a_large_file_is_read_without_the_rest(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", *(Note("x" * 500) for _ in range(200)), Finished(9))
    told = last_events(run.folder / "events.jsonl", most_bytes=4000)
    assert told[-1] == Finished(9)
    assert len(told) < 10


def samples(run: Run, *names: str) -> Run:
    (run.folder / "samples").mkdir()
    for name in names:
        (run.folder / "samples" / name).touch()
    return run


def test_samples_are_sorted_by_step_and_prompt_and_know_their_prompts(tmp_path: Path) -> None:
    run = samples(
        run_of(tmp_path / "run"),
        "000100 - 2 - sleepy blip robot.png", "000100 - 1 - blip robot.png", "000000 - 1 - blip robot.png",
        "000100 - 0 - of the moment.png", "notes.txt", ".000200 - 1 - half.png.part",
    )  # fmt: skip
    assert [(s.step, s.number) for s in run.samples()] == [(0, 1), (100, 0), (100, 1), (100, 2)]
    assert [run.prompt_of(s) for s in run.samples()] == [
        "blip robot", "of the moment", "blip robot", "sleepy blip robot",
    ]  # fmt: skip


def test_an_image_of_the_moment_says_its_whole_prompt(tmp_path: Path) -> None:
    run = samples(run_of(tmp_path / "run"))
    about = PngInfo()
    about.add_itxt("parameters", "a robot:\non a hill\nNegative prompt: rain\nSteps: 4, Seed: 1")
    path = run.folder / "samples" / "000100 - 0 - a robot on.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=about)
    (sample,) = run.samples()
    assert run.prompt_of(sample) == "a robot:\non a hill"
    assert parameters_in(path).endswith("Seed: 1")


def test_only_backups_that_were_written_to_the_end_are_offered_newest_first(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    for name, whole in (("step-00000050", True), ("step-00000100", True), ("step-00000150", False)):
        (run.folder / "backups" / name).mkdir(parents=True)
        if whole:
            (run.folder / "backups" / name / "manifest.json").touch()
    assert [step for step, _ in run.backups()] == [100, 50]


def test_runs_are_newest_first_and_other_folders_are_none(tmp_path: Path) -> None:
    old(run_of(tmp_path / "first", Finished(1)))
    run_of(tmp_path / "second", Finished(1))
    (tmp_path / "cache").mkdir()
    runs = Runs(tmp_path)
    assert [run.name for run in runs.list()] == ["second", "first"]
    assert runs.list()[0] is runs.list()[0]
    assert [run.name for run in runs.search("first robot")] == ["first"]
    assert Runs(tmp_path / "nowhere").list() == []


def test_two_runs_are_compared_by_settings_and_by_samples_of_the_same_prompt(tmp_path: Path) -> None:
    other = ROBOT.model_copy(update={"training": ROBOT.training.model_copy(update={"batch_size": 8})})
    one = samples(run_of(tmp_path / "one"), "000100 - 1 - blip robot.png", "000100 - 3 - blip robot with a red hat.png")
    two = samples(run_of(tmp_path / "two", preset=other), "000090 - 1 - blip robot.png", "000500 - 1 - blip robot.png")
    assert [each.path for each in settings_between(one, two)] == ["training.batch_size"]
    assert [(a.step, b.step) for a, b in pairs_between(one, two)] == [(100, 90)]


def test_a_run_without_a_preset_can_still_be_looked_at(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", SampleReady("x", "y", 5, 1), Finished(5))
    (run.folder / "preset.json").write_text(json.dumps([1]), encoding="utf-8")
    assert run.preset is None
    assert run.summary.title == "run"
    assert settings_between(run, run) == []


def test_records_of_nothing_are_empty(tmp_path: Path) -> None:
    records = EventLog(tmp_path / "events.jsonl")
    assert not records.update()
    assert records.losses == []


def test_the_list_says_why_a_run_failed(tmp_path: Path) -> None:
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    from app.gui.run.run_list import ROOM, option_note
    from app.gui.session.run_history import Summary

    now = time.time()
    failed = Summary("a", "failed", 40, 600, now, "The card is full. Halve the batch.\nOr else.", "The card is full.")
    assert option_note(failed) == "failed just now: The card is full."
    assert len(option_note(Summary("a", "failed", 40, 600, now, "w" * 250, "w" * 250))) == ROOM
    assert option_note(Summary("a", "finished", 600, 600, now)) == "finished at step 600, just now"


def validated(step: int, best_step: int) -> Validated:
    mean = 1 / (step + 1)
    return Validated(step, mean, 0.01, 4, {"robot": mean}, [(0.5, mean)], best_step == step, best_step, 0.2)


def test_validations_are_kept_and_forgotten_as_losses_are(tmp_path: Path) -> None:
    events = [Started("x", 600, 3, 200), *(validated(step, 4) for step in (0, 4, 8)), Started("x", 600, 3, 200, 4)]
    records = run_of(tmp_path / "run", *events, validated(6, 6)).records
    records.update()
    assert [event.step for event in records.validations] == [0, 4, 6]


def test_the_step_of_the_best_validation_is_in_the_line_of_a_run(tmp_path: Path) -> None:
    run = old(run_of(tmp_path / "run", Started("x", 600, 3, 200), validated(8, 4), Finished(600)))
    assert run.summary.best == 4
    assert summary_text(run.summary).startswith("finished at step 600, best at 4, ")
    assert ", best" not in summary_text(old(run_of(tmp_path / "other", Finished(600))).summary)
