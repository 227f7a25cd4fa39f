"""The tool that turns a model into another form, and puts a LoRA or trained parts into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Choice, FormRow, Option, PathEntry, Segmented, Switch
from app.gui.tools.card import LABEL, ToolCard, typed_path
from modules.messages import ConvertModel, Finished

MODELS = (("Models", "*.safetensors *.ckpt"),)
FORMS = (Option("single_file", "One file"), Option("folder", "Diffusers folder"))
TYPES = (
    Option("", "As it is"),
    Option("fp32", "fp32", "exact, large"),
    Option("bf16", "bf16", "half the size"),
    Option("fp16", "fp16", "half the size"),
)
SENTENCE = "Write a model as one file or as a folder, in another precision, with a LoRA put in."


class ConvertCard(ToolCard):
    """Convert a model."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(
            master, context, "Convert a model", SENTENCE, what="convert", button="Convert", image="box", stops=False
        )  # fmt: skip
        self.rows: dict[str, FormRow] = {}
        self.source = self._path("Model", what="model", placeholder="A file, a folder or a name on Hugging Face")
        self.parts = self._path("Put in", what="file", placeholder="A LoRA or trained parts; may be empty")
        row = self._row("Write as", "One .safetensors file, or a folder as diffusers has it.")
        self.form_choice = Segmented(row, FORMS, "single_file")
        row.put(self.form_choice)
        self.target = self._path("Result", what="save", placeholder="Where to write it")
        row = self._row("Precision", "The numbers that the weights are stored as.")
        self.dtype = Choice(row, TYPES, "")
        row.put(self.dtype)
        row = self._row("Replace", "Whether a file that is there already is written over.")
        self.overwrite = Switch(row, False)
        row.put(self.overwrite, stretch=False)

    def job(self) -> ConvertModel | None:
        source, target = typed_path(self.source.get()), self.target.get().strip()
        self.rows["Model"].error("" if source else "Choose a model")
        self.rows["Result"].error("" if target else "Choose where to write it")
        if not source or not target:
            return None
        form, path = self.form_choice.get(), Path(target).expanduser().absolute()
        if form == "single_file" and not path.suffix:
            path = path.with_name(f"{path.name}.safetensors")
            self.target.set(str(path))
        parts = typed_path(self.parts.get())
        return ConvertModel(source, str(path), "", form, self.dtype.get(), parts, self.overwrite.get())

    def result_text(self, event: Finished) -> str:
        return f"Written: {event.path}"

    def _row(self, label: str, words: str) -> FormRow:
        row = FormRow(self.form, label, words=words, label_width=LABEL)
        row.pack(fill="x")
        self.rows[label] = row
        return row

    def _path(self, label: str, *, what: Any, placeholder: str) -> PathEntry:
        row = self._row(label, placeholder + ".")
        entry = PathEntry(row, what=what, kinds=MODELS, placeholder=placeholder)
        row.put(entry)
        return entry
