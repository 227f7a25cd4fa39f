"""The one walk over the schema. The form, the flags, the manual and the migrations are loops over `settings_of()`."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from modules.language import translated
from modules.preset.setting import OneOf, Section, When
from modules.sentences.problem import Problem
from modules.sentences.render import Renderer


@dataclass(frozen=True)
class SettingInfo:
    """One setting, as its readers see it."""

    path: str  # "training.batch_size"
    section: str  # the card it stands in: "Run length"
    label: str
    help: str
    kind: Any  # the annotated type
    default: Any
    unit: str = ""
    level: str = "basic"
    scope: str = "recipe"
    widget: str = ""
    zero: str = ""  # what 0 stands for: "as above"
    when: When | None = None
    live: bool = False
    aliases: tuple[str, ...] = ()  # what other programs call it
    bounds: Mapping[str, float] = dataclass_field(default_factory=dict[str, float])  # {"ge": 1, "le": 10}
    required: bool = False  # has no default; only tools have such settings
    flag: str = ""  # what the command line calls a tool's setting, where that is not its name
    labels: Mapping[str, str] | None = None  # what the window calls the choices of a tool's setting
    table: OneOf | None = None  # whose keys are the choices
    entry: type[Section] | None = None  # a list of these sections: its own settings are settings_of(entry)

    @property
    def choices(self) -> tuple[Any, ...]:
        if self.table is not None:
            return tuple(self.table.table)
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def limits(self) -> str:
        """The bounds in words: "at least 1, at most 10"; "" where there are none."""
        return Renderer(translate=translated).what(limits_problem(self.bounds)) if self.bounds else ""


def limits_problem(bounds: Mapping[str, float]) -> Problem:
    """Bounds as a part of a sentence."""
    return Problem(f"limits.{'-'.join(bounds)}", values=dict(bounds))


def settings_of(section: type[Section], prefix: str = "", when: When | None = None) -> Iterator[SettingInfo]:
    """Yield every setting below `section`, depth first, in the order in which it is declared.

    A setting of one member of a union (LoRA's rank, say) is shown only while that member is chosen:
    the type says so, nobody has to write it down.
    """
    for name, field in section.settings_fields().items():
        path = f"{prefix}{name}"
        members = sections_in(field.annotation)
        if entry := _entry_section(field.annotation):
            yield _setting_info(section, field, path, when, entry)
        elif len(members) > 1:
            kinds = tuple(kind_of(member) for member in members)
            label, text = field.title or name.title(), " ".join((field.description or "").split())
            about = cast("dict[str, Any]", field.json_schema_extra or {})
            aliases = tuple(about.get("aliases", ()))
            yield SettingInfo(
                f"{path}.kind", label, label, text, Literal[kinds], field.default.kind, when=when, aliases=aliases
            )
            yield from _member_settings(members, path)
        elif members:
            yield from settings_of(members[0], f"{path}.", when)
        elif field.title:
            yield _setting_info(section, field, path, when)


def _member_settings(members: list[type[Section]], path: str) -> Iterator[SettingInfo]:
    """The settings of the members of a union. One that asks for another setting, and not for a member, comes once."""
    seen = set[tuple[str, When]]()
    for member in members:
        mine = When(f"{path}.kind", (kind_of(member),))
        for setting in settings_of(member, f"{path}.", mine):
            shared = (setting.path, setting.when or mine)
            if setting.when == mine or shared not in seen:
                yield setting
            seen.add(shared)


def _setting_info(
    section: type[Section], field: FieldInfo, path: str, when: When | None, entry: type[Section] | None = None
) -> SettingInfo:
    about: dict[str, Any] = {"when": when, **cast("dict[str, Any]", field.json_schema_extra or {})}
    about["aliases"] = tuple(about.get("aliases", ()))
    title = (section.__doc__ or "").strip().partition("\n")[0]
    help_text = " ".join((field.description or "").split())
    default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
    return SettingInfo(
        path,
        title,
        field.title or "",
        help_text,
        field.annotation,
        default,
        bounds=_bounds(field),
        required=field.is_required(),
        table=next((limit for limit in field.metadata if isinstance(limit, OneOf)), None),
        entry=entry,
        **about,
    )


def _bounds(info: FieldInfo) -> dict[str, float]:
    """Bounds by their names in pydantic, the lower one first."""
    return {
        bound.__name__.lower(): getattr(limit, bound.__name__.lower())
        for bound in (Ge, Gt, Le, Lt)
        for limit in info.metadata
        if isinstance(limit, bound)
    }


def _entry_section(annotation: Any) -> type[Section] | None:
    if get_origin(annotation) is not tuple:
        return None
    first = get_args(annotation)[0]
    return first if isinstance(first, type) and issubclass(first, Section) else None


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections that a field's type names: one, the members of a union, or none."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    union = get_origin(annotation) in (Union, types.UnionType)
    return [
        a for a in (get_args(annotation) if union else [annotation]) if isinstance(a, type) and issubclass(a, Section)
    ]


def kind_of(member: type[Section]) -> str:
    """The word by which a preset picks this member of a union."""
    return member.model_fields["kind"].default
