"""Where a mask is painted: the image with the mask over it, a brush that is seen on any colour, zoom and pan.

Only what a stroke has changed is drawn again: the screen is cut into tiles, and Tk is given those that were touched.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageTk

from app.gui.kit.base.events import events
from app.gui.kit.base.theme import Painted, px, rgb, theme
from app.gui.kit.images.paint_layer import Box, Look, PaintLayer, Place

TILE = 192
GROWS = 1.25  # with a notch of the wheel
MOST = 32.0  # pixels of the screen for one of the image
FIT_MOST = 8.0  # the same while it fits
MARGIN = 14
LET_GO_MS = 60  # X11 says of a key that repeats that it is let go and pressed
SHIFT, ALT = 0x1, 0x8
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Hand:
    """What happens to the image under the pointer, in its pixels. `other`: with the right button."""

    press: Callable[[float, float, bool, bool], object]  # x, y, Shift is held, other
    drag: Callable[[float, float], object]
    release: Callable[[], object]


class PaintView(Painted, tk.Canvas):
    """`show(image, mask)`; after each change of the mask `changed(box)`.

    The wheel zooms at the pointer; the middle button, or space held, moves the image.

    Args:
        hand: what paints.
        on_zoom: called with the zoom in percent.
        empty: words where there is no image.
    """

    surface = "raised"

    def __init__(
        self, master: tk.Misc, hand: Hand, *, on_zoom: Callable[[float], object] = lambda _: None, empty: str = ""
    ) -> None:
        super().__init__(master, bd=0, highlightthickness=px(2), takefocus=1, width=px(200), height=px(200))
        self._hand, self._on_zoom, self._empty = hand, on_zoom, empty
        self.layer: PaintLayer | None = None
        self.tool = "paint"  # "pan" and "zoom" are done here; "paint" by the hand
        self.brush = 0.0  # across, in pixels of the image; 0: a cross
        self._look: Look = "overlay"
        self._strength = 0.45
        self._zoom = 0.0  # pixels of the screen for one of the image; 0: as large as fits
        self._centre = (0.5, 0.5)  # of the view, as shares of the image
        self._tiles: dict[tuple[int, int], tuple[int, ImageTk.PhotoImage]] = {}
        self._grabbed: tuple[int, int] | None = None
        self._space = self._painting = False
        self._let_go = ""
        self._words = self.create_text(0, 0, justify="center")
        self._lines = [self.create_line(0, 0, 0, 0, state="hidden") for _ in range(2)]
        self._rings = [self.create_oval(0, 0, 0, 0, state="hidden") for _ in range(2)]
        self._listen()
        self.follow_theme()

    def _listen(self) -> None:
        self.bind("<Configure>", lambda _: self._soon())
        for button in (1, 2, 3):
            self.bind(f"<ButtonPress-{button}>", self._pressed)
            self.bind(f"<ButtonRelease-{button}>", lambda _: self._released())
        self.bind("<Motion>", self._moved)
        self.bind("<Leave>", lambda _: self._show_brush(None))
        self.bind("<KeyPress-space>", lambda _: self._hold_space(True))
        self.bind("<KeyRelease-space>", lambda _: self._hold_space(False))
        self.bind("<FocusIn>", lambda _: self._ring(events.by_keyboard))
        self.bind("<FocusOut>", lambda _: self._ring(False))

    # Showing ----------------------------------------------------------------------------------------------------------

    def show(self, image: Image.Image | None, mask: np.ndarray | None = None) -> None:
        """Another image; the zoom stays while images of one size follow one another."""
        before = self.layer and self.layer.image.size
        self.layer = PaintLayer(image, mask, rgb(theme.colour(self.surface))) if image is not None else None
        if self.layer is not None:
            self.layer.look, self.layer.strength = self._look, self._strength
            if before != self.layer.image.size:
                self._zoom, self._centre = 0.0, (0.5, 0.5)
        self._draw()

    def words(self, empty: str) -> None:
        """What stands where there is no image."""
        self._empty = empty
        self._draw()

    def mask(self, mask: np.ndarray | None) -> None:
        """Another mask over the same image."""
        if self.layer is not None:
            self.layer.mask = mask
            self._redraw()

    def changed(self, box: Box) -> None:
        """The mask was changed in place, within this box of the image."""
        if self.layer is not None and (drawn := self.layer.changed(box)) is not None:
            self._to_screen(drawn)

    def look(self, look: Look, strength: float) -> None:
        """What is seen, and how much of the colour."""
        self._look, self._strength = look, strength
        if self.layer is not None:
            self.layer.look, self.layer.strength = look, strength
            self._redraw()

    def outline(self, points: Points) -> None:
        """A line through these points of the image, until the next one; none for none."""
        shown = self.layer is not None and len(points) > 1
        for line, colour, dash in zip(self._lines, ("#000000", "#FFFFFF"), ((), (4, 4)), strict=True):
            self.itemconfigure(line, state="normal" if shown else "hidden", fill=colour, dash=dash)
            if self.layer is not None and shown:
                self.coords(line, *(at for point in points for at in self.layer.place.on_screen(*point)))
                self.tag_raise(line)

    @property
    def zoom(self) -> float:
        """Pixels of the screen for one of the image."""
        return self._zoom or self._fit()

    def zoom_to(self, scale: float, x: float | None = None, y: float | None = None) -> None:
        """Another zoom; the point of the screen at (x, y) stays where it is, or the middle. 0: as large as fits."""
        if self.layer is None:
            return
        fit, before = self._fit(), self.zoom
        scale = min(max(scale, min(fit, 1.0)), MOST) if scale else fit
        for axis, at in enumerate((x, y)):
            if at is not None:
                off = at - self._room()[axis] / 2
                self._shift(axis, off / before - off / scale)
        self._zoom = 0.0 if scale <= fit else scale
        self._draw()

    def wheel(self, steps: float, sideways: bool) -> bool:
        if self.layer is None or sideways:
            return False
        x, y = self.winfo_pointerx() - self.winfo_rootx(), self.winfo_pointery() - self.winfo_rooty()
        self.zoom_to(self.zoom * GROWS**-steps, x, y)
        return True

    def paint(self) -> None:
        behind = theme.colour(self.surface)
        self.configure(bg=behind, highlightbackground=behind)
        self._ring(False)
        self.itemconfigure(self._words, fill=theme.colour("text2"), font=theme.font("body"))
        if self.layer is not None:
            self.layer.behind = rgb(behind)
            self._soon()

    def _ring(self, on: bool) -> None:
        self.configure(highlightcolor=theme.colour("accent" if on else self.surface))

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after_idle(self._draw)

    def _room(self) -> tuple[int, int]:
        return max(self.winfo_width(), 1), max(self.winfo_height(), 1)

    def _fit(self) -> float:
        if self.layer is None:
            return 1.0
        wide, high = (max(room - 2 * px(MARGIN), 1) for room in self._room())
        return min(wide / self.layer.image.width, high / self.layer.image.height, FIT_MOST)

    def _shift(self, axis: int, pixels: float) -> None:
        """The view, along one axis, by so many pixels of the image."""
        if self.layer is not None:
            centre = list(self._centre)
            centre[axis] = min(max(centre[axis] + pixels / self.layer.image.size[axis], 0.0), 1.0)
            self._centre = (centre[0], centre[1])

    def _draw(self) -> None:
        """Everything, where it stands now."""
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""
        wide, high = self._room()
        self.coords(self._words, wide // 2, high // 2)
        self.itemconfigure(self._words, text="" if self.layer is not None else self._empty, width=max(wide - px(60), 1))
        if self.layer is None or wide <= 1:
            self._drop_tiles()
            return
        scale = self.zoom
        corner = [self._corner(axis, scale) for axis in (0, 1)]
        self.layer.draw(Place(scale, corner[0], corner[1]), (wide, high))
        self._to_screen((0, 0, wide, high))
        self._on_zoom(scale * 100)

    def _corner(self, axis: int, scale: float) -> int:
        """Where the image begins: in the middle where it fits, else so that it fills the room."""
        assert self.layer is not None
        room, size = self._room()[axis], self.layer.image.size[axis] * scale
        if size <= room:
            return round((room - size) / 2)
        return round(min(0.0, max(room / 2 - self._centre[axis] * size, room - size)))

    def _redraw(self) -> None:
        """The mask, over the same image at the same place."""
        if self.layer is not None and (drawn := self.layer.refresh((0, 0, *self._room()))) is not None:
            self._to_screen(drawn)

    def _to_screen(self, box: Box) -> None:
        """Give Tk the tiles that lie in a part of the screen."""
        assert self.layer is not None
        shown = self.layer.shown
        for row in range(box[1] // TILE, -(-box[3] // TILE)):
            for column in range(box[0] // TILE, -(-box[2] // TILE)):
                left, top = column * TILE, row * TILE
                part = shown.crop((left, top, left + TILE, top + TILE))
                if (column, row) in self._tiles:
                    self._tiles[column, row][1].paste(part)
                else:
                    photo = ImageTk.PhotoImage(part, master=self)
                    item = self.create_image(left, top, anchor="nw", image=photo)
                    self.tag_lower(item)
                    self._tiles[column, row] = (item, photo)

    def _drop_tiles(self) -> None:
        for item, _ in self._tiles.values():
            self.delete(item)
        self._tiles.clear()

    # The pointer ------------------------------------------------------------------------------------------------------

    def _hold_space(self, held: bool) -> str:
        if self._let_go:
            self.after_cancel(self._let_go)
            self._let_go = ""
        if held:
            self._space = True
            self._show_brush(None)
        else:
            self._let_go = self.after(LET_GO_MS, lambda: setattr(self, "_space", False))
        return "break"

    def destroy(self) -> None:
        if self._let_go:
            self.after_cancel(self._let_go)
        super().destroy()

    def _pressed(self, event: tk.Event[Any]) -> None:
        self.focus_set()
        if self.layer is None or self._painting or self._grabbed is not None:
            return
        state = int(event.state)
        if event.num == 2 or self._space or self.tool == "pan":
            self._grabbed = (event.x, event.y)
            self.configure(cursor="fleur")
        elif self.tool == "zoom":
            smaller = event.num == 3 or bool(state & (SHIFT | ALT))
            self.zoom_to(self.zoom * GROWS ** (-2 if smaller else 2), event.x, event.y)
        else:
            self._painting = True
            self._hand.press(*self.layer.place.on_image(event.x, event.y), bool(state & SHIFT), event.num == 3)

    def _moved(self, event: tk.Event[Any]) -> None:
        if self.layer is None:
            return
        if self._grabbed is not None:
            for axis, pixels in enumerate((self._grabbed[0] - event.x, self._grabbed[1] - event.y)):
                self._shift(axis, pixels / self.zoom)
            self._grabbed = (event.x, event.y)
            self._soon()
            return
        if self._painting:
            self._hand.drag(*self.layer.place.on_image(event.x, event.y))
        self._show_brush((event.x, event.y))

    def _released(self) -> None:
        if self._painting:
            self._painting = False
            self._hand.release()
        self._grabbed = None
        self._show_brush(None)

    def _show_brush(self, at: tuple[int, int] | None) -> None:
        """A dark and a light circle: one of them is seen on any image."""
        paints = at is not None and self.tool == "paint" and not self._space and self.brush > 0
        pointer = "fleur" if self.tool == "pan" or self._space else "none" if paints else "crosshair"
        if str(self.cget("cursor")) != pointer:
            self.configure(cursor=pointer)
        for ring, colour, more in zip(self._rings, ("#000000", "#FFFFFF"), (0, 1), strict=True):
            self.itemconfigure(ring, state="normal" if paints else "hidden", outline=colour)
            if at is not None and paints:
                radius = max(self.brush * self.zoom / 2, 2) + 1 - more
                self.coords(ring, at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
                self.tag_raise(ring)
