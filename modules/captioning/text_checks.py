"""What a model wrote, made into a caption: one line, without set phrases; empty ones and loops are not taken."""

from __future__ import annotations

import re

from modules.data.text.captions import has_trigger

MOST_WORDS = 12  # of a phrase that is repeated
SENTENCE_END = re.compile(r'[.!?…]["”\')\]]?(?=\s|$)')


def one_line(text: str) -> str:
    """In a caption file each line is an alternative: a text of several is one of them."""
    return " ".join(text.split()).strip().strip('"“”').strip()


def without_phrases(text: str, phrases: str) -> str:
    """Without phrases that the user does not want, in capitals or not. A sentence that loses its head gets another."""
    for phrase in (part.strip() for part in phrases.split(",")):
        if phrase:
            text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)[ ,:]*", "", text, flags=re.IGNORECASE)
    return re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.split())).lstrip(" ,.;:")


def whole_sentences(text: str) -> str:
    """Of a text that ended because it was long enough, what is whole; all of it if no sentence is."""
    ends = [found.end() for found in SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else text


def is_loop(text: str) -> bool:
    """Whether a model repeats itself: a phrase four times in a row, or a word six times."""
    words = re.findall(r"\w+", text.lower())
    for size in range(1, MOST_WORDS + 1):
        needed = 6 if size == 1 else 4
        run = 0
        for place in range(size, len(words)):
            run = run + 1 if words[place] == words[place - size] else 0
            if run >= size * (needed - 1):
                return True
    return False


def with_prefix(text: str, prefix: str, trigger: str, *, tags: bool) -> str:
    """A caption with what is put before it: the trigger word where it is not in there, and the prefix as it is."""
    before = f"{prefix.rstrip()}{'' if prefix.rstrip().endswith(',') or not tags else ','} " if prefix.strip() else ""
    whole = f"{before}{text}".strip()
    word = trigger.strip()
    if word and not has_trigger(whole, word):
        whole = f"{word}, {whole}" if whole else word
    return whole
