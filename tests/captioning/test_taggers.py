"""Taggers: images as their authors prepare them, probabilities by the right names, tags as people write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from modules.captioning.kinds import LEAST
from modules.captioning.labels import Labels, labels_of
from modules.captioning.making import choice_of
from modules.captioning.settings import Settings
from modules.captioning.tag_choice import Choice, Score, chosen, excluded, written
from modules.captioning.tagger import Tagger, kept, mark_of, scores_of
from modules.errors import UserError
from tests.captioning.tiny_tagger import SIDE, TAGS, weights, write_tagger
from tests.image_models.onnx_files import write_linear


def images() -> list[Image.Image]:
    noise = np.random.default_rng(3)
    return [
        Image.fromarray(noise.integers(0, 256, (*size, 3), dtype=np.uint8))
        for size in ((SIDE, SIDE), (2, SIDE), (SIDE, 3))
    ]


def squared(image: Image.Image) -> NDArray[np.float32]:
    """Written anew from the authors' description, for images no larger than the square."""
    pixels = np.full((SIDE, SIDE, 3), 255, np.float32)
    top, left = (SIDE - image.height) // 2, (SIDE - image.width) // 2
    pixels[top : top + image.height, left : left + image.width] = np.asarray(image)
    return pixels[:, :, [2, 1, 0]]


@pytest.mark.parametrize("batch", ["n", 1])
def test_wd_taggers_see_bgr_on_a_white_square(tmp_path: Path, batch: int | str) -> None:
    folder = write_tagger(tmp_path / "tagger", batch=batch)
    found = Tagger(folder, labels_of(folder)).probabilities(images())
    flat = np.stack([squared(image).ravel() for image in images()])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-flat @ weights())), rtol=1e-4)


def test_a_larger_image_is_resized_with_bicubic(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "tagger")
    large = images()[0].resize((16, 16), Image.Resampling.NEAREST)
    small = np.asarray(large.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)[:, :, ::-1]
    found = Tagger(folder, labels_of(folder)).probabilities([large])[0]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-small.ravel() @ weights())), rtol=1e-4)


def test_stages_of_a_file_are_followed_and_logits_become_probabilities(tmp_path: Path) -> None:
    """preprocess.json as deepghs exports it: RGB, normalized, channels first."""
    folder = write_tagger(tmp_path / "tagger")
    made = weights(1) * 200
    write_linear(folder / "model.onnx", made, ["n", 3, SIDE, SIDE])
    stages = [
        {"type": "resize", "size": [SIDE, SIDE], "interpolation": "bilinear"}, {"type": "maybe_to_tensor"},
        {"type": "normalize", "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2]},
    ]  # fmt: skip
    (folder / "preprocess.json").write_text(json.dumps({"stages": stages}))
    image = images()[1]
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32) / 255
    pixels = (pixels - np.array([0.5, 0.4, 0.3])) / np.array([0.5, 0.25, 0.2])
    found = Tagger(folder, labels_of(folder)).probabilities([image])[0]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-pixels.transpose(2, 0, 1).ravel() @ made)), rtol=1e-3)


def test_a_file_of_unknown_stages_is_refused(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "tagger")
    (folder / "preprocess.json").write_text(json.dumps({"stages": [{"type": "sharpen"}]}))
    with pytest.raises(UserError, match="not known here"):
        Tagger(folder, labels_of(folder))


def test_a_tagger_that_does_not_say_what_it_sees_is_refused(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "tagger")
    write_linear(folder / "model.onnx", weights(), ["n", 3, SIDE, SIDE])
    with pytest.raises(UserError, match="do not say how images are to be prepared"):
        Tagger(folder, labels_of(folder))


def test_tags_that_do_not_fit_the_model_are_refused(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "tagger", np.zeros((SIDE * SIDE * 3, 5), np.float32))
    with pytest.raises(UserError, match="do not belong together"):
        Tagger(folder, labels_of(folder))


@pytest.mark.parametrize("text", ["", "tag_id,name\n1,robot\n", "\0\0"])
def test_a_damaged_list_of_tags_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "selected_tags.csv").write_text(text)
    with pytest.raises(UserError, match=r"selected_tags\.csv"):
        labels_of(tmp_path)


def test_recommended_thresholds_are_read(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path)
    (folder / "threshold.json").write_text(json.dumps({"general": {"balanced": {"threshold": 0.3}}}))
    assert labels_of(folder).thresholds == {"general": 0.3}
    (folder / "thresholds.csv").write_text("category,name,threshold\n0,general,0.2\n4,character,0.6\n")
    assert labels_of(folder).thresholds == {"general": 0.2, "character": 0.6}


def test_what_is_kept_of_an_image_is_what_could_be_asked_for(tmp_path: Path) -> None:
    labels = labels_of(write_tagger(tmp_path))
    row = np.array([0.05, LEAST, 0.9, 0.2, 0.0, 0.99, 0.5, 0.3], np.float32)
    scores = scores_of(kept(row), labels)
    wanted = [(name, p) for p, (name, _) in sorted(zip(row, TAGS, strict=True), key=lambda each: -each[0])]
    assert [score.name for score in scores] == [name for name, p in wanted if p >= LEAST]
    assert [score.probability for score in scores] == pytest.approx([p for _, p in wanted if p >= LEAST], abs=1e-3)


def test_another_model_has_another_mark(tmp_path: Path) -> None:
    one, two = write_tagger(tmp_path / "a"), write_tagger(tmp_path / "b", weights(2))
    assert mark_of(one) == mark_of(write_tagger(tmp_path / "c")) != mark_of(two)


SCORES = [
    Score("red_bow", "general", 0.5), Score("long_hair", "general", 0.9), Score("very_long_hair", "general", 0.8),
    Score("1girl", "general", 0.6), Score("^_^", "general", 0.55), Score("hakurei_reimu", "character", 0.86),
    Score("touhou", "copyright", 0.9), Score("explicit", "rating", 0.4), Score("general", "rating", 0.6),
    Score("highres", "meta", 0.99),
]  # fmt: skip


def tags(choice: Choice) -> list[str]:
    return written(chosen(SCORES, choice), choice)


def test_counts_come_first_then_characters_and_series_and_faces_stay() -> None:
    assert tags(Choice()) == ["1girl", "hakurei reimu", "touhou", "very long hair", "^_^", "red bow"]


def test_thresholds_are_those_of_each_category() -> None:
    raised = Choice({"general": 0.7, "character": 0.9, "rating": 0.3})
    assert tags(raised) == ["touhou", "very long hair", "general"]  # of ratings only the likeliest


def test_what_is_left_out_may_be_written_either_way() -> None:
    left = Choice(exclude=excluded("Very_Long_Hair, red bow,, touhou"), overlaps=True, spaces=False)
    assert tags(left) == ["1girl", "hakurei_reimu", "long_hair", "^_^"]


def test_what_a_person_asks_for_goes_before_what_the_files_recommend() -> None:
    labels = Labels(("robot",), ("general",), {"general": 0.2, "character": 0.6, "rating": 0.4})
    choice = choice_of(Settings(source=".", character=0.7), labels)
    found = {name: choice.threshold(name) for name in ("general", "character", "copyright", "rating", "artist")}
    assert found == {"general": 0.2, "character": 0.7, "copyright": 0.85, "rating": 1.0, "artist": 1.0}
