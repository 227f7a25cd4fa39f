"""The tab "Scores": what it asks for, what is downloaded first, the table, the chart, and near-copies."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from modules.messages import Finished, RunTool, Stage, Stop
from modules.scores.record import Made, Scored, Scores, write_scores
from tests.gui.person import Person
from tests.gui.run.a_run import PROMPTS, leave

Pump = Callable[..., None]


@pytest.fixture
def run(context: AppContext, tmp_path: Path) -> Path:
    folder = leave(tmp_path / "workspace" / "robot")
    context.draft.put("general.workspace", str(folder.parent))
    return folder


@pytest.fixture
def tab(context: AppContext, run: Path, root: Any, pump: Pump, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The tab with the samples of the run; no model is on this computer."""
    from app.gui.examine import score_rows
    from app.gui.examine.page import ExaminePage
    from app.gui.kit import Pictures

    monkeypatch.setattr(score_rows, "model_is_here", lambda name: Path(name).is_dir())
    context.pictures = Pictures(root, None)
    page = ExaminePage(root, context)
    page.pack(fill="both", expand=True)
    for _ in page.build():
        root.update()
    page.shown()
    pump(lambda: page.runs.found)
    page.turn("scores")
    yield page.front
    page.destroy()
    context.pictures.close()


def computed(run: Path, names: tuple[str, ...] = ("text", "dino", "copies"), copy: float = 0.95) -> None:
    """Scores of the run's samples: the text fits less from step to step, and the subject is met better."""
    images = [
        Scored(
            f"samples/{step:06d} - {number} - {prompt}.png", "m", prompt, f"step {step}", step, step, side=side,
            values={"text": 0.3 - step / 1000, "dino": 0.2 + step / 500, "copies": copy if step == 200 else 0.1},
            nearest=str(run / "train.png"),
        )
        for step in (0, 100, 200)
        for number, (prompt, side) in enumerate(zip(PROMPTS, ("concept", "known"), strict=True), 1)
    ]  # fmt: skip
    Image.new("RGB", (32, 32)).save(run / "train.png")
    made = {name: Made("a/model", "m", "robot", 4, 0.9 if name == "copies" else 0.0) for name in names}
    write_scores(run, Scores("run", str(run), str(run), "step", made, tuple(images)))


def turn(tab: Any, *names: str) -> None:
    """Click the switches of these scores."""
    for name in names:
        tab.update()
        tab.rows.rows[name].switch.event_generate("<ButtonRelease-1>", x=2, y=2)


def test_what_is_downloaded_is_said_before_anything_is_computed(
    tab: Any, person: Person, engine: Any, run: Path, context: AppContext
) -> None:
    assert tab.choice.get() == str(run) and person.sees("Scores say how close")
    assert person.sees("About 2.0 GB is downloaded first, once (Apache-2.0, MIT).")
    turn(tab, "image", "dino", "copies")
    assert person.sees("About 1.7 GB is downloaded first, once (MIT).")
    assert context.window_state.get("scores") == {"text": "openai/clip-vit-large-patch14"}
    person.click("Download and compute")
    (sent,) = engine.sent
    assert isinstance(sent, RunTool) and sent.name == "score"
    wanted = {"source": str(run), "text": True, "image": False, "dino": False, "copies": False, "preference": False}
    assert wanted.items() <= sent.settings.items()
    assert sent.settings["text_model"] == "openai/clip-vit-large-patch14"
    person.click("Stop")
    assert engine.sent[-1] == Stop(now=True)


def test_a_folder_of_ones_own_is_no_download_and_no_score_is_no_job(
    tab: Any, person: Person, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(tab.context.app), "ask_folder", lambda *_: run)
    turn(tab, "image", "dino", "copies")
    tab.rows.rows["text"].choice.open()
    person.click("A folder")
    assert tab.rows.values()["text_model"] == str(run) and person.sees("on this computer")
    assert person.sees("Compute"), person.texts()
    assert not person.sees("downloaded first")
    turn(tab, "text")
    assert person.greyed("Compute") and person.sees("Choose a score.")


def test_the_table_fills_while_it_is_computed_and_is_there_again(
    tab: Any, person: Person, context: AppContext, run: Path
) -> None:
    tab.card.run()
    context.running.take(Stage("stage.scoring", 1, 6))
    assert not person.sees("0.300")
    computed(run, ("text",))
    context.running.take(Stage("stage.scoring", 4, 6))
    assert person.sees("0.300") and not person.sees("Scores say how close")
    computed(run)
    context.running.take(Finished(stopped=True))
    assert person.sees("0.600"), "what was computed stays after a stop"
    tab.master.turn("grid")
    tab.master.turn("scores")
    assert person.sees("0.600") and person.sees("DINO similarity by step") is False


def test_a_click_on_a_score_sorts_by_it_and_draws_it(tab: Any, person: Person, run: Path) -> None:
    computed(run)
    tab.choose(run)
    view = tab.card.view
    assert [row.step for row in view.rows()] == [0, 100, 200] and person.sees("Text similarity by step")
    view.sort("dino")
    assert [row.step for row in view.rows()] == [200, 100, 0] and person.sees("DINO similarity by step")
    assert [curve.name for curve in view.chart.curves] == ["Concept", "Known to the base"]
    view.sort("dino")
    assert [row.step for row in view.rows()] == [0, 100, 200]
    person.click("Known to the base")
    assert {image.side for image in view.scores.images} == {"concept", "known"} and view.side == "known"
    assert all(row.images == 1 for row in view.rows())


def test_near_copies_stand_beside_the_training_image(tab: Any, person: Person, run: Path) -> None:
    from app.gui.tools.near_copies import most_alike, near_copies

    computed(run)
    tab.choose(run)
    assert person.finds("2 near-copies") and person.finds("train.png") and person.finds("0.950")
    shown, more = near_copies(tab.card.view.scores)
    assert [image.step for image in shown] == [200, 200] and more == 0
    computed(run, copy=0.4)
    tab.choose(run)
    assert person.finds("No near-copies") and person.finds("0.400"), "the most alike of all"
    assert near_copies(tab.card.view.scores) == ([], 0) and len(most_alike(tab.card.view.scores)) == 1


def test_a_damaged_file_is_said_and_nothing_is_shown(tab: Any, run: Path) -> None:
    told: list[str] = []
    tab.context.notify = lambda words, *_, **__: told.append(words)
    (run / "scores.json").write_text("{")
    tab.choose(run)
    assert "damaged" in told[0] and not tab.card.view.winfo_manager()


def test_the_large_view_says_the_scores_of_a_picture(run: Path) -> None:
    from app.gui.examine.facts import facts_of
    from app.gui.grids.grid_draft import ShownGrid
    from modules.grids.axes import Axis, Head
    from modules.scores.record import scores_of

    computed(run)
    path = run / "samples" / f"000100 - 1 - {PROMPTS[0]}.png"
    axis = Axis("none", "", (Head("", ""),))
    facts = dict(facts_of(ShownGrid(run, axis, axis, axis), (0, 0, 0), path, scores_of(run)[path]))
    assert facts["Text similarity"] == "0.200" and facts["DINO similarity"] == "0.400"
    assert json.loads((run / "scores.json").read_text())["version"] == 1


def test_where_the_table_has_no_room_a_click_brings_the_other_scores(
    root: Any, context: AppContext, run: Path, person: Person
) -> None:
    from app.gui.kit import Frame, Pictures, px
    from app.gui.tools.score_view import ScoreView

    context.pictures = Pictures(root, None)
    computed(run)
    holder = Frame(root)
    holder.place(x=0, y=0, width=px(260), height=px(600))
    view = ScoreView(holder, context)
    view.show(str(run))
    person.pump(lambda: person.sees("More: DINO similarity, Nearest training image"))
    person.click("More: DINO similarity")
    assert person.sees("More: Nearest training image, Text similarity")
    holder.place(x=0, y=0, width=px(700), height=px(600))
    person.pump(lambda: not person.sees("More:"))
    assert person.sees("0.300") and person.sees("0.600")
    holder.destroy()
    context.pictures.close()
