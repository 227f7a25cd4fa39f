"""What every family with a U-Net and CLIP must do beside the contract: chunks, new words, single files, predictions."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from modules.catalog.layers import UNET_SETS
from modules.errors import UserError
from modules.families.family import Family
from tests.families.contract import LONG, OPTIONS, FamilyContract


class ClipUnetContract(FamilyContract):
    """`bundled_as`: the kind of model that the tiny one stands for."""

    bundled_as: ClassVar[str]
    sets = tuple(UNET_SETS)  # numbered blocks are of full-size models: test_layers.py

    # Text

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

    def test_captions_of_one_chunk_need_no_mask(self, family: Family):
        assert family.encode_text(["a robot", ""]).mask_BT is None

    def test_clip_skip_changes_the_fingerprint_of_text_encoders_alone(self, folder: Path):
        family, skipping = (self.kind.load(str(folder), replace(OPTIONS, clip_skip=n)) for n in (0, 2))
        assert all(skipping.fingerprint(name) != family.fingerprint(name) for name in family.text_encoders)
        assert skipping.fingerprint("vae") == family.fingerprint("vae")

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

    # Names

    def test_sets_of_a_u_net_hold_what_they_are_called(self, family: Family):
        paths = [name.partition("|")[2] for name in family.lora_names() if name.startswith("denoiser|")]
        found = {name: self.held(paths, patterns) for name, patterns in family.layer_groups.items()}
        assert found["attention"] == found["self-attention"] | found["cross-attention"]
        assert found["attention"] < found["attention-mlp"] and not found["attention-mlp"] & found["resnets"]

    def test_text_model_stands_once_in_the_names_of_text_encoders(self, family: Family):
        for place, name in family.lora_names().items():
            assert name.count("text_model") == (not place.startswith("denoiser|"))

    # Single files

    @pytest.mark.parametrize("form", ["single file", "ckpt"])
    def test_what_is_saved_in_one_file_is_loaded_again(
        self, family: Family, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
    ):
        saved = self.saved(family, tmp_path, form)
        if form == "ckpt":  # holds no configs
            bundle(self.write(tmp_path / "bundled" / self.bundled_as), monkeypatch)
        self.check_again(family, saved)

    def test_trained_weights_take_the_place_of_the_old_ones_in_one_file(self, family: Family, tmp_path: Path):
        self.check_replaced(family, tmp_path / "new.safetensors", single=True)

    def test_trained_parts_alone_in_one_file_are_read_as_parts(self, family: Family, tmp_path: Path):
        self.check_parts(family, tmp_path / "part.safetensors", single=True)

    def test_half_precision_is_written_and_read_in_one_file(self, family: Family, tmp_path: Path):
        self.check_half(family, tmp_path / "half.safetensors", single=True)

    def test_a_half_downloaded_model_is_refused(self, family: Family, tmp_path: Path):
        whole = self.saved(family, tmp_path, "single file")
        torn = tmp_path / "torn.safetensors"
        torn.write_bytes(whole.read_bytes()[:-1000])
        with pytest.raises(UserError, match="incomplete"):
            self.kind.load(str(torn), OPTIONS)

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

    def saved(self, family: Family, folder: Path, form: str) -> Path:
        if form == "folder":
            return super().saved(family, folder, form)
        file = self.save(family, folder / "saved.safetensors", single=True)
        return as_pickle(file, folder / "saved.ckpt") if form == "ckpt" else file

    def tables(self, family: Family) -> dict[str, str]:
        """The name of each text encoder's embedding table."""
        return {
            encoder: next(
                n for n, _ in family.component(encoder).named_parameters() if n.endswith("token_embedding.weight")
            )
            for encoder in family.text_encoders
        }


def as_pickle(file: Path, target: Path) -> Path:
    """The same tensors as Lightning pickles them."""
    from safetensors.torch import load_file

    torch.save({"state_dict": load_file(file), "global_step": 7}, target)
    return target


def bundle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this tiny model's configs and vocabulary be the ones that are bundled."""
    from modules.families.parts.unet import single_file

    (folder.parent / "clip").mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(folder / "tokenizer" / name, folder.parent / "clip" / name)
    for whole in folder.glob("tokenizer*/tokenizer.json"):
        whole.unlink()
    monkeypatch.setattr(single_file, "BUNDLED", folder.parent)
    return folder
