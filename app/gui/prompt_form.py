"""The rows of one prompt outside the project: text, negative, seed, size, sampler, steps, guidance."""

from __future__ import annotations

from typing import Any

from app.gui.kit import Choice, Entry, FormRow, Frame, Option, TextArea, px
from modules.errors import UserError
from modules.preset.knobs import Knob
from modules.preset.live import prompt_of
from modules.preset.paths import Values
from modules.preset.problems import knob_at

OWN: dict[str, str] = {"width": "As trained", "height": "As trained"}  # what 0 means
FIELDS = ("prompt", "negative", "seed", "width", "height", "sampler", "steps", "guidance")
PATH = "sampling.prompts.0."
Control = Entry | Choice | TextArea


class PromptForm(Frame):
    """`read()` gives the settings of preset.sampling.Prompt, or None: then what is wrong stands under its field.

    Args:
        values: what is filled in first.
        lines: height of the prompt's field.
        many: the first field holds a prompt on each line; `read_all` gives them.
    """

    def __init__(
        self, master: Any, values: Values, *, lines: int = 3, many: bool = False, label_width: float = 140
    ) -> None:
        super().__init__(master)
        self._many, self._wide = many, label_width
        self.rows: dict[str, FormRow] = {}
        self.controls: dict[str, Control] = {}
        for name in FIELDS:
            self._row(name, values.get(name), lines)

    def read(self) -> Values | None:
        """The settings, judged."""
        found = self.read_all()
        return found[0] if found else None

    def read_all(self) -> list[Values]:
        """The settings of each prompt; none if something is wrong."""
        values: Values = {}
        wrong = False
        for name, control in self.controls.items():
            text = control.get()
            value, problem = self._judged(name, text)
            values[name] = value
            self.rows[name].error(problem)
            wrong = wrong or bool(problem)
        if wrong:
            return []
        lines = [line.strip() for line in str(values["prompt"]).splitlines() if line.strip()] if self._many else []
        return [{**values, "prompt": line} for line in lines or [values["prompt"]]]

    def disable(self, reason: str) -> None:
        for control in self.controls.values():
            control.disable(reason)

    def _row(self, name: str, value: Any, lines: int) -> None:
        knob = knob_of(name)
        label = "Prompts" if self._many and name == "prompt" else knob.label
        words = "One prompt on each line." if self._many and name == "prompt" else knob.help
        row = FormRow(self, label, words=words, unit=knob.unit, label_width=self._wide)
        self.rows[name] = row
        shown = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        if name == "prompt":
            control: Control = TextArea(row, shown, lines=lines)
        elif knob.choices:
            control = Choice(row, [Option(choice, solver(choice)) for choice in knob.choices], value)
        else:
            control = Entry(row, "" if name in OWN else shown, placeholder=OWN.get(name, ""))
            if name in OWN and value:
                control.set(shown)
        self.controls[name] = control
        row.put(control)
        if name == "prompt":
            row.label.grid(sticky="new", pady=px(9))  # beside the first line
        row.pack(fill="x")

    def _judged(self, name: str, text: Any) -> tuple[Any, str]:
        """The value and what is wrong with it, by the schema's own judgement."""
        knob = knob_of(name)
        value: Any = text or "0" if name in OWN else text
        if isinstance(knob.default, int | float) and not isinstance(knob.default, bool):
            try:
                value = float(value) if isinstance(knob.default, float) else int(value)
            except ValueError:
                return text, "Must be a number" if isinstance(knob.default, float) else "Must be a whole number"
        try:
            prompt_of({name: value})
        except UserError as error:
            return value, plain(str(error), name)
        return value, ""


def knob_of(name: str) -> Knob:
    knob = knob_at(PATH + name)
    if knob is None:
        raise KeyError(name)
    return knob


def plain(problems: str, name: str) -> str:
    """The sentence about one field without the head of the list and without the field's name."""
    last = problems.strip().splitlines()[-1].lstrip(" -")
    sentence = last.removeprefix(f"{name}: ")
    return sentence[:1].upper() + sentence[1:]


SOLVERS = {
    "ddim": "DDIM", "euler": "Euler", "euler_a": "Euler ancestral", "heun": "Heun", "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_karras": "DPM++ 2M Karras", "dpmpp_2m_sde_karras": "DPM++ 2M SDE Karras", "unipc": "UniPC",
}  # fmt: skip


def solver(name: str) -> str:
    """A sampler as people call it."""
    return SOLVERS.get(name, name)
