"""The ratio sweep on the card of a merge: what it asks for, what is drawn, and what a click takes into the form."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from modules.grids.cells import mark_of
from modules.grids.measured import keep_forgotten
from modules.messages import Failed, Finished, GridCell, RunTool, Stage, Stop
from modules.tools import TOOLS
from tests.gui.person import Person
from tests.gui.run.a_run import leave

Pump = Callable[..., None]


@pytest.fixture
def card(context: AppContext, root: Any, tmp_path: Path) -> Iterator[Any]:
    """The card of a merge of the starter with step 100 of a run."""
    from app.gui.kit import Pictures
    from app.gui.tools.card import ToolCard

    context.pictures = Pictures(root, None)
    context.draft.put("general.workspace", str(tmp_path / "workspace"))
    run = leave(tmp_path / "workspace" / "robot")
    settings = json.loads((run / "preset.json").read_text())
    (run / "preset.json").write_text(json.dumps({**settings, "model": {"source": "starter:model"}}))
    (run / "models").mkdir()
    (run / "models" / "robot-step-00000100.safetensors").write_bytes(b"weights of a step")
    made = ToolCard(root, context, TOOLS["merge"])
    made.pack(fill="both", expand=True)
    made.form.show("models", ["starter:model", f"{run}:100"])
    made.form.show("ratio", "0.4")
    made.form.pack_forget()  # room for the pictures
    made.refresh()
    yield made
    made.destroy()
    context.pictures.close()


def generated(card: Any, person: Person) -> RunTool:
    person.click("Generate")
    person.pump(lambda: card.before.job.going)
    return card.context.engine.sent[-1]


def test_a_sweep_asks_for_a_grid_of_the_merge_and_writes_no_model(
    card: Any, person: Person, engine: Any, tmp_path: Path
) -> None:
    sent = generated(card, person)
    assert sent.name == "grid" and card.context.running.what == "merge"
    assert sent.settings["columns"] == "ratio" and sent.settings["column_values"] == ["0, 0.25, 0.5, 0.75, 1"]
    assert sent.settings["run"] == str(tmp_path / "workspace" / "robot") and sent.settings["model"] == "starter:model"
    assert sent.settings["row_values"][0] == "a red robot" and len(sent.settings["row_values"]) == 2
    merge = json.loads(sent.settings["merge"])
    assert (merge["ratio"], merge["method"]) == ("0.4", "weighted_sum") and "out" not in merge
    card.refresh()
    assert card.button.text == "Add to queue", "the engine does one job at a time"
    person.click("Stop")
    assert engine.sent[-1] == Stop(now=True)


def test_pictures_come_and_a_click_takes_their_ratio(card: Any, person: Person, context: AppContext) -> None:
    card.form.show("curve", "outputs more")
    generated(card, person)
    assert [head.text for head in card.before.sheet.heads.columns] == ["0", "0.25", "0.5", "0.75", "1"]
    path = card.before.grid.places[1, 0, 0].path
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), (200, 60, 60)).save(path)
    context.running.take(GridCell("", 1, 0, 0, done=3, total=20))
    assert person.sees("3 / 20")
    context.running.take(GridCell(str(path), 1, 0, 0))
    context.running.take(Stage("stage.grid", 1, 10))
    cell = card.before.grid.places[1, 0, 0]
    keep_forgotten(path.parent.parent, mark_of(cell.weights, {}), 0.32)
    context.running.take(Finished(path=str(path.parent.parent)))
    card.refresh()
    person.pump(lambda: person.sees("0.32") and person.sees("forgotten"))
    assert person.sees("A click takes the ratio") and not person.sees("3 / 20")
    card.before.sheet.select(0, 1)
    card.before.sheet.open()
    assert card.form.read({"out": "-"})["ratio"] == "0.25" and person.sees("0.32 · chosen")
    card.form.show("models", ["starter:model", "starter:model"])
    card.refresh()
    assert person.sees("Other settings than now.")


def test_ratios_by_block_change_in_proportion(card: Any, person: Person, pump: Pump) -> None:
    pump(lambda: card.form.models.first.blocks)
    card.form.show("blocks", "MID=0.2")
    generated(card, person)
    card.before.take(3)
    values = card.form.read({"out": "-"})
    assert (values["ratio"], values["blocks"]) == ("0.75", "MID=0.375")


def test_what_cannot_be_drawn_is_said(card: Any, person: Person, engine: Any, context: AppContext) -> None:
    card.form.show("models", ["starter:model"])
    person.click("Generate")
    assert person.sees("Choose two models first.") and not engine.sent
    card.form.show("models", ["starter:model", "starter:model"])
    card.before.ratios.set("0, much")
    person.click("Generate")
    person.pump(lambda: person.sees("much"))
    assert not engine.sent
    card.before.ratios.set("0, 1")
    generated(card, person)
    context.running.take(Failed("The model is gone."))
    card.refresh()
    assert person.sees("The model is gone.")
