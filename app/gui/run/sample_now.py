"""A prompt of the moment, drawn while training goes on."""

from __future__ import annotations

from typing import Any, cast

from app.gui.context import AppContext
from app.gui.form.prompt_form import FIELDS, PromptForm, setting_of
from app.gui.kit import Answer, Dialog, Entry, FormRow, ScrollArea
from modules.language import plural, tr
from modules.messages import SampleNow
from modules.preset.paths import Values
from modules.preset.sections.method import ADAPTERS
from modules.preset.usual_sampling import usual_prompt

ALL = "all"
ONE = "one"
LIMIT = 10  # of a LoRA's strength, as in the schema
MESSAGE = "The image is made after the step under way, and appears with the samples. Training goes on."


class SampleNowDialog(Dialog):
    """Asks for the prompt and sends SampleNow. What was asked last is offered again."""

    asked_last: Values | None = None

    def __init__(self, master: Any, context: AppContext) -> None:
        self.context = context
        answers = [Answer(tr("Cancel")), Answer(tr("Sample"), ONE, "primary", "camera")]
        if prompts := enabled_prompts(context):
            words = plural(len(prompts), "The preset's prompt", "All {count} prompts of the preset")
            answers.insert(1, Answer(words, ALL))
        super().__init__(
            master, tr("Sample now"), tr(MESSAGE), answers, self._closed, check=self._judge, width=620, height=560
        )  # fmt: skip
        area = ScrollArea(self.body)
        area.pack(fill="both", expand=True)
        self.form = PromptForm(area.body, self.asked_last or first_prompt(context), project=context.draft.values)
        self.form.pack(fill="both", expand=True)
        self.strength_row = self._made_row(area.body) if context.draft.get("method.kind") in ADAPTERS else None
        self._read: Values | None = None
        self._asked_strength: float | None = 1.0
        self.form.controls["prompt"].focus_set()

    def _made_row(self, master: Any) -> FormRow:
        """How much of what is trained is on the model: as a LoRA file is used at a strength."""
        words = tr("How much of it the image is drawn with. 1: as it is trained; 0: the base model.")
        row = FormRow(master, tr("LoRA strength"), words=words, label_width=self.form.label_width)
        row.put(Entry(row, "1"))
        row.pack(fill="x")
        return row

    @property
    def strength(self) -> float | None:
        """None if it is no such number."""
        entry = self.strength_row.control if self.strength_row else None
        text = entry.get() if isinstance(entry, Entry) else "1"
        try:
            return value if -LIMIT <= (value := float(text.replace(",", "."))) <= LIMIT else None
        except ValueError:
            return None

    def _judge(self, answer: str) -> bool:
        if self.strength_row is not None:
            wrong = tr("Must be a number from {low} to {high}", low=-LIMIT, high=LIMIT)
            self.strength_row.error("" if self.strength is not None else wrong)
        self._asked_strength = self.strength
        if answer == ALL:
            return self._asked_strength is not None
        self._read = self.form.read()
        return self._read is not None and self._asked_strength is not None

    def _closed(self, answer: str | None) -> None:
        if answer is None:
            return
        if answer == ONE:
            type(self).asked_last = self._read
        if not self.context.running.busy or not self.context.engine.send(
            SampleNow(self._read if answer == ONE else None, self._asked_strength or 0.0)
        ):
            self.context.notify(tr("The run has ended: no sample can be made."))
            return
        self.context.notify(tr("The sample is made after this step."))


def enabled_prompts(context: AppContext) -> list[Values]:
    """The prompts of the project that are enabled."""
    prompts = cast("list[Values]", context.draft.get("sampling.prompts") or [])
    return [prompt for prompt in prompts if prompt.get("enabled", True)]


def first_prompt(context: AppContext) -> Values:
    """What a form about a prompt begins with: the project's first, or the defaults."""
    prompts = enabled_prompts(context)
    usual = {name: setting_of(name).default for name in FIELDS} | usual_prompt(context.draft.values)
    return prompts[0] if prompts else usual
