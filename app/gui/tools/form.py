"""The settings of a tool on its card: a row for each, made of the same declarations as its flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from app.gui.context import AppContext
from app.gui.draft.parsing import read
from app.gui.draft.problem_labels import WORDS
from app.gui.form.controls import ControlCallbacks, control_of
from app.gui.form.prompt_form import PromptForm
from app.gui.kit import FormRow, Frame, LinkButton, PathEntry, px
from app.gui.run.sample_now import first_prompt
from app.gui.tools.blocks import BlocksField, CurveField
from app.gui.tools.model_line import ModelLine, ModelLines
from app.gui.tools.rows import LABEL, ListRow, ModelRow, typed_path
from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.files.prompt_file import read_prompts
from modules.preset.paths import Values, put
from modules.preset.setting import PATH_WIDGETS
from modules.preset.setting_info import SettingInfo, settings_of
from modules.preset.usual_sampling import size_step_of
from modules.preset.validate import examine_section
from modules.tools import Tool

PROMPT_FILE = """Prompts in kohya's notation, one on each line; what a line does not set is as set here."""
NAMED = 3  # of the settings that can be unfolded
COMPONENTS = {name for card in FAMILIES.values() for name in card.component_names}  # whose files are no models


class Field(Protocol):
    """One setting of a tool as it stands on the card."""

    @property
    def widget(self) -> Frame | None:
        """What is laid out; None for what the card does not ask."""
        ...

    def read(self) -> Any:
        """The value; None if something is wrong, which then stands there."""
        ...

    def show(self, value: Any) -> None: ...

    def complain(self, sentence: str) -> None:
        """What is wrong, in words; "" for nothing."""
        ...


class Fields(dict[str, Field]):
    """By setting; those of expert settings are made when they are first asked for, which seldom happens."""

    def __init__(self, make: Callable[[str], Field]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Field:
        self[name] = made = self._make(name)
        return made


class ToolForm(Frame):
    """`read()` gives the settings of the tool, or None: then what is wrong stands under its field."""

    def __init__(self, master: Any, context: AppContext, tool: Tool) -> None:
        super().__init__(master)
        self._tool = tool
        self.settings = {setting.path: setting for setting in settings_of(tool.settings)}
        self.fields = Fields(lambda name: self._field(context, self.settings[name]))
        self._basic = [setting for setting in self.settings.values() if setting.level != "expert"]
        self._expert = [setting for setting in self.settings.values() if setting.level == "expert"]
        hidden = [tr(setting.label).lower() for setting in self._expert]
        self._folded = bool(hidden)
        self._listeners: list[Callable[[], object]] = []
        self.models = ModelLines(self.changed)
        self.columnconfigure(0, weight=1)
        for setting in self._basic:
            self.fields[setting.path]
        self.more = LinkButton(self, _more(hidden), self.unfold)
        self.lay_out()
        self.changed()

    def listen(self, listener: Callable[[], object]) -> None:
        """A field that depends on others: called after each change of any."""
        self._listeners.append(listener)

    def changed(self) -> None:
        for listener in self._listeners:
            listener()

    def lay_out(self) -> None:
        """The rows that apply now, in their order; expert ones below the link that unfolds them."""
        shown = self._basic if self._folded else [*self._basic, *self._expert]
        for number, setting in enumerate(shown):
            widget = self.fields[setting.path].widget
            if widget is None:
                continue
            if self._applies(setting):
                widget.grid(row=number, column=0, sticky="ew")
            else:
                widget.grid_remove()
        if self._folded:
            self.more.grid(row=len(self.settings), column=0, sticky="w", pady=px(4))
        else:
            self.more.grid_remove()

    def unfold(self) -> None:
        """Show the other settings, too."""
        self._folded = False
        self.lay_out()

    def show(self, name: str, value: Any) -> None:
        """Fill one setting in."""
        self.fields[name].show(value)

    def read(self, instead: Mapping[str, Any] | None = None) -> Values | None:
        """What is filled in, if all of it can be used. What was never unfolded is as the tool has it.

        `instead`: values of settings that are not asked for now.
        """
        given = instead or {}
        asked = (setting for name, setting in self.settings.items() if name not in given and self._applies(setting))
        found = {setting.path: self._value(setting) for setting in asked} | dict(given)
        places = [number for number, name in enumerate(self.settings) if name in found]
        if any(value is None for value in found.values()) or self.models.refused(places):
            return None
        values: Values = {}
        for name, value in found.items():
            put(values, name, value)
        _, wrong = examine_section(self._tool.settings, values)
        for name in self.settings:
            words = next(
                (WORDS.sentence(each) for path, each in wrong.items() if f"{path}.".startswith(f"{name}.")), ""
            )
            if words or (name in self.fields and name not in given):
                self.fields[name].complain(words)
            if words and self.settings[name].level == "expert":
                self.unfold()
        return None if wrong else values

    def line_for(self, master: Any, setting: SettingInfo) -> ModelLine:
        """What says below a field what the model in it is."""
        return self.models.add(master, [*self.settings].index(setting.path))

    def _value(self, setting: SettingInfo) -> Any:
        if setting.path in self.fields:
            return self.fields[setting.path].read()
        return list(setting.default) if isinstance(setting.default, tuple) else setting.default

    def _field(self, context: AppContext, setting: SettingInfo) -> Field:
        kind = FIELDS.get(setting.widget, ListRow if isinstance(setting.default, tuple) else ValueField)
        return kind(self, context, setting)

    def _applies(self, setting: SettingInfo) -> bool:
        when = setting.when
        return when is None or self.fields[when.path].read() in when.values


def _more(hidden: list[str]) -> str:
    """What can be unfolded: the first few by name."""
    named, others = ", ".join(hidden[:NAMED]), len(hidden) - NAMED
    if others <= 0:
        return tr("More: {settings}", settings=named)
    return plural(others, "More: {settings} and 1 other", "More: {settings} and {count} others", settings=named)


class ValueField:
    """A setting that is one value: the control that the settings of a preset have, too."""

    def __init__(self, form: ToolForm, context: AppContext, setting: SettingInfo) -> None:
        self._form, self._setting = form, setting
        words = tr(setting.help)
        if setting.limits:
            words = f"{words}\n\n{tr('Allowed: {limits}', limits=setting.limits)}"
        self.widget = FormRow(
            form, tr(setting.label), words=words, unit=tr(setting.unit) if setting.unit else "", label_width=LABEL
        )
        self.made = control_of(
            self.widget, setting, ControlCallbacks(self._changed, self._changed, form.lay_out, context, setting.path)
        )
        self.widget.put(self.made.widget, stretch=self.made.stretch)
        named = setting.widget == "model" and setting.path not in COMPONENTS
        self._line = form.line_for(self.widget, setting) if named else None
        self.show("" if setting.required else setting.default)

    def read(self) -> Any:
        typed = self.made.widget.get()
        if self._setting.required and not typed:
            self.complain(tr("Required"))
            return None
        value = read(self._setting, typed) if isinstance(typed, str) else typed
        return typed_path(value) if self._setting.widget in PATH_WIDGETS else value

    def show(self, value: Any) -> None:
        self.made.show(value, None)
        self._look()

    def complain(self, sentence: str) -> None:
        self.widget.error(sentence)

    def _changed(self, value: object) -> None:
        del value
        self.complain("")  # what was said of the value before
        self._form.lay_out()
        self._look()
        self._form.changed()

    def _look(self) -> None:
        if self._line is not None:
            self._line.look(str(self.made.widget.get()).strip())


class PresetField:
    """The project as it stands; the card does not ask for it."""

    widget = None

    def __init__(self, form: ToolForm, context: AppContext, setting: SettingInfo) -> None:
        del form, setting
        self._context = context

    def read(self) -> Values:
        return self._context.draft.freeze()

    def show(self, value: Any) -> None: ...

    def complain(self, sentence: str) -> None: ...


class PromptsField:
    """Prompts with their settings; it says by itself what is wrong with them."""

    def __init__(self, form: ToolForm, context: AppContext, setting: SettingInfo) -> None:
        del setting
        self._context = context
        self.widget = PromptForm(form, first_prompt(context), lines=3, many=True, label_width=LABEL)
        self._offered = self.widget.controls["prompt"].get()
        self._row = FormRow(self.widget, tr("Prompt file"), words=tr(PROMPT_FILE), label_width=LABEL)
        self.file = PathEntry(
            self._row, what="file", kinds=((tr("Prompts"), "*.txt *.toml *.json"),),
            placeholder=tr("Instead of the prompts above"), on_change=lambda _: self._row.error(""),
        )  # fmt: skip
        self._row.put(self.file)
        self._row.pack(fill="x", after=self.widget.rows["prompt"])

    def read(self) -> list[Values] | None:
        typed, file = self.widget.read_all(), self.file.get().strip()
        if not typed or not file:
            return typed or None
        try:
            found = read_prompts(Path(typed_path(file)), size_step_of(self._context.draft.freeze()))
        except UserError as error:
            self._row.error(error.text(WORDS))
            return None
        return [{**typed[0], **prompt} for prompt in found.prompts]

    def show(self, value: Any) -> None:
        """Another prompt, as long as nobody has typed one."""
        control: Any = self.widget.controls["prompt"]
        if control.get() == self._offered:
            control.set(str(value))
            self._offered = control.get()

    def complain(self, sentence: str) -> None: ...


# What the schema's `widget` asks for by name, where it is no single value.
FIELDS: dict[str, Callable[[ToolForm, AppContext, SettingInfo], Field]] = {
    "preset": PresetField,
    "preset or model": ModelRow,
    "prompts": PromptsField,
    "curve": CurveField,
    "blocks": BlocksField,
}
