"""Everything that crosses between the window and the engine, and nothing else does: commands go in, events come out.

Messages are frozen and plain, so that each can be one line of JSON: `encode` and `decode` at the end of this file.
Events carry paths of files, never pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from queue import Empty, SimpleQueue
from typing import Any, Generic, Literal, TypeVar, cast

Level = Literal["info", "warning", "error"]


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """A run has its folder. `resumed_from` is the step of the backup it continues, or -1."""

    folder: str
    steps: int
    epochs: int
    steps_per_epoch: int
    resumed_from: int = -1


@dataclass(frozen=True, slots=True)
class Phase:
    """What the engine is doing now, in words, and how far it is: `total` 0 means that nobody knows."""

    title: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands. No loss is dropped: `losses` holds (step, loss) of every step since the last message."""

    step: int
    steps: int
    epoch: int
    epochs: int
    losses: list[list[float]] = field(default_factory=list[list[float]])
    smooth_loss: float = 0.0
    rates: dict[str, float] = field(default_factory=dict[str, float])  # learning rate by part
    steps_per_second: float = 0.0
    seconds_left: float = 0.0
    memory: int = 0  # bytes of main memory that the process holds
    card_memory: int = 0  # bytes of the graphics card's memory that the process holds; 0 without a card


@dataclass(frozen=True, slots=True)
class SampleReady:
    path: str
    prompt: str
    step: int
    number: int  # which of the preset's prompts, from 1; 0 for a prompt of the moment


@dataclass(frozen=True, slots=True)
class BackupSaved:
    path: str
    step: int


@dataclass(frozen=True, slots=True)
class ModelSaved:
    path: str
    step: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know, in words, and nothing ends because of it."""

    text: str
    level: Level = "info"


@dataclass(frozen=True, slots=True)
class Paused:
    step: int


@dataclass(frozen=True, slots=True)
class Continued:
    step: int


@dataclass(frozen=True, slots=True)
class Failed:
    message: str  # for the user
    details: str = ""  # for the log: the traceback


@dataclass(frozen=True, slots=True)
class Finished:
    """A job ended well. `stopped` tells that the user ended it early; `step` is 0 for jobs that do not train."""

    step: int = 0
    stopped: bool = False
    path: str = ""  # what came out, if it is one thing


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query (a check, a question of size) found."""

    question: str
    text: str


Event = (
    Started | Phase | Progress | SampleReady | BackupSaved | ModelSaved | Note | Paused | Continued | Failed | Finished
    | Answer
)  # fmt: skip


# Commands -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run after this step, with a backup; `now` ends it without one."""

    now: bool = False


@dataclass(frozen=True, slots=True)
class Pause: ...


@dataclass(frozen=True, slots=True)
class Continue: ...


@dataclass(frozen=True, slots=True)
class SampleNow:
    """Make the preset's samples, or one image of the settings given here (those of preset.sampling.Prompt)."""

    prompt: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class BackupNow: ...


@dataclass(frozen=True, slots=True)
class SaveNow: ...


@dataclass(frozen=True, slots=True)
class Change:
    """Change a setting that is marked live."""

    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class Train:
    """Start a run. `preset` holds values as a preset file does, machine settings included."""

    preset: dict[str, Any]
    resume: str = ""  # "" starts afresh; "newest" or the folder of a run continues it


@dataclass(frozen=True, slots=True)
class FillCache:
    preset: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CheckPreset:
    preset: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MakeImages:
    """Draw prompts (settings of preset.sampling.Prompt) with a model, and LoRA files with it."""

    preset: dict[str, Any]
    prompts: list[dict[str, Any]]
    loras: list[str]
    folder: str


@dataclass(frozen=True, slots=True)
class ConvertModel:
    source: str
    target: str
    family: str = ""
    format: str = "single_file"
    dtype: str = ""
    parts: str = ""  # a file with trained parts or a LoRA to put into the model
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Quit:
    """End the engine once the job, if there is one, has stopped."""


Job = Train | FillCache | CheckPreset | MakeImages | ConvertModel
Command = Stop | Pause | Continue | SampleNow | BackupNow | SaveNow | Change | Job | Quit
Message = Event | Command


# Between threads ------------------------------------------------------------------------------------------------------

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A queue that is only ever emptied, never waited on: neither thread can block the other."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[T] = SimpleQueue()

    def put(self, message: T) -> None:
        self._queue.put(message)

    def drain(self, at_most: int = 200) -> Iterator[T]:
        """Yield what has arrived, oldest first; bounded, so that a window that drains stays responsive."""
        for _ in range(at_most):
            try:
                yield self._queue.get_nowait()
            except Empty:
                return


@dataclass(frozen=True)
class Channel:
    events: Mailbox[Event]
    commands: Mailbox[Command]

    @classmethod
    def open(cls) -> Channel:
        return cls(Mailbox(), Mailbox())


def condensed(events: Iterable[Event]) -> list[Event]:
    """The same story in fewer messages: of neighbours, the newest progress wins, and no loss is dropped."""
    told: list[Event] = []
    for event in events:
        last = told[-1] if told else None
        if isinstance(event, Progress) and isinstance(last, Progress):
            told[-1] = replace(event, losses=[*last.losses, *event.losses])
        elif isinstance(event, Phase) and isinstance(last, Phase) and event.title == last.title:
            told[-1] = event
        else:
            told.append(event)
    return told


# On the wire ----------------------------------------------------------------------------------------------------------

KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (*Event.__args__, *Command.__args__)}


def encode(message: Message) -> str:
    """One line of JSON, without its newline."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}, ensure_ascii=False, allow_nan=True)


def decode(line: str) -> Message:
    """The message that `encode` wrote.

    Raises:
        ValueError: the line is no message.
    """
    try:
        values = cast("dict[str, Any]", json.loads(line))
        kind = KINDS[values.pop("kind")]
        known = {f.name for f in fields(kind)}
        if unknown := set(values) - known:
            raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
        return kind(**values)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a message: {line[:200]}") from error
