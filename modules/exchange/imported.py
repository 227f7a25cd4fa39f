"""What became of another program's settings: our values, and a row for each of theirs.

An `Intake` holds their settings as flat names ("unet.learning_rate") with that program's own defaults beneath: what a
file leaves out means there what that program takes. Each reader asks it by name, lays down our values, and at the end
nothing is left that no row speaks of.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from modules.errors import UserError
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.validate import examine, setting_at, setting_paths
from modules.sentences.problem import Problem, problem

Fate = Literal["taken", "other", "default", "none", "off"]
ROWS: dict[Fate, str] = {
    "taken": "import.taken", "other": "import.other", "default": "import.default", "none": "import.none",
    "off": "import.off",
}  # fmt: skip
PLAIN_ROWS: dict[Fate, str] = {
    "other": "import.other-plain", "default": "import.default-plain", "none": "import.none-plain",
}  # fmt: skip
SECRET_NAME = re.compile(r"token$|api_?key|password|secret|credential|key_file", re.IGNORECASE)
NO_SECRETS = ("class_token", "class_tokens", "train_token", "placeholder_token", "initializer_token")
SECRET_VALUE = re.compile(r"\b(hf_|sk-|ghp_|github_pat_|wandb_v1_|rpa_)[A-Za-z0-9_-]{16,}")
HIDDEN = "(hidden)"
LONGEST = 60  # letters of a value in a row
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "none", "null", "")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one of their settings, as a sentence in `problem`.

    taken: it means the same here. other: it is taken, and something differs. default: the file leaves it out, and the
    other program's default is taken, which is not ours. none: nothing here takes it. off: it is off there, and there
    is nothing of the kind here.
    """

    fate: Fate
    theirs: str
    problem: Problem


@dataclass(frozen=True)
class Imported:
    """The settings that another program's file comes to."""

    program: str
    values: Values
    rows: tuple[Row, ...]
    partial: bool = False  # what it does not say stays as it was: a list of images, a LoRA without settings

    @property
    def preset(self) -> Preset:
        return examine(self.values)[0]

    @property
    def is_project(self) -> bool:
        """Whether there are folders and files of a machine among the values: such a file is no preset to share."""
        named = [path for path in setting_paths("machine") if ".0." not in path]
        return bool(self.values.get("concepts")) or any(get(self.values, path) for path in named)

    @property
    def summary(self) -> Problem:
        """How many of theirs were taken over, and how."""
        counts = {fate: len(self.of(fate)) for fate in ("taken", "other", "default", "none")}
        return Problem("import.summary", values={"program": self.program, **counts})

    def of(self, *fates: Fate) -> list[Row]:
        return [row for row in self.rows if row.fate in fates]


@dataclass
class Intake:
    """Their settings, ticked off as they are read, and what they come to."""

    program: str
    given: Values
    defaults: Mapping[str, Any]
    values: Values = field(default_factory=lambda: {"version": Preset.VERSION})
    rows: list[Row] = field(default_factory=list[Row])
    prefix: str = ""  # before their names in rows: "concepts.0."
    called: Mapping[str, str] = field(default_factory=dict[str, str])  # what rows call a name, where that is another
    _read: set[str] = field(default_factory=set[str])

    # Reading ----------------------------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether the file says something of it: an empty text and null say nothing."""
        return self.given.get(name) not in (None, "")

    def raw(self, name: str) -> Any:
        """As the file has it, or the program's default."""
        self._read.add(name)
        return self.given[name] if self.has(name) else self.defaults.get(name)

    def text(self, name: str) -> str:
        value = self.raw(name)
        return "" if value is None else str(value).strip()

    def number(self, name: str) -> float:
        """A number, also one that was written as text; what is none is refused in a row, and the default counts."""
        value = as_number(self.raw(name))
        if value is None and self.has(name):
            self.leave_out(name, problem("import.no-number"))
        return value if value is not None else as_number(self.defaults.get(name)) or 0.0

    def whole(self, name: str) -> int:
        return int(max(-(2.0**62), min(2.0**62, self.number(name))))

    def yes(self, name: str) -> bool:
        value = self.raw(name)
        if isinstance(value, str):
            return value.strip().lower() not in FALSE
        return bool(value)

    # Writing ----------------------------------------------------------------------------------------------------------

    def put(self, path: str, value: Any, *names: str, why: Problem | None = None) -> None:
        """Lay down one of our values, which comes of these settings of theirs."""
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        setting = setting_at(path, self.values)
        if isinstance(value, int) and not isinstance(value, bool) and setting and setting.kind is float:
            value = float(value)
        if value is not None:
            put(self.values, path, _without_secrets(value))
        for name in names:
            self._read.add(name)
            if self.has(name):
                self._say("other" if why else "taken", name, self.given[name], path, why)
            elif setting is not None and value != setting.default and name == names[0]:
                self._say("default", name, self.defaults.get(name), path, why)

    def take(self, path: str, name: str, why: Problem | None = None) -> None:
        """Lay down one of theirs as it is, read as our setting wants it."""
        self.put(path, self._as(path, name), name, why=why)

    def take_on(self, path: str, name: str, why: Problem | None = None) -> bool:
        """The same where it is there and is neither off, 0 nor empty; whether it was."""
        value = self._as(path, name)
        if value:
            self.put(path, value, name, why=why)
        return bool(value)

    def _as(self, path: str, name: str) -> Any:
        setting = setting_at(path, self.values)
        readers: dict[Any, Callable[[str], Any]] = {bool: self.yes, int: self.whole, float: self.number}
        return readers.get(setting.kind if setting else str, self.text)(name)

    @property
    def family(self) -> str:
        return str(get(self.values, "model.family") or "sd")

    @property
    def method(self) -> str:
        return str(get(self.values, "method.kind") or "lora")

    def _say(self, fate: Fate, name: str, value: Any, path: str = "", why: Problem | None = None) -> None:
        theirs = self._shown_name(name)
        shown = HIDDEN if is_secret(name) else shown_value(value)
        values = {"theirs": theirs, "value": shown, "program": self.program, "why": why or ""}
        plain = (why is None and fate in ("other", "none")) or (fate == "default" and value is None)
        code = "import.default-other" if fate == "default" and why else (PLAIN_ROWS if plain else ROWS)[fate]
        said = Problem(code, path, values)
        self.rows.append(Row(fate, theirs, said))

    def _shown_name(self, name: str) -> str:
        return f"{self.prefix}{self.called.get(name, name)}"

    def spread(self, name: str, path: str) -> None:
        """Say that what stands in one of theirs became several of ours, beside this one."""
        self._read.add(name)
        if self.has(name):
            self._say("taken", name, self.given[name], path)
            row = self.rows[-1]
            self.rows[-1] = Row(row.fate, row.theirs, Problem("import.spread", path, row.problem.values))

    def leave_out(self, name: str, why: Problem | None) -> None:
        """Say why one of theirs is not taken. One that is off or empty is only counted."""
        self._read.add(name)
        if name not in self.given or any(row.theirs == self._shown_name(name) for row in self.rows):
            return
        if is_secret(name):
            why = problem("import.secret")
        value = self.given[name]
        said_off = value in (None, "", False, 0, [], {}) or str(value).strip().lower() in FALSE or self.is_default(name)
        self._say("off" if said_off else "none", name, value, why=why)

    def is_default(self, name: str) -> bool:
        return name in self.defaults and self.defaults[name] == self.given.get(name)

    def leave_out_all(self, names: Iterable[str], code: str) -> None:
        for name in names:
            self.leave_out(name, problem(code))

    def note(self, code: str, **values: Any) -> None:
        """A row about the file as a whole."""
        self.rows.append(Row("other", "", problem(code, program=self.program, **values)))

    def finish(self, without: Mapping[str, str], *, partial: bool = False) -> Imported:
        """Judge what was laid down, and speak of what nobody has asked for.

        Args:
            partial: what it does not say is to stay as it was.
            without: a regular expression over their names -> the row of the sentences that says why it is not taken.
        """
        for name in [name for name in self.given if name not in self._read]:
            code = next((code for pattern, code in without.items() if re.fullmatch(pattern, name)), "import.unknown")
            self.leave_out(name, problem(code))
        told = {row.theirs for row in self.rows}
        for name in self.given:
            if self._shown_name(name) not in told:
                self._heeded(name)
        return Imported(self.program, self._judged(), tuple(self.rows), partial)

    def _heeded(self, name: str) -> None:
        """Say of one that was read that it had its say, where no value of ours comes of it alone."""
        self.leave_out(name, None)
        row = self.rows[-1]
        if row.fate == "none" and row.theirs == self._shown_name(name) and row.problem.code == "import.none-plain":
            self.rows[-1] = Row("taken", row.theirs, Problem("import.heeded", "", row.problem.values))

    def _judged(self) -> Values:
        """The values without those that cannot be used here; their rows then say why."""
        _, wrong = examine(self.values)
        for path, reason in sorted(wrong.items(), reverse=True):
            _remove(self.values, path)
            told = [n for n, row in enumerate(self.rows) if row.problem.path == path]
            for n in told:
                old = self.rows[n]
                values = {**old.problem.values, "why": reason}
                self.rows[n] = Row("none", old.theirs, Problem("import.none", "", values))
            if not told:
                self.rows.append(Row("none", path, reason))
        return self.values


def _remove(values: Values, path: str) -> None:
    above, _, name = path.rpartition(".")
    inside: Any = get(values, above) if above else values
    if isinstance(inside, dict):
        cast("Values", inside).pop(name, None)
    elif isinstance(inside, list) and name.isdecimal():
        cast("list[Any]", inside)[int(name)] = {}


# Values ---------------------------------------------------------------------------------------------------------------


def as_number(value: Any) -> float | None:
    """A finite number, also one in a text or a switch that is on; None where it is none."""
    if value is None or isinstance(value, (list, dict)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def shown_value(value: Any) -> str:
    """A value of theirs for a row: short, and without what opens a door."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(SECRET_VALUE.sub(HIDDEN, text[:2000]).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\u2026"


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds what must not be passed on."""
    last = name.rpartition(".")[2]
    return bool(SECRET_NAME.search(last)) and last not in NO_SECRETS


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_VALUE.sub(HIDDEN, value)
    if isinstance(value, list):
        return [_without_secrets(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _without_secrets(each) for name, each in cast("Values", value).items()}
    return value


def flattened(values: Mapping[str, Any], prefix: str = "") -> Values:
    """Nested settings by dotted names; lists stay as they are.

    Raises:
        UserError: a name is no text, or they are nested without end.
    """
    flat: Values = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if path.count(".") > 20:
            raise UserError("import.too-deep")
        if isinstance(value, dict) and value:
            flat |= flattened(cast("Values", value), f"{path}.")
        else:
            flat[path] = value
    return flat
