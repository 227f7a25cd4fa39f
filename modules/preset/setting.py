"""How a setting describes itself. Every face of a preset (form, flags, schema, manual) reads this."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from modules.errors import BadValue
from modules.sentences.printable import CONTROL_CHARACTERS

Level = Literal["basic", "expert"]
Scope = Literal["recipe", "machine"]
PATH_WIDGETS = ("file", "folder", "save", "model", "images")  # of settings that name a file or a folder
SINGLE_LINE = {
    "title",
    "name",
    "path",
    "source",
    "vae",
    "workspace",
    "cache",
    "token",
}  # settings that are shown in lines


class Section(BaseModel):
    """A group of settings. Frozen: a preset that training has received cannot change under it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=False,
        protected_namespaces=(),
        defer_build=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """The text under a setting is its help. pydantic would search longer: a fifth of the time of all imports."""
        super().__pydantic_init_subclass__(**kwargs)
        for name, about in cls.model_fields.items():
            if about.description is None:
                about.description = _texts_of(cls.__module__).get(cls.__qualname__, {}).get(name)

    @classmethod
    def settings_fields(cls) -> dict[str, FieldInfo]:
        """Every setting and section by its name, in the order in which forms and files have them."""
        return cls.model_fields

    @field_validator("*", mode="after")
    @classmethod
    def _refuse_control_characters(cls, value: Any, about: ValidationInfo) -> Any:
        """Refuse text that would forge a line of a log, or a name that reads otherwise than it is."""
        if isinstance(value, str):
            forging = CONTROL_CHARACTERS.search(value.replace("\r\n", "\n"))
            broken = value.find("\n") if about.field_name in SINGLE_LINE else -1
            if forging or broken >= 0:
                found = forging[0] if forging else "\n"
                raise BadValue("value.control-character", character=f"U+{ord(found):04X}")
        return value


class OneOf:
    """Text that is a key of a table. The table may grow: it is asked each time."""

    def __init__(self, table: Mapping[str, object]) -> None:
        self.table = table

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.table)}

    def _checked(self, value: str) -> str:
        if value not in self.table:
            raise PydanticKnownError("literal_error", {"expected": " or ".join(self.table)})
        return value


class When(NamedTuple):
    """Show a setting only while the setting at `path` holds one of `values`."""

    path: str
    values: tuple[Any, ...]


def Setting(  # noqa: PLR0913  capitalized: it reads as a declaration, like pydantic's Field
    default: Any,
    label: str,
    *,
    unit: str = "",
    level: Level = "basic",
    scope: Scope = "recipe",
    widget: str = "",
    zero: str = "",
    when: When | None = None,
    live: bool = False,
    flag: str = "",
    labels: Mapping[str, str] | None = None,
    aliases: str = "",
    **limits: Any,
) -> Any:
    """Declare one setting; its help text is the docstring below it.

    `machine` scope marks what belongs to this computer (paths, devices) and does not travel with a preset.
    `zero` says in two or three words what 0 stands for ("as above"): forms show them in place of the figure.
    `live` marks the few settings that may change while a run is under way.
    `flag` is what the command line calls a tool's setting where its own name does not suit: "lora" for `loras`.
    `labels` say what the window calls the choices of a tool's setting.
    `aliases` is what kohya, OneTrainer, diffusers and others call it, with commas between: the search finds it so.
    """
    about = {
        "unit": unit, "level": level, "scope": scope, "widget": widget, "zero": zero, "when": when, "live": live,
        "flag": flag, "labels": labels, "aliases": _names(aliases),
    }  # fmt: skip
    extra: dict[str, Any] = {name: value for name, value in about.items() if value}
    return Field(default, title=label, json_schema_extra=extra, **limits)


def ChoiceOfKind(label: str, aliases: str) -> Any:
    """Declare a setting that is one of several sections, picked by their `kind`; for the type's annotation."""
    extra: dict[str, Any] = {"aliases": _names(aliases)}
    return Field(discriminator="kind", title=label, json_schema_extra=extra)


def _names(aliases: str) -> list[str]:
    return [name.strip() for name in aliases.split(",") if name.strip()]


@cache
def _texts_of(module: str) -> dict[str, dict[str, str]]:
    """By class and setting, the text that stands under it in the source of a module."""
    source = inspect.getsource(sys.modules[module])
    found: dict[str, dict[str, str]] = {}

    def read(node: ast.AST, above: str) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.ClassDef):
                found[f"{above}{inner.name}"] = _texts_in(inner)
                read(inner, f"{above}{inner.name}.")
            elif isinstance(inner, ast.FunctionDef):
                read(inner, f"{above}{inner.name}.<locals>.")

    read(ast.parse(source), "")
    return found


def _texts_in(node: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for line, below in pairwise(node.body):
        match line, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
            case _:
                pass
    return found
