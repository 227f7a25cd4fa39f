"""A picture that can be looked into: how large it is shown, and what stays when another one comes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Pump = Callable[..., None]


@pytest.fixture
def view(root: Any, pump: Pump) -> Any:
    from app.gui.kit import ZoomView

    clicks: list[int] = []
    made = ZoomView(root, empty="nothing yet", on_click=lambda: clicks.append(1))
    made.clicks = clicks
    made.pack(fill="both", expand=True)
    pump()
    return made


def picture(folder: Path, name: str, size: tuple[int, int]) -> Path:
    Image.new("RGB", size, (200, 90, 30)).save(folder / name)
    return folder / name


def shown(view: Any) -> tuple[int, int]:
    """Pixels of the screen that the picture takes."""
    name = next(view.itemcget(item, "image") for item in view.find_all() if view.type(item) == "image")
    return view.tk.call("image", "width", name), view.tk.call("image", "height", name)


def test_it_fits_and_is_shown_pixel_for_pixel_when_asked(view: Any, tmp_path: Path) -> None:
    view.show(picture(tmp_path, "wide.png", (3000, 1000)))
    wide, high = shown(view)
    assert wide < view.winfo_width() and wide == pytest.approx(3 * high, abs=3)
    view.pixels()
    assert shown(view) == (view.winfo_width(), view.winfo_height()), "as much of it as there is room for"
    view.pixels()
    assert shown(view) == (wide, high)


def test_the_wheel_zooms_down_to_what_fits(view: Any, tmp_path: Path) -> None:
    view.show(picture(tmp_path, "one.png", (500, 500)))
    fits = shown(view)
    view.wheel(-3, False)
    assert view.zoom > 0
    for _ in range(9):
        view.wheel(3, False)
    assert view.zoom == 0 and shown(view) == fits


def test_the_zoom_stays_between_pictures_of_one_size(view: Any, tmp_path: Path) -> None:
    view.show(picture(tmp_path, "one.png", (500, 500)))
    view.pixels()
    view.show(picture(tmp_path, "two.png", (500, 500)))
    assert view.zoom == 1.0
    view.show(picture(tmp_path, "other.png", (100, 300)))
    assert view.zoom == 0.0
    (tmp_path / "torn.png").write_bytes(b"no picture")
    view.show(tmp_path / "torn.png")
    assert any(view.itemcget(item, "text") == "nothing yet" for item in view.find_all() if view.type(item) == "text")


def test_a_click_that_moves_nothing_is_told(view: Any, tmp_path: Path) -> None:
    view.show(picture(tmp_path, "wide.png", (3000, 1000)))
    view.event_generate("<Button-1>", x=50, y=50)
    view.event_generate("<B1-Motion>", x=90, y=50)
    view.event_generate("<ButtonRelease-1>", x=90, y=50)
    assert view.clicks == []
    view.event_generate("<Button-1>", x=50, y=50)
    view.event_generate("<ButtonRelease-1>", x=50, y=50)
    assert view.clicks == [1]
