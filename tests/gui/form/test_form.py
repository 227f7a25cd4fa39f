"""Every setting of the schema is seen where it is in play; one of each kind is changed by hand, reset, refused."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.draft.draft import Draft
from app.gui.draft.labels import value_text
from app.gui.draft.parsing import judged, written
from app.gui.form import automatic
from app.gui.form.form import SettingRow
from app.gui.form.interval_entry import IntervalEntry
from app.gui.form.layers_picker import LayersPicker
from app.gui.kit import Button, Choice, Segmented, Switch
from app.gui.pages import PAGES
from app.gui.session.hardware import Card, Reading
from modules.catalog import FAMILIES, FamilyCard
from modules.preset.preset import Preset
from modules.preset.setting_info import SettingInfo, kind_of
from modules.preset.validate import UNIONS, all_settings
from tests.gui.by_hand import choose, page_of, row_alone, type_into, words_in
from tests.gui.conftest import Pump
from tests.gui.person import Person

# A switch beside the title, not a row
IN_THE_HEAD = ("sampling.prompts.0.enabled", "sampling.loras.0.enabled", "model.training_adapters.0.enabled")


def _used(card: FamilyCard, path: str) -> bool:
    """Whether a family has this setting: of a text encoder that is trained, or at all."""
    encoder = path.split(".")[1] if path.startswith("training.text_encoder_") else ""
    return card.uses(path) and (not encoder or encoder in card.trainable)


# One of those that several optimizers or methods have alike
KNOBS = list({
    (setting.path, setting.label, setting.kind, setting.widget, setting.limits, setting.choices, setting.zero): setting
    for setting in all_settings()
    if not setting.entry and setting.path not in IN_THE_HEAD
    and any(_used(card, setting.path) for card in FAMILIES.values())  # SD 3's third text encoder is never trained
}.values())  # fmt: skip


OTHER = {  # texts that mean something
    "concepts.0.caption_ending": ".tags", "concepts.0.more_captions": ".caption", "concepts.0.shares": "2, 1",
    "concepts.0.replacements": "a => b", "concepts.0.resolutions": "640", "training.resolutions": "640",
    "training.resolution": 640, "training.bucket_step": 128, "training.min_side": 320, "training.max_side": 1024,
    "sampling.prompts.0.height": 640, "sampling.prompts.0.width": 640,
    "optimizer.name": "torch.optim:Adamax", "optimizer.arguments": "eps=1e-3", "schedule.points": "0:0.5, 1:0",
}  # fmt: skip


def name_of(setting: SettingInfo) -> str:
    return f"{setting.path}-{'-'.join(map(str, setting.when.values))}" if setting.when else setting.path


def bring_in_play(draft: Draft, setting: SettingInfo) -> None:
    """Choose whatever shows this setting."""
    above, _, name = setting.path.partition(".0.")
    if name and not draft.get(above):
        draft.add(above)
    if not draft.is_visible(setting, setting.path) and not _used(FAMILIES[draft.get("model.family")], setting.path):
        draft.put("model.family", next(name for name, card in FAMILIES.items() if _used(card, setting.path)))
    if setting.when is not None:
        path = (
            setting.when.path if "." in setting.when.path else f"{setting.path.rpartition('.')[0]}.{setting.when.path}"
        )
        bring_in_play(draft, next(other for other in all_settings() if other.path == path))
        draft.put(path, setting.when.values[0])
    section, _, name = setting.path.partition(".")
    if section in UNIONS and not draft.is_visible(setting, setting.path):
        owner = next(member for member in UNIONS[section] if name in member.model_fields)
        draft.put(f"{section}.kind", kind_of(owner))
        if setting.when is not None:
            draft.put(setting.when.path, setting.when.values[0])
    assert draft.is_visible(setting, setting.path)


def page_key(setting: SettingInfo) -> str:
    """The page that is a form and shows it; concepts have a page of their own kind."""
    section = setting.path.partition(".")[0]
    return next((card.key for card in PAGES if section in card.sections and section != "concepts"), "")


def own_draft(context: AppContext, setting: SettingInfo) -> Draft:
    """A draft that knows nothing of the settings before this one, in which this one is shown."""
    slow = count(step=10)  # each change is one to undo
    context.draft = Draft(Preset(), clock=lambda: float(next(slow)))
    bring_in_play(context.draft, setting)
    if setting.widget == "layers":
        context.draft.put(setting.path, "all")
    return context.draft


def another(setting: SettingInfo, draft: Draft) -> Any:
    """A value that differs and is good."""
    now = draft.get(setting.path)
    if setting.path in OTHER:
        return OTHER[setting.path]
    if setting.kind is bool:
        return not now
    if setting.choices:
        return next(choice for choice in setting.choices if choice != now)
    if setting.widget in ("interval", "warmup", "share"):
        return "7 %" if setting.widget == "share" else "7 steps"
    if isinstance(now, str):
        return "<other>" if setting.path.endswith("token") else "other"
    tried = (now + 1, now - 1) if setting.kind is int else (now / 2, now + 0.25)
    return next(value for value in tried if value != now and not judged(setting.path, value, draft.values)[1])


def set_by_hand(row: SettingRow, value: Any) -> None:
    """As a person would: keys on the control."""
    control = row.made.widget
    if isinstance(control, Switch):
        control.update()  # keys reach only what is on the screen
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
    elif row.setting.widget == "lines":
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
    return 0 if row.setting.zero and shown == "" else shown


def by(name: Callable[[SettingInfo], str], settings: Iterable[SettingInfo]) -> Any:
    """A test for all settings of a page, or a section: to make a page for each setting takes long."""
    found: dict[str, list[SettingInfo]] = {}
    for setting in settings:
        found.setdefault(name(setting), []).append(setting)
    return pytest.mark.parametrize("settings", found.values(), ids=found)


@by(page_key, filter(page_key, KNOBS))
def test_a_page_shows_its_settings_when_they_are_in_play(
    context: AppContext, pump: Pump, subtests: pytest.Subtests, settings: list[SettingInfo]
) -> None:
    start = context.draft.state
    page = page_of(context, page_key(settings[0]))
    for setting in settings:
        with subtests.test(name_of(setting)):
            context.draft.restore(start)
            bring_in_play(context.draft, setting)
            page.reveal(setting.path)
            row = page.row_of(setting.path)
            pump(row.winfo_ismapped)
            label = "Model type" if setting.path == "model.variant" else setting.label  # it stands in that row
            assert row.label.cget("text") in label  # one text encoder alone is not counted


def section_of(setting: SettingInfo) -> str:
    return setting.path.partition(".")[0]


def one_of_each_kind(settings: Iterable[SettingInfo]) -> Iterable[SettingInfo]:
    """In each section one with this control and kind of value: draft/test_draft.py changes all, without a window."""
    found: dict[object, SettingInfo] = {}
    for setting in settings:
        many, limited = len(setting.choices) > 4, bool(setting.limits)
        kind = (setting.kind, setting.widget, many, limited, bool(setting.zero), setting.path in OTHER)
        found.setdefault((section_of(setting), *kind), setting)
    return found.values()


@by(section_of, one_of_each_kind(KNOBS))
def test_a_setting_is_changed_by_hand_reset_undone_and_redone(
    context: AppContext, subtests: pytest.Subtests, settings: list[SettingInfo]
) -> None:
    for setting in settings:
        with subtests.test(name_of(setting)):
            draft = own_draft(context, setting)
            row = row_alone(context, setting.path)
            changed_reset_undone_and_redone(row, draft)
            row.master.destroy()


def changed_reset_undone_and_redone(row: SettingRow, draft: Draft) -> None:
    setting = row.setting
    assert setting.label in words_in(row)
    before, value = draft.get(setting.path), another(setting, draft)

    set_by_hand(row, value)
    assert draft.get(setting.path) == value
    assert draft.errors().get(setting.path, "") in ["", *words_in(row)]
    original = draft.original(setting.path)
    if original != value:
        arrow = arrow_of(row)
        assert arrow is not None, "a changed setting has an arrow back"
        arrow.press()
        assert draft.get(setting.path) == original
        assert arrow_of(row) is None
        draft.undo()
        assert draft.get(setting.path) == value
        assert shown_in(row) in (value, written(value))
        draft.redo()
        assert draft.get(setting.path) == original
        draft.undo()
    while draft.get(setting.path) != before:
        assert draft.undo()
    # "1 epoch" is shown as 1 and epochs.
    assert str(shown_in(row)).rstrip("s") in (str(before).rstrip("s"), written(before).rstrip("s"))


TYPED = [
    setting for setting in KNOBS
    if setting.kind in (int, float) or setting.widget in ("interval", "warmup", "share")
    or setting.path.endswith((".token", ".tag_separator"))
]  # fmt: skip


@by(section_of, one_of_each_kind(TYPED))
def test_wrong_text_stands_there_with_a_sentence_until_escape(
    context: AppContext, subtests: pytest.Subtests, settings: list[SettingInfo]
) -> None:
    for setting in settings:
        with subtests.test(name_of(setting)):
            draft = own_draft(context, setting)
            if setting.widget in ("interval", "share"):
                draft.put(setting.path, another(setting, draft))
            row = row_alone(context, setting.path)
            wrong_text_stands_there(row, draft)
            row.master.destroy()


def wrong_text_stands_there(row: SettingRow, draft: Draft) -> None:
    setting, good = row.setting, draft.get(row.path)
    wrong = "" if setting.kind is str and not setting.widget else "soon"
    inner = row.made.key_targets[0]
    if setting.limits:
        type_into(inner, "-100000")
        assert any("-100000 is out of range" in words for words in words_in(row))

    type_into(inner, wrong)
    sentence = draft.errors()[setting.path]
    assert sentence
    assert sentence in words_in(row), "it stands under the control"
    assert inner.get() == wrong, "what was typed stays"
    assert draft.get(setting.path) == good, "the last good value stays"

    inner.event_generate("<Escape>")
    before = written(good).split()[0] if setting.widget else written(good)
    assert inner.get() == ("" if setting.zero and good == 0 else before)
    assert setting.path not in draft.errors()
    assert sentence not in words_in(row)


def test_a_nothing_that_stands_for_something_says_so_and_means_zero(context: AppContext) -> None:
    setting = next(setting for setting in KNOBS if setting.path == "training.steps")
    context.draft.put(setting.path, 300)
    row = row_alone(context, setting.path)
    assert row.made.widget.get() == "300"
    type_into(row.made.key_targets[0], "")
    assert context.draft.get(setting.path) == 0
    assert setting.path not in context.draft.errors()
    context.draft.put(setting.path, 300)
    context.draft.undo()
    assert row.made.widget.get() == ""
    assert value_text(setting, 0) == "epochs decide"


NO_CARD = Reading(1.0, 2, 3)
AMPERE, TURING = (replace(NO_CARD, card=Card("a card", 0, 1, 2, 0, version)) for version in ((8, 6), (7, 5)))


@pytest.mark.parametrize(
    ("build", "reading", "device", "dtype"),
    [("cuda", AMPERE, "cuda", "bf16"), ("cuda", TURING, "cuda", "fp16"), ("cuda", NO_CARD, "cpu", "fp32"),
     ("cuda", None, "", ""), ("cpu", AMPERE, "cpu", "fp32"), ("rocm7.2", NO_CARD, "", "")],
)  # fmt: skip
def test_automatic_is_what_this_machine_makes_of_it(
    build: str, reading: Reading | None, device: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic, "_torch_build", lambda: build)
    values = Preset().model_dump(mode="json")
    assert automatic.stands_for("general.device", values, reading) == device
    assert automatic.stands_for("model.dtype", values, reading) == dtype
    values["general"]["device"] = "cpu"
    assert automatic.stands_for("model.dtype", values, reading) == "fp32"
    values["training"]["weights"] = "bf16"
    assert automatic.stands_for("model.dtype", values, reading) == "bf16"


def test_the_form_says_what_automatic_stands_for(
    context: AppContext, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic, "_torch_build", lambda: "cuda")
    context.meters.latest = TURING
    row = row_alone(context, "model.dtype")
    segments = row.made.widget
    assert isinstance(segments, Segmented)
    row.pack(fill="x")
    pump()
    assert drawn(segments)[0] == "Automatic (fp16)"
    context.draft.put("training.weights", "bf16")
    pump()
    assert drawn(segments)[0] == "Automatic (bf16)"


def drawn(canvas: Any) -> list[str]:
    """The words that are drawn."""
    return [canvas.itemcget(item, "text") for item in canvas.find_all() if canvas.type(item) == "text"]


def test_the_menu_of_a_setting_lets_its_values_be_tried(context: AppContext, person: Person) -> None:
    tried: list[str] = []
    context.try_values = tried.append
    row_alone(context, "training.batch_size")
    person.click("Batch size", button=3)
    person.click("Try values of this …")
    assert tried == ["training.batch_size"]
    context.draft.put("training.batch_size", 7)
    person.click("Batch size", button=3)
    person.click("Back to the preset's value")
    assert not context.draft.changed("training.batch_size")


def test_a_setting_whose_values_cannot_be_compared_says_so(context: AppContext, person: Person) -> None:
    tried: list[str] = []
    context.try_values = tried.append
    row_alone(context, "general.name")
    person.click("Run name", button=3)
    person.click("Try values of this …")
    assert tried == []
