"""Text of strangers, made safe to show."""

from __future__ import annotations

import re

# Control characters but tab and line feed, what turns the direction of text round, the other ends of a line, and halves
# of characters: in the name of a file or a preset they could forge a line of a log, or hide what a name ends with.
# Marks that right-to-left scripts and emoji need (U+200C to U+200F) do no such thing, and stay.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object, *, line: bool = False) -> str:
    """What a stranger wrote, safe to show: control characters as "\\x1b" or "\\u202e". `line`: its line feeds too."""
    shown = CONTROL_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), str(text))
    return shown.replace("\n", "\\n").replace("\t", "\\t") if line else shown
