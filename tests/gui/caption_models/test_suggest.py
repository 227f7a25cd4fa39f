"""Ways to captions by models from elsewhere: "Suggest" on the page Captions, and the concepts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from modules.messages import CaptionReady, Finished, RunTool, Stop
from modules.sentences.problem import problem
from tests.captioning.tiny_tagger import write_tagger
from tests.gui.by_hand import page_of
from tests.gui.person import Person

Pump = Callable[..., None]


@pytest.fixture
def said(context: AppContext) -> list[str]:
    found: list[str] = []
    context.notify = lambda text, *_, **__: found.append(text)
    return found


@pytest.fixture
def folder(context: AppContext, tmp_path: Path) -> Path:
    """Two images of the only concept."""
    folder = tmp_path / "robots"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (16, 16), (40, 90, 60)).save(folder / f"{name}.png")
    context.draft.put("concepts", [])
    context.draft.add("concepts", {"path": str(folder)})
    return folder


@pytest.fixture
def pictures(context: AppContext, root: Any) -> Iterator[None]:
    from app.gui.kit import Pictures

    context.pictures = Pictures(root, None)
    yield
    context.pictures.close()


@pytest.fixture
def page(context: AppContext, folder: Path, pictures: None, said: list[str], pump: Pump) -> Iterator[Any]:
    page = page_of(context, "captions")
    page.shown()
    pump(lambda: page.work.captions.all)
    yield page
    page.destroy()


def suggested(context: AppContext, image: Path, text: str, **more: Any) -> None:
    context.running.take(CaptionReady(str(image), "tags", text, **more))
    context.running.take(Finished())


def test_the_model_of_last_time_captions_the_image_in_the_editor(
    page: Any, context: AppContext, engine: Any, folder: Path, person: Person, tmp_path: Path, said: list[str]
) -> None:
    person.click("Suggest")
    assert not engine.sent and said == ["Choose a model under “Make captions” first."]
    context.window_state.put("captioning", {"tagger": str(write_tagger(tmp_path / "tagger")), "kind": "tags"})
    person.click("Suggest")
    (sent,) = engine.sent
    assert isinstance(sent, RunTool) and sent.settings["only"] == [str(folder / "a.png")] and sent.settings["preview"]
    suggested(context, folder / "a.png", "robot, smile")
    assert page.editor.text.get() == "robot, smile" and not (folder / "a.txt").exists(), "it is typed, not saved"
    assert page.editor.save() and (folder / "a.txt").read_text() == "robot, smile"


def test_a_suggestion_for_another_image_is_dropped(
    page: Any, context: AppContext, engine: Any, folder: Path, person: Person, tmp_path: Path, said: list[str]
) -> None:
    context.window_state.put("captioning", {"tagger": str(write_tagger(tmp_path / "tagger"))})
    person.click("Suggest")
    page.step(1)
    suggested(context, folder / "a.png", "robot")
    assert page.editor.text.get() == ""
    person.click("Suggest")
    suggested(context, folder / "b.png", "", problems=[problem("captioning.empty", file="b.png")])
    assert page.editor.text.get() == "" and "b.png gets no caption" in said[-1]
    person.click("Suggest")
    person.click("Stop")
    assert engine.sent[-1] == Stop(now=True)


def test_the_chosen_concept_gets_captions_from_its_page(
    context: AppContext, folder: Path, pictures: None, person: Person, pump: Pump
) -> None:
    page = page_of(context, "concepts")
    page.shown()
    pump(lambda: person.sees("robots"))
    page.update()
    person.click("robots")
    person.click("Make captions")
    pump(lambda: person.sees("Preview on 2 images"))
    person.click("Cancel")
    page.destroy()
