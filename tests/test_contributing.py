"""The examples of CONTRIBUTING.md work as they stand there."""

from __future__ import annotations

import re
import sys
import textwrap
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from modules.families import LoadOptions
from modules.messages import Event, Note
from modules.preset.optimizers import table
from modules.preset.preset import Preset
from modules.preset.setting_info import settings_of
from modules.system.bundled import ROOT
from modules.tools import TOOLS, Tool
from modules.tools.opening.models import open_model
from tests.tiny import tiny_sd

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(title: str) -> list[str]:
    """The code under a heading, block by block."""
    part = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [textwrap.dedent(code) for code in re.findall(r"^ *```(?:python)?\n(.*?)^ *```", part, re.M | re.S)]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A block as a file that is imported: docstrings below settings are read from the source."""

    def made(code: str, name: str) -> ModuleType:
        file = tmp_path / f"{name.rpartition('.')[2]}.py"
        file.write_text(code, encoding="utf-8")
        spec = spec_from_file_location(name, file)
        assert spec and spec.loader
        found = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, found)
        spec.loader.exec_module(found)
        return found

    return made


def test_the_setting_has_a_label_and_a_help(module: Any) -> None:
    (setting,) = blocks("Add a setting")[:1]
    head = "from modules.preset.setting import Section, Setting\n\n\nclass Training(Section):\n"
    (info,) = settings_of(module(head + textwrap.indent(setting, "    "), "a_setting").Training)
    assert (info.path, info.label, info.default) == ("shout", "Shout", False) and "log" in info.help


def test_the_optimizer_takes_a_step() -> None:
    (code,) = blocks("Add an optimizer")
    (made,) = eval(f"({code.strip()})", vars(table))
    library, name = made.target.split(":")
    weight = nn.Parameter(torch.ones(3))
    weight.grad = torch.ones(3)
    getattr(sys.modules[library], name)([weight], lr=0.1, **made().keywords()).step()
    assert (weight < 1).all()


def test_the_tool_counts(module: Any, tmp_path: Path) -> None:
    code, row = blocks("Add a tool")
    tool: Tool = eval(row.strip().rstrip(","), {"Tool": Tool})
    module(code, tool.module)
    told: list[Event] = []
    (tmp_path / "a.png").touch()
    quiet = type("Control", (), {"check": lambda self: None})()
    assert tool.name not in TOOLS
    assert tool.run({"folder": str(tmp_path)}, told.append, quiet) == "" and told == [Note("1 images.")]


def test_the_page_is_a_page(module: Any) -> None:
    pytest.importorskip("tkinter")
    from app.gui.page import Page
    from app.gui.pages import PageCard

    row, code = blocks("Add a page")
    card: PageCard = eval(row.strip().rstrip(","), {"PageCard": PageCard})
    target, name = card.target.split(":")
    page = getattr(module(code, target), name)
    assert issubclass(page, Page) and (ROOT / f"resources/icons/{card.image}.png").exists()


def test_the_method_leaves_nothing_of_the_contract_out(module: Any, tmp_path: Path) -> None:
    section, code = blocks("Add a method")
    assert 'kind: Literal["biases"]' in section
    method = module(code, "modules.methods.biases").Biases
    family = open_model(str(tiny_sd(tmp_path / "model")), "sd", LoadOptions())
    made = method(family, Preset())
    (group,) = made.groups()
    assert group.parameters and all(name.endswith("bias") for name in group.parameters)
    (file,) = made.export(tmp_path / "trained", {})
    assert sum(len(tensors) for _, tensors in family.components_in(file)) == len(group.parameters)
