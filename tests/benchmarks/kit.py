"""CPU milliseconds of the window's thread for what the kit is asked to do; compare with the budgets of the window.

    python -m tests.benchmarks.kit

Needs a screen (DISPLAY), such as an Xvfb. Times are CPU time of the main thread: other load does not count.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from app.gui.kit import (
    App,
    Button,
    Card,
    Cell,
    Chart,
    Choice,
    Compare,
    Dialog,
    Entry,
    FormRow,
    Label,
    LogView,
    Masonry,
    Pictures,
    ScrollArea,
    Segmented,
    Slider,
    Switch,
    TextArea,
    VirtualGrid,
    theme,
)


def cost(act: Callable[[], object], times: int = 1) -> float:
    start = time.thread_time()
    for _ in range(times):
        act()
    return (time.thread_time() - start) * 1000 / times


def report(what: str, milliseconds: float) -> None:
    print(f"{what:<58}{milliseconds:9.2f} ms")


def main() -> None:
    report("imports, up to here", time.thread_time() * 1000)
    made: list[App] = []

    def start() -> None:
        made.append(App())
        made[0].show("1280x800+0+0")
        made[0].update()

    report("an empty window", cost(start))
    app = made[0]
    widgets(app)
    forms(app)
    charts(app)
    with tempfile.TemporaryDirectory() as folder:
        grids(app, Path(folder))
    dialogs(app)


def widgets(app: App) -> None:
    makers: dict[str, Callable[[Any], Any]] = {
        "Label": lambda master: Label(master, "Learning rate"),
        "Entry": lambda master: Entry(master, "0.0003"),
        "Choice": lambda master: Choice(master, ["a", "b", "c"], "a"),
        "Segmented": lambda master: Segmented(master, ["off", "on", "offload"], "on"),
        "Switch": lambda master: Switch(master, True),
        "Slider": lambda master: Slider(master, 0, 1, 0.5),
        "Button": lambda master: Button(master, "Start"),
        "TextArea": lambda master: TextArea(master, "words"),
        "FormRow with Entry": row,
    }
    for name, make in makers.items():
        area = ScrollArea(app)
        area.pack(fill="both", expand=True)

        def many(make: Callable[[Any], Any] = make, area: ScrollArea = area) -> None:
            for _ in range(100):
                make(area.body).pack(fill="x")
            app.update()

        report(f"{name}: one, created and laid out (of 100)", cost(many) / 100)
        area.destroy()


def row(master: Any) -> FormRow:
    made = FormRow(master, "Learning rate", words="How far each step goes", unit="steps", on_reset=lambda: None)
    made.put(Entry(made, "0.0003"))
    return made


def forms(app: App) -> None:
    area = ScrollArea(app)

    def build() -> None:
        area.pack(fill="both", expand=True)
        cards = Masonry(area.body)
        cards.pack(fill="x")
        for number in range(14):
            card = Card(cards, f"Section {number}", action="Show 2 advanced")
            for _ in range(10):
                row(card.body).pack(fill="x")
            cards.add(card)
        app.update()
        app.update()

    report("a page of 140 fields in 14 cards, complete", cost(build))

    def switch() -> None:
        theme.set("light" if theme.mode == "dark" else "dark")
        app.update()

    switch()
    switch()
    report("  theme switch (colours seen before)", cost(switch, 6))
    report("  text size", cost(lambda: (theme.zoom(110), app.update())))
    theme.zoom(100)
    app.update()
    widths = iter(range(1280, 1000, -7))
    report("  one step of a resize (of 40)", cost(lambda: (app.geometry(f"{next(widths)}x800"), app.update()), 40))
    report("  one notch of the wheel", cost(lambda: (area.wheel(1, False), app.update()), 40))
    area.destroy()


def charts(app: App) -> None:
    app.geometry("1280x800")
    for count in (1_000, 10_000, 100_000):
        chart = Chart(app, width=760, height=340)
        chart.pack()
        curve = chart.series("loss")
        curve.add(range(count), [1 / (1 + step / 500) + math.sin(step * 12.9898) / 20 for step in range(count)])
        app.update()

        def draw(chart: Chart = chart) -> None:
            chart.redraw()
            app.update()

        report(f"chart with {count:,} points, drawn", cost(draw, 10))
        chart.destroy()
    log = LogView(app)
    log.pack()
    app.update()
    report("log, 50 lines", cost(lambda: log.append([("info", "step 1,500  loss 0.0964")] * 50), 20))
    log.destroy()


def grids(app: App, folder: Path) -> None:
    files: list[Path] = []
    for number in range(120):
        files.append(folder / f"{number}.jpg")
        Image.effect_noise((640, 640), number).convert("RGB").save(files[-1])
    pictures = Pictures(app, folder / "thumbs")
    grids_made: list[VirtualGrid] = []

    def paint(cell: Cell, index: int) -> None:
        cell.words(0, f"img_{index:05}.jpg")
        path = files[index % len(files)]
        cell.image(pictures.thumb(path, cell.picture_size, lambda _: grids_made[0].refresh(index)))

    def show() -> None:
        grids_made.append(VirtualGrid(app, paint))
        grids_made[0].pack(fill="both", expand=True)
        grids_made[0].show(10_000)
        app.update()

    report("10,000 images, open", cost(show))
    grid = grids_made[0]
    settle(app, 1.5)
    report("  a notch of the wheel, cold", cost(lambda: (grid.wheel(1, False), app.update()), 60))
    settle(app, 1.5)
    grid.yview_moveto(0)
    settle(app, 1.0)
    report("  a notch of the wheel, warm", cost(lambda: (grid.wheel(1, False), app.update()), 60))
    grid.destroy()
    comparing(app, pictures, files)
    pictures.close()


def comparing(app: App, pictures: Pictures, files: list[Path]) -> None:
    compare = Compare(app, pictures, size=480)
    compare.pack()
    compare.show(files[0], files[1])
    settle(app, 1.0)
    shares = iter(range(1000))
    report("before and after, one move", cost(lambda: (compare.move(next(shares) % 100 / 100), app.update()), 100))
    compare.destroy()


def settle(app: App, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        app.update()
        time.sleep(0.005)


def dialogs(app: App) -> None:
    before = len(app.tk.splitlist(app.tk.call("info", "commands"))), len(theme.painted)

    def once() -> None:
        dialog = Dialog(app, "Stop?", "Really?")
        Entry(dialog.body).pack()
        app.update()
        dialog.close(None)

    report("a dialog, opened and closed (of 50)", cost(once, 50))
    after = len(app.tk.splitlist(app.tk.call("info", "commands"))), len(theme.painted)
    print(f"left behind by them: {after[0] - before[0]} commands, {after[1] - before[1]} painted widgets")


if __name__ == "__main__":
    main()
