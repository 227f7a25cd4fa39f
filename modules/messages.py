"""Everything that crosses between the window and the engine, and nothing else does: commands go in, events come out.

Messages are frozen and plain, so that each can be one line of JSON: `encode` and `decode` at the end of this file.
Events carry paths of files, never pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from queue import Empty, SimpleQueue
from types import UnionType
from typing import Any, Generic, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Level = Literal["info", "warning", "error"]
Severity = Literal["stop", "hurt", "know"]  # a run cannot start; its result will be worse; worth knowing


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
    reason: str = ""  # why the run paused by itself: the disk is full, say; "" when the user asked for it


@dataclass(frozen=True, slots=True)
class Continued:
    step: int


@dataclass(frozen=True, slots=True)
class Fix:
    """Settings that would help, in a few words: a button in the window, a `--set` on the command line."""

    label: str
    changes: dict[str, Any]  # path of a setting -> its new value


@dataclass(frozen=True, slots=True)
class Finding:
    """What the pre-flight check found."""

    name: str  # "captions.cut": what this is, in every run and release
    severity: Severity
    title: str  # one sentence with its number: "62 % of the captions are longer than 75 tokens."
    text: str = ""  # why it matters and what to do, in one to three sentences
    setting: str = ""  # path of the setting that it is about, or of the section: "concepts.0.path"
    fixes: list[Fix] = field(default_factory=list[Fix])
    bars: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])  # a histogram: label and amount
    unit: str = ""  # of the bars: "captions", "bytes", "seconds"
    items: list[str] = field(default_factory=list[str])  # files or tags it is about; 20 at most

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixes", _fixes(self.fixes))
        object.__setattr__(self, "bars", [(label, amount) for label, amount in self.bars])


@dataclass(frozen=True, slots=True)
class Failed:
    message: str  # for the user
    details: str = ""  # for the log: the traceback
    fixes: list[Fix] = field(default_factory=list[Fix])  # what would help, if that is known

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixes", _fixes(self.fixes))


def _fixes(given: Iterable[Any]) -> list[Fix]:
    """From the wire they come as plain dicts."""
    return [mend if isinstance(mend, Fix) else Fix(**mend) for mend in given]


@dataclass(frozen=True, slots=True)
class Finished:
    """A job ended well. `stopped` tells that the user ended it early; `step` is 0 for jobs that do not train."""

    step: int = 0
    stopped: bool = False
    path: str = ""  # what came out, if it is one thing


@dataclass(frozen=True, slots=True)
class Result:
    """What a query (a check, a question of size) found."""

    question: str
    text: str


@dataclass(frozen=True, slots=True)
class Validated:
    """How wrong the model is about images that it does not learn from, measured with the same noise each time."""

    step: int
    mean: float  # over the images
    error: float  # standard error of the mean: how far it may be off because these images were taken
    images: int
    concepts: dict[str, float]  # mean of each concept, by its name
    times: list[tuple[float, float]]  # (share of noise, mean) of each amount of noise
    best: bool  # whether the model was never as good
    best_step: int  # of the best validation so far
    best_mean: float
    # How much this is above the best one before, and the standard error of that: the same images with the same noise
    # differ much less from each other than images do. Both 0 for the first.
    change: float = 0.0
    change_error: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", [(share, loss) for share, loss in self.times])


Event = (
    Started | Phase | Progress | SampleReady | BackupSaved | ModelSaved | Note | Paused | Continued | Failed | Finished
    | Finding | Result | Validated
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
class ValidateNow: ...


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
class CheckPreset:
    preset: dict[str, Any]
    probe: bool = False  # load the model and measure a few real steps
    start: bool = False  # somebody waits for the run: leave out what costs time and is plainly no matter


@dataclass(frozen=True, slots=True)
class RunTool:
    """Use a tool of `modules.tools.TOOLS`; `settings` are those of its section."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Quit:
    """End the engine once the job, if there is one, has stopped."""


Job = Train | CheckPreset | RunTool
Command = Stop | Pause | Continue | SampleNow | BackupNow | SaveNow | ValidateNow | Change | Job | Quit
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


def condense(events: Iterable[Event]) -> list[Event]:
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
            raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))[:200]}")
        _check_types(kind, values)
        return kind(**values)
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"not a message: {line[:200]}") from error


def _check_types(kind: type[Any], values: Mapping[str, Any]) -> None:
    """Refuse a value of another type than its field says: it would be noticed only far from here."""
    hints = _hints(kind)
    for name, value in values.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{kind.__name__}.{name} cannot be {json.dumps(value)[:100]}")


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    """Whether what JSON gave can stand in a field of this type. Whole numbers are fractions, too; tuples are lists."""
    if get_origin(hint) in (list, tuple, dict):
        return _fits_inside(value, get_origin(hint), get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if is_dataclass(hint):
        return isinstance(value, dict) and _fits_fields(cast("dict[str, Any]", value), cast("type[Any]", hint))
    return hint is Any or type(value) is hint or (hint is float and type(value) is int)


def _fits_inside(value: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if origin is dict:  # the keys of JSON are always texts
        return isinstance(value, dict) and all(_fits(each, inner[1]) for each in cast("dict[str, Any]", value).values())
    if not isinstance(value, list):
        return False
    held = cast("list[Any]", value)
    wanted = inner * len(held) if origin is list else inner
    return len(held) == len(wanted) and all(map(_fits, held, wanted))


def _fits_fields(values: Mapping[str, Any], kind: type[Any]) -> bool:
    hints = _hints(kind)
    return values.keys() == hints.keys() and all(_fits(value, hints[name]) for name, value in values.items())
