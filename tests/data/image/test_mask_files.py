from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.data.image.mask_files import MADE_BY, PIXELS, is_as_made, maker_of, mask_of, png_of, write_mask
from modules.data.image.masks import open_mask
from modules.data.source.folders import on_disk
from modules.data.source.kinds import source_of
from modules.preset.sections.concept import Concept


def grey(*rows: list[int]) -> Image.Image:
    return Image.fromarray(np.array(rows, np.uint8))


def test_a_written_mask_is_read_as_it_was_and_tells_whether_a_model_made_it(tmp_path: Path) -> None:
    mask, path = grey([0, 60], [200, 255]), tmp_path / "a-masklabel.png"
    write_mask(path, mask)
    assert maker_of(on_disk(path)) is None
    assert np.array_equal(np.asarray(open_mask(on_disk(path), alpha=False)), np.asarray(mask))
    made_by = {"tool": "mask", "model": "u²-net", "settings": {"threshold": 0.5}}
    write_mask(path, mask, made_by)
    assert maker_of(on_disk(path)) == made_by
    assert np.array_equal(np.asarray(open_mask(on_disk(path), alpha=False)), np.asarray(mask))


def test_what_another_program_wrote_or_nobody_can_read_was_not_made_here(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(png_of(grey([0]), {"tool": "mask"})[:30])
    Image.new("L", (2, 2)).save(tmp_path / "other.jpg")
    (tmp_path / "list.png").write_bytes(png_of(grey([0]), cast("Any", ["mask"])))
    for name in ("torn.png", "other.jpg", "list.png", "absent.png"):
        assert maker_of(on_disk(tmp_path / name)) is None, name


def test_a_mask_belongs_beside_its_image_and_is_found_there(tmp_path: Path) -> None:
    Image.new("RGB", (4, 2)).save(tmp_path / "A.b.jpg")
    source = source_of(Concept(path=str(tmp_path)), 0)
    place = mask_of(source.listing().entries[0])
    assert (place.key, place.path) == ("A.b-masklabel.png", tmp_path / "A.b-masklabel.png")
    write_mask(tmp_path / "a.B-masklabel.png", grey([0]))
    assert mask_of(source.listing().entries[0]).key == "a.B-masklabel.png", "in other capitals it is the same one"


def test_a_made_mask_that_was_touched_up_counts_as_painted_though_an_editor_kept_its_text(tmp_path: Path) -> None:
    path, about = tmp_path / "a.png", PngInfo()
    write_mask(path, grey([0, 60], [200, 255]), {"tool": "mask"})
    with Image.open(path) as image:
        image.load()
        for name in (MADE_BY, PIXELS):
            about.add_itxt(name, str(image.info[name]))
        edited = image.copy()
    edited.save(path, pnginfo=about)
    assert is_as_made(on_disk(path)), "written again as it was"
    edited.putpixel((0, 0), 9)
    edited.save(path, pnginfo=about)
    assert maker_of(on_disk(path)) == {"tool": "mask"} and not is_as_made(on_disk(path))
    write_mask(path, grey([0]))
    assert not is_as_made(on_disk(path)) and not is_as_made(on_disk(tmp_path / "absent.png"))
