"""How much is measured, and when: dense at the start, where forgetting comes first, and never more than its budget.

What is chosen before the run hangs on counts alone. How often is chosen once, by what the first steps took, and kept in
the backup. All spacings are 10 steps doubled some times, so that runs of other speeds are measured at the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from modules.preset.preset import Preset

FIRST = 10  # steps to the first measurement, and the least spacing
DRAWING_STEPS = 10
FORWARDS_PER_IMAGE = 4  # of a training step: forward, backward (twice as much) and the update
FEWEST_LONG, FEWEST = 10, 3  # measurements that a run must have room for


@dataclass(frozen=True)
class Extent:
    """How much is asked of the base before the run, and of the model at each measurement."""

    drawn: bool  # whether points lie on what the base draws; else in pure noise, which costs no drawing
    times: int  # points for each prompt
    images: int  # points on practised images, and on held-out ones

    def preparation(self, prompts: int) -> int:
        """How often the denoiser is asked for an image before the run."""
        return prompts * (2 * self.times + (2 * DRAWING_STEPS if self.drawn else 0))

    def measurement(self, prompts: int, *, held_out: bool) -> int:
        """How often at each measurement; without the prompt at every other point."""
        return prompts * self.times * 3 // 2 + self.images * (1 + held_out)

    def points(self, prompts: int) -> int:
        return prompts * self.times

    def cached(self, prompts: int) -> int:
        """How many latents the cache keeps: drawings, and the base's answers with and without the prompts."""
        return prompts * self.drawn + 2 * self.points(prompts)


LONG, SHORT = Extent(drawn=True, times=4, images=16), Extent(drawn=False, times=2, images=8)


def extent_for(preset: Preset, steps: int, earlier: Extent | None = None) -> Extent | None:
    """What a run of so many steps has room for; None where it is too short to be measured at all.

    `earlier`: what the same run was measured with before. It stays, so that a series goes on with more steps as well.
    """
    training, prompts, wanted = preset.training, len(preset.known_prompts), preset.examine.points
    if earlier and wanted in ("auto", "drawings" if earlier.drawn else "noise"):
        return earlier
    images = steps * training.batch_size * training.accumulation
    room = preset.examine.budget / 100 * images * FORWARDS_PER_IMAGE
    for extent, fewest in ((LONG, FEWEST if wanted == "drawings" else FEWEST_LONG), (SHORT, FEWEST)):
        if wanted == ("noise" if extent.drawn else "drawings"):
            continue
        each = extent.measurement(prompts, held_out=preset.validation.enabled)
        if extent.preparation(prompts) + fewest * each <= room:
            return extent
    return None


@dataclass(frozen=True)
class Pace:
    """At which steps a run is measured."""

    interval: int  # the spacing, once it is reached; 0: no more measurements
    growth: int = 2  # until then each measured step is so many times the last one
    extra: int = 0  # how many more may be made where a model or a backup is written

    def steps(self, last: int) -> Iterator[int]:
        """The steps after the first that are measured; the last one always."""
        step = FIRST
        while self.interval and step < last:
            yield step
            step = step * self.growth if step * (self.growth - 1) < self.interval else step + self.interval
        if self.interval:
            yield last

    def is_due(self, step: int, last: int) -> bool:
        return step in takewhile(lambda due: due <= step, self.steps(last))


def pace_for(step: int, last: int, affordable: int) -> Pace:
    """The densest pace with at most so many measurements after this step."""
    powers = range(1, (last // FIRST).bit_length() + 2)
    for pace in (Pace(FIRST * 2**spacing, 2**growth) for growth in powers for spacing in (0, *powers)):
        count = sum(due > step for due in pace.steps(last))
        if count <= affordable:
            return replace(pace, extra=affordable - count)
    return Pace(0)
