"""Models by their Hugging Face names, as far as that goes without the internet."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.errors import UserError
from modules.system.hub import download_model, looks_like_hub_name


@pytest.mark.parametrize("name", ["owner/model", "stabilityai/stable-diffusion-xl-base-1.0"])
def test_hub_names_are_told_from_paths(name: str):
    assert looks_like_hub_name(name)
    for path in (
        f"./{name}",
        f"/{name}",
        f"{name}.safetensors",
        f"~/{name}",
        f"C:\\{name}",
        f"{name}/unet",
        "model",
        "",
    ):
        assert not looks_like_hub_name(path)


def test_what_was_downloaded_before_is_found_offline(tmp_path: Path):
    kept = tmp_path / "models--owner--model"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc123")
    (kept / "snapshots" / "abc123" / "unet").mkdir(parents=True)
    (kept / "snapshots" / "abc123" / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    assert download_model("owner/model", ("unet", "vae"), offline=True, cache=tmp_path) == kept / "snapshots" / "abc123"


def test_what_was_not_downloaded_is_said_in_words(tmp_path: Path):
    with pytest.raises(UserError, match="has not been downloaded"):
        download_model("owner/other", ("unet",), offline=True, cache=tmp_path)
    with pytest.raises(UserError, match="not a Hugging Face name"):
        download_model("owner/-bad--name-", ("unet",), offline=True, cache=tmp_path)
