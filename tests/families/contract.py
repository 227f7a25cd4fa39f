"""What every family must do. A family's test says how to write a tiny model, and inherits the rest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from modules.catalog.layers import UNET_SETS
from modules.errors import UserError
from modules.families.family import Condition, Family, LoadOptions

LONG = "a red robot, a blue house, " * 4
OPTIONS = LoadOptions()


class FamilyContract:
    """Tests over a tiny model. `family` is fresh for each test; `folder` is shared, and nobody writes into it."""

    kind: ClassVar[type[Family]]
    bundled_as: ClassVar[str]

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

    # Denoising

    def test_the_denoiser_hears_the_text_and_sees_the_time(self, family: Family):
        noisy, heard = torch.randn(1, family.channels, 8, 8), self.heard(family, "a red robot")
        said = family.predict(noisy, torch.tensor([300]), heard)
        assert said.shape == noisy.shape
        assert not torch.equal(said, family.predict(noisy, torch.tensor([300]), self.heard(family, "blue house")))
        assert not torch.equal(said, family.predict(noisy, torch.tensor([900]), heard))

    def test_the_words_beyond_the_first_chunk_are_heard(self, family: Family):
        longer = LONG + "with a green hat"
        encoder = family.text_encoders[0]
        assert family.token_counts(longer)[encoder] > 2 * family.chunk_size(encoder)
        assert family.encode_text([longer]).tokens_BTD.shape[1] > 2 * (family.chunk_size(encoder) + 2)
        noisy, time = torch.randn(1, family.channels, 8, 8), torch.tensor([500])
        one = family.predict(noisy, time, self.heard(family, longer))
        other = family.predict(noisy, time, self.heard(family, LONG + "with a yellow hat"))
        assert not torch.allclose(one, other, atol=1e-6)

    def test_captions_are_cut_at_the_most_chunks_allowed(self, folder: Path):
        family = self.kind.load(str(folder), replace(OPTIONS, max_chunks=2))
        encoder = family.text_encoders[0]
        assert family.encode_text([LONG]).tokens_BTD.shape[1] == 2 * (family.chunk_size(encoder) + 2)

    def test_captions_of_one_length_need_no_mask(self, family: Family):
        assert family.encode_text(["a robot", ""]).mask_BT is None

    def test_neighbours_in_a_batch_change_nothing(self, family: Family):
        noisy, time = torch.randn(2, family.channels, 8, 8), torch.tensor([100, 700])
        together = family.predict(noisy, time, self.heard(family, "a robot", LONG))
        for i, caption in enumerate(("a robot", LONG)):
            alone = family.predict(noisy[i : i + 1], time[i : i + 1], self.heard(family, caption))
            assert torch.allclose(together[i : i + 1], alone, atol=1e-5)

    def test_cached_texts_say_the_same_as_fresh_ones(self, family: Family):
        fresh = family.encode_text(["a robot", LONG])
        cached = Condition.stack([family.encode_text([caption]).rows()[0] for caption in ("a robot", LONG)])
        assert fresh.mask_BT is not None and cached.mask_BT is not None
        assert torch.equal(fresh.mask_BT, cached.mask_BT)
        assert torch.allclose(fresh.tokens_BTD[fresh.mask_BT], cached.tokens_BTD[cached.mask_BT], atol=1e-5)

    def test_gradients_reach_only_what_is_not_frozen(self, family: Family):
        for component in ("denoiser", *family.text_encoders):
            assert not any(p.requires_grad for p in family.component(component).parameters())
            assert not family.component(component).training
        watched = {
            component: next(
                p for n, p in family.component(component).named_parameters() if n.endswith("layers.0.mlp.fc1.weight")
            )
            for component in family.text_encoders
        }
        for parameter in watched.values():
            parameter.requires_grad_()
        family.predict(
            torch.randn(1, family.channels, 8, 8), torch.tensor([9]), self.heard(family, LONG)
        ).sum().backward()
        assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in watched.values())
        assert all(p.grad is None for p in family.denoiser.parameters())

    # Words

    def test_a_new_word_is_found_anywhere_in_a_caption(self, family: Family):
        tables = {e: family.component(e).get_parameter(n).shape[0] for e, n in self.tables(family).items()}
        ids = family.add_token("<blip>", 3)
        more = family.add_token("<blip-2>", 1)
        for encoder in family.text_encoders:
            first = tables[encoder]
            assert ids[encoder] == [first, first + 1, first + 2] and more[encoder] == [first + 3]
            plain = family.token_ids(encoder, "a robot")
            assert family.token_ids(encoder, "<BLIP>a robot <blip-2>") == [*ids[encoder], *plain, first + 3]
            assert family.token_counts("a robot <blip>")[encoder] == len(plain) + 3

    def test_a_word_that_is_known_is_refused(self, family: Family):
        family.add_token("<blip>", 2)
        for word in ("<blip>", "<BLIP>", "a", "two words", ""):
            with pytest.raises(UserError):
                family.add_token(word, 1)

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
        skipping = self.kind.load(str(folder), replace(OPTIONS, clip_skip=2))
        assert all(skipping.fingerprint(component) != prints[component] for component in family.text_encoders)
        assert skipping.fingerprint("vae") == prints["vae"]

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

    def test_every_layer_group_finds_layers(self, family: Family):
        import re

        paths = [name.partition("|")[2] for name in family.lora_names() if name.startswith("denoiser|")]
        found = {
            group: {path for path in paths if any(re.search(pattern, path) for pattern in patterns)}
            for group, patterns in family.layer_groups.items()
        }
        assert all(found[group] for group in UNET_SETS), (
            found
        )  # numbered blocks are of full-size models: test_layers.py
        assert found["all"] == set(paths)
        assert found["attention"] == found["self-attention"] | found["cross-attention"]
        assert found["attention"] < found["attention-mlp"] and not found["attention-mlp"] & found["resnets"]

    def test_lora_names_lead_to_layers_and_are_one_of_a_kind(self, family: Family):
        names = family.lora_names()
        assert len(set(names.values())) == len(names)
        for place, name in names.items():
            component, _, path = place.partition("|")
            assert isinstance(family.component(component).get_submodule(path), nn.Linear | nn.Conv2d)
            assert "." not in name and name.count("text_model") == (component != "denoiser")
        assert {place.partition("|")[0] for place in names} == {"denoiser", *family.text_encoders}

    # Files

    @pytest.mark.parametrize("form", ["folder", "single file", "ckpt"])
    def test_what_is_saved_is_loaded_again(
        self, family: Family, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
    ):
        saved = self.saved(family, tmp_path, form)
        if form == "ckpt":  # holds no configs
            bundle(self.write(tmp_path / "bundled" / self.bundled_as), monkeypatch)
        again = self.kind.load(str(saved), OPTIONS)
        assert type(again.noise_schedule) is type(family.noise_schedule)
        for component in family.component_names:
            assert_same_weights(family.component(component), again.component(component))
            assert again.fingerprint(component) == family.fingerprint(component)
        ours, theirs = (f.encode_text(["a robot", LONG]).tokens_BTD for f in (family, again))
        assert torch.equal(ours, theirs)

    @pytest.mark.parametrize("single", [True, False])
    def test_trained_weights_take_the_place_of_the_old_ones(self, family: Family, tmp_path: Path, single: bool):
        name, old = next((n, p) for n, p in family.denoiser.named_parameters() if n.endswith("to_q.weight"))
        target = tmp_path / ("new.safetensors" if single else "new")
        new = torch.randn_like(old)
        self.save(family, target, single=single, tensors={"denoiser": {name: new}})
        again = self.kind.load(str(target), OPTIONS)
        assert torch.equal(again.denoiser.get_parameter(name), new)
        again_vae, vae = again.component("vae"), family.component("vae")
        assert_same_weights(again_vae, vae)

    @pytest.mark.parametrize("single", [True, False])
    def test_trained_parts_alone_are_read_as_parts_and_refused_as_a_model(
        self, family: Family, tmp_path: Path, single: bool
    ):
        target = tmp_path / ("part.safetensors" if single else "part")
        self.save(family, target, single=single, parts=family.text_encoders)
        held = dict(family.components_in(target))
        assert held.keys() == set(family.text_encoders)
        for component, tensors in held.items():
            weights = dict(family.component(component).named_parameters())
            assert tensors.keys() == weights.keys()
            assert all(torch.equal(tensors[name], weights[name]) for name in weights)
        with pytest.raises(UserError):
            self.kind.load(str(target), OPTIONS)

    def test_half_precision_is_written_and_read(self, family: Family, tmp_path: Path):
        target = tmp_path / "half.safetensors"
        self.save(family, target, single=True, dtype=torch.float16)
        half = self.kind.load(str(target), replace(OPTIONS, dtype=torch.bfloat16, vae_dtype=torch.float16))
        assert next(half.denoiser.parameters()).dtype == torch.bfloat16
        assert next(half.component("vae").parameters()).dtype == torch.float16
        name, old = next(iter(family.denoiser.named_parameters()))
        assert torch.equal(half.denoiser.get_parameter(name), old.half().bfloat16())

    def test_a_half_downloaded_model_is_refused(self, family: Family, tmp_path: Path):
        whole = self.saved(family, tmp_path, "single file")
        torn = tmp_path / "torn.safetensors"
        torn.write_bytes(whole.read_bytes()[:-1000])
        with pytest.raises(UserError, match="incomplete"):
            self.kind.load(str(torn), OPTIONS)

    def test_a_folder_with_a_part_missing_is_refused(self, folder: Path, tmp_path: Path):
        for lost in ("vae", "unet/config.json", "text_encoder/model.safetensors", "tokenizer", "model_index.json"):
            copy = Path(shutil.copytree(folder, tmp_path / lost.replace("/", "-")))
            gone = copy / lost
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
            with pytest.raises(UserError):
                self.kind.load(str(copy), OPTIONS)

    # Objective

    def test_the_objective_is_the_models_unless_the_user_says_otherwise(self, tmp_path: Path):
        folder = str(self.write(tmp_path / "v", prediction_type="v_prediction", rescale_betas_zero_snr=True))
        family = self.kind.load(folder, OPTIONS)
        assert family.noise_schedule.prediction == "v_prediction" and family.noise_schedule.zero_terminal_snr
        plain = self.kind.load(folder, replace(OPTIONS, prediction="epsilon", zero_terminal_snr="off"))
        assert plain.noise_schedule.prediction == "epsilon" and not plain.noise_schedule.zero_terminal_snr
        with pytest.raises(UserError, match="v-prediction"):
            self.kind.load(folder, replace(OPTIONS, prediction="epsilon"))

    def test_marks_in_a_single_file_tell_the_objective(self, tmp_path: Path):
        from safetensors import safe_open
        from safetensors.torch import load_file, save_file

        folder = self.write(tmp_path / "v", prediction_type="v_prediction", rescale_betas_zero_snr=True)
        target = tmp_path / "v.safetensors"
        self.save(self.kind.load(str(folder), OPTIONS), target, single=True)
        tensors = load_file(target)
        assert tensors["v_pred"].shape == tensors["ztsnr"].shape == (0,)
        with safe_open(target, "pt") as file:
            told = file.metadata()
        assert told["modelspec.prediction_type"] == "v"
        eps = self.write(tmp_path / "eps")
        self.save(self.kind.load(str(eps), OPTIONS), tmp_path / "eps.safetensors", single=True)
        with safe_open(tmp_path / "eps.safetensors", "pt") as file:
            told = {**file.metadata(), "modelspec.prediction_type": ""}
        marked = {**load_file(tmp_path / "eps.safetensors"), "v_pred": torch.empty(0), "ztsnr": torch.empty(0)}
        save_file(marked, tmp_path / "marked.safetensors", told)
        family = self.kind.load(str(tmp_path / "marked.safetensors"), OPTIONS)
        assert family.noise_schedule.prediction == "v_prediction" and family.noise_schedule.zero_terminal_snr

    # What tests need

    def heard(self, family: Family, *captions: str) -> Condition:
        """Captions as a training step gives them."""
        sizes = torch.tensor([[64, 64, 0, 0, 64, 64]] * len(captions))
        return replace(family.encode_text(captions), sizes_B6=sizes)

    def tables(self, family: Family) -> dict[str, str]:
        """The name of each text encoder's embedding table."""
        return {
            encoder: next(
                n for n, _ in family.component(encoder).named_parameters() if n.endswith("token_embedding.weight")
            )
            for encoder in family.text_encoders
        }

    def save(self, family: Family, target: Path, *, single: bool, **other: Any) -> Path:
        chosen = {"dtype": torch.float32, "parts": family.component_names, "metadata": {}, "tensors": {}, **other}
        family.save(target, single_file=single, **chosen)
        return target

    def saved(self, family: Family, folder: Path, form: str) -> Path:
        if form == "folder":
            return self.save(family, folder / "saved", single=False)
        file = self.save(family, folder / "saved.safetensors", single=True)
        return as_pickle(file, folder / "saved.ckpt") if form == "ckpt" else file


def as_pickle(file: Path, target: Path) -> Path:
    """The same tensors as Lightning pickles them."""
    from safetensors.torch import load_file

    torch.save({"state_dict": load_file(file), "global_step": 7}, target)
    return target


def bundle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this tiny model's configs and vocabulary be the ones that are bundled."""
    from modules.families.parts import single_file

    (folder.parent / "clip").mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(folder / "tokenizer" / name, folder.parent / "clip" / name)
    for whole in folder.glob("tokenizer*/tokenizer.json"):
        whole.unlink()
    monkeypatch.setattr(single_file, "BUNDLED", folder.parent)
    return folder


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    ours, theirs = dict(named(one)), dict(named(other))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def named(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()
