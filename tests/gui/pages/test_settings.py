"""The pages of settings: typing, folding, what applies, live settings, lists, hints, and that nothing is cut off."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.draft import choice_labels
from app.gui.draft.draft import Draft
from app.gui.kit import Card, Switch, the_tip, theme
from app.gui.kit.base.tip import tip_text
from app.gui.pages import PAGES
from modules.messages import Change
from modules.preset.preset import Preset
from modules.preset.validate import all_settings
from tests.gui.by_hand import page_of, row_alone, type_into, words_in
from tests.gui.conftest import Listening, Pump

FORMS = [card.key for card in PAGES if card.sections and card.key != "concepts"]


def test_what_is_typed_stays_as_it_is_until_typing_is_over(context: AppContext) -> None:
    row = row_alone(context, "training.learning_rate")
    inner = row.made.widget.inner
    type_into(inner, "3e-4", end="<Key-Shift_L>")
    row.flush()
    assert (context.draft.get("training.learning_rate"), inner.get()) == (0.0003, "3e-4")
    context.draft.put("training.epochs", 3)  # something else changes meanwhile
    assert inner.get() == "3e-4"
    inner.event_generate("<Return>")
    assert inner.get() == "0.0003"


@pytest.mark.parametrize(("typed", "kept"), [("13", 16), ("100", 96), ("511", 512), ("512", 512)])
def test_a_size_goes_to_the_nearest_possible_once_typing_is_over(context: AppContext, typed: str, kept: int) -> None:
    context.draft.put("model.family", "sd")
    row = row_alone(context, "training.resolution")
    type_into(row.made.widget.inner, typed, end="<Key-Shift_L>")
    row.flush()
    assert context.draft.get("training.resolution") == int(typed)
    row.made.widget.inner.event_generate("<Return>")
    assert (context.draft.get("training.resolution"), row.made.widget.get()) == (kept, str(kept))
    if kept != int(typed):
        context.draft.undo()
        assert context.draft.get("training.resolution") == int(typed)


def test_letters_typed_in_one_go_are_undone_in_one_go(context: AppContext) -> None:
    context.draft = Draft(Preset(), clock=lambda: 0.0)
    row = row_alone(context, "training.epochs")
    for text in ("5", "51", "512"):
        type_into(row.made.widget.inner, text, end="<Key-Shift_L>")
        row.flush()
    assert context.draft.get("training.epochs") == 512
    context.draft.undo()
    assert (context.draft.get("training.epochs"), row.made.widget.get()) == (20, "20")
    assert not context.draft.can_undo


def test_what_is_shown_follows_what_it_depends_on(context: AppContext, pump: Pump) -> None:
    page = page_of(context, "training")
    pump()
    assert page.form.row("objective.min_snr_gamma") is None
    context.draft.put("objective.weighting", "min_snr")
    pump(lambda: page.form.row("objective.min_snr_gamma").winfo_ismapped())
    row = page.form.row("objective.min_snr_gamma")
    context.draft.undo()
    pump(lambda: not row.winfo_ismapped())


def card_titles(page: Any) -> list[str]:
    cards = [child for child in page.form.winfo_children() if isinstance(child, Card) and child.winfo_manager()]
    return [str(card.title.cget("text")) for card in cards if card.title is not None]


def test_text_encoders_are_shown_where_the_model_has_them_and_the_method_trains_them(
    context: AppContext, pump: Pump
) -> None:
    page = page_of(context, "training")
    pump(lambda: "Text encoder" in card_titles(page))
    context.draft.put("model.family", "sdxl")
    pump(lambda: {"Text encoder 1", "Text encoder 2"} <= set(card_titles(page)))
    context.draft.put("method.kind", "embedding")
    pump(lambda: not any("encoder" in title or "Denoiser" in title for title in card_titles(page)))
    assert "Optimizer" in card_titles(page)


def test_advanced_settings_are_folded_unless_they_differ_or_are_wrong(context: AppContext, pump: Pump) -> None:
    page = page_of(context, "model")
    card = next(each for each in page.form.winfo_children() if isinstance(each, Card) and each.link)
    assert re.fullmatch(r"Show \d+ advanced", card.link.cget("text"))
    assert page.form.row("model.vae_dtype") is None

    card.link.press()
    assert page.form.row("model.vae_dtype") is not None
    assert card.link.cget("text") == "Hide advanced"
    assert context.window_state.get("expert") == ["model"], "the window remembers it"
    card.link.press()
    assert page.form.row("model.vae_dtype") is None

    context.draft.put("model.clip_skip", 2)
    context.draft.type("model.max_chunks", "many")
    assert page.form.row("model.clip_skip") is not None
    assert page.form.row("model.max_chunks") is not None
    assert re.fullmatch(r"Show \d+ advanced", card.link.cget("text"))


def test_a_setting_that_was_searched_for_is_unfolded_in_sight_and_has_the_focus(
    context: AppContext, pump: Pump
) -> None:
    context.app.geometry("1000x620")
    page = page_of(context, "training")
    pump()
    page.reveal("objective.noise.offset")
    row = page.row_of("objective.noise.offset")
    pump(row.winfo_ismapped)
    pump(lambda: context.app.focus_lastfor() is row.made.widget.inner)
    top = row.winfo_rooty() - page.area.winfo_rooty()
    assert 0 <= top <= page.area.winfo_height() - row.winfo_height()


def test_the_help_tells_the_meaning_the_preset_the_limits_and_the_key(context: AppContext) -> None:
    row = row_alone(context, "training.batch_size")
    words = tip_text(row.made.widget)
    for part in ("Images per forward and backward pass", "Default: 2 images", "at least 1", "training.batch_size"):
        assert part in words


def test_f1_shows_the_help(context: AppContext, pump: Pump) -> None:
    row = row_alone(context, "training.epochs")
    pump(row.winfo_ismapped)
    row.made.widget.inner.focus_force()
    row.made.widget.inner.event_generate("<F1>")
    pump(lambda: "How many times every image is shown" in the_tip.shown)


def test_tab_goes_down_the_page_also_over_rows_that_came_later(context: AppContext, pump: Pump) -> None:
    page = page_of(context, "model")
    context.draft.put("model.vae", "my.safetensors")
    pump(lambda: page.form.row("model.vae").winfo_ismapped())
    source, vae, dtype = (page.form.row(f"model.{name}").made.widget for name in ("source", "vae", "dtype"))
    reached = [source.inner]
    while reached[-1] is not dtype:
        reached.append(reached[-1].tk_focusNext())
        assert len(reached) < 16
    assert vae.inner in reached


# Live settings --------------------------------------------------------------------------------------------------------


def test_a_live_setting_goes_to_the_run_under_way_and_says_so(context: AppContext, engine: Listening) -> None:
    row = row_alone(context, "sampling.every")
    context.draft.put("sampling.every", "5 steps")
    assert engine.sent == [], "no run is under way"
    assert not any("run that is going on" in words for words in words_in(row))

    context.running.begin("train")
    context.running.take(_any_event())
    assert any("run that is going on" in words for words in words_in(row))
    type_into(row.made.widget.entry.inner, "9")
    assert engine.sent == [Change("sampling.every", "9 steps")]
    type_into(row.made.widget.entry.inner, "soon")
    assert len(engine.sent) == 1, "what is wrong stays here"
    context.draft.load("Another", Preset())
    assert len(engine.sent) == 1, "a preset that is loaded is for the next run"


def _any_event() -> Any:
    from modules.messages import Note

    return Note("hello")


def test_rows_that_are_gone_hear_nothing_more(context: AppContext, pump: Pump) -> None:
    for key in FORMS:
        page_of(context, key).destroy()
    pump()
    context.draft.put("method.kind", "embedding")
    context.draft.put("training.epochs", 3)
    context.running.take(_any_event())


# Lists ----------------------------------------------------------------------------------------------------------------


def test_prompts_are_added_duplicated_moved_switched_off_and_removed(context: AppContext, pump: Pump) -> None:
    said: list[tuple[str, Any]] = []
    context.notify = lambda text, action="", act=None: said.append((text, act))
    page = page_of(context, "sampling")
    prompts, editor = (lambda: context.draft.get("sampling.prompts")), page.list
    assert prompts() == []
    editor.add()
    pump()
    type_into(editor.made[0].rows["prompt"].made.widget.inner, "a cat")
    editor.duplicate(0)
    pump()
    type_into(editor.made[1].rows["prompt"].made.widget.inner, "a dog")
    editor.move(0, 1)
    assert [prompt["prompt"] for prompt in prompts()] == ["a dog", "a cat"]
    assert editor.made[0].rows["prompt"].made.widget.get() == "a dog"
    switch = next(child for child in editor.made[1].head.winfo_children() if isinstance(child, Switch))
    switch.turn()
    assert [prompt["enabled"] for prompt in prompts()] == [True, False]

    editor.remove(0)
    assert [prompt["prompt"] for prompt in prompts()] == ["a cat"]
    assert len(editor.made) == 1
    text, undo = said[-1]
    assert text == "Prompt 1 removed"
    undo()
    assert [prompt["prompt"] for prompt in prompts()] == ["a dog", "a cat"]
    assert len(editor.made) == 2


def test_a_folded_prompt_says_what_is_folded_and_is_unfolded_by_a_search(context: AppContext, pump: Pump) -> None:
    for _ in range(5):
        context.draft.add("sampling.prompts")
    page = page_of(context, "sampling")
    assert list(page.list.made[3].rows) == ["prompt", "negative", "seed", "width", "height"]
    page.reveal("sampling.prompts.3.guidance")
    pump()
    assert "guidance" in page.list.made[3].rows
    context.draft.type("sampling.prompts.4.steps", "x")
    assert "steps" in page.list.made[4].rows, "what is wrong is always shown"


def test_many_prompts_are_made_some_at_a_time(context: AppContext) -> None:
    context.draft.put("sampling.prompts", [{"prompt": f"number {n}"} for n in range(50)])
    page = page_of(context, "sampling")
    assert len(page.list.made) == 40
    page.reveal("sampling.prompts.41.prompt")
    assert page.list.made[41].rows["prompt"].made.widget.get() == "number 41"


def test_new_words_have_names_of_their_own_and_stay_with_another_method(context: AppContext, pump: Pump) -> None:
    context.draft.put("method.kind", "embedding")
    page = page_of(context, "method")
    assert "words" in context.draft.errors()
    page.list.add()
    page.list.add()
    words = [word["token"] for word in context.draft.get("words")]
    assert len(set(words)) == 2
    assert "words" not in context.draft.errors()
    context.draft.put("method.kind", "lora")
    pump()
    assert len(context.draft.get("words")) == 2 and page.list.winfo_manager()


# Model ----------------------------------------------------------------------------------------------------------------


def test_models_to_start_from_are_those_of_the_chosen_type(context: AppContext, pump: Pump) -> None:
    page = page_of(context, "model")
    pump()

    def links(widget: Any) -> Iterator[Any]:
        from app.gui.kit import LinkButton

        for child in widget.winfo_children():
            yield from ([child] if isinstance(child, LinkButton) else links(child))

    assert "stabilityai/stable-diffusion-2-1" in [link.cget("text") for link in links(page)]
    context.draft.put("model.family", "sdxl")
    link = next(link for link in links(page) if "xl-base" in link.cget("text"))
    link.press()
    assert context.draft.get("model.source") == "stabilityai/stable-diffusion-xl-base-1.0"


# Words ----------------------------------------------------------------------------------------------------------------


def test_words_are_for_choices_that_exist() -> None:
    for path, words in choice_labels.WORDS.items():
        setting = next(setting for setting in all_settings() if setting.path == path)
        assert set(words) == set(setting.choices), path


@pytest.mark.parametrize("percent", [100, 150])
@pytest.mark.parametrize("key", FORMS)
def test_no_page_is_cut_off_at_the_side(context: AppContext, pump: Pump, key: str, percent: int) -> None:
    theme.zoom(percent)
    context.draft.put("model.family", "sdxl")
    context.app.geometry(f"{680 * percent // 100}x900")
    page = page_of(context, key)
    pump(lambda: page.form.winfo_height() > 50)
    pump()
    for card in page.form.winfo_children():
        if isinstance(card, Card) and card.winfo_manager():
            edge = card.winfo_rootx() + card.winfo_width()
            for widget in inside(card):
                assert widget.winfo_rootx() + widget.winfo_width() <= edge, widget
            assert all(
                row.made.widget.winfo_width() >= 100
                for row in inside(card)
                if hasattr(row, "made") and row.made.stretch
            )


def inside(widget: Any) -> Iterator[Any]:
    for child in widget.winfo_children():
        if child.winfo_ismapped():
            yield child
            yield from inside(child)
