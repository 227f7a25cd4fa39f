"""The window with its real pages, and an engine that only listens."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.session.engine_client import EngineDied, TakenOver
from modules.host.job_record import JobRecord
from modules.messages import (
    Failed,
    Finished,
    Note,
    Progress,
    Stage,
    Started,
    Stop,
    Train,
)
from modules.run_folders import LOCK
from modules.sentences.problem import problem
from modules.system.locks import Lock
from tests.gui.conftest import rest
from tests.gui.contexts import context_at, run_folder, sent
from tests.gui.person import Person, tip_of
from tests.gui.test_run_control import left_by

Pump = Callable[..., None]


@pytest.fixture
def context(root: Any, tmp_path: Path) -> AppContext:
    from app.gui.kit import Pictures

    context = context_at(tmp_path)
    context.app, context.pictures = root, Pictures(root, None)
    return context


@pytest.fixture
def window(context: AppContext, root: Any, pump: Pump, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from app.gui.shell.window import Window

    key_targets = root.on_error
    made = Window(context)
    root.on_error = key_targets
    monkeypatch.setattr(root, "destroy", lambda: None)
    made.show()
    pump()
    yield made
    monkeypatch.undo()
    made.leave()


def dialog(window: Any) -> Any:
    from app.gui.kit import Dialog

    open_ = [child for child in window.app.winfo_children() if isinstance(child, Dialog)]
    return open_[-1] if open_ else None


def all_words(shown: Any) -> str:
    return " ".join([words_in(shown), *map(all_words, shown.winfo_children())])


def words_in(shown: Any) -> str:
    from app.gui.kit import Label

    return " ".join(str(child.cget("text")) for child in shown.winfo_children() if isinstance(child, Label))


def settle(pump: Pump, root: Any) -> None:
    """Two ticks of the window: what is so now is on the screen."""
    rest(pump, root, 60)
    rest(pump, root, 60)


def badge(window: Any, page: str) -> str:
    """What the tip of a page in the navigation says."""
    return tip_of(window.navigation.list.rows[page])


def heard(window: Any, pump: Pump, *events: Any) -> None:
    for event in events:
        window.context.engine.inbox.put(event)
    window.app.after(1, lambda: None)
    pump(lambda: window.context.inbox.tick() or True)
    settle(pump, window.app)


def test_every_page_opens_and_is_kept(window: Any, pump: Pump) -> None:
    from app.gui.pages import PAGES

    for card in PAGES:
        window.go(card.key)
        pump(lambda: window.pages.front.whole)
        assert window.pages.front.page.winfo_ismapped(), card.key
        assert window.navigation.list.chosen == card.key
    pages = {key: sheet.page for key, sheet in window.pages.page_views.items()}
    for card in PAGES:
        window.go(card.key)
        assert window.pages.front.page is pages[card.key]
    window.toggle_theme()
    pump()


def test_changes_and_errors_are_counted_where_they_are(window: Any, pump: Pump) -> None:
    draft = window.context.draft
    draft.put("training.steps", 77)
    draft.type("training.batch_size", "0")
    draft.put("method.rank", 5)
    settle(pump, window.app)
    assert window.top.changed.cget("text") == "2 changed"
    assert badge(window, "training") == "1 to fix, 1 changed from the preset"
    assert badge(window, "method") == "1 changed from the preset"
    assert window.bar.problems.text == "1 problem"
    assert not window.bar.start.enabled


def test_f8_goes_to_the_problem_and_start_does_nothing_else(window: Any, pump: Pump) -> None:
    window.context.draft.type("training.batch_size", "0")
    window.app.event_generate("<F8>")
    pump(lambda: window.pages.front.card.key == "training")
    assert window.pages.front.whole
    window.go("general")
    window.start()
    assert window.pages.front.card.key == "training"
    assert sent(window.context) == []


def test_start_trains_and_the_bar_follows(window: Any, pump: Pump) -> None:
    window.bar.calm_s = 1e9  # on a slow machine, too, and on one that was just switched on
    window.bar.start.press()
    assert isinstance(sent(window.context)[0], Train)
    heard(window, pump, Stage("stage.reading-images", 3, 16))
    assert window.bar.words.cget("text") == "Reading images: 3 of 16"
    heard(
        window,
        pump,
        Started("/runs/a", 600, 10, 60),
        Progress(1840, 12040, 3, 20, [[1840, 0.1]], 0.0912, {}, 1.92, 5311),
    )
    assert window.bar.percent.cget("text").strip() == "15\u00a0%"
    assert window.bar.words.cget("text") == "Epoch 4 of 20, step 1,840 of 12,040"
    assert window.bar.left.cget("text") == "1:28:31 left"
    assert re.fullmatch(r" \u00b7 done (\w+ )?\d\d:\d\d {4}1\.92 it/s {4}loss 0\.0912", window.bar.right.cget("text"))
    assert window.bar.start.text == "Stop training"
    window.bar.start.press()
    assert sent(window.context)[1:] == []  # a double click on Start does not stop
    window.bar.calm_s = 0.0
    window.bar.start.press()
    settle(pump, window.app)
    assert window.bar.start.text == "Stop now"
    window.bar.start.press()
    assert sent(window.context)[1:] == [Stop(), Stop(now=True)]
    heard(window, pump, Finished(1840, stopped=True))
    assert window.bar.start.text == "Start training"
    assert window.bar.words.cget("text") == "Stopped at step 1,840"


def test_a_job_that_is_no_training_is_a_short_text_that_leads_to_its_page(window: Any, person: Person) -> None:
    bar = window.bar
    window.context.running.begin("sample")
    heard(window, person.pump, *(Stage("stage.making-images", done, 40) for done in (1, 2, 3)))
    assert bar.words.cget("text") == "Ready to train"
    assert person.sees("Making images: 3 of 40")
    assert bar.start.text == "Start training" and bar.start.reason
    window.app.event_generate("<Control-Return>")
    person.pump()
    assert sent(window.context) == [], "Ctrl+Return neither starts a run nor stops the job"
    person.click("Making images: 3 of 40")
    assert window.pages.front.card.key == "tools"
    heard(window, person.pump, Finished())
    assert not person.sees("Making images: 3 of 40") and not bar.start.reason


def test_the_runs_share_and_title_stay_while_samples_are_made_and_when_it_ends(window: Any, person: Person) -> None:
    pump, bar = person.pump, window.bar
    window.context.running.begin("train")
    heard(window, pump, Started("/runs/robot", 600, 10, 60), Stage("stage.samples", 10, 40))
    assert person.sees("Step 0 of 600") and not bar.beside.winfo_manager()
    heard(window, pump, Progress(150, 600, 3, 20, [[150, 0.1]], 0.1, {}, 2.0, 225))
    assert window.app.title() == "25\u00a0%, 3:45 left - robot"
    heard(window, pump, Stage("stage.samples", 38, 40))
    assert person.sees("step 150 of 600") and person.sees("95\u00a0%")
    assert bar.bar.share == 0.25 and bar.beside.share == 0.95 and bar.beside.winfo_manager()
    heard(window, pump, Finished(150, stopped=True))
    assert bar.bar.share == 0.25 and not bar.beside.winfo_manager() and not bar.percent.cget("text")
    assert window.app.title() in ("Stopped at step 150 - robot", "Seachange")  # as the window is looked at or not
    window.app.event_generate("<FocusIn>")
    settle(pump, window.app)
    assert window.app.title() == "Seachange"


def test_a_tool_leaves_what_is_said_of_the_run(window: Any, person: Person) -> None:
    pump, running = person.pump, window.context.running
    running.begin("train")
    heard(window, pump, Started("/runs/robot", 600, 10, 60), Finished(600))
    log = len(running.log)
    running.begin("convert")
    heard(window, pump, Note("Reading"), Failed("There is no model in this folder."))
    assert window.bar.words.cget("text") == "Finished at step 600"
    assert person.dialog() == ""
    assert len(running.log) == log
    window.go("run")
    pump(lambda: window.pages.front.whole)
    assert not person.sees("no model in this folder")


def test_a_stopped_run_goes_on_if_nothing_has_changed(window: Any, pump: Pump, tmp_path: Path) -> None:
    folder = left_by(window.context, tmp_path, "Robot LoRA", step=12, end="stopped")
    window.start()
    asked = dialog(window)
    assert [button.text for button in asked.buttons] == ["Cancel", "Start a new run", "Continue at step 12"]
    assert "Settings and images are the same." in all_words(asked)
    asked.close(None)
    assert sent(window.context) == []
    window.start()
    dialog(window).buttons[-1].press()
    [train] = sent(window.context)
    assert train.resume == str(folder)


def test_with_other_settings_return_starts_anew_and_a_card_continues(window: Any, pump: Pump, tmp_path: Path) -> None:
    folder = left_by(window.context, tmp_path, "Robot LoRA", step=12, end="stopped")
    window.context.draft.put("training.learning_rate", 5e-5)
    window.start()
    asked = dialog(window)
    words = all_words(asked)
    assert "1 setting differs from that run." in words and "0.00005" in words
    assert asked.buttons[-1].text == "Start a new run"
    asked.cards.pick("own")
    assert asked.buttons[-1].text == "Continue at step 12"
    asked.buttons[-1].press()
    [train] = sent(window.context)
    assert (train.resume, train.preset["training"]["learning_rate"]) == (str(folder), 5e-4)


def test_a_finished_run_asks_how_many_steps_more(window: Any, pump: Pump, tmp_path: Path) -> None:
    folder = left_by(window.context, tmp_path, "Robot LoRA", step=600, end="finished")
    window.start()
    asked = dialog(window)
    assert "“Robot LoRA” is finished: 600 of 600 steps" in all_words(asked)
    asked.cards.pick("current")
    entry = asked.steps["current"].inner
    entry.delete(0, "end")
    entry.insert(0, "no")
    asked.buttons[-1].press()
    assert sent(window.context) == []
    entry.delete(0, "end")
    entry.insert(0, "480")
    asked.buttons[-1].press()
    [train] = sent(window.context)
    assert (train.resume, train.preset["training"]["steps"]) == (str(folder), 1080)


def test_a_training_elsewhere_is_asked_about(window: Any, pump: Pump, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "Other", step=12, end="")
    with Lock(folder / LOCK):
        window.start()
        asked = dialog(window)
        assert "“Other” is being trained by another Seachange." in words_in(asked)
        asked.buttons[1].press()  # cancel
        assert sent(window.context) == []
        window.start()
        dialog(window).buttons[0].press()
    [train] = sent(window.context)
    assert isinstance(train, Train)
    assert train.share_card


def test_a_run_that_is_to_begin_after_another_one_goes_into_the_queue(window: Any, pump: Pump, tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "Other", step=12, end="")
    with Lock(folder / LOCK):
        window.start()
        dialog(window).buttons[-1].press()
    assert sent(window.context) == []
    [entry] = window.context.jobs.entries
    assert (entry.title, window.context.jobs.on) == ("Robot LoRA", True)
    assert isinstance(entry.job, Train)
    assert not entry.job.share_card


def test_a_run_that_is_to_go_on_after_another_one_keeps_its_folder_and_settings(
    window: Any, pump: Pump, tmp_path: Path
) -> None:
    mine = left_by(window.context, tmp_path, "Robot LoRA", step=12, end="stopped")
    window.context.draft.put("training.learning_rate", 5e-5)
    with Lock(run_folder(tmp_path, "Other", step=12, end="") / LOCK):
        window.starting.resume(mine)
        dialog(window).buttons[-1].press()
    assert sent(window.context) == []
    [entry] = window.context.jobs.entries
    assert isinstance(entry.job, Train)
    assert (entry.job.resume, entry.job.preset["training"]["learning_rate"]) == (str(mine), 5e-4)


def test_a_card_that_was_taken_meanwhile_is_asked_about(window: Any, pump: Pump) -> None:
    window.start()
    heard(window, pump, Failed("Taken.", problems=[problem("card.taken", run="My cat")]))
    asked = dialog(window)
    assert "“My cat” is being trained by another Seachange." in words_in(asked)
    asked.buttons[0].press()
    assert [command.share_card for command in sent(window.context)] == [False, True]


def test_a_run_of_the_queue_is_shown_and_one_that_fails_asks_nothing(window: Any, pump: Pump) -> None:
    window.start()  # the queue was faster: the host refuses this one
    heard(window, pump, TakenOver(JobRecord("train", queued=True)), Started("/runs/robot", 600, 10, 60))
    assert window.bar.start.text == "Stop training"
    heard(window, pump, Failed("The card is full.", "a traceback"))
    assert dialog(window) is None
    assert window.bar.start.text != "Stop training"
    assert [type(command) for command in sent(window.context)] == [Train]


@pytest.mark.parametrize(
    "event", [Failed("The card is full.", "a traceback"), EngineDied("It died.", "Exit code -9.", True)]
)
def test_a_failure_says_why_and_leads_back(window: Any, pump: Pump, tmp_path: Path, event: Any) -> None:
    folder = run_folder(tmp_path, "Robot LoRA", step=12, end="")
    window.context.running.begin("train")
    heard(window, pump, Started(str(folder), 600, 10, 60), event)
    shown = dialog(window)
    assert shown.buttons[-1].text == "Continue from backup step 12"
    shown.more.press()
    pump(lambda: shown.log is not None and shown.log.winfo_ismapped())
    assert event.details in shown.log.content()
    shown.more.press()
    assert event.details in window.app.pasted()
    shown.buttons[-1].press()
    [train] = sent(window.context)
    assert train.resume == str(folder)


def test_closing_while_it_trains_asks_and_waits_for_the_backup(window: Any, pump: Pump) -> None:
    window.context.running.begin("train")
    window.close()
    dialog(window).close(None)
    assert sent(window.context) == []
    window.close()
    dialog(window).buttons[-1].press()
    assert sent(window.context) == [Stop()]
    assert not window.context.engine.closed
    heard(window, pump, Finished(5, stopped=True))
    assert window.context.engine.closed


def test_closing_while_it_trains_may_leave_the_run_alone(window: Any, pump: Pump) -> None:
    window.context.engine.outlives = True
    window.context.running.begin("train")
    window.close()
    asked = dialog(window)
    assert [button.text for button in asked.buttons] == [
        "Cancel", "Stop with a backup and close", "Close and keep training",
    ]  # fmt: skip
    asked.buttons[0].press()
    assert not window.context.engine.left
    window.close()
    dialog(window).buttons[-1].press()
    assert window.context.engine.left
    assert not window.context.engine.closed
    assert sent(window.context) == []


def test_a_tool_of_an_earlier_window_is_shown_and_stopped_in_the_bar(window: Any, pump: Pump) -> None:
    window.context.engine.inbox.put(TakenOver(JobRecord("convert", [Stage("stage.writing-model", 1, 2)], [1.0])))
    pump(lambda: window.context.running.busy)
    assert window.bar.start.text == "Stop"
    window.stop()
    assert sent(window.context) == [Stop()]
    said: list[str] = []
    window.context.notify = lambda words, *_, **__: said.append(words)
    heard(window, pump, Finished())
    assert said == ["Convert a model: done"]


def test_the_cross_pressed_twice_asks_once(window: Any, pump: Pump) -> None:
    from app.gui.kit import Dialog

    window.context.running.begin("train")
    window.close()
    window.close()
    assert sum(isinstance(child, Dialog) for child in window.app.winfo_children()) == 1


def test_a_failure_while_closing_is_said_first(window: Any, pump: Pump) -> None:
    window.context.running.begin("train")
    window.job_results.close_after_stop()
    heard(window, pump, Failed("The disk is full."))
    assert not window.context.engine.closed
    dialog(window).close(None)
    window.close()
    assert window.context.engine.closed


def test_the_search_lies_over_the_page_and_escape_brings_it_back(window: Any, pump: Pump) -> None:
    window.go("model")
    window.app.event_generate("<Control-f>")
    window.top.search.set("")
    window.search("learning rate")
    pump(lambda: window.results.winfo_ismapped() and window.results.paths[:1] == ["training.learning_rate"])
    window.search("no such thing at all")
    assert window.results.paths == []
    window.app.event_generate("<Escape>")
    pump()
    assert window.pages.front.page.winfo_ismapped()
    assert window.navigation.list.chosen == "model"


def test_what_differs_can_be_listed(window: Any, person: Person) -> None:
    window.context.draft.put("training.steps", 77)
    window.show_changed()
    assert window.results.paths == ["training.steps"]
    person.click("Training", nth=1)  # beside the setting; the first one is in the navigation
    assert window.pages.front.card.key == "training"


def test_an_undo_shows_what_it_changed(window: Any, pump: Pump) -> None:
    window.context.draft.put("method.rank", 5)
    window.go("general")
    window.app.event_generate("<Control-z>")
    pump(lambda: window.pages.front.card.key == "method")
    assert not window.context.draft.changed("method.rank")
    window.app.event_generate("<Control-Z>")
    pump(lambda: window.context.draft.changed("method.rank"))


def test_the_pane_goes_where_there_is_no_room(window: Any, pump: Pump) -> None:
    window.go("training")
    pump(window.side.pane.winfo_ismapped)
    window.go("run")
    pump(lambda: not window.side.pane.winfo_ismapped())
    window.go("training")
    window.app.geometry("1000x700")
    pump(lambda: not window.side.pane.winfo_ismapped() and window.app.winfo_width() == 1000)
    window.app.geometry("1280x800")
    pump(window.side.pane.winfo_ismapped)
    window.toggle_pane()
    pump(lambda: not window.side.pane.winfo_ismapped())
    assert window.context.window_state.get("pane") is False


def test_a_page_that_is_no_form_remembers_its_own_pane(window: Any, pump: Pump) -> None:
    window.go("run")
    pump(lambda: not window.side.wanted)
    window.toggle_pane()
    pump(window.side.pane.winfo_ismapped)
    window.go("tools")
    pump(lambda: not window.side.pane.winfo_ismapped())
    window.go("training")
    window.toggle_pane()
    pump(lambda: not window.side.pane.winfo_ismapped())
    window.go("run")
    pump(window.side.pane.winfo_ismapped)
    assert window.context.window_state.get("panes") == ["run"]


def test_icons_of_the_run_bar_have_words_where_there_is_room(window: Any, pump: Pump, person: Person) -> None:
    pump(lambda: person.sees("Pause"))
    high = window.bar.winfo_height()
    window.app.geometry("1000x700")
    pump(lambda: window.app.winfo_width() == 1000 and not person.sees("Pause"))
    assert window.bar.winfo_height() == high
    window.app.geometry("1280x800")
    pump(lambda: person.sees("Pause"))
    window.context.running.state = "paused"
    window.bar.refresh()
    assert person.sees("Go on")


def test_larger_text_builds_everything_anew_on_the_same_page(window: Any, pump: Pump) -> None:
    from app.gui.kit import theme

    window.go("method")
    window.app.event_generate("<Control-plus>")
    before = window.frame
    pump(lambda: window.frame is not before)
    assert window.pages.front.card.key == "method"
    assert (theme.percent, window.context.window_state.get("text_size")) == (110, 110)
    pump(window.side.pane.winfo_ismapped)
    window.app.geometry("1100x700")
    pump(lambda: not window.side.pane.winfo_ismapped())


def test_keys_lead_to_pages(window: Any, pump: Pump) -> None:
    window.app.event_generate("<Control-Key-3>")
    pump(lambda: window.pages.front.card.key == "concepts")
    window.app.event_generate("<Control-l>")
    pump(lambda: window.context.window_state.get("theme") == "light")


def test_keys_lead_below_the_line_and_into_the_first_field(window: Any, person: Person) -> None:
    window.go("training")
    person.pump(lambda: window.pages.front.whole)
    window.app.event_generate("<Alt-Key-6>")
    person.pump(lambda: window.pages.front.card.key == "tools")
    window.app.event_generate("<Control-Key-4>")
    person.pump(lambda: window.pages.front.card.key == "training" and "trainingpage" in str(person.focused()))
    person.focused().delete(0, "end")
    person.focused().insert(0, "77")
    person.press("<Return>")
    assert window.context.draft.get("training.steps") == 77


@pytest.mark.parametrize("key", ["<Down>", "<Return>", "<Tab>"])
def test_the_first_result_of_a_search_is_one_key_away(window: Any, person: Person, key: str) -> None:
    person.type("Search all settings   Ctrl+F", "batch size", end=key)
    person.pump(lambda: window.results.paths[:1] == ["training.batch_size"])
    assert person.focused().winfo_class() == "Entry"
    assert person.focused().get() == "4"


def test_the_key_pressed_twice_does_not_stop_what_it_has_started(window: Any, person: Person) -> None:
    window.bar.calm_s = 0.0
    for _ in range(2):
        window.app.event_generate("<Control-Return>")
        person.pump()
    assert [type(each) for each in sent(window.context)] == [Train]
    heard(window, person.pump, Stage("stage.reading-images", 3, 16))
    window.app.event_generate("<Control-Return>")
    person.pump()
    assert sent(window.context)[1:] == [Stop()]


def test_with_large_text_every_page_can_be_reached(window: Any, person: Person) -> None:
    from app.gui.kit import theme

    before = window.frame
    theme.zoom(150)
    person.pump(lambda: window.frame is not before)
    window.app.geometry("1280x704")
    person.pump(lambda: window.app.winfo_height() == 704)
    assert "Tools" not in person.texts(window.navigation)
    person.click("Tools")
    assert window.pages.front.card.key == "tools"
    window.go("general")
    window.app.event_generate("<Alt-Key-6>")
    person.pump(lambda: "Tools" in person.texts(window.navigation))


def test_dropped_folders_become_concepts_and_files_are_opened(window: Any, pump: Pump, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    window.drop([folder])
    assert window.context.draft.get("concepts")[-1]["path"] == str(folder)
    assert window.pages.front.card.key == "concepts"
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    window.drop([broken])
    assert "cannot be opened" in dialog(window).title()


def test_what_is_edited_is_kept_without_being_asked(window: Any, pump: Pump) -> None:
    window.context.draft.put("training.steps", 77)
    window.persistence.save()
    assert '"steps": 77' in window.context.project.path.read_text()


def test_a_fault_of_the_window_is_said_once(window: Any, pump: Pump) -> None:
    error = ZeroDivisionError("of the test")
    window.report_fault(ZeroDivisionError, error, None)
    first = dialog(window)
    window.report_fault(ZeroDivisionError, error, None)
    assert dialog(window) is first


def test_the_welcome_and_the_help_can_be_read(window: Any, pump: Pump) -> None:
    from app.gui.shell.welcome import welcome

    window.help()
    pump(lambda: dialog(window).winfo_viewable())
    dialog(window).close(None)
    started: list[int] = []
    welcome(window.context, lambda: started.append(1)).buttons[-1].press()
    assert started == [1]


def test_pages_behind_follow_the_theme_when_they_are_shown_again(window: Any, pump: Pump) -> None:
    from app.gui.kit import theme

    for key in ("backup", "general"):
        window.go(key)
        pump(lambda: window.pages.front.whole)
    behind = window.pages.page_views["backup"]
    before = str(behind.line.cget("bg"))
    window.toggle_theme()
    assert str(window.pages.front.line.cget("bg")) == theme.colour("window") != before
    assert str(behind.line.cget("bg")) == before, "nobody sees it"
    window.go("backup")
    assert str(behind.line.cget("bg")) == theme.colour("window")
    window.toggle_theme()
    window.go("general")
    assert str(window.pages.front.line.cget("bg")) == theme.colour("window") == before
