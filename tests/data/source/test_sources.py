"""Whatever keeps to `Source` is trained on, checked and shown: here a source in memory, none of it on any disk."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.gui.captions import edits
from app.gui.captions.files import read_captions
from app.gui.captions.store import CaptionStore
from app.gui.concepts.dataset_scan import index_of, preview_of, statistics
from app.gui.kit.images import loader as pictures
from modules.check.images import findings as images_check
from modules.check.run.paths import used_folders
from modules.data.batches import BatchLoader
from modules.data.cache.store import Cache
from modules.data.order import Example
from modules.data.scan import scan as scan_module
from modules.data.source import kinds, parallel_read
from modules.data.source.file_hashes import FileHashes
from modules.data.source.folders import FolderSource
from modules.data.source.source import DataFile, Source
from modules.errors import UserError
from modules.preset.sections.concept import Concept
from modules.sentences.problem import Problem
from modules.sentences.render import PLAIN
from tests.check.rooms import said
from tests.data.pictures import preset_of, scanned
from tests.data.source.memory_source import SCHEME, MemorySource
from tests.data.test_batches import Encoders
from tests.trainer.runs import end_of, run, values


def as_png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def robots() -> dict[str, bytes]:
    """Six pictures with captions, half of them with masks."""
    files: dict[str, bytes] = {}
    for number in range(6):
        shapes = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        files[f"{number}.png"] = as_png(np.kron(shapes, np.ones((8, 8 + 4 * (number % 2), 1), np.uint8)))
        files[f"{number}.txt"] = f"robot {number}".encode()
        if number < 3:
            mask = np.zeros((64, 64), np.uint8)
            mask[16:48, 16:48] = 255
            files[f"{number}-masklabel.png"] = as_png(mask)
    return files


@pytest.fixture(params=[False, True], ids=["captions in files", "a table"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    source = MemorySource(robots(), request.param)

    def memory(path: Path, concept: Concept, number: int) -> Source | None:
        return source if SCHEME in concept.path else None  # a run makes paths absolute

    monkeypatch.setattr(kinds, "KINDS", [memory, *kinds.KINDS])
    return source


def on_disk(files: Mapping[str, bytes], folder: Path) -> Path:
    folder.mkdir()
    for key, data in files.items():
        (folder / key).write_bytes(data)
    return folder


def concept(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "masks": "file", **more}


def test_the_index_of_a_source_is_that_of_a_folder_with_the_same_files(source: MemorySource, tmp_path: Path) -> None:
    folder = on_disk(source.files, tmp_path / "robots")
    index = scanned(preset_of(concept("memory:robots")))
    assert index.table.equals(scanned(preset_of(concept(str(folder)))).table)
    assert [item.key for item in index][:2] == ["0/0.png", "0/1.png"]
    assert index[1].captions == ("robot 1",)
    assert str(index[0].mask) == "memory:robots#0-masklabel.png"


def test_the_next_scan_of_a_source_reads_nothing(source: MemorySource, tmp_path: Path) -> None:
    preset = preset_of(concept("memory:robots"))
    first = scanned(preset, tmp_path)
    opened: list[str] = []
    open_ = source.open
    source.open = lambda key: (opened.append(key), open_(key))[1]  # type: ignore[method-assign]
    assert scanned(preset, tmp_path).table.equals(first.table)
    assert opened == []


def test_worker_processes_read_a_source(source: MemorySource, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = preset_of(concept("memory:robots"), general={"workers": 2})
    alone = scanned(preset)
    monkeypatch.setattr(scan_module, "CHUNK", 2)
    monkeypatch.setattr(parallel_read, "MIN_FILES_FOR_WORKERS", 0)
    assert scanned(preset).table.equals(alone.table)


def test_latents_of_a_source_have_the_keys_of_a_folder_with_the_same_files(
    source: MemorySource, tmp_path: Path
) -> None:
    folder = on_disk(source.files, tmp_path / "robots")
    batches = []
    for path in (str(folder), "memory:robots"):
        preset, encoders = preset_of(concept(path, flip=True), resolution=64), Encoders()
        with Cache(tmp_path / "cache") as cache:
            loader = BatchLoader(scanned(preset), preset, encoders, cache, cache_latents=True, cache_text=True)
            loader.fill(lambda *_: None, lambda: False)
            batches.append(loader.batch([Example(0, 0), Example(2, 0)], 0))
    assert encoders.images == 0, "all of them were cached already"
    one, other = batches
    assert torch.equal(one.latents_BChw, other.latents_BChw)
    assert one.captions == other.captions
    assert torch.equal(one.masks_B1hw, other.masks_B1hw)


def test_what_changes_in_a_source_while_a_run_is_on_is_said(source: MemorySource, tmp_path: Path) -> None:
    preset, notes = preset_of(concept("memory:robots")), list[Problem]()
    with Cache(tmp_path / "cache") as cache:
        loader = BatchLoader(
            scanned(preset), preset, Encoders(), cache, cache_latents=True, cache_text=True, note=notes.append
        )
        loader.fill(lambda *_: None, lambda: False)
        source.files["1.png"] = source.files["0.png"]
        loader.batch([Example(1, 0)], 0)
    assert notes and PLAIN.sentence(notes[0]).startswith("memory:robots#1.png was changed while the run is on")


def test_a_source_is_trained_on_with_masks_and_captions(source: MemorySource, tmp_path: Path) -> None:
    chosen = [concept("memory:robots", flip=True, random_crop=True)]
    events = run({**values(tmp_path, "training.steps=2", "training.batch_size=2"), "concepts": chosen})
    assert end_of(events)
    (folder,) = [path for path in tmp_path.rglob("events.jsonl")]
    assert "memory:robots" in (folder.parent / "preset.json").read_text(encoding="utf-8")


def test_a_source_is_checked(source: MemorySource, tmp_path: Path) -> None:
    source.files["copy.png"], source.files["copy.txt"] = source.files["5.png"], b"robot 5"
    general = {"workspace": str(tmp_path), "cache": str(tmp_path / "cache"), "device": "cpu", "threads": 1}
    preset = preset_of(concept("memory:robots"), resolution=64, general=general)
    found = said(images_check.findings, preset)
    assert found["images.copies"].items == ["memory:robots#5.png = memory:robots#copy.png"]
    assert not any(place.setting.startswith("concepts") for place in used_folders(preset)), (
        "it has no folder to ask about"
    )


def test_a_source_is_previewed_as_training_sees_it(source: MemorySource, tmp_path: Path) -> None:
    preset = preset_of(concept("memory:robots", flip_always=True), resolution=64)
    index = index_of(preset, 0)
    preview = preview_of(index, 0, preset, 0)
    assert preview.caption == "robot 0"
    assert preview.mask is not None
    whole = Image.open(io.BytesIO(source.files["0.png"]))
    assert np.array_equal(np.asarray(preview.image), np.asarray(whole)[:, ::-1])
    assert statistics(preset, 0, lambda *_: None, lambda: False).captioned == 6
    assert pictures.opened(index.file(0), (32, 32)).size == (32, 32)


def test_captions_of_a_source_are_shown_and_not_changed(source: MemorySource) -> None:
    captions = read_captions([Concept(path="memory:robots")])
    assert [caption.lines for caption in captions][:2] == [["robot 0"], ["robot 1"]]
    with pytest.raises(UserError, match=r"is inside memory:robots.*Put the images into a folder"):
        CaptionStore(captions).apply(edits.add_tag("sks"), [0])


def test_a_file_is_known_by_its_source_and_key(tmp_path: Path) -> None:
    one, other = MemorySource({"a/b.png": b"x"}), MemorySource({"a/b.png": b"y"}, title="cats")
    file = DataFile(one, "a/b.png")
    assert (file.name, file.suffix, file.path, str(file)) == ("b.png", ".png", None, "memory:robots#a/b.png")
    with FileHashes(tmp_path) as hashes:
        assert hashes.of(file) != hashes.of(DataFile(other, "a/b.png"))
    assert FolderSource(tmp_path, Concept()).address("a/b.png") == str(tmp_path / "a" / "b.png")
