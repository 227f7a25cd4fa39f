"""The measuring tool of the learning tests knows the concept from the base."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.starter.nearest import HERE, base_thumbnails, concept_share, distances

STARTER = Path(__file__).resolve().parents[2] / "resources/starter"


def pictures(folder: Path) -> list[Image.Image]:
    return [Image.open(path) for path in sorted(folder.glob("*.png"))]


@pytest.mark.parametrize("concept", ["robot", "blueprint"])
def test_the_pictures_of_a_concept_are_the_concept_and_drawings_of_the_base_are_not(concept: str) -> None:
    folder = STARTER / "concepts" / concept
    assert concept_share(pictures(folder), folder) == 1.0
    assert concept_share(pictures(STARTER / "prior"), folder) == 0.0


def test_the_other_concept_is_not_taken_for_the_robot_by_its_own_distance() -> None:
    robot, blueprint = STARTER / "concepts/robot", STARTER / "concepts/blueprint"
    to_own, _ = distances(pictures(robot), robot)
    to_other, _ = distances(pictures(blueprint), robot)
    assert to_own.max() < 1e-6
    assert to_other.min() > 0.1


def test_every_tile_of_the_sheet_has_a_name() -> None:
    names = json.loads((HERE / "base_thumbnails.json").read_text(encoding="utf-8"))
    tiles = base_thumbnails()
    assert tiles.shape == (160, 16 * 16 * 3) and len(set(names)) == 160
    assert tiles.min() >= 0 and 0.9 < tiles.max() <= 1
    # White paper around every drawing: a sheet that is cut in the wrong place would show half drawings at the border.
    corners = tiles.reshape(160, 16, 16, 3)[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.median(corners) == 1.0


def test_a_mirrored_and_a_larger_picture_count_alike() -> None:
    folder = STARTER / "concepts/robot"
    flipped = [p.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((256, 256)) for p in pictures(folder)]
    assert concept_share(flipped, folder) == 1.0


def test_what_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="32x16"):
        concept_share([Image.new("RGB", (32, 16))], STARTER / "concepts/robot")
