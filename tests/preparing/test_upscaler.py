"""Images enlarged by models."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution

from modules.errors import UserError
from modules.preparing import upscaler
from modules.preparing.upscale_nets import Compact, RrdbNet, net_of
from modules.preparing.upscaler import Upscaler

CPU = torch.device("cpu")


def seeded(net: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.1)
    return net.eval()


def in_old_names(tensors: dict[str, Tensor], blocks: int, ups: int) -> dict[str, Tensor]:
    """ESRGAN's first files: the layers of a Sequential, of which some have no weights."""
    places = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}"}
    places |= {f"conv_up{up}": f"model.{3 * up}" for up in range(1, ups + 1)}
    places |= {"conv_hr": f"model.{3 * ups + 2}", "conv_last": f"model.{3 * ups + 4}"}
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        owner, _, kind = name.rpartition(".")
        inside = re.fullmatch(r"body\.(\d+)\.rdb(\d)\.(conv\d)", owner)
        place = f"model.1.sub.{inside[1]}.RDB{inside[2]}.{inside[3]}.0" if inside else places[owner]
        found[f"{place}.{kind}"] = tensor
    return found


@pytest.mark.parametrize(("ups", "fold", "scale"), [(2, 1, 4), (1, 1, 2), (2, 2, 2), (2, 4, 1)])
def test_weights_say_which_net_they_are_and_how_much_it_enlarges(ups: int, fold: int, scale: int) -> None:
    net = seeded(RrdbNet(8, 4, 2, ups, fold))
    found, times = net_of(net.state_dict(), "net.pth")
    image = torch.rand(1, 3, 8, 12)
    assert times == scale
    assert found(image).shape == (1, 3, 8 * scale, 12 * scale)
    assert torch.equal(found(image), net(image))
    if fold == 1:
        old, times = net_of(in_old_names(net.state_dict(), 2, ups), "old.pth")
        assert times == scale
        assert torch.equal(old(image), net(image))


def test_the_small_net_adds_to_the_enlarged_image() -> None:
    net = Compact(8, 2, 4)
    found, scale = net_of(net.state_dict(), "net.pth")
    assert scale == 4
    for weight in found.parameters():
        nn.init.zeros_(weight)
    image = torch.rand(1, 3, 4, 4)
    assert torch.equal(found(image), image.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_tiles_give_what_the_whole_image_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = seeded(Compact(4, 1, 2))
    torch.save({"params_ema": net.state_dict()}, tmp_path / "small.pth")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8))
    whole = np.asarray(Upscaler(tmp_path / "small.pth", CPU, lambda: None)(image, (140, 100)))
    monkeypatch.setattr(upscaler, "TILE", 16)
    asked: list[None] = []
    tiled = np.asarray(Upscaler(tmp_path / "small.pth", CPU, lambda: asked.append(None))(image, (140, 100)))
    assert whole.shape == (100, 140, 3)
    assert np.abs(tiled.astype(int) - whole).max() <= 1
    assert len(asked) == 4 * 5


def test_it_is_asked_again_until_the_image_is_large_enough(tmp_path: Path) -> None:
    save_file(seeded(Compact(4, 1, 2)).state_dict(), str(tmp_path / "small.safetensors"))
    enlarge = Upscaler(tmp_path / "small.safetensors", CPU, lambda: None)
    assert enlarge(Image.new("RGB", (16, 16)), (50, 50)).size == (64, 64)


def test_swin2sr_is_opened_from_its_folder(tmp_path: Path) -> None:
    config = Swin2SRConfig(embed_dim=16, depths=[1], num_heads=[2], window_size=4, image_size=16, upscale=2)
    net = Swin2SRForImageSuperResolution(config)
    net.save_pretrained(str(tmp_path / "swin"))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 20, 3), dtype=np.uint8))
    found = Upscaler(tmp_path / "swin", CPU, lambda: None)(image, (40, 48))
    assert found.size == (40, 48)
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None] / 255
    padded = nn.functional.pad(pixels, (16, 16, 16, 16), mode="replicate")
    with torch.inference_mode():
        wanted = net.eval()(padded).reconstruction[0, :, 32:-32, 32:-32].clamp(0, 1).mul(255).round()
    assert np.abs(np.asarray(found).astype(int) - wanted.permute(1, 2, 0).numpy()).max() <= 1


def test_what_is_no_upscaler_is_refused(tmp_path: Path) -> None:
    save_file({"lora_down.weight": torch.zeros(2, 2)}, str(tmp_path / "lora.safetensors"))
    with pytest.raises(UserError, match="is no upscaler of a known kind"):
        Upscaler(tmp_path / "lora.safetensors", CPU, lambda: None)
    broken = Compact(4, 1, 2).state_dict()
    save_file({**broken, "body.2.weight": torch.zeros(4, 9, 3, 3)}, str(tmp_path / "broken.safetensors"))
    with pytest.raises(UserError, match="is no upscaler of a known kind"):
        Upscaler(tmp_path / "broken.safetensors", CPU, lambda: None)
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(UserError, match="is a model of the type clip"):
        Upscaler(tmp_path / "clip", CPU, lambda: None)
    with pytest.raises(UserError, match="weights, and an upscaler is one"):
        Upscaler(tmp_path, CPU, lambda: None)
