"""The drawings a starter is trained on: pictures, captions, and variants in other colours and on other backgrounds.

Arrays carry their shape in letters: H, W rows and columns of pixels, C channels (RGB, or RGBA where it says so).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

STYLES = {"fluent-emoji-flat": "flat", "noto": "glossy"}  # the word a set's style has in captions
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
GROUNDS = {
    "red": (230, 60, 60),
    "orange": (250, 160, 60),
    "yellow": (250, 220, 80),
    "green": (110, 200, 110),
    "blue": (90, 150, 240),
    "purple": (160, 110, 220),
    "pink": (250, 160, 200),
    "brown": (150, 105, 75),
    "black": (20, 20, 20),
    "gray": (160, 160, 160),
}
# Upper end of each hue in degrees. Beyond the last it is red again.
HUES = ((14, "red"), (38, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (292, "purple"), (340, "pink"))
COLOURED = 0.45  # share of the pixels in one colour from which a drawing "is" of that colour


@dataclass(frozen=True)
class Drawing:
    """One drawing of an icon set, with transparent paper, and the words that name it."""

    key: str
    label: str
    tags: tuple[str, ...]
    style: str
    rgba: Pixels  # [H, W, 4]


@dataclass(frozen=True)
class Entry:
    """A picture to train on, as far as its caption is concerned."""

    kind: Literal["plain", "hue", "ground"]
    label: str
    tags: tuple[str, ...]
    style: str
    colour: str | None
    ground: str | None = None


def read_drawings(work: Path, icon_set: str, groups: tuple[str, ...] = ()) -> list[Drawing]:
    """What `render` left of one icon set; `groups` narrows it to some subjects (none named: all)."""
    folder = work / "drawings" / icon_set
    rows = json.loads(folder.with_suffix(".json").read_text(encoding="utf-8"))
    return [
        Drawing(
            key=row["key"],
            label=plain_words(row["label"]),
            tags=tuple(plain_words(tag) for tag in row["tags"][:6]),
            style=STYLES.get(icon_set, "plain"),
            rgba=np.asarray(Image.open(folder / f"{row['key']}.png").convert("RGBA")),
        )
        for row in rows
        if not groups or row["group"] in groups
    ]


def plain_words(text: str) -> str:
    """Small letters, digits and single spaces, as a caption is written."""
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text.lower()).split())


def variants(drawing: Drawing, rng: np.random.Generator) -> list[tuple[Entry, Pixels]]:
    """The drawing itself, up to two in another hue, and one on a coloured ground; each as caption words and [H, W, 3].

    No mirror images: the study made some, and animals seen from the side came out with two heads.
    """
    colour, share = main_colour(drawing.rgba)
    known = colour if share > COLOURED else None
    plain = Entry("plain", drawing.label, drawing.tags, drawing.style, known)
    found = [(plain, over_background(drawing.rgba))]
    if colourful_share(drawing.rgba) > 0.4:
        found += other_hues(plain, drawing.rgba, colour, rng)
    ground = str(rng.choice(list(GROUNDS)))
    if ground != colour:
        shade = np.clip(np.array(GROUNDS[ground]) + rng.integers(-12, 13, 3), 0, 255)
        found.append((replace(plain, kind="ground", ground=ground), over_background(drawing.rgba, shade)))
    return found


def other_hues(plain: Entry, rgba: Pixels, colour: str | None, rng: np.random.Generator) -> list[tuple[Entry, Pixels]]:
    """Two turns of the hue; kept where the drawing is then plainly of another colour than before."""
    label = " ".join(word for word in plain.label.split() if word not in COLOURS) or plain.label
    tags = tuple(tag for tag in plain.tags if tag not in COLOURS)
    found = []
    for degrees in rng.choice([60, 120, 180, 240, 300], 2, replace=False):
        turned = turn_hue(rgba, float(degrees))
        name, share = main_colour(turned)
        if share > 0.4 and name != colour:
            found.append((replace(plain, kind="hue", label=label, tags=tags, colour=name), over_background(turned)))
    return found


def caption(entry: Entry, rng: np.random.Generator) -> str:
    """A caption for one use of a picture: the label always, the rest by chance, and one in ten empty (for guidance)."""
    if rng.random() < 0.1:
        return ""
    words = entry.label
    names_colour = entry.colour is None or entry.colour in words.split()
    if not names_colour and (entry.kind == "hue" or rng.random() < 0.5):
        words = f"{entry.colour} {words}"
    if entry.kind == "plain" and entry.tags and rng.random() < 0.2:
        words += f", {rng.choice(entry.tags)}"
    if rng.random() < 0.15:
        words = f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
    if rng.random() < 0.25:
        words += f", {entry.style} style"
    return f"{words} on a {entry.ground} background" if entry.ground else words


def vocabulary(entries: list[Entry]) -> list[str]:
    """Text with every word that captions can have, for the tokenizer, and some words that people will try."""
    lines = []
    for entry in entries:
        lines += [entry.label, " ".join(entry.tags), f"a {entry.colour} {entry.label} {entry.style} style"]
        if entry.ground:
            lines.append(f"on a {entry.ground} background")
    tried = "a photo picture drawing of the in style portrait holding wearing with and small big little happy sad angry"
    return [*lines, *[tried] * 5]


def over_background(rgba: Pixels, shade: tuple[int, ...] | NDArray[np.int64] = (255, 255, 255)) -> Pixels:
    """The drawing [H, W, 4] laid on paper of one shade (RGB, 0..255): [H, W, 3]."""
    opacity = rgba[..., 3:].astype(np.float64) / 255
    return (rgba[..., :3] * opacity + np.asarray(shade) * (1 - opacity)).astype(np.uint8)


def main_colour(rgba: Pixels) -> tuple[str | None, float]:
    """The colour word that most of the drawn pixels have, and their share; no word for a nearly empty picture."""
    drawn = rgba[..., :3][rgba[..., 3] > 128] / 255
    if len(drawn) < 50:
        return None, 0.0
    names, counts = np.unique(colour_words(drawn), return_counts=True)
    return str(names[counts.argmax()]), float(counts.max() / len(drawn))


def colour_words(rgb: Floats) -> NDArray[np.object_]:
    """A colour word for each pixel [N, 3] (0..1)."""
    hue, saturation, value = hsv(rgb)
    words = np.full(len(rgb), "gray", dtype=object)
    words[value < 0.25] = "black"
    words[(saturation < 0.15) & (value > 0.85)] = "white"
    coloured = (saturation >= 0.25) & (value >= 0.25)
    named = np.array([name for _, name in HUES] + ["red"], dtype=object)
    words[coloured] = named[np.searchsorted([end for end, _ in HUES], hue[coloured], side="right")]
    words[coloured & (hue >= 5) & (hue < 42) & (value < 0.68)] = "brown"  # a dark orange
    words[coloured & ((hue >= 330) | (hue < 14)) & (saturation < 0.55) & (value > 0.8)] = "pink"  # a pale red
    return words


def colourful_share(rgba: Pixels) -> float:
    """Share of the drawn pixels that have a colour to turn."""
    _, saturation, value = hsv(rgba[..., :3] / 255)
    drawn = rgba[..., 3] > 128
    return float(((saturation > 0.3) & (value > 0.25) & drawn).sum() / max(1, drawn.sum()))


def turn_hue(rgba: Pixels, degrees: float) -> Pixels:
    """The drawing with every hue turned on the colour wheel; brightness, saturation and opacity stay."""
    hue, saturation, value = hsv(rgba[..., :3] / 255)
    # Each channel is a trapezoid over the wheel, red, green and blue a third of the wheel apart.
    place = ((hue + degrees) / 60)[..., None] + np.array([5, 3, 1])
    wave = np.clip(np.minimum(place % 6, 4 - place % 6), 0, 1)
    rgb = value[..., None] * (1 - saturation[..., None] * wave)
    return np.concatenate([(rgb * 255).round().astype(np.uint8), rgba[..., 3:]], axis=-1)


def hsv(rgb: Floats) -> tuple[Floats, Floats, Floats]:
    """Hue in degrees (0..360), saturation and value (0..1) of colours [..., 3] (0..1)."""
    high, low = rgb.max(-1), rgb.min(-1)
    spread = np.where(high > low, high - low, 1)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    sixth = np.where(
        high == red,
        ((green - blue) / spread) % 6,
        np.where(high == green, (blue - red) / spread + 2, (red - green) / spread + 4),
    )
    return sixth * 60, np.where(high > 0, (high - low) / np.where(high > 0, high, 1), 0), high
