"""What a run says while it trains."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from modules.messages.message import Count, Point, PromptDrift, TagScore, message
from modules.sentences.problem import Problem


def _step_and_loss(pair: list[float]) -> list[float]:
    if len(pair) != 2 or not pair[0].is_integer():  # as NaN and infinity are not
        raise ValueError("is not a step and its loss")
    return pair


StepLoss = Annotated[list[float], AfterValidator(_step_and_loss)]


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
class GridCell:
    """A cell of a grid, by its place from 0: drawn or found (`path`), or in the making, at a sampling step."""

    path: str  # "" in the making
    column: Count
    row: Count
    tab: Count = 0
    reused: bool = False  # was there before, or is a sample of the run
    done: Count = 0  # sampling steps of the cell in the making
    total: Count = 0


@message
class CaptionReady:
    """What a model would write about an image; nothing was written."""

    image: str  # how a person finds it
    what: Literal["tags", "sentences"]
    text: str  # with what is put before it
    scores: list[TagScore] = field(default_factory=list[TagScore])  # of tags: those above the least, the surest first
    thresholds: dict[str, float] = field(default_factory=dict[str, float])  # of tags, by category, as they were used
    tokens: Count = 0  # of sentences, by the model's own tokenizer
    problems: list[Problem] = field(default_factory=list[Problem])  # why it would not be written


@message
class BackupSaved:
    path: str
    step: Count


@message
class ModelSaved:
    path: str
    step: Count


@message
class Paused:
    step: Count
    reason: str = ""  # why the run paused by itself: the disk is full, say; "" when the user asked for it
    retries: bool = False  # it tries again by itself; else it waits to be continued
    problems: list[Problem] = field(default_factory=list[Problem])  # the reason as data


@message
class Continued:
    step: Count


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
class Retention:
    """What was learnt against what was forgotten, at points that are the same each time: resources/decisions/0030."""

    step: Count
    forgotten: float  # how far the answers have moved from the base's; 1: as far as if the prompt were taken away
    prompts: list[PromptDrift]  # the same for each prompt that the base knows, in the preset's order
    practised: float | None  # ln(loss before training / loss) on some images that are trained on, at fixed noise
    held_out: float | None  # the same on validation images; None without validation
    balance: float  # what was learnt, held out where that is known, less what was forgotten
    cosine: float | None  # mean cosine of the direction of guidance with the base's; 1: the same
    best_step: Count  # of the run so far: where the balance was highest
    alarm: bool  # it forgets faster than it learns: balance below 0 twice in a row, or below -0.2
    points: str  # names the points: runs can be compared where it is equal

    @property
    def learnt(self) -> float | None:
        """On images that are not trained on, where there are some."""
        return self.practised if self.held_out is None else self.held_out
