"""What a job shows: lines for logs, a bar for terminals, JSON for programs."""

import io
import os
import subprocess

import pytest

from app import terminal
from app.terminal import JsonLines, LogLines, ProgressBar, progress_words
from modules.messages import Finished, ModelSaved, Note, Progress, SampleReady, Stage
from modules.system.runtime import python_command
from modules.wire import decode, encode

HALF = Progress(50, 100, 2, 4, [[50, 0.3]], 0.25, {"denoiser": 1e-4}, 2.0, 200.0, 3 * 2**29, 0)


def test_progress_in_words() -> None:
    assert progress_words(HALF) == "loss 0.2500, 2.00 it/s, 3 min 20 s left, 1.5 GB"
    slow = Progress(1, 100, 1, 4, [], 0.5, {}, 0.25, 7500.0, 0, 8 * 2**30)
    assert progress_words(slow) == "loss 0.5000, 4.0 s/it, 2 h 05 min left, 8.0 GB on the card"
    assert progress_words(Progress(0, 100, 1, 4)) == "loss 0.0000"


def test_a_log_is_told_of_progress_only_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock)
    out = io.StringIO()
    lines = LogLines(out)
    told: list[float] = []
    for second in range(0, 1000):
        clock = float(second)
        before = len(out.getvalue())
        lines.show(Progress(second, 100_000, 1, 1))
        if len(out.getvalue()) > before:
            told.append(clock)
    assert len(told) == 17  # the first, then one a minute: a percent of the work each
    lines.show(Progress(100_000, 100_000, 1, 1))
    assert "step 100,000 of 100,000" in out.getvalue().splitlines()[-1]


def test_a_log_hears_of_a_short_run_too_and_samples_on_the_way_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock)
    out = io.StringIO()
    lines = LogLines(out)
    for second in range(60):
        clock = float(second)
        if second % 5 == 0:
            lines.show(Stage("stage.samples", 0, 80))
            lines.show(Stage("stage.samples", 80, 80))
        lines.show(Progress(second, 60, 1, 1))
    told = [line for line in out.getvalue().splitlines() if " step " in line]
    assert len(told) == 6


def test_a_log_names_a_stage_once() -> None:
    out = io.StringIO()
    lines = LogLines(out)
    for done in range(5):
        lines.show(Stage("stage.encoding-images", done, 100))
    lines.show(SampleReady("a.png", "cat", 0, 1))
    texts = [line.partition(" ")[2] for line in out.getvalue().splitlines()]
    assert texts[0] == "Encoding images"
    assert texts[-1] == "Sample at step 0: a.png"
    assert len(texts) <= 3


def test_sentences_stand_above_the_bar_and_the_bar_is_gone_at_the_end() -> None:
    out = io.StringIO()
    bar = ProgressBar(out)
    bar.show(Note("before"))
    bar.show(Stage("Loading"))
    bar.show(HALF)
    bar.show(ModelSaved("cat.safetensors", 50))
    bar.close()
    text = out.getvalue()
    assert text.startswith("before\n")
    assert "Loading ..." in text
    assert "50%" in text
    assert "50/100" in text
    assert "loss 0.2500" in text
    assert "Model at step 50: cat.safetensors\n" in text


def test_lines_of_json_can_be_read_back() -> None:
    read, write = os.pipe()
    with os.fdopen(read, encoding="utf-8") as pipe:
        shown = JsonLines(os.fdopen(write, "w", encoding="utf-8"))
        shown.show(HALF)
        shown.show(Note("grün\nzwei"))
        shown.close()
        lines = pipe.read().splitlines()
    assert [decode(line) for line in lines] == [HALF, Note("grün\nzwei")]


def test_what_libraries_print_stays_out_of_the_lines_of_json() -> None:
    code = (
        "import os; from app.terminal import display; from modules.messages import Note; d = display(True);"
        "print('noise', flush=True); os.write(1, b'noise'); d.show(Note('x')); d.close()"
    )
    done = subprocess.run(python_command("-c", code), capture_output=True, text=True, check=True)
    assert done.stdout == encode(Note("x")) + "\n"
    assert done.stderr == "noise\nnoise"


@pytest.mark.parametrize("display", [LogLines, ProgressBar])
def test_at_the_end_of_a_run_the_loss_is_said_and_whether_it_still_falls(display: type[LogLines | ProgressBar]) -> None:
    out = io.StringIO()
    lines = display(out)
    for step in range(0, 400, 20):
        losses = [[float(each), 1.0 - each / 800] for each in range(step + 1, step + 21)]
        lines.show(Progress(step + 20, 400, 1, 1, losses))
    lines.show(Finished(400))
    lines.close()
    trend = "still falling \u00b7 49.5 % (\u00b10.8) over 400 steps"
    assert f"Loss 0.7494 over the last 400 steps, {trend}" in out.getvalue()
    assert "Finished at step 400" in out.getvalue()


def test_a_run_too_short_for_a_trend_only_says_that_it_has_finished() -> None:
    out = io.StringIO()
    lines = LogLines(out)
    lines.show(Progress(2, 2, 1, 1, [[1.0, 0.5], [2.0, 0.4]]))
    lines.show(Finished(2))
    assert out.getvalue().splitlines()[-1].endswith(" Finished at step 2")
