"""Rows of a tool's card that hold more than a value: the project or another model, and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from app.gui.context import AppContext
from app.gui.kit import Button, Entry, FormRow, Frame, Label, LinkButton, PathEntry, px, tip
from modules.language import tr
from modules.preset.files.lora_strength import PARTS, file_and_strength, with_strength
from modules.preset.paths import Values, get, put
from modules.preset.setting_info import SettingInfo

LABEL = 124  # pixels of the names of fields
WEIGHTS = (("Weights", "*.safetensors"),)


def typed_path(text: str) -> str:
    """A file or folder as a full path; a name on the hub, a bundled one, or what is not there, as it is."""
    path = Path(text.strip()).expanduser()
    return str(path.absolute()) if text.strip() and path.exists() else text.strip()


class ModelRow:
    """The project with its model, or with another one that is named here; or a run with its own settings."""

    def __init__(self, form: Frame, context: AppContext, setting: SettingInfo) -> None:
        self._context = context
        self.widget = FormRow(form, tr(setting.label), words=tr(setting.help), label_width=LABEL)
        source = str(context.draft.get("model.source") or "")
        words = tr("The project's: {source}", source=source) if source else tr(setting.help).rstrip(".")
        self._of_run: Values = {}
        self.model = PathEntry(self.widget, what="model", placeholder=words, on_change=lambda _: self.complain(""))
        self.widget.put(self.model)

    def read(self) -> Values | None:
        preset = self._context.draft.freeze()
        model = typed_path(self.model.get())
        if self._of_run and model == typed_path(str(get(self._of_run, "model.source"))):
            self.complain("")
            return self._of_run
        if not model and not self._context.draft.get("model.source"):
            self.complain(tr("Choose a model: the project names none"))
            return None
        if model:
            preset = cast("Values", {**preset, "model": {**preset["model"]}})
            put(preset, "model.source", model)
        self.complain("")
        return preset

    def show(self, value: Any) -> None:
        """A model; or all values of a preset, which hold until another model is named."""
        self._of_run = cast("Values", value) if isinstance(value, dict) else {}
        self.model.set(str(get(self._of_run, "model.source") if self._of_run else value))

    def complain(self, sentence: str) -> None:
        self.widget.error(sentence)


class ListRow:
    """Any number of texts or files, each in an entry that can be taken away again; LoRA files with their strength."""

    def __init__(self, form: Any, context: AppContext, setting: SettingInfo) -> None:
        del context
        self._form, self._setting = form, setting
        self._paths, self._strong = setting.widget in ("files", "loras", "models"), setting.widget == "loras"
        self.entries: list[tuple[Entry | PathEntry, Entry | None]] = []
        self.widget = FormRow(form, tr(setting.label), words=tr(setting.help), label_width=LABEL)
        both = Frame(self.widget)
        self._lines = Frame(both, height=1)
        words = tr("Add a file") if self._paths else tr("Add one")
        if setting.widget == "models":
            words = tr("Add a model")
        LinkButton(both, words, lambda: self.add().focus_set()).pack(side="bottom", anchor="w")
        self.widget.put(both)
        self._fold()

    def add(self, text: str = "") -> Entry | PathEntry:
        """One more entry."""
        line = Frame(self._lines)
        line.pack(fill="x", pady=px(2))
        below = self._form.line_for(line, self._setting) if self._setting.widget == "models" else None

        def typed(text: str) -> None:
            if below is not None:
                below.look(text.strip())
            self._form.changed()

        file, strength = file_and_strength(text) if self._strong else (text, 1.0)
        if self._paths:
            what, words = ("model", tr("A file, a folder or a name")) if below else ("file", tr("A file"))
            entry = PathEntry(line, file, what=what, kinds=WEIGHTS, placeholder=words, on_change=typed)
        else:
            entry = Entry(line, text, on_change=typed)
        amount = Entry(line, f"{strength:g}", width=52) if self._strong else None
        both = (entry, amount)
        remove = Button(line, "", lambda: self._remove(both), kind="icon", image="x", hint=tr("Remove it"))
        remove.pack(side="right", padx=(px(6), 0))
        if amount is not None:
            amount.pack(side="right", padx=(px(6), 0))
            Label(line, tr("strength"), font="small", role="text2").pack(side="right", padx=(px(6), 0))
            tip(amount.inner, tr("Strength: 1 is all of it, 0.6 to 1 is usual."))
        entry.pack(fill="x", expand=True)
        self.entries.append(both)
        self._fold()
        typed(file)
        return entry

    def read(self) -> list[str] | None:
        """The texts; None where a strength is not a number."""
        found: list[str] = []
        for entry, amount in self.entries:
            if not (text := entry.get().strip()):
                continue
            typed = amount.get().strip().replace(",", ".") if amount is not None else "1"
            if PARTS.fullmatch(f"_:{typed or 1}") is None:
                self.complain(tr("“{typed}” is not a number", typed=typed))
                return None
            file = typed_path(text) if self._paths else text
            found.append(with_strength(file, float(typed or 1)))
        self.complain("")
        return found

    def show(self, value: Any) -> None:
        if self.read() == list(value):
            return
        for both in [*self.entries]:
            self._remove(both)
        for path in value:
            self.add(path)

    def complain(self, sentence: str) -> None:
        self.widget.error(sentence)

    def _remove(self, both: tuple[Entry | PathEntry, Entry | None]) -> None:
        self.entries.remove(both)
        both[0].master.destroy()
        self._fold()
        self._form.changed()

    def _fold(self) -> None:
        """An empty frame would keep the height of what was in it. The name stands beside the first line."""
        self.widget.label.grid(sticky="new", pady=px(11 if self.entries else 5))
        if self.entries:
            self._lines.pack(side="top", fill="x")
        else:
            self._lines.pack_forget()
