"""What a sample carries with it, and what it is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modules.families import LoadOptions, family_class
from modules.preset.sections.sampling import Prompt
from modules.trainer.sampling.image_files import file_name, parameters_text, save_sample
from modules.trainer.sampling.sampler import Sample, Sampler, image_of
from tests.tiny import SMALLEST, tiny_sd


def prompt(**settings: object) -> Prompt:
    return Prompt.model_validate({"prompt": "a robot", "width": 64, "height": 64, "steps": 1, **settings})


def test_the_settings_stand_in_the_picture_as_a1111_writes_them(tmp_path: Path) -> None:
    wanted = prompt(
        prompt="a robot,\nsitting — ü", negative="fog", seed=7, sampler="dpmpp_2m", spacing="karras", guidance=7.5
    )
    path = tmp_path / "samples" / "a.png"
    save_sample(Sample(Image.new("RGB", (64, 64)), wanted, 1), path, model="my model")
    with Image.open(path) as image:
        told = image.info["parameters"]
    assert told == (
        "a robot,\nsitting — ü\nNegative prompt: fog\n"
        "Steps: 1, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 7, Size: 64x64, Model: my model, "
        "Version: Seachange"
    )
    assert [each.name for each in path.parent.iterdir()] == ["a.png"]


def test_without_a_negative_prompt_there_is_no_line_of_it() -> None:
    assert (
        parameters_text(prompt(guidance=1.0), "m").splitlines()[1].startswith("Steps: 1, Sampler: Euler, CFG scale: 1,")
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a photo of a cat", "000500 - 1 - a photo of a cat.png"),
        ('what? "x" <y>: a/b\\c|d*', "000500 - 1 - what x y a b c d.png"),
        ("", "000500 - 1 - empty prompt.png"),
        ("???", "000500 - 1 - empty prompt.png"),
        ("trailing. dots. ", "000500 - 1 - trailing. dots.png"),
        ("../../etc/passwd", "000500 - 1 - etc passwd.png"),
        ("line\nbreak\ttab\x00nul", "000500 - 1 - line break tab nul.png"),
        ("猫の写真", "000500 - 1 - 猫の写真.png"),
        ("x" * 300, f"000500 - 1 - {'x' * 60}.png"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_a_file_name_is_one_on_every_system(text: str, name: str) -> None:
    found = file_name(500, 1, text)
    assert found == name
    assert not set(found) & set('<>:"/\\|?*\x00\n\t')


def test_the_longest_name_fits_into_every_file_system() -> None:
    assert len(file_name(500, 1, "猫" * 300).encode()) <= 255 - len(".." + ".part")


def test_sizes_that_halve_unevenly_are_drawn_as_asked(tmp_path: Path) -> None:
    sampler = Sampler(
        family_class("sd").load(str(tiny_sd(tmp_path, unet=SMALLEST)), LoadOptions()), 64, cache_texts=True
    )
    wanted = [prompt(width=72, height=104), prompt(width=0, height=0), prompt(width=8, height=8)]
    made = list(sampler.draw(wanted))
    assert [sample.image.size for sample in made] == [(72, 104), (64, 64), (8, 8)]
    assert [sample.number for sample in made] == [1, 2, 3]
    assert (made[1].prompt.width, made[1].prompt.height) == (64, 64)


def test_prompts_come_in_their_order_and_equal_ones_are_drawn_together(tmp_path: Path) -> None:
    sampler = Sampler(
        family_class("sd").load(str(tiny_sd(tmp_path, unet=SMALLEST)), LoadOptions()), 64, cache_texts=True
    )
    told: list[int] = []
    made = list(
        sampler.draw([prompt(seed=1), prompt(seed=2), prompt(seed=1, sampler="ddim"), prompt(seed=1)], told.append)
    )
    assert told == [2, 1, 1]
    pixels = [np.asarray(sample.image).astype(int) for sample in made]
    assert np.abs(pixels[0] - pixels[3]).max() <= 1
    assert np.abs(pixels[0] - pixels[1]).max() > 5


def test_a_text_is_read_once_where_it_cannot_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = family_class("sd").load(str(tiny_sd(tmp_path, unet=SMALLEST)), LoadOptions())
    read: list[str] = []
    encode = family.encode_text
    monkeypatch.setattr(family, "encode_text", lambda captions, **how: read.extend(captions) or encode(captions, **how))
    kept, fresh = (Sampler(family, 64, cache_texts=keep) for keep in (True, False))
    kept.read([prompt()])
    for _ in range(2):
        list(kept.draw([prompt()]))
    assert read == ["a robot", ""]
    for _ in range(2):
        list(fresh.draw([prompt()]))
    assert read == ["a robot", ""] * 3


def test_drawing_moves_no_chance_and_leaves_no_gradient(tmp_path: Path) -> None:
    family = family_class("sd").load(str(tiny_sd(tmp_path, unet=SMALLEST)), LoadOptions())
    family.denoiser.requires_grad_(requires_grad=True)
    before = torch.get_rng_state()
    list(Sampler(family, 64, cache_texts=True).draw([prompt(sampler="euler_a")]))
    assert torch.equal(before, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in family.denoiser.parameters())


def test_pixels_out_of_range_are_cut_and_rounded() -> None:
    pixels = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).reshape(1, 1, 5).expand(3, 1, 5)
    assert np.asarray(image_of(pixels))[0, :, 0].tolist() == [0, 0, 128, 255, 255]
