"""The window around a run: the look before it, what hinders it, and the ways back after a failure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modules.messages import (
    CheckPreset,
    Continue,
    Continued,
    Failed,
    Finding,
    Finished,
    Fix,
    ModelSaved,
    Paused,
    Progress,
    Stage,
    Started,
    Stop,
    Train,
)  # fmt: skip
from tests.gui.contexts import run_folder, sent
from tests.gui.shell.test_window import all_words, context, dialog, heard, settle, window, words_in

Pump = Callable[..., None]
__all__ = ["context", "window"]

HURTS = Finding("test.long", "warning", title="9 captions are too long.")


def test_one_click_looks_and_then_trains(window: Any, pump: Pump) -> None:
    window.context.window_state.put("check_first", True)
    front = window.pages.front
    window.bar.start.press()
    heard(window, pump, Stage("stage.check-images", 3, 16))
    assert window.bar.words.cget("text") == "Checking before the start: Reading image files: 3 of 16"
    assert window.bar.start.text == "Stop"
    heard(window, pump, Finished())
    pump(lambda: len(sent(window.context)) == 2)
    assert [type(command) for command in sent(window.context)] == [CheckPreset, Train]
    assert window.pages.front is front
    heard(window, pump, Started("/runs/a", 600, 10, 60))
    assert window.bar.start.text == "Stop training"


def test_what_will_hurt_comes_to_the_front_and_the_button_says_anyway(window: Any, pump: Pump) -> None:
    window.context.window_state.put("check_first", True)
    window.bar.start.press()
    heard(window, pump, HURTS, Finished())
    pump(lambda: window.pages.front.card.key == "check" and window.bar.start.text == "Start anyway")
    page = window.pages.front.page
    pump(lambda: page.start.text == "Start training anyway")
    assert window.bar.words.cget("text") == "Checked: 1 warning"
    page.start.press()
    assert [type(command) for command in sent(window.context)] == [CheckPreset, Train]


def test_stop_ends_a_look_and_nothing_starts(window: Any, pump: Pump) -> None:
    window.context.window_state.put("check_first", True)
    window.bar.calm_s = 0.0
    window.bar.start.press()
    window.bar.start.press()
    heard(window, pump, Finished(stopped=True))
    settle(pump, window.app)
    assert sent(window.context)[1:] == [Stop(now=True)]
    assert window.bar.start.text == "Start training"


def test_a_window_that_only_looks_closes_without_a_question(window: Any, pump: Pump) -> None:
    window.context.window_state.put("check_first", True)
    window.start()
    window.close()
    assert dialog(window) is None and window.context.engine.closed


def test_the_keys_that_start_lead_to_what_keeps_it_from_starting(window: Any, pump: Pump) -> None:
    window.context.window_state.put("check_first", True)
    window.start()
    heard(window, pump, Finding("test.taken", "error", title="The file is there already."), Finished())
    pump(lambda: window.pages.front.card.key == "check" and not window.bar.start.enabled)
    assert window.bar.start.reason == "The file is there already."
    window.go("general")
    window.start()
    assert window.pages.front.card.key == "check"
    assert len(sent(window.context)) == 1


def test_a_run_that_waits_for_room_says_why_and_can_be_asked_to_look_again(window: Any, pump: Pump) -> None:
    from app.gui.kit import Toast, theme

    window.context.running.begin("train")
    full = "The disk is full: 3 MB free, a backup needs 40 MB."
    heard(window, pump, Started("/runs/a", 600, 10, 60), Progress(10, 600, 0, 10), Paused(10, full))
    assert window.bar.words.cget("text") == f"Paused: {full}"
    assert window.bar.words.cget("fg") == theme.colour("changed")
    assert Toast.now is not None and full in Toast.now.words.cget("text")
    assert ("warning", f"Paused at step 10: {full}") in [(line.level, line.text) for line in window.context.running.log]
    Toast.now.close()
    heard(window, pump, Paused(10, full))
    assert Toast.now is None, "each reason is said once"
    window.bar.again.press()
    assert sent(window.context) == [Continue()]
    heard(window, pump, Continued(10))
    assert not window.bar.again.winfo_manager()
    assert window.bar.words.cget("text").startswith("Epoch")


def test_filling_the_cache_waits_for_room_too(window: Any, pump: Pump) -> None:
    window.context.running.begin("train")
    heard(window, pump, Stage("stage.encoding-images", 3, 16), Paused(0, "The disk is full."))
    assert window.bar.words.cget("text") == "Paused: The disk is full."
    window.bar.again.press()
    assert sent(window.context) == [Continue()]
    heard(window, pump, Continued(0))
    assert window.context.running.state == "preparing"


def test_a_failure_offers_what_would_help(window: Any, pump: Pump, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "Robot LoRA", step=12, end="")
    window.context.running.begin("train")
    mend = Fix("Halve the batch", {"training.batch_size": 2, "training.accumulation": 2})
    heard(
        window, pump, Started(str(folder), 600, 10, 60), Progress(47, 600, 0, 10), Failed("Memory is full.", "", [mend])
    )
    shown = dialog(window)
    assert "reached step 47: 35 steps are repeated" in words_in(shown)
    [button] = [child for child in shown.body.winfo_children() if getattr(child, "text", "") == "Halve the batch"]
    button.press()
    assert dialog(window) is None
    assert window.context.draft.get("training.batch_size") == 2
    window.context.draft.undo()
    assert window.context.draft.get("training.batch_size") != 2
    assert window.context.draft.get("training.accumulation") != 2
    assert sent(window.context) == []


def test_a_lora_that_was_just_made_can_be_tried(window: Any, pump: Pump, tmp_path: Path) -> None:
    from app.gui.kit import LinkButton, Toast

    made = tmp_path / "Robot LoRA.safetensors"
    window.context.running.begin("train")
    heard(window, pump, Started(str(tmp_path), 600, 10, 60), ModelSaved(str(made), 600), Finished(600))
    assert Toast.now is not None
    *_, link = [child for child in Toast.now.winfo_children() if isinstance(child, LinkButton)]
    assert link.cget("text") == "Try this model"
    link.press()
    pump(lambda: window.pages.front.card.key == "tools" and window.pages.front.whole)
    images = window.pages.front.page.cards[0]
    assert images.form.fields["loras"].read() == [str(made)]
    window.context.go("tools", str(made))
    assert images.form.fields["loras"].read() == [str(made)]


def test_before_it_is_continued_it_says_what_is_done_again(window: Any, pump: Pump, tmp_path: Path) -> None:
    run_folder(tmp_path, "Robot LoRA", step=300, end="stopped", reached=347)
    window.start()
    assert "reached step 347: 47 steps are repeated" in all_words(dialog(window))
