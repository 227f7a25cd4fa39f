"""What ships with Seachange and is named, not pointed at: "starter:model" means the same on every machine."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from modules.errors import UserError
from modules.sentences.problem import problem
from modules.system.reading import is_inside_name

ROOT = Path(__file__).resolve().parents[2]
SCHEME = "starter:"
PLACES = {
    "starter:model": "resources/starter/model",
    "starter:robot": "resources/starter/concepts/robot",
    "starter:blueprint": "resources/starter/concepts/blueprint",
    "starter:prior": "resources/starter/prior",
}


def is_bundled(text: str) -> bool:
    """Whether this is a reference to something bundled (known or not) and no path."""
    return text.startswith(SCHEME)


def in_program_folder(path: str) -> Path:
    """A folder of Seachange's own, such as the workspace: a relative path starts beside this program."""
    return ROOT / Path(path).expanduser()


def resolve(reference: str) -> Path:
    """The place of "starter:robot" or of a file in it, "starter:robot/1.png"; other text as a path, with ~ expanded.

    Bundled things are found beside this program, wherever it was started.

    Raises:
        UserError: nothing bundled has this name.
    """
    if not is_bundled(reference):
        return Path(reference).expanduser()
    name, _, inside = reference.partition("/")
    if (place := PLACES.get(name)) and (not inside or is_inside_name(inside)):
        return ROOT / place / inside
    near = get_close_matches(reference, PLACES, 1)
    hint = problem("bundled.near", near=near[0]) if near else problem("bundled.all", names=list(PLACES))
    raise UserError("bundled.none", name=reference, advice=hint)
