"""The house rules that no linter knows."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.data.image.augment import EFFECTS
from modules.preset.optimizers import Optimizer
from modules.preset.sections.concept import Concept
from modules.preset.sections.method import Lora
from modules.system.bundled import ROOT
from tests.setting_reads import Reads, of_a_preset, settings_of
from tests.sources import FILES as ALL_FILES
from tests.sources import nodes, parsed, text_of

FILES = [path for path in ALL_FILES if path.stat().st_size]
FORBIDDEN_NAMES = {"utils", "util", "helpers", "misc", "common", "base", "manager"}
BOTTOM = ROOT / "app/gui/kit/base"  # a floor and no drawer: what everything that is drawn stands on
LONGEST_FILE, LONGEST_FUNCTION, USUAL_FUNCTION = 400, 50, 45
MOST_IN_A_FOLDER = 15

# Settings that reach their use without being named there.
READ_THROUGH_A_DUMP = (Optimizer,)  # `keywords` hands all of them to the optimizer's class
READ_BY_NAME = {(Concept, f"{effect}{ending}") for effect in EFFECTS for ending in ("", "_fixed")}  # image/augment.py


def nodes_in(path: Path, *kinds: Any) -> Iterator[Any]:
    return nodes(text_of(path), *kinds)


def functions() -> list[tuple[int, str]]:
    return [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)} {node.name}")
        for path in FILES
        for node in nodes_in(path, ast.FunctionDef, ast.AsyncFunctionDef)
    ]


def test_a_file_says_what_it_is_and_fits_on_a_few_screens() -> None:
    """The first line of a file is its caption on the plan."""
    assert [str(path.relative_to(ROOT)) for path in FILES if not ast.get_docstring(parsed(text_of(path)))] == []
    lines = {path: len(text_of(path).splitlines()) for path in FILES}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}
    names = {path: {path.stem, *path.relative_to(ROOT).parts} & FORBIDDEN_NAMES for path in FILES}
    assert {path for path, found in names.items() if found and BOTTOM not in path.parents} == set()


def test_a_folder_can_be_seen_at_a_glance() -> None:
    found = Counter(str(path.parent.relative_to(ROOT)) for path in FILES if path.stem != "__init__")
    assert {folder: count for folder, count in found.items() if count > MOST_IN_A_FOLDER} == {}


def test_the_folder_of_a_file_tells_it_from_others_of_its_name() -> None:
    """Editors show a file by its name, and where two are open by the folder too: "tags.py - captions"."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        if path.stem != "__init__":
            found[f"{path.parent.name}/{path.name}"].append(str(path.relative_to(ROOT)))
    assert [paths for paths in found.values() if len(paths) > 1] == []


def test_functions_can_be_read_at_a_glance() -> None:
    found = functions()
    assert [name for lines, name in found if lines > LONGEST_FUNCTION] == []
    long = [name for lines, name in found if lines > USUAL_FUNCTION]
    assert len(long) <= 0.05 * len(found), long


def test_every_setting_is_read_by_some_code() -> None:
    reads = Reads(parsed(text_of(path)) for path in FILES)
    unread = [
        f"{section.__name__}.{name}"
        for section in dict.fromkeys(of_a_preset())
        for name in settings_of(section)
        if (section, name) not in reads
        and (section, name) not in READ_BY_NAME
        and not issubclass(section, READ_THROUGH_A_DUMP)
    ]
    assert unread == []


@pytest.mark.parametrize(
    ("code", "is_read"),
    [
        ("def f(preset: Preset): return preset.method.layers", True),
        ("def f(tree): return tree.layers", False),  # something else of that name
        ("layers = 3", False),
        ("def f(run):\n    if isinstance(run, Lora): return run.layers", True),
        ("class A:\n    method: Lora\ndef f(a: A): return a.method.layers", True),
        ("class A:\n    method: Path\ndef f(a: A): return a.method.layers", False),
        ("def made() -> Preset: ...\ndef f():\n    recipe = made()\n    return recipe.method.layers", True),
    ],
)
def test_a_setting_is_read_where_its_section_is_asked_for_it(code: str, is_read: bool) -> None:
    assert ((Lora, "layers") in Reads([ast.parse(code)])) == is_read


def test_no_file_of_the_program_reads_the_clock_to_draw_lots() -> None:
    """Randomness is addressed (modules/system/seeds.py): Python's own generators would make a resumed run another."""
    imports = [
        str(path.relative_to(ROOT))
        for path in FILES
        for node in nodes_in(path, ast.Import, ast.ImportFrom)
        if "random" in ([node.module] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names])
    ]
    assert imports == []


STARTS_A_PYTHON = {
    "modules/system/runtime.py": "makes the command line, with -P",
    "tests/faults/child.py": "becomes one, with that command line",
    "tests/remote/other_machine.py": "stands in for the Python of another machine; whoever starts it says -P",
    "tests/test_start_script.py": "stands in for the Python that the script finds",
}


def test_no_python_that_is_started_imports_from_the_folder_where_the_user_stands() -> None:
    """Each is started with python_command: a queue.py that came with a data set would run in it."""
    named = [
        path.relative_to(ROOT).as_posix()
        for path in [*FILES, *(ROOT / "tests").rglob("*.py")]
        if "executable" in text_of(path)
        and any(ast.unparse(node) == "sys.executable" for node in nodes_in(path, ast.Attribute))
    ]
    assert sorted(named) == sorted(STARTS_A_PYTHON)


# Python's own expressions can run for years. Those that are put together hold words of strangers only escaped; what
# strangers write as an expression is matched by modules/preset/text/patterns.py, and by nobody else.
PUT_TOGETHER = {
    "app/gui/form/layer_tree.py": "of the catalog", "modules/catalog/card.py": "of the catalog",
    "modules/catalog/contents.py": "of constants",
    "modules/system/headers/parts.py": "of the catalog, and of constants",
    "modules/check/trained/layer_lists.py": "of the catalog",
    "modules/families/parts/dit/dit_files.py": "of the catalog",
    "app/gui/kit/base/root.py": "of constants", "modules/check/run/paths.py": "of constants",
    "modules/formats/adapter_files.py": "of constants", "modules/formats/checkpoint.py": "of constants",
    "modules/formats/layout.py": "escaped",
    "modules/preset/text/curve_points.py": "of constants", "modules/preset/text/filters.py": "of constants",
    "modules/system/disks.py": "of constants",
    "modules/system/files.py": "of constants", "modules/trainer/backup.py": "of constants",
    "modules/exchange/imported.py": "of constants", "modules/exchange/onetrainer/history.py": "of constants",
    "app/gui/run_control.py": "escaped", "modules/check/captions/token_limits.py": "escaped",
    "modules/captioning/text_checks.py": "escaped",
    "modules/data/source/pairing.py": "escaped", "modules/data/text/captions.py": "escaped",
    "modules/data/text/tokenizer.py": "escaped",
    "modules/data/text/word_changes.py": "escaped", "modules/run_folders.py": "escaped",
}  # fmt: skip
MATCHING = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}


def test_an_expression_of_a_stranger_never_reaches_pythons_matcher() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        for call in nodes_in(path, ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in MATCHING
        and ast.unparse(call.func.value) == "re"
        and not isinstance(call.args[0], ast.Constant)
    }
    assert found - PUT_TOGETHER.keys() == set()


# Who opens a file without asking first whether it is one of a sane size (modules/system/reading.py).
OPENS_ITSELF = {
    "modules/system/reading.py": "is the one who asks", "modules/system/files.py": "asks whether it is a file",
    **dict.fromkeys(
        ("modules/system/weights/files.py", "modules/system/weights/gguf_file.py"),
        "opened after `open_weights` has asked; of headers they know the size",
    ),
    "modules/data/source/folders.py": "asks whether it is a file",
    "modules/preset/files/jsonfile.py": "asks, in the words of presets",
    "modules/language.py": "the user's own; the lowest floor",
    "modules/families/parts/unet/single_file_saving.py": "comes with Seachange",
    "app/gui/kit/base/icons.py": "come with it",
    "modules/data/cache/shards.py": "our own cache", "modules/data/cache/store.py": "our own cache",
    "app/gui/kit/images/loader.py": "our own thumbnails", "modules/trainer/run_folder/records.py": "made just now",
    "modules/trainer/backup.py": "its checksum was compared",
    "modules/preparing/writing.py": "what a source opened",
    "modules/data/source/source.py": "what a source opened", "modules/data/source/file_info.py": "what a source opened",
    **dict.fromkeys(("app/gui/session/run_history.py", "modules/grids/pictures.py"), "what reading.py opened"),
}  # fmt: skip


def test_whatever_is_read_is_first_asked_whether_it_is_a_file() -> None:
    found = {
        path.relative_to(ROOT).as_posix() for path in FILES for call in nodes_in(path, ast.Call) if _reads_a_file(call)
    }
    assert found - OPENS_ITSELF.keys() == set()


def _reads_a_file(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return isinstance(call.func, ast.Name) and call.func.id == "open"
    if call.func.attr not in {"open", "load", "ZipFile", "read_text", "read_bytes"}:
        return False
    called, mode = ast.unparse(call.func), call.args[0] if call.args else None
    for_reading = isinstance(mode, ast.Constant) and str(mode.value).startswith("r")
    return (
        called in {"Image.open", "json.load", "torch.load", "zipfile.ZipFile"}
        or (call.func.attr in {"read_text", "read_bytes"} and called.partition(".")[0] != "reading")
        or (call.func.attr == "open" and for_reading)
    )


def test_families_and_methods_never_meet_in_a_name() -> None:
    families = {path.stem for path in (ROOT / "modules/families").glob("*.py")} - {"__init__", "family"}
    methods = {"lora", "dora", "adapter", "inversion", "embedding", "finetune"}
    both = [
        f"{path.relative_to(ROOT)} {node.name}"
        for path in FILES
        for node in nodes_in(path, ast.ClassDef)
        if any(node.name.lower().startswith(family) for family in families)
        and any(method in node.name.lower() for method in methods)
    ]
    assert both == []


# Who has to do with the images and captions of a data set. Only a source opens them: they may lie in no file at all.
DATA_ROOMS = (
    "modules/data/*.py", "modules/data/image/*.py", "modules/data/text/*.py", "modules/data/cache/fill.py",
    "modules/data/cache/masks.py", "modules/data/source/*.py", "modules/data/scan/*.py", "modules/check/images/*.py",
    "modules/check/captions/*.py", "app/gui/concepts/*.py", "app/gui/captions/*.py",
)  # fmt: skip
MAY_OPEN = {
    "modules/data/source/source.py": "asks the source, and gives Pillow what that opened",
    "modules/data/source/file_info.py": "gives Pillow what a source opened",
    "modules/data/source/folders.py": "is the source of files in folders",
    "modules/data/source/packed.py": "asks whether an archive changed",
    "modules/data/source/tar_file.py": "reads archives",
    "modules/data/source/table_file.py": "reads lists",
    "modules/data/source/caption_table.py": "reads a list",
    "modules/data/source/parquet_images.py": "reads Parquet files",
    "modules/data/source/tars.py": "asks which kind a path is of",
    "modules/data/source/lists.py": "asks which kind a path is of",
    "modules/data/scan/stamped_table.py": "writes what a scan has read",
    "modules/data/text/tokenizer.py": "reads the files of a model",
}


def test_nothing_above_a_source_opens_an_image_or_a_caption_by_its_path() -> None:
    opened = [
        f"{path.relative_to(ROOT)}:{call.lineno} {ast.unparse(call)[:60]}"
        for pattern in DATA_ROOMS
        for path in sorted(ROOT.glob(pattern))
        if path.relative_to(ROOT).as_posix() not in MAY_OPEN
        for call in nodes_in(path, ast.Call)
        if _opens_a_path(call)
    ]
    assert opened == []


def _opens_a_path(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in {"open", "sha256_of"}
    if not isinstance(call.func, ast.Attribute):
        return False
    with_mode = bool(call.args) and isinstance(call.args[0], ast.Constant)
    return call.func.attr in {"read_bytes", "read_text", "stat"} or (
        call.func.attr == "open" and (with_mode or ast.unparse(call.func.value) in {"Image", "os", "io"})
    )
