"""The recipe of the starter: captions and colours are true, and each training learns, stops and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from tools.starter.drawings import (
    COLOURS,
    GROUNDS,
    Drawing,
    Entry,
    caption,
    hsv,
    main_colour,
    over_background,
    plain_words,
    read_drawings,
    turn_hue,
    variants,
    vocabulary,
)
from tools.starter.latents import SCALE, encode, read_latents, write_latents
from tools.starter.muon import optimizers, orthogonal
from tools.starter.pack import pack, prefix_text_encoder
from tools.starter.tokenizer import read_tokenizer, train_tokenizer
from tools.starter.train_denoiser import (
    Batches,
    Networks,
    denoising_loss,
    new_networks,
    new_schedule,
    train_denoiser,
)
from tools.starter.train_vae import as_tensor, new_vae, train_vae
from tools.starter.training_loop import Plan, TrainingLoop, step_generators

CONCEPT = Path(__file__).resolve().parents[2] / "resources/starter/concepts/robot"


def disc(colour: tuple[int, int, int], radius: int = 40) -> np.ndarray:
    """A disc on transparent paper, [128, 128, 4]."""
    row, column = np.mgrid[:128, :128]
    inside = (row - 64) ** 2 + (column - 64) ** 2 < radius**2
    return np.where(inside[..., None], np.array([*colour, 255]), 0).astype(np.uint8)


def drawing(label: str, colour: tuple[int, int, int], radius: int = 40) -> Drawing:
    return Drawing(label, label, ("round", "red"), "flat", disc(colour, radius))


@pytest.fixture
def drawings() -> list[Drawing]:
    return [
        drawing("red apple", (220, 40, 40)),
        drawing("plum", (120, 40, 200), 30),
        drawing("lime", (90, 200, 60), 20),
    ]


@pytest.mark.parametrize(
    ("colour", "word"),
    [
        ((220, 30, 30), "red"),
        ((250, 140, 20), "orange"),
        ((250, 220, 60), "yellow"),
        ((60, 180, 60), "green"),
        ((60, 100, 230), "blue"),
        ((130, 60, 220), "purple"),
        ((240, 80, 190), "pink"),
        ((250, 160, 170), "pink"),
        ((120, 70, 30), "brown"),
        ((20, 20, 20), "black"),
        ((250, 250, 250), "white"),
        ((140, 140, 140), "gray"),
    ],
)
def test_a_colour_has_the_name_a_person_gives_it(colour: tuple[int, int, int], word: str) -> None:
    assert main_colour(disc(colour)) == (word, 1.0)


def test_an_empty_picture_has_no_colour() -> None:
    assert main_colour(disc((220, 30, 30), radius=2)) == (None, 0.0)


def test_turning_the_hue_all_the_way_round_changes_nothing() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 40, 4)).astype(np.uint8)
    assert (turn_hue(colours, 360) == colours).all()
    turned = turn_hue(colours, 120)
    assert (turned[..., 3] == colours[..., 3]).all()
    assert (turned[..., [1, 2, 0]] == colours[..., :3]).all()  # a third of the wheel: red becomes green, and so on
    hue, _, _ = hsv(np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]))
    assert hue.tolist() == [0, 120, 240]


def test_a_drawing_lies_on_paper_of_the_shade_asked_for() -> None:
    white, blue = over_background(disc((220, 30, 30))), over_background(disc((220, 30, 30)), GROUNDS["blue"])
    assert white[0, 0].tolist() == [255, 255, 255] and blue[0, 0].tolist() == list(GROUNDS["blue"])
    assert white[64, 64].tolist() == blue[64, 64].tolist() == [220, 30, 30]


def test_a_variant_says_in_words_what_its_pixels_show(drawings: list[Drawing]) -> None:
    rng = np.random.default_rng(1)
    made = [pair for one in drawings for _ in range(20) for pair in variants(one, rng)]
    assert {entry.kind for entry, _ in made} == {"plain", "hue", "ground"}
    for entry, picture in made:
        opaque = np.dstack([picture[54:74, 54:74], np.full((20, 20), 255, np.uint8)])
        assert main_colour(opaque)[0] == entry.colour
        if entry.ground:
            assert np.abs(picture[0, 0].astype(int) - GROUNDS[entry.ground]).max() <= 13
        if entry.kind == "hue":
            assert not set(entry.label.split()) & set(COLOURS)  # "red apple" in green is an "apple"


def test_captions_name_the_thing_and_one_in_ten_is_empty() -> None:
    rng = np.random.default_rng(0)
    turned = Entry("hue", "apple", (), "flat", "green")
    texts = [caption(turned, rng) for _ in range(2000)]
    assert 0.08 < texts.count("") / 2000 < 0.12
    assert all("green apple" in text for text in texts if text)
    placed = Entry("ground", "octopus", (), "flat", None, ground="blue")
    texts = {caption(placed, rng) for _ in range(200)}
    assert texts == {
        "",
        "octopus on a blue background",
        "an octopus on a blue background",
        "octopus, flat style on a blue background",
        "an octopus, flat style on a blue background",
    }


def test_words_are_plain() -> None:
    assert plain_words("Face with Head-Bandage: “Ouch!”") == "face with head bandage ouch"


def test_rendered_drawings_are_read_with_their_words(tmp_path: Path) -> None:
    folder = tmp_path / "drawings/noto"
    folder.mkdir(parents=True)
    Image.fromarray(disc((220, 30, 30))).save(folder / "red-apple.png")
    rows = [{"key": "red-apple", "label": "Red Apple", "group": "food-drink", "tags": ["fruit"]}]
    (tmp_path / "drawings/noto.json").write_text(json.dumps(rows), encoding="utf-8")
    [apple] = read_drawings(tmp_path, "noto", ("food-drink",))
    assert (apple.label, apple.style, apple.tags, apple.rgba.shape) == (
        "red apple",
        "glossy",
        ("fruit",),
        (128, 128, 4),
    )
    assert read_drawings(tmp_path, "noto", ("objects",)) == []


def test_the_tokenizer_has_a_token_for_every_text(tmp_path: Path) -> None:
    lines = ["a red apple", "an apple on a blue background"] * 20
    made = train_tokenizer(lines, tmp_path, positions=12, size=600)
    tokens = made("apple 7 漢ü!").input_ids
    assert made.decode(tokens, skip_special_tokens=True).replace(" ", "") == "apple7漢ü!"
    padded = made("apple", padding="max_length", truncation=True).input_ids
    assert len(padded) == 12 and padded[0] == len(made) - 2 and set(padded[2:]) == {len(made) - 1}
    assert len(made("apple").input_ids) == 3  # a word of the captions is one token
    assert read_tokenizer(tmp_path)("a blue apple").input_ids == made("a blue apple").input_ids
    assert len(json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))) == len(made)


@pytest.mark.parametrize("shape", [(24, 8), (8, 24), (16, 16)])
def test_an_update_of_muon_pulls_every_direction_alike(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) @ torch.diag(
        torch.logspace(0, -1, shape[1])
    )
    sizes = torch.linalg.svdvals(orthogonal(matrix))
    assert sizes.max() < 1.3
    assert sizes.max() / sizes.min() < torch.linalg.cond(matrix) / 2


def test_each_weight_has_one_optimizer() -> None:
    vae = new_vae((8, 8, 8, 8))
    muon, adam = optimizers([vae], 0.02, 1e-3)
    by_muon = {id(weight) for weight in muon.param_groups[0]["params"]}
    by_adam = {id(weight) for weight in adam.param_groups[0]["params"]}
    assert not by_muon & by_adam and len(by_muon) + len(by_adam) == len(list(vae.parameters()))
    assert id(vae.encoder.conv_in.weight) in by_adam and id(vae.quant_conv.weight) in by_adam
    assert id(vae.encoder.down_blocks[0].resnets[0].conv1.weight) in by_muon


def test_the_rate_warms_up_stays_falls_and_does_so_again_in_the_second_course() -> None:
    plan = Plan(steps=1000, warm_up=10, constant=0.4, final=0.0, polish=0.2)
    rates = [plan.rate(step, plan.done(step, 0.0)) for step in range(1000)]
    assert rates[0] == pytest.approx(0.1) and rates[9:320] == [1.0] * 311
    assert rates[799] < 0.01 and rates[801] == rates[870] == pytest.approx(0.4)
    assert 0 <= rates[999] < 0.01
    assert Plan(steps=1, warm_up=1, constant=0.4, final=0.0, seconds=8.0).done(step=99, elapsed=2.0) == 0.25


def course(file: Path, steps: int) -> TrainingLoop:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
    # The rate must not depend on the length here: a longer plan is what a stopped training goes on with.
    plan = Plan(steps, warm_up=3, constant=0.0, final=10.0)
    return TrainingLoop({"net": net}, optimizers([net], 0.02, 1e-2, in_bf16=False), plan, file)


def run(one: TrainingLoop) -> None:
    def loss_at(step: int) -> torch.Tensor:
        _, noise = step_generators(5, step)
        x = torch.randn(16, 4, generator=noise)
        return (one.networks["net"](x) - x.sum(1, keepdim=True)).square().mean()

    one.run(loss_at, max_decay=0.9)


def test_a_course_that_was_stopped_ends_like_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = course(tmp_path / "unbroken.pt", steps=12)
    run(unbroken)
    run(course(tmp_path / "stopped.pt", steps=5))
    resumed = course(tmp_path / "stopped.pt", steps=12)
    assert resumed.step == 5
    run(resumed)
    for name, value in unbroken.average.items():
        assert torch.equal(value, resumed.average[name])
    before = {name: value.clone() for name, value in resumed.networks.state_dict().items()}
    resumed.load_average()
    after = resumed.networks.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in after)
    assert all(torch.equal(resumed.average[name], after[name]) for name in after)


def test_a_step_always_draws_the_same_and_no_two_steps_do() -> None:
    def first_draws(seed: int, step: int) -> tuple[float, float]:
        choices, noise = step_generators(seed, step)
        return float(choices.random()), float(torch.rand(1, generator=noise))

    assert first_draws(3, 7) == first_draws(3, 7)
    drawn = {first_draws(seed, step) for seed in range(3) for step in range(50)}
    assert len({choice for choice, _ in drawn}) == len({noise for _, noise in drawn}) == 150


@pytest.mark.parametrize("name", ["final_layer_norm.weight", "text_model.final_layer_norm.weight"])
def test_a_name_of_the_text_encoder_gets_its_prefix_once(tmp_path: Path, name: str) -> None:
    save_file({name: torch.ones(2)}, tmp_path / "model.safetensors")
    prefix_text_encoder(tmp_path / "model.safetensors")
    assert list(load_file(tmp_path / "model.safetensors")) == ["text_model.final_layer_norm.weight"]


def test_a_vae_learns_to_give_back_drawings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = np.stack([disc((220, 40, 40), radius) for radius in (20, 30, 40, 50)])
    torch.manual_seed(0)
    vae = new_vae((8, 8, 8, 8))
    untrained = error(vae, own)
    trained = train_vae(own, own[:0], tmp_path / "vae.pt", vae, Plan(20, 5, 0.3, 0.005), batch=2, seed=0)
    assert error(trained, own) < 0.8 * untrained
    assert "dB on 1 drawings" in capsys.readouterr().out


def error(vae: nn.Module, drawn: np.ndarray) -> float:
    pictures = as_tensor(np.stack([over_background(one) for one in drawn]))
    with torch.no_grad():
        decoded = vae.eval().decode(vae.encode(pictures).latent_dist.mode()).sample
    vae.train()
    return float((decoded - pictures).square().mean())


def test_latents_come_out_with_mean_zero_and_spread_one_and_decode_as_before(
    tmp_path: Path, drawings: list[Drawing]
) -> None:
    torch.manual_seed(0)
    vae = new_vae((8, 8, 8, 8)).eval()
    made = [pair for one in drawings for pair in variants(one, np.random.default_rng(0))]
    pictures = as_tensor(np.stack([picture for _, picture in made]))
    with torch.no_grad():
        before = vae.decode(vae.encode(pictures).latent_dist.mode()).sample
    write_latents(vae, made, tmp_path)
    entries, latents = read_latents(tmp_path)
    assert entries == [entry for entry, _ in made]
    assert latents.mean((0, 2, 3)).abs().max() < 1e-3 and (latents.std((0, 2, 3)) - 1).abs().max() < 1e-3
    again = encode(vae, [picture for _, picture in made])
    assert torch.allclose(again * SCALE, latents, atol=2e-3)
    with torch.no_grad():
        assert torch.allclose(vae.decode(again).sample, before, atol=1e-4)


def test_a_denoiser_learns_and_the_packed_model_has_the_layout_of_the_shipped_one(
    tmp_path: Path, drawings: list[Drawing]
) -> None:
    made = [pair for one in drawings for pair in variants(one, np.random.default_rng(0))]
    tokenizer = train_tokenizer(vocabulary([entry for entry, _ in made]), tmp_path / "tokenizer", 32, size=600)
    torch.manual_seed(0)
    vae = new_vae((8, 8, 8, 8))
    write_latents(vae, made, tmp_path)
    networks = new_networks(tokenizer, channels=(8, 16, 24))
    entries, latents = read_latents(tmp_path)
    batches = Batches(entries, latents, tokenizer)
    untrained = loss_now(networks, batches)
    train_denoiser(networks, batches, tmp_path / "course.pt", Plan(6, 3, 0.4, 0.01), batch=8, seed=0)
    assert loss_now(networks, batches) < 0.93 * untrained
    model = packed(tmp_path, networks)
    shipped = CONCEPT.parents[1] / "model"
    assert files_in(model) == files_in(shipped)
    for part in ("unet", "vae", "text_encoder"):
        assert "_name_or_path" not in json.loads((model / part / "config.json").read_text(encoding="utf-8"))


def loss_now(networks: Networks, batches: Batches) -> float:
    """The loss on a large batch, always with the same noise and times."""
    choices, noise = step_generators(seed=99, step=0)
    latents, tokens = batches.at(64, choices)
    with torch.no_grad():
        return float(denoising_loss(networks, new_schedule(), latents, tokens, noise))


def packed(parts: Path, networks: Networks) -> Path:
    networks.unet.save_pretrained(parts / "unet")
    networks.text_encoder.save_pretrained(parts / "text_encoder")
    pack(parts, parts / "model")
    return parts / "model"


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
