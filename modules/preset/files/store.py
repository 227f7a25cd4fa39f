"""Presets and projects as files: what differs from the defaults, as JSON that people can read and share.

A preset is a recipe: no path of this machine, no device. A project ("kind": "project") also holds the machine settings
and the concepts; relative paths in it start at the folder of its file, so that a project's folder can be moved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from modules.errors import Problems
from modules.preset.files.jsonfile import parse_object, read_object
from modules.preset.files.migrate import migrate
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.setting import PATH_WIDGETS, Section
from modules.preset.validate import UNIONS, all_settings, examine, setting_paths, shown_json
from modules.sentences.problem import Problem, problem
from modules.system.bundled import is_bundled
from modules.system.files import write_text

MODELS = ("model.source", "model.vae", *(f"model.text_encoder_{number}" for number in range(1, 4)))
WEIGHTS = (".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class Loaded:
    """A file as it was read: not judged yet, so that the command line can lay its own values over it."""

    values: Values
    problems: tuple[Problem, ...]  # what this kind of file may not hold; it is left out of `values`


def read(path: Path) -> Preset:
    """The preset or project in a file.

    Raises:
        UserError: the file cannot be read.
        Problems: with everything that is wrong in it.
    """
    loaded = load(path)
    preset, found = examine(loaded.values)
    if problems := [*loaded.problems, *found.values()]:
        raise Problems(problem("preset-file.wrong", file=str(path)), problems)
    return preset


def values_of(path: Path) -> Values:
    """The values in a file, in today's words, not yet held against the schema.

    Raises:
        UserError: the file cannot be read, or holds what a preset may not.
    """
    loaded = load(path)
    if loaded.problems:
        raise Problems(problem("preset-file.wrong", file=str(path)), loaded.problems)
    return loaded.values


def load(path: Path) -> Loaded:
    """Read and migrate a file.

    Raises:
        UserError: the file is not there, is no JSON, or is of a newer version.
    """
    return _loaded(read_object(path), path.absolute().parent)


def load_text(text: str, where: str, folder: Path) -> Loaded:
    """As `load`, from a text that `where` names in messages. Relative paths of a project start at `folder`.

    Raises:
        UserError: it is no JSON, or of a newer version.
    """
    return _loaded(parse_object(text, where), folder)


def _loaded(values: Values, folder: Path) -> Loaded:
    kind = values.pop("kind", "preset")
    values = migrate(values)
    if kind == "project":
        make_paths_absolute(values, folder)
        return Loaded(values, ())
    wrong_kind = [] if kind == "preset" else [problem("preset-file.kind", "kind", value=shown_json(kind))]
    private = list(_private_paths(values))
    for name in private:
        _remove(values, name)
    return Loaded(values, (*wrong_kind, *(_private_path_problem(name) for name in private)))


def make_paths_absolute(values: Values, folder: Path) -> None:
    """Make the relative paths of a project absolute. A model's name is a path only if something is there."""
    for name in _settings_of_kind(values, PATH_WIDGETS):
        text = get(values, name)
        if not isinstance(text, str) or not text or is_bundled(text) or text.startswith("~"):
            continue
        if name not in MODELS or (folder / text).exists():
            put(values, name, str(folder / text))


def _settings_of_kind(values: Values, widgets: tuple[str, ...]) -> Iterator[str]:
    for setting in all_settings():
        if setting.widget in widgets:
            yield from _present(values, setting.path)


def _present(values: Values, path: str) -> Iterator[str]:
    """The path, if something is there; of "concepts.0.path" that of every concept."""
    above, _, name = path.partition(".0.")
    if not name:
        section, _, last = path.rpartition(".")
        yield from [path] if isinstance(inside := get(values, section), dict) and last in inside else []
        return
    entries = get(values, above)
    for number, entry in enumerate(cast("list[Any]", entries) if isinstance(entries, list) else []):
        if isinstance(entry, dict) and name in entry:
            yield f"{above}.{number}.{name}"


def _private_paths(values: Values) -> Iterator[str]:
    """What belongs to one machine, among these values. A concept that comes with Seachange is everywhere."""
    for setting in setting_paths("machine"):
        for path in _present(values, setting):
            if not (
                path.startswith(("concepts.", "sampling.", "model.training_adapters."))
                and is_bundled(str(get(values, path)))
            ):
                yield path


def _private_path_problem(path: str) -> Problem:
    return problem("preset-file.private-folder" if path.startswith("concepts.") else "preset-file.private", path)


def _remove(values: Values, path: str) -> None:
    above, _, name = path.rpartition(".")
    get(values, above).pop(name)


# Writing --------------------------------------------------------------------------------------------------------------


def write_preset(preset: Preset, path: Path) -> None:
    """Write the recipe, to be shared: whole or not at all. What belongs to this machine stays behind."""
    write_text(path, _text(shareable_values(preset)))


def write_project(preset: Preset, path: Path) -> None:
    """Write everything, machine settings and concepts included: whole or not at all."""
    write_text(path, project_text(preset))


def project_text(preset: Preset) -> str:
    """What `write_project` writes."""
    return _text({"kind": "project", **non_default_values(preset, Preset())})


def shareable_values(preset: Preset) -> Values:
    """What a preset file holds: no machine setting, and no concept and no model that is a path of this machine."""
    travelling = [concept for concept in preset.concepts if is_bundled(concept.path)]
    values = non_default_values(preset.model_copy(update={"concepts": tuple(travelling)}), Preset())
    for path in [*_private_paths(values), *(name for name in MODELS if not _is_portable(get(values, name) or ""))]:
        _remove(values, path)
    return {name: value for name, value in values.items() if value != {}}


def _is_portable(source: str) -> bool:
    """Whether a model is named in a way that means the same elsewhere: bundled, or a name on the hub."""
    hub_name = re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", source) and not source.lower().endswith(WEIGHTS)
    return not source or is_bundled(source) or bool(hub_name)


def non_default_values(section: Section, default: Section) -> Values:
    """The values that differ from the defaults, as a file holds them."""
    values: Values = {"version": Preset.VERSION} if isinstance(section, Preset) else {}
    for name in type(section).settings_fields():
        value, usual = getattr(section, name), getattr(default, name)
        if value != usual:
            values[name] = _plain(value, usual)
            if name in UNIONS:
                values[name] = {"kind": value.kind, **values[name]}
    return values


def _plain(value: Any, usual: Any) -> Any:
    if isinstance(value, Section):
        return non_default_values(value, usual if type(value) is type(usual) else type(value)())
    if isinstance(value, tuple):
        entries = cast("tuple[Any, ...]", value)
        return [_plain(entry, None) for entry in entries]
    return value


def _text(values: Values) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
