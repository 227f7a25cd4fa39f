"""CPU seconds and memory from the start of a known data set of millions of images in archives to its first batch.

python -m tests.benchmarks.many_images [images]

Rows are made up, as the scan keeps them: only the archive's stamp is real. Anonymous memory is what the system cannot
drop; mapped files are not in it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
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


def made_up(images: int) -> pa.Table:
    """Rows of images in all sizes, with a caption each."""
    draw, parts = np.random.default_rng(1), list[pa.Table]()
    for start in range(0, images, PART):
        count = min(PART, images - start)
        keys = pa.array([f"0001.tar/{number}.webp" for number in range(start, start + count)], pa.large_string())
        said = pa.array([CAPTION.format(number) for number in range(start, start + count)], pa.large_string())
        once = pa.array(np.arange(count + 1))
        lines = pa.LargeListArray.from_arrays(once, pa.LargeListArray.from_arrays(once, said))
        sides = [pa.array(draw.integers(600, 2400, count, dtype=np.int32)) for _ in "wh"]
        nothing = texts([], count)
        parts.append(pa.table([keys, *sides, nothing, nothing, lines], schema=OWN))
    return pa.concat_tables(parts)


def anonymous_mb() -> float:
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024


class Clock:
    def __init__(self) -> None:
        self.before, self.memory = time.process_time(), anonymous_mb()

    def tell(self, what: str) -> None:
        now = time.process_time()
        print(f"{what:24} {now - self.before:7.2f} CPU s   {anonymous_mb() - self.memory:7.0f} MB more of its own")
        self.before = time.process_time()


def timed(preset: Preset, cache: Path) -> None:
    clock = Clock()
    index: Index = scan(preset, cache=cache, report=lambda *_: None, stop=lambda: False)
    clock.tell(f"index of {len(index):,}")
    order = epoch_order(index, 16, 1, 0)
    clock.tell("order of the epoch")
    print(len([index[example.row] for example in order[0]]), "items")
    clock.tell("items of the first batch")


def main() -> None:
    if sys.argv[1:2] == ["--timed"]:
        work = Path(sys.argv[2])
        timed(Preset.model_validate({"concepts": [{"path": str(work / "set")}]}), work / "cache")
        return
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    work = Path(tempfile.mkdtemp())
    try:
        packed(work / "set" / "0001.tar", robots())
        time.sleep(0.1)
        preset = Preset.model_validate({"concepts": [{"path": str(work / "set")}]})
        source = source_of(preset.concepts[0])
        remember(ConceptTable(made_up(images), [], Remarks(), []), source, work / "cache", state_of(source))
        # In a process of its own: what was made up has left memory behind.
        subprocess.run(python_command("-m", "tests.benchmarks.many_images", "--timed", work), check=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
