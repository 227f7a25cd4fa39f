"""FLUX.1 Fill, held against diffusers' pipeline: it is shown a mask with all its pixels, and the masked image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.flux import pipeline_flux_fill
from PIL import Image
from torch import Tensor

from modules.catalog import FAMILIES
from modules.check.memory.step_memory import BatchShape, sample_bytes, step_bytes
from modules.errors import UserError
from modules.families.condition import Condition
from modules.families.flux1 import Flux1
from modules.families.parts.dit import dit_files
from modules.families.parts.dit.packing import packed, unpacked
from modules.preset.sections.sampling import Prompt
from modules.preset.validate import preset_of
from modules.trainer.sampling.sampler import Sampler, starting_noise
from tests.families.contract import OPTIONS, assert_same_weights
from tests.families.tiny_models import as_json, tiny_flux1, tiny_flux1_fill
from tests.trainer.runs import ROBOT, end_of, model_of, run, values

WIDTH, HEIGHT = 64, 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_flux1_fill(tmp_path_factory.mktemp("models") / "FLUX.1-Fill-dev")


@pytest.fixture(scope="module")
def family(folder: Path) -> Flux1:
    return Flux1.load(str(folder), OPTIONS)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image to train on, and a mask of it whose edges lie within latents."""
    folder, chance = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    Image.fromarray(chance.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(folder / "0.png")
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[5:21, 27:46] = 255
    Image.fromarray(mask).save(folder / "0-masklabel.png")
    return folder


def test_the_denoiser_is_asked_and_the_picture_drawn_as_by_the_pipeline(
    family: Flux1, folder: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline: Any = pipeline_flux_fill.FluxFillPipeline.from_pretrained(str(folder))
    pipeline.set_progress_bar_config(disable=True)
    mean = partial(pipeline_flux_fill.retrieve_latents, sample_mode="argmax")  # what we take of the VAE
    monkeypatch.setattr(pipeline_flux_fill, "retrieve_latents", mean)
    theirs, ours, seen = list[dict[str, Tensor]](), list[dict[str, Tensor]](), list[Tensor]()
    pipeline.transformer.register_forward_pre_hook(lambda _, __, given: theirs.append(given), with_kwargs=True)
    watch = family.denoiser.register_forward_pre_hook(
        lambda _, args, given: ours.append({"hidden_states": args[0], **given}), with_kwargs=True
    )
    noise = starting_noise(42, 16, (HEIGHT // 8, WIDTH // 8))
    with Image.open(images / "0.png") as image, Image.open(images / "0-masklabel.png") as mask:
        drawn = pipeline(
            "a robot", image=image, mask_image=mask, height=HEIGHT, width=WIDTH, num_inference_steps=3,
            latents=packed(noise.clone()), output_type="latent",
        )[0]  # fmt: skip
    monkeypatch.setattr(family, "decode_image", lambda x: seen.append(x) or torch.zeros(1, 3, 8, 8))
    prompt = {
        "prompt": "a robot", "width": WIDTH, "height": HEIGHT, "steps": 3, "sampler": "euler", "guidance": 1,
        "image": str(images / "0.png"), "mask": str(images / "0-masklabel.png"), "strength": 1,
    }  # fmt: skip
    list(Sampler(family, 64, cache_texts=True).draw([Prompt.model_validate(prompt)]))
    watch.remove()
    assert len(ours) == len(theirs) == 3 and ours[0]["hidden_states"].shape == (1, 8, 384)
    for name in ("hidden_states", "timestep", "guidance", "pooled_projections", "encoder_hidden_states", "img_ids"):
        torch.testing.assert_close(ours[0][name], theirs[0][name], atol=1e-5, rtol=1e-4, msg=name)
    assert ours[0]["guidance"].tolist() == [30.0]
    torch.testing.assert_close(seen[0], unpacked(drawn, HEIGHT // 8, WIDTH // 8), atol=1e-4, rtol=1e-3)


def test_a_lora_is_trained_with_the_masks_of_files(
    folder: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Tensor] = []
    predict = Flux1.predict

    def spied(family: Flux1, noisy: Tensor, time: Tensor, condition: Condition) -> Tensor:
        shown.append(family.mask_and_seen(condition)[0])
        return predict(family, noisy, time, condition)

    base: dict[str, Any] = {
        **ROBOT, "model": {"family": "flux1", "source": str(folder)},
        "concepts": [{"path": str(images), "masks": "file"}],
    }  # fmt: skip
    more = ("training.steps=2", "training.batch_size=1", "training.masks.unmasked_probability=0")
    settings = values(tmp_path, *more, base=base)
    monkeypatch.setattr(Flux1, "predict", spied)
    events = run(settings)
    assert end_of(events).step == 2 and model_of(events).is_file()
    assert len(shown) == 2 and shown[0].shape[1] == 64 and 0.1 < float(shown[0].mean()) < 0.2
    assert torch.equal(*shown), "a drawn mask is another one at every step"


def test_steps_and_samples_are_counted_with_the_mask(family: Flux1) -> None:
    prompt = {"prompt": "a robot", "width": WIDTH, "height": HEIGHT, "guidance": 1}
    preset = preset_of({
        "version": 6, "model": {"family": "flux1"}, "method": {"kind": "lora"}, "sampling": {"prompts": [prompt]},
    })  # fmt: skip
    shape = BatchShape((HEIGHT, WIDTH), "a robot", caches_latents=False)
    assert step_bytes(family, preset, shape, {"denoiser", "vae"}).passes > 0
    assert min(sample_bytes(family, preset)) > 0


def test_a_file_says_whether_it_is_fill(
    family: Flux1, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Flux1.load(str(tiny_flux1(tmp_path / "dev")), OPTIONS)
    places = {"flux1-fill-dev": folder, "flux1-dev": tmp_path / "dev"}
    own = dit_files.bundled_config

    def tiny(kind: str, spec: Any) -> dict[str, Any]:
        return as_json(places[kind] / spec.folder / "config.json") if kind in places else own(kind, spec)

    monkeypatch.setattr(dit_files, "bundled_config", tiny)
    for kind, model in {"flux1-fill-dev": family, "flux1-dev": plain}.items():
        file = tmp_path / f"{kind[6:9]}.safetensors"
        model.save(file, single_file=True, dtype=None, parts=["denoiser"], metadata={}, tensors={})
        opened = Flux1.open_file(file)
        assert opened.kind == kind and not any("seachange." in key for key in opened.metadata)
        others = dict.fromkeys(("vae", "text_encoder_1", "text_encoder_2"), str(folder))
        again = Flux1.load(str(file), replace(OPTIONS, others=others, offline=True))
        assert_same_weights(again.denoiser, model.denoiser)
        assert again.inpaints == model.inpaints == (kind == "flux1-fill-dev")
        assert again.pipeline_class() == ("FluxFillPipeline" if again.inpaints else "FluxPipeline")


def test_it_wants_a_mask_and_is_written_as_what_it_is(family: Flux1, folder: Path, tmp_path: Path) -> None:
    noisy, heard = torch.randn(1, 16, 4, 4), family.with_guidance(family.encode_text(["a robot"]), 30.0)
    with pytest.raises(UserError, match="mask"):
        family.predict(noisy, torch.tensor([500]), heard)
    family.save(tmp_path / "out", single_file=False, dtype=None, parts=family.component_names, metadata={}, tensors={})
    assert as_json(tmp_path / "out" / "model_index.json")["_class_name"] == "FluxFillPipeline"
    assert Flux1.load(str(tmp_path / "out"), OPTIONS).inpaints
    assert family.modelspec()["modelspec.architecture"] == "Flux.1-dev/inpaint"


def test_its_card_tells_it_by_its_name() -> None:
    card = FAMILIES["flux1"]
    for name in ("black-forest-labs/FLUX.1-Fill-dev", "flux1-fill-dev.safetensors", "fluxFillFP8_v10"):
        assert [each.kind for each in card.named_variants(name)] == ["flux1-fill-dev"], name
        assert card.usual_sampling(name).distilled_guidance == 30.0
    assert [each.kind for each in card.named_variants("FLUX.1-dev")] == ["flux1-dev"]
