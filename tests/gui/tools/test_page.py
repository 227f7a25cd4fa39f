"""The page "Tools": what each card sends, shows and says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from app.gui.tools.tensorboard import TensorBoard
from modules.catalog import FAMILIES
from modules.merging.shift import Cell, Layer, Shift, StepShift
from modules.messages import Failed, Finished, Fix, RunTool, SampleReady, Stage, Stop, note
from modules.preset.layer_selection import select_layers
from modules.sentences.problem import problem
from tests.gui.person import Person
from tests.gui.run.a_run import PROMPTS, leave
from tests.tools.pretend import ROW

Pump = Callable[..., None]


class Seen(dict[str, Any]):
    """Whoever asks for a card has chosen it in the list."""

    def __init__(self, page: Any, cards: dict[str, Any]) -> None:
        super().__init__(cards)
        self.page = page

    def __getitem__(self, name: str) -> Any:
        self.page.list.press({"FoldersCard": "folders", "TensorBoardCard": "tensorboard"}.get(name, name))
        self.page.update()
        return super().__getitem__(name)


@pytest.fixture
def cards(context: AppContext, root: Any, tmp_path: Path, pump: Pump) -> Iterator[dict[str, Any]]:
    """The cards of the page: tools by their name, the others by that of their class."""
    from app.gui.kit import Pictures
    from app.gui.tools.card import ToolCard
    from app.gui.tools.page import ToolsPage

    context.draft.put("general.workspace", str(tmp_path / "workspace"))
    context.draft.put("model.source", "starter:model")
    context.draft.add("concepts", {"path": "starter:robot"})
    context.pictures = Pictures(root, tmp_path / "thumbs")
    page = ToolsPage(root, context)
    page.pack(fill="both", expand=True)
    for _ in page.build():
        root.update()
    page.shown()
    pump()
    yield Seen(page, {c.tool.name if isinstance(c, ToolCard) else type(c).__name__: c for c in page.cards})
    page.destroy()
    context.pictures.close()


def words(card: Any) -> str:
    return str(card.result.cget("text"))


def fill(card: Any, **values: Any) -> None:
    for name, value in values.items():
        field = card.form.fields[name]
        field.made.widget.set(value) if hasattr(field, "made") else field.show(value)


def choose(switch: Any, on: bool) -> None:
    """By a click."""
    switch.update()
    if switch.get() != on:
        switch.event_generate("<ButtonRelease-1>", x=2, y=2)


def prompt(card: Any, **values: str) -> None:
    for name, value in values.items():
        card.form.fields["prompts"].widget.controls[name].set(value)


def test_images_are_asked_for_with_every_prompt(cards: Any, engine: Any, context: AppContext, tmp_path: Path) -> None:
    card = cards["sample"]
    prompt(card, prompt="a robot\n\na boat\n", seed="5")
    fill(card, count="2", loras=[str(tmp_path / "style.safetensors"), ""])
    card.button.press()
    (sent,) = engine.sent
    assert isinstance(sent, RunTool) and sent.name == context.running.what == "sample"
    assert [(p["prompt"], p["seed"]) for p in sent.settings["prompts"]] == [("a robot", 5), ("a boat", 5)]
    assert (sent.settings["count"], sent.settings["loras"]) == (2, [str(tmp_path / "style.safetensors")])
    assert sent.settings["preset"]["model"]["source"] == "starter:model"


def test_a_lora_has_a_strength(cards: Any, engine: Any, person: Person, tmp_path: Path) -> None:
    card = cards["sample"]
    prompt(card, prompt="a robot")
    fill(card, loras=[f"{tmp_path / 'style.safetensors'}:0.6", str(tmp_path / "robot.safetensors")])
    (first, strength), (_, other) = card.form.fields["loras"].entries
    assert (first.get(), strength.get(), other.get()) == (str(tmp_path / "style.safetensors"), "0.6", "1")
    other.set("much")
    card.button.press()
    assert engine.sent == [] and person.finds("“much” is not a number")
    other.set("0,8")
    card.button.press()
    assert engine.sent[0].settings["loras"] == [
        f"{tmp_path / 'style.safetensors'}:0.6", f"{tmp_path / 'robot.safetensors'}:0.8",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (("unet.a.lora_down.weight",), "loras"),
        (("emb_params",), "embeddings"),
        ([f"b.{n}" for n in range(9)], "preset"),
    ],
)
def test_what_was_trained_is_tried_where_it_belongs(tmp_path: Path, names: Any, field: str) -> None:
    from app.gui.tools.page import field_for

    text = json.dumps({"__metadata__": {}, **{name: {} for name in names}}).encode()
    (tmp_path / "file.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert field_for(tmp_path / "file.safetensors") == field


def test_another_model_goes_into_the_job_and_not_into_the_project(cards: Any, engine: Any, context: AppContext) -> None:
    card = cards["sample"]
    prompt(card, prompt="a robot")
    card.form.show("preset", "somebody/model")
    card.button.press()
    assert engine.sent[0].settings["preset"]["model"]["source"] == "somebody/model"
    assert context.draft.get("model.source") == "starter:model"


def test_images_appear_as_they_come_and_open_large(
    cards: Any, context: AppContext, pump: Pump, tmp_path: Path, root: Any
) -> None:
    from app.gui.run.samples.image_viewer import ImageViewer

    card = cards["sample"]
    prompt(card, prompt="a robot")
    card.button.press()
    path = tmp_path / "000001 - 42 - a robot.png"
    Image.new("RGB", (64, 64), (200, 60, 60)).save(path)
    context.running.take(Stage("stage.making-images", 3, 20))
    assert card.stands.cget("text") == "Making images: 15\u00a0%"
    context.running.take(SampleReady(str(path), "a robot", 0, 1))
    context.running.take(Finished(path=str(tmp_path)))
    pump(card.images.grid_of_images.winfo_viewable)
    assert card.images.grid_of_images.count == 1 and "1 image in" in words(card)
    assert context.running.samples == [], "the samples of a run are another thing"
    card.images.grid_of_images.focus_force()
    card.images.grid_of_images.event_generate("<Home>")
    card.images.grid_of_images.event_generate("<Return>")
    pump(lambda: [child for child in root.winfo_children() if isinstance(child, ImageViewer)])
    (dialog,) = [child for child in root.winfo_children() if isinstance(child, ImageViewer)]
    pump(dialog.winfo_viewable)
    assert dialog.facts.cget("text") == "Image 1"
    dialog.close(None)


def test_what_is_wrong_stands_under_its_field(cards: Any, person: Person, engine: Any, context: AppContext) -> None:
    card = cards["sample"]
    fill(card, count="0")
    card.button.press()
    assert person.finds("0 is out of range: it must be at least 1, at most 1000.")
    prompt(card, width="100")
    card.button.press()
    assert person.finds("multiple of 8")
    assert engine.sent == [] and not context.running.busy


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two models as folders: what tells their type, and no weights."""
    from modules.system.headers.parts import BUNDLED

    found = tmp_path / "sd", tmp_path / "flux"
    for folder, kind in zip(found, ("sd15", "flux1-dev"), strict=True):
        for file in ("model_index.json", "unet/config.json", "transformer/config.json"):
            if (BUNDLED / kind / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes((BUNDLED / kind / file).read_bytes())
    return found


def test_ratios_by_block_are_drawn_and_stand_in_the_setting(
    cards: Any, person: Person, engine: Any, pump: Pump, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    card = cards["merge"]
    field = card.form.fields["blocks"]
    fill(card, models=[str(folders[0]), str(folders[0])], ratio="0.4", out=str(tmp_path / "x"))
    choose(field.switch, True)
    pump(field.bank.winfo_viewable)
    blocks = [f"IN{n:02}" for n in range(12)], [f"OUT{n:02}" for n in range(12)]
    assert list(field.bank.values) == ["TE", "BASE", *blocks[0], "MID", *blocks[1]]
    assert set(field.bank.values.values()) == {0.4}
    field.bank.focus_force()
    pump()
    field.bank.event_generate("<End>")
    assert field.entry.get() == "TE=1"
    field.entry.set("in00-in02=0.2 MID=0.9")
    field.refresh()
    assert [field.bank.values[name] for name in ("TE", "IN01", "IN03", "MID")] == [0.4, 0.2, 0.4, 0.9]
    field.choose_curve("inputs more")
    assert field.entry.get() == "" and field.bank.values["IN00"] == 0.8 and field.bank.values["OUT11"] == 0
    assert [card.form.read()[name] for name in ("curve", "blocks")] == ["inputs more", ""]
    choose(field.switch, False)
    assert [card.form.read()[name] for name in ("curve", "blocks")] == ["flat", ""]
    choose(field.switch, True)
    assert card.form.read()["curve"] == "inputs more"
    field.reset.press()
    assert set(field.bank.values.values()) == {0.4}
    field.entry.set("IN44=1")
    card.button.press()
    assert engine.sent == [] and person.finds("IN44")


def test_a_model_of_another_type_is_refused_below_its_field(
    cards: Any, person: Person, engine: Any, pump: Pump, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    card = cards["extract"]
    fill(card, out=str(tmp_path / "x.safetensors"))
    card.form.show("base", str(folders[0]))
    card.form.show("tuned", str(folders[1]))
    pump(lambda: person.finds("only models of one type go together"))
    assert person.finds("Stable Diffusion 1 and 2")
    card.button.press()
    assert engine.sent == []
    card.form.show("tuned", str(folders[0]))
    pump(lambda: not person.finds("only models of one type go together"))
    card.button.press()
    assert [job.name for job in engine.sent] == ["extract"]


@pytest.fixture
def shift(cards: Any, context: AppContext, pump: Pump, tmp_path: Path) -> Any:
    """The card of the weight shift with two layers in two blocks, at two steps."""
    layers = [
        Layer(f"denoiser|mid.{number}.weight", block, "feed-forward", 1.0, 20.0, 0.05 / (number + 1), None, None)
        for number, block in enumerate(("IN00", "MID"))
    ]
    cells = [Cell(each.block, each.kind, 3, each.norm, each.relative, None, None) for each in layers]
    steps = [StepShift(step, step / 1e4, {"feed-forward": step / 1e4}) for step in (100, 200)]
    found = Shift("base", "run:200", "", 0.02, 1.4, ["IN00", "MID"], ["feed-forward"], cells, layers, steps)
    (tmp_path / "weight-shift.json").write_text(json.dumps(asdict(found)))
    card = cards["weight-shift"]
    card.form.show("tuned", str(tmp_path / "run"))
    card.form.show("out", str(tmp_path))
    card.button.press()
    context.running.take(note(problem("shift.whole", share="2 %", norm=1.4)))
    context.running.take(Finished(path=str(tmp_path)))
    pump(lambda: card.view.map and card.view.map.winfo_viewable())
    return card


def test_how_far_weights_have_moved_is_drawn(shift: Any, person: Person, context: AppContext, tmp_path: Path) -> None:
    assert "2 %" not in words(shift), "the drawing says it"
    assert person.finds("whole model 2\u00a0%") and person.finds("mid.0") and person.finds("All 2 tensors")
    assert person.finds("Over the steps of the run")
    x, y = shift.view.map.middle_of(("feed-forward", "MID"))
    shift.view.map.event_generate("<Motion>", x=x, y=y)
    assert "MID" in person.texts(shift.view.facts) and "2.5\u00a0%" in person.texts(shift.view.facts)
    (tmp_path / "weight-shift.json").write_text("{")
    told: list[str] = []
    context.notify = lambda text, *_, **__: told.append(text)
    shift.view.show(str(tmp_path))
    assert "holds no weight shift" in told[0]


def test_the_layers_of_a_cell_become_those_of_the_project(shift: Any, person: Person, context: AppContext) -> None:
    told: list[Any] = []
    context.notify = lambda *words, **__: told.append(words)
    context.draft.put("method.kind", "lora")
    shift.view.map.focus_force()
    person.pump(lambda: shift.view.map.focus_get() is shift.view.map)
    for key in ("<Right>", "<Right>"):
        person.press(key)
    person.click("Choose as layers")
    words, action, undo = told.pop()
    assert "Method > Layers: 1 layer (MID" in words and action == "Undo"
    names = ["mid.1", "mid.10", "a_mid.1", "mid.11.proj"]
    assert select_layers(names, context.draft.get("method.layers"), {}) == ["mid.1"], "and no other"
    undo()
    assert context.draft.get("method.layers") == "attention-mlp"
    context.draft.put("method.kind", "embedding")
    person.click("Choose as layers")
    assert told.pop() == ("The method of the project does not ask for layers.",)


def test_what_was_kept_of_a_change_is_drawn_by_group(
    cards: Any, person: Person, context: AppContext, tmp_path: Path
) -> None:
    card, subject = cards["extract"], FAMILIES["sd"].component("denoiser").subject
    fill(card, base="a/b", tuned="a/c", out=str(tmp_path / "x.safetensors"))
    card.button.press()
    group: dict[str, Any] = {"part": subject, "layers": 96, "low": 4, "high": 22}
    for row in (
        problem("extract.kept", part=subject, share=0.9, layers=97),
        problem("extract.group:ranks", **group, group="attention", share=0.931),
        problem("extract.group:ranks", **{**group, "layers": 1}, group="convolutions", share=0.882),
        problem("extract.left-out", part=subject, share=0.005, count=214),
        problem("extract.written", layers=97, size=38 * 2**20),
    ):
        context.running.take(note(row))
    context.running.take(Finished(path=str(tmp_path / "x.safetensors")))
    assert [(row.amount, row.role, row.middle, row.right) for row in card.view.rows] == [
        ("93.1\u00a0%", "good", "rank 4 to 22", "96 layers"), ("88.2\u00a0%", "changed", "rank 4 to 22", "1 layer"),
    ]  # fmt: skip
    assert person.finds("38 MB") and person.finds("214 tensors that a LoRA has no place for")
    assert words(card) == f"Written: {tmp_path / 'x.safetensors'}"
    card.button.press()
    assert not card.view.winfo_manager(), "of the time before"


def test_control_and_an_arrow_move_in_the_list(cards: Any, root: Any, pump: Pump) -> None:
    card = cards["merge"]
    card.button.focus_force()
    pump()
    card.button.event_generate("<Control-Down>")
    assert dict(cards)["extract"].winfo_manager() and not card.winfo_manager()
    pump()
    dict(cards)["extract"].button.focus_force()
    pump()
    root.event_generate("<Control-Up>")
    assert card.winfo_manager()


def test_a_model_is_converted(cards: Any, person: Person, engine: Any, context: AppContext, tmp_path: Path) -> None:
    card = cards["convert"]
    card.button.press()
    assert person.finds("Required")
    fill(card, model="starter:model", out=str(tmp_path / "out"), dtype="fp16", format="single_file")
    card.button.press()
    settings = {"model": "starter:model", "out": str(tmp_path / "out"), "dtype": "fp16", "format": "single_file"}
    usual = {"parts": "", "family": "auto", "overwrite": False, "skip_unread": False, "vae": "", "variant": "auto"}
    usual |= {f"text_encoder_{number}": "" for number in (1, 2, 3)}
    assert engine.sent == [RunTool("convert", {**settings, **usual})]
    context.running.take(Failed("out.safetensors exists already."))
    assert words(card) == "out.safetensors exists already." and card.button.enabled


def test_a_file_that_cannot_all_be_read_is_used_without_the_rest_by_a_button(
    cards: Any, person: Person, engine: Any, context: AppContext, tmp_path: Path
) -> None:
    card = cards["convert"]
    fill(card, model="starter:model", out=str(tmp_path / "out"))
    card.button.press()
    skip = Fix("Leave out", {"skip_unread": True}, "fix.skip-unread")
    context.running.take(Failed("a.safetensors also holds 1 tensor.", fixes=[skip]))
    person.click("Leave out what cannot be read")
    assert [job.settings["skip_unread"] for job in engine.sent] == [False, True]
    assert not card.fixes.winfo_manager()


def test_advanced_settings_of_a_tool_are_a_click_away(cards: Any, engine: Any) -> None:
    card = cards["sample"]
    assert not card.form.fields["out"].widget.winfo_manager()
    card.form.more.press()
    assert card.form.fields["out"].widget.winfo_manager() and not card.form.more.winfo_manager()


def test_a_lora_that_was_just_trained_is_put_into_the_tool_that_draws(cards: Any, tmp_path: Path) -> None:
    card = cards["sample"]
    page = card.master.master.master.master
    for name in ("a", "b", "b"):
        page.reveal(str(tmp_path / name))
        assert card.form.fields["loras"].read() == [str(tmp_path / name)]


def test_what_a_run_saved_is_tried_on_the_base_model_of_the_run(cards: Any, engine: Any, tmp_path: Path) -> None:
    card = cards["sample"]
    run = leave(tmp_path / "workspace" / "robot")
    settings = json.loads((run / "preset.json").read_text())
    (run / "preset.json").write_text(json.dumps({**settings, "model": {"source": "somebody/base", "family": "sdxl"}}))
    (run / "models").mkdir()
    lora, model = run / "models" / "robot.safetensors", run / "models" / "whole"
    lora.write_bytes(b"")
    model.mkdir()
    page = card.master.master.master.master
    page.reveal(str(lora))
    card.button.press()
    sent = engine.sent.pop().settings
    assert sent["preset"]["model"] | {"source": "somebody/base", "family": "sdxl"} == sent["preset"]["model"]
    assert sent["loras"] == [str(lora)] and sent["prompts"][0]["prompt"] == PROMPTS[0]
    card.context.running.take(Finished())
    prompt(card, prompt="my own words")
    page.reveal(str(model))
    assert card.form.fields["prompts"].read()[0]["prompt"] == "my own words", "what was typed stays"
    assert card.form.fields["preset"].read()["model"]["source"] == str(model)
    card.form.show("preset", "another/model")
    assert card.form.fields["preset"].read()["model"]["source"] == "another/model"
    assert card.form.fields["preset"].read()["sampling"]["prompts"] == []


def test_a_tool_that_is_only_a_row_and_a_file_has_its_card(
    cards: Any, person: Person, engine: Any, context: AppContext, root: Any, tmp_path: Path
) -> None:
    from app.gui.tools.card import ToolCard

    card = ToolCard(root, context, ROW)
    card.pack(fill="both", expand=True)
    assert not card.form.fields["most"].widget.winfo_manager(), "it counts for a list that is ranked"
    choose(card.form.fields["ranked"].made.widget, True)
    assert card.form.fields["most"].widget.winfo_manager()
    fill(card, text="a.txt", out=str(tmp_path / "b.txt"), most="500", case="same", words=["a"])
    card.button.press()
    assert person.finds("at most 100") and engine.sent == []
    fill(card, most="5")
    card.button.press()
    settings = {"text": "a.txt", "out": str(tmp_path / "b.txt"), "words": ["a"], "case": "same", "ranked": True}
    assert engine.sent == [RunTool("count", {**settings, "most": 5})]
    context.running.take(Finished(path=settings["out"]))
    assert words(card) == f"Written: {settings['out']}"
    card.destroy()


def test_filling_the_cache_can_be_stopped(cards: Any, engine: Any, context: AppContext, pump: Pump) -> None:
    card = cards["cache"]
    card.button.press()
    card.stop.press()
    assert engine.sent == [RunTool("cache", {"preset": context.draft.freeze()}), Stop(now=True)]
    context.running.take(Finished(stopped=True))
    assert words(card) == "Stopped."


def test_while_something_runs_every_tool_goes_into_the_queue_and_says_so(
    cards: Any, engine: Any, context: AppContext, pump: Pump
) -> None:
    context.running.begin("train")
    pump(lambda: cards["cache"].stands.cget("text") == "A training is running: this begins after it.")
    assert cards["cache"].button.text == "Add to queue"
    cards["cache"].button.press()
    assert engine.sent == []
    assert [entry.job for entry in context.jobs.entries] == [RunTool("cache", {"preset": context.draft.freeze()})]
    context.running.take(Finished(5))
    pump(lambda: cards["cache"].button.text == "Fill the cache")


def test_a_look_at_the_settings_is_waited_for(cards: Any, context: AppContext, pump: Pump) -> None:
    context.running.begin("check")
    pump(lambda: cards["cache"].button.reason == "Available when the current job has finished.")


def test_a_wrong_project_fills_no_cache(cards: Any, context: AppContext, pump: Pump) -> None:
    context.draft.put("training.batch_size", 0)
    pump(lambda: cards["cache"].stands.cget("text") == "Fix 1 setting first (F8).")
    assert cards["sample"].button.enabled


def test_the_folders_are_those_of_the_settings(
    cards: Any, person: Person, context: AppContext, pump: Pump, tmp_path: Path
) -> None:
    assert cards["FoldersCard"].winfo_ismapped() and not dict(cards)["sample"].winfo_ismapped()
    assert person.finds(str(tmp_path / "workspace"))
    context.draft.put("general.workspace", str(tmp_path / "elsewhere"))
    pump(lambda: person.finds(str(tmp_path / "elsewhere")))
    said: list[str] = []
    context.notify = lambda text, *_: said.append(text)
    person.click("Open")
    assert said == [f"{tmp_path / 'elsewhere'} does not exist yet."]


def test_tensorboard_answers_and_ends(tmp_path: Path) -> None:
    from queue import SimpleQueue
    from urllib.request import urlopen

    answers: SimpleQueue[str] = SimpleQueue()
    board = TensorBoard(answers.put)
    board.start(tmp_path)
    with urlopen(answers.get(timeout=240)) as page:
        assert page.status == 200
    board.stop()
    assert not board.alive
