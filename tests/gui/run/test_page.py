"""The page "Live run" and what hangs on it: charts, samples, log, old runs, a prompt of the moment."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.run.run_source import LiveRun, SampleImage, by_prompt
from modules.messages import Failed, Finished, SampleNow, SampleReady, Validated, note
from modules.sentences.problem import problem
from modules.wire import encode
from tests.gui.person import Person
from tests.gui.run.a_run import PROMPTS, STEPS, draw, events_of, leave

Pump = Callable[..., None]


@pytest.fixture
def seat(context: AppContext, root: Any, tmp_path: Path) -> Iterator[AppContext]:
    """A context with pictures and a workspace of its own."""
    from app.gui.kit import Pictures

    context.draft.put("general.workspace", str(tmp_path / "workspace"))
    context.pictures = Pictures(root, tmp_path / "thumbs")
    yield context
    context.pictures.close()


@pytest.fixture
def page(seat: AppContext, root: Any, pump: Pump) -> Iterator[Any]:
    from app.gui.run.page import RunPage

    made = RunPage(root, seat)
    made.pack(fill="both", expand=True)
    for _ in made.build():
        root.update()
    made.shown()
    pump()
    yield made
    made.destroy()


def live(context: AppContext, folder: Path, **options: Any) -> None:
    events = events_of(folder, **options)
    draw(events)
    context.running.begin("train")
    for event in events:
        context.running.take(event)


def test_without_a_run_it_says_so_and_offers_to_start(page: Any, seat: AppContext) -> None:
    pressed: list[str] = []
    page.empty.button.on_press(lambda: pressed.append("start"))
    page.empty.button.press()
    assert page.empty.winfo_viewable() and pressed == ["start"]
    assert page.sample.reason and page.folder.reason


def test_a_window_that_was_just_opened_shows_the_last_run(
    seat: AppContext, root: Any, person: Person, tmp_path: Path
) -> None:
    from app.gui.run.page import RunPage

    folder = leave(tmp_path / "workspace" / "Robot LoRA 3")
    lines = (folder / "events.jsonl").read_text().splitlines()
    (folder / "events.jsonl").write_text("\n".join([*lines[:-1], encode(Finished(131, stopped=True))]) + "\n")
    (folder / "models").mkdir()
    (folder / "models" / "Robot LoRA 3.safetensors").write_bytes(b"")
    seat.window_state.put("run", str(folder))
    page = RunPage(root, seat)
    page.pack(fill="both", expand=True)
    for _ in page.build():
        root.update()
    person.pump(lambda: person.sees("Robot LoRA 3 \u00b7 stopped at 131 of 200 when the window closed"))
    person.pump(lambda: len(page.losses.chart.curves[0]) == STEPS and page.gallery.table.rows == PROMPTS)
    assert person.sees("Continue")
    went: list[tuple[str, str]] = []
    seat.go = lambda page, path="": went.append((page, path))
    person.click("Try this model")
    assert went == [("tools", str(folder / "models" / "Robot LoRA 3.safetensors"))]
    live(seat, tmp_path / "workspace" / "next")
    person.pump(lambda: page.source is page.live)
    page.destroy()


def test_a_run_under_way_fills_chart_samples_log_and_status(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "workspace" / "one")
    pump(lambda: page.main.winfo_viewable() and len(page.losses.chart.curves[0]) == STEPS)
    assert list(page.losses.chart.curves[0].xs)[:3] == [1.0, 2.0, 3.0]
    assert page.gallery.table.rows == PROMPTS and page.gallery.table.columns == 3
    assert page.position.cget("text") == "3 of 3"
    assert "No caption: x.png" in page.log.view.content()
    assert f"Backup at step {STEPS}" in page.status.events.cget("text")
    assert f"step {STEPS}" in page.status.status_label.cget("text")
    assert not page.sample.reason


def test_validations_have_a_chart_of_their_own_by_concept(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(page.main.winfo_viewable)
    assert not page.losses.which.winfo_manager()
    for step in (0, 100, 200):
        by_concept = {"robots": 0.5 - step / 1000, "blueprints": 0.7}
        mean = sum(by_concept.values()) / 2
        seat.running.take(Validated(step, mean, 0.01, 4, by_concept, [(0.5, mean)], step != 200, 100, 0.55))
    pump(lambda: page.losses.validation.begun)
    assert page.losses.which.winfo_manager()
    person.click("Validation")
    pump(page.losses.validation.winfo_viewable)
    assert [(curve.name, len(curve)) for curve in page.losses.validation.curves] == [
        ("all", 3), ("robots", 3), ("blueprints", 3),
    ]  # fmt: skip
    assert page.losses.best.cget("text") == "Best: 0.5500 at step 100"
    assert page.losses.rate_switch.reason
    assert "the best is 0.55000 of step 100" in page.log.view.content()


def test_the_learning_rate_and_all_of_the_curve_can_be_shown(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(lambda: len(page.losses.chart.curves[0]) == STEPS)
    rate = page.losses.chart.curves[1]
    assert not rate.visible and len(rate) > 0
    page.losses.rate_switch.turn()
    assert rate.visible
    page.losses.chart.view(10, 50)
    pump(page.losses.reset.winfo_manager)
    page.losses.reset.press()
    assert not page.losses.chart.zoomed and not page.losses.reset.winfo_manager()


def test_the_slider_and_the_arrows_walk_through_the_steps(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(page.gallery.table.winfo_viewable)
    page.gallery.table.focus_force()
    page.gallery.table.event_generate("<Left>")
    pump(lambda: page.pictures.shot.step == 100)
    page.gallery.table.event_generate("<Down>")
    pump(lambda: page.pictures.shot.prompt == PROMPTS[1])
    assert page.pictures.slider.get() == 1
    page.pictures.slider.focus_force()
    page.pictures.slider.event_generate("<End>")
    pump()
    assert page.pictures.shot.step == 200


def test_the_newest_step_stays_in_view_until_the_slider_is_moved_back(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(lambda: page.pictures.position == "3 of 3")
    path = tmp_path / "one" / "samples" / "000300 - 1 - a red robot.png"
    more = SampleReady(str(path), PROMPTS[0], 300, 1)
    draw([more])
    seat.running.take(more)
    pump(lambda: page.pictures.position == "4 of 4")
    page.pictures.slider.focus_force()
    for key in ("<Home>", "<Right>"):
        page.pictures.slider.event_generate(key)
    pump(lambda: page.pictures.position == "2 of 4")
    last = SampleReady(str(path.with_name("000400 - 1 - a red robot.png")), PROMPTS[0], 400, 1)
    draw([last])
    seat.running.take(last)
    pump(lambda: page.pictures.position == "2 of 5")


def test_return_enlarges_a_sample_and_arrows_go_on(page: Any, seat: AppContext, pump: Pump, tmp_path: Path) -> None:
    from app.gui.run.image_viewer import ImageViewer

    live(seat, tmp_path / "one")
    pump(page.gallery.table.winfo_viewable)
    page.gallery.table.focus_force()
    page.gallery.table.event_generate("<Return>")
    pump(lambda: [child for child in page.winfo_toplevel().winfo_children() if isinstance(child, ImageViewer)])
    (dialog,) = [child for child in page.winfo_toplevel().winfo_children() if isinstance(child, ImageViewer)]
    pump(dialog.winfo_viewable)
    assert dialog.words.cget("text") == PROMPTS[0] and dialog.shot.step == 200
    dialog.go(-1, 0)
    dialog.go(0, 1)
    assert (dialog.shot.step, dialog.shot.prompt) == (100, PROMPTS[1])
    dialog.close(None)


def test_the_log_filters_and_copies(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path, root: Any
) -> None:
    live(seat, tmp_path / "one")
    seat.running.take(Failed("The disk is full."))
    pump(lambda: "The disk is full." in page.log.view.content())
    page.log.copy.press()
    assert "The disk is full." in root.pasted()
    person.click("Errors")
    assert page.log.view.text.tag_cget("warning", "elide") == "1"
    pump(lambda: "The disk is full." in page.status.status_label.cget("text"))


def test_an_old_run_is_opened_and_the_live_one_comes_back(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    folder = leave(tmp_path / "workspace" / "old")
    resumed: list[Path] = []
    seat.resume = resumed.append
    page.shown()
    pump(lambda: page.runs.found)
    assert [option.label for option in page.runs.options()] == ["old"]
    person.click("old")
    person.click("This window's run")
    assert page.source is page.live
    person.click("This window's run")
    person.click("old")
    pump(lambda: len(page.losses.chart.curves[0]) == STEPS and "No caption" in page.log.view.content())
    assert page.gallery.table.rows == PROMPTS
    page.resume.press()
    assert resumed == [folder]
    backup, aside = next((folder / "backups").iterdir()), tmp_path / "aside"
    backup.rename(aside)
    pump(lambda: not page.resume.winfo_viewable())
    aside.rename(backup)  # as an engine does that outlives its window
    pump(page.resume.winfo_viewable)
    live(seat, tmp_path / "workspace" / "new")
    pump(lambda: page.source is page.live and page.main.winfo_viewable())


def test_two_runs_are_compared(page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path) -> None:
    leave(tmp_path / "workspace" / "one")
    other = leave(tmp_path / "workspace" / "other", 100, batch_size=7)
    page.shown()
    pump(lambda: len(page.runs.found) == 2)
    person.click("other")
    person.click("one")
    page.compare(str(other))
    shown = page.comparison
    pump(lambda: len(shown.losses.chart.curves[0]) == STEPS and len(shown.losses.chart.curves[1]) == 100)
    assert shown.settings.title.cget("text") == "1 setting differs"
    assert shown.views[1][0].cget("text") == "other, step 100"
    shown.show_pair(0)
    assert shown.views[0][0].cget("text") == "one, step 0"
    person.click("one and other")
    person.click("This window's run")
    assert page.comparison is None and not shown.winfo_exists()


def test_a_continued_run_shows_what_came_before(seat: AppContext, tmp_path: Path) -> None:
    folder = leave(tmp_path / "workspace" / "one")
    seat.running.begin("train")
    source = LiveRun(seat.running)
    for event in events_of(folder, 300, resumed_from=100):
        seat.running.take(event)
    while source.update():
        pass
    assert [int(step) for step, _ in source.losses] == list(range(1, 301))
    assert [shot.step for shot in by_prompt(source.shots)[1, ""]] == [0, 100, 200, 300]


def test_a_run_that_goes_on_with_less_memory_is_no_new_run(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    folder, other = leave(tmp_path / "workspace" / "one", 120), leave(tmp_path / "workspace" / "other", 100)
    live(seat, folder, steps=120)
    pump(lambda: page.source is page.live)
    page.shown()
    pump(lambda: len(page.runs.found) == 2)
    person.click("This window's run")
    person.click("other")
    how = [problem("plan.held", held="int8")]
    seat.running.take(note(problem("plan.next", step=120, how=how), level="warning"))
    for event in events_of(folder, 300, resumed_from=100):
        seat.running.take(event)
    pump(lambda: page.live.losses and page.live.losses[-1][0] == 300)
    assert page.source.folder == other, "who looks at another run is left in peace"
    person.click("other")
    person.click("This window's run")
    pump(lambda: len(page.losses.chart.curves[0]) == 300)
    assert [int(step) for step, _ in page.live.losses] == list(range(1, 301))
    assert [shot.step for shot in by_prompt(page.live.shots)[1, ""]] == [0, 100, 200, 300]
    assert "goes on in another way, which takes less: int8" in page.status.events.cget("text")


def test_a_prompt_of_the_moment_is_judged_and_sent(
    seat: AppContext, engine: Any, page: Any, person: Person, pump: Pump
) -> None:
    from app.gui.run.sample_now import SampleNowDialog

    seat.running.begin("train")
    said: list[str] = []
    seat.notify = lambda text, *_: said.append(text)
    dialog = SampleNowDialog(page, seat)
    pump(dialog.winfo_viewable)
    form = dialog.form
    form.controls["prompt"].set("a blue robot\n")
    form.unfold()
    form.controls["steps"].set("none")
    form.controls["width"].set("13")
    dialog.buttons[-1].press()
    assert dialog.winfo_exists() and person.finds("Must be a whole number") and person.finds("Set it to 8 or 16.")
    form.controls["width"].set("")
    form.controls["steps"].set("0")
    dialog.buttons[-1].press()
    assert person.finds("0 is out of range")
    form.controls["steps"].set("12")
    strength = dialog.strength_row.control
    strength.set("much")
    dialog.buttons[-1].press()
    assert dialog.winfo_exists() and person.finds("Must be a number from -10 to 10")
    strength.set("0,5")
    form.controls["prompt"].focus_set()
    person.press("<Control-Return>")
    assert not dialog.winfo_exists() and len(said) == 1
    (sent,) = engine.sent
    assert isinstance(sent, SampleNow) and sent.prompt is not None and sent.strength == 0.5
    assert (sent.prompt["prompt"], sent.prompt["steps"], sent.prompt["width"]) == ("a blue robot", 12, 0)
    SampleNowDialog.asked_last = None


def test_nothing_listens_any_more_when_the_page_is_gone(seat: AppContext, root: Any, pump: Pump) -> None:
    from app.gui.run.page import RunPage

    before = len(seat.running._listeners)
    made = RunPage(root, seat)
    for _ in made.build():
        pump()
    made.destroy()
    assert len(seat.running._listeners) == before
    seat.running.take(Finished(3))
    pump()


def test_without_prompts_of_the_preset_samples_that_were_asked_for_begin_at_the_left(page: Any, tmp_path: Path) -> None:
    asked = [SampleImage(tmp_path / f"{step}.png", step, 0, words) for step, words in ((5, "a"), (9, "a"), (9, "b"))]
    page.gallery.show(asked)
    rows = [[page.gallery.shot_at(row, column) for column in range(page.gallery.table.columns)] for row in (0, 1)]
    assert rows == [asked[:2], [asked[2], None]]


def test_a_sample_that_was_asked_for_is_shown_and_makes_no_hole_in_the_other_rows(
    page: Any, seat: AppContext, tmp_path: Path, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "workspace" / "robot"
    live(seat, folder)
    pump(lambda: page.pictures.shot is not None)
    assert page.pictures.shot.prompt == PROMPTS[0]
    asked = SampleReady(str(folder / "samples" / "now.png"), "a robot in the snow", 150, 0)
    later = SampleReady(str(folder / "samples" / "later.png"), PROMPTS[0], 300, 1)
    draw([asked, later])
    seat.running.take(asked)
    pump(lambda: page.pictures.shot.prompt == "a robot in the snow")
    assert page.gallery.table.columns == 3, "no column of its own"
    assert [page.gallery.shot_at(2, column) is not None for column in range(3)] == [False, False, True]
    monkeypatch.setattr("app.gui.run.before_after.ASKED_SECONDS", -1)
    seat.running.take(later)
    pump(lambda: page.pictures.shot.step == 300)
    assert page.pictures.shot.prompt == PROMPTS[0], "the prompt that was watched before"
