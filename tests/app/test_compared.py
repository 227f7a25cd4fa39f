"""The page that compares names settings and tools that exist."""

import re

import pytest

from modules.preset.validate import all_settings
from modules.system.bundled import ROOT
from modules.tools import TOOLS

PAGE = (ROOT / "resources/manual/compared.md").read_text(encoding="utf-8")
CELLS = [line.split("|")[2] for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| option")]
PATHS = sorted({path for cell in CELLS for path in re.findall(r"`([a-z][a-z0-9_.*N]*)`", cell)})


@pytest.mark.parametrize("path", PATHS)
def test_what_the_page_names_exists(path: str) -> None:
    known = {re.sub(r"\.0(?=\.)", ".N", setting.path) for setting in all_settings()}
    own = {setting.rpartition(".")[2] for setting in known if setting.startswith("concepts.N.")}
    words = {"check", "presets", "backup", "validation", *TOOLS}
    start = (
        path.removesuffix("*").rstrip(".").replace("training.*", "training.denoiser").replace("encoder_N", "encoder_1")
    )
    held = any(setting == start or setting.startswith((f"{start}.", start)) for setting in known)
    assert held or path in own | words or path.startswith("training.*"), path
