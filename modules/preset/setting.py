"""How a setting describes itself. Every face of a preset (form, flags, schema, manual) reads this."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["basic", "expert"]
Scope = Literal["recipe", "machine"]


class Section(BaseModel):
    """A group of settings. Frozen: a preset that training has received cannot change under it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        validate_default=False,
        protected_namespaces=(),
    )


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
    **limits: Any,
) -> Any:
    """Declare one setting; its help text is the docstring below it.

    `machine` scope marks what belongs to this computer (paths, devices) and does not travel with a preset.
    `zero` says in two or three words what 0 stands for ("as above"): forms show them in place of the figure.
    `live` marks the few settings that may change while a run is under way.
    """
    about = {
        "unit": unit, "level": level, "scope": scope, "widget": widget, "zero": zero, "when": when, "live": live
    }  # fmt: skip
    extra: dict[str, Any] = {name: value for name, value in about.items() if value}
    return Field(default, title=label, json_schema_extra=extra, **limits)
