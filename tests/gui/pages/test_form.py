"""Every setting of the schema in the states that show it: seen, changed by hand, reset, undone, refused in words."""

from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.desk import Desk
from app.gui.draft import Draft
from app.gui.form import SettingRow
from app.gui.interval_entry import IntervalEntry
from app.gui.kit import Button, Choice, Segmented, Switch
from app.gui.layers_picker import LayersPicker
from app.gui.pages import PAGES
from app.gui.typed import judged, written
from app.gui.wording import shown_value
from modules.preset.knobs import Knob, kind_of
from modules.preset.problems import UNIONS, all_knobs
from tests.gui.conftest import Pump
from tests.gui.pages.by_hand import choose, page_of, row_alone, type_into, words_in

# A switch beside the title, not a row
IN_THE_HEAD = ("sampling.prompts.0.enabled", "sampling.loras.0.enabled")
KNOBS = [knob for knob in all_knobs() if not knob.entry and knob.path not in IN_THE_HEAD]


OTHER = {  # texts that mean something
    "concepts.0.caption_ending": ".tags", "concepts.0.more_captions": ".caption", "concepts.0.shares": "2, 1",
    "concepts.0.replacements": "a => b", "concepts.0.resolutions": "640", "training.resolutions": "640",
    "optimizer.name": "torch.optim:Adamax", "optimizer.arguments": "eps=1e-3", "schedule.points": "0:0.5, 1:0",
}  # fmt: skip


def name_of(knob: Knob) -> str:
    return f"{knob.path}-{'-'.join(map(str, knob.when.values))}" if knob.when else knob.path


def bring_in_play(draft: Draft, knob: Knob) -> None:
    """Choose whatever shows this setting."""
    above, _, name = knob.path.partition(".0.")
    if name and not draft.get(above):
        draft.add(above)
    if "text_encoder_2" in knob.path:
        draft.put("model.family", "sdxl")
    if knob.when is not None:
        path = knob.when.path if "." in knob.when.path else f"{knob.path.rpartition('.')[0]}.{knob.when.path}"
        bring_in_play(draft, next(other for other in all_knobs() if other.path == path))
        draft.put(path, knob.when.values[0])
    section, _, name = knob.path.partition(".")
    if section in UNIONS and not draft.shows(knob, knob.path):
        owner = next(member for member in UNIONS[section] if name in member.model_fields)
        draft.put(f"{section}.kind", kind_of(owner))
        if knob.when is not None:
            draft.put(knob.when.path, knob.when.values[0])
    assert draft.shows(knob, knob.path)


def row_for(desk: Desk, knob: Knob) -> SettingRow:
    """The row on its page; for concepts, whose page is another's, the row alone."""
    key = knob.path.partition(".")[0]
    if key == "concepts":
        return row_alone(desk, knob.path)
    card = next(card for card in PAGES if key in card.sections)
    page = page_of(desk, card.key)
    page.reveal(knob.path)
    return page.row_of(knob.path)


def another(knob: Knob, draft: Draft) -> Any:
    """A value that differs and is good."""
    now = draft.get(knob.path)
    if knob.path in OTHER:
        return OTHER[knob.path]
    if knob.kind is bool:
        return not now
    if knob.choices:
        return next(choice for choice in knob.choices if choice != now)
    if knob.widget in ("interval", "warmup"):
        return "7 steps"
    if isinstance(now, str):
        return "<other>" if knob.path.endswith("token") else "other"
    tried = (now + 1, now - 1) if knob.kind is int else (now / 2, now + 0.25)
    return next(value for value in tried if value != now and not judged(knob.path, value, draft.values)[1])


def set_by_hand(row: SettingRow, value: Any) -> None:
    """As a person would: keys on the control."""
    control = row.made.widget
    if isinstance(control, Switch):
        control.focus_force()
        control.event_generate("<space>")
    elif isinstance(control, Choice | Segmented):
        choose(control, value)
    elif isinstance(control, LayersPicker):
        control.choice.focus_force()
        choose(control.choice, "\0own")
        type_into(control.entry.inner, str(value))
    elif isinstance(control, IntervalEntry):
        choose(control.choice, str(value).split()[1])
        type_into(control.entry.inner, str(value).split()[0])
    elif row.knob.widget == "lines":
        control.inner.insert("1.0", str(value))
        control.flush()
    else:
        type_into(control.inner, written(value))


def arrow_of(row: SettingRow) -> Button | None:
    """The arrow back, if it is to be seen."""
    return next((child for child in row.winfo_children() if isinstance(child, Button) and child.winfo_manager()), None)


def shown_in(row: SettingRow) -> Any:
    """What the control says; where it shows words in the place of a 0, that 0."""
    shown = row.made.widget.get()
    return 0 if row.knob.zero and shown == "" else shown


@pytest.mark.parametrize("knob", KNOBS, ids=name_of)
def test_a_setting_is_shown_on_its_page_changed_reset_undone_and_redone(desk: Desk, pump: Pump, knob: Knob) -> None:
    draft = desk.draft
    bring_in_play(draft, knob)
    if knob.widget == "layers":
        draft.put(knob.path, "all")
    row = row_for(desk, knob)
    pump(row.winfo_ismapped)
    assert row.knob.label in words_in(row)
    before, value = draft.get(knob.path), another(knob, draft)

    set_by_hand(row, value)
    assert draft.get(knob.path) == value
    assert draft.errors().get(knob.path, "") in ["", *words_in(row)]
    original = draft.original(knob.path)
    if original != value:
        arrow = arrow_of(row)
        assert arrow is not None, "a changed setting has an arrow back"
        arrow.press()
        assert draft.get(knob.path) == original
        assert arrow_of(row) is None
        draft.undo()
        assert draft.get(knob.path) == value
        assert shown_in(row) in (value, written(value))
        draft.redo()
        assert draft.get(knob.path) == original
        draft.undo()
    while draft.get(knob.path) != before:
        assert draft.undo()
    # "1 epoch" is shown as 1 and epochs.
    assert str(shown_in(row)).rstrip("s") in (str(before).rstrip("s"), written(before).rstrip("s"))


TYPED = [
    knob for knob in KNOBS
    if knob.kind in (int, float) or knob.widget in ("interval", "warmup")
    or knob.path.endswith((".token", ".tag_separator"))
]  # fmt: skip


@pytest.mark.parametrize("knob", TYPED, ids=name_of)
def test_wrong_text_stands_there_with_a_sentence_until_escape(desk: Desk, pump: Pump, knob: Knob) -> None:
    draft = desk.draft
    bring_in_play(draft, knob)
    if knob.widget == "interval":
        draft.put(knob.path, "7 steps")
    row = row_for(desk, knob)
    good = draft.get(knob.path)
    wrong = "" if knob.kind is str and not knob.widget else "soon"
    inner = row.made.hears[0]

    type_into(inner, wrong)
    sentence = draft.errors()[knob.path]
    assert sentence
    assert sentence in words_in(row), "it stands under the control"
    assert inner.get() == wrong, "what was typed stays"
    assert draft.get(knob.path) == good, "the last good value stays"

    inner.event_generate("<Escape>")
    before = written(good).split()[0] if knob.widget else written(good)
    assert inner.get() == ("" if knob.zero and good == 0 else before)
    assert knob.path not in draft.errors()
    assert sentence not in words_in(row)


@pytest.mark.parametrize("knob", [knob for knob in TYPED if knob.limits], ids=name_of)
def test_a_number_out_of_range_is_refused_in_words(desk: Desk, knob: Knob) -> None:
    bring_in_play(desk.draft, knob)
    row = row_for(desk, knob)
    type_into(row.made.hears[0], "-100000")
    assert any("-100000 is out of range" in words for words in words_in(row))


def test_a_nothing_that_stands_for_something_says_so_and_means_zero(desk: Desk, pump: Pump) -> None:
    knob = next(knob for knob in KNOBS if knob.path == "training.steps")
    desk.draft.put(knob.path, 300)
    row = row_for(desk, knob)
    pump(row.winfo_ismapped)
    assert row.made.widget.get() == "300"
    type_into(row.made.hears[0], "")
    assert desk.draft.get(knob.path) == 0
    assert knob.path not in desk.draft.errors()
    desk.draft.put(knob.path, 300)
    desk.draft.undo()
    assert row.made.widget.get() == ""
    assert shown_value(knob, 0) == "epochs decide"
