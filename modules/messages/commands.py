"""What the engine is told to do."""

from __future__ import annotations

from typing import Any

from modules.messages.message import message


@message
class Stop:
    """End the run after this step, with a backup; `now` ends it without one."""

    now: bool = False


@message
class Pause: ...


@message
class Continue: ...


@message
class SampleNow:
    """Make the preset's samples, or one image of the settings given here (those of preset.sampling.Prompt)."""

    prompt: dict[str, Any] | None = None
    strength: float = 1.0  # of the adapter that is trained; other methods draw with what they have learnt


@message
class BackupNow: ...


@message
class SaveNow: ...


@message
class ValidateNow: ...


@message
class Change:
    """Change a setting that is marked live."""

    path: str
    value: Any


@message
class Train:
    """Start a run. `preset` holds values as a preset file does, machine settings included."""

    preset: dict[str, Any]
    resume: str = ""  # "" starts afresh; "newest" or the folder of a run continues it
    share_card: bool = False  # also where another run has the graphics card


@message
class CheckPreset:
    preset: dict[str, Any]
    probe: bool = False  # load the model and measure a few real steps
    start: bool = False  # somebody waits for the run: leave out what costs time and is plainly no matter
    resume: str = ""  # the folder of the run that is to go on: its own models are in nobody's way
    card: str = ""  # the name of a graphics card that memory is planned for; "": what this computer trains with


@message
class RunTool:
    """Use a tool of `modules.tools.TOOLS`; `settings` are those of its section."""

    name: str
    settings: dict[str, Any]


@message
class Query:
    """Ask of a preset its "layers" or what is "trained" (check/trained), or the last check's "plan" (check/plan)."""

    id: int
    what: str
    values: dict[str, Any]


@message
class Quit:
    """End the engine once the job, if there is one, has stopped."""


Job = Train | CheckPreset | RunTool
Command = Stop | Pause | Continue | SampleNow | BackupNow | SaveNow | ValidateNow | Change | Query | Job | Quit
