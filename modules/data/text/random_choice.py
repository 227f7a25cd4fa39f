"""Chance in the making of a caption: drawn from an address, or every way there is, by one and the same code.

Whoever makes captions asks a `RandomChoice`. Drawn answers for one showing; `all_outcomes` plays the making through
with every answer, so that what can be drawn and what is listed cannot disagree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from modules.system.seeds import seed_of, uniform_of

Name = int | str
MAX_TRIES_PER_OUTCOME = (
    16  # times the limit: so many ways are tried before they count as too many, some of which say the same
)


class RandomChoice(ABC):
    """Answers questions of chance. The names of a question tell it from all others of the same caption."""

    @abstractmethod
    def happens(self, share: float, *names: Name) -> bool:
        """Whether something that happens with a chance of `share` does."""

    @abstractmethod
    def one_of(self, weights: Sequence[float], *names: Name) -> int:
        """A place, as often as its weight says; never one of weight 0, but where all are."""

    @abstractmethod
    def permutation(self, count: int, *names: Name) -> list[int]:
        """The numbers below `count` in a random order."""

    @abstractmethod
    def epoch_is_nth(self, every: int) -> bool:
        """Whether this is an epoch of those that come after each so many; never for 0."""

    @abstractmethod
    def ramp(self, start: int, end: int, steps: int) -> int:
        """What grows evenly from `start` to `end` in so many steps of the run, as it is now."""


class KeyedChoice(RandomChoice):
    """The answers for one showing: pure functions of its address, its epoch and its step, all counted from 0."""

    def __init__(self, rng_key: Sequence[Name], epoch: int, step: int) -> None:
        self._rng_key, self._epoch, self._step = rng_key, epoch, step

    def happens(self, share: float, *names: Name) -> bool:
        return share > 0 and uniform_of(*self._rng_key, *names) < share

    def one_of(self, weights: Sequence[float], *names: Name) -> int:
        if len(set(weights)) == 1:
            return seed_of(*self._rng_key, *names) % len(weights)
        left = uniform_of(*self._rng_key, *names) * sum(weights)
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return place
        return max(place for place, weight in enumerate(weights) if weight > 0)  # rounding ate the last bit

    def permutation(self, count: int, *names: Name) -> list[int]:
        return sorted(range(count), key=lambda i: seed_of(*self._rng_key, *names, i))

    def epoch_is_nth(self, every: int) -> bool:
        return every > 0 and (self._epoch + 1) % every == 0

    def ramp(self, start: int, end: int, steps: int) -> int:
        if not steps or start >= end:
            return end
        return min(end, start + self._step * (end - start) // steps)


class FirstChoice(RandomChoice):
    """No chance at all: nothing that might happen does, the first of all options, everything in its order and grown."""

    def happens(self, share: float, *names: Name) -> bool:
        return share >= 1

    def one_of(self, weights: Sequence[float], *names: Name) -> int:
        return next((place for place, weight in enumerate(weights) if weight > 0), 0)

    def permutation(self, count: int, *names: Name) -> list[int]:
        return list(range(count))

    def epoch_is_nth(self, every: int) -> bool:
        return every == 1

    def ramp(self, start: int, end: int, steps: int) -> int:
        return end


def all_outcomes(make: Callable[[RandomChoice], str], limit: int) -> list[str] | None:
    """Everything that `make` can make, each once; None where it is more than `limit`, or there are too many ways."""
    found: dict[str, None] = {}
    decisions: list[list[int]] = []  # [answer, answers] of each question, as in a lock with numbers
    for _ in range(MAX_TRIES_PER_OUTCOME * limit):
        try:
            found[make(_Replayed(decisions, MAX_TRIES_PER_OUTCOME * limit))] = None
        except _TooManyOutcomes:
            return None
        if len(found) > limit:
            return None
        while decisions and decisions[-1][0] + 1 == decisions[-1][1]:
            decisions.pop()
        if not decisions:
            return list(found)
        decisions[-1][0] += 1
    return None


class _TooManyOutcomes(Exception):
    """One way alone has so many turnings that it is hopeless to try all."""


class _Replayed(RandomChoice):
    """Answers as `decisions` says, and 0 to each further question, which is added to them."""

    def __init__(self, decisions: list[list[int]], most: int) -> None:
        self._decisions, self._place, self._product, self._most = decisions, 0, 1, most

    def _decide(self, answers: int) -> int:
        if answers == 1:
            return 0
        self._product *= answers
        if self._product > self._most:
            raise _TooManyOutcomes
        if self._place == len(self._decisions):
            self._decisions.append([0, answers])
        self._place += 1
        return self._decisions[self._place - 1][0]

    def happens(self, share: float, *names: Name) -> bool:
        return share >= 1 or (share > 0 and self._decide(2) == 0)

    def one_of(self, weights: Sequence[float], *names: Name) -> int:
        places = [place for place, weight in enumerate(weights) if weight > 0] or range(len(weights))
        return places[self._decide(len(places))]

    def permutation(self, count: int, *names: Name) -> list[int]:
        left = list(range(count))
        return [left.pop(self._decide(len(left))) for _ in range(count)]

    def epoch_is_nth(self, every: int) -> bool:
        return every == 1 or (every > 1 and self._decide(2) == 0)

    def ramp(self, start: int, end: int, steps: int) -> int:
        return end if not steps or start >= end else end - self._decide(end - start + 1)
