"""CPU seconds of a scan of images with captions: the first, and the next, which reads nothing.

python -m tests.benchmarks.scan [images]
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from modules.data.scan.scan import scan
from modules.preset.preset import Preset

KINDS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def filled(folder: Path, images: int) -> Path:
    """Images of every kind in turn, longer than the part that a scan reads of them."""
    folder.mkdir()
    kinds: list[tuple[str, bytes]] = []
    for ending, kind in KINDS.items():
        stream = io.BytesIO()
        Image.effect_noise((160, 128), 90).convert("RGB").save(stream, kind, quality=95)
        kinds.append((ending, stream.getvalue()))
    for number in range(images):
        ending, data = kinds[number % len(kinds)]
        (folder / f"{number}{ending}").write_bytes(data)
        (folder / f"{number}.txt").write_text(f"robot, {number % 50}", encoding="utf-8")
    return folder


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    work = Path(tempfile.mkdtemp())
    try:
        preset = Preset.model_validate(
            {"concepts": [{"path": str(filled(work / "images", images))}], "general": {"workers": 1}}
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
