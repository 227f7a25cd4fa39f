"""Sizes and chances that contradict one another are refused together, before anything loads."""

import pytest

from modules.errors import Problems
from modules.preset.files.set_option import apply_overrides
from modules.preset.rules.rules import conflicts, validate
from modules.sentences.render import PLAIN
from tests.trainer.runs import ROBOT, STARTER


def told(*settings: str) -> list[str]:
    values = apply_overrides(ROBOT, [STARTER, *settings])
    try:
        return [PLAIN.line(problem) for problem in conflicts(validate(values))]
    except Problems as problems:
        return [PLAIN.line(problem) for problem in problems.problems]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["training.bucket_step=20"], ["training.bucket_step: 20 is not a multiple of 8", "16"]),
        (["training.bucket_step=128"], ["training.bucket_step 128 is larger", "training.resolution"]),
        (["training.min_side=96"], ["training.min_side 96 is longer", "64"]),
        (["training.max_side=96", "training.resolutions=64, 128"], ["training.max_side 96", "128"]),
        (["training.max_side=96", "concepts.0.resolutions=128"], ["concepts.0.resolutions"]),
        (["concepts.0.flip_always=true"], ["concepts.0.flip_always", "concepts.0.flip"]),
        (["concepts.0.resolutions=515"], ["concepts.0.resolutions", "not a multiple of 8", "512"]),
        (["training.resolutions=big"], ["training.resolutions", "832x1216"]),
        (["concepts.0.kind=validation"], ["no images to train on"]),
    ],
)
def test_a_clash_is_told_with_a_way_out(settings: list[str], words: list[str]) -> None:
    found = told(*settings)
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found


def test_sizes_that_fit_are_not_spoken_of() -> None:
    assert told("training.resolutions=64, 128", "training.max_side=256", "training.min_side=32") == []
    assert told("training.max_side=64", "training.resolutions=832x1216") == []
