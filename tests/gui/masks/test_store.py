"""What is painted and what is written, without a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.gui.concepts.concept_scan import Scan
from app.gui.concepts.preview import masks_in_words
from app.gui.masks.files import read_images
from app.gui.masks.overlay import COVER, RED, OverlaidPicture, covered
from app.gui.masks.painting import LEFT_OUT, Painting
from app.gui.masks.store import MaskStore, load
from modules.data.scan.scan import scan
from modules.data.source.kinds import source_of
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        Image.new("RGB", (64, 64), (200, 200, 200)).save(tmp_path / f"{name}.png")
    half = Image.new("L", (64, 64), 255)
    half.paste(0, (0, 0, 32, 64))
    half.save(tmp_path / "b-masklabel.png")
    return tmp_path


def painted(store: MaskStore, value: int) -> Painting:
    painting = store.open(0, load(store.all[0]))
    assert painting.replace(np.full((64, 64), value, np.uint8))
    return painting


def test_what_was_painted_after_saving_outlives_the_undo_of_the_saving(folder: Path) -> None:
    store, mask = MaskStore(), folder / "a-masklabel.png"
    store.take(read_images([Concept(path=str(folder))], lambda *_: None, lambda: False))
    painted(store, LEFT_OUT)
    written = store.save(0)
    assert written and mask.exists()
    painting = painted(store, 100)
    store.put_back(0, written)
    assert not mask.exists()
    assert store.kept(0) is painting and painting.unsaved and store.unsaved()
    painting.undo()  # to what was written, and is on the disk no more
    assert painting.unsaved
    assert store.save(0) and mask.exists(), "no other program has changed it"


def test_the_undo_of_the_saving_shows_the_file_where_nothing_was_painted_since(folder: Path) -> None:
    store = MaskStore()
    store.take(read_images([Concept(path=str(folder))], lambda *_: None, lambda: False))
    painted(store, LEFT_OUT)
    written = store.save(0)
    assert written
    store.put_back(0, written)
    assert store.kept(0) is None and not store.unsaved() and store.state(0) == "none"


def test_what_a_mask_leaves_out_is_red(folder: Path) -> None:
    red = tuple(round(200 + (part - 200) * COVER) for part in RED)
    mask = Image.open(folder / "b-masklabel.png")
    found = covered(Image.open(folder / "b.png"), mask)
    assert found.getpixel((50, 30)) == (200, 200, 200)
    assert found.getpixel((10, 30)) == pytest.approx(red, abs=1)
    store = MaskStore()
    store.take(read_images([Concept(path=str(folder))], lambda *_: None, lambda: False))
    each = store.all[1]
    picture = OverlaidPicture(each.image, each.mask, each.mask.stamp())
    assert Image.open(picture.open()).convert("RGB").getpixel((10, 30)) == pytest.approx(red, abs=1)
    (folder / "b-masklabel.png").write_bytes(b"torn")
    assert Image.open(picture.open()).convert("RGB").getpixel((10, 30)) == (200, 200, 200), "the image alone"


def test_the_masks_of_a_concept_are_counted_in_words(folder: Path) -> None:
    concept = Concept(path=str(folder))
    source = source_of(concept)

    def words(used: bool) -> str:
        index = scan(Preset(concepts=(concept,)), cache=None, report=lambda *_: None, stop=lambda: False)
        return masks_in_words(Scan(source, source.listing(), index), used)

    assert (words(True), words(False)) == (" · 1 with a mask", " · 1 with a mask (not used)")
    Image.new("L", (64, 64)).save(folder / "a-masklabel.png")
    assert words(True) == " · 2 with a mask"
    for mask in folder.glob("*-masklabel.png"):
        mask.unlink()
    assert words(True) == ""
