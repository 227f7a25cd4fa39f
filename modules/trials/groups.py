"""Sets of tried values, as the queue knows them: by an id that holds their name."""

from __future__ import annotations

import uuid

MARK = " #"  # between the name of a set and what tells it from others of that name


def new_group(name: str) -> str:
    """The id of a set that is called so."""
    return f"{name}{MARK}{uuid.uuid4().hex[:8]}"


def group_name(group: str) -> str:
    """What the set of this id is called."""
    return group.rpartition(MARK)[0] or group
