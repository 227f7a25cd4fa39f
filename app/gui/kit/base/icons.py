"""Icons: 96-pixel alpha masks of Lucide, tinted and sized when asked for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageTk

from app.gui.kit.base.theme import px, rgb, theme
from modules.system.bundled import ROOT

ICONS = ROOT / "resources" / "icons"
LOADED = 256


def icon(name: str, role: str = "text2", size: float = 18, gap: float = 0) -> ImageTk.PhotoImage:
    """The icon `name` in the colour of `role` (or #RRGGBB), `size` pixels at 100 %, `gap` more at its right.

    Shared: keep no copy, ask again.
    """
    return tinted(name, theme.colour(role), px(size), px(gap))


@lru_cache(maxsize=LOADED)
def tinted(name: str, colour: str, pixels: int, gap: int = 0) -> ImageTk.PhotoImage:
    mask = _mask(name).resize((pixels, pixels), Image.Resampling.LANCZOS)
    image = Image.new("RGBA", (pixels + gap, pixels), (*rgb(colour), 0))
    image.paste((*rgb(colour), 255), (0, 0), mask)
    return ImageTk.PhotoImage(image)


@lru_cache(maxsize=LOADED)
def _mask(name: str) -> Image.Image:
    with Image.open(ICONS / f"{name}.png") as image:
        return image.convert("RGBA").getchannel("A")


def mark_file(pixels: int) -> Path:
    """Seachange's own mark, as a PNG of 16, 32, 48, 128 or 256 pixels."""
    return ICONS / f"seachange-{pixels}.png"


@lru_cache(maxsize=8)
def mark(pixels: int) -> ImageTk.PhotoImage:
    """The mark, `pixels` high on this screen."""
    with Image.open(mark_file(256)) as image:
        return ImageTk.PhotoImage(image.convert("RGBA").resize((pixels, pixels), Image.Resampling.LANCZOS))
