"""The line under each field of a tool that names a model: what it is, by its header; one of another type is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from app.gui.form.model.part_line import about
from app.gui.kit import FormRow, Label, px
from app.gui.session.model_files import called, judged
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.catalog import FAMILIES, USUAL_FAMILY, FamilyCard
from modules.errors import UserError
from modules.language import tr
from modules.merging.block_ratios import block_names
from modules.run_folders import is_run, recorded_preset
from modules.system.bundled import resolve
from modules.system.headers.parts import BUNDLED, Part, family_of_model
from modules.system.hub import missing_model
from modules.system.reading import read_json


@dataclass(frozen=True)
class Look:
    """What a name stands for. `family`: "" where nothing tells; `blocks`: of its denoiser, without BASE and TE."""

    name: str = ""
    words: str = ""
    family: str = ""
    blocks: tuple[str, ...] = ()

    def goes_with(self, other: Look) -> bool:
        """Whether both may be of one type of model."""
        return not (self.family and other.family) or FAMILIES[self.family].module == FAMILIES[other.family].module


def look_at(text: str) -> Look:
    """Headers and configs are read, no weights."""
    name, _, step = text.rpartition(":")
    run = Path(name if step.isdecimal() else text).expanduser()
    with suppress(OSError, ValueError, UserError):
        if run.is_dir() and is_run(run):
            return _run(run, step if step.isdecimal() else "")
        if not missing_model(text):
            return _model(resolve(text), text)
    return Look()


def _run(run: Path, step: str) -> Look:
    preset = recorded_preset(run)
    if preset is None:
        return Look(run.name)
    card = FAMILIES[preset.model.family]
    words = tr("{title}, step {step} of a run", title=card.title, step=step)
    if not step:
        words = tr("{title}, the newest step of a run", title=card.title)
    return Look(run.name, words, preset.model.family, look_at(preset.model.source).blocks)


def _model(path: Path, text: str) -> Look:
    family = family_of_model(path) if path.exists() else ""
    part = judged("denoiser", text, family or USUAL_FAMILY, text).part
    if part is None or not (part.family or part.kind == "lora"):
        return Look(path.name)
    if not part.family:
        return Look(path.name, called(part))
    card = FAMILIES[part.family]
    return Look(path.name, about(part, _title(card, part, text)), part.family, _blocks(card, part, path))


def _title(card: FamilyCard, part: Part, text: str) -> str:
    likely = card.likely_variants(text, part.numbers)
    return likely[0].title if len(likely) == 1 else card.title


def _blocks(card: FamilyCard, part: Part, path: Path) -> tuple[str, ...]:
    """By its own config, or that of the likeliest variant."""
    spec = card.component("denoiser")
    variants = [*card.likely_variants(path.name, part.numbers), *card.variants]
    places = [path, *(BUNDLED / each.kind for each in variants)]
    file = next((found for place in places if (found := place / spec.folder / "config.json").is_file()), None)
    return block_names(cast("Mapping[str, Any]", read_json(file))) if file else ()


class ModelLine(Label):
    """`look(text)` reads in a thread; `on_look` is called when more is known. Without words it takes no room."""

    def __init__(self, master: Any, on_look: Callable[[], object]) -> None:
        super().__init__(master, font="small", role="text2", wrap=True)
        self.found = Look()
        self.refused = False
        self._text = ""
        self._on_look = on_look
        self._reading: WorkerPoll[Look] = WorkerPoll(self, self._read)
        self.until_destroyed(self._reading.cancel)

    def look(self, text: str) -> None:
        if text == self._text:
            return
        self._text = text
        self._reading.cancel()
        self._read(Look())
        if text:
            self._reading.start(Worker(lambda report, stop: look_at(text)))

    def compare(self, first: Look) -> None:
        """Refuse what is of another type than the first model."""
        self.refused = not self.found.goes_with(first)
        words = self.found.words
        if self.refused:
            one, other = FAMILIES[self.found.family].title, FAMILIES[first.family].title
            words = tr("{title}: only models of one type go together, and {first} is {other}.", title=one,
                       first=first.name, other=other)  # fmt: skip
        self.set(words, "error" if self.refused else "text2")
        if not words:
            self.pack_forget()
            self.grid_forget()
        elif isinstance(self.master, FormRow):
            self.grid(row=2, column=2, columnspan=3, sticky="ew", padx=px(2), pady=(0, px(4)))
        else:
            self.pack(side="bottom", fill="x", padx=px(2), pady=(px(2), 0), before=self.master.pack_slaves()[0])

    def _read(self, found: Look) -> None:
        self.found = found
        self._on_look()


class ModelLines:
    """Those of a form, in the order of its fields. `changed` is called when another model is known."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._lines: list[tuple[int, ModelLine]] = []

    def add(self, master: Any, place: int) -> ModelLine:
        """A line for a form's row, or at the bottom of a frame that packs. `place`: of the field in the form."""
        line = ModelLine(master, self._looked)
        self._lines = sorted([*self._lines, (place, line)], key=lambda each: each[0])
        line.until_destroyed(lambda: self._gone(line))
        return line

    @property
    def first(self) -> Look:
        """The first model that is known."""
        return next((line.found for _, line in self._lines if line.found.family), Look())

    def refused(self, places: Collection[int]) -> bool:
        """Whether a model of these fields cannot go with the first."""
        return any(line.refused for place, line in self._lines if place in places)

    def _looked(self) -> None:
        first = self.first
        for _, line in self._lines:
            line.compare(first)
        self._changed()

    def _gone(self, line: ModelLine) -> None:
        self._lines = [each for each in self._lines if each[1] is not line]
