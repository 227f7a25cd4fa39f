"""What every room of the check looks at: the preset, and what its model and its images say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modules.data.index import Index
from modules.families import Family
from modules.messages import Event, MemoryPlan, Stage
from modules.preset.preset import Preset
from modules.trainer.control import Control


@dataclass(frozen=True)
class CheckContext:
    """A run that has not begun. Nothing of it has been changed, loaded or written."""

    preset: Preset  # judged, with absolute paths and the model's resolution
    family: Family | None  # opened: configs and tokenizers, no weights. None: the model cannot be opened
    index: Index | None  # None: there is no image to look at
    tell: Callable[[Event], None]
    control: Control
    start: bool = False  # whether somebody waits for the run to start: what is plainly no matter is not worked out
    asked: Preset | None = None  # the same with what it leaves to the run, as precision; None: it leaves nothing
    plan: MemoryPlan | None = None  # of how it fits, once there is one
    card: str = ""  # that memory is planned for; "": what this computer trains with
    probe: bool = False  # whether the model may be loaded, to measure a few real steps

    def progress(self, stage: str, done: int, total: int) -> None:
        """Say how far a long look is, and leave it where the user wants that.

        Raises:
            Interrupted: he does.
        """
        self.control.check()
        self.tell(Stage(stage, done, total))
