"""Each family's table of names against diffusers' own converter: tiny models, every tensor, in both directions."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint, convert_wan_vae_to_diffusers
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage
from torch import Tensor, nn

from modules.formats.checkpoint import planned
from modules.formats.layout import Layout
from modules.formats.layouts.vae import WAN, kl_vae
from modules.system.weights import PlannedTensor
from tests.families.tiny_dits import DITS, TinyDit


def native(layout: Layout, ours: dict[str, Tensor]) -> dict[str, Tensor]:
    plans = {name: PlannedTensor(tuple(t.shape), t.dtype, lambda t=t: t) for name, t in ours.items()}
    links = layout.links({name: tuple(t.shape) for name, t in ours.items()})
    return {name: plan.make().clone() for name, plan in planned(plans, links).items()}


@pytest.mark.parametrize("dit", DITS.values(), ids=DITS)
def test_diffusers_reads_what_is_written_and_so_do_we(dit: TinyDit) -> None:
    ours = dit.tensors()
    theirs = native(dit.layout, ours)
    assert all(map(dit.layout.drops, dit.more)) and not any(map(dit.layout.drops, theirs))
    links = dit.layout.links({name: tuple(t.shape) for name, t in ours.items()})
    assert_same({name: link.read(theirs[link.theirs]) for name, link in links.items()}, ours)
    assert_same(dit.convert({**theirs, **{name: torch.zeros(1) for name in dit.more}}), ours)


SMALL_VAE = {"block_out_channels": (4, 8, 8), "norm_num_groups": 4, "layers_per_block": 1, "latent_channels": 4,
             "down_block_types": ["DownEncoderBlock2D"] * 3, "up_block_types": ["UpDecoderBlock2D"] * 3}  # fmt: skip


def vae_tensors(vae: type[nn.Module], **config: Any) -> dict[str, Tensor]:
    return {name: torch.randn(t.shape) for name, t in vae(**config).state_dict().items()}


@pytest.mark.parametrize("more", [{"use_quant_conv": False, "use_post_quant_conv": False}, {}])
def test_the_vae_of_flux1_and_of_stable_diffusion_is_read_as_diffusers_reads_it(more: dict[str, Any]) -> None:
    ours = vae_tensors(AutoencoderKL, **SMALL_VAE, **more)
    theirs = native(kl_vae(3), ours)
    assert_same(convert_ldm_vae_checkpoint(theirs, SMALL_VAE), ours)
    assert theirs["encoder.mid.attn_1.q.weight"].dim() == 4


def test_the_vae_of_flux2_has_its_statistics_and_convolutions_where_its_authors_have_them() -> None:
    ours = vae_tensors(AutoencoderKLFlux2, **SMALL_VAE)
    theirs = native(kl_vae(3, flux2=True), ours)
    assert {"bn.running_mean", "encoder.quant_conv.weight", "decoder.post_quant_conv.bias"} <= theirs.keys()
    top = {re.sub(r"^(en|de)coder\.((post_)?quant_conv)", r"\2", name): t for name, t in theirs.items()}
    read = convert_ldm_vae_checkpoint(top, SMALL_VAE)  # which knows no statistics
    assert_same(read | {name: t for name, t in theirs.items() if name.startswith("bn.")}, ours)


def test_the_vae_of_qwen_image_has_the_names_of_wans() -> None:
    ours = vae_tensors(AutoencoderKLQwenImage, base_dim=4, z_dim=4)
    theirs = native(WAN, ours)
    assert_same(convert_wan_vae_to_diffusers(theirs), ours)
    assert not any("block" in name for name in theirs)


def assert_same(found: dict[str, Any], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    assert [name for name, tensor in wanted.items() if not torch.equal(found[name], tensor)] == []
