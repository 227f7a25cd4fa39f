"""The control of a setting: what its type and the schema's `widget` ask for. All of them speak in values and texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.choice_labels import choice_label
from app.gui.draft.parsing import written
from app.gui.form import automatic
from app.gui.form.interval_entry import SHARE_UNITS, UNITS, WARMUP_UNITS, IntervalEntry
from app.gui.form.layers_picker import LayersPicker
from app.gui.kit import Choice, Entry, Frame, Option, PathEntry, Segmented, Switch, TextArea
from modules.catalog import FAMILIES
from modules.language import tr
from modules.preset.paths import Values, get
from modules.preset.sections.concept import IMAGE_FILES
from modules.preset.sections.sampling import FLOW_SAMPLERS
from modules.preset.setting import PATH_WIDGETS
from modules.preset.setting_info import SettingInfo
from modules.preset.usual_sampling import is_flow

MODELS: Sequence[tuple[str, str]] = (("Models", "*.safetensors *.gguf *.ckpt"),)
IMAGES = (("Archives, Parquet files, lists", " ".join(f"*{ending}" for ending in IMAGE_FILES)),)
KINDS = {"model": MODELS, "save": (("Models", "*.safetensors"),), "images": IMAGES}
SHORT = 28  # letters of all choices together that still stand side by side
SAMPLERS = ("sampling.prompts.0.sampler", "prior.made.sampler")
EMPTY = re.compile(r"\bEmpty: ([^.]+)\.")


@dataclass(frozen=True)
class ControlCallbacks:
    """What a control does with what a person does to it."""

    put: Callable[[Any], object]  # a value was chosen
    type: Callable[[str], object]  # a text was typed
    done: Callable[[], object]  # typing is over: Return, or the focus left
    context: AppContext  # for controls that show more than the value
    path: str  # of the setting, with its place in a list


@dataclass(frozen=True)
class Control:
    """A widget of the kit for one setting."""

    widget: Any
    show: Callable[[Any, str | None], None]  # the value, and the text that stands instead of it where it is wrong
    stretch: bool = True
    tall: bool = False  # more than one line: the label stands at its top
    keyed: tuple[Any, ...] = ()  # the widgets inside that hear keys

    @property
    def key_targets(self) -> tuple[Any, ...]:
        return self.keyed or (getattr(self.widget, "inner", self.widget),)


def control_of(master: Frame, setting: SettingInfo, callbacks: ControlCallbacks) -> Control:
    """Make the control of `setting`. Show a value before it is seen."""
    if setting.kind is bool:
        switch = Switch(master, False, callbacks.put)
        return Control(switch, lambda value, bad: switch.set(bool(value)), stretch=False)
    if setting.choices:
        return _chosen(master, setting, callbacks)
    if setting.widget in PATH_WIDGETS:
        return _path(master, setting, callbacks)
    if made := WIDGETS.get(setting.widget):
        return made(master, callbacks)
    line = Entry(
        master, on_change=callbacks.type, on_done=lambda _: callbacks.done(), placeholder=placeholder_of(setting)
    )
    return Control(line, _as_text(line.set, setting))


def placeholder_of(setting: SettingInfo) -> str:
    """What an empty entry stands for: what 0 does, what the help says ("Empty: the title."), or what is to be given."""
    words = tr(setting.help)
    found = EMPTY.search(words)
    asked = words.partition(".")[0] if setting.required else ""
    words = tr(setting.zero) if setting.zero else found[1] if found else asked
    return words[:1].upper() + words[1:]


def options_of(setting: SettingInfo, project: Values | None = None) -> Sequence[Option]:
    """The choices of a setting as the controls take them; the preset's own word is found by the search too.

    `project`: the values that some may not go with.
    """
    labels = setting.labels or {}
    return [
        Option(
            choice,
            tr(labels.get(choice, "")) or choice_label(setting.path, choice),
            words=str(choice),
            reason=_reason(setting.path, choice, project) if project is not None else "",
        )
        for choice in setting.choices
    ]


def _reason(path: str, choice: Any, project: Values) -> str:
    """Why a choice does not go with the model; "" if it does."""
    if path in SAMPLERS and is_flow(project) and choice not in FLOW_SAMPLERS:
        return tr("Does not work with rectified flow models")
    if (path, choice) == ("method.kind", "embedding") and not FAMILIES[str(get(project, "model.family"))].uses("words"):
        return tr("The text encoders of this type of model learn no words")
    return ""


def side_by_side(setting: SettingInfo) -> bool:
    """Whether the choices are few and short: all in sight, instead of in a list."""
    words = [option.label for option in options_of(setting)]
    return 2 <= len(words) <= 4 and sum(map(len, words)) <= SHORT


def _chosen(master: Frame, setting: SettingInfo, callbacks: ControlCallbacks) -> Control:
    options = options_of(setting)
    if side_by_side(setting):
        segments = Segmented(master, options, None, callbacks.put, width=120)
        if setting.path in automatic.DEPENDS:
            _say_what_is_automatic(master, segments, setting, callbacks.context)
        return Control(segments, lambda value, bad: segments.set(value))
    choice = Choice(master, options, None, callbacks.put)
    if setting.path in (*SAMPLERS, "method.kind"):
        draft = callbacks.context.draft
        for path in ("model.family", "objective.prediction"):
            master.until_destroyed(draft.watch(path, lambda _: choice.offer(options_of(setting, draft.values))))
        choice.offer(options_of(setting, draft.values))
    return Control(choice, lambda value, bad: choice.set(value))


def _say_what_is_automatic(master: Frame, segments: Segmented, setting: SettingInfo, context: AppContext) -> None:
    """ "Automatic (bf16)", where the machine is known."""

    def offer(_: object = None) -> None:
        found = automatic.stands_for(setting.path, context.draft.values, context.meters.latest)
        words = tr("Automatic ({choice})", choice=choice_label(setting.path, found)) if found else ""
        options = options_of(setting)
        segments.offer([replace(each, label=words) if words and each.value == "auto" else each for each in options])

    for path in automatic.DEPENDS[setting.path]:
        master.until_destroyed(context.draft.watch(path, offer))
    offer()


def _path(master: Frame, setting: SettingInfo, callbacks: ControlCallbacks) -> Control:
    entry = PathEntry(
        master,
        what=setting.widget,  # pyright: ignore[reportArgumentType]
        kinds=KINDS.get(setting.widget, ()),
        on_change=callbacks.type,
        on_done=lambda _: callbacks.done(),
        placeholder=placeholder_of(setting),
    )
    return Control(entry, _as_text(entry.set))


def _as_text(put: Callable[[str], None], setting: SettingInfo | None = None) -> Callable[[Any, str | None], None]:
    """Shows the value, or what is wrong as it was typed. A 0 that stands for something leaves room for its words."""

    def show(value: Any, bad: str | None) -> None:
        spoken = setting is not None and setting.zero and value == 0
        put(bad if bad is not None else "" if spoken else written(value))

    return show


def _lines(master: Frame, callbacks: ControlCallbacks) -> Control:
    area = TextArea(master, lines=4, on_change=callbacks.type)
    return Control(area, _as_text(area.set), tall=True)


def _interval(master: Frame, callbacks: ControlCallbacks, units: tuple[str, ...] = UNITS) -> Control:
    entry = IntervalEntry(master, "", units, on_change=callbacks.type, on_done=lambda _: callbacks.done())
    return Control(entry, _as_text(entry.set), keyed=(entry.inner, entry.choice))


def _layers(master: Frame, callbacks: ControlCallbacks) -> Control:
    picker = LayersPicker(
        master, callbacks.context, callbacks.path, on_change=callbacks.type, on_done=lambda _: callbacks.done()
    )
    return Control(picker, _as_text(picker.set), tall=True, keyed=(picker.choice, picker.entry.inner))


# What the schema's `widget` asks for by name, beside paths.
WIDGETS: dict[str, Callable[[Frame, ControlCallbacks], Control]] = {
    "lines": _lines,
    "interval": _interval,
    "warmup": lambda master, callbacks: _interval(master, callbacks, WARMUP_UNITS),
    "share": lambda master, callbacks: _interval(master, callbacks, SHARE_UNITS),
    "layers": _layers,
}
