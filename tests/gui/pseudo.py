"""A language nobody speaks: English with accents, 40 % longer, between « and ». What lacks them missed `tr`."""

import re
from collections.abc import Iterator, Mapping

from modules.language import Locale

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ACCENTED = "áƀçđéƒğĥíĵķłɱñóþɋŕšţúṽŵẋýžÁƁÇĐÉƑĞĤÍĴĶŁṀÑÓÞɊŔŠŢÚṼŴẊÝŽ"
TABLE = str.maketrans(PLAIN, ACCENTED)
FIELD = re.compile(r"\{[^{}]*\}")
WORD = re.compile(r"[A-Za-z]+")
LONGER = 0.4


def pseudo(template: str) -> str:
    """The template in that language; its values stay as they are, but for words in the format of one that counts."""
    if not WORD.search(FIELD.sub("", template)) and "|" not in template:
        return template
    spare = round(LONGER * len(FIELD.sub("", template))) - 2
    words = WORD.findall(FIELD.sub(" ", template)) or [""]
    each, more = divmod(max(spare, 0), len(words))
    number = 0

    def longer(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return found[0].translate(TABLE) + "é" * (each + (number <= more))

    pieces = re.split(r"(\{[^{}]*\})", template)
    return "«" + "".join(field(piece) if FIELD.fullmatch(piece) else WORD.sub(longer, piece) for piece in pieces) + "»"


def field(text: str) -> str:
    """A value; the words in `{count:# image|# images}` are the language's own."""
    name, _, form = text[1:-1].partition(":")
    if "|" not in form:
        return text
    forms = (WORD.sub(lambda found: found[0].translate(TABLE) + "ééé", each) for each in form.split("|"))
    return f"{{{name}:{'|'.join(forms)}}}"


class Everything(Mapping[str, str]):
    """A table that has every template."""

    def __getitem__(self, template: str) -> str:
        return pseudo(template)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


PSEUDO = Locale("Pseudo", Everything())
