"""The layers of the model: the row, the tree in its dialog, layer groups."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.form.layer_dialog import LayerDialog
from app.gui.form.layers_picker import OWN, LayersPicker
from app.gui.kit import Tree, TreeLine, theme
from modules.preset.validate import all_settings
from tests.gui.by_hand import page_of, row_alone, type_into
from tests.gui.conftest import Pump
from tests.gui.person import Person


@pytest.fixture
def sdxl(counting: AppContext) -> AppContext:
    counting.draft.apply({"model.family": "sdxl", "method.kind": "full"}, "a full fine-tune of SDXL")
    return counting


def dialog_of(context: AppContext, pump: Pump, path: str = "method.layers") -> LayerDialog:
    dialog = LayerDialog(context, path)
    pump(dialog.winfo_viewable)
    pump(lambda: dialog.layers.whole)
    pump(lambda: dialog.focus_get() is not None)
    return dialog


def line(dialog: LayerDialog, key: str) -> TreeLine:
    return next(each for each in dialog.tree.lines if each.key == key)


def offered(picker: Any) -> list[Any]:
    """What the list of the row holds."""
    opened = picker.choice.open()
    found = [option.value for option in opened.list.shown]
    opened.close()
    return found


def press(tree: Tree, *keys: str) -> None:
    tree.focus_force()
    for key in keys:
        tree.event_generate(f"<{key}>")


# The row --------------------------------------------------------------------------------------------------------------


def test_the_row_offers_the_sets_of_the_chosen_family(sdxl: AppContext, pump: Pump) -> None:
    picker: Any = row_alone(sdxl, "method.layers").made.widget
    assert isinstance(picker, LayersPicker)
    sets = offered(picker)
    assert "71 %" in sets
    assert "inner" not in sets
    assert sets.index("up") < sets.index(OWN) < sets.index("input 4")
    sdxl.draft.put("model.family", "sd")
    pump(lambda: "inner" in offered(picker))
    assert "71 %" not in offered(picker)


def test_the_row_says_which_share_is_trained_and_in_how_much_memory(sdxl: AppContext, pump: Pump) -> None:
    picker: Any = row_alone(sdxl, "method.layers").made.widget
    pump(lambda: "100.0\u00a0%" in picker.share.cget("text"))
    sdxl.draft.put("method.layers", "71 %")
    pump(lambda: picker.share.cget("text") == "71.2\u00a0% of the U-Net trained, in 27.2 GB")
    sdxl.draft.put("training.weights", "bf16")
    pump(lambda: "in 20.4 GB" in picker.share.cget("text"))
    sdxl.draft.put("method.layers", "nobody")
    pump(lambda: picker.share.cget("text").endswith('nothing in this model matches "nobody".'))
    assert (picker.choice.get(), picker.entry.get()) == (OWN, "nobody")


def test_an_engine_that_does_not_answer_leaves_words_and_a_form_that_lives(
    context: AppContext, person: Person, pump: Pump
) -> None:
    picker: Any = row_alone(context, "method.layers").made.widget
    pump(lambda: picker.share.cget("text") == "Counting …")
    dialog = picker.open()
    pump(dialog.winfo_viewable)
    assert person.sees("Reading the names of the layers …")
    context.draft.put("method.layers", "mid")
    dialog.close(None)
    pump()
    assert picker.choice.get() == "mid"


def test_an_engine_that_cannot_answer_leaves_no_number(
    context: AppContext, person: Person, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.queries, "get", lambda what, values: {})
    picker: Any = row_alone(context, "method.layers").made.widget
    picker.open()
    pump(lambda: person.sees("The layers of this model could not be found out."))
    assert not picker.share.cget("text")


# The tree of the kit --------------------------------------------------------------------------------------------------


def test_a_tree_is_walked_folded_and_ticked_by_keys(context: AppContext, pump: Pump) -> None:
    told: list[tuple[str, str]] = []
    tree = Tree(context.app, lambda key: told.append(("tick", key)), on_fold=lambda key: told.append(("fold", key)))
    tree.pack(fill="both", expand=True)
    lines = [TreeLine("a", "A", opened=True), TreeLine("b", "B", 1), TreeLine("c", "C", opened=False)]
    tree.show(lines)
    pump()
    press(tree, "Down", "Right", "space")
    assert (tree.key, told) == ("b", [("tick", "b")])
    press(tree, "Left")
    assert tree.key == "a"
    press(tree, "Left", "End", "Right", "Return", "Home")
    assert told[1:] == [("fold", "a"), ("fold", "c"), ("tick", "c")]
    tree.show([lines[2], lines[0]])
    assert tree.key == "a"  # the marked line stays marked where it stands now


def test_a_click_on_the_box_ticks_on_the_arrow_folds_and_on_the_words_marks(context: AppContext, pump: Pump) -> None:
    told: list[tuple[str, str]] = []
    tree = Tree(context.app, lambda key: told.append(("tick", key)), on_fold=lambda key: told.append(("fold", key)))
    tree.pack(fill="both", expand=True)
    tree.show([TreeLine("a", "A", opened=True), TreeLine("b", "B", 1)])
    pump()
    for x, y in ((32, 10), (12, 10), (90, 40)):
        tree.event_generate("<Button-1>", x=x, y=y)
    assert told == [("tick", "a"), ("fold", "a")]
    assert tree.key == "b"


def test_of_thousands_of_lines_only_those_in_view_are_drawn(context: AppContext, pump: Pump) -> None:
    tree = Tree(context.app, lambda key: None)
    tree.pack(fill="both", expand=True)
    tree.show([TreeLine(str(n), f"Line {n}", note="1") for n in range(5000)])
    pump()
    assert len(tree.find_all()) < 5 * (tree.fits + 2)
    press(tree, "End")
    pump()
    assert tree.key == "4999"
    assert any(tree.itemcget(item, "text") == "Line 4999" for item in tree.find_all() if tree.type(item) == "text")
    theme.set("light")
    pump()


# The dialog -----------------------------------------------------------------------------------------------------------


def test_a_ready_set_ticks_the_tree_and_a_tick_writes_names(sdxl: AppContext, person: Person, pump: Pump) -> None:
    dialog = dialog_of(sdxl, pump)
    dialog.choose("71 %")
    assert sdxl.draft.get("method.layers") == "71 %"
    pump(lambda: person.sees("1,827,058,244 of 2,567,463,684 weights (71.2\u00a0%)"))
    pump(lambda: person.sees("Training takes 27.2 GB: weights 6.8 GB, gradients 6.8 GB, optimizer 13.6 GB."))
    assert (line(dialog, "down").ticked, line(dialog, "mid").ticked) == (None, True)
    assert next(each.key for each in dialog.sets.lines if each.ticked) == "71 %"
    dialog.tick_all(False)
    dialog.tick("mid")
    dialog.fold("down")
    dialog.tick("input 4")
    assert sdxl.draft.get("method.layers") == "mid, input 4"
    assert not any(each.ticked for each in dialog.sets.lines)


def test_each_tick_is_one_change_that_undo_takes_back_in_the_tree_too(sdxl: AppContext, pump: Pump) -> None:
    dialog = dialog_of(sdxl, pump)
    dialog.tick("up")
    dialog.tick("mid")
    assert (line(dialog, "up").ticked, line(dialog, "mid").ticked) == (False, False)
    dialog.event_generate("<Control-z>")
    assert (line(dialog, "up").ticked, line(dialog, "mid").ticked) == (False, True)
    sdxl.draft.undo()
    assert sdxl.draft.get("method.layers") == "all"
    assert line(dialog, "up").ticked


def test_nothing_ticked_is_shown_and_not_written(sdxl: AppContext, person: Person, pump: Pump) -> None:
    dialog = dialog_of(sdxl, pump)
    dialog.tick_all(False)
    assert sdxl.draft.get("method.layers") == "all"
    assert person.sees("at least one")
    dialog.tick_all(True)
    assert not person.sees("at least one")
    assert line(dialog, "up").ticked


def test_an_expression_that_was_typed_is_read_back_into_ticks(sdxl: AppContext, pump: Pump) -> None:
    sdxl.draft.put("method.layers", r"mid_block\.attentions")
    dialog = dialog_of(sdxl, pump)
    assert "mid" in dialog.opened  # what is ticked in part is unfolded
    assert (line(dialog, "middle 1").ticked, line(dialog, "middle 0").ticked) == (True, False)


def test_the_search_finds_goes_there_and_return_leads_into_the_tree(sdxl: AppContext, pump: Pump) -> None:
    dialog = dialog_of(sdxl, pump)
    type_into(dialog.search.inner, "output 5 cross", end="<Return>")
    pump(lambda: len(dialog.tree.lines) == 4)
    assert dialog.winfo_exists()
    assert line(dialog, dialog.tree.key).title == "Cross-attention (text)"
    press(dialog.tree, "space")
    assert "output 5.1" not in sdxl.draft.get("method.layers")
    assert sdxl.draft.get("method.layers") != "all"


def test_the_marked_line_becomes_a_group_with_a_rate_of_its_own(sdxl: AppContext, person: Person, pump: Pump) -> None:
    gone: list[tuple[str, ...]] = []
    sdxl.go = lambda *where: gone.append(where)
    sdxl.draft.put("training.learning_rate", 3e-6)
    sdxl.draft.add("method.groups", {"layers": "all"})
    dialog = dialog_of(sdxl, pump)
    dialog.tree.go("mid")
    person.click("Learning rate for Middle block …")
    group = sdxl.draft.get("method.groups")[0]  # before the one that holds all
    assert (group["layers"], group["learning_rate"]) == ("mid", 3e-6)
    assert gone == [("method", "method.groups.0.learning_rate")]
    assert not dialog.winfo_exists()
    again = dialog_of(sdxl, pump)
    assert line(again, "mid").mark == "rate 3e-06"


def test_the_layers_of_a_group_are_chosen_in_the_same_tree(sdxl: AppContext, person: Person, pump: Pump) -> None:
    sdxl.draft.add("method.groups", {"layers": "mid"})
    dialog = dialog_of(sdxl, pump, "method.groups.0.layers")
    assert (line(dialog, "mid").ticked, line(dialog, "up").ticked) == (True, False)
    assert not person.sees("learning rate …")  # no group of a group
    dialog.tick("up")
    assert sdxl.draft.get("method.groups.0.layers") == "mid, up"
    sdxl.draft.undo()
    sdxl.draft.undo()  # the group itself
    pump(lambda: not dialog.winfo_exists())


def test_adapters_show_their_layers_and_what_convolutions_bring(
    counting: AppContext, person: Person, pump: Pump
) -> None:
    counting.draft.put("method.kind", "lora")
    counting.draft.put("method.conv", True)
    dialog = dialog_of(counting, pump)
    pump(lambda: person.sees("16,813,056 trainable parameters."))
    assert person.sees("86 more layers of resnets")
    assert "time" not in [each.key for each in dialog.tree.lines]
    counting.draft.put("method.kind", "embedding")
    pump(lambda: not dialog.winfo_exists())


# The page -------------------------------------------------------------------------------------------------------------


def test_groups_are_added_and_removed_on_the_page_and_hidden_for_embeddings(
    sdxl: AppContext, person: Person, pump: Pump
) -> None:
    page = page_of(sdxl, "method")
    pump()
    assert person.finds("Layer groups")
    page.groups.add()
    assert sdxl.draft.get("method.groups.0.layers") == "mid"
    assert page.row_of("method.groups.0.learning_rate").path == "method.groups.0.learning_rate"
    sdxl.draft.put("method.kind", "embedding")
    pump(lambda: not person.finds("Layer groups"))
    sdxl.draft.put("method.kind", "full")
    pump(lambda: person.finds("Layer groups"))
    assert len(page.groups.made) == 1


def test_masks_and_guards_are_the_last_cards_of_the_training_page(context: AppContext) -> None:
    page = page_of(context, "training")
    titles = [str(card.title.cget("text")) for card in page.form.winfo_children() if getattr(card, "title", None)]
    sections = {setting.path.rpartition(".")[0]: setting.section for setting in all_settings()}
    assert titles[-2:] == [sections["training.masks"], sections["training.guards"]]


def test_every_list_of_the_schema_has_an_editor_on_some_page(context: AppContext) -> None:
    from app.gui.draft.visibility import LISTS

    assert {setting.path for setting in all_settings() if setting.entry} == set(LISTS)
    edited = {"concepts"}
    for key in ("model", "method", "sampling"):
        page = page_of(context, key)
        homes = (page, getattr(page, "distilled", page))
        named = [(home, name) for home in homes for name in ("list", "groups", "loras")]
        edited |= {getattr(home, name).path for home, name in named if hasattr(home, name)}
    assert edited == set(LISTS)
