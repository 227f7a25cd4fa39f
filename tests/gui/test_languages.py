"""In another language every page, dialog, list and line of the window speaks it, and nothing is cut off at 1280x800."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.check.findings import checks_for
from app.gui.context import AppContext
from app.gui.kit import Choice, Popup, Toast
from app.gui.pages import PAGES
from app.gui.run import dialogs
from app.gui.run_control import Resumable
from app.gui.session.engine_client import EngineDied
from app.gui.tools.folders import cache_of
from modules.catalog import FAMILIES
from modules.check.trained.answers import answer
from modules.language import use
from modules.masking.kinds import BACKGROUND, FACES
from modules.messages import BackupSaved, Failed, Finding, Finished, ModelSaved, Paused, Progress, Stage, Started, note
from modules.preset.validate import all_settings
from modules.sentences.problem import Problem, problem
from modules.system.bundled import ROOT
from tests.gui.conftest import Pump
from tests.gui.contexts import context_at
from tests.gui.person import Person, Seen, below, box_of, in_view, tip_of, words_of
from tests.gui.pseudo import PSEUDO

# The same in every language: names of programs and of parts of a computer, keys, units.
NAMES = (
    "Seachange",
    "Robot",
    "TensorBoard",
    "RAM",
    "CPU",
    "VRAM",
    "CUDA",
    "Return",
    "Shift",
    "Ctrl",
    "Alt",
    "Escape",
    "ValueError",
    "LoRA",
    "CLIP",
)
FIRST = re.compile(r"(?<=[a-z])\.\d+(?=\.)")  # each entry of a list has the settings of the first
CODE = re.compile(r"\{[^{}]*\}|\b[\w\\]*[_\d\\][\w\\]*(\.[\w\\]+)*|\b\w+(\.\w+)*\.\d+(\.\w+)*")
LASTS = 5  # seconds until all is laid out, on a machine with much to do
AWAY = -5000  # cells of a grid that are not used lie there


@pytest.fixture
def context(root: Any, tmp_path: Path) -> Iterator[AppContext]:
    from app.gui.kit import Pictures

    use(PSEUDO)
    made = context_at(tmp_path)
    made.app, made.pictures = root, Pictures(root, None)
    yield made
    use(None)


@pytest.fixture
def window(context: AppContext, root: Any, pump: Pump, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from app.gui.shell.window import Window

    hears = root.on_error
    made = Window(context)
    root.on_error = hears
    monkeypatch.setattr(root, "destroy", lambda: None)
    made.show()
    pump()
    yield made
    monkeypatch.undo()
    made.leave()


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from strings(inner)


def data(context: AppContext) -> list[str]:
    """What a person or a file says, and no sentence of the window; the longest first."""
    entries = context.library.entries()
    files = [path for path in (ROOT / "resources" / "starter").rglob("*") if path.is_file()]
    captions = [line for path in files if path.suffix == ".txt" for line in path.read_text("utf-8").splitlines()]
    found = {
        *strings(context.draft.values),
        *(text for entry in entries if entry.preset for text in strings(entry.values)),
        *(text for entry in entries for text in (entry.name, entry.group, entry.note, entry.path.stem)),
        *(name for card in FAMILIES.values() for name in (*card.examples, card.title)),
        *(prompt for card in FAMILIES.values() for row in card.known for prompt in row.prompts),
        *(part.title for card in FAMILIES.values() for part in card.components),
        *(setting.path for setting in all_settings()),
        *(model.title for model in (*BACKGROUND, *FACES)),
        *(
            text
            for path in (context.library.own, context.project.path.parent, cache_of(context))
            for text in (str(path), path.name)
        ),
        *(path.name for path in files),
        *captions,
        *(tag.strip() for line in captions for tag in line.split(",")),
        *NAMES,
    }
    return sorted((text for text in found if text), key=len, reverse=True)


def plain(text: str, known: list[str]) -> list[str]:
    """Words of plain English in it. Data that was shortened with "…" is still data; so are braces and names of code."""
    text = FIRST.sub(".0", text)
    parts = [part for part in re.split(r"(?<=…)|\s{2,}|\n| · | → ", text) if part]
    rest = " ".join(part for part in parts if not (part.endswith("…") and shortened(part[:-1].strip(), known)))
    for each in sorted(known, key=len, reverse=True):
        if len(each) > 2:
            rest = rest.replace(each, "")
    return re.findall(r"[A-Za-z]{3,}", CODE.sub("", rest))


def shortened(start: str, known: list[str]) -> bool:
    return any(each.startswith(start) for each in known)


def is_data(seen: Seen) -> bool:
    """What stands in an entry or in a text that can be edited is the person's; a log is not."""
    kind = seen.widget.winfo_class()
    return kind == "Entry" or (kind == "Text" and str(seen.widget.cget("state")) == "normal")


def cut(seen: Seen) -> bool:
    """Whether a part of it cannot be read: shortened, wider than its widget, or wider than what that lies in."""
    widget, left, right = seen.widget, seen.box[0], seen.box[2]
    if seen.text.count("«") != seen.text.count("»"):
        return True
    if widget.winfo_class() == "Label":
        if widget.winfo_reqwidth() > widget.winfo_width() + 1 or widget.winfo_reqheight() > widget.winfo_height() + 1:
            return True
    elif widget.winfo_class() == "Canvas":
        around = box_of(widget)
        if left < around[0] - 1 or right > around[2] + 1:
            return True
    part = in_view(seen)
    return part is not None and part[2] - part[0] < right - left - 1


def faults(front: Any, known: list[str]) -> list[str]:
    """What is wrong with anything that stands in it, tips included."""
    found: list[str] = []
    tips = [tip_of(widget) for widget in below(front)]
    told = " ".join(tips)
    for seen in words_of(front):
        if seen.box[0] < AWAY or is_data(seen):
            continue
        if words := plain(seen.text, known):
            found.append(f"plain {words}: {seen.text[:120]!r}")
        hinted = seen.text.rstrip("»") in told  # what an entry is for, in full in its tip
        if "«" in seen.text and cut(seen) and not hinted:
            found.append(f"cut off: {seen.text[:120]!r}")
    for text in tips:
        if words := plain(text, known):
            found.append(f"plain in a tip {words}: {text[:160]!r}")
    return found


def faults_left(front: Any, known: list[str], pump: Pump) -> list[str]:
    """What is still wrong once all is in its place: words are cut again when their widget gets its width."""
    end = time.monotonic() + LASTS
    while (found := faults(front, known)) and time.monotonic() < end:
        settle(pump)
        time.sleep(0.05)
    return found


def settle(pump: Pump) -> None:
    for _ in range(4):
        pump()


@pytest.mark.parametrize("key", [card.key for card in PAGES])
def test_every_page_speaks_it_whole_with_its_lists(window: Any, context: AppContext, pump: Pump, key: str) -> None:
    known = data(context)
    window.go(key)
    pump(lambda: window.pages.front.whole)
    settle(pump)
    assert faults_left(window.app, known, pump) == []
    for choice in [each for each in below(window.app) if type(each) is Choice]:
        opened = choice.open() if choice.winfo_exists() else None
        if opened is None:
            continue
        words = [text for each in opened.list.shown for text in (each.label, each.note, each.reason, each.group)]
        opened.close()
        assert [text for text in words if plain(text, known)] == []


def presets(window: Any) -> None:
    window.top.preset.open()


def one_preset(window: Any) -> None:
    window.presets.choose(next(entry for entry in window.context.library.entries() if entry.path.stem == "Robot full"))


def concept(window: Any) -> None:
    window.go("concepts")
    window.pages.front.finish()
    window.pages.front.page.open(0)


def layers(window: Any) -> None:
    from app.gui.form.layer_dialog import LayerDialog
    from modules.families.parts.layer_list import layer_lists

    context, engine = window.context, window.context.engine
    LayerDialog(context, "method.layers")
    for _ in range(2):  # its layers, then what they come to
        for query in [engine.asked.pop() for _ in list(engine.asked)]:
            engine.inbox.put(answer(query, layer_lists))
        context.inbox.tick()


def wizard(window: Any) -> None:
    from app.gui.form.prediction_wizard import PredictionWizard

    PredictionWizard(window.context)


def sample_now(window: Any) -> None:
    from app.gui.run.sample_now import SampleNowDialog

    SampleNowDialog(window.app, window.context)


def welcome(window: Any) -> None:
    from app.gui.shell.welcome import welcome as show

    show(window.context, lambda: None)


def continued(window: Any) -> None:
    from tests.gui.test_run_control import left_by

    left_by(window.context, window.context.library.own.parent, "Robot LoRA", step=12, end="stopped")
    window.start()


def fault(window: Any) -> None:
    dialogs.broken(window.app, ValueError, ValueError(), None)


def dead(window: Any) -> None:
    back = Resumable(window.context.library.own, 100, 140)
    dialogs.failed(window.app, EngineDied("", "", True), "train", back, lambda _: None, [])


OPENED: dict[str, Callable[[Any], object]] = {
    "presets": presets,
    "one preset": one_preset,
    "save as": lambda window: window.presets.save_as(),
    "copy for another program": lambda window: window.presets.copy_as(),
    "own presets": lambda window: window.presets.manage(),
    "help": lambda window: window.help(),
    "welcome": welcome,
    "concept": concept,
    "layers": layers,
    "wizard": wizard,
    "sample now": sample_now,
    "continue": continued,
    "close while training": lambda window: dialogs.ask_close(window.app, "train", lambda: None),
    "close and keep training": lambda window: dialogs.ask_close(window.app, "train", lambda: None, lambda: None),
    "close and keep going": lambda window: dialogs.ask_close(window.app, "cache", lambda: None, lambda: None),
    "close while busy": lambda window: dialogs.ask_close(window.app, "cache", lambda: None),
    "fault": fault,
    "dead engine": dead,
}


@pytest.mark.parametrize("name", OPENED)
def test_every_dialog_speaks_it_whole(window: Any, context: AppContext, person: Person, pump: Pump, name: str) -> None:
    known = data(context)
    OPENED[name](window)
    pump(lambda: Popup.open_now is not None or person.dialog())
    settle(pump)
    front = Popup.open_now or person.front()
    assert faults_left(front, known, pump) == []
    if Popup.open_now is None:
        assert plain(front.title(), known) == []
        front.close(None)


def test_the_results_of_a_search_speak_it(window: Any, context: AppContext, pump: Pump) -> None:
    window.search("rate")
    settle(pump)
    assert faults_left(window.app, [*data(context), "“rate”"], pump) == []
    window.search("no such setting")
    settle(pump)
    assert faults_left(window.app, [*data(context), "no such setting"], pump) == []


def told(window: Any, pump: Pump, *events: Any) -> list[str]:
    """What is wrong on the screen after these events."""
    for event in events:
        window.context.engine.inbox.put(event)
    window.context.inbox.tick()
    settle(pump)
    known = [*data(window.context), "/runs/a", "robot.safetensors", "Reason of the engine"]
    return faults_left(window.app, known, pump)


def test_a_run_from_its_start_to_its_end_is_told_in_it(window: Any, context: AppContext, pump: Pump) -> None:
    window.go("run")
    pump(lambda: window.pages.front.whole)
    context.running.begin("train")
    assert told(window, pump, Stage("stage.reading-images", 3, 16)) == []
    assert told(window, pump, note(problem("sample.lora", file="/runs/a", count=3), level="warning")) == []
    progress = Progress(120, 600, 3, 20, [[1, 0.5], [120, 0.1]], 0.0912, {"denoiser": 1e-4}, 1.92, 5311)
    assert told(window, pump, Started("/runs/a", 600, 10, 60), progress, BackupSaved("/runs/a/backups/x", 100)) == []
    assert told(window, pump, Paused(120, "Free some space.", problems=[Problem("disk.full-advice")])) == []
    assert Toast.now is not None
    assert told(window, pump, ModelSaved("/runs/a/models/robot.safetensors", 600), Finished(600)) == []


def test_the_check_is_told_in_it(window: Any, context: AppContext, pump: Pump) -> None:
    window.go("check")
    pump(lambda: window.pages.front.whole)
    checks_for(context).run()
    assert told(window, pump, Stage("stage.reading-images", 3, 16)) == []
    values = {"whole": 60.0, "steps": 600, "step": 0.1, "energy": [], "source": Problem("time.measured"), "samples": []}
    bars = [(Problem("bar.steps"), 50.0), (Problem("bar.validation"), 10.0)]
    found = Finding("costs.time", "info", "training.steps", values, bars=bars, unit="seconds")
    assert told(window, pump, found, Finished()) == []
    pump(lambda: window.pages.front.page.cards and window.pages.front.page.cards[0].whole)
    assert told(window, pump) == []
    checks_for(context).run()
    assert told(window, pump, Failed("Reason of the engine")) == []


def test_what_is_done_with_concepts_and_settings_is_told_in_it(window: Any, context: AppContext, pump: Pump) -> None:
    window.go("concepts")
    window.pages.front.finish()
    page, folder = window.pages.front.page, context.library.own.parent
    known = [*data(context), folder.name]
    for act in (lambda: page.drop([folder]), lambda: page.drop([folder]), window.presets.reset, window.presets.copy):
        act()
        settle(pump)
        assert Toast.now is not None
        assert faults_left(Toast.now, known, pump) == []
        Toast.now.close()
