import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.gui.concepts.dataset_scan import count, index_of, preview_of, statistics
from app.gui.concepts.statistics import statistics_lines
from app.gui.session.worker import Report, Stop, Worker
from modules.data.batches import BatchLoader
from modules.data.cache.store import Cache
from modules.data.order import Example
from modules.errors import UserError
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.preset.sections.training import Training
from modules.sentences.problem import as_it_is
from tests.data.test_batches import Encoders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n, size in enumerate([(300, 200), (200, 300), (64, 64), (256, 256)]):
        Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(folder / f"{n}.png")
        if n < 3:
            (folder / f"{n}.txt").write_text("one, two, three\nfour, five, six" if n else "one, two", encoding="utf-8")
    shutil.copy(folder / "0.png", folder / "copy.png")
    (folder / "torn.png").write_bytes(b"nothing")
    return folder


def preset(folder: Path, **settings: object) -> Preset:
    concepts = (Concept(path="/not/there"), Concept(path=str(folder), enabled=False, **settings))  # type: ignore[arg-type]
    return Preset(concepts=concepts, training=Training(resolution=128))


def test_how_much_masks_leave_out_is_the_mean_over_those_there_are(folder: Path) -> None:
    for name, black in (("0", 100), ("2", 32)):
        mask = Image.new("L", (200, 100), 255)
        mask.paste(0, (0, 0, black, 100))
        mask.save(folder / f"{name}-masklabel.png")
    found = statistics(preset(folder, masks="file"), 1, lambda *_: None, lambda: False)
    assert (found.images, found.masks) == (5, 2)
    assert found.masked_out == pytest.approx((0.5 + 0.16) / 2)
    assert ("Masks", "2 of 5; on average 33\u00a0% is masked out", "text") in statistics_lines(found)
    (folder / "2-masklabel.png").write_bytes(b"torn")
    assert statistics(preset(folder, masks="file"), 1, lambda *_: None, lambda: False).masked_out == pytest.approx(0.5)
    without = statistics(preset(folder), 1, lambda *_: None, lambda: False)
    assert without.masks == 0 and all(label != "Masks" for label, _, _ in statistics_lines(without))


def test_the_numbers_of_a_concept_alone_even_if_it_is_off(folder: Path) -> None:
    found = count(preset(folder), 1).wait().result
    assert found
    assert (found.images, found.captioned, found.missing, found.alternatives) == (5, 3, 2, 5)
    assert sum(found.buckets.values()) == 5
    assert found.smallest
    assert (found.smallest[0].path, *found.smallest[1:]) == (folder / "2.png", 64, 64)
    assert found.enlarged == 1
    assert found.pixels == 3 * 300 * 200 + 64 * 64 + 256 * 256
    assert [[path.name for path in group] for group in found.duplicates] == [["0.png", "copy.png"]]
    assert [bad.name for bad in found.bad] == ["torn.png"]


def test_captions_from_names_or_a_prompt_are_not_missing(folder: Path) -> None:
    found = count(preset(folder, captions="prompt", prompt="a robot"), 1).wait().result
    assert found and found.missing == 0


def test_a_missing_folder_is_told_in_words(folder: Path) -> None:
    error = count(preset(folder), 0).wait().error
    assert error and "there is no folder" in str(error)


def test_progress_never_runs_back(folder: Path) -> None:
    shares: list[float] = []
    statistics(preset(folder), 1, lambda done, total: shares.append(done / max(total, 1)), lambda: False)
    assert shares == sorted(shares)
    assert shares[0] >= 0 and shares[-1] <= 1


def test_counting_can_be_stopped(folder: Path) -> None:
    statistics(preset(folder), 1, lambda *_: None, lambda: True)


@pytest.mark.parametrize("random_crop", [False, True])
def test_the_preview_is_what_training_gets(folder: Path, tmp_path: Path, random_crop: bool) -> None:
    (folder / "torn.png").unlink()
    settings = {
        "flip": True, "shuffle_tags": True, "caption_dropout": 0.3, "prefix": "sks ", "random_crop": random_crop,
    }  # fmt: skip
    here = preset(folder, **settings)
    index = index_of(here, 1)
    flips: set[bool] = set()
    captions: set[str] = set()
    with Cache(tmp_path / "cache") as cache:
        loader = BatchLoader(index, here, Encoders(), cache, cache_latents=True, cache_text=False)
        loader.fill(lambda *_: None, lambda: False)
        for draw in range(12):
            row = draw % len(index)
            preview = preview_of(index, row, here, draw)
            batch = loader.batch([Example(row, 0)], draw)
            assert batch.captions == (preview.caption,)
            assert batch.sizes_B6[0].tolist() == list(preview.variant.sizes(index[row]))
            height, width = index[row].bucket
            assert preview.image.size == (width, height)
            flips.add(preview.variant.flip)
            captions.add(preview.caption)
    assert flips == {False, True}
    assert "" in captions and len(captions) > 4


# Work beside the window -----------------------------------------------------------------------------------------------


def test_work_reports_and_its_result_is_there_when_it_is_done() -> None:
    go = threading.Event()

    def work(report: Report, _stop: Stop) -> str:
        report(1, 2)
        go.wait(60)
        return "done"

    task = Worker(work)
    assert task.outcome() is None
    go.set()
    assert task.wait().result == "done"
    assert task.progress == (1, 2)


def test_cancelled_work_ends_and_has_no_result() -> None:
    def work(_report: Report, stop: Stop) -> str:
        while not stop():
            pass
        return "late"

    task = Worker(work)
    task.cancel()
    assert task.wait().result is None
    assert not task.running


def test_what_a_user_can_mend_is_kept_and_a_fault_is_raised_where_it_is_seen() -> None:
    def mendable(_report: Report, _stop: Stop) -> None:
        raise UserError(as_it_is("no such folder"))

    def fault(_report: Report, _stop: Stop) -> None:
        raise ZeroDivisionError

    error = Worker(mendable).wait().error
    assert error and str(error) == "no such folder"
    with pytest.raises(ZeroDivisionError):
        Worker(fault).wait()


def test_a_folder_that_went_meanwhile_is_told_in_words(folder: Path) -> None:
    wanted = preset(folder)
    index = index_of(wanted, 1)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="cannot be read"):
        preview_of(index, 0, wanted, 0)
