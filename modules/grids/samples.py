"""Images that a run has drawn of itself on the way: a cell with equal settings need not be drawn again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from modules.grids.cells import Weights
from modules.grids.pictures import parameters_of
from modules.grids.subject import Subject
from modules.messages import SampleReady
from modules.preset.sections.sampling import NEW_EACH_TIME, Prompt
from modules.system.reading import open_file
from modules.wire import decode

MARK = b'"SampleReady"'


@dataclass(frozen=True)
class RunSample:
    """An image that a run drew of itself."""

    path: Path
    step: int
    number: int  # of its prompt
    prompt: str


def samples_of(run: Path) -> dict[tuple[int, int], RunSample]:
    """The samples of a run by step and number of the prompt; of those drawn again, the later."""
    return {(sample.step, sample.number): sample for sample in _all_samples(run)}


def _all_samples(run: Path) -> Iterator[RunSample]:
    try:
        with open_file(run / "events.jsonl") as file:
            for line in file:
                if MARK in line and (event := _event(line)) and event.number > 0:
                    path = run / "samples" / Path(event.path).name
                    yield RunSample(path, event.step, event.number, event.prompt)
    except OSError:
        return


class Samples:
    """The samples of a run, and which of them a cell may take."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def alike(self, prompt: Prompt, weights: Weights, step: int) -> Path | None:
        """The image of this prompt at this step, if the run drew the weights that the cell would; else None."""
        preset = self._subject.preset
        plain = weights.strength == 1 and not weights.merges and weights.source == preset.model.source
        if not plain or step < 0 or prompt.seed == NEW_EACH_TIME or not self._draws_what_is_picked(weights):
            return None
        wanted = prompt.model_dump(exclude={"enabled"})
        drawn = [own for own in preset.sampling.prompts if own.enabled]
        numbers = [n for n, own in enumerate(drawn, 1) if own.model_dump(exclude={"enabled"}) == wanted]
        for number in numbers:
            path = self._known.get((step, number))
            if path and path.is_file() and _says(path, prompt):
                return path
        return None

    def _draws_what_is_picked(self, weights: Weights) -> bool:
        """Whether samples show the weights of the cell: with an average there are two sets, and either may be meant."""
        training, sampling = self._subject.preset.training, self._subject.preset.sampling
        if not training.ema or not weights.file:
            return True
        averaged = sampling.weights != "live"
        if Path(weights.file).parent.name == "backups":
            return weights.average == averaged
        return averaged == (training.ema_save == "instead" or Path(weights.file).stem.endswith("-ema"))

    @cached_property
    def _known(self) -> dict[tuple[int, int], Path]:
        run = self._subject.run
        return {place: sample.path for place, sample in samples_of(run).items()} if run else {}


def _event(line: bytes) -> SampleReady | None:
    try:
        event: Any = decode(line.decode())
    except ValueError:
        return None
    return event if isinstance(event, SampleReady) else None


def _says(path: Path, prompt: Prompt) -> bool:
    """Whether an image says of itself that it was drawn so: the settings of the run may have been others then."""
    text = parameters_of(path)
    parts = (part.partition(": ") for part in text.rpartition("\n")[2].split(", "))
    told = {name: value for name, _, value in parts}
    wanted = {"Steps": str(prompt.steps), "CFG scale": f"{prompt.guidance:g}", "Seed": str(prompt.seed)}
    negative = f"\nNegative prompt: {prompt.negative}\n" if prompt.negative else "\nSteps: "
    same = all(told.get(name) == value for name, value in wanted.items())
    return same and text.startswith(f"{prompt.prompt}{negative}")


def prompt_in(parameters: str) -> str:
    """The prompt that stands before an image's settings in A1111's words; "" for a text of another kind."""
    words, found, _ = parameters.rpartition("\nSteps: ")
    return words.partition("\nNegative prompt: ")[0] if found else ""
