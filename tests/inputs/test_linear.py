"""What strangers write is read in a time that grows with its length, and not with the square of it."""

from collections.abc import Callable
from contextlib import suppress
from time import process_time
from typing import Any

import pytest

from modules.check.captions.findings import WILDCARD
from modules.data.source.file_info import json_caption
from modules.data.text.captions import has_trigger
from modules.data.text.prompt_weights import parse_prompt_weights
from modules.data.text.tags import split_tags
from modules.data.text.tokenizer import PromptTokenizer, Tokenizer
from modules.data.text.wildcards import _parsed
from modules.data.text.word_changes import CASE_STYLES, with_replacements
from modules.errors import UserError
from modules.preset.files.jsonfile import parse_object
from modules.preset.files.prompt_file import _parsed_line
from modules.preset.sections.concept import Concept
from modules.preset.text.caption_sources import parse as parse_caption_sources
from modules.preset.text.curve_points import parse_points
from modules.preset.text.interval import Interval, WarmUp
from modules.preset.text.layer_names import LayerPattern, expressions
from modules.preset.text.lora_tags import split_tags as split_lora_tags
from modules.preset.text.resolutions import parse as parse_resolutions
from modules.preset.text.share import Share
from modules.sentences.printable import printable
from modules.system.bundled import resolve

SHORT, LONG = 3_000, 24_000  # letters; what grows with the square takes 64 times as long, and not 8 times
READERS: dict[str, Callable[[str], Any]] = {
    "prompt weights": parse_prompt_weights,
    "LoRA tags": split_lora_tags,
    "wildcards": _parsed,
    "wildcards of the check": WILDCARD.search,
    "tags": lambda text: split_tags(text, ","),
    "replacements": lambda text: with_replacements(text, Concept(replacements="a b => c", underscores=True)),
    "capitals": CASE_STYLES["title"],
    "trigger": lambda text: has_trigger(text, "aaa"),
    "JSON caption": lambda text: json_caption(text, ""),
    "JSON": lambda text: parse_object(text, "x"),
    "prompt line": _parsed_line,
    "interval": Interval.parse,
    "warm-up": WarmUp.parse,
    "share": Share.parse,
    "points": parse_points,
    "resolutions": parse_resolutions,
    "caption files": parse_caption_sources,
    "layers": lambda text: expressions(text, {}),
    "a layer": LayerPattern,
    "a layer that is not": lambda text: LayerPattern(f"^(?!{text}"),
    "printable": printable,
}
PIECES = [
    "(", "(a", "[", "[(", "((a:1.1)", "{", "{a|", "{{", "|", "a,", "(a,", "\\(", "\\", ":", ":1", " ", "\n", "\t ,",
    "1", "1.", "a", "a'", "_", "<", "<lora:", "<lora:a:1", "BREAK ", " BREAK", "--", " --a", "a--", '"', '\\"', '{"a":',
    "é", "\x00", "0:1, ", "5 steps", "512x", "-", ".", " %",
]  # fmt: skip


def seconds(read: Callable[[str], Any], text: str) -> float:
    start = process_time()
    with suppress(UserError, ValueError):
        read(text)
    return process_time() - start


def _again(read: Callable[[str], Any], short: str, long: str) -> bool:
    """Whether the reader is slow, and not a machine that was busy for a moment: the shortest of five times decides."""
    return min(seconds(read, long) for _ in range(5)) > 24 * min(seconds(read, short) for _ in range(5))


@pytest.mark.parametrize("name", READERS)
def test_a_text_eight_times_as_long_takes_no_square_of_the_time(name: str) -> None:
    read = READERS[name]
    seconds(read, "a")
    slow: list[str] = []
    for piece in PIECES:
        for start in ("", "<lora:a:" if "LoRA" in name else "("):
            short, long = (start + piece * (length // len(piece)) for length in (SHORT, LONG))
            took = seconds(read, long)
            if took > 0.1 and took > 24 * seconds(read, short) and _again(read, short, long):
                slow.append(f"{start}{piece}...: {took:.2f} s")
    assert slow == []


def test_tokens_are_counted_in_a_time_that_grows_with_them() -> None:
    words = PromptTokenizer(Tokenizer.from_folder(resolve("starter:model") / "tokenizer"), 12, 100_000)
    read: Callable[[str], Any] = words.lengths
    short, long = "a, " * 2_000, "a, " * 16_000
    assert not _again(read, short, long)
