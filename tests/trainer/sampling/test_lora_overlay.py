"""What prompts bring along: weights of words, LoRA files, seeds of chance, the overview, and what the image says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.diffusion.solvers import SOLVERS
from modules.errors import UserError
from modules.families import Family, LoadOptions, family_class
from modules.messages import Event, Note, SampleReady
from modules.preset.sections.sampling import Prompt, Sampling
from modules.system.bundled import resolve
from modules.tools.opening.models import merge_lora
from modules.trainer.sampling.image_files import overview_of, parameters_text
from modules.trainer.sampling.lora_overlay import with_loras
from modules.trainer.sampling.sampler import Sample, Sampler
from modules.trainer.step.encoders import FamilyEncoders
from tests.tiny import SMALLEST, tiny_sd, tiny_sdxl
from tests.trainer.runs import assert_equal, folder_of, model_of, run, trained, values

MAKERS = {"sd": tiny_sd, "sdxl": tiny_sdxl}


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return family_class("sd").load(str(tiny_sd(tmp_path / "model", unet=SMALLEST)), LoadOptions())


def prompt(text: str = "a robot", **settings: Any) -> Prompt:
    return Prompt.model_validate({"prompt": text, "width": 64, "height": 64, "steps": 2, **settings})


def drawn(family: Family, wanted: Prompt, **settings: Any) -> np.ndarray:
    sampling = Sampling.model_validate(settings)
    (sample,) = Sampler(family, 64, cache_texts=True, sampling=sampling).draw([wanted])
    return np.asarray(sample.image).astype(int)


# Weights of words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAKERS)
def test_a_weight_scales_what_the_encoder_says_of_a_word_and_keeps_the_mean(kind: str, tmp_path: Path) -> None:
    """A1111's rule, for each encoder by itself, written out."""
    family = family_class(kind).load(str(MAKERS[kind](tmp_path)), LoadOptions())
    plain = family.encode_text(["a robot, a hill"])
    found = family.encode_text(["a (robot:1.5), [a hill]"], weighted=True)
    ids = family.token_ids("text_encoder_1", "a robot, a hill")
    robot = len(family.token_ids("text_encoder_1", "robot"))
    tail = len(family.token_ids("text_encoder_1", "a hill"))
    weights = [1.0] * plain.tokens_BTD.shape[1]
    for place in range(2, 2 + robot):
        weights[place] = 1.5
    for place in range(1 + len(ids) - tail, 1 + len(ids)):
        weights[place] = 1 / 1.1
    start = 0
    for width in (16, 24)[: 2 if kind == "sdxl" else 1]:
        said = plain.tokens_BTD[0, :, start : start + width]
        loud = said * torch.tensor(weights)[:, None]
        expected = loud * (said.mean() / loud.mean())
        torch.testing.assert_close(found.tokens_BTD[0, :, start : start + width], expected, rtol=1e-5, atol=1e-5)
        start += width
    if kind == "sdxl":
        assert torch.equal(found.pooled_BD, plain.pooled_BD)


def test_a_weight_of_one_caption_leaves_its_neighbours_alone(family: Family) -> None:
    both = family.encode_text(["a (robot:1.5)", "a hill"], weighted=True)
    assert torch.equal(both.tokens_BTD[1], family.encode_text(["a robot", "a hill"]).tokens_BTD[1])
    alone = family.encode_text(["a (robot:1.5)"], weighted=True)
    torch.testing.assert_close(both.tokens_BTD[0], alone.tokens_BTD[0], rtol=1e-5, atol=1e-6)


def test_weights_in_prompts_are_seen_and_can_be_switched_off(family: Family) -> None:
    plain, loud = drawn(family, prompt()), drawn(family, prompt("a (robot:1.8)"))
    assert np.abs(plain - loud).max() > 3
    assert np.array_equal(drawn(family, prompt("a (robot:1.0)")), plain)
    off = drawn(family, prompt("a (robot:1.0)"), prompt_weights=False)
    assert np.abs(off - plain).max() > 3, "then brackets and figures are words"


def test_weights_in_captions_are_learnt_and_named_in_the_cache(tmp_path: Path) -> None:
    folder = str(tiny_sd(tmp_path, unet=SMALLEST))
    off, on = (family_class("sd").load(folder, LoadOptions(weighted_captions=w)) for w in (False, True))
    text = "a (robot:1.5)"
    assert FamilyEncoders(off).text_key != FamilyEncoders(on).text_key
    assert off.tokenizer_key("text_encoder_1") != on.tokenizer_key("text_encoder_1")
    assert on.token_counts(text)["text_encoder_1"] == off.token_counts("a robot")["text_encoder_1"]
    said = FamilyEncoders(on).encode_text([text])[0]["tokens"]
    torch.testing.assert_close(said, off.encode_text([text], weighted=True).tokens_BTD[0], rtol=1e-6, atol=1e-6)


def test_weighted_captions_change_what_a_run_learns(tmp_path: Path) -> None:
    def learnt(name: str, *settings: str) -> dict[str, Tensor]:
        short = ("training.steps=2", "concepts.0.captions=prompt", "concepts.0.prompt=blip (robot:1.6)")
        return trained(folder_of(run(values(tmp_path / name, *short, "backup.at_end=true", *settings))))

    off, on = learnt("off"), learnt("on", "model.weighted_captions=true")
    assert off.keys() == on.keys()
    assert any(not torch.equal(off[name], on[name]) for name in off)


# LoRA files -----------------------------------------------------------------------------------------------------------


def lora_file(family: Family, path: Path, parts: tuple[str, ...] = ("denoiser",)) -> Path:
    held: dict[str, Tensor] = {}
    chance = torch.Generator().manual_seed(7)
    for name, kohya in family.lora_names().items():
        component, _, layer = name.partition("|")
        if component in parts and layer.endswith(("to_q", "to_v", "q_proj", "v_proj")):
            outputs, inputs = family.component(component).get_submodule(layer).get_parameter("weight").shape
            held[f"{kohya}.lora_down.weight"] = torch.randn(2, inputs, generator=chance)
            held[f"{kohya}.lora_up.weight"] = torch.randn(outputs, 2, generator=chance)
            held[f"{kohya}.alpha"] = torch.tensor(2.0)
    path.parent.mkdir(exist_ok=True)
    save_file(held, path)
    return path


@pytest.mark.parametrize("parts", [("denoiser",), ("text_encoder_1",)])
def test_a_lora_is_seen_in_samples_and_gone_after_them(parts: tuple[str, ...], family: Family, tmp_path: Path) -> None:
    file = lora_file(family, tmp_path / "loras" / "style one.safetensors", parts)
    weights = {p: {n: t.clone() for n, t in family.component(p).state_dict().items()} for p in family.component_names}
    plain = drawn(family, prompt())
    fixed = drawn(family, prompt(), loras=[{"path": str(file), "strength": 0.5}])
    assert np.abs(fixed - plain).max() > 3
    named = drawn(family, prompt("a robot <lora:style one:0.5>"), lora_folder=str(file.parent))
    assert np.array_equal(named, fixed)
    assert np.array_equal(drawn(family, prompt(), loras=[{"path": str(file), "strength": 0.0}]), plain)
    assert np.array_equal(drawn(family, prompt(), loras=[{"path": str(file), "enabled": False}]), plain)
    for component, held in weights.items():
        assert all(torch.equal(tensor, held[name]) for name, tensor in family.component(component).state_dict().items())


def test_weights_come_back_also_where_drawing_fails(family: Family, tmp_path: Path) -> None:
    file = lora_file(family, tmp_path / "loras" / "a.safetensors")
    before = {name: tensor.clone() for name, tensor in family.denoiser.state_dict().items()}
    with pytest.raises(KeyboardInterrupt), with_loras(family, ((file, 1.0), (file, -0.3)), ("denoiser",)):
        assert any(not torch.equal(t, before[n]) for n, t in family.denoiser.state_dict().items())
        raise KeyboardInterrupt
    assert all(torch.equal(tensor, before[name]) for name, tensor in family.denoiser.state_dict().items())


def test_what_is_left_out_of_a_lora_is_told_once(family: Family, tmp_path: Path) -> None:
    file = lora_file(family, tmp_path / "loras" / "a.safetensors")
    save_file({**load_file(file), "lora_unet_conv_in.w_norm": torch.ones(1)}, file)
    loras = [{"path": str(file)}]
    with pytest.raises(UserError) as refusal:
        drawn(family, prompt(), loras=loras)
    assert refusal.value.fixes[0].changes == {"sampling.skip_unread": True}
    with pytest.raises(UserError) as refusal:
        merge_lora(family, file)
    assert refusal.value.fixes[0].changes == {"skip_unread": True}
    sampling = Sampling.model_validate({"loras": loras, "skip_unread": True})
    sampler = Sampler(family, 64, cache_texts=True, sampling=sampling)
    for _ in range(2):
        assert len(list(sampler.draw([prompt()]))) == 1
    (said,) = sampler.notes()
    assert said.code == "adapter.left-out" and said.values["file"] == "a.safetensors"
    assert list(sampler.draw([prompt()])) and not list(sampler.notes())


def test_prompts_with_different_files_are_not_mixed_up(family: Family, tmp_path: Path) -> None:
    file = lora_file(family, tmp_path / "loras" / "a.safetensors", ("denoiser", "text_encoder_1"))
    sampling = Sampling(lora_folder=str(file.parent))
    sampler = Sampler(family, 64, cache_texts=True, sampling=sampling)
    wanted = [prompt(), prompt("a robot <lora:a:1>"), prompt()]
    sampler.read(wanted)
    pixels = [np.asarray(sample.image).astype(int) for sample in sampler.draw(wanted)]
    assert np.array_equal(pixels[0], pixels[2])
    assert np.abs(pixels[0] - pixels[1]).max() > 3


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("a <lora:x:1>", {}, "no folder for LoRA files is set"),
        ("a <lora:x:1>", {"lora_folder": "{here}"}, "There is no LoRA x in"),
        ("a <lora:../x:1>", {"lora_folder": "{here}"}, "leads out of the folder"),
        ("a <lora:\\\\host\\x:1>", {"lora_folder": "{here}"}, "leads out of the folder"),
        ("a", {"loras": [{"path": "{here}/gone.safetensors"}]}, "does not exist"),
    ],
)
def test_a_file_that_is_not_there_is_said(
    text: str, settings: dict[str, Any], said: str, family: Family, tmp_path: Path
) -> None:
    filled = {"lora_folder": str(tmp_path)} if "lora_folder" in settings else settings
    with pytest.raises(UserError, match=said):
        drawn(family, prompt(text), **filled)


# Seeds ----------------------------------------------------------------------------------------------------------------


def test_a_seed_of_chance_is_new_each_time_and_the_same_again_in_the_same_run(family: Family) -> None:
    wanted = [prompt(seed=-1), prompt(seed=-1)]

    def seeds(step: int, of_the_run: int = 5) -> list[int]:
        sampler = Sampler(family, 64, cache_texts=True, seed=of_the_run)
        return [sample.prompt.seed for sample in sampler.draw(wanted, step=step)]

    assert seeds(100) == seeds(100)
    assert len({*seeds(100), *seeds(200), *seeds(100, of_the_run=6)}) == 6
    assert all(0 <= seed < 2**32 for seed in seeds(100))


# Files ----------------------------------------------------------------------------------------------------------------


def test_the_image_says_all_that_made_it_in_a1111s_words() -> None:
    wanted = prompt(
        "a (cat:1.2) <lora:x:0.5>", negative="fog", seed=3, sampler="dpmpp_2m_sde", spacing="karras", guidance=4.5,
        guidance_rescale=0.7, guidance_start=0.1, guidance_end=0.8, perturbation="seg", image="/a/b/cat.png",
        mask="m.png", strength=0.4,
    )  # fmt: skip
    assert parameters_text(wanted, "my model", [("style, one", 0.8)]) == (
        "a (cat:1.2) <lora:x:0.5>\nNegative prompt: fog\n"
        "Steps: 2, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 4.5, Seed: 3, Size: 64x64, Model: my "
        "model, CFG Rescale: 0.7, Skip Early CFG: 0.1, CFG until: 0.8, SEG Active: True, SEG Scale: 3, "
        "SEG Layers: mid, SEG Blur Sigma: inf, Denoising strength: 0.4, Init image: cat.png, Mask: m.png, "
        'Loras: "style, one: 0.8", Version: Seachange'
    )


@pytest.mark.parametrize("name", SOLVERS)
def test_every_sampler_has_a_name_in_the_image(name: str) -> None:
    assert f"Sampler: {SOLVERS[name].title}, CFG scale" in parameters_text(prompt(sampler=name), "m")


def test_the_overview_holds_every_sample_under_its_words() -> None:
    samples = [
        Sample(Image.new("RGB", (64, 96), (number * 20, 200, 0)), prompt("many words " * 20), number)
        for number in range(1, 11)
    ]
    sheet = overview_of(samples, "step 100")
    pixels = np.asarray(sheet)
    for sample in samples:
        colour = np.array(sample.image.getpixel((0, 0)))
        assert int((pixels == colour).all(axis=2).sum()) >= 64 * 96
    assert sheet.width == 8 * 72 + 8, "eight in a row"
    large = overview_of([Sample(Image.new("RGB", (2048, 1024)), prompt(""), 1)], "step 1")
    assert large.width == 512 + 16


def test_a_run_writes_an_overview_and_a_missing_image_costs_only_its_sample(tmp_path: Path) -> None:
    prompts = [
        {"prompt": "blip robot", "steps": 1}, {"prompt": "a hill", "steps": 1},
        {"prompt": "lost", "steps": 1, "image": str(tmp_path / "gone.png")},
    ]  # fmt: skip
    events: list[Event] = run(
        values(
            tmp_path, f"sampling.prompts={json.dumps(prompts)}", "sampling.grid=true", "sampling.last=true",
            "training.steps=1", "general.tensorboard=true",
        )
    )  # fmt: skip
    names = sorted(path.name for path in (folder_of(events) / "samples").iterdir())
    assert names == ["000001 - 1 - blip robot.png", "000001 - 2 - a hill.png", "000001 - grid.png"]
    told = [event for event in events if isinstance(event, SampleReady)]
    assert [(event.number, event.prompt) for event in told] == [(1, "blip robot"), (2, "a hill"), (0, "All prompts")]
    said = [event.text for event in events if isinstance(event, Note)]
    assert any('No sample of "lost" at step 1' in text for text in said)


@pytest.mark.parametrize(
    "method", [(), ("method.kind=full", "training.weights=fp32", "training.learning_rate=1e-5")], ids=["lora", "full"]
)
def test_nothing_that_samples_bring_along_changes_what_is_learnt(method: tuple[str, ...], tmp_path: Path) -> None:
    short = (*method, "training.steps=3", "backup.at_end=true")
    quiet = run(values(tmp_path / "quiet", *short))
    lora = model_of(run(values(tmp_path / "other", "training.steps=1", "general.seed=9")))
    robot = f"starter:robot/{next(resolve('starter:robot').glob('*.png')).name}"
    prompts = [
        {"prompt": f"(blip:1.3) <lora:{lora.stem}:0.7>", "steps": 2, "perturbation": "seg", "guidance_rescale": 0.5},
        {"prompt": "blip", "steps": 2, "seed": -1, "sampler": "dpmpp_sde", "image": robot, "strength": 0.9},
    ]
    drawing = (
        f"sampling.prompts={json.dumps(prompts)}", f"sampling.loras={json.dumps([{'path': str(lora)}])}",
        f"sampling.lora_folder={lora.parent}", "sampling.every=1 step", "sampling.grid=true",
    )  # fmt: skip
    busy = run(values(tmp_path / "busy", *short, *drawing))
    assert not [event.text for event in busy if isinstance(event, Note) and "sample at" in event.text.lower()]
    assert len(list((folder_of(busy) / "samples").iterdir())) == 3 * 3
    assert_equal(trained(folder_of(quiet)), trained(folder_of(busy)))
