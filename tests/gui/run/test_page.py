"""The page "Live run" and what hangs on it: charts, samples, log, old runs, a prompt of the moment."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.run.run_source import LiveRun, PastRun, SampleImage, by_prompt
from app.gui.session.run_history import Run
from modules.messages import Failed, Finished, ModelSaved, SampleNow, SampleReady, Stage, Started, Validated, note
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


def prompts_of(page: Any) -> tuple[str, ...]:
    return tuple(head.text for head in page.samples.gallery.table.heads.rows)


def steps_of(page: Any) -> tuple[str, ...]:
    return tuple(head.text for head in page.samples.gallery.table.heads.columns)


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
    person.pump(lambda: person.sees("Stopped at 131 of 200 when the window closed"))
    person.pump(lambda: len(page.losses.chart.curves[0]) == STEPS and prompts_of(page) == PROMPTS)
    assert person.sees("Continue")
    went: list[tuple[str, str]] = []
    seat.go = lambda page, path="": went.append((page, path))
    person.click("Try this model")
    assert went.pop() == ("tools", str(folder / "models" / "Robot LoRA 3.safetensors"))
    (folder / "models" / "Robot LoRA 3.safetensors").unlink()
    page.follow(PastRun(Run(folder)))
    person.click("Try this model")
    assert went.pop() == ("examine", f"{folder}@{STEPS}"), "a backup is drawn with in a grid"
    live(seat, tmp_path / "workspace" / "next")
    person.pump(lambda: page.source is page.live)
    page.destroy()


def test_a_run_under_way_fills_chart_samples_log_and_status(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "workspace" / "one")
    pump(lambda: page.main.winfo_viewable() and len(page.losses.chart.curves[0]) == STEPS)
    assert list(page.losses.chart.curves[0].xs)[:3] == [1.0, 2.0, 3.0]
    assert prompts_of(page) == PROMPTS and steps_of(page) == ("base", "100", "200")
    assert "No caption: x.png" in page.samples.log.view.content()
    person.pump(lambda: person.sees("200 of 200 steps"))
    for words in ("1:00 \u00b7 done", "2.00 it/s", "0.1000", "0.0001"):
        assert person.sees(words)
    assert not page.sample.reason


def words_under(chart: Any, step: float) -> str:
    """What the chart reads where the pointer is at a step."""
    chart.event_generate("<Motion>", x=chart.place_of(step)[0], y=60)
    return "\n".join(
        chart.itemcget(item, "text") for item in chart.find_withtag("pointer") if chart.type(item) == "text"
    )


def test_what_is_held_out_is_a_line_in_the_same_chart_and_the_pointer_reads_each_concept(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(page.main.winfo_viewable)
    for step in (0, 50, 100, 150, 200):
        by_concept = {"robots": 0.5 if step == 50 else 0.6, "blueprints": 0.7}
        mean = sum(by_concept.values()) / 2
        seat.running.take(Validated(step, mean, 0.01, 4, by_concept, [(0.5, mean)], step == 50, 50, 0.6))
    held_out = page.losses.chart.curves[1]
    pump(lambda: len(held_out) == 5)
    assert list(held_out.xs) == [0, 50, 100, 150, 200] and held_out.raw[1] == 0.6
    person.pump(lambda: person.sees("held out: no better since 50"))
    read = words_under(page.losses.chart, 50)
    assert "held out 0.6" in read and "robots 0.5" in read and "blueprints 0.7" in read
    assert "the best is 0.60000 of step 50" in page.samples.log.view.content()


def test_the_trend_is_said_in_words_and_its_tip_has_the_average(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(lambda: len(page.losses.chart.curves[0]) == STEPS)
    person.pump(lambda: person.sees("still falling"))
    average = sum(1 / step for step in range(1, STEPS + 1)) / STEPS
    assert f"Average over the last {STEPS} steps: {average:.4f}." in person.tip("still falling")


@pytest.fixture
def marked(page: Any, person: Person, tmp_path: Path) -> tuple[Any, Path, Path]:
    """The chart of an old run that was moved here, its folder and the model that it saved at step 100."""
    folder = leave(tmp_path / "workspace" / "old")
    (folder / "models").mkdir()
    model = folder / "models" / "old-000100.safetensors"
    model.write_bytes(b"model")
    lines = (folder / "events.jsonl").read_text().splitlines()
    lines.insert(-1, encode(ModelSaved("/elsewhere/models/old-000100.safetensors", 100)))
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    page.follow(PastRun(Run(folder)))
    chart = page.losses.chart
    person.pump(lambda: len(chart.curves[0]) == STEPS and len(chart.marks) == 5)
    person.pump(chart.winfo_viewable)
    return chart, folder, model


def click_mark(person: Person, chart: Any, step: int, words: str) -> None:
    """On the mark of a step, and then on these words of its menu."""
    place = dict(zip("xy", chart.place_of(step), strict=True))
    chart.event_generate("<ButtonPress-1>", **place)
    chart.event_generate("<ButtonRelease-1>", **place)
    person.pump(lambda: person.sees(words))
    person.click(words)


def test_marks_are_named_by_the_pointer(marked: tuple[Any, Path, Path], person: Person) -> None:
    chart = marked[0]
    assert [(mark.kind, mark.x) for mark in chart.marks] == [
        ("dot", 0), ("dot", 100), ("dot", 200), ("square", 200), ("star", 100),
    ]  # fmt: skip
    person.pump(lambda: "model saved at step 100" in words_under(chart, 100))
    assert "backup of step 200" in words_under(chart, 200)


def test_marks_are_reached_with_the_keyboard(marked: tuple[Any, Path, Path], person: Person, seat: AppContext) -> None:
    chart, folder, _ = marked
    went: list[Any] = []
    seat.resume = went.append
    keys = chart.tk_focusNext()
    assert keys.winfo_parent() == str(chart), "Tab goes from the chart to its marks"
    keys.focus_force()
    person.pump(lambda: person.sees("backup of step 200"))
    for key, words in (("Left", "model saved at step 100"), ("Left", "model saved"), ("Right", "backup of step 200")):
        keys.event_generate(f"<{key}>")
        person.pump(lambda words=words: person.sees(words))
    keys.event_generate("<Return>")
    person.pump(lambda: person.sees("Continue from here"))
    person.click("Continue from here")
    assert went == [folder]
    chart.focus_force()
    person.pump(lambda: not chart.find_withtag("pointer"))


def test_a_click_on_a_backup_or_a_star_opens_its_menu(
    marked: tuple[Any, Path, Path], person: Person, seat: AppContext, tmp_path: Path
) -> None:
    chart, folder, model = marked
    went: list[Any] = []
    seat.resume = went.append
    seat.go = lambda page, path="": went.append((page, path))
    click_mark(person, chart, 200, "Continue from here")
    click_mark(person, chart, 100, "Try this model")
    click_mark(person, chart, 100, "Grid around this step")
    assert went == [folder, ("tools", str(model)), ("examine", f"{folder}@100")]
    said: list[str] = []
    seat.notify = lambda text, *_: said.append(text)
    copy = tmp_path / "kept.safetensors"
    seat.app = SimpleNamespace(ask_save_file=lambda *_: copy)
    click_mark(person, chart, 100, "Keep a copy \u2026")
    person.pump(lambda: said)
    assert copy.read_bytes() == b"model"


def test_where_a_run_was_resumed_stands_in_the_chart_with_what_was_changed(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    from app.gui.run.charts import marks_of

    folder = leave(tmp_path / "workspace" / "one")
    changed = {"training.steps": [200, 300], "training.learning_rate": [1e-4, 5e-5]}
    events = [Started(str(folder), 300, 6, 50, 100, changed), *events_of(folder, 300, resumed_from=100)[1:]]
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write("".join(f"{encode(event)}\n" for event in events))
    source = PastRun(Run(folder))
    while source.update():
        pass
    (line,) = [mark for mark in marks_of(source) if mark.kind == "line"]
    assert (line.x, line.label) == (100, "resumed at 100 \u00b7 2 settings changed")
    assert "Learning rate" in line.words


def test_the_learning_rate_and_all_of_the_curve_can_be_shown(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(lambda: len(page.losses.chart.curves[0]) == STEPS)
    rate = page.losses.chart.curves[2]
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
    pump(page.samples.gallery.table.winfo_viewable)
    page.samples.gallery.table.focus_force()
    page.samples.gallery.table.event_generate("<Left>")
    pump(lambda: page.samples.pictures.shot.step == 100)
    page.samples.gallery.table.event_generate("<Down>")
    pump(lambda: page.samples.pictures.shot.prompt == PROMPTS[1])
    assert page.samples.pictures.slider.get() == 1
    page.samples.turn("compare")
    pump(page.samples.pictures.slider.winfo_viewable)
    page.samples.pictures.slider.focus_force()
    page.samples.pictures.slider.event_generate("<End>")
    pump()
    assert page.samples.pictures.shot.step == 200


def test_the_newest_step_stays_in_view_until_the_slider_is_moved_back(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    pump(lambda: page.samples.pictures.position == "3 of 3")
    path = tmp_path / "one" / "samples" / "000300 - 1 - a red robot.png"
    more = SampleReady(str(path), PROMPTS[0], 300, 1)
    draw([more])
    seat.running.take(more)
    pump(lambda: page.samples.pictures.position == "4 of 4")
    page.samples.turn("compare")
    pump(page.samples.pictures.slider.winfo_viewable)
    page.samples.pictures.slider.focus_force()
    for key in ("<Home>", "<Right>"):
        page.samples.pictures.slider.event_generate(key)
    pump(lambda: page.samples.pictures.position == "2 of 4")
    last = SampleReady(str(path.with_name("000400 - 1 - a red robot.png")), PROMPTS[0], 400, 1)
    draw([last])
    seat.running.take(last)
    pump(lambda: page.samples.pictures.position == "2 of 5")


def test_return_enlarges_a_sample_and_arrows_go_on(page: Any, seat: AppContext, pump: Pump, tmp_path: Path) -> None:
    from app.gui.run.samples.image_viewer import ImageViewer

    live(seat, tmp_path / "one")
    pump(page.samples.gallery.table.winfo_viewable)
    page.samples.gallery.table.focus_force()
    page.samples.gallery.table.event_generate("<Return>")
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
    pump(lambda: "The disk is full." in page.samples.log.view.content())
    page.samples.turn("log")
    pump(page.samples.log.winfo_viewable)
    page.samples.log.copy.press()
    assert "The disk is full." in root.pasted()
    person.click("Errors")
    assert page.samples.log.view.text.tag_cget("warning", "elide") == "1"
    person.pump(lambda: person.sees("Failed: The disk is full."))


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
    pump(lambda: len(page.losses.chart.curves[0]) == STEPS and "No caption" in page.samples.log.view.content())
    assert prompts_of(page) == PROMPTS
    page.status.resume.press()
    assert resumed == [folder]
    backup, aside = next((folder / "backups").iterdir()), tmp_path / "aside"
    backup.rename(aside)
    pump(lambda: not page.status.resume.winfo_viewable())
    aside.rename(backup)  # as an engine does that outlives its window
    pump(page.status.resume.winfo_viewable)
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
    assert "goes on in another way, which takes less: int8" in page.samples.log.view.content()


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
    page.samples.gallery.show(asked)
    rows = [[page.samples.gallery.shot_at(row, column) for column in range(len(steps_of(page)))] for row in (0, 1)]
    assert rows == [asked[:2], [asked[2], None]]


def test_a_sample_that_was_asked_for_is_shown_and_makes_no_hole_in_the_other_rows(
    page: Any, seat: AppContext, tmp_path: Path, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "workspace" / "robot"
    live(seat, folder)
    pump(lambda: page.samples.pictures.shot is not None)
    assert page.samples.pictures.shot.prompt == PROMPTS[0]
    asked = SampleReady(str(folder / "samples" / "now.png"), "a robot in the snow", 150, 0)
    later = SampleReady(str(folder / "samples" / "later.png"), PROMPTS[0], 300, 1)
    draw([asked, later])
    seat.running.take(asked)
    pump(lambda: page.samples.pictures.shot.prompt == "a robot in the snow")
    assert len(steps_of(page)) == 3, "no column of its own"
    assert [page.samples.gallery.shot_at(2, column) is not None for column in range(3)] == [False, False, True]
    monkeypatch.setattr("app.gui.run.samples.before_after.ASKED_SECONDS", -1)
    seat.running.take(later)
    pump(lambda: page.samples.pictures.shot.step == 300)
    assert page.samples.pictures.shot.prompt == PROMPTS[0], "the prompt that was watched before"


def test_b_shows_the_base_while_it_is_held_and_k_keeps_the_model_of_the_column(
    page: Any, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    (tmp_path / "one" / "models").mkdir()
    model = tmp_path / "one" / "models" / "one-000200.safetensors"
    model.write_bytes(b"model")
    seat.running.take(ModelSaved(str(model), 200))
    table = page.samples.gallery.table
    pump(lambda: table.winfo_viewable() and [head.star for head in table.heads.columns] == [False, False, True])
    painted: list[Path] = []
    thumb = seat.pictures.thumb
    seat.pictures.thumb = lambda path, *rest: (painted.append(path), thumb(path, *rest))[1]
    table.focus_force()
    table.event_generate("<KeyPress-b>")
    assert painted[-1].name.startswith("000000 - 1"), "the base in the place of the chosen one"
    table.event_generate("<KeyRelease-b>")
    assert painted[-1].name.startswith("000200 - 1")
    copy, said = tmp_path / "kept.safetensors", list[str]()
    seat.notify = lambda text, *_: said.append(text)
    seat.app = SimpleNamespace(ask_save_file=lambda *_: copy)
    table.event_generate("<KeyPress-k>")
    pump(lambda: said)
    assert copy.read_bytes() == b"model"
    table.event_generate("<Left>")
    table.event_generate("<KeyPress-k>")
    assert said[-1] == "No model was saved at step 100."


def test_the_size_of_samples_is_kept_and_large_gives_them_the_page(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one")
    table = page.samples.gallery.table
    pump(table.winfo_viewable)
    before = table.size
    table.event_generate("<Control-Button-4>", x=200, y=60)
    assert table.size > before and page.samples.slider.get() == table.size
    assert seat.window_state.get("sample_size") == table.size
    person.click("Large")
    pump(lambda: not page.losses.winfo_viewable())
    assert not person.sees("Learnt / forgotten")
    person.click("Smaller")
    pump(page.losses.winfo_viewable)


def test_the_step_whose_samples_are_being_made_has_a_column_that_says_so(
    page: Any, person: Person, seat: AppContext, pump: Pump, tmp_path: Path
) -> None:
    live(seat, tmp_path / "one", steps=160)
    seat.running.take(Stage("stage.samples", 10, 80))
    pump(lambda: steps_of(page) == ("base", "100", "160"))
    person.pump(lambda: person.sees("sampling"))
