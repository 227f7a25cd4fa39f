"""Captions by models through the tool itself: what is written where, what is kept, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from modules.captioning import making
from modules.captioning.captioner import Answer
from modules.errors import UserError
from modules.event_text import sentence
from modules.messages import CaptionReady, Command, Event, Finished, Note, RunTool, Stage, Stop
from tests.captioning import tiny_captioners
from tests.captioning.tiny_tagger import write_tagger
from tests.test_run import do


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("modules.captioning.record.cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def images(tmp_path: Path, cache: Path) -> Path:
    """Three images; the second has a caption."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    noise = np.random.default_rng(5)
    for name in ("1.png", "2.png", "more/3.png"):
        Image.fromarray(noise.integers(0, 256, (8, 6, 3), dtype=np.uint8)).save(folder / name)
    (folder / "2.txt").write_text("mine\n")
    return folder


def caption(source: Path, answer: Callable[[Event], Command | None] | None = None, **more: Any) -> list[Event]:
    tagger = write_tagger(source.parent / "tagger")
    asked = {"source": str(source), "tagger": str(tagger), "device": "cpu", "general": 0.01, "character": 0.01}
    return do(RunTool("caption", asked | more), answer)


def told(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def text(file: Path) -> str:
    return file.read_text("utf-8")


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): text(file) for file in folder.rglob("*.[tp][xar]*") if file.suffix != ".png"}


def test_images_without_a_caption_get_one_and_undo_takes_them_away(images: Path) -> None:
    before = files(images)
    said = told(caption(images, prefix="blip robot", trigger="blip"))
    assert said[-1] == "2 captions written."
    assert text(images / "2.txt") == "mine\n"
    assert text(images / "1.txt").startswith("blip robot, 1girl, ")
    assert (images / "more/3.txt").is_file()
    assert told(caption(images, undo=True)) == ["2 files are as before."]
    assert files(images) == before
    with pytest.raises(UserError, match="could be taken back"):
        caption(images, undo=True)


def test_replaced_captions_come_back_but_not_over_later_changes(images: Path) -> None:
    caption(images, images="all", existing="replace")
    assert text(images / "2.txt") != "mine\n"
    (images / "1.txt").write_text("by hand")
    said = told(caption(images, undo=True))
    assert said[0] == "2 files are as before." and "1.txt" in said[1]
    assert files(images) == {"1.txt": "by hand", "2.txt": "mine\n"}


def test_captions_beside_the_others_are_further_sources(images: Path) -> None:
    caption(images, images="all", existing="beside")
    assert text(images / "2.txt") == "mine\n" and not (images / "1.txt").exists()
    assert {file.name for file in images.rglob("*.tags")} == {"1.tags", "2.tags", "3.tags"}


def test_kept_captions_are_kept_though_all_images_are_asked_for(images: Path) -> None:
    caption(images, images="all")
    assert text(images / "2.txt") == "mine\n" and (images / "1.txt").is_file()


def test_other_thresholds_need_no_other_run(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.system.stamps.TICK_NS", 0)  # the images are older than that
    asked = {"preview": True, "images": "all"}
    first = [event for event in caption(images, **asked) if isinstance(event, CaptionReady)]
    assert sentence(first[0]) == f"1.png: {first[0].text}"
    assert len(first) == 3 and all(event.scores for event in first) and not list(images.glob("1.txt"))

    def never(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(making, "Tagger", never)
        again = [event for event in caption(images, general=0.6, **asked) if isinstance(event, CaptionReady)]
    assert [event.scores for event in again] == [event.scores for event in first]
    assert [event.text for event in again] != [event.text for event in first]
    image = Image.open(images / "1.png")
    image.rotate(180).save(images / "1.png")
    changed = [event for event in caption(images, **asked) if isinstance(event, CaptionReady)]
    assert changed[0].scores != first[0].scores and changed[1:] == first[1:]


def test_a_stop_keeps_what_is_written_and_undo_knows_it(images: Path) -> None:
    def after_one(event: Event) -> Command | None:
        return (
            Stop(now=True) if isinstance(event, Stage) and event.code == "stage.tagging" and event.done == 1 else None
        )

    events = caption(images, after_one, batch_size=1)
    assert isinstance(events[-1], Finished) and events[-1].stopped
    assert told(events)[-1] == "1 caption written."
    assert (images / "1.txt").is_file() and not (images / "more/3.txt").exists()
    caption(images, undo=True)
    assert not (images / "1.txt").exists()


def test_an_image_that_cannot_be_read_and_one_without_tags_are_named(images: Path) -> None:
    (images / "1.png").write_bytes(b"no image")
    events = caption(images, general=0.9999, character=0.9999)
    warnings = [event.text for event in events if isinstance(event, Note) and event.level == "warning"]
    assert len(warnings) == 2 and "1.png" in warnings[0] and "gets no tags" in warnings[1]
    assert not list(images.rglob("[13].txt"))


def test_only_the_images_that_are_named(images: Path) -> None:
    caption(images, only=[str(images / "more" / "3.png")])
    assert {file.name for file in images.rglob("*.txt")} == {"2.txt", "3.txt"}


def test_tags_and_sentences_are_two_sources(images: Path) -> None:
    """Each in a file of its own; what a model could not say is named."""
    model = tiny_captioners.model("llava")
    events = caption(images, kind="both", images="all", captioner=str(model), most_tokens=8, prefix="a robot")
    assert len(list(images.rglob("*.tags"))) == 3
    prose = [text(file) for file in images.rglob("*.prose")]
    refused = [event for event in events if isinstance(event, Note) and event.level == "warning"]
    assert len(prose) + len(refused) == 3
    assert all(line.startswith("a robot") and line.count("\n") == 1 for line in prose)


class Asked:
    """Answers with what it was asked, of one image at a time."""

    kind = "llava"

    def __init__(self, *_: object) -> None: ...

    def write(self, images: list[object], ask: Any, _: object) -> list[Any]:
        return [Answer(ask.prompt, cut=False) for _ in images]

    def tokens(self, text: str) -> int:
        return len(text.split())

    def close(self) -> None: ...


@pytest.mark.parametrize("batch", [1, 4])
def test_each_image_is_asked_with_its_own_tags(images: Path, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Of a file of tags, else of its caption; and one that has neither is asked without, which is said."""
    monkeypatch.setattr(making, "Captioner", Asked)
    (images / "1.tags").write_text("robot, blue\n")
    model = tiny_captioners.model("llava")
    events = caption(images, kind="sentences", images="all", existing="beside", captioner=str(model),
                     prompt="It shows: {tags}.", batch_size=batch)  # fmt: skip
    found = [text(images / name).partition(" Answer")[0] for name in ("1.prose", "2.prose", "more/3.prose")]
    assert found == ["It shows: robot, blue.", "It shows: mine.", "It shows:."]
    assert "1 image has no tags" in " ".join(told(events))


def test_tags_that_were_just_made_are_put_into_the_prompt(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "Captioner", Asked)
    model = tiny_captioners.model("llava")
    caption(images, kind="both", images="all", captioner=str(model), prompt="It shows: {tags}.")
    for file in images.rglob("*.tags"):
        assert text(file.with_suffix(".prose")).startswith(f"It shows: {text(file).strip()}.")


def test_empty_texts_and_loops_are_not_written(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["", "red " * 20, "A robot\nwaves. It stan"])

    class Speaker:
        kind = "llava"

        def __init__(self, *_: object) -> None: ...

        def write(self, images: list[object], *_: object) -> list[Any]:
            return [Answer(next(said), cut=True) for _ in images]

        def tokens(self, text: str) -> int:
            return len(text.split())

        def close(self) -> None: ...

    monkeypatch.setattr(making, "Captioner", Speaker)
    model = tiny_captioners.model("llava")
    events = caption(images, kind="sentences", images="all", existing="replace", captioner=str(model))
    warnings = [event.text for event in events if isinstance(event, Note) and event.level == "warning"]
    assert "wrote nothing" in warnings[0] and "repeated itself" in warnings[1]
    assert files(images) == {"2.txt": "mine\n", "more/3.txt": "A robot waves.\n"}


def test_what_is_missing_is_said_before_anything_is_made(images: Path) -> None:
    with pytest.raises(UserError, match="owner/none"):
        caption(images, kind="both", captioner="owner/none", offline=True)
    assert not list(images.rglob("*.tags"))
    caption(images)
    assert told(caption(images))[0].startswith("All of these images have captions")


def test_pickled_weights_are_fetched_only_where_there_is_nothing_better(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a repository that has no .safetensors; what they hold is read without running code."""
    saved = tiny_captioners.model("blip")
    old = tmp_path / "snapshot"
    old.mkdir()
    for file in saved.glob("*.*"):
        if file.suffix != ".safetensors":
            copyfile(file, old / file.name)
    fetched: list[tuple[str, ...]] = []

    def find_model(*_: object, files: tuple[str, ...], **__: object) -> Path:
        fetched.append(files)
        if any(pattern.startswith("pytorch_model") for pattern in files):
            torch.save(load_file(saved / "model.safetensors"), old / "pytorch_model.bin")
        return old

    monkeypatch.setattr("modules.image_models.finding.find_model", find_model)
    events = caption(images, kind="sentences", captioner="owner/old", most_tokens=8, preview=True)
    assert len(fetched) == 2 and not any("pytorch_model" in pattern for pattern in fetched[0])
    assert sum(isinstance(event, CaptionReady) for event in events) == 3


def test_the_file_of_a_tagger_stands_for_its_folder(images: Path) -> None:
    caption(images, tagger=str(write_tagger(images.parent / "other") / "model.onnx"))
    assert (images / "1.txt").is_file()
