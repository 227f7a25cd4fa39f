"""The page Sampling: when images are made on the way, and of which prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.choice_labels import choice_label
from app.gui.draft.problem_labels import WORDS
from app.gui.form.form import Below, SettingRow
from app.gui.form.list_editor import ListEditor, ListLabels
from app.gui.kit import Frame, Label, LinkButton, px
from app.gui.pages.settings import SettingsPage, beside_labels
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.files.prompt_file import read_prompts
from modules.preset.paths import Values
from modules.preset.sections.sampling import Prompt
from modules.preset.setting_info import settings_of
from modules.preset.usual_sampling import known_prompts, size_step_of, usual_prompt

KINDS = (("Prompts", "*.txt *.json *.toml"),)
USUAL = {setting.path: setting.default for setting in settings_of(Prompt)}


def _of_a_prompt(values: Values) -> str:
    """What is folded, in a line."""
    sampler = choice_label("sampling.prompts.0.sampler", values["sampler"])
    spacing = values["spacing"]
    if spacing != "default":
        sampler = f"{sampler} {choice_label('sampling.prompts.0.spacing', spacing)}"
    parts = [
        sampler,
        plural(int(values["steps"]), "1 step", "{count} steps"),
        tr("guidance {value:g}", value=values["guidance"]),
    ]
    if values["cfg_plus_plus"]:
        parts[-1] += " (CFG++)"
    if values["perturbation"] != "none":
        parts.append(choice_label("sampling.prompts.0.perturbation", values["perturbation"]))
    if values["image"]:
        parts.append(tr("from {file}", file=Path(values["image"]).name))
    return " · ".join(parts)


def _next_lora(others: Sequence[Values]) -> Values:
    del others
    return {}


PROMPTS = ListLabels(
    "Prompt",
    "Add a prompt",
    "No samples are made while training. Add a prompt to see what the model learns.",
    first=("prompt", "negative", "seed", "width", "height"),
    summary=_of_a_prompt,
    unfold=0,
)
LORAS = ListLabels(
    "LoRA", "Add a LoRA", "Samples use no other LoRA files.", new=_next_lora, seldom=True
)  # fmt: skip


KNOWN = "examine.prompts"


class KnownPrompts(Frame):
    """What is asked where no prompts are given; a click has them to change."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context, self._shown = context, ()
        self.until_destroyed(context.draft.watch("", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        values = self._context.draft.values
        known = () if str(self._context.draft.get(KNOWN) or "").strip() else known_prompts(values)
        if known == self._shown:
            return
        self._shown = known
        self.clear()
        if not known:
            self.configure(height=1)
            return
        words = tr("Those of this model: {prompts}", prompts=" · ".join(known))
        Label(self, words, font="small", role="text2", wrap=True).pack(fill="x", padx=px(2))
        LinkButton(self, tr("Change them"), self._take).pack(anchor="w", pady=(0, px(4)))

    def _take(self) -> None:
        self._context.draft.apply({KNOWN: "\n".join(self._shown)}, tr("Prompts that the base knows"))


class SamplingPage(SettingsPage):
    """Images that are made on the way, and what is measured."""

    sections = ("sampling", "validation", "examine")

    def below(self) -> dict[str, Below]:
        return {KNOWN: lambda under: KnownPrompts(beside_labels(under), self.context).pack(fill="x")}

    def under(self, inside: Frame) -> Iterator[None]:
        Label(inside, tr("Prompts"), font="section").pack(fill="x", pady=(px(18), px(2)))
        LinkButton(inside, tr("Read prompts from a file …"), self._import).pack(anchor="w", pady=(0, px(6)))
        self.list = ListEditor(inside, self.context, "sampling.prompts", replace(PROMPTS, new=self._next_prompt))
        self.list.pack(fill="x")
        yield from self.list.build()
        Label(inside, tr("LoRA files for samples"), font="section").pack(fill="x", pady=(px(18), px(8)))
        self.loras = ListEditor(inside, self.context, "sampling.loras", LORAS)
        self.loras.pack(fill="x")
        yield from self.loras.build()

    def row_of(self, path: str) -> SettingRow | None:
        for editor in (self.list, self.loras):
            if path.startswith(editor.path):
                return editor.reveal(path)
        return super().row_of(path)

    def take(self, path: Path) -> None:
        """Put the prompts of a file behind those that are there, in one step that can be undone."""
        try:
            found = read_prompts(path, size_step_of(self.context.draft.values))
        except UserError as error:
            self.context.notify(error.text(WORDS))
            return
        new = [{**self._usual, **prompt} for prompt in found.prompts]
        self.context.draft.put("sampling.prompts", [*self.list.entries(), *new])
        many = plural(len(new), "1 prompt", "{count} prompts")
        left_out = tr(" Skipped: {what}", what=WORDS.sentence(found.notes[0])) if found.notes else ""
        self.context.notify(
            tr("{prompts} from {file}.{skipped}", prompts=many, file=path.name, skipped=left_out),
            tr("Undo"),
            self.context.draft.undo,
        )

    @property
    def _usual(self) -> Values:
        """The settings of a new prompt: what is usual for the model."""
        return {**USUAL, **usual_prompt(self.context.draft.values)}

    def _next_prompt(self, others: Sequence[Values]) -> Values:
        """A new prompt is drawn as the one before it."""
        return {**(others[-1] if others else self._usual), "prompt": "", "enabled": True}

    def _import(self) -> None:
        path = self.context.app.ask_open_file(tr("Prompts in kohya's notation"), KINDS)
        if path is not None:
            self.take(path)
