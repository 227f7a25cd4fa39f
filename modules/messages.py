"""Everything that crosses between the window and the engine, and nothing else does: commands go in, events come out.

Messages are frozen and plain, so that each can be one line of JSON: `modules/wire.py`.
Events carry paths of files, never pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Annotated, Any, Generic, Literal, TypeVar, dataclass_transform

from pydantic import AfterValidator, AliasChoices, BeforeValidator, ConfigDict, Field, Strict

from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Fix, Problem
from modules.sentences.render import PLAIN, text_of

Severity = Literal["error", "warning", "info"]  # of a finding: a run cannot start; its result will be worse; a note
Exactness = Literal["exact", "near", "less"]  # int8 is near, nf4 is less exact
T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def message(kind: type[T]) -> type[T]:
    """A frozen dataclass whose fields hold on the wire exactly what they say: no text for a number, nothing unknown."""
    made: Any = dataclass(frozen=True, slots=True)(kind)
    made.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
    return made


def _step_and_loss(pair: list[float]) -> list[float]:
    if len(pair) != 2 or not pair[0].is_integer():  # as NaN and infinity are not
        raise ValueError("is not a step and its loss")
    return pair


Count = Annotated[int, Field(lt=2**63)]  # an endless row of digits could not be drawn
StepLoss = Annotated[list[float], AfterValidator(_step_and_loss)]


# Events ---------------------------------------------------------------------------------------------------------------


@message
class Started:
    """A run has its folder. `resumed_from` is the step of the backup it continues, or -1."""

    folder: str
    steps: Count
    epochs: Count
    steps_per_epoch: Count
    resumed_from: Count = -1
    # Settings that are other than they were up to there, by path: the old value and the new one.
    changes: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])


@message
class Stage:
    """What the engine is doing now, and how far it is: `total` 0 means that nobody knows."""

    code: str = ""  # its row in sentences/tables/events.py; "" in runs of older versions
    done: Count = 0
    total: Count = 0
    title: str = ""  # the same in the words of the command line; a code without a row is its own title

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", PLAIN.what(Problem(self.code)) if self.code in CATALOGUE else self.code)


@message
class Progress:
    """Where training stands. No loss is dropped: `losses` holds (step, loss) of every step since the last message."""

    step: Count
    steps: Count
    epoch: Count
    epochs: Count
    losses: list[StepLoss] = field(default_factory=list[list[float]])
    smooth_loss: float = 0.0
    rates: dict[str, float] = field(default_factory=dict[str, float])  # learning rate by part
    steps_per_second: float = 0.0
    seconds_left: float = 0.0
    memory: Count = 0  # bytes of main memory that the process holds
    card_memory: Count = 0  # bytes of the graphics card's memory that the process holds; 0 without a card


@message
class SampleReady:
    path: str
    prompt: str
    step: Count
    number: Count  # which of the preset's prompts, from 1; 0 for a prompt of the moment


@message
class BackupSaved:
    path: str
    step: Count


@message
class ModelSaved:
    path: str
    step: Count


@message
class Note:
    """Something the user should know, and nothing ends because of it. `note` makes one of rows of the catalogue."""

    text: str  # in the words of the command line
    level: Severity = "info"
    problems: list[Problem] = field(default_factory=list[Problem])  # the same as data; empty in runs of older versions


def note(*problems: Problem, level: Severity = "info") -> Note:
    """What these rows of the catalogue say, to whoever listens."""
    return Note(text_of(problems, PLAIN), level, list(problems))


@message
class Paused:
    step: Count
    reason: str = ""  # why the run paused by itself: the disk is full, say; "" when the user asked for it
    retries: bool = False  # it tries again by itself; else it waits to be continued
    problems: list[Problem] = field(default_factory=list[Problem])  # the reason as data


@message
class Continued:
    step: Count


# JSON knows no tuples; what earlier releases wrote is "mends", and other severities.
EARLIER_SEVERITIES = {"stop": "error", "hurt": "warning", "know": "info"}
Bar = Annotated[tuple[str | Problem, float], Strict(strict=False)]  # label (data, or a row of the catalogue), amount
Point = Annotated[tuple[float, float], Strict(strict=False)]  # share of noise, mean loss
Fixes = Annotated[list[Fix], Field(validation_alias=AliasChoices("fixes", "mends"))]
AnySeverity = Annotated[Severity, BeforeValidator(lambda value: EARLIER_SEVERITIES.get(str(value), value))]


@message
class Finding:
    """What the check before a run found: a problem, how bad it is, and what would help."""

    code: str  # "captions.cut", or a variant of it behind a colon: "captions.cut:too-long"
    severity: AnySeverity
    path: str = ""  # of the setting that it is about, or of the section: "concepts.0.path"
    values: dict[str, Any] = field(default_factory=dict[str, Any])  # that its sentences name
    fixes: Fixes = field(default_factory=list[Fix])
    bars: Sequence[Bar] = field(default_factory=list[Bar])  # a histogram
    unit: str = ""  # of the bars: "captions", "bytes", "seconds"
    items: Sequence[str | Problem] = field(default_factory=list[str | Problem])  # files or tags it is about; 20 at most
    title: str = ""  # what it is, in the words of the command line; who has others makes them from `problem`
    text: str = ""  # why it matters

    def __post_init__(self) -> None:
        if not self.title and self.code in CATALOGUE:
            object.__setattr__(self, "title", PLAIN.what(self.problem))
            object.__setattr__(self, "text", PLAIN.advice(self.problem))

    @property
    def problem(self) -> Problem:
        return Problem(self.code, self.path, self.values)

    @property
    def name(self) -> str:
        """What it is in every variant, run and release: by this a person mutes it."""
        return self.code.partition(":")[0]


@message
class Failed:
    message: str  # for the user
    details: str = ""  # for the log: the traceback
    fixes: Fixes = field(default_factory=list[Fix])  # what would help, if that is known
    problems: list[Problem] = field(default_factory=list[Problem])  # the message as data; empty of a fault


@message
class Finished:
    """A job ended well. `stopped` tells that the user ended it early; `step` is 0 for jobs that do not train."""

    step: Count = 0
    stopped: bool = False
    path: str = ""  # what came out, if it is one thing


@message
class Result:
    """What a query (a check, a question of size) found."""

    question: str
    text: str  # in the words of the command line
    problems: list[Problem] = field(default_factory=list[Problem])  # the same as data, a line each


@message
class Answer:
    """What is asked by the `Query` of this id; `values` are empty where that could not be found out."""

    id: int
    what: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])


@message
class Validated:
    """How wrong the model is about images that it does not learn from, measured with the same noise each time."""

    step: Count
    mean: float  # over the images
    error: float  # standard error of the mean: how far it may be off because these images were taken
    images: Count
    concepts: dict[str, float]  # mean of each concept, by its name
    times: list[Point]  # for each amount of noise
    best: bool  # whether the model was never as good
    best_step: Count  # of the best validation so far
    best_mean: float
    # How much this is above the best one before, and the standard error of that: the same images with the same noise
    # differ much less from each other than images do. Both 0 for the first.
    change: float = 0.0
    change_error: float = 0.0


@message
class Rung:
    """A way to hold a model and to do its work, and what it comes to."""

    settings: dict[str, Any]  # that it sets, by path; those that a person has set are as they are
    peak: Count  # bytes
    parts: list[Bar]  # of the peak, by what they are for, the largest first
    main_memory: Count  # bytes of the computer's own memory that lie there for the card
    blocks: Count  # of the denoiser
    offloaded: Count  # of these
    checkpointed: Count  # of these
    batch_parts: Count  # in which a batch is learnt from
    seconds: float  # that a step takes, about; 0: nobody knows
    exactness: Exactness
    fits: bool


@message
class CardFit:
    """What a card would do with a run."""

    name: str
    total: Count  # bytes
    peak: Count
    quantization: str
    offloaded: Count  # blocks
    seconds: float
    fits: bool


@message
class MemoryPlan:
    """How a run fits a card: the rungs of the ladder, in the order in which they are tried."""

    card: str  # its name; "" is the computer's own memory
    here: bool  # whether it is what this computer trains with
    total: Count  # bytes
    usable: Count  # of them, by a run
    prefer: str  # "exact", "balanced" or "fast"
    dtype: str  # of weights that are not quantized: "bf16"
    rungs: list[Rung]
    chosen: int  # the first that fits; the smallest if none does
    pinned: list[str]  # settings of the ladder that a person has set, by path
    cards: list[CardFit] = field(default_factory=list[CardFit])  # what usual cards would do


Event = (
    Started | Stage | Progress | SampleReady | BackupSaved | ModelSaved | Note | Paused | Continued | Failed | Finished
    | Finding | Result | Answer | Validated | MemoryPlan
)  # fmt: skip


# Commands -------------------------------------------------------------------------------------------------------------


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
Message = Event | Command


# Between threads ------------------------------------------------------------------------------------------------------


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
