"""CPU seconds of a scan of 10,000 images with captions: the first, and the next, which reads nothing.

python -m tests.benchmarks.scan
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image

from modules.data.scan.scan import scan
from modules.preset.preset import Preset

IMAGES = 10_000


def filled(folder: Path) -> Path:
    folder.mkdir()
    Image.new("RGB", (64, 64), "teal").save(folder / "0.png")
    data = (folder / "0.png").read_bytes()
    for number in range(IMAGES):
        (folder / f"{number}.png").write_bytes(data)
        (folder / f"{number}.txt").write_text(f"robot, {number % 50}", encoding="utf-8")
    return folder


def main() -> None:
    work = Path(tempfile.mkdtemp())
    try:
        preset = Preset.model_validate(
            {"concepts": [{"path": str(filled(work / "images"))}], "general": {"workers": 1}}
        )
        time.sleep(0.1)
        for which in ("first", "next", "next", "next"):
            began = time.process_time()
            index = scan(preset, cache=work / "cache", report=lambda *_: None, stop=lambda: False)
            print(f"{which:6} {time.process_time() - began:6.2f} s   {len(index):,} images")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
