"""What the window's logic costs, in CPU milliseconds: python -m tests.benchmarks.window_logic"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from app.gui.captions.files import Caption
from app.gui.captions.store import CaptionStore, Filter
from app.gui.draft.autosave import Project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import Library, change_of
from app.gui.session.engine_client import WindowEvent
from app.gui.session.inbox import Inbox
from app.gui.session.run_history import Runs
from app.search.search import search
from modules.messages import Finished, Note, Progress
from modules.preset.files import store
from modules.system.bundled import ROOT
from modules.wire import decode, encode

ROBOT = ROOT / "presets" / "Starter" / "Robot LoRA.json"


def cpu(work: Callable[[], object], times: int = 20) -> float:
    work()
    start = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - start) / times * 1000


def line(what: str, ms: float, budget: str = "") -> None:
    print(f"{what:<58}{ms:>9.3f} ms   {budget}")


def keystrokes() -> None:
    for concepts in (1, 200, 2000):
        draft = Draft(store.read(ROBOT))
        for number in range(concepts - 1):
            draft.add("concepts", {"path": f"/images/{number}"})
        numbers = count(1)

        def key(draft: Draft = draft, numbers: count[int] = numbers) -> None:
            draft.type("training.batch_size", str(next(numbers) % 4000 + 1))
            draft.errors()
            draft.freeze()
            draft.changed_counts()

        line(f"keystroke: type, errors, freeze, counts; {concepts} concepts", cpu(key), "budget 20")
    line("search", cpu(lambda: search("learning rate"), 200), "budget 1")


def presets() -> None:
    draft = Draft(store.read(ROBOT))
    start = time.thread_time()
    library = Library(Path("/nowhere"))
    entries = library.entries()
    line(f"{len(entries)} presets listed for the first time", (time.thread_time() - start) * 1000)
    line("... again", cpu(library.entries))
    line("... and counted against a draft", cpu(lambda: [change_of(draft, entry) for entry in library.entries()]))


def events() -> None:
    inbox = Inbox(SimpleQueue[WindowEvent]())
    lines = [encode(Progress(n, 1000, 1, 1, [[n, 0.1]]) if n % 5 else Note("a line")) for n in range(1000)]
    line("1,000 events decoded (in the reader's thread)", cpu(lambda: [decode(text) for text in lines]))

    def drain() -> None:
        for n in range(1000):
            inbox._queue.put(Progress(n, 1000, 1, 1, [[n, 0.1]]) if n % 5 else Note("a line"))
        inbox.tick()

    line("1,000 events put and drained", cpu(drain), "budget 30")


def runs(folder: Path) -> None:
    for number in range(200):
        run = folder / f"run {number}"
        run.mkdir()
        store.write_project(store.read(ROBOT), run / "preset.json")
        told = [Progress(n, 600, 1, 1, [[n, 0.1]], rates={"denoiser": 1e-4}) for n in range(600)]
        (run / "events.jsonl").write_text("".join(f"{encode(e)}\n" for e in [*told, Finished(600)]), encoding="utf-8")
    all_runs = Runs(folder)
    start = time.thread_time()
    found = all_runs.list()
    line("200 runs listed", (time.thread_time() - start) * 1000)
    start = time.thread_time()
    for run in found:
        _ = run.summary
    line("... with a line each", (time.thread_time() - start) * 1000)
    line("... again", cpu(lambda: [run.summary for run in all_runs.list()]))
    start = time.thread_time()
    found[0].records.update()
    line("600 steps of losses read", (time.thread_time() - start) * 1000)


def captions() -> None:
    text = b"a photo of a robot, red, smiling, outdoors, 4k"
    held = CaptionStore([Caption(0, Path(f"{n}.png"), f"{n}.png", Path(f"{n}.txt"), text) for n in range(10_000)])
    held.matching(Filter(text="robot"))
    line("10,000 captions filtered", cpu(lambda: held.matching(Filter(text="robot red"))))
    held.tags()
    line("... their tags counted", cpu(held.tags))


def main() -> None:
    keystrokes()
    presets()
    events()
    captions()
    with TemporaryDirectory() as folder:
        runs(Path(folder))
    with TemporaryDirectory() as folder:
        project, draft, numbers = Project.open(Path(folder)), Draft(store.read(ROBOT)), count(1)

        def save() -> None:
            draft.put("training.steps", next(numbers))
            project.save(draft)

        line("project saved", cpu(save))
        project.close(draft)


if __name__ == "__main__":
    main()
