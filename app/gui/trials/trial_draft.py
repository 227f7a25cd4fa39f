"""Values that are being chosen to be tried: which settings, which values, what is wrong with them. No widgets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.gui.draft.choice_labels import choice_label
from app.gui.draft.draft import Draft
from app.gui.draft.labels import breadcrumb, page_of
from app.gui.draft.parsing import read
from app.gui.draft.problem_labels import WORDS
from app.gui.draft.visibility import is_visible
from app.gui.kit import Option
from modules.language import tr
from modules.preset.files.naming import run_name
from modules.preset.paths import Values
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import all_settings, examine, setting_at
from modules.trials.runs import Afterwards, Trial, TriedRun, changes_of, runs_of, steps_of
from modules.trials.values import Tried, can_be_tried, current, short, unique, wrong_value

RATE = "training.learning_rate"
DECIMAL = re.compile(r"[+-]?0?,\d+(?:[eE][+-]?\d+)?")  # 0,5 as many languages write it
AROUND = (0.5, 1.0, 2.0)  # of a rate, to begin with


@dataclass
class Line:
    """A setting and its values."""

    path: str
    values: list[Any] = field(default_factory=list[Any])


class TrialDraft:
    """The settings are those of the window when the dialog was opened; nothing here changes them."""

    def __init__(self, draft: Draft, path: str = "") -> None:
        self.base: Values = draft.freeze()
        self.lines: list[Line] = []
        self.steps = steps_of(self.base)
        self.one_by_one, self.same_seed = False, True
        self.afterwards: Afterwards = "both"
        self.name = tr("{name} values", name=run_name(examine(self.base)[0]))
        self._settings = {each.path: each for each in all_settings() if self._offers(each, draft.values)}
        self.add_line(path if path in self._settings else "")

    @staticmethod
    def _offers(setting: SettingInfo, values: Values) -> bool:
        return ".0." not in setting.path and can_be_tried(setting) and is_visible(setting, values)

    # Lines ------------------------------------------------------------------------------------------------------------

    def options(self, line: Line) -> list[Option]:
        """The settings that a line can be of."""
        others = {each.path for each in self.lines} - {line.path}
        return [
            Option(path, tr(setting.label), group=tr(page_of(path).capitalize()), words=breadcrumb(path, self.base),
                   reason=tr("On another line") if path in others else "")
            for path, setting in self._settings.items()
        ]  # fmt: skip

    def add_line(self, path: str = "") -> Line:
        """A line of this setting, or of the first that is on no other; with its value of now."""
        taken = {line.path for line in self.lines}
        usual = (RATE, "method.rank", "optimizer.kind", *self._settings)
        path = path or next(each for each in usual if each in self._settings and each not in taken)
        line = Line(path)
        self.lines.append(line)
        self.choose(line, path)
        return line

    def choose(self, line: Line, path: str) -> None:
        """Another setting for a line: it begins with the value of now, and a rate with half and twice of it."""
        now = current(self.base, path)
        rate = path.endswith("learning_rate") and isinstance(now, float) and now > 0
        line.path, line.values = path, [float(short(now * each)) for each in AROUND] if rate else [now]

    def setting(self, line: Line) -> SettingInfo:
        found = setting_at(line.path, self.base)
        assert found is not None
        return found

    # Values -----------------------------------------------------------------------------------------------------------

    def choices(self, line: Line) -> list[Option]:
        """Of a choice or a switch, those that are not in line yet; empty where a value is typed."""
        setting = self.setting(line)
        all_ = (True, False) if setting.kind is bool else setting.choices
        return [Option(value, self.label(line, value)) for value in all_ if value not in line.values]

    def is_typed(self, line: Line) -> bool:
        setting = self.setting(line)
        return setting.kind is not bool and not setting.choices

    def type(self, line: Line, text: str) -> None:
        """One value, or several with commas between them."""
        parts = [text] if DECIMAL.fullmatch(text.strip()) else re.split(r"[,;\s]+(?![a-z])", text.strip())
        values = [read(self.setting(line), part) for part in parts if part.strip()]
        line.values = list(unique([*line.values, *values]))
        if all(isinstance(value, int | float) for value in line.values):
            line.values.sort()

    def label(self, line: Line, value: Any) -> str:
        """What a chip says."""
        if self.setting(line).choices:
            return choice_label(line.path, value)
        return tr(short(value)) if isinstance(value, bool) else short(value)

    def problems(self, line: Line) -> dict[int, str]:
        """What is wrong with values, by their places, in the sentence of the rule."""
        found = ((n, wrong_value(self.base, line.path, value)) for n, value in enumerate(line.values))
        return {n: WORDS.sentence(wrong) for n, wrong in found if wrong}

    # All of it --------------------------------------------------------------------------------------------------------

    def wrong(self) -> str:
        """Why nothing can be added; "" if it can."""
        if any(self.problems(line) for line in self.lines):
            return tr("Take out the values that cannot be used.")
        if not any(len(line.values) > 1 for line in self.lines):
            return tr("Give a setting two values or more.")
        return ""

    def trial(self) -> Trial:
        tried = [Tried(line.path, tuple(line.values)) for line in self.lines if line.values]
        return Trial(self.name, tried, self.one_by_one, self.steps, self.same_seed, self.afterwards)

    def changes(self) -> list[dict[str, Any]]:
        """What each run tries, also while values are wrong."""
        return changes_of(self.base, self.trial())

    def runs(self) -> list[TriedRun]:
        """Raises: Problems: a value cannot be used."""
        return runs_of(self.base, self.trial())

    def titles(self) -> Iterator[str]:
        for line in self.lines:
            yield tr(self.setting(line).label)
