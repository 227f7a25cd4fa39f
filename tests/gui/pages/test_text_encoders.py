"""The form has a card for each text encoder of the family, however many those are."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.draft.draft import Draft
from app.gui.kit import Card
from modules.catalog import FAMILIES
from modules.preset.preset import Preset
from tests.families.pretend.card import CARD
from tests.gui.by_hand import page_of
from tests.gui.conftest import Pump
from tests.gui.person import Person


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "pretend", CARD)
        yield


def card_titles(page: Any) -> list[str]:
    cards = [child for child in page.form.winfo_children() if isinstance(child, Card) and child.winfo_manager()]
    return [str(card.title.cget("text")) for card in cards if card.title is not None]


def test_a_family_of_four_text_encoders_shows_those_that_can_be_trained(
    registered: None, context: AppContext, pump: Pump
) -> None:
    context.draft = Draft(Preset())
    page = page_of(context, "training")
    pump(lambda: "Text encoder" in card_titles(page))
    context.draft.put("model.family", "pretend")
    pump(lambda: "Text encoder 3" in card_titles(page))
    assert [title for title in card_titles(page) if "encoder" in title] == [f"Text encoder {n}" for n in (1, 2, 3)]
    context.draft.put("training.text_encoder_3.train", True)
    assert list(context.draft.preset().trained_parts()) == ["denoiser", "text_encoder_3"]
    assert not [path for path in context.draft.errors() if path.startswith("training")]


def test_what_means_nothing_for_a_family_is_not_shown(context: AppContext, pump: Pump) -> None:
    context.draft = Draft(Preset())
    page = page_of(context, "model")
    pump(lambda: page.form.row("output.model_format") is not None or True)
    context.draft.put("model.clip_skip", 2)
    pump(lambda: page.form.row("model.clip_skip") is not None)
    context.draft.put("model.family", "pretend")
    pump(lambda: page.form.row("model.clip_skip") is None)


def test_layers_of_any_family_are_chosen_by_name(registered: None, context: AppContext, pump: Pump) -> None:
    context.draft = Draft(Preset())
    context.draft.put("model.family", "pretend")
    page = page_of(context, "method")
    pump(lambda: page.form.row("method.layers") is not None)
    picker = page.form.row("method.layers").made.widget
    opened = picker.choice.open()
    assert "attention" in [option.value for option in opened.list.shown]
    opened.close()


@pytest.mark.parametrize("family", [name for name, card in FAMILIES.items() if card.comes_in_parts])
def test_models_that_learn_no_words_are_offered_no_embeddings(
    context: AppContext, person: Person, pump: Pump, family: str
) -> None:
    page_of(context, "method")
    assert person.finds("Add an embedding")
    context.draft.put("model.family", family)
    pump(lambda: not person.finds("Embeddings"))
    context.draft.put("method.kind", "full")
    context.draft.put("model.family", "sd")
    pump(lambda: person.finds("Add an embedding"))
