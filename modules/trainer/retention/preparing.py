"""Before a run: the prompts that its base knows are read, and the base is asked. No run fails because of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from modules.data.cache.store import Cache
from modules.families import Family
from modules.messages import Stage, note
from modules.preset.preset import Preset
from modules.sentences.problem import problem
from modules.trainer.control import Control, Interrupted
from modules.trainer.preparation import Tell
from modules.trainer.retention.anchors import Anchors
from modules.trainer.retention.drift import LEAST_EFFECT, unit_of
from modules.trainer.retention.schedule import Extent, extent_for
from modules.trainer.run_folder.disk_retry import GaveUp
from modules.trainer.run_folder.run_writer import reasons_of


def anchors_for(
    preset: Preset, family: Family, steps: int, cache: Cache, tell: Tell, earlier: Extent | None = None
) -> Anchors | None:
    """The prompts that the base knows, as it reads them; None where the run is not measured. Why is told."""
    if not preset.examine.enabled:
        return None
    extent = extent_for(preset, steps, earlier)
    if extent is None:
        share = preset.examine.budget / 100
        tell(note(problem("retention.too-short", "examine.budget", steps=steps, share=share)))
        return None
    anchors = Anchors(preset, family, extent, cache)
    return anchors if _worked(anchors, tell, anchors.read) else None


def base_asked(anchors: Anchors | None, tell: Tell, control: Control) -> Anchors | None:
    """The same with the base's answers; None where there are none to measure by. To be called before `attach`."""
    if anchors is None:
        return None

    def report(done: int, total: int) -> None:
        control.check()
        tell(Stage("stage.asking-base", done, total))

    if not _worked(anchors, tell, lambda: anchors.prepare(report)):
        return None
    assert anchors.points is not None
    if not unit_of(anchors.points, anchors.family.noise_schedule) > LEAST_EFFECT:
        tell(note(problem("retention.no-effect", "examine.prompts"), level="warning"))
        return None
    return anchors


def _worked(anchors: Anchors, tell: Tell, work: Callable[[], None]) -> bool:
    """Do something and count its time; whatever goes wrong is told."""
    with timed(anchors):
        try:
            work()
        except (Interrupted, GaveUp):
            raise
        except Exception as error:  # noqa: BLE001 - numbers to look at: no run is to fail because of them
            tell(note(problem("retention.unprepared", why=reasons_of(error)), level="warning"))
            return False
    return True


@contextmanager
def timed(anchors: Anchors) -> Generator[None]:
    """What is done meanwhile counts as preparation."""
    began = time.monotonic()
    yield
    anchors.seconds += time.monotonic() - began
