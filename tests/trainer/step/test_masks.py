"""Masks: what they make of the loss, of what is learnt, and of what an inpainting model sees."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from modules.diffusion.noise_schedule import EpsilonPrediction
from modules.families import Family
from modules.preset.sections.objective import Objective
from modules.preset.sections.training import Masks
from modules.system.bundled import resolve
from modules.system.seeds import seed_of
from modules.trainer.step.inpainting import inpaint_condition, random_mask
from modules.trainer.step.noise_and_loss import item_losses, mask_weights
from tests.trainer.runs import ROBOT, assert_equal, end_of, folder_of, run, stop_after_a_backup, trained, values


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def half_mask() -> Tensor:
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, 0, :, :1] = 1
    mask[1, 0, :2] = 1
    mask[1, 0, 2] = 0.5
    return mask


def test_balanced_by_area_the_loss_is_the_mean_over_what_counts() -> None:
    said, target, mask = drawn(2, 4, 4, 4), drawn(2, 4, 4, 4)[:, :, :, torch.tensor([3, 2, 1, 0])], half_mask()
    squared = ((said - target).double() ** 2).mean(dim=1, keepdim=True)
    for weight in (0.0, 0.1, 0.7):
        counts = torch.where(mask == 0.5, (1 + weight) / 2, torch.where(mask == 1, 1.0, weight)).double()
        expected = (squared * counts).sum(dim=(1, 2, 3)) / counts.sum(dim=(1, 2, 3))
        weights = mask_weights(Masks(unmasked_weight=weight), mask, (4, 4))
        ours = item_losses(Objective(), EpsilonPrediction(), said, target, torch.tensor([10, 500]), weights)
        torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=1e-9)
        plain = mask_weights(Masks(unmasked_weight=weight, normalize=False), mask, (4, 4))
        ours = item_losses(Objective(), EpsilonPrediction(), said, target, torch.tensor([10, 500]), plain)
        torch.testing.assert_close(ours.double(), (squared * counts).mean(dim=(1, 2, 3)), rtol=1e-6, atol=1e-9)


def test_a_black_mask_counts_for_nothing_and_is_no_division_by_zero() -> None:
    weights = mask_weights(Masks(unmasked_weight=0), torch.zeros(1, 1, 4, 4), (4, 4))
    assert weights.abs().max() == 0
    black = mask_weights(Masks(unmasked_weight=0.1), torch.zeros(1, 1, 4, 4), (4, 4))
    torch.testing.assert_close(black, torch.ones(1, 1, 4, 4))


def test_masks_fit_latents_of_another_size_by_their_mean() -> None:
    mask = half_mask()[:1]
    found = mask_weights(Masks(unmasked_weight=0, normalize=False), mask, (2, 2))
    assert found[0, 0].tolist() == [[0.5, 0], [0.5, 0]]


# Runs -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def robots(tmp_path: Path) -> Path:
    folder = tmp_path / "robots"
    shutil.copytree(resolve("starter:robot"), folder)
    for path in folder.glob("*.png"):
        mask = Image.new("L", (64, 64), 0)
        mask.paste(255, (16, 20, 36, 44))
        mask.save(path.with_name(f"{path.stem}-masklabel.png"))
    return folder


def learnt(folder: Path, robots: Path, *settings: str) -> dict[str, Tensor]:
    base = {**ROBOT, "concepts": [{"path": str(robots), "flip": True, "random_crop": True}]}
    return trained(folder_of(run(values(folder, "training.steps=2", *settings, base=base))))


def differs(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return any(not tensor.equal(other[name]) for name, tensor in one.items())


def test_masks_change_what_is_learnt_and_each_of_their_settings_does(robots: Path, tmp_path: Path) -> None:
    masks = ("concepts.0.masks=file", "training.masks.unmasked_probability=0")
    off = learnt(tmp_path / "off", robots)
    on = learnt(tmp_path / "on", robots, *masks)
    assert differs(off, on)
    everything = learnt(tmp_path / "everything", robots, *masks, "training.masks.unmasked_weight=1")
    assert_equal(off, everything)
    never = learnt(tmp_path / "never", robots, "concepts.0.masks=file", "training.masks.unmasked_probability=1")
    assert_equal(off, never)
    for setting in (
        "training.masks.unmasked_weight=0",
        "training.masks.normalize=false",
        "concepts.0.mask_crop=around",
    ):
        assert differs(on, learnt(tmp_path / setting.partition("=")[0], robots, *masks, setting)), setting


def test_a_resumed_run_with_masks_and_draws_ends_bit_for_bit_where_an_unbroken_one_does(
    robots: Path, tmp_path: Path
) -> None:
    concept = {
        "path": str(robots), "flip": True, "random_crop": True, "rotation": 10.0, "hue": 20.0, "variants": 0,
        "masks": "file", "mask_crop": "keep",
    }  # fmt: skip
    base: dict[str, Any] = {**ROBOT, "concepts": [concept]}
    settings = ("training.steps=5", "training.resolutions=64, 80")
    unbroken = run(values(tmp_path / "unbroken", *settings, base=base))
    broken = values(tmp_path / "broken", *settings, "backup.every=2 steps", base=base)
    assert end_of(run(broken, answer=stop_after_a_backup)).stopped
    assert_equal(trained(folder_of(unbroken)), trained(folder_of(run(broken, resume="newest"))))


# Inpainting -----------------------------------------------------------------------------------------------------------


class Eye:
    """Remembers the pictures that it is asked to encode."""

    downscale = 8
    latent_mask, inpaint_input = Family.latent_mask, Family.inpaint_input

    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        self.seen = pixels_B3HW
        return torch.nn.functional.avg_pool2d(pixels_B3HW, 8)[:, :1].repeat(1, 4, 1, 1)


def test_an_inpainting_model_is_shown_masks_and_pictures_of_files_and_drawn_masks_else() -> None:
    eye: Any = Eye()
    pixels, picture = drawn(3, 3, 32, 32), drawn(3, 32, 32)
    mask = torch.zeros(1, 32, 32)
    mask[:, :, :16] = 0.9  # nearly white counts as white
    mask[:, :, 16:24] = 0.4
    part = inpaint_condition(eye, pixels, [1, 2, 3], (mask, None, mask), (None, None, picture))
    assert part.shape == (3, 5, 4, 4)
    assert part[0, 0, 0].tolist() == [1, 1, 0, 0]
    assert eye.seen[0, :, :, :16].abs().max() == 0  # grey
    assert eye.seen[0, :, :, 16:].equal(pixels[0, :, :, 16:])
    drawn_mask = random_mask(seed_of(2, "mask"), 32, 32)
    assert eye.seen[1].equal(pixels[1] * (1 - drawn_mask))
    assert eye.seen[2].equal(picture)
    assert part[2, 0].equal(part[0, 0])
