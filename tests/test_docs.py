"""What the documents name exists: paths, links, commands, settings; and their presets and messages can be read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.cli import parser
from modules import wire
from modules.preset.files import store
from modules.preset.preset import Preset
from modules.preset.validate import all_settings, examine
from modules.system.bundled import ROOT, SCHEME, is_bundled, resolve
from tools import floors

FOLDERS = ("resources", "tools")
DOCS = sorted([*ROOT.glob("*.md"), *(doc for folder in FOLDERS for doc in (ROOT / folder).rglob("*.md"))])
TOP = ("app", "modules", "presets", "resources", "tests", "tools")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
OF_OTHERS = {"glossary.md", "compared.md"}  # name files of other programs, too
SCRIPT, PYTHON = "./start-ui.sh", ".venv/bin/python -m "
EXAMPLES = {
    "modules/tools/count_images.py",
    "modules/methods/biases.py",
    "app/gui/pages/notes.py",
}  # of CONTRIBUTING.md


def ids(doc: Path) -> str:
    return str(doc.relative_to(ROOT))


def text_of(doc: Path) -> str:
    return doc.read_text(encoding="utf-8")


def code_in(doc: Path) -> list[str]:
    """What stands between backticks, and the lines of code."""
    text = text_of(doc).replace("\\\n", "")
    lines = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    lines += [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return [*INLINE.findall(FENCE.sub("", text)), *lines]


@cache
def file_names() -> set[str]:
    return {path.name for top in TOP for path in (ROOT / top).rglob("*")}


def anchors(doc: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text_of(doc), re.MULTILINE)
    named = set(re.findall(r'<a (?:id|name)="([^"]+)"', text_of(doc)))
    return named | {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("doc", DOCS, ids=ids)
def test_links_lead_somewhere(doc: Path) -> None:
    lost: list[str] = []
    for link in LINK.findall(FENCE.sub("", text_of(doc))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (doc.parent / path).resolve() if path else doc
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def paths_in(code: str) -> Iterator[str]:
    if (ROOT / code).exists():  # a name with spaces
        return
    for word in shlex.split(code, comments=False) if code.count('"') % 2 == 0 and "'" not in code else code.split():
        path = word.strip(",;:()").partition("::")[0]
        if path.split("/")[0] in TOP and "/" in path and "://" not in path:
            yield path


@pytest.mark.parametrize("doc", DOCS, ids=ids)
def test_paths_exist(doc: Path) -> None:
    named = {path for code in code_in(doc) for path in paths_in(code)}
    assert [path for path in named - EXAMPLES if not list(ROOT.glob(path.rstrip("/")))] == []
    if doc.name in OF_OTHERS:
        return
    files = {code for code in code_in(doc) if re.fullmatch(r"[\w]+\.(py|mjs|toml|sh|bat)", code)}
    assert sorted(files - file_names() - {path.name for path in ROOT.iterdir()}) == []


def commands_in(doc: Path) -> Iterator[str]:
    for code in code_in(doc):
        for line in code.splitlines():
            at = min((line.find(start) for start in (SCRIPT, PYTHON) if start in line), default=-1)
            if at >= 0:
                yield re.split(r"  +#| > | \| (?=\w)", line[at:].replace("\\|", "|"))[0].strip()


def refusal(command: str) -> str:
    """Why a command cannot be typed so; "" if it can. "[OPTIONS]" stands for none."""
    command = command.removesuffix(" [OPTIONS]")
    if command.startswith(PYTHON):
        module, *rest = shlex.split(command.removeprefix(PYTHON))
        if find_spec(module) is None:
            return f"no module {module}"
        if module != "app":
            return ""
    else:
        rest = shlex.split(command)[1:]
    if not rest:
        return ""
    if rest[0] == "test":
        return " ".join(path for path in rest[1:] if not path.startswith("-") and not (ROOT / path).exists())
    try:
        parser().parse_args(rest)
    except SystemExit as end:
        return "" if not end.code else f"exit code {end.code}"
    return ""


@pytest.mark.parametrize("doc", DOCS, ids=ids)
def test_commands_can_be_typed_so(doc: Path) -> None:
    assert {command: why for command in commands_in(doc) if (why := refusal(command))} == {}


@pytest.mark.parametrize("doc", DOCS, ids=ids)
def test_json_is_a_preset_a_message_or_a_language(doc: Path) -> None:
    for kind, block in FENCE.findall(text_of(doc)):
        if kind != "json":
            continue
        if '"version"' in block:
            loaded = store.load_text(block, doc.name, ROOT)
            assert loaded.problems == () and examine(loaded.values)[1] == {} and f'"version": {Preset.VERSION}' in block
        elif '"kind"' in block:
            for line in filter(None, block.splitlines()):
                wire.decode(line)
        else:
            assert "sentences" in json.loads(block), "no preset, no message and no language"


@pytest.mark.parametrize("doc", DOCS, ids=ids)
def test_settings_exist(doc: Path) -> None:
    sections = set(Preset.model_fields)
    named = {
        code.partition("=")[0].strip().replace(".N.", ".0.").replace("_N.", "_1.")
        for code in code_in(doc)
        if re.fullmatch(r"[a-z_]+\.[a-z0-9_.N]+(=.*)?", code)
    }
    known = {setting.path for setting in all_settings()}
    whole = {".".join(path.split(".")[:depth]) for path in known for depth in (1, 2, 3)}
    lost = [path for path in named if path.partition(".")[0] in sections and path not in known | whole | file_names()]
    assert lost == []


@pytest.mark.parametrize("doc", DOCS, ids=ids)
def test_bundled_things_are_bundled(doc: Path) -> None:
    for code in code_in(doc):
        if is_bundled(code) and code != SCHEME:
            assert resolve(code).exists()


def test_the_drawing_of_the_floors_is_that_of_the_contract() -> None:
    page = floors.PAGE.read_text(encoding="utf-8")
    assert page == floors.page(page), "run: .venv/bin/python -m tools.floors --write"
