"""The page "Examine": what a grid is made of, its pictures as they come, the large view, blind, keeping, exporting."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from app.gui.context import AppContext
from modules.grids.plan import plan
from modules.grids.record import write_record
from modules.grids.settings import Settings
from modules.merging.shift import Cell, Layer, Shift
from modules.messages import Failed, Finished, GridCell, Note, RunTool, Stage, Stop
from tests.gui.person import Person
from tests.gui.run.a_run import PROMPTS, leave

Pump = Callable[..., None]
TEXT = "a red robot\nNegative prompt: blur\nSteps: 20, Sampler: DDIM, CFG scale: 7, Seed: 42, Size: 64x64, Model: x"


@pytest.fixture
def run(context: AppContext, tmp_path: Path) -> Path:
    """A run with a backup of its last step and two saved models."""
    folder = leave(tmp_path / "workspace" / "robot")
    settings = json.loads((folder / "preset.json").read_text())
    (folder / "preset.json").write_text(json.dumps({**settings, "model": {"source": "starter:model"}}))
    (folder / "models").mkdir()
    for step in (50, 100):
        (folder / "models" / f"robot-step-{step:08}.safetensors").write_bytes(b"weights of a step")
    context.draft.put("general.workspace", str(folder.parent))
    return folder


@pytest.fixture
def page(context: AppContext, run: Path, root: Any, tmp_path: Path, pump: Pump) -> Iterator[Any]:
    """The first tab with the usual grid of the run: base, 50, 100 and 200 across, prompts down."""
    from app.gui.examine.page import ExaminePage
    from app.gui.kit import Pictures

    context.pictures = Pictures(root, None)
    said: list[str] = []
    context.notify = lambda words, *_, **__: said.append(words)
    whole = ExaminePage(root, context)
    made = whole.grid
    made.said = said
    whole.pack(fill="both", expand=True)
    for _ in whole.build():
        root.update()
    whole.shown()
    pump(lambda: made.runs.found)
    made.empty.button.press()
    looked(made, pump)
    yield made
    whole.destroy()
    context.pictures.close()


def looked(page: Any, pump: Pump) -> None:
    """What was asked of the settings has been answered."""
    pump(lambda: not page.looking)


def hears(page: Any, *events: Any) -> None:
    for event in events:
        page.context.running.take(event)


def drawn(page: Any, column: int, row: int, tab: int = 0) -> Path:
    """The engine has made the picture of a place."""
    cell = page.sheet.content.places[column, row, tab]
    about = PngImagePlugin.PngInfo()
    about.add_itxt("parameters", TEXT)
    cell.path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), (40 * column, 40 * row, 90)).save(cell.path, pnginfo=about)
    hears(page, GridCell(str(cell.path), column, row, tab))
    return cell.path


def test_while_a_training_runs_a_grid_goes_into_the_queue(page: Any, context: AppContext, person: Person) -> None:
    context.running.begin("train")
    person.pump(lambda: page.form.generate.text == "Add to queue")
    page.takes_start()
    (entry,) = context.jobs.entries
    assert entry.job is not None and entry.job.name == "grid"
    assert entry.job.settings == page.form.values
    assert person.tip("Add to queue") == "A training is running: this begins after it."


def test_the_grid_of_the_last_run_is_one_click_away(page: Any, person: Person, run: Path) -> None:
    for words in ("base", "50", "100", "200", *PROMPTS, "empty prompt", "robot \u00b7 saved models and backups"):
        assert person.sees(words), words
    count = 4 * len(page.form.values["row_values"])
    assert person.sees(f"= {count} images")
    assert [head.star for head in page.sheet.sheet.heads.columns] == [False, True, True, False]


def test_generate_sends_what_is_seen_and_the_cells_fill_as_they_come(page: Any, person: Person, engine: Any) -> None:
    person.click("Generate")
    (sent,) = engine.sent
    assert isinstance(sent, RunTool) and sent.name == "grid"
    assert sent.settings["column_values"] == ["base", "50", "100", "200"]
    assert person.greyed("Generate")
    hears(page, Stage("stage.grid", 0, 28), GridCell("", 1, 0, 0, done=14, total=20))
    assert person.sees("14 / 20") and person.sees("Generating 0 of 28 \u00b7 step 50, \u201ca red robot\u201d")
    drawn(page, 1, 0)
    hears(page, Stage("stage.grid", 1, 28))
    assert not person.sees("14 / 20") and person.sees("Generating 1 of 28")
    person.click("Stop")
    assert engine.sent[1:] == [Stop(now=True)]
    hears(page, Finished(stopped=True))
    looked(page, person.pump)
    assert person.sees(f"1 of {page.sheet.content.count} images") and not person.greyed("Generate")
    assert page.sheet.path((1, 0, 0)) is not None, "what was drawn stays"


def test_what_went_wrong_is_said_where_the_pictures_would_be(page: Any, person: Person) -> None:
    assert page.takes_start(), "Ctrl+Return makes the grid, and starts no training"
    hears(page, Note("backup 200 cannot be read.", "error"), Failed("The model is gone."))
    looked(page, person.pump)
    assert person.sees("The model is gone.")


def test_values_are_taken_away_added_and_refused(page: Any, person: Person) -> None:
    columns = page.form.axes["columns"]
    columns.chips.focus_force()
    person.press("<Delete>")
    looked(page, person.pump)
    assert page.form.values["column_values"] == ["50", "100", "200"]
    person.click("Add")
    person.press("<Escape>")
    columns.put("base")
    looked(page, person.pump)
    assert page.form.values["column_values"] == ["50", "100", "200", "base"]
    columns.put("75")
    looked(page, person.pump)
    assert page.form.wrong.cget("text") and person.greyed("Generate"), "the run has no such step"
    columns.change(["base", "100"])
    looked(page, person.pump)
    assert not page.form.wrong.cget("text") and not person.greyed("Generate")


def test_a_third_axis_is_tabs_and_its_kind_leaves_what_is_the_same_for_all(page: Any, person: Person) -> None:
    assert person.sees("Strength")
    person.choose("Tabs", "LoRA strength")
    page.form.axes["tabs"].put("0.8")
    page.form.axes["tabs"].change(["0.8", "1"])
    looked(page, person.pump)
    assert not any(text == "Strength" for text in person.texts(page.form))
    person.pump(lambda: page.sheet.content.count == 2 * 4 * len(page.form.values["row_values"]))
    page.generate()
    drawn(page, 1, 0, 1)
    assert page.sheet.path((1, 0, 0)) is None
    assert page.sheet.tab == 1, "the full strength is in front"
    person.click("0.8", nth=sum(text == "0.8" for text in person.texts(page.form)))
    assert page.sheet.tab == 0


def test_an_answer_about_earlier_settings_undoes_no_later_change(
    page: Any, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.gui.examine import grid_tab as module

    go, asked, planned = threading.Event(), threading.Event(), module.planned

    def slow(values: Any) -> Any:
        asked.set()
        assert go.wait(60)
        return planned(values)

    monkeypatch.setattr(module, "planned", slow)
    page.form.axes["columns"].change(["base", "100"])
    person.pump(asked.is_set)
    page.form.axes["columns"].change(["base", "50"])
    go.set()
    looked(page, person.pump)
    assert page.form.values["column_values"] == ["base", "50"]


def test_the_same_for_all_is_as_the_run_until_something_is_typed(page: Any, person: Person) -> None:
    def typed(name: str, text: str) -> None:
        entry = page.form.same.entries[name]
        entry.inner.delete(0, "end")
        entry.inner.insert(0, text)
        entry.flush()
        looked(page, person.pump)

    typed("seed", "7")
    typed("guidance", "2,5")
    assert {place.prompt.seed for place in page.sheet.content.places.values()} == {7}
    assert {place.prompt.guidance for place in page.sheet.content.places.values()} == {2.5}
    typed("seed", "")
    assert page.form.values["seed"] == -1
    typed("steps", "many")
    assert person.greyed("Generate") and page.form.wrong.cget("text")
    typed("steps", "12")
    assert not person.greyed("Generate") and not page.form.wrong.cget("text")


def test_the_large_view_walks_through_the_grid(page: Any, person: Person) -> None:
    page.generate()
    paths = {place: drawn(page, *place) for place in ((0, 0), (1, 0), (1, 1))}
    hears(page, Finished())
    looked(page, person.pump)
    page.sheet.sheet.focus_force()
    for key in ("<Right>", "<Right>", "<Return>"):
        page.sheet.sheet.event_generate(key)
    view = page.viewer
    person.pump(view.grab_status)
    assert person.dialog() == "robot, step 50, \u201ca red robot\u201d"
    for words in ("blur", "42", "DDIM", "64 \u00d7 64"):
        assert person.sees(words), words
    assert view.view.path == paths[1, 0]
    person.press("<Down>")
    assert view.view.path == paths[1, 1]
    person.press("<KeyPress-b>")
    assert view.view.path is None, "the base of this prompt was not drawn"
    person.press("<KeyRelease-b>")
    person.press("<Up>")
    person.press("<KeyPress-b>")
    assert view.view.path == paths[0, 0], "the base, while the key is held"
    person.press("<KeyRelease-b>")
    person.pump(lambda: view.view.path == paths[1, 0])
    person.press("<Key-1>")
    assert view.view.zoom == 1.0
    person.press("<Left>")
    assert not person.sees("Keep this model"), "nobody needs a copy of the base"
    person.press("<Escape>")
    assert not view.winfo_exists()
    assert page.sheet.sheet.current == (0, 0), "the sheet goes along"


def test_a_model_is_kept_beside_the_runs(page: Any, person: Person, run: Path) -> None:
    page.kept.keep((1, 0, 0))
    target = run.parent / "models" / "robot-step-00000050.safetensors"
    person.pump(lambda: page.kept.has((1, 0, 0)))
    assert target.read_bytes() == b"weights of a step"
    page.kept.keep((3, 0, 0))
    assert "backup only" in page.said[-1], "a backup is no file that other programs read"
    assert page.kept.refusal((0, 0, 0)) == "This is the base model."


def test_a_grid_is_exported_and_opened_again(
    page: Any, person: Person, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(page, 0, 0)
    made = plan(Settings(**page.form.values))
    write_record(made, {}, 0.0)
    app = page.context.app
    monkeypatch.setattr(type(app), "ask_folder", lambda *_: tmp_path)
    monkeypatch.setattr(type(app), "ask_save_file", lambda *_: tmp_path / "all.png")
    page.form.axes["columns"].change(page.form.values["column_values"])
    looked(page, person.pump)
    person.click("Export")
    person.click("One picture with labels")
    person.pump((tmp_path / "all.png").is_file)
    person.pump(lambda: not page.exports.busy)
    person.click("Export")
    person.click("Folder with web page")
    person.pump(lambda: list(tmp_path.glob("robot*/index.html")))
    person.pump(lambda: not page.exports.busy)
    page.form.axes["columns"].change(["base"])
    looked(page, person.pump)
    person.click("Open saved")
    person.click(made.name)
    looked(page, person.pump)
    assert page.form.values["column_values"] == ["base", "50", "100", "200"]


def test_blind_compares_two_and_tells_at_the_end(page: Any, person: Person) -> None:
    from app.gui.examine.blind import BlindDialog, pairs_of

    page.generate()
    for column, row in ((1, 0), (2, 0), (1, 1)):
        drawn(page, column, row)
    hears(page, Finished())
    looked(page, person.pump)
    pairs = pairs_of(page.sheet.content, list(page.sheet.content.files))
    assert [{one[0], two[0]} for one, two in pairs] == [{1, 2}], "a picture without another in its row is left out"
    person.click("Blind")
    dialog = next(child for child in page.winfo_toplevel().winfo_children() if isinstance(child, BlindDialog))
    person.pump(dialog.grab_status)
    assert not person.sees("step 50") and not person.sees("100")
    better = dialog.pairs[0][0][0]
    person.press("<Left>")
    assert person.dialog() == "What you picked"
    assert person.sees("picked 1 of 1 times") and person.sees("picked 0 of 1 times")
    assert dialog.wins[better] == 1
    dialog.close(None)


def test_the_size_is_kept_for_the_next_time(page: Any) -> None:
    page.sheet.sheet.event_generate("<Control-Button-4>", x=300, y=200)
    assert page.context.window_state.get("grid_size", int) == page.sheet.sheet.size == 92
    assert page.sheet.slider.get() == 92


def test_a_page_that_is_made_anew_finds_the_grid_that_is_being_made(context: AppContext) -> None:
    from app.gui.grids.job import GridJob

    context.running.begin("sample")
    assert not GridJob(context, print).going
    context.running.begin("grid")
    job = GridJob(context, lambda place: None)
    job.heard(GridCell("/a.png", 1, 2, 0))
    assert job.going and job.files == {(1, 2, 0): Path("/a.png")}


def test_the_run_of_the_grid_is_compared_with_its_base(
    page: Any, person: Person, run: Path, engine: Any, context: AppContext
) -> None:
    person.click("Weight shift")
    tab = page.master.tabs["shift"]
    assert person.sees("Compare measures how far") and tab.choice.get() == str(run)
    tab.step.open()
    assert not person.sees("step 200"), "a backup of a LoRA holds no model"
    person.click("step 50")
    person.click("Compare")
    (sent,) = engine.sent
    assert sent.name == "weight-shift"
    wanted = {"tuned": f"{run}:50", "base": "starter:model", "out": str(run / "weight-shift"), "steps": True}
    assert wanted.items() <= sent.settings.items() and sent.settings["overwrite"]
    layer = Layer("denoiser|mid.0.conv.weight", "MID", "convolution", 1.0, 20.0, 0.05, 0.1, None)
    cell = Cell("MID", "convolution", 1, 1.0, 0.05, 0.1, None)
    shift = Shift("base", f"{run.name}:50", "", 0.05, 1.0, ["MID"], ["convolution"], [cell], [layer])
    (run / "weight-shift").mkdir()
    (run / "weight-shift" / "weight-shift.json").write_text(json.dumps(asdict(shift)))
    hears(page, Finished(path=str(run / "weight-shift")))
    person.pump(lambda: person.sees("whole model 5"))
    person.click("Grids")
    assert person.sees("base") and not person.sees("whole model 5")
    tab.run = None
    person.click("Weight shift")
    assert person.sees("whole model 5"), "what was measured before is there at once"
    assert tab.step.get() == 50


def test_a_tab_opens_at_another_run_only_where_none_was_chosen(page: Any, person: Person, run: Path) -> None:
    other = leave(run.parent / "later")
    (other / "models").mkdir()
    (other / "models" / "later-step-00000100.safetensors").write_bytes(b"weights")
    page.runs.look()
    person.pump(lambda: len(page.runs.found) == 2)
    person.click("Weight shift")
    tab = page.master.tabs["shift"]
    assert tab.run == run, "that of the grid"
    tab.choose(other)
    person.click("Grids")
    person.click("Weight shift")
    assert tab.run == other
