"""What can be done to many captions at once, as functions of the lines of one. Nothing here touches a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from app.gui.captions.files import tags_of
from modules.data.text.captions import has_trigger
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.text.patterns import Pattern, PatternError

Lines = list[str]


class Edit(NamedTuple):
    """A change of the lines of a caption, and what it is called when it has been done, and when it is undone."""

    title: str
    change: Callable[[Lines], Lines]


def add_tag(tag: str) -> Edit:
    """Add a tag to every line that lacks it.

    Raises:
        UserError: it is empty or holds a comma.
    """
    tag = checked(tag)

    def add(lines: Lines) -> Lines:
        return [line if tag in tags_of(line) else f"{line}, {tag}" for line in lines] or [tag]

    return Edit(tr("“{tag}” added", tag=tag), add)


def add_trigger(trigger: str) -> Edit:
    """Put a trigger word before every line that does not contain it."""

    def add(lines: Lines) -> Lines:
        return [line if has_trigger(line, trigger) else f"{trigger}, {line}" for line in lines] or [trigger]

    return Edit(tr("“{tag}” added", tag=trigger), add)


def remove_tags(tags: Iterable[str]) -> Edit:
    """Take tags out of every line.

    Raises:
        UserError: there are none.
    """
    gone = set(_some(tags))
    return Edit(
        tr("“{tag}” removed", tag=next(iter(gone)))
        if len(gone) == 1
        else tr("{count:,} tags removed", count=len(gone)),
        lambda lines: [line for line in (_mapped(line, dict.fromkeys(gone, "")) for line in lines) if line],
    )


def rename_tags(tags: Iterable[str], new: str) -> Edit:
    """Write these tags in one way; a line that then says it twice says it once, where it stood first.

    Raises:
        UserError: there are none, or the new one is empty or holds a comma.
    """
    new, old = checked(new), [tag for tag in _some(tags) if tag != new.strip()]
    title = plural(len(old), "“{tag}” renamed", "{count:,} tags merged into “{new}”", tag=(old or [new])[0], new=new)
    return Edit(title, lambda lines: [_mapped(line, dict.fromkeys(old, new)) for line in lines])


def sort_tags(counts: Mapping[str, int] | None, *, keep_first: bool) -> Edit:
    """Put the tags of every line in order: by these counts, the highest first, or else from A to Z."""

    def key(tag: str) -> tuple[int, str]:
        return (-counts.get(tag, 0) if counts is not None else 0, tag.casefold())

    def change(lines: Lines) -> Lines:
        return [_in_order(tags_of(line), key, int(keep_first)) if "," in line else line for line in lines]

    return Edit(tr("Tags sorted"), change)


def replace(find: str, new: str, *, regex: bool, match_case: bool) -> Edit:
    """Replace in every line. With `regex`, groups of the pattern are \\1, \\2 in `new`.

    Raises:
        UserError: there is nothing to find, or the pattern or what replaces it is wrong.
    """
    pattern, new = compiled(find, regex=regex, match_case=match_case), new if regex else new.replace("\\", r"\\")

    def change(lines: Lines) -> Lines:
        try:
            return [pattern.replaced(new, line) for line in lines]
        except IndexError as error:
            raise UserError("find.replacement", new=new, reason=str(error)) from error

    return Edit(tr("“{find}” replaced", find=find), change)


def toggled(text: str, tag: str) -> str:
    """A caption's text with a tag that its lines lack, or without one that a line has."""
    lines = text.split("\n")
    if any(tag in tags_of(line) for line in lines):
        return "\n".join(_mapped(line, {tag: ""}) for line in lines)
    return "\n".join(", ".join(filter(None, (line.rstrip(" ,"), tag))) if line or not text else line for line in lines)


def compiled(find: str, *, regex: bool, match_case: bool) -> Pattern:
    """The pattern that is looked for.

    Raises:
        UserError: nothing to find, or the pattern is wrong.
    """
    if not find:
        raise UserError("find.nothing")
    try:
        return Pattern(find if regex else re.escape(find), ignore_case=not match_case)
    except PatternError as error:
        raise UserError(error.problem(find)) from error


def checked(tag: str) -> str:
    """A tag that can be written.

    Raises:
        UserError: it cannot.
    """
    tag = tag.strip()
    if not tag:
        raise UserError("tag.empty")
    if "," in tag or "\n" in tag:
        raise UserError("tag.not-one")
    return tag


def _some(tags: Iterable[str]) -> list[str]:
    found = [*tags]
    if not found:
        raise UserError("tag.none-chosen")
    return found


def _mapped(line: str, renamed: Mapping[str, str]) -> str:
    """A line with other names of tags, "" for none; a line without these tags as it is, letter by letter."""
    tags = tags_of(line)
    if not any(tag in renamed for tag in tags):
        return line
    new = set(renamed.values())
    kept: dict[str, None] = {}
    for place, tag in enumerate(tags):
        name = renamed.get(tag, tag)
        if name:
            kept[name if name in new else f"{name}\n{place}"] = None  # what was there twice already stays so
    return ", ".join(name.partition("\n")[0] for name in kept)


def _in_order(tags: Lines, key: Callable[[str], tuple[int, str]], first: int) -> str:
    return ", ".join([*tags[:first], *sorted(tags[first:], key=key)])
