"""CPU milliseconds of one caption of a change of many, in a folder of 200 files and in one of 20,000.

python -m tests.benchmarks.captions
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from app.gui.captions.batch import Change, write_all

WRITTEN = 200


def per_file(folder: Path, files: int) -> float:
    folder.mkdir()
    for number in range(files):
        (folder / f"{number}.txt").write_bytes(b"robot")
    changes = {folder / f"{number}.txt": Change(b"robot", b"robot, new") for number in range(WRITTEN)}
    began = time.process_time()
    write_all(changes, lambda *_: None, lambda: False)
    return 1000 * (time.process_time() - began) / WRITTEN


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        small, large = (per_file(Path(work) / str(files), files) for files in (200, 20_000))
        print(f"{small:.2f} ms in a folder of 200, {large:.2f} ms in one of 20,000: {large / small:.2f} times")


if __name__ == "__main__":
    main()
