"""The tool that makes images: any model, LoRA files on it, prompts, and the images as they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from app.gui.context import AppContext
from app.gui.form.prompt_form import PromptForm
from app.gui.kit import Button, Cell, Entry, FormRow, Frame, LinkButton, PathEntry, VirtualGrid, px
from app.gui.run.image_viewer import ImageViewer
from app.gui.run.run_source import SampleImage
from app.gui.run.sample_now import first_prompt
from app.gui.session.open_external import open_external
from app.gui.session.run_state import WindowEvent
from app.gui.tools.card import LABEL, ToolCard, typed_path
from modules.messages import Finished, MakeImages, SampleReady
from modules.preset.paths import Values, put
from modules.preset.sections.sampling import NEW_EACH_TIME
from modules.system.bundled import in_program_folder

CELL = (150, 150)
GAP = 10
MOST = 1000
SENTENCE = "Draw prompts with a model, and with LoRA files on it."
WEIGHTS = (("LoRA files", "*.safetensors"),)


def with_seed(prompt: Values, more: int) -> Values:
    """The same prompt with the seed that follows; one that is left to chance stays so."""
    seed = int(prompt["seed"])
    return prompt if seed == NEW_EACH_TIME else {**prompt, "seed": seed + more}


class ImagesCard(ToolCard):
    """Make images."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(
            master, context, "Make images", SENTENCE, what="sample", button="Make images", image="sparkles"
        )  # fmt: skip
        self.shots: list[SampleImage] = []
        self._model()
        self._loras()
        self.prompts = PromptForm(self.form, first_prompt(context), lines=3, many=True, label_width=LABEL)
        self.prompts.pack(fill="x")
        self.count_row = FormRow(
            self.form, "Images of each", words="The seed goes up by one with each.", label_width=LABEL
        )
        self.count = Entry(self.count_row, "1")
        self.count_row.put(self.count)
        self.count_row.pack(fill="x")
        self.made = Frame(self.body)
        self.grid_of_images = VirtualGrid(self.made, self._paint, cell=CELL, lines=0, on_open=self._open)
        self.grid_of_images.pack(fill="both", expand=True)
        Button(self.made, "Open folder", self._open_folder, kind="quiet", image="folder-open").pack(
            anchor="w", pady=(px(6), 0)
        )

    @property
    def folder(self) -> Path:
        """Where the images go."""
        return in_program_folder(str(self.context.draft.get("general.workspace"))) / "images"

    def job(self) -> MakeImages | None:
        prompts = self.prompts.read_all()
        count = self._count()
        if not prompts or not count:
            return None
        preset = self.context.draft.freeze()
        if model := typed_path(self.model.get()):
            preset = cast("Values", {**preset, "model": {**preset["model"]}})
            put(preset, "model.source", model)
        elif not self.context.draft.get("model.source"):
            self.model_row.error("Choose a model: the project names none")
            return None
        self.model_row.error("")
        loras = [typed_path(entry.get()) for entry in self.loras if entry.get().strip()]
        drawn = [with_seed(prompt, more) for prompt in prompts for more in range(count)]
        self.shots = []
        return MakeImages(preset, drawn, loras, str(self.folder))

    def result_text(self, event: Finished) -> str:
        count = len(self.shots)
        return f"{count} image{'' if count == 1 else 's'} in {event.path}"

    def heard(self, event: WindowEvent) -> None:
        if isinstance(event, SampleReady):
            self.shots.append(SampleImage(Path(event.path), len(self.shots) + 1, 0, event.prompt))
            self._show_images()

    def add_lora(self, path: str = "") -> PathEntry:
        """One more field for a LoRA file."""
        line = Frame(self._lora_lines)
        line.pack(fill="x", pady=px(2))
        entry = PathEntry(line, path, kinds=WEIGHTS, placeholder="A LoRA file")

        def remove() -> None:
            self.loras.remove(entry)
            line.destroy()
            self._fold_loras()

        Button(line, "", remove, kind="icon", image="x", hint="Without this LoRA").pack(side="right", padx=(px(6), 0))
        entry.pack(fill="x", expand=True)
        self.loras.append(entry)
        self._fold_loras()
        return entry

    def try_lora(self, path: str) -> None:
        """This LoRA alone, on the project's model and with the project's first prompt."""
        if [entry.get() for entry in self.loras] != [path]:
            for entry in [*self.loras]:
                entry.master.destroy()
            self.loras.clear()
            self.add_lora(path)
        self.button.focus_set()

    def _model(self) -> None:
        self.model_row = FormRow(
            self.form, "Model", words="A file, a folder or a name on Hugging Face.", label_width=LABEL
        )
        source = str(self.context.draft.get("model.source") or "")
        words = f"The project's: {source}" if source else "A file, a folder or a name on Hugging Face"
        self.model = PathEntry(self.model_row, what="model", placeholder=words)
        self.model_row.put(self.model)
        self.model_row.pack(fill="x")

    def _loras(self) -> None:
        self.loras: list[PathEntry] = []
        row = FormRow(self.form, "LoRA files", words="They are put on the model one after another.", label_width=LABEL)
        both = Frame(row)
        self._lora_lines = Frame(both, height=1)
        LinkButton(both, "Add a LoRA", self._add_lora).pack(side="bottom", anchor="w")
        row.put(both)
        row.pack(fill="x")

    def _add_lora(self) -> None:
        self.add_lora().focus_set()

    def _fold_loras(self) -> None:
        """An empty frame would keep the height of what was in it."""
        if self.loras:
            self._lora_lines.pack(side="top", fill="x")
        else:
            self._lora_lines.pack_forget()

    def _count(self) -> int:
        text = self.count.get().strip()
        good = text.isdecimal() and 1 <= int(text) <= MOST
        self.count_row.error("" if good else f"Must be a whole number from 1 to {MOST}")
        return int(text) if good else 0

    def _show_images(self) -> None:
        if not self.made.winfo_manager():
            self.made.pack(fill="x", pady=(px(8), 0))
        across = max((self.body.winfo_width() - px(GAP)) // (px(CELL[0]) + px(GAP)), 1)
        rows = min(-(-len(self.shots) // across), 3)
        self.grid_of_images.configure(height=px(GAP) + rows * (px(CELL[1]) + px(GAP)) + px(4))
        self.grid_of_images.show(len(self.shots), keep=True)

    def _paint(self, cell: Cell, index: int) -> None:
        path, size = self.shots[index].path, cell.picture_size
        cell.image(self.context.pictures.thumb(path, size, lambda _: self._arrived(index)))

    def _arrived(self, index: int) -> None:
        if self.winfo_exists():
            self.grid_of_images.refresh(index)

    def _open(self, index: int) -> None:
        ImageViewer(self, self.context, self.shots, self.shots[index], name=lambda shot: f"Image {shot.step}")

    def _open_folder(self) -> None:
        if problem := open_external(self.folder):
            self.context.notify(problem)
