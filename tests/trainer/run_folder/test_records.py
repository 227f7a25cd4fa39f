"""What a run leaves to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from modules.errors import UserError
from modules.messages import Event, Failed, Finished, Mailbox, Note, Progress, SampleReady, Stage, Started
from modules.sentences.problem import as_it_is
from modules.trainer.run_folder.records import EarlyEvents, Records
from modules.wire import decode, encode
from tests.trainer.runs import folder_of, run, values

SAMPLE = 'sampling.prompts=[{"prompt": "blip robot", "steps": 1, "width": 64, "height": 64}]'


def written(folder: Path) -> list[Any]:
    return [decode(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_event_of_a_run_is_written_down_in_its_order(tmp_path: Path) -> None:
    events = run(values(tmp_path, "training.steps=5", SAMPLE, "sampling.last=true"))
    folder = folder_of(events)
    told = [event for event in events if not (isinstance(event, Stage) and event.done)]
    assert list(map(encode, written(folder))) == list(map(encode, told))
    log = (folder / "log.txt").read_text(encoding="utf-8")
    for words in ("Opening the model", ": 5 steps in 1 epoch", "Sample at step 5", "Finished at step 5"):
        assert words in log


def test_a_second_part_of_a_run_is_written_behind_the_first(tmp_path: Path) -> None:
    first = run(values(tmp_path, "training.steps=2"))
    run(values(tmp_path, "training.steps=3"), resume="newest")
    ends = [event for event in written(folder_of(first)) if isinstance(event, Started | Finished)]
    assert [type(event) for event in ends] == [Started, Finished, Started, Finished]
    assert "continued from step 2" in (folder_of(first) / "log.txt").read_text(encoding="utf-8")


def test_tensorboard_reads_the_curves_the_pictures_and_the_preset(tmp_path: Path) -> None:
    settings = ("training.steps=5", SAMPLE, "sampling.last=true", "general.tensorboard=true")
    events = run(values(tmp_path, *settings, "training.text_encoder_1.train=true"))
    board = EventAccumulator(str(folder_of(events) / "tensorboard"))
    board.Reload()
    losses = [loss for event in events if isinstance(event, Progress) for _, loss in event.losses]
    curve = board.Scalars("loss/train")
    assert [point.step for point in curve] == [1, 2, 3, 4, 5]
    assert [point.value for point in curve] == pytest.approx(losses)
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert board.Scalars("loss/smooth")[-1].value == pytest.approx(last.smooth_loss)
    found = set(board.Tags()["scalars"])
    assert {
        "learning_rate/denoiser",
        "learning_rate/text_encoder_1",
        "gradient_norm",
        "speed/steps_per_second",
    } <= found
    assert board.Scalars("memory/main_gb")[-1].value > 0.1
    (picture,) = board.Tags()["images"]
    assert "blip robot" in picture
    (text,) = board.Tags()["tensors"]
    stored = board.Tensors(text)[0].tensor_proto.string_val[0].decode()
    assert json.loads(stored)["training"]["steps"] == 5


@pytest.mark.parametrize(
    ("error", "message", "details"),
    [(UserError(as_it_is("No.", "Do this.")), "No. Do this.", ""), (ValueError("x"), "ValueError: x", "Traceback")],
    ids=["mistake", "fault"],
)
def test_an_error_stands_in_the_log_with_all_that_is_known(error, message, details, tmp_path: Path) -> None:
    events: Mailbox[Event] = Mailbox()
    with pytest.raises(type(error)), Records(tmp_path, events, tensorboard=False):
        raise error
    (failed,) = written(tmp_path)
    assert isinstance(failed, Failed)
    assert failed.message == message
    assert details in failed.details
    assert bool(failed.details) == bool(details)
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert f"Failed: {message}" in log
    assert details in log
    assert not list(events.drain())  # the session tells those who listen


def test_what_was_told_before_there_was_a_folder_is_written_down_and_told_once(tmp_path: Path) -> None:
    events: Mailbox[Event] = Mailbox()
    early = EarlyEvents(events)
    for event in (Note("early", "warning"), Stage("Encoding", 1, 2), Stage("Encoding", 2, 2)):
        early.tell(event)
    with Records(tmp_path, events, tensorboard=False) as records:
        early.write_to(records)
        records.tell(Note("late"))
    assert [getattr(event, "text", "stage") for event in events.drain()] == ["early", "stage", "stage", "late"]
    assert written(tmp_path) == [Note("early", "warning"), Note("late")]
    assert "Warning: early" in (tmp_path / "log.txt").read_text(encoding="utf-8")


def test_a_stage_that_is_told_twice_is_one_line_of_the_log(tmp_path: Path) -> None:
    scan = Stage("stage.scanning-images")
    with Records(tmp_path, Mailbox(), tensorboard=False) as records:
        for event in (scan, scan, Note("a bad image"), scan):
            records.tell(event)
    assert (tmp_path / "log.txt").read_text(encoding="utf-8").count("Scanning the images") == 2


def test_progress_fills_no_log_but_its_end_stands_there(tmp_path: Path) -> None:
    events: Mailbox[Event] = Mailbox()
    with Records(tmp_path, events, tensorboard=False) as records:
        for step in range(1, 101):
            records.tell(Progress(step, 100, 0, 1, [[step, 0.5]], 0.5))
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[-1].endswith("step 100 of 100, loss 0.5000")
    assert len(written(tmp_path)) == 100


def test_a_picture_with_a_strange_prompt_is_no_trouble(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with Records(tmp_path, Mailbox(), tensorboard=True) as records:
        records.tell(SampleReady(str(tmp_path / "a.png"), "a/b\n<ü> 猫" * 20, 3, 1))
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert len(board.Tags()["images"]) == 1
