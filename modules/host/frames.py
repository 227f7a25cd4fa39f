"""What host and window say to each other beside the messages of `modules/wire`: lines of JSON with a key "host"."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json

PROTOCOL = 2  # goes up when a frame means something else; what the messages hold is compared by itself
_START = b'{"host"'


def frame(host: str, **values: Any) -> bytes:
    return json.dumps({"host": host, **values}, ensure_ascii=False).encode()


def frame_in(data: bytes) -> dict[str, Any] | None:
    """What a frame holds; None for a message.

    Raises:
        ValueError: it is damaged.
    """
    return from_json(data) if data.startswith(_START) else None
