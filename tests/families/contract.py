"""What every family must do. A family's test says how to write a tiny model, and inherits the rest."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from modules.errors import UserError
from modules.families.condition import Condition
from modules.families.family import Family, LoadOptions
from modules.families.parts import vae_tiling

LONG = "a red robot, a blue house, " * 4
OPTIONS = LoadOptions()


class FamilyContract:
    """Tests over a tiny model. `family` is fresh for each test; `folder` is shared, and nobody writes into it."""

    kind: ClassVar[type[Family]]
    masks_text: ClassVar[bool] = True  # whether captions of several lengths are padded, and padding masked
    sets: ClassVar[tuple[str, ...]] = ()  # of layers, that a tiny model has; (): all of the card

    @staticmethod
    def write(folder: Path, **changes: Any) -> Path:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return cls.write(tmp_path_factory.mktemp("model") / "tiny")

    @pytest.fixture
    def family(self, folder: Path) -> Family:
        return self.kind.load(str(folder), OPTIONS)

    # Images

    def test_latents_are_smaller_than_the_image_and_come_back_as_large(self, family: Family):
        pixels = torch.rand(2, 3, 32, 64) * 2 - 1
        latents = family.encode_image(pixels)
        assert latents.shape == (2, family.channels, 32 // family.downscale, 64 // family.downscale)
        assert family.decode_image(latents).shape == pixels.shape
        assert torch.equal(latents, family.encode_image(pixels)), "latents are drawn at random"

    def test_in_tiles_each_part_is_what_its_tile_says(self, family: Family, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(vae_tiling, "TILE", 64)
        monkeypatch.setattr(vae_tiling, "STRIDE", 48)
        pixels, first = torch.rand(2, 3, 96, 48) * 2 - 1, 48 // family.downscale
        whole = family.encode_image(pixels)
        drawn = family.decode_image(whole)
        family.options = replace(OPTIONS, vae_tiling="on")
        tiled = family.encode_image(pixels)
        assert tiled.shape == whole.shape
        assert not torch.equal(tiled, whole)
        one_tile = family.encode_image(pixels[:1, :, :64])
        torch.testing.assert_close(tiled[:1, :, :first], one_tile[:, :, :first])
        one_tile = family.decode_image(whole[:1, :, : 64 // family.downscale])
        torch.testing.assert_close(family.decode_image(whole)[:1, :, :48], one_tile[:, :, :48])
        assert family.decode_image(whole).shape == pixels.shape
        family.options = OPTIONS
        assert torch.equal(family.encode_image(pixels), whole)
        assert torch.equal(family.decode_image(whole), drawn)

    # Denoising

    def test_the_denoiser_hears_the_text_and_sees_the_time(self, family: Family):
        noisy, heard = torch.randn(1, family.channels, 8, 8), self.heard(family, "a red robot")
        said = family.predict(noisy, torch.tensor([300]), heard)
        assert said.shape == noisy.shape
        assert not torch.equal(said, family.predict(noisy, torch.tensor([300]), self.heard(family, "blue house")))
        assert not torch.equal(said, family.predict(noisy, torch.tensor([900]), heard))

    def test_captions_of_one_length_need_no_mask(self, family: Family):
        assert family.encode_text(["a robot", "a robot"]).mask_BT is None

    def test_neighbours_in_a_batch_change_nothing(self, family: Family):
        noisy, time = torch.randn(2, family.channels, 8, 8), torch.tensor([100, 700])
        together = family.predict(noisy, time, self.heard(family, "a robot", LONG))
        for i, caption in enumerate(("a robot", LONG)):
            alone = family.predict(noisy[i : i + 1], time[i : i + 1], self.heard(family, caption))
            assert torch.allclose(together[i : i + 1], alone, atol=1e-5)

    def test_cached_texts_say_the_same_as_fresh_ones(self, family: Family):
        fresh = family.encode_text(["a robot", LONG])
        cached = Condition.stack([family.encode_text([caption]).rows()[0] for caption in ("a robot", LONG)])
        assert (fresh.mask_BT is not None, cached.mask_BT is not None) == (self.masks_text, self.masks_text)
        for one, other in zip(fresh.texts(), cached.texts(), strict=True):
            assert torch.allclose(one, other, atol=1e-5)

    def test_gradients_reach_only_what_is_not_frozen(self, family: Family):
        for component in ("denoiser", *family.text_encoders):
            assert not any(p.requires_grad for p in family.component(component).parameters())
            assert not family.component(component).training
        first = {name.partition("|")[0]: name.partition("|")[2] for name in reversed(family.lora_names())}
        watched = {
            name: family.component(name).get_submodule(first[name]).get_parameter("weight")
            for name in family.card.trainable
            if name != "denoiser" or len(family.card.trainable) == 1
        }
        for parameter in watched.values():
            parameter.requires_grad_()
        family.predict(
            torch.randn(1, family.channels, 8, 8), torch.tensor([9]), self.heard(family, LONG)
        ).sum().backward()
        assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in watched.values())
        others = set(family.denoiser.parameters()) - set(watched.values())
        assert all(p.grad is None for p in others)

    # Parts

    def test_a_part_that_was_let_go_is_read_again(self, family: Family):
        before = family.component("denoiser")
        assert family.component("denoiser") is before
        weights = {name: p.clone() for name, p in before.named_parameters()}
        family.unload("denoiser")
        again = family.component("denoiser")
        assert again is not before
        assert all(torch.equal(p, weights[name]) for name, p in again.named_parameters())

    def test_a_fingerprint_changes_with_the_weights_and_with_what_changes_the_answer(
        self, folder: Path, tmp_path: Path
    ):
        family = self.kind.load(str(folder), OPTIONS)
        prints = {component: family.fingerprint(component) for component in family.component_names}
        assert len(set(prints.values())) == len(prints)
        assert prints == {
            component: self.kind.load(str(folder), OPTIONS).fingerprint(component)
            for component in family.component_names
        }
        other = self.kind.load(str(self.write(tmp_path / "other", seed=1)), OPTIONS)
        assert all(other.fingerprint(component) != prints[component] for component in family.component_names)
        rounded = self.kind.load(str(folder), replace(OPTIONS, dtype=torch.bfloat16))
        assert all(rounded.fingerprint(component) != prints[component] for component in family.text_encoders)
        assert rounded.fingerprint("vae") == prints["vae"]

    def test_a_remembered_fingerprint_is_not_believed_of_a_changed_file(self, folder: Path, tmp_path: Path):
        copy = Path(shutil.copytree(folder, tmp_path / "copy"))

        def vae_print() -> str:
            family = self.kind.load(str(copy), OPTIONS)
            family.cache_dir = tmp_path / "memo"
            return family.fingerprint("vae")

        first = vae_print()
        assert list((tmp_path / "memo").iterdir()) and vae_print() == first
        file = copy / "vae" / "diffusion_pytorch_model.safetensors"
        file.write_bytes(file.read_bytes()[:-4] + b"\x00\x00\x80\x3f")
        assert vae_print() != first

    # Names

    def test_every_set_of_layers_finds_layers(self, family: Family):
        paths = [name.partition("|")[2] for name in family.lora_names() if name.startswith("denoiser|")]
        found = {name: self.held(paths, patterns) for name, patterns in family.layer_groups.items()}
        assert all(found[name] for name in self.sets or family.layer_groups), found
        assert found["all"] == set(paths)

    def test_lora_names_lead_to_layers_and_are_one_of_a_kind(self, family: Family):
        names = family.lora_names()
        assert len(set(names.values())) == len(names)
        for place, name in names.items():
            component, _, path = place.partition("|")
            assert isinstance(family.component(component).get_submodule(path), nn.Linear | nn.Conv2d)
            assert "." not in name
        assert {place.partition("|")[0] for place in names} == {"denoiser", *family.text_encoders}

    def test_diffusers_names_are_those_of_its_folders_and_one_of_a_kind(self, family: Family):
        names = {place: link.theirs for place, link in family.adapter_links("diffusers").items()}
        assert names.keys() == family.lora_names().keys() and len(set(names.values())) == len(names)
        for place, name in names.items():
            assert name.startswith(f"{family.card.component(place.partition('|')[0]).folder}.")

    def test_each_format_of_adapters_names_every_layer_as_it_is_read(self, family: Family):
        spellings = family.layer_spellings()
        for form in family.card.lora_formats:
            for place, link in family.adapter_links(form).items():
                read = spellings[link.theirs.removeprefix("lycoris_")]
                assert place in ([read] if isinstance(read, str) else dict(read.parts)), (form, link.theirs)

    # Files

    def test_what_is_saved_is_loaded_again(self, family: Family, tmp_path: Path):
        self.check_again(family, self.saved(family, tmp_path, "folder"))

    def test_trained_weights_take_the_place_of_the_old_ones(self, family: Family, tmp_path: Path):
        self.check_replaced(family, tmp_path / "new", single=False)

    def test_trained_parts_alone_are_read_as_parts_and_refused_as_a_model(self, family: Family, tmp_path: Path):
        self.check_parts(family, tmp_path / "part", single=False)

    def test_half_precision_is_written_and_read(self, family: Family, tmp_path: Path):
        self.check_half(family, tmp_path / "half", single=False)

    def check_again(self, family: Family, saved: Path) -> None:
        again = self.kind.load(str(saved), OPTIONS)
        assert type(again.noise_schedule) is type(family.noise_schedule)
        for component in family.component_names:
            assert_same_weights(family.component(component), again.component(component))
            assert again.fingerprint(component) == family.fingerprint(component)
        ours, theirs = (f.encode_text(["a robot", LONG]).tokens_BTD for f in (family, again))
        assert torch.equal(ours, theirs)

    def check_replaced(self, family: Family, target: Path, *, single: bool) -> None:
        name, old = next((n, p) for n, p in family.denoiser.named_parameters() if n.endswith("to_q.weight"))
        new = torch.randn_like(old)
        self.save(family, target, single=single, tensors={"denoiser": {name: new}})
        again = self.kind.load(str(target), OPTIONS)
        assert torch.equal(again.denoiser.get_parameter(name), new)
        again_vae, vae = again.component("vae"), family.component("vae")
        assert_same_weights(again_vae, vae)

    def check_parts(self, family: Family, target: Path, *, single: bool) -> None:
        self.save(family, target, single=single, parts=family.text_encoders)
        held = dict(family.components_in(target))
        assert held.keys() == set(family.text_encoders)
        for component, tensors in held.items():
            weights = dict(family.component(component).named_parameters())
            assert tensors.keys() == weights.keys()
            assert all(torch.equal(tensors[name], weights[name]) for name in weights)
        with pytest.raises(UserError):
            self.kind.load(str(target), OPTIONS)

    def check_half(self, family: Family, target: Path, *, single: bool) -> None:
        self.save(family, target, single=single, dtype=torch.float16)
        half = self.kind.load(str(target), replace(OPTIONS, dtype=torch.bfloat16, vae_dtype=torch.float16))
        assert next(half.component("vae").parameters()).dtype == torch.float16
        path = next(name.partition("|")[2] for name in family.lora_names() if name.startswith("denoiser|"))
        name, old = f"{path}.weight", family.denoiser.get_parameter(f"{path}.weight")
        assert half.denoiser.get_parameter(name).dtype == torch.bfloat16
        assert torch.equal(half.denoiser.get_parameter(name), old.half().bfloat16())

    def test_a_folder_with_a_part_missing_is_refused(self, folder: Path, tmp_path: Path):
        first, last = self.kind.card.components[0], self.kind.card.components[-1]
        weights = next((folder / last.folder).glob("*.safetensors")).name
        parts = ("vae", f"{first.folder}/config.json", f"{last.folder}/{weights}", last.tokenizer)
        for lost in (*parts, self.kind.card.index_file):
            copy = Path(shutil.copytree(folder, tmp_path / lost.replace("/", "-")))
            gone = copy / lost
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
            with pytest.raises(UserError):
                self.kind.load(str(copy), OPTIONS)

    # What tests need

    @staticmethod
    def held(paths: list[str], patterns: tuple[str, ...]) -> set[str]:
        return {path for path in paths if any(re.search(pattern, path) for pattern in patterns)}

    def heard(self, family: Family, *captions: str) -> Condition:
        """Captions as a training step gives them."""
        sizes = torch.tensor([[64, 64, 0, 0, 64, 64]] * len(captions))
        return replace(family.encode_text(captions), sizes_B6=sizes)

    def save(self, family: Family, target: Path, *, single: bool, **other: Any) -> Path:
        chosen = {"dtype": torch.float32, "parts": family.component_names, "metadata": {}, "tensors": {}, **other}
        family.save(target, single_file=single, **chosen)
        return target

    def saved(self, family: Family, folder: Path, form: str) -> Path:
        assert form == "folder"
        return self.save(family, folder / "saved", single=False)


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    ours, theirs = dict(named(one)), dict(named(other))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def named(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()
