"""CPU seconds and memory from the start of a known data set of millions of images in archives to its first batch.

python -m tests.benchmarks.many_images [images] [start]

Rows are made up, as the scan keeps them: only the archive's stamp is real. Anonymous memory is what the system cannot
drop; mapped files are not in it. With `start` a real run of two steps follows, of a tiny model whose cache is filled:
all rows are then the same ten images.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from modules.data.index import Index
from modules.data.order import epoch_order
from modules.data.scan.concept_table import OWN, ConceptTable, remember, state_of, texts
from modules.data.scan.scan import scan
from modules.data.source.kinds import source_of
from modules.data.source.source import Remarks
from modules.preset.preset import Preset
from modules.system.runtime import python_command
from tests.data.source.test_packed import packed, robots

CAPTION = "1girl, solo, long hair, blue eyes, looking at viewer, smile, robot, standing, outdoors, {}, " + 90 * "x"
PART = 500_000
REAL = 10  # images of a real run


def made_up(images: int) -> pa.Table:
    """Rows of images in all sizes, with a caption each."""
    draw, parts = np.random.default_rng(1), list[pa.Table]()
    for start in range(0, images, PART):
        count = min(PART, images - start)
        keys = pa.array([f"0001.tar/{number}.webp" for number in range(start, start + count)], pa.large_string())
        said = pa.array([CAPTION.format(number) for number in range(start, start + count)], pa.large_string())
        parts.append(_rows(keys, said, [draw.integers(600, 2400, count, dtype=np.int32) for _ in "wh"]))
    return pa.concat_tables(parts)


def repeated(images: int) -> pa.Table:
    """Rows of the same real images again and again."""
    keys = pa.array([f"0001.tar/{number}.png" for number in range(REAL)], pa.large_string())
    said = pa.array([CAPTION.format(number) for number in range(REAL)], pa.large_string())
    parts = list[pa.Table]()
    for start in range(0, images, PART):
        numbers = np.arange(start, min(start + PART, images)) % REAL
        widths = (64 + 32 * (numbers % 2)).astype(np.int32)
        parts.append(
            _rows(keys.take(pa.array(numbers)), said.take(pa.array(numbers)), [widths, np.full_like(widths, 64)])
        )
    return pa.concat_tables(parts)


def _rows(keys: pa.Array, captions: pa.Array, sides: list[np.ndarray]) -> pa.Table:
    once, nothing = pa.array(np.arange(len(keys) + 1)), texts([], len(keys))
    lines = pa.LargeListArray.from_arrays(once, pa.LargeListArray.from_arrays(once, captions))
    return pa.table([keys, *map(pa.array, sides), nothing, nothing, lines], schema=OWN)


def anonymous_mb() -> float:
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024


class Clock:
    """Tells CPU time and memory of its own from part to part; a thread looks for the peak."""

    def __init__(self) -> None:
        self.before, self.memory, self.peak = time.process_time(), anonymous_mb(), 0.0
        self.watch = threading.Thread(target=self._look, daemon=True)
        self.watch.start()

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, anonymous_mb())
            time.sleep(0.01)

    def tell(self, what: str) -> None:
        now, more = time.process_time(), anonymous_mb() - self.memory
        peak, self.peak = max(self.peak - self.memory, more), 0.0
        print(f"{what:28} {now - self.before:7.2f} CPU s   {more:6.0f} MB more of its own, {peak:6.0f} at its peak")
        self.before = time.process_time()


def rows(work: Path, images: int) -> None:
    keep(made_up(images), plain_preset(work), work)


def plain_preset(work: Path) -> Preset:
    return Preset.model_validate({"concepts": [{"path": str(work / "set")}]})


def timed(work: Path, images: int) -> None:
    del images
    preset = plain_preset(work)
    clock = Clock()
    index: Index = scan(preset, cache=work / "cache", report=lambda *_: None, stop=lambda: False)
    clock.tell(f"index of {len(index):,}")
    order = epoch_order(index, 16, 1, 0)
    clock.tell("order of the epoch")
    print(len([index[example.row] for example in order[0]]), "items")
    clock.tell("items of the first batch")


def keep(table: pa.Table, preset: Preset, work: Path) -> None:
    """As a scan of the set does that found these rows."""
    source = source_of(preset.concepts[0])
    remember(ConceptTable(table, [], Remarks(), []), source, work / "cache", state_of(source))


# A real run -----------------------------------------------------------------------------------------------------------


def run_preset(work: Path) -> Preset:
    from tests.trainer.runs import values

    settings = ("concepts.0.caption_dropout=0", "concepts.0.flip=false", "training.steps=2")
    return Preset.model_validate(
        values(work, f"concepts.0.path={work / 'set'}", *settings, "model.source=starter:model")
    )


def fill(work: Path, images: int) -> None:
    """Leave a cache as a run does that has gone through all rows: what the real images need is all there is."""
    from modules.data.batches import BatchLoader
    from modules.data.cache.contents import Contents
    from modules.data.cache.manifest import Complete, Manifest
    from modules.data.cache.store import Cache
    from modules.data.scan.file_watch import FileWatch
    from modules.trainer.preparation import open_family, resolved
    from modules.trainer.step.encoders import FamilyEncoders

    preset = run_preset(work)
    family = open_family(preset, lambda _: None)
    encoders, preset = FamilyEncoders(family), resolved(preset, family)
    with Cache(work / "cache") as cache:
        keep(repeated(REAL), preset, work)
        few = scan(preset, cache=work / "cache", report=lambda *_: None, stop=lambda: False)
        loader = BatchLoader(few, preset, encoders, cache, cache_latents=True, cache_text=True)
        loader.fill(lambda *_: None, lambda: False)
        digests = np.array([list(bytes.fromhex(loader.contents[row].digest)) for row in range(REAL)], np.uint8)
        keep(repeated(images), preset, work)
        index = scan(preset, cache=work / "cache", report=lambda *_: None, stop=lambda: False)
        watch = FileWatch(index, lambda _: None, encoded=True)
        manifest = Manifest(index, encoders, cache, watch, latents=True, text=True, streams=False)
        manifest.write(Complete(Contents.of(np.tile(digests, (-(-images // REAL), 1))[:images]), [], False))


def start(work: Path, images: int) -> None:
    """A real run, ended by its first step. PROFILE=1 tells where its time goes."""
    from modules.messages import Channel, Event, Progress, Stage, Train
    from modules.run import run_job

    del images
    values, channel, clock = run_preset(work).model_dump(mode="json"), Channel.open(), Clock()
    profile = cProfile.Profile()

    def listen(event: Event) -> None:
        if isinstance(event, Stage) and not event.done:
            clock.tell(f"until {event.code}")
        if isinstance(event, Progress):
            clock.tell("until the first step")
            profile.disable()
            if os.environ.get("PROFILE"):
                pstats.Stats(profile).sort_stats("cumtime").print_stats(80)
            sys.stdout.flush()
            os._exit(0)

    channel.events.put = listen  # type: ignore[method-assign]
    if os.environ.get("PROFILE"):
        profile.enable()
    run_job(Train(values, ""), channel)


PARTS = {
    "--rows": rows,
    "--timed": timed,
    "--fill": fill,
    "--start": start,
}  # each in a process of its own: memory is left behind


def main() -> None:
    if sys.argv[1] in PARTS:
        PARTS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
        return
    images = int(sys.argv[1])
    work = Path(tempfile.mkdtemp())
    try:
        packed(work / "set" / "0001.tar", robots(REAL))
        time.sleep(0.1)
        for part in ["--fill", "--start"] if sys.argv[2:] == ["start"] else ["--rows", "--timed"]:
            subprocess.run(python_command("-m", "tests.benchmarks.many_images", part, work, images), check=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
