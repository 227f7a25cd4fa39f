"""The rows of one prompt outside the project: text, negative, seed and size, and the others folded away."""

from __future__ import annotations

from typing import Any

from app.gui.draft.problem_labels import WORDS, name_of
from app.gui.form.controls import options_of, placeholder_of
from app.gui.kit import Choice, Entry, FormRow, Frame, LinkButton, PathEntry, Switch, TextArea, px
from modules.catalog import FAMILIES
from modules.errors import Problems
from modules.language import tr
from modules.preset.paths import Values, get
from modules.preset.preset import Preset
from modules.preset.rules.live_changes import prompt_of
from modules.preset.sections.sampling import Prompt
from modules.preset.setting_info import SettingInfo, settings_of
from modules.preset.validate import examine, setting_at
from modules.sentences.render import Renderer

OWN: dict[str, str] = {"width": "As trained", "height": "As trained"}  # what 0 means
BASIC = ("prompt", "negative", "seed", "width", "height")
FIELDS = (*BASIC, *(setting.path for setting in settings_of(Prompt) if setting.path not in (*BASIC, "enabled")))
PATH = "sampling.prompts.0."
MORE = "More settings"
Control = Entry | Choice | TextArea | Switch | PathEntry


class PromptForm(Frame):
    """`read()` gives the settings of preset.sampling.Prompt, or None: then what is wrong stands under its field.

    Args:
        values: what is filled in first.
        lines: height of the prompt's field.
        many: the first field holds a prompt on each line; `read_all` gives them.
        project: the values of the model that draws, where they are known: what it does not use is not shown.
    """

    def __init__(
        self, master: Any, values: Values, *, lines: int = 3, many: bool = False, label_width: float = 140,
        project: Values | None = None,
    ) -> None:  # fmt: skip
        super().__init__(master)
        self._many, self.label_width, self._project = many, label_width, project
        self.rows: dict[str, FormRow] = {}
        self.controls: dict[str, Control] = {}
        self._values, self._lines = values, lines
        for name in BASIC:
            self._row(name, values.get(name), lines)
        self._fold = LinkButton(self, tr(MORE), self.unfold)
        self._fold.pack(anchor="w", pady=(px(4), px(4)))

    def unfold(self) -> None:
        """Show the other settings, too; what was hidden until now is as it was filled in."""
        self._fold.pack_forget()
        card = FAMILIES.get(str(get(self._project or {}, "model.family")))
        for name in FIELDS:
            if name not in self.rows and (card is None or card.uses(PATH + name)):
                self._row(name, self._values.get(name), self._lines)

    def read(self) -> Values | None:
        """The settings, judged."""
        found = self.read_all()
        return found[0] if found else None

    def read_all(self) -> list[Values]:
        """The settings of each prompt; none if something is wrong."""
        values: Values = {name: self._values[name] for name in FIELDS if name in self._values}
        wrong: set[str] = set()
        for name, control in list(self.controls.items()):
            values[name], problem = self._validated(name, control.get())
            self.rows[name].error(problem)
            wrong |= {name} if problem else set()
        if self._conflicts({name: value for name, value in values.items() if name not in wrong}) or wrong:
            return []
        lines = [line.strip() for line in str(values["prompt"]).splitlines() if line.strip()] if self._many else []
        return [{**values, "prompt": line} for line in lines or [str(values["prompt"]).strip()]]

    def disable(self, reason: str) -> None:
        for control in self.controls.values():
            control.disable(reason)

    def _row(self, name: str, value: Any, lines: int) -> None:
        setting = setting_of(name)
        label = tr("Prompts") if self._many and name == "prompt" else tr(setting.label)
        words = tr("One prompt on each line.") if self._many and name == "prompt" else tr(setting.help)
        row = FormRow(
            self, label, words=words, unit=tr(setting.unit) if setting.unit else "", label_width=self.label_width
        )
        self.rows[name] = row
        shown = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        if name == "prompt":
            control: Control = TextArea(row, shown, lines=lines)
        elif setting.choices:
            control = Choice(row, options_of(setting, self._project), value if value is not None else setting.default)
        elif setting.kind is bool:
            control = Switch(row, bool(value))
        elif setting.widget == "file":
            control = PathEntry(row, shown, what="file", placeholder=placeholder_of(setting))
        else:
            control = Entry(row, "" if name in OWN else shown, placeholder=tr(OWN[name]) if name in OWN else "")
            if name in OWN and value:
                control.set(shown)
        self.controls[name] = control
        row.put(control)
        if name == "prompt":
            row.label.grid(sticky="new", pady=px(9))  # beside the first line
        row.pack(fill="x")

    def _validated(self, name: str, text: Any) -> tuple[Any, str]:
        """The value and what is wrong with it, by the schema's own judgement."""
        setting = setting_of(name)
        value: Any = text or "0" if name in OWN or setting.zero else text
        if isinstance(setting.default, int | float) and not isinstance(setting.default, bool):
            try:
                value = float(value) if isinstance(setting.default, float) else int(value)
            except ValueError:
                return text, tr("Must be a number") if isinstance(setting.default, float) else tr(
                    "Must be a whole number"
                )
        _, wrong = examine({"version": Preset.VERSION, "sampling": {"prompts": [{name: value}]}})
        return value, next((WORDS.sentence(problem) for problem in wrong.values()), "")

    def _conflicts(self, values: Values) -> bool:
        """Whether settings contradict one another; each problem stands under the setting that it is about."""
        try:
            prompt_of(values, str(get(self._project or {}, "model.family") or ""))
        except Problems as error:
            for problem in error.problems:
                at = problem.path if problem.path in FIELDS else "prompt"
                if at not in self.rows:
                    self.unfold()
                self.rows.get(at, self.rows["prompt"]).error(PROMPT_WORDS.sentence(problem))
            return True
        return False


PROMPT_WORDS = Renderer(lambda name: f"“{setting_of(name).label}”" if name in FIELDS else name_of(name))


def setting_of(name: str) -> SettingInfo:
    setting = setting_at(PATH + name)
    if setting is None:
        raise KeyError(name)
    return setting
