"""The card "Your own LoRA": from the tutorial to a run with one's own images, as a person goes through it."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.draft.preset_library import Library
from app.gui.own_lora.facts import trigger_warning
from app.gui.own_lora.model import tiles_for
from modules.messages import Finished, Started, Train
from tests.gui.contexts import sent
from tests.gui.person import Person


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six images; four have a caption, three of them with the word."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (64 + 8 * number, 64), (30 * number, 90, 160)).save(folder / f"{number}.png")
    for number, words in enumerate(("ohwx on a chair", "Ohwx, sitting", "an ohwx", "a chair")):
        (folder / f"{number}.txt").write_text(words)
    return folder


def test_four_steps_lead_from_a_folder_to_a_run(whole_window: Any, person: Person, photos: Path) -> None:
    window, draft = whole_window, whole_window.context.draft
    window.context.own_lora()
    person.pump(lambda: person.sees("Your own LoRA"))
    assert person.sees("0 of 4")
    assert person.greyed("Start training")
    assert person.sees("Choose images first.")
    assert not person.sees("problem")
    window.drop([photos])
    assert draft.get("concepts")[-1]["path"] == str(photos)
    window.go("general")
    person.pump(lambda: person.sees("6 images, all usable"))
    assert person.sees("2 without a caption")
    person.pump(lambda: person.sees("1 of 4"))
    person.type("ohwx", "ohwx")
    person.pump(lambda: person.sees("in 3 of 6 captions"))
    assert draft.get("concepts.0.trigger") == "ohwx"
    person.click("Write it into 3 captions")
    person.pump(lambda: person.sees("in all captions"))
    assert (photos / "3.txt").read_text() == "ohwx, a chair"
    assert (photos / "5.txt").read_text() == "ohwx"
    assert (photos / "2.txt").read_text() == "an ohwx"
    person.pump(lambda: person.sees("Model and graphics card"))
    assert person.greyed("Check and start")
    person.click("SDXL")
    assert draft.get("model.family") == "sdxl"
    person.pump(lambda: person.sees("3 of 4") and not person.greyed("Check and start"))
    person.click("Check and start")
    [train] = sent(window.context)
    assert isinstance(train, Train)


def test_the_card_is_closed_and_opened_again_from_the_presets(whole_window: Any, person: Person) -> None:
    person.click("Robot LoRA")
    person.click("Your own LoRA, step by step")
    person.pump(lambda: person.sees("0 of 4"))
    assert whole_window.context.draft.get("concepts") == []
    whole_window.undo_actions.undo()
    assert [concept["path"] for concept in whole_window.context.draft.get("concepts")] == ["starter:robot"]
    whole_window.go("general")
    person.click("Close; the list of presets opens it again")
    person.pump(lambda: not person.sees("Your own LoRA"))


def test_opened_during_a_run_it_leaves_the_images_of_the_run(whole_window: Any, person: Person) -> None:
    whole_window.context.running.begin("train")
    whole_window.context.own_lora()
    person.pump(lambda: person.sees("Your own LoRA"))
    assert [concept["path"] for concept in whole_window.context.draft.get("concepts")] == ["starter:robot"]


def test_the_first_run_of_the_tutorial_leads_to_it(whole_window: Any, person: Person) -> None:
    window = whole_window
    window.context.running.begin("train")
    for event in (Started("/runs/a", 600, 10, 60), Finished(600)):
        window.context.engine.inbox.put(event)
    person.pump(lambda: person.sees("Train on your own images"))
    window.go("general")
    person.pump(lambda: person.sees("Your own LoRA"))


def test_tiles_take_the_largest_preset_that_fits_the_card() -> None:
    entries = Library(Path("/nowhere")).entries()
    named = {room: {t.entry.path.stem: t.fits for t in tiles_for(entries, room)} for room in (0, 12.5, 24.5)}
    assert named[0] == {"LoRA 8 GB": False}
    assert named[12.5] == {"LoRA 12 GB": True}
    assert named[24.5] == {"LoRA 12 GB": True, "LoRA 24 GB": True}


def test_a_common_word_is_warned_about_and_a_made_up_one_is_not() -> None:
    assert "“robot”" in trigger_warning("robot", "sd", "starter:model")
    assert [trigger_warning(word, "sd", "") for word in ("ohwx", "sks", "blip robot", "")] == ["", "", "", ""]
