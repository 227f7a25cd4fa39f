"""Masks of a folder through the tool itself: what is written, what is kept, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tarfile import TarInfo
from tarfile import open as open_tar
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.data.image.mask_files import maker_of, write_mask
from modules.data.image.masks import open_mask
from modules.data.source.folders import on_disk
from modules.data.source.kinds import source_of
from modules.errors import Problems, UserError
from modules.messages import Command, Event, Finished, Note, RunTool, SampleReady, Stage, Stop
from modules.preset.sections.concept import Concept
from tests.masking import tiny
from tests.test_run import do, notes

LEFT = [[255, 0]]  # a mask that is white on the left


def halves(path: Path, width: int = 32, height: int = 16, **options: Any) -> Path:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0], pixels[:, width // 2 :, 2] = 255, 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def make(source: Path, answer: Callable[[Event], Command | None] | None = None, **more: Any) -> list[Event]:
    model = source.parent / "u2net.onnx"
    if not model.exists():
        tiny.reddest(model)
    given = {"source": str(source), "background_model": str(model), "device": "cpu", "offline": True}
    return do(RunTool("mask", {**given, **more}), answer)


def refusal(source: Path, **more: Any) -> str:
    with pytest.raises(UserError) as refused:
        make(source, **more)
    return refused.value.problem.code


def mask_at(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def shape_of(mask: np.ndarray) -> list[list[int]]:
    """The mask in two pixels."""
    return [[int(mask[0, 0]), int(mask[0, -1])]]


def codes(events: list[Event]) -> dict[str, int]:
    return {said.code: said.values.get("count", 0) for event in events if isinstance(event, Note)
            for said in event.problems}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images of different kinds, one of them in a folder inside."""
    halves(tmp_path / "images" / "a.png")
    halves(tmp_path / "images" / "b.jpg", quality=95)
    halves(tmp_path / "images" / "in" / "c.png")
    return tmp_path / "images"


def test_masks_lie_where_training_looks_for_them(folder: Path) -> None:
    events = make(folder, subfolders=True)
    assert codes(events)["mask.written"] == 3 and events[-1] == Finished(path=str(folder))
    concept = Concept(path=str(folder), masks="file", subfolders=True)
    entries = source_of(concept).listing().entries
    assert [entry.mask for entry in entries] == ["a-masklabel.png", "b-masklabel.png", "in/c-masklabel.png"]
    for entry in entries:
        mask = np.asarray(open_mask(on_disk(folder / entry.mask), alpha=False))
        assert mask.shape == (16, 32) and shape_of(mask) == LEFT
    stages = [event for event in events if isinstance(event, Stage) and event.code == "stage.masks"]
    assert [(stage.done, stage.total) for stage in stages] == [(0, 3), (1, 3), (2, 3)]


def test_operations_are_those_of_the_settings(folder: Path) -> None:
    make(folder, threshold=0.5, grow=4, invert=True, only=["a.png"])
    assert [path.name for path in folder.glob("*label.png")] == ["a-masklabel.png"]
    assert mask_at(folder / "a-masklabel.png")[0].tolist() == [0] * 20 + [255] * 12


def test_an_image_is_seen_as_training_sees_it(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right
    halves(folder / "b.jpg", exif=exif, quality=95)
    make(folder, only=["b.jpg"])
    mask = mask_at(folder / "b-masklabel.png")
    assert mask.shape == (32, 16) and (mask[0, 0], mask[-1, 0]) == (255, 0)


def test_masks_that_are_there_are_kept(folder: Path) -> None:
    make(folder)
    before = (folder / "a-masklabel.png").stat()
    events = make(folder, invert=True)
    assert codes(events) == {"mask.kept": 2, "mask.nothing-to-do": 0}
    assert (folder / "a-masklabel.png").stat().st_mtime_ns == before.st_mtime_ns


def test_made_masks_are_replaced_and_painted_ones_never(folder: Path) -> None:
    make(folder)
    Image.new("L", (32, 16), 90).save(folder / "b-masklabel.png")
    painted = (folder / "b-masklabel.png").read_bytes()
    for existing in ("replace", "add", "subtract"):
        assert codes(make(folder, invert=True, existing=existing))["mask.painted"] == 1
        assert (folder / "b-masklabel.png").read_bytes() == painted
    assert "stays as it is" in notes(make(folder, existing="replace"))
    how = maker_of(on_disk(folder / "a-masklabel.png"))
    assert how is not None and how["tool"] == "mask" and how["model"].endswith("u2net.onnx")


@pytest.mark.parametrize(
    ("existing", "wanted"), [("replace", [0, 0, 255, 255]), ("add", [255, 0, 255, 255]), ("subtract", [255, 0, 0, 0])]
)
def test_a_new_mask_is_joined_with_the_one_that_was_made_before(folder: Path, existing: str, wanted: list[int]) -> None:
    before = np.zeros((16, 32), dtype=np.uint8)
    before[:, :8] = 255
    write_mask(folder / "a-masklabel.png", Image.fromarray(before), {})
    make(folder, only=["a.png"], existing=existing, invert=True)
    assert mask_at(folder / "a-masklabel.png")[0, [0, 12, 20, 31]].tolist() == wanted


def test_what_is_taken_from_an_image_without_a_mask_is_taken_from_the_whole(folder: Path) -> None:
    make(folder, only=["a.png"], existing="subtract")
    assert shape_of(mask_at(folder / "a-masklabel.png")) == [[0, 255]]


def test_a_look_at_some_writes_elsewhere_and_shows_them(folder: Path) -> None:
    make(folder, only=["a.png"])
    Image.new("L", (32, 16), 255).save(folder / "b-masklabel.png")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    out = folder.parent / "look"
    for invert in (True, False):  # again and again, as sliders move
        events = make(folder, subfolders=True, only=["b.jpg", "in/c.png"], out=str(out), invert=invert)
    shown = {event.prompt: Path(event.path) for event in events if isinstance(event, SampleReady)}
    assert shown == {"b.jpg": out / "b-masklabel.png", "in/c.png": out / "in" / "c-masklabel.png"}
    assert shape_of(mask_at(shown["in/c.png"])) == LEFT
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    make(folder, only=["b.jpg"], out=str(out), existing="subtract")
    assert shape_of(mask_at(shown["b.jpg"])) == [[0, 255]]  # as it would be with what stands beside the image


def test_empty_and_full_masks_are_named(folder: Path) -> None:
    make(folder)
    before = (folder / "a-masklabel.png").read_bytes()
    model = tiny.reddest(folder.parent / "birefnet.onnx", scale=0.1, shift=-9.0)
    events = make(folder, background_model=str(model), existing="replace")
    assert codes(events)["mask.empty"] == 2 and "a.png" in notes(events, "warning")
    assert (folder / "a-masklabel.png").read_bytes() == before
    events = make(folder, background_model=str(model), existing="replace", invert=True)
    assert codes(events)["mask.full"] == 2 and shape_of(mask_at(folder / "a-masklabel.png")) == [[255, 255]]


def test_stop_keeps_what_is_written_and_the_next_time_goes_on(folder: Path) -> None:
    def stop_at_the_second(event: Event) -> Command | None:
        return Stop(now=True) if isinstance(event, Stage) and event.code == "stage.masks" and event.done == 1 else None

    assert make(folder, stop_at_the_second, subfolders=True)[-1] == Finished(stopped=True)
    written = sorted(path.name for path in folder.rglob("*label.png"))
    assert 0 < len(written) < 3
    assert codes(make(folder, subfolders=True))["mask.written"] == 3 - len(written)
    assert not list(folder.rglob("*.part"))


def test_images_that_cannot_be_read_are_named_and_the_others_get_theirs(folder: Path) -> None:
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:60])
    events = make(folder)
    assert "a.png" in notes(events, "warning") and codes(events)["mask.written"] == 1


def test_words_and_faces_are_made_through_the_same_tool(folder: Path) -> None:
    models = tiny.word_models()
    make(folder, kind="words", words="cat, a dog", words_model=str(models["clipseg"]), threshold=0, only=["a.png"],
         out=str(folder.parent / "words"))  # fmt: skip
    yunet = tiny.yunet(folder.parent / "yunet.onnx", {(8, 1, 3): (16, 12, 0.9)})
    make(folder, kind="faces", faces_model=str(yunet), face_confidence=0.6, face_margin=0, only=["a.png"])
    assert mask_at(folder / "a-masklabel.png")[6, 14] == 255 and mask_at(folder / "a-masklabel.png")[0, 0] == 0


def test_what_cannot_be_done_is_said_before_a_model_is_opened(folder: Path) -> None:
    assert refusal(folder, kind="words", words=" , ") == "mask.no-words"
    assert refusal(folder, only=["z.png"]) == "mask.none-of-these"
    assert refusal(folder / "absent") == "concept.folder-missing"
    assert refusal(folder, background_model="nobody/nothing-here") == "hub.offline:tool"
    with pytest.raises(Problems):
        make(folder, kind="hands")


def test_no_files_can_be_put_beside_images_in_archives(folder: Path) -> None:
    packed = folder.parent / "tars" / "0.tar"
    packed.parent.mkdir()
    with open_tar(packed, "w") as tar:
        data = (folder / "a.png").read_bytes()
        about = TarInfo("a.png")
        about.size = len(data)
        tar.addfile(about, BytesIO(data))
    assert refusal(packed.parent) == "mask.packed"
    make(packed.parent, out=str(folder.parent / "look"), background_model=str(tiny.reddest(folder / "u2net.onnx")))
    (shown,) = (folder.parent / "look").rglob("a-masklabel.png")
    assert shape_of(mask_at(shown)) == LEFT
