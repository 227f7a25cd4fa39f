"""The page "Tools": what each card sends, shows and says."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from app.gui.tools.tensorboard import TensorBoard
from modules.messages import (
    ConvertModel,
    Failed,
    FillCache,
    Finished,
    MakeImages,
    Phase,
    SampleReady,
    Stop,
)

Pump = Callable[..., None]


@pytest.fixture
def cards(context: AppContext, root: Any, tmp_path: Path, pump: Pump) -> Iterator[dict[str, Any]]:
    """The cards of the page by the name of their class."""
    from app.gui.kit import Pictures
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
    yield {type(card).__name__: card for card in page.cards}
    page.destroy()
    context.pictures.close()


def words(card: Any) -> str:
    return str(card.result.cget("text"))


def test_images_are_asked_for_with_every_prompt_and_seed(
    cards: Any, engine: Any, context: AppContext, tmp_path: Path
) -> None:
    card = cards["ImagesCard"]
    card.prompts.controls["prompt"].set("a robot\n\na boat\n")
    card.prompts.controls["seed"].set("5")
    card.count.set("2")
    card.add_lora(str(tmp_path / "style.safetensors"))
    card.add_lora("")
    card.button.press()
    (sent,) = engine.sent
    assert isinstance(sent, MakeImages)
    assert [(p["prompt"], p["seed"]) for p in sent.prompts] == [
        ("a robot", 5),
        ("a robot", 6),
        ("a boat", 5),
        ("a boat", 6),
    ]
    assert sent.loras == [str(tmp_path / "style.safetensors")]
    assert sent.preset["model"]["source"] == "starter:model"
    assert Path(sent.folder) == tmp_path / "workspace" / "images"
    assert context.running.what == "sample"


def test_another_model_goes_into_the_job_and_not_into_the_project(cards: Any, engine: Any, context: AppContext) -> None:
    card = cards["ImagesCard"]
    card.prompts.controls["prompt"].set("a robot")
    card.model.set("somebody/model")
    card.button.press()
    assert engine.sent[0].preset["model"]["source"] == "somebody/model"
    assert context.draft.get("model.source") == "starter:model"


def test_images_appear_as_they_come_and_open_large(
    cards: Any, context: AppContext, pump: Pump, tmp_path: Path, root: Any
) -> None:
    from app.gui.run.image_viewer import ImageViewer

    card = cards["ImagesCard"]
    card.prompts.controls["prompt"].set("a robot")
    card.button.press()
    path = tmp_path / "000001 - 42 - a robot.png"
    Image.new("RGB", (64, 64), (200, 60, 60)).save(path)
    context.running.take(Phase("Making images", 3, 20))
    assert card.stands.cget("text") == "Making images: 15 %"
    context.running.take(SampleReady(str(path), "a robot", 0, 1))
    context.running.take(Finished(path=str(tmp_path)))
    pump(card.grid_of_images.winfo_viewable)
    assert card.grid_of_images.count == 1 and "1 image in" in words(card)
    assert context.running.samples == [], "the samples of a run are another thing"
    card._open(0)
    (dialog,) = [child for child in root.winfo_children() if isinstance(child, ImageViewer)]
    pump(dialog.winfo_viewable)
    assert dialog.facts.cget("text") == "Image 1"
    dialog.close(None)


def test_what_is_wrong_stands_under_its_field(cards: Any, engine: Any, context: AppContext) -> None:
    card = cards["ImagesCard"]
    card.count.set("0")
    card.prompts.controls["width"].set("100")
    card.button.press()
    assert "whole number" in card.count_row._error.cget("text")
    assert engine.sent == [] and not context.running.busy


def test_a_model_is_converted(cards: Any, engine: Any, context: AppContext, tmp_path: Path) -> None:
    card = cards["ConvertCard"]
    card.button.press()
    assert card.rows["Model"]._error.cget("text") == "Choose a model"
    card.source.set("starter:model")
    card.target.set(str(tmp_path / "out"))
    card.dtype.set("fp16")
    card.button.press()
    target = str(tmp_path / "out.safetensors")
    assert engine.sent == [ConvertModel("starter:model", target, "", "single_file", "fp16", "", False)]
    assert not card.stop.winfo_manager(), "a conversion listens to nothing"
    context.running.take(Failed("out.safetensors exists already."))
    assert words(card) == "out.safetensors exists already." and card.button.enabled


def test_filling_the_cache_can_be_stopped(cards: Any, engine: Any, context: AppContext, pump: Pump) -> None:
    card = cards["CacheCard"]
    card.button.press()
    card.stop.press()
    assert isinstance(engine.sent[0], FillCache) and engine.sent[1] == Stop(now=True)
    context.running.take(Finished(stopped=True))
    assert words(card) == "Stopped."


def test_while_the_engine_is_busy_every_tool_says_when(
    cards: Any, engine: Any, context: AppContext, pump: Pump
) -> None:
    context.running.begin("train")
    pump(lambda: cards["CacheCard"].stands.cget("text") == "After this run.")
    for name in ("ImagesCard", "ConvertCard", "CacheCard"):
        assert cards[name].button.reason == "After this run."
        cards[name].button.press()
    assert engine.sent == []
    context.running.take(Finished(5))
    pump(lambda: cards["CacheCard"].button.enabled)


def test_a_wrong_project_fills_no_cache(cards: Any, context: AppContext, pump: Pump) -> None:
    context.draft.put("training.batch_size", 0)
    pump(lambda: cards["CacheCard"].stands.cget("text") == "1 setting is wrong (F8).")
    assert cards["ImagesCard"].button.enabled


def test_the_folders_are_those_of_the_settings(cards: Any, context: AppContext, pump: Pump, tmp_path: Path) -> None:
    label, _ = cards["FoldersCard"]._lines[0]
    assert label.cget("text") == str(tmp_path / "workspace")
    context.draft.put("general.workspace", str(tmp_path / "elsewhere"))
    pump(lambda: label.cget("text") == str(tmp_path / "elsewhere"))
    said: list[str] = []
    context.notify = lambda text, *_: said.append(text)
    cards["FoldersCard"]._open(tmp_path / "elsewhere")
    assert said == [f"{tmp_path / 'elsewhere'} does not exist yet."]


def test_tensorboard_answers_and_ends(tmp_path: Path) -> None:
    from queue import SimpleQueue
    from urllib.request import urlopen

    answers: SimpleQueue[str] = SimpleQueue()
    board = TensorBoard(answers.put)
    board.start(tmp_path)
    with urlopen(answers.get(timeout=60)) as page:
        assert page.status == 200
    board.stop()
    assert not board.alive
