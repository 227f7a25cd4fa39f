"""How a model was merged, in its metadata: what a tool needs to do it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar, cast

from modules.errors import UserError
from modules.preset.files.lora_strength import file_and_strength, with_strength
from modules.preset.paths import Values
from modules.preset.setting import Section
from modules.preset.validate import examine_section
from modules.system.reading import read_json
from modules.system.weights import open_weights
from modules.tools.run_steps import STEP

RECIPE = "seachange.recipe"  # in the metadata of what was merged
OF_THE_CALL = ("models", "base", "loras")  # taken from the call where it names any
NOT_KEPT = {"out", "recipe", "overwrite"}
S = TypeVar("S", bound=Section)


def recipe_of(settings: Section) -> str:
    """The settings as text; of files only their names, which say nothing of this machine."""
    values = settings.model_dump(mode="json", exclude=NOT_KEPT, exclude_defaults=True)
    return json.dumps(_with_sources(values, _name), ensure_ascii=False)


def with_recipe(settings: S) -> S:
    """The settings of a recipe, if one is given, with the models and the result of these.

    Models that are not given are looked for beside the file with the recipe.

    Raises:
        UserError: the file holds none, or names what is not found.
    """
    named: dict[str, Any] = settings.model_dump(mode="json")
    if not named.get("recipe"):
        return settings
    file = Path(named["recipe"]).expanduser()
    try:
        recipe: Values = dict(json.loads(_metadata(file)[RECIPE]))
        values = _with_sources(recipe, lambda source: _beside(file.parent, source))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError("merge.no-recipe", "recipe", file=file.name) from error
    values |= {name: named[name] for name in OF_THE_CALL if named[name]}
    found, wrong = examine_section(type(settings), {**values, "out": named["out"], "overwrite": named["overwrite"]})
    if found is None or wrong:
        raise UserError("merge.no-recipe", "recipe", file=file.name)
    sources = [*values.get("models", ()), *filter(None, [values.get("base")])]
    beside = [source for source in sources if Path(source).parent == file.parent]
    if missing := [Path(source).name for source in beside if not Path(_split(source)[0]).exists()]:
        names = [Path(source).name for source in sources]
        raise UserError("merge.recipe-models", "models", names=names, missing=missing, count=len(missing))
    return found


def _with_sources(values: Values, change: Any) -> Values:
    """The values with each name of a model or LoRA changed."""
    found = dict(values)
    if "models" in values:
        found["models"] = [change(str(source)) for source in cast("list[str]", values["models"])]
    if values.get("base"):
        found["base"] = change(str(values["base"]))
    if "loras" in values:
        loras = [file_and_strength(str(lora)) for lora in cast("list[str]", values["loras"])]
        found["loras"] = [with_strength(change(file), strength) for file, strength in loras]
    return found


def _name(source: str) -> str:
    place, step = _split(source)
    path = Path(place).expanduser()
    return f"{path.name}{step}" if path.exists() else source


def _beside(folder: Path, source: str) -> str:
    place, step = _split(source)
    is_name = Path(place).name == place and ":" not in place  # else a hub's name, or one of what came with us
    return f"{folder / place}{step}" if is_name else source


def _split(source: str) -> tuple[str, str]:
    match = STEP.fullmatch(source)
    return (match[1], f":{match[2]}") if match else (source, "")


def _metadata(path: Path) -> Any:
    return read_json(path / "metadata.json") if path.is_dir() else open_weights(path).metadata
