"""Messages as lines of JSON: what the window and the engine send each other, and what a run's events.jsonl keeps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter
from pydantic_core import ErrorDetails, ValidationError, from_json

from modules.messages import Command, Event, Message, Stage

KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (*Event.__args__, *Command.__args__)}
KINDS["Phase"] = Stage  # as earlier releases called it


def encode(message: Message) -> str:
    """One line of JSON, without its newline."""
    kind = type(message)
    values = _adapter(kind).dump_python(message, warnings=False)
    return json.dumps({"kind": kind.__name__, **values}, ensure_ascii=False, allow_nan=True)


def decode(line: str) -> Message:
    """The message that `encode` wrote; also one that an earlier release wrote into a run's events.jsonl.

    Raises:
        ValueError: the line is no message.
    """
    try:
        kind = KINDS[from_json(line)["kind"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"not a message: {line[:200]}") from error
    try:
        return _adapter(kind).validate_json(line)
    except ValidationError as error:
        raise ValueError(_refusal(kind.__name__, error.errors(include_url=False)[0])) from error


def fingerprint() -> str:
    """Two programs of one fingerprint mean the same by every message."""
    kinds = [(name, [(each.name, str(each.type)) for each in fields(kind)]) for name, kind in KINDS.items()]
    return hashlib.sha256(json.dumps(kinds).encode()).hexdigest()[:16]


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Built when a kind is first met: most processes never meet most of them."""
    on_the_wire: Any = Annotated[kind, BeforeValidator(lambda values: {k: v for k, v in values.items() if k != "kind"})]  # pyright: ignore[reportInvalidTypeForm]
    return TypeAdapter(on_the_wire)


def _refusal(kind: str, error: ErrorDetails) -> str:
    """What the first thing wrong with a message is."""
    path = ".".join(map(str, error["loc"]))
    known = {"unexpected_keyword_argument": f"{kind} has no {path[:200]}", "missing": f"{kind} needs {path}"}
    return known.get(error["type"]) or f"{kind}.{path} cannot be {json.dumps(error['input'])[:100]}"
