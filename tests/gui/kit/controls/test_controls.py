"""Buttons, entries and choices: mouse, keyboard, what they tell, and what they do not."""

from collections.abc import Callable
from typing import Any

from app.gui.kit import (
    Button,
    Choice,
    Entry,
    FormRow,
    LinkButton,
    NavEntry,
    NavList,
    Option,
    PathEntry,
    Popup,
    Segmented,
    Slider,
    Switch,
    TextArea,
    events,
)
from app.gui.kit.base.tip import the_tip, tip_text

Pump = Callable[..., None]


def click(widget: Any, x: int = 4, y: int = 4) -> None:
    widget.event_generate("<ButtonPress-1>", x=x, y=y)
    widget.event_generate("<ButtonRelease-1>", x=x, y=y)


def press(widget: Any, key: str) -> None:
    widget.focus_force()
    widget.update()
    widget.event_generate(f"<KeyPress-{key}>")
    if widget.winfo_exists():
        widget.event_generate(f"<KeyRelease-{key}>")


def type_text(entry: Entry, text: str) -> None:
    entry.inner.focus_force()
    entry.update()
    for letter in text:
        entry.inner.event_generate(f"<KeyPress-{ {'.': 'period', '-': 'minus'}.get(letter, letter) }>")


def test_a_button_acts_on_release_inside_on_space_and_on_return(root: Any, pump: Pump) -> None:
    pressed: list[str] = []
    button = Button(root, "Start", lambda: pressed.append("x"))
    button.pack()
    pump()
    button.event_generate("<ButtonPress-1>", x=4, y=4)
    assert pressed == []
    button.event_generate("<ButtonRelease-1>", x=4, y=-50)
    assert pressed == [], "released outside means: thought better of it"
    click(button)
    press(button, "space")
    press(button, "Return")
    assert len(pressed) == 3


def test_a_disabled_button_says_why_and_does_nothing(root: Any, pump: Pump) -> None:
    pressed: list[str] = []
    button = Button(root, "Start", lambda: pressed.append("x"), hint="Starts the training")
    button.pack()
    pump()
    assert tip_text(button) == "Starts the training"
    button.disable("2 settings are wrong.")
    click(button)
    press(button, "space")
    assert pressed == []
    assert tip_text(button) == "2 settings are wrong."
    button.enable()
    click(button)
    assert pressed == ["x"]


def test_a_link_can_be_pressed_with_the_keyboard(root: Any, pump: Pump) -> None:
    pressed: list[str] = []
    link = LinkButton(root, "Show 2 advanced", lambda: pressed.append("x"))
    link.pack()
    pump()
    press(link, "Return")
    assert pressed == ["x"]


def test_an_entry_tells_once_when_typing_rests(root: Any, pump: Pump) -> None:
    told: list[str] = []
    entry = Entry(root, "1", on_change=told.append, rest_ms=40)
    entry.pack()
    pump()
    type_text(entry, "2")
    type_text(entry, "3")
    assert told == []
    pump(lambda: told)
    assert told == ["123"]
    entry.set("5")
    entry.flush()
    assert told == ["123"], "what the program sets is no news to it"


def test_an_entry_tells_at_once_when_the_focus_leaves(root: Any, pump: Pump) -> None:
    told: list[str] = []
    done: list[str] = []
    entry = Entry(root, "", on_change=told.append, on_done=done.append, rest_ms=60_000)
    other = Entry(root)
    entry.pack()
    other.pack()
    pump()
    type_text(entry, "7")
    other.inner.focus_force()
    pump(lambda: told)
    assert (told, done) == (["7"], ["7"])


def test_escape_brings_back_what_was_there_and_return_settles_it(root: Any, pump: Pump) -> None:
    told: list[str] = []
    entry = Entry(root, "8", on_change=told.append, rest_ms=0)
    entry.pack()
    pump()
    type_text(entry, "9")
    pump(lambda: told == ["89"])
    press(entry.inner, "Escape")
    assert (entry.get(), told[-1]) == ("8", "8")
    type_text(entry, "1")
    press(entry.inner, "Return")
    press(entry.inner, "Escape")
    assert entry.get() == "81"


def test_an_unchanged_entry_leaves_escape_to_the_window(root: Any, pump: Pump) -> None:
    heard: list[str] = []
    entry = Entry(root, "8")
    entry.pack()
    root.bind("<Escape>", lambda _: heard.append("escape"))
    pump()
    press(entry.inner, "Escape")
    root.unbind("<Escape>")
    assert heard == ["escape"]


def test_a_placeholder_is_no_text(root: Any, pump: Pump) -> None:
    entry = Entry(root, placeholder="Search all settings", rest_ms=0)
    entry.pack()
    pump()
    assert entry.get() == ""
    label = next(child for child in entry.winfo_children() if child.winfo_class() == "Label")
    assert label.winfo_ismapped()
    type_text(entry, "a")
    pump(lambda: not label.winfo_ismapped())
    assert entry.get() == "a"
    entry.clear()
    pump(label.winfo_ismapped)


def test_a_disabled_entry_cannot_be_typed_into_but_can_be_set(root: Any, pump: Pump) -> None:
    entry = Entry(root, "1")
    entry.pack()
    pump()
    entry.disable("Not while training.")
    type_text(entry, "2")
    assert entry.get() == "1"
    entry.set("3")
    assert entry.get() == "3"
    assert tip_text(entry) == "Not while training."
    entry.disable("")
    type_text(entry, "4")
    assert "4" in entry.get()


def test_a_switch_turns_with_the_mouse_and_the_keyboard(root: Any, pump: Pump) -> None:
    told: list[bool] = []
    switch = Switch(root, False, told.append)
    switch.pack()
    pump()
    click(switch)
    press(switch, "space")
    assert told == [True, False]
    switch.set(True)
    assert told == [True, False]
    switch.disable("No")
    click(switch)
    assert switch.get() is True


def test_a_choice_opens_a_list_and_tells_what_was_picked(root: Any, pump: Pump) -> None:
    told: list[Any] = []
    choice = Choice(
        root, [Option(1, "one"), Option(2, "two"), Option(3, "three", reason="Needs a card")], 1, told.append
    )
    choice.pack(fill="x")
    pump()
    choice.focus_force()
    press(choice, "Return")
    shown = Popup.open_now
    assert shown is not None
    press(shown.list, "Down")
    press(shown.list, "Return")
    pump()
    assert Popup.open_now is None
    assert (told, choice.get()) == ([2], 2)
    assert root.focus_get() is choice
    press(choice, "Down")
    assert choice.get() == 2, "what cannot be chosen is passed over"
    press(choice, "Up")
    assert told == [2, 1]


def test_a_long_choice_can_be_searched(root: Any, pump: Pump) -> None:
    told: list[Any] = []
    choice = Choice(root, [f"model {number}" for number in range(500)], "model 3", told.append)
    choice.pack(fill="x")
    pump()
    choice.open()
    shown = Popup.open_now
    assert shown is not None and shown.entry is not None
    type_text(shown.entry, "499")
    pump(lambda: shown.list.shown == [Option("model 499", "model 499")])
    press(shown.entry.inner, "Return")
    assert told == ["model 499"]


def test_escape_and_a_click_elsewhere_close_a_list_without_picking(root: Any, pump: Pump) -> None:
    told: list[Any] = []
    choice = Choice(root, ["a", "b"], "a", told.append)
    other = Button(root, "Other")
    choice.pack(fill="x")
    other.pack(side="bottom")
    pump()
    choice.open()
    assert Popup.open_now is not None
    press(Popup.open_now.list, "Escape")
    assert Popup.open_now is None
    choice.open()
    click(other)
    assert Popup.open_now is None
    assert told == []


def test_segments_are_chosen_with_arrows_and_clicks(root: Any, pump: Pump) -> None:
    told: list[Any] = []
    segmented = Segmented(root, ["off", "on", "offload to RAM"], "off", told.append, width=400)
    segmented.pack()
    pump()
    press(segmented, "Right")
    click(segmented, x=segmented.winfo_width() - 5)
    assert told == ["on", "offload to RAM"]
    passed = Segmented(root, ["a", Option("b", "b", reason="cannot be"), "c"], "a", told.append)
    passed.pack()
    pump()
    press(passed, "Right")
    assert passed.get() == "c", "past one that cannot be chosen"


def test_the_wheel_never_changes_a_setting(root: Any, pump: Pump) -> None:
    told: list[Any] = []
    slider = Slider(root, 0, 10, 5, told.append)
    choice = Choice(root, ["a", "b", "c"], "b", told.append)
    slider.pack()
    choice.pack()
    pump()
    for widget in (slider, choice):
        for button in ("<Button-4>", "<Button-5>"):
            widget.event_generate(button, x=3, y=3)
    assert told == []
    press(slider, "Right")
    assert told == [6]


def test_text_of_several_lines_undoes_its_own_and_then_lets_the_window_undo(root: Any, pump: Pump) -> None:
    heard: list[str] = []
    told: list[str] = []
    area = TextArea(root, "one", on_change=told.append, rest_ms=0)
    area.pack()
    root.bind("<Control-z>", lambda _: heard.append("undo"))
    pump()
    area.inner.focus_force()
    area.inner.insert("end", " two")
    pump(lambda: told == ["one two"])
    area.inner.event_generate("<Control-z>")
    pump(lambda: told[-1] == "one")
    assert heard == []
    area.inner.event_generate("<Control-z>")
    root.unbind("<Control-z>")
    assert heard == ["undo"]


def test_a_path_is_typed_or_set(root: Any, pump: Pump) -> None:
    told: list[str] = []
    path = PathEntry(root, "~/a", what="model", on_change=told.append)
    path.pack(fill="x")
    pump()
    assert len(path.buttons) == 2
    path.set("~/b")
    assert (path.get(), told) == ("~/b", [])
    path.invalid(True)
    path.disable("No")
    assert tip_text(path.buttons[0]) == "No"


def test_a_row_shows_what_changed_and_what_is_wrong_in_words(root: Any, pump: Pump) -> None:
    resets: list[int] = []
    row = FormRow(root, "Batch size", words="How many at once", unit="images", on_reset=lambda: resets.append(1))
    row.put(Entry(row, "0"))
    row.pack(fill="x")
    pump()
    high = row.winfo_reqheight()
    row.error("Must be at least 1")
    pump()
    texts = [str(child.cget("text")) for child in row.winfo_children() if child.winfo_class() == "Label"]
    assert "Must be at least 1" in texts
    assert row.winfo_reqheight() > high
    row.error("")
    row.changed(True)
    pump()
    assert row.winfo_reqheight() == high
    arrow = next(child for child in row.winfo_children() if isinstance(child, Button))
    click(arrow)
    assert resets == [1]
    row.changed(False)
    pump()
    assert not arrow.winfo_ismapped()
    assert tip_text(row.label) == "How many at once"


def test_navigation_goes_with_the_arrows_and_refuses_what_does_not_apply(root: Any, pump: Pump) -> None:
    chosen: list[str] = []
    pages = [NavEntry("a", "General", "box"), NavEntry("b", "Model", "box"), NavEntry("c", "Run", "box", line=True)]
    navigation = NavList(root, pages, chosen.append)
    navigation.pack()
    navigation.disable("c", "Nothing is running.")
    navigation.badge("b", changed=2, wrong=1)
    pump()
    press(navigation.rows["a"], "Down")
    pump()
    assert root.focus_get() is navigation.rows["b"]
    press(navigation.rows["b"], "Return")
    click(navigation.rows["c"])
    assert chosen == ["b"]
    assert tip_text(navigation.rows["c"]) == "Nothing is running."
    assert tip_text(navigation.rows["b"]) == "1 to fix, 2 changed from the preset"


def test_everything_can_be_reached_with_tab(root: Any, pump: Pump) -> None:
    made = [
        Button(root, "a"), LinkButton(root, "b", lambda: None), Entry(root), Switch(root), Choice(root, ["x"], "x"),
        Segmented(root, ["x", "y"], "x"), Slider(root, 0, 1, 0), TextArea(root),
    ]  # fmt: skip
    for widget in made:
        widget.pack()
    pump()
    wanted = [str(getattr(widget, "inner", widget)) for widget in made]
    reached: list[str] = []
    at: Any = root
    for _ in range(len(made) + 2):
        at = at.tk_focusNext()
        reached.append(str(at))
    assert [path for path in wanted if path not in reached] == []


def test_a_ring_is_shown_for_the_keyboard_only(root: Any, pump: Pump) -> None:
    switch = Switch(root)
    switch.pack()
    pump()
    events.by_keyboard = False
    switch.focus_force()
    pump()
    quiet = str(switch.cget("highlightcolor"))
    root.focus_force()
    pump()
    events.by_keyboard = True
    switch.focus_force()
    pump()
    assert str(switch.cget("highlightcolor")) != quiet


def test_ctrl_return_is_the_windows_even_on_a_button(root: Any, pump: Pump) -> None:
    pressed: list[str] = []
    button = Button(root, "Theme", lambda: pressed.append("button"))
    button.pack()
    kept = root.bind("<Control-Return>")
    root.bind("<Control-Return>", lambda _: pressed.append("window"))
    pump()
    button.focus_force()
    button.update()
    button.event_generate("<Control-Return>")
    root.bind("<Control-Return>", kept or "")
    assert pressed == ["window"]


def test_a_list_is_wide_enough_for_its_words(root: Any, pump: Pump) -> None:
    options = [Option(1, "Robot LoRA 2", "finished at step 300, just now"), Option(2, "Robot", "stopped")]
    choice = Choice(root, options, 1, width=100)
    choice.pack()
    pump(choice.winfo_ismapped)
    opened = choice.open()
    assert opened is not None
    assert opened.winfo_reqwidth() <= choice.winfo_width() < opened.list.wanted
    pump(lambda: opened.winfo_width() >= opened.list.wanted)
    opened.close()
    choice.destroy()


def test_a_click_puts_the_tip_away(root: Any, pump: Pump) -> None:
    button = Button(root, "Start", hint="Ctrl+Return")
    button.pack()
    pump(button.winfo_ismapped)
    button.event_generate("<Enter>")
    pump(lambda: the_tip.shown == "Ctrl+Return")
    click(button)
    assert the_tip.shown == ""
    button.destroy()
