"""Pictures and the grid: decoded beside the window, kept on disk, drawn for what is in view."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.kit import Cell, Compare, ImageView, LogView, Pictures, VirtualGrid
from app.gui.kit.images.loader import opened
from tests.gui.person import drawn_words

Pump = Callable[..., None]


@pytest.fixture
def pictures(root: Any, tmp_path: Path) -> Iterator[Pictures]:
    made = Pictures(root, tmp_path / "thumbs")
    yield made
    made.close()


def picture(path: Path, size: tuple[int, int] = (300, 200), colour: str = "red") -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def test_a_thumbnail_comes_later_and_then_at_once(pictures: Pictures, tmp_path: Path, pump: Pump) -> None:
    path = picture(tmp_path / "a.png")
    got: list[Any] = []
    assert pictures.thumb(path, 100, got.append) is None
    pump(lambda: got)
    assert (got[0].width(), got[0].height()) == (100, 67)
    assert pictures.thumb(path, 100, got.append) is got[0]


def test_thumbnails_are_kept_on_disk_until_the_file_changes(root: Any, tmp_path: Path, pump: Pump) -> None:
    path = picture(tmp_path / "a.png")
    for colour, files in (("red", 1), ("red", 1), ("blue", 2)):
        if colour == "blue":
            picture(path, colour="blue")
            os.utime(path, ns=(1, 1))
        fresh = Pictures(root, tmp_path / "thumbs")
        got: list[Any] = []
        fresh.thumb(path, 100, got.append)
        pump(lambda got=got: got)
        fresh.close()
        assert len(list((tmp_path / "thumbs").rglob("*.jpg"))) == files


def test_thumbnails_are_shown_even_if_they_cannot_be_kept(root: Any, tmp_path: Path, pump: Pump) -> None:
    (tmp_path / "file").write_text("")
    made = Pictures(root, tmp_path / "file" / "thumbs")
    got: list[Any] = []
    made.thumb(picture(tmp_path / "a.png"), 100, got.append)
    pump(lambda: got)
    made.close()
    assert got[0].width() == 100


def test_what_is_no_picture_is_answered_with_nothing(pictures: Pictures, tmp_path: Path, pump: Pump) -> None:
    path = tmp_path / "torn.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    got: list[Any] = []
    pictures.thumb(path, 100, got.append)
    pictures.thumb(tmp_path / "missing.png", 100, got.append)
    pump(lambda: len(got) == 2)
    assert got == [None, None]
    assert pictures.failed(path, 100)


def test_transparent_is_white_and_turned_is_upright(tmp_path: Path) -> None:
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(clear)
    assert opened(clear, (8, 8)).getpixel((4, 4)) == (255, 255, 255)
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(turned, exif=exif)
    assert opened(turned, (40, 40)).size == (20, 40)


def test_after_the_end_nothing_is_answered(root: Any, tmp_path: Path, pump: Pump) -> None:
    fresh = Pictures(root, None)
    got: list[Any] = []
    fresh.thumb(picture(tmp_path / "a.png"), 50, got.append)
    fresh.close()
    pump()
    assert got == []


def grid_of(root: Any, count: int, **options: Any) -> tuple[VirtualGrid, list[int]]:
    painted: list[int] = []

    def paint(cell: Cell, index: int) -> None:
        painted.append(index)
        cell.words(0, f"image {index}")
        cell.mark("no caption" if index % 2 else "", "error")

    grid = VirtualGrid(root, paint, **options)
    grid.pack(fill="both", expand=True)
    root.update()
    grid.show(count)
    root.update()
    return grid, painted


def test_ten_thousand_items_cost_what_is_in_view(root: Any, pump: Pump) -> None:
    grid, painted = grid_of(root, 10_000)
    assert 0 < len(painted) < 100
    assert len(grid.find_all()) < 700
    grid.see(9_999)
    pump(lambda: 9_999 in painted)
    assert len(painted) < 200
    grid.refresh(9_999)
    assert painted.count(9_999) == 2
    grid.refresh(3)
    assert painted.count(3) == 1, "what is out of view is not painted"


def test_choosing_with_click_shift_control_and_arrows(root: Any, pump: Pump) -> None:
    told: list[int] = []
    grid, _ = grid_of(root, 100, on_select=lambda: told.append(1), on_open=lambda index: told.append(-index))
    columns = len({grid.at(x, 40) for x in range(grid.winfo_width())} - {-1})  # of the first row
    assert columns > 3

    def click(index: int, state: int = 0) -> None:
        x = next(x for x in range(grid.winfo_width()) if grid.at(x, 40) == index) + 3
        grid.event_generate("<Button-1>", x=x, y=40, state=state)

    click(1)
    click(3, state=1)
    assert grid.selection == {1, 2, 3}
    click(2, state=4)
    assert grid.selection == {1, 3}
    grid.focus_force()
    pump()
    grid.event_generate("<Down>")
    assert grid.selection == {2 + columns}
    grid.event_generate("<Right>", state=1)
    assert len(grid.selection) > 1
    grid.event_generate("<End>")
    assert grid.selection == {99}
    grid.event_generate("<Return>")
    assert told[-1] == -99
    grid.event_generate("<Control-a>")
    assert len(grid.selection) == 100
    grid.show(50, keep=True)
    assert grid.selection == set(range(50))


class Texts(VirtualGrid):
    wrapped, stretch = 3, True


def test_cells_that_stretch_fill_the_row_and_break_their_texts_into_lines(root: Any, pump: Pump) -> None:
    texts = ["short", "a long text that is broken into lines " * 9, ""]
    grid = Texts(root, lambda cell, index: cell.paragraph(texts[index % 3]), cell=(150, 200))
    grid.pack(fill="both", expand=True)
    root.update()
    grid.show(50)
    root.update()

    def row() -> list[int]:
        """The indices of the first row."""
        return sorted({grid.at(x, 40) for x in range(grid.winfo_width())} - {-1})

    right = max(x for x in range(grid.winfo_width()) if grid.at(x, 40) >= 0)
    assert grid.winfo_width() - right < 40, "no free column"
    drawn = [each.text for each in drawn_words(grid)]
    assert "short" in drawn
    cut = next(text for text in drawn if text.startswith("a long"))
    assert cut.endswith("\N{HORIZONTAL ELLIPSIS}") and 20 < len(cut) < len(texts[1]) / 2
    before = len(row())
    grid.select({30}, 30)
    grid.see(30)
    pump()
    grid.resize((300, 300))
    pump(lambda: 30 in grid.visible())
    grid.yview_moveto(0)
    pump(lambda: 0 < len(row()) < before)


def test_an_empty_grid_takes_keys_without_harm(root: Any, pump: Pump) -> None:
    grid, _ = grid_of(root, 0)
    grid.focus_force()
    pump()
    for key in ("<Down>", "<Return>", "<space>", "<Control-a>", "<End>"):
        grid.event_generate(key)
    assert grid.selection == set()


def everything(widget: Any) -> Iterator[Any]:
    for child in widget.winfo_children():
        yield child
        yield from everything(child)


def test_before_and_after_share_a_place(root: Any, pictures: Pictures, tmp_path: Path, pump: Pump) -> None:
    opened: list[Path] = []
    compare = Compare(root, pictures, on_open=opened.append)
    compare.pack()
    pump()
    one, two = picture(tmp_path / "1.png", (64, 64)), picture(tmp_path / "2.png", (64, 64), "blue")
    compare.show(one, two, ("step 0", "step 9"))
    canvases = [child for child in everything(compare) if child.winfo_class() == "Canvas"]

    def pictures_in() -> int:
        items = [(canvas, item) for canvas in canvases for item in canvas.find_all() if canvas.type(item) == "image"]
        return sum(bool(canvas.itemcget(item, "image")) for canvas, item in items)

    pump(lambda: pictures_in() == 2)
    compare.focus_force()
    pump()
    compare.event_generate("<Right>")
    assert compare.share == pytest.approx(0.52)
    left, top = canvases[0].winfo_rootx(), canvases[0].winfo_rooty()
    for sequence, x in (("<Button-1>", 140), ("<B1-Motion>", 20), ("<ButtonRelease-1>", 20)):
        canvases[0].event_generate(sequence, x=x, y=20, rootx=left + x, rooty=top + 20, state=0x100)
    share = compare.share
    assert share < 0.2 and opened == []
    for sequence in ("<Button-1>", "<ButtonRelease-1>"):
        canvases[0].event_generate(sequence, x=90, y=20, rootx=left + 90, rooty=top + 20)
    assert opened == [two] and compare.share == share
    compare.show(None, None)
    pump()
    assert not pictures_in()


def test_a_picture_that_cannot_be_read_says_so(root: Any, pictures: Pictures, tmp_path: Path, pump: Pump) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"no picture")
    view = ImageView(root, pictures)
    view.pack()
    pump()
    view.show(torn)
    pump(lambda: [each.text for each in drawn_words(view)] == ["torn.png cannot be read as an image"])


def test_a_log_follows_its_end_until_the_reader_scrolls_away(root: Any, pump: Pump) -> None:
    log = LogView(root, lines=5)
    log.pack(fill="x")
    log.append([("info", f"line {number}") for number in range(200)])
    pump(lambda: log.at_end)
    log.text.yview_moveto(0.2)
    log.text.event_generate("<Button-4>")
    pump(lambda: not log.at_end)
    log.append([("error", "the disk is full")])
    pump()
    assert not log.at_end
    log.to_end()
    log.append([("info", "on")])
    pump(lambda: log.at_end)
    assert "the disk is full" in log.content()
    log.append([("detail", "x")] * 9000)
    assert len(log.content().splitlines()) <= 6001
