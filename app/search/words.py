"""Words as the search reads them: how names are folded, what short forms stand for, which words say nothing."""

from __future__ import annotations

import re
from functools import cache

WORD = re.compile(r"[a-z0-9]+")
NAME = re.compile(r"[A-Za-z0-9]+")
# Where one word ends inside a name: gradientSteps, adamw8bit, te2.
INSIDE = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[0-9])")

# Left out of a query that says more than these.
FILLERS = frozenset([
    "a", "an", "and", "any", "by", "can", "do", "does", "each", "enable", "enabled", "for", "from", "how", "i", "in",
    "is", "it", "me", "my", "n", "num", "number", "of", "on", "or", "set", "setting", "settings", "the", "to", "use",
    "using", "want", "what", "with",
])  # fmt: skip
SHORT_FORMS = {
    "accum": "accumulation", "aug": "augmentation", "avg": "average", "bs": "batch size", "ckpt": "checkpoint",
    "dim": "rank", "dir": "folder", "directory": "folder", "emb": "embedding", "fp": "precision",
    "ga": "gradient accumulation", "grad": "gradient", "img": "image", "init": "initial", "interval": "every",
    "lr": "learning rate", "max": "maximum", "min": "minimum", "neg": "negative", "opt": "optimizer",
    "picture": "image", "prob": "probability", "reg": "regularization", "res": "resolution", "reso": "resolution",
    "te": "text encoder", "ti": "embedding", "transformer": "denoiser", "unet": "denoiser", "wd": "weight decay",
}  # fmt: skip
BRITISH = (("isation", "ization"), ("ising", "izing"), ("ise", "ize"), ("our", "or"), ("centre", "center"))
ENDINGS = ("ings", "ing", "ers", "er", "ies", "ied", "es", "ed", "s", "e")
SHORTEST_STEM = 3


def words_of(text: str) -> list[str]:
    """Its words in small letters, whatever stands between them: spaces, hyphens, underscores, dots."""
    return WORD.findall(text.lower())


def stems_of(text: str) -> str:
    """The stems of its words, with a space around each, so that one such text can be looked for in another."""
    return f" {' '.join(stem(word) for word in words_of(text))} "


def inner_words(name: str) -> list[str]:
    """The words that a name is glued from: "gradientSteps", "AdamW8bit", "te2"."""
    return [part.lower() for part in INSIDE.sub(" ", name).split()]


def squeezed(text: str) -> str:
    """A name without what parts its words: "Min-SNR gamma", "min_snr_gamma" and "minSnrGamma" are one."""
    return "".join(words_of(text))


@cache
def stem(word: str) -> str:
    """What "clip", "clips" and "clipping" have in common: no linguistics, only enough to forgive an ending."""
    for theirs, ours in BRITISH:
        if word.endswith(theirs) and len(word) > len(theirs) + 1:
            word = word[: -len(theirs)] + ours
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM and word.isalpha():
            word = word[: -len(ending)] + ("y" if ending in ("ies", "ied") else "")
            break
    doubled = len(word) > SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "aeiouls"
    return word[:-1] if doubled else word
