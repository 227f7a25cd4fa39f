"""The dialog "Make captions": what it shows of three images, what it writes, and the way back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from modules.captioning.record import CaptionRecord
from modules.messages import CaptionReady, Failed, Finished, RunTool, Stage, Stop, note
from modules.sentences.problem import problem
from tests.captioning.tiny_tagger import write_tagger
from tests.gui.person import Person

Pump = Callable[..., None]
SCORES = [("robot", "general", 0.97), ("red_balloon", "general", 0.5), ("toy", "general", 0.3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five images, the last without a caption."""
    folder = tmp_path / "robots"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (16, 16), (number * 40, 90, 60)).save(folder / f"{number}.png")
        if number < 4:
            (folder / f"{number}.txt").write_text(f"robot {number}")
    return folder


@pytest.fixture
def said(context: AppContext) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []

    def notify(text: str, action: str = "", on_action: Any = None, more: Any = ()) -> None:
        found.append((text, on_action))
        found.extend((label, act) for label, act in more)

    context.notify = notify
    return found


@pytest.fixture
def open_dialog(
    context: AppContext, root: Any, folder: Path, tmp_path: Path, pump: Pump, said: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Any]]:  # fmt: skip
    from app.gui.caption_models import undo
    from app.gui.caption_models.dialog import MakeCaptions
    from app.gui.kit import Pictures

    monkeypatch.setattr(undo, "cache_folder", lambda: tmp_path / "cache")
    context.pictures = Pictures(root, None)
    made: list[Any] = []

    def opened(**last: Any) -> Any:
        asked = {"tagger": str(write_tagger(tmp_path / "tagger")), "captioner": str(folder)} | last
        context.window_state.put("captioning", asked)
        context.draft.put("concepts", [])
        number = context.draft.add("concepts", {"path": str(folder)})
        made.append(MakeCaptions(root, context, [number], [str(folder / "1.png")], lambda: said.append(("read", None))))
        pump(lambda: made[-1].shots)
        return made[-1]

    yield opened
    for dialog in made:
        dialog.close(None)
    context.pictures.close()


def asked(engine: Any) -> dict[str, Any]:
    sent = engine.sent[-1]
    assert isinstance(sent, RunTool) and sent.name == "caption"
    return sent.settings


def finish(context: AppContext, dialog: Any, what: Any = "tags", **more: Any) -> None:
    """The engine shows a caption of each image in the preview, and ends."""
    for row in dialog.rows:
        text = "robot, red balloon" if what == "tags" else "A robot waves."
        scores = SCORES if what == "tags" else []
        context.running.take(CaptionReady(str(row.shot.file), what, text, scores, tokens=4, **more))
    context.running.take(Finished())
    dialog.update()


def to_the_end(slider: Any) -> None:
    """A click at its right end."""
    slider.update()
    slider.event_generate("<Button-1>", x=max(slider.winfo_width() - 1, 400), y=5)


def tags_of(dialog: Any, number: int = 0) -> list[tuple[str, str]]:
    return [(word.text, word.look) for word in dialog.rows[number].tags.words]


def test_three_images_are_tagged_at_once_and_sliders_only_choose(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any, person: Person
) -> None:
    dialog = open_dialog(prefix="blip")
    assert dialog.rows[0].shot.file.name == "4.png", "the one without a caption comes first"
    assert len(asked(engine)["only"]) == 3 and asked(engine)["preview"]
    finish(context, dialog)
    assert tags_of(dialog) == [
        ("blip", "lead"), ("robot", "kept"), ("red balloon", "kept"), ("toy", "left"),
    ]  # fmt: skip
    assert person.sees("2 tags an image") and person.sees("4.png · was: no caption")
    sent = len(engine.sent)
    to_the_end(dialog.form.sliders["general"])
    dialog.update()
    assert ("robot", "left") in tags_of(dialog) and person.sees("0 tags an image")
    dialog.form.sliders["general"].set(0.2)
    dialog.form.exclude.set("robot")
    dialog.filtered()
    assert tags_of(dialog) == [("blip", "lead"), ("red balloon", "kept"), ("toy", "kept")]
    assert len(engine.sent) == sent


def test_the_button_says_how_many_are_written_and_writes_them(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any, person: Person
) -> None:
    dialog = open_dialog()
    finish(context, dialog)
    assert person.sees("Write 1 caption")
    dialog.form.images.set("all")
    dialog.filtered()
    assert person.sees("Write 1 caption"), "the others are kept"
    dialog.form.existing.set("beside")
    dialog.filtered()
    assert person.sees("Write 5 captions") and person.sees("as .tags")
    dialog.form.images.set("selected")
    dialog.filtered()
    assert person.sees("Write 1 caption")
    person.click("Write 1 caption")
    settings = asked(engine)
    assert not settings["preview"] and settings["only"] == [str(dialog.shots[1].file)]
    assert (settings["images"], settings["existing"], settings["ending"]) == ("all", "beside", ".txt")


def test_while_it_writes_it_is_a_line_with_stop_and_undo_takes_all_back(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any, person: Person, folder: Path, said: list[Any],
    tmp_path: Path,
) -> None:  # fmt: skip
    dialog = open_dialog()
    finish(context, dialog)
    person.click("Write 1 caption")
    context.running.take(Stage("stage.tagging", 1, 4))
    dialog.update()
    assert person.sees("Tagging images: 1 of 4") and not person.sees("Preview on 3 images")
    with CaptionRecord(tmp_path / "cache", str(folder)) as record:
        record.write(folder / "4.txt", "robot")
    person.click("Stop")
    assert engine.sent[-1] == Stop(now=True)
    context.running.take(note(problem("captioning.written", count=1)))
    context.running.take(Finished(stopped=True))
    assert not dialog.winfo_exists()
    assert [text for text, _ in said] == ["read", "1 caption written."]
    said[-1][1]()
    assert not (folder / "4.txt").exists()
    assert [text for text, _ in said[2:]] == ["1 file is as before", "read"]


def test_sentences_are_made_on_request_and_grey_when_the_prompt_changes(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any, person: Person
) -> None:
    dialog = open_dialog(kind="sentences")
    assert not engine.sent, "a large model is not opened unasked"
    person.click("Preview")
    assert asked(engine)["kind"] == "sentences"
    finish(context, dialog, "sentences")
    assert dialog.rows[0].text.cget("text") == "A robot waves." and person.sees("4 tokens")
    fresh = dialog.rows[0].text.cget("fg")
    dialog.form.prompt.inner.insert("1.0", "Which colours?")
    dialog.form.prompt.flush()
    dialog.update()
    assert dialog.rows[0].text.cget("fg") != fresh
    dialog.preview()
    finish(context, dialog, "sentences", problems=[problem("captioning.empty", file="4.png")])
    assert person.sees("4.png gets no caption: the model wrote nothing.")


def test_a_model_that_is_not_here_is_downloaded_by_the_button_alone(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.gui.caption_models import dialog as module
    from app.gui.caption_models import model_choice

    for each in (module, model_choice):
        monkeypatch.setattr(each, "model_is_here", lambda name: Path(name).is_dir())
    dialog = open_dialog(tagger="SmilingWolf/wd-vit-tagger-v3")
    assert not engine.sent and person.sees("380 MB · Apache-2.0")
    assert person.greyed("Preview")
    person.click("Download 380 MB")
    assert asked(engine)["preview"], "it shows what the model does before anything is written"
    context.running.take(Failed("Hugging Face does not answer."))
    dialog.update()
    assert person.sees("Hugging Face does not answer.")


def test_images_that_got_none_are_read_before_the_dialog_goes(
    open_dialog: Callable[..., Any], context: AppContext, person: Person
) -> None:
    dialog = open_dialog()
    finish(context, dialog)
    person.click("Write 1 caption")
    context.running.take(note(problem("captioning.no-tags", file="4.png"), level="warning"))
    context.running.take(note(problem("captioning.written", count=0)))
    context.running.take(Finished())
    dialog.update()
    assert person.sees("4.png gets no tags: none is likely enough.")


def test_it_waits_while_something_else_runs(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any, person: Person
) -> None:
    context.running.begin("train")
    dialog = open_dialog()
    dialog.refresh()
    assert not engine.sent and person.sees("Available when the run has finished.")
    assert person.greyed("Write 1 caption")


def test_other_three_are_others_until_all_were_seen(open_dialog: Callable[..., Any], context: AppContext) -> None:
    dialog = open_dialog()
    finish(context, dialog)
    first = {row.shot.file.name for row in dialog.rows}
    dialog.others.press()
    finish(context, dialog)
    assert {row.shot.file.name for row in dialog.rows} | first == {f"{number}.png" for number in range(5)}


def test_captions_beside_the_others_can_become_sources_of_training(
    open_dialog: Callable[..., Any], context: AppContext, person: Person, said: list[Any]
) -> None:
    dialog = open_dialog(kind="both")
    person.click("Write 2 captions")
    context.running.take(note(problem("captioning.written", count=2)))
    context.running.take(Finished())
    assert not dialog.winfo_exists()
    dict(said)["Use in training"]()
    concept = context.draft.preset().concepts[0]
    assert [source.ending for source in concept.caption_files] == [".txt", ".tags", ".prose"]
    assert concept.several == "pick"


def test_what_was_made_last_can_be_undone_later(
    open_dialog: Callable[..., Any], person: Person, folder: Path, tmp_path: Path, pump: Pump
) -> None:
    with CaptionRecord(tmp_path / "cache", str(folder)) as record:
        record.write(folder / "0.txt", "by a model")
    dialog = open_dialog(kind="sentences")
    person.click("Undo the captions made last")
    pump(lambda: dialog.shots)
    assert (folder / "0.txt").read_text() == "robot 0" and not person.sees("Undo the captions made last")


def test_what_cannot_be_used_is_said_and_nothing_starts(
    open_dialog: Callable[..., Any], engine: Any, person: Person
) -> None:
    dialog = open_dialog(kind="sentences")
    dialog.form.prefix.set("x" * 600)
    dialog.filtered()
    assert person.sees("500") and person.greyed("Write 1 caption") and person.greyed("Preview")
    dialog.preview()
    assert not engine.sent
    dialog.form.prefix.set("")
    dialog.filtered()
    assert not person.greyed("Write 1 caption")


def test_escape_stops_a_preview_and_leaves_writing_alone(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any, person: Person
) -> None:
    dialog = open_dialog()
    finish(context, dialog)
    person.click("Write 1 caption")
    dialog.close(None)
    assert dialog.winfo_exists() and isinstance(engine.sent[-1], RunTool)
    context.running.take(Finished(stopped=True))
    assert not dialog.winfo_exists()
    dialog = open_dialog()
    dialog.close(None)
    assert engine.sent[-1] == Stop(now=True) and not dialog.winfo_exists()


def test_sliders_stand_where_the_model_recommends_until_they_are_moved(
    open_dialog: Callable[..., Any], context: AppContext, engine: Any
) -> None:
    dialog = open_dialog(character=0.6)
    assert (asked(engine)["general"], asked(engine)["character"], asked(engine)["rating"]) == (0.0, 0.6, 1.0)
    finish(context, dialog, thresholds={"general": 0.2, "character": 0.9, "rating": 1.0})
    sliders = dialog.form.sliders
    assert (sliders["general"].get(), sliders["character"].get()) == pytest.approx((0.2, 0.6))
    assert ("toy", "kept") in tags_of(dialog)
    to_the_end(sliders["general"])
    dialog.preview()
    assert asked(engine)["general"] == 1.0
