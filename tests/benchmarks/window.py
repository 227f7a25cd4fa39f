"""CPU milliseconds of the window's thread for what a person waits for.

    python -m tests.benchmarks.window            the parts, with an engine that only listens
    python -m tests.benchmarks.window --train    how late the loop is while the Starter trains, by the clock

Needs a screen (DISPLAY), such as an Xvfb, and keeps its settings in a folder of its own. Compile the modules before
(`python -m compileall app modules tests`) where Python writes none: that would be measured, too.
"""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BUDGETS = {
    "import": 250, "first paint": 250, "page complete (worst)": 400, "page switch (worst)": 20, "theme switch": 200,
    "search keystroke (worst)": 100, "preset list": 100, "1,000 events": 30, "a key in a form": 20,
    "10,000 images, open": 80, "10,000 images, a scroll frame": 2,
}  # fmt: skip
QUERIES = ("l", "le", "lea", "learning", "learning rate", "step", "every", "model")


def spent(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return (time.thread_time() - begun) * 1000


def main() -> None:
    figures: dict[str, float] = {}
    gc.disable()  # as `open_window` does until the window stands
    begun = time.thread_time()
    from app.gui.kit import App, Pictures
    from app.gui.shell.window import Window
    from tests.gui.contexts import context_at

    figures["import"] = (time.thread_time() - begun) * 1000
    with tempfile.TemporaryDirectory() as folder:
        begun = time.thread_time()
        app = App()
        context = context_at(Path(folder))
        context.app, context.pictures = app, Pictures(app, None)
        window = Window(context)
        window.show()
        app.update()
        figures["first paint"] = (time.thread_time() - begun) * 1000
        gc.enable()
        gc.freeze()
        figures |= measured(window)
        figures |= many_images(window, Path(folder))
        print("left behind by 50 dialogs:", left_behind(window) or "nothing")
        window.close()
    for name, figure in figures.items():
        budget = BUDGETS[name]
        print(f"{name:28}{figure:8.1f} ms   budget {budget:4}{'' if figure <= budget else '   OVER'}")
    print("torch in the window's process:", "torch" in sys.modules)


def measured(window: Any) -> dict[str, float]:  # noqa: C901, PLR0915  a list of what is measured
    from app.gui.kit import Popup, theme
    from app.gui.pages import PAGES
    from modules.messages import Progress

    app, context = window.app, window.context

    def whole(key: str) -> None:
        window.go(key)
        while not window.pages.front.whole:
            app.update()
        app.update()

    def switch(key: str) -> None:
        window.go(key)
        app.update()

    def search(text: str) -> None:
        window.search(text)
        app.update()

    def events() -> None:
        for step in range(1000):
            context.engine.inbox.put(Progress(step, 1000, 1, 1, [[step, 0.1]], 0.1, {"unet": 1e-4}, 2.0, 100.0))
        context.inbox.tick()
        window._refresh()

    def key() -> None:
        context.draft.type("training.batch_size", "7")
        window._refresh()
        app.update()

    def presets() -> None:
        window.top.preset.open()
        app.update()

    pages = {card.key: spent(lambda card=card: whole(card.key)) for card in PAGES}
    print("pages:", {name: round(figure) for name, figure in pages.items()})
    for card in PAGES:
        switch(card.key)
    switches = {card.key: spent(lambda card=card: switch(card.key)) for card in PAGES}
    print("switches:", {name: round(figure, 1) for name, figure in switches.items()})
    switch("training")
    figures = {"page complete (worst)": max(pages.values()), "page switch (worst)": max(switches.values())}
    figures["theme switch"] = spent(lambda: (theme.set("light"), app.update()))
    figures["a key in a form"] = spent(key)
    figures["search keystroke (worst)"] = max(spent(lambda text=text: search(text)) for text in QUERIES)
    window.go("training")
    figures["preset list"] = spent(presets)
    if Popup.open_now is not None:
        Popup.open_now.close()
    figures["1,000 events"] = spent(events)
    return figures


def many_images(window: Any, folder: Path) -> dict[str, float]:
    """The page Captions with 10,000 images: all that its thread does until the first screen stands, then the wheel."""
    from PIL import Image

    app, images = window.app, folder / "images"
    images.mkdir()
    Image.new("RGB", (64, 64), "teal").save(images / "0.png")
    data = (images / "0.png").read_bytes()
    for number in range(10_000):
        (images / f"{number}.png").write_bytes(data)
        (images / f"{number}.txt").write_text(f"robot, {number % 50}")
    window.context.draft.put("concepts", [])
    window.context.draft.add("concepts", {"path": str(images)})

    def until(done: Callable[[], object]) -> None:
        while not done():
            app.update()
            time.sleep(0.002)

    def open_() -> None:
        window.go("captions")
        until(lambda: len(window.pages.front.page.work.captions.all) == 10_000)
        app.update()

    def wheel() -> None:
        grid.wheel(3, False)
        app.update()

    figures = {"10,000 images, open": spent(open_)}
    grid = window.pages.front.page.grid_
    frames = sorted(spent(wheel) for _ in range(100))
    print(f"scroll frames: median {frames[50]:.2f}, p95 {frames[95]:.2f}")
    return {**figures, "10,000 images, a scroll frame": frames[50]}


def left_behind(window: Any) -> dict[str, int]:
    """What 50 dialogs leave: Tcl commands (a widget or a handler is one each), bindings of all, painters, timers."""
    from app.gui.kit import theme

    app = window.app

    def counted() -> dict[str, int]:
        call = app.tk.call
        bound = [str(call("bind", "all", sequence)) for sequence in app.tk.splitlist(call("bind", "all"))]
        return {
            "commands": len(app.tk.splitlist(call("info", "commands"))),
            "bindings": sum(len(lines.splitlines()) for lines in bound),
            "painters": len(theme.painted),
            "timers": len(app.tk.splitlist(call("after", "info"))),
        }

    def once() -> None:
        dialog = window.presets.save_as()
        while not dialog.winfo_viewable():
            app.update()
        dialog.close(None)
        app.update()

    window.go("general")
    for _ in range(3):
        once()
    before = counted()
    for _ in range(50):
        once()
    return {name: number - before[name] for name, number in counted().items() if number > before[name]}


def under_training(seconds: float = 20.0) -> None:
    """How late a timer of 10 ms is, with Live run in front, from the first step on."""
    os.environ["XDG_CONFIG_HOME"] = folder = tempfile.mkdtemp()
    from app.gui.shell.startup import opened

    window = opened()
    app, context = window.app, window.context
    context.draft.put("general.workspace", folder)
    window.go("run")
    window.job.start()
    while context.running.progress is None:
        app.update()
        time.sleep(0.005)
    late = lateness(app, seconds)
    print(
        f"lateness of the loop: p50 {late[len(late) // 2]:.1f} ms, p99 {late[len(late) * 99 // 100]:.1f} ms, ", end=""
    )
    print(f"worst {late[-1]:.1f} ms by the clock; step {context.running.progress.step}")
    window.job.stop()
    window.job.stop()
    window.leave()
    app.destroy()


def lateness(app: Any, seconds: float) -> list[float]:
    """Milliseconds that a timer of 10 ms came too late, in order of size."""
    late: list[float] = []
    due = time.perf_counter() + 0.01

    def tick() -> None:
        nonlocal due
        late.append((time.perf_counter() - due) * 1000)
        due = time.perf_counter() + 0.01
        app.after(10, tick)

    begun, spent_before = time.perf_counter(), time.thread_time()
    app.after(10, tick)
    app.after(round(seconds * 1000), app.quit)
    app.mainloop()
    share = (time.thread_time() - spent_before) / (time.perf_counter() - begun)
    print(f"the window's thread: {share:.1%} of a core")
    return sorted(late)


if __name__ == "__main__":
    under_training() if "--train" in sys.argv else main()
