"""The window as a whole: colours, sizes, scrolling, dialogs, and nothing left behind."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.gui.kit import (
    Answer,
    Button,
    Card,
    Chart,
    Choice,
    Dialog,
    Entry,
    Label,
    Masonry,
    ScrollArea,
    Toast,
    ask,
    events,
    popup,
    the_tip,
    theme,
    tip,
    toast,
)
from app.gui.kit.base.root import EDGES
from app.gui.kit.base.theme import CURVES, ROLES
from app.gui.kit.controls.option_list import Option, fitting
from modules.system.bundled import ROOT
from modules.system.runtime import python_command
from tests.gui.conftest import left_behind

Pump = Callable[..., None]


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["dark", "light"])
def test_every_text_can_be_read_on_every_surface(mode: int) -> None:
    pairs = [(text, back) for text in ("text", "text2", "text3", "accent", "changed", "error", "good")
             for back in ("window", "card", "panel", "navigation")]  # fmt: skip
    pairs += [
        ("on_button", "button"),
        ("on_button", "danger"),
        ("on_button", "button_hover"),
        ("on_button", "danger_hover"),
    ]
    pairs += [("error", "error_soft"), ("changed", "changed_soft"), ("good", "good_soft"), ("text2", "hover")]
    pairs += [("text", "selection"), ("text", "input"), ("text3", "input")]
    pairs += [(text, "raised") for text in ("text", "text2", "text3")]
    weak = {pair: round(contrast(ROLES[pair[0]][mode], ROLES[pair[1]][mode]), 2) for pair in pairs}
    assert {pair: found for pair, found in weak.items() if found < 4.5} == {}
    assert contrast(ROLES["border"][mode], ROLES["card"][mode]) >= 3
    assert [curve for curve in CURVES if contrast(curve[mode], ROLES["card"][mode]) < 3] == []


def test_a_theme_recolours_everything_and_forgets_what_is_gone(root: Any, pump: Pump) -> None:
    label, entry = Label(root, "words"), Entry(root)
    label.pack()
    entry.pack()
    pump()
    theme.set("light")
    assert str(label.cget("fg")) == ROLES["text"][1]
    assert str(entry.inner.cget("bg")) == ROLES["input"][1]
    assert str(root.cget("bg")) == ROLES["window"][1]
    label.destroy()
    entry.destroy()
    assert not {id(label), id(entry), id(entry.inner)} & set(theme.painted)


def test_text_size_grows_fonts_and_controls_and_stays_within_limits(root: Any, pump: Pump) -> None:
    button = Button(root, "Start training")
    button.pack()
    pump()
    size, wide, high = theme.font("body").actual("size"), button.winfo_reqwidth(), button.winfo_reqheight()
    theme.zoom(150)
    pump()
    assert abs(int(theme.font("body").actual("size"))) > abs(int(size))
    assert button.winfo_reqwidth() > wide * 1.3
    assert button.winfo_reqheight() > high * 1.3
    theme.zoom(500)
    assert theme.percent == 175


def test_listeners_hear_of_changes_until_they_end(root: Any) -> None:
    heard: list[str] = []
    end = theme.listen(lambda: heard.append(theme.mode))
    theme.set("light")
    end()
    theme.set("dark")
    assert heard == ["light"]


def test_an_error_in_a_callback_reaches_the_window(root: Any, pump: Pump) -> None:
    seen: list[BaseException] = []
    root.on_error = lambda kind, error, trace: seen.append(error)
    root.after(0, [].pop)
    pump(lambda: seen)
    assert isinstance(seen[0], IndexError)


def test_a_timer_goes_on_after_an_error_and_can_be_ended(root: Any, pump: Pump) -> None:
    turns: list[int] = []
    root.on_error = lambda kind, error, trace: None

    def turn() -> None:
        turns.append(1)
        raise ValueError("once more")

    end = root.every(1, turn)
    pump(lambda: len(turns) > 2)
    end()
    done = len(turns)
    waited: list[int] = []
    root.after(30, lambda: waited.append(1))
    pump(lambda: waited)
    assert len(turns) == done


def test_the_clipboard_gives_back_what_was_copied(root: Any) -> None:
    root.copy("preset = 1")
    assert root.pasted() == "preset = 1"
    root.clipboard_clear()
    assert root.pasted() in ("", "preset = 1")


@pytest.mark.parametrize("geometry", ["1000x700+9000+9000", "1920x1200+0+0", "5000x5000-200-200", "nonsense"])
def test_the_window_fits_the_screen_with_title_bar_and_task_bar(root: Any, pump: Pump, geometry: str) -> None:
    root.show(geometry)
    pump()
    assert root.winfo_width() >= 960
    assert root.winfo_rootx() + root.winfo_width() <= root.winfo_screenwidth()
    assert root.winfo_rooty() + root.winfo_height() <= root.winfo_screenheight() - EDGES


def test_the_wheel_scrolls_what_lies_under_the_pointer(root: Any, pump: Pump) -> None:
    area = ScrollArea(root)
    area.pack(fill="both", expand=True)
    for number in range(80):
        Label(area.body, f"line {number}").pack(fill="x")
    pump(lambda: area.yview()[1] < 1)
    inside = area.body.winfo_children()[3]
    x, y = inside.winfo_rootx() + 5, inside.winfo_rooty() + 5
    inside.event_generate("<Button-5>", rootx=x, rooty=y, x=5, y=5)
    pump()
    assert area.yview()[0] > 0
    for _ in range(9):
        inside.event_generate("<Button-4>", rootx=x, rooty=y, x=5, y=5)
    pump()
    assert area.yview()[0] == 0


def test_a_page_that_fits_does_not_scroll(root: Any, pump: Pump) -> None:
    area = ScrollArea(root)
    area.pack(fill="both", expand=True)
    label = Label(area.body, "short")
    label.pack()
    pump()
    assert area.wheel(3, False) is False
    assert area.yview()[0] == 0


def test_the_focus_is_kept_in_view_when_it_goes_by_keyboard(root: Any, pump: Pump) -> None:
    area = ScrollArea(root)
    area.pack(fill="both", expand=True)
    made = [Button(area.body, f"b{number}") for number in range(80)]
    for button in made:
        button.pack()
    pump(lambda: area.yview()[1] < 1)
    events.by_keyboard = True
    made[70].focus_force()
    pump(lambda: area.yview()[0] > 0)
    top = made[70].winfo_rooty() - area.winfo_rooty()
    assert 0 <= top <= area.winfo_height() - made[70].winfo_height()


def test_cards_stand_in_one_column_or_two_and_close_gaps(root: Any, pump: Pump) -> None:
    cards = Masonry(root)
    cards.pack(fill="x")
    made = [Card(cards, f"Card {number}") for number in range(3)]
    for number, card in enumerate(made):
        Label(card.body, "\n" * (number * 4)).pack()
        cards.add(card)
    pump(lambda: len({card.winfo_x() for card in made}) == 2)
    root.geometry("960x800+0+0")
    cards.pack_configure(padx=200)
    pump(lambda: len({card.winfo_x() for card in made}) == 1)
    below = made[2].winfo_y()
    cards.hide(made[1])
    pump(lambda: made[2].winfo_y() < below and not made[1].winfo_ismapped())
    cards.show(made[1])
    pump(lambda: made[2].winfo_y() == below)


def test_a_tip_shows_on_hover_and_goes(root: Any, pump: Pump) -> None:
    label = Label(root, "Learning rate")
    label.pack()
    tip(label, lambda: "How far each step goes")
    pump()
    label.event_generate("<Enter>")
    pump(lambda: the_tip.shown == "How far each step goes")
    label.event_generate("<Leave>")
    pump()
    assert the_tip.shown == ""


def test_a_tip_waits_for_f1_where_the_keyboard_leads(root: Any, pump: Pump) -> None:
    entry = Entry(root)
    entry.pack()
    tip(entry, "How far each step goes", over=entry.inner)
    pump()
    events.by_keyboard = True
    entry.inner.focus_force()
    waited: list[int] = []
    root.after(600, lambda: waited.append(1))
    pump(lambda: waited)
    assert the_tip.shown == ""
    entry.inner.event_generate("<F1>")
    pump(lambda: the_tip.shown == "How far each step goes")


def test_a_toast_takes_back_and_there_is_one_at_most(root: Any, pump: Pump) -> None:
    undone: list[int] = []
    toast(root, "first")
    shown = toast(root, "Preset loaded", "Undo", lambda: undone.append(1))
    pump()
    assert sum(isinstance(child, Toast) for child in root.winfo_children()) == 1
    link = next(child for child in shown.winfo_children() if str(child.cget("cursor")) == "hand2")
    link.event_generate("<ButtonRelease-1>")
    pump()
    assert undone == [1]
    assert Toast.now is None


def test_a_dialog_answers_once_with_the_button_that_was_pressed(root: Any, pump: Pump) -> None:
    answers: list[Any] = []
    dialog = Dialog(root, "Stop?", "Really?", [Answer("No"), Answer("Stop", "stop", "danger")], answers.append)
    pump(dialog.winfo_viewable)
    dialog.buttons[1].press()
    assert answers == ["stop"]
    dialog = Dialog(root, "Stop?", "Really?", [Answer("No"), Answer("Stop", "stop")], answers.append)
    pump(dialog.winfo_viewable)
    dialog.event_generate("<Escape>")
    assert answers == ["stop", None]
    dialog.close("late")
    assert answers == ["stop", None]


def test_a_toast_that_offers_something_stays_longer(root: Any) -> None:
    from app.gui.kit import LinkButton
    from app.gui.kit.layout.toast import OFFERS_MS, STAYS_MS

    done: list[str] = []
    assert toast(root, "done").stays == STAYS_MS
    shown = toast(root, "done", "Undo", lambda: done.append("undo"), more=[("Try it", lambda: done.append("try"))])
    assert shown.stays == OFFERS_MS > STAYS_MS
    links = [child for child in shown.winfo_children() if isinstance(child, LinkButton)]
    assert [str(link.cget("text")) for link in links] == ["Undo", "Try it"]
    links[1].press()
    assert done == ["try"] and Toast.now is None


def test_a_dialog_stays_open_while_its_check_says_no(root: Any, pump: Pump) -> None:
    dialog = Dialog(root, "Name", answers=[Answer("Cancel"), Answer("Save", "save")], check=lambda _: False)
    pump(dialog.winfo_viewable)
    dialog.buttons[1].press()
    assert dialog.winfo_exists()
    dialog.buttons[0].press()
    assert not dialog.winfo_exists()


def test_a_question_can_be_waited_for(root: Any) -> None:
    def answer() -> None:
        dialog = next(child for child in root.winfo_children() if isinstance(child, Dialog))
        if dialog.winfo_viewable():
            dialog.buttons[0].press()
        else:
            root.after(5, answer)

    root.after(5, answer)
    assert ask(root, "Delete?", "For good?", [Answer("Delete", "delete", "danger")]) == "delete"


def test_opening_and_closing_leaves_no_handler_and_no_widget_behind(root: Any, pump: Pump) -> None:
    def state() -> dict[str, int]:
        handlers = sum(len(str(root.bind_all(sequence))) for sequence in root.bind_all())
        commands = len(root.tk.splitlist(root.tk.call("info", "commands")))
        return {"handlers": handlers, "painted": len(theme.painted), "widgets": len(root.winfo_children()),
                "commands": commands, "clicks": len(events._clicks)}  # fmt: skip

    choice = Choice(root, [f"o{number}" for number in range(30)], "o1")
    choice.pack(fill="x")

    def once() -> None:
        dialog = Dialog(root, "Stop?", "Really?", [Answer("No"), Answer("Stop", "stop")])
        entry = Entry(dialog.body, "x", placeholder="Name")
        entry.pack()
        pump()
        dialog.close(None)
        choice.open()
        pump()
        choice.open()
        toast(root, "done").close()
        pump()

    once()
    assert left_behind(once, state) == {}


def test_a_popup_with_a_footer_closes_from_there(root: Any, pump: Pump) -> None:
    button = Button(root, "Preset")
    button.pack(anchor="w")
    pump()
    shown = popup(
        button, [Option(1, "SDXL", "8 settings differ")], lambda _: None, search="Search presets", width=456,
        footer=lambda frame, close: Button(frame, "Open file", close).pack(),
    )  # fmt: skip
    pump()
    assert shown is not None and shown.winfo_width() >= 456
    assert popup(button, [], lambda _: None) is None, "the same again closes it"
    assert not shown.winfo_exists()


def test_words_are_cut_to_fit(root: Any) -> None:
    cut = fitting("a rather long name of a model", 80, "body")
    assert cut.endswith("…")
    assert theme.font("body").measure(cut) <= 80
    assert fitting("short", 80, "body") == "short"


def test_a_chart_draws_zooms_and_reads_out(root: Any, pump: Pump) -> None:
    chart = Chart(root, width=600, height=300)
    chart.pack()
    loss, rate = chart.series("loss"), chart.series("rate", second=True)
    pump(
        lambda: (
            "appears here"
            in str([chart.itemcget(item, "text") for item in chart.find_all() if chart.type(item) == "text"])
        )
    )
    loss.add(range(5000), [1 / (1 + step / 100) for step in range(5000)])
    rate.add(range(5000), [1e-4] * 5000)
    chart.redraw()
    pump(lambda: sum(chart.type(item) == "line" for item in chart.find_all()) >= 3)
    chart.event_generate("<Motion>", x=300, y=100)
    read = [chart.itemcget(item, "text") for item in chart.find_withtag("pointer") if chart.type(item) == "text"]
    assert "loss" in read[0] and "mean" in read[0] and "step" in read[0]
    chart.event_generate("<ButtonPress-1>", x=200, y=100)
    chart.event_generate("<ButtonRelease-1>", x=300, y=100)
    assert chart.zoomed
    chart.log(True)
    pump()
    chart.view()
    assert not chart.zoomed


PROBE = """
import sys
import app.gui.kit
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "numpy", "matplotlib"}))
"""


def test_the_kit_starts_without_torch_and_without_numpy() -> None:
    ran = subprocess.run(python_command("-c", PROBE), cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_a_screen_it_says_so(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("every Windows and every Mac has a screen")
    code = "from app.gui.kit import App, NoDisplay\ntry:\n    App()\nexcept NoDisplay as error:\n    print(error)"
    ran = subprocess.run(
        python_command("-c", code), cwd=ROOT, capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "No window can be opened" in ran.stdout
    assert not (tmp_path / ".fonts" / "CustomTkinter_shapes_font.otf").exists(), (
        "no font is copied: it kills other windows"
    )


def test_only_the_kit_knows_tkinter() -> None:
    kit = ROOT / "app" / "gui" / "kit"
    others = [
        path for folder in ("app", "modules") for path in (ROOT / folder).rglob("*.py") if kit not in path.parents
    ]
    assert [
        str(path) for path in others if "import tkinter" in (text := path.read_text("utf-8")) or "from tkinter" in text
    ] == []
