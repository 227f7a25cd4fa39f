"""The memory plan: for each way of the ladder what it comes to on a card, and the first that fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from modules.catalog.gpus import GPUS, USUAL_CARDS, Gpu
from modules.check.memory.findings import room_within
from modules.check.memory.phases import Estimate
from modules.check.plan.ladder import Way, ladder, wants_compiler
from modules.check.plan.numbers import Choice, Numbers
from modules.messages import CardFit, MemoryPlan, Rung
from modules.preset.paths import get
from modules.preset.preset import Preset
from modules.preset.text.share import Share
from modules.system.devices import budget_of
from modules.trainer.preparation import WITHOUT_PLAN

TRIES = 3  # counts of the way that is chosen, until it fits as it was thought
EXACT = ("exact", "near", "less")
LITTLE = 32 * 2**20  # bytes that are not worth another way
WORTH = 0.05  # of the room: with less to spare, every block is checkpointed


@dataclass(frozen=True)
class Place:
    """Where a run is to fit: a card, or main memory (`on_card` false)."""

    name: str
    total: int
    usable: int
    gpu: Gpu | None  # None: nobody knows how fast it is
    here: bool = False
    on_card: bool = True
    no_compiler: str = ""  # why the compiler does not work there

    @classmethod
    def of(cls, gpu: Gpu, most: float = 0.0) -> Place:
        """A card by its data sheet; `most`: GB that a run may take."""
        return cls(gpu.name, gpu.memory, budget_of(gpu.memory, most), gpu)

    @property
    def compiles(self) -> bool:
        """Whether blocks can be compiled there so that it is worth a minute: on a CPU it is not."""
        return self.on_card and not self.no_compiler

    @property
    def room(self) -> int:
        """Bytes that an estimate may come to."""
        return room_within(self.usable, self.on_card)


class Planner:
    """Plans for one model, its images and its settings, on any card."""

    def __init__(self, numbers: Numbers, preset: Preset) -> None:
        self._numbers, self.preset = numbers, preset
        self._values = preset.model_dump(mode="json")

    def plan(self, place: Place, *, count: bool = True, usual: bool = False) -> MemoryPlan:
        """The plan for a place. `count`: the chosen way as it will be run, too; `usual`: what usual cards would do."""
        ways, others = ladder(self.preset, on_card=place.on_card)
        for _ in range(TRIES if count else 0):
            choice = next(
                (c for way in ways if self._peak(c := self._choice(way, place.room), place.room) <= place.room), None
            )
            if choice is None or not self._numbers.correct(choice):
                break
        useful = self._useful([*ways, *others], place.room)
        rungs = [self._rung(self._choice(way, place.room), place) for way in useful]
        best = _best(rungs[: sum(way in ways for way in useful)])
        return MemoryPlan(
            place.name, place.here, place.total, place.usable, self.preset.general.prefer, self.preset.model.dtype,
            rungs, rungs.index(best),
            [path for path in WITHOUT_PLAN if get(self._values, path) != "auto"],
            [self._fit(Place.of(GPUS[name])) for name in USUAL_CARDS] if usual else [],
            place.room,
        )  # fmt: skip

    def preferring(self, prefer: str) -> Planner:
        """The same with another `general.prefer`."""
        general = self.preset.general.model_copy(update={"prefer": prefer})
        return Planner(self._numbers, self.preset.model_copy(update={"general": general}))

    def estimate(self, plan: MemoryPlan, place: Place) -> Estimate:
        """The phases of a run by a plan."""
        rung = plan.rungs[plan.chosen]
        settings = rung.settings
        way = Way(str(settings["model.quantization"]), bool(rung.offloaded), str(settings["training.gradients"]))
        return self._numbers.estimate(Choice(way, rung.checkpointed, rung.batch_parts, rung.offloaded), place.room)

    def least(self, place: Place) -> int:
        """Bytes that the smallest of its ways comes to."""
        ways, _ = ladder(self.preset, on_card=place.on_card)
        return min(self._peak(self._least(way), place.room) for way in ways)

    def _fit(self, place: Place) -> CardFit:
        ways, _ = ladder(self.preset, on_card=True)
        rungs = [self._rung(self._choice(way, place.room), place) for way in ways]
        best = _best(rungs)
        quantization = str(best.settings["model.quantization"])
        return CardFit(place.name, place.total, best.peak, quantization, best.offloaded, best.seconds, best.fits)

    def _rung(self, choice: Choice, place: Place) -> Rung:
        found = self._numbers.estimate(choice, place.room)
        pinned = {path: value for path in WITHOUT_PLAN if (value := get(self._values, path)) != "auto"}
        compiles = wants_compiler(self.preset) and place.compiles and choice.offloaded < self._numbers.blocks
        planned = {**self._numbers.settings(choice), "general.compile": "on" if compiles else "off"}
        settings: dict[str, Any] = {**planned, **pinned}
        return Rung(
            settings, found.peak.total, found.peak.bars,
            self._numbers.main_memory(choice), self._numbers.blocks, choice.offloaded, choice.checkpointed,
            choice.batch_parts, self._numbers.seconds(choice, place.gpu) if place.gpu else 0.0,
            choice.way.exactness, found.peak.total <= place.room,
        )  # fmt: skip

    def _useful(self, ways: list[Way], room: int) -> list[Way]:
        """Without those that save nothing beside one that is tried earlier and no less exact, as of a small model."""
        found = dict[Way, int]()
        for way in ways:
            least = self._peak(self._least(way), room)
            idle = any(
                EXACT.index(other.exactness) <= EXACT.index(way.exactness)
                and other.offloads <= way.offloads  # which costs time
                and least > size - max(LITTLE, 0.01 * size)
                and (least <= room) == (size <= room)
                for other, size in found.items()
            )
            if not idle:
                found[way] = least
        return [*found]

    # As little as fits

    def _least(self, way: Way) -> Choice:
        """What takes least memory."""
        offloaded = self._amount("model.offload") if way.offloads else 0
        return Choice(way, self._amount("training.gradient_checkpointing"), self._batch_parts()[-1], offloaded)

    def _choice(self, way: Way, room: int) -> Choice:
        """The least that must be computed twice, divided or brought for a way to fit; all of it where none fits."""
        choice = self._least(way)
        for parts in self._batch_parts():
            choice = replace(choice, batch_parts=parts)
            if self._peak(choice, room) <= room:
                return self._less(self._fewer(choice, "offloaded", "model.offload", room), room)
        return choice

    def _less(self, choice: Choice, room: int) -> Choice:
        """Fewer blocks that are computed twice, where there is so much room left that it is worth the count."""
        if choice.offloaded or room - self._peak(choice, room) < WORTH * room:
            return choice
        return self._fewer(choice, "checkpointed", "training.gradient_checkpointing", room)

    def _fewer(self, choice: Choice, what: str, path: str, room: int) -> Choice:
        """As few blocks as fit of those of which all fit, if nobody has said how many."""
        if get(self._values, path) != "auto" or not getattr(choice, what):
            return choice
        least = 1 if what == "offloaded" else 0
        counts = range(least, getattr(choice, what) + 1)
        return next(c for number in counts if self._peak(c := replace(choice, **{what: number}), room) <= room)

    def _amount(self, path: str) -> int:
        """Of how many blocks at most a setting may be."""
        share = Share.parse(get(self._values, path))
        return self._numbers.blocks if share.auto else round(share.amount * self._numbers.blocks)

    def _batch_parts(self) -> list[int]:
        size = self.preset.training.batch_size
        return [count for count in range(1, size + 1) if size % count == 0]

    def _peak(self, choice: Choice, room: int) -> int:
        return self._numbers.estimate(choice, room).peak.total


def _best(rungs: list[Rung]) -> Rung:
    """The first that fits; the smallest if none does."""
    return next((rung for rung in rungs if rung.fits), min(rungs, key=lambda rung: rung.peak))
