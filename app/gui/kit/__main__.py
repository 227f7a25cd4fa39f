"""The gallery: every widget of the kit on one page. python -m app.gui.kit [light] [150]"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

from app.gui.kit import (
    Answer,
    App,
    Badge,
    Bar,
    BarList,
    Button,
    Card,
    Cell,
    Chart,
    Chip,
    Chips,
    Choice,
    Column,
    Compare,
    Dialog,
    EmptyState,
    Entry,
    FormRow,
    Frame,
    Head,
    HeatMap,
    ImageView,
    Label,
    Limit,
    LogView,
    Masonry,
    Meter,
    MeterRow,
    MeterRows,
    NavEntry,
    NavList,
    Part,
    PathEntry,
    Pictures,
    PictureSheet,
    Progress,
    ScrollArea,
    Segmented,
    SheetCell,
    Slider,
    SliderBank,
    StackedBar,
    Switch,
    TextArea,
    VirtualGrid,
    liked_mode,
    mark,
    px,
    theme,
    toast,
)
from app.gui.kit.base.theme import Mode
from app.gui.kit.controls.button import Kind

HUES = ((90, 160, 220), (240, 190, 110), (150, 90, 160), (60, 130, 110), (200, 110, 90))


def main(arguments: list[str]) -> None:
    mode: Mode = "light" if "light" in arguments else "dark" if "dark" in arguments else liked_mode()
    percent = next((int(word) for word in arguments if word.isdigit()), 100)
    app = App("Seachange: the kit", mode=mode, percent=percent)
    app.show()
    with tempfile.TemporaryDirectory() as folder:
        pictures = Pictures(app, Path(folder) / "thumbs")
        build(app, pictures, paint_pictures(Path(folder)))
        app.mainloop()
        pictures.close()


def build(app: App, pictures: Pictures, files: list[Path]) -> None:
    """The page."""
    side = Frame(app, "navigation")
    side.pack(side="left", fill="y")
    brand = Frame(side)
    brand.pack(fill="x", padx=px(16), pady=px(14))
    logo = Label(brand)
    logo.configure(image=mark(px(24)))
    logo.pack(side="left")
    Label(brand, "Seachange", font="section").pack(side="left", padx=px(10))
    pages = [
        NavEntry("kit", "Kit", "layers"),
        NavEntry("model", "Model", "box"),
        NavEntry("run", "Live run", "chart-line", True),
    ]
    navigation = NavList(side, pages, lambda key: toast(app, f"Chosen: {key}"))
    navigation.pack(fill="y")
    navigation.choose("kit")
    navigation.badge("model", changed=3, wrong=1)
    navigation.disable("run", "Nothing is running.")
    area = ScrollArea(app)
    area.pack(side="left", fill="both", expand=True)
    cards = Masonry(area.body)
    cards.pack(fill="x", padx=px(20), pady=px(16))
    for make in (form, chips, buttons, surfaces, meters, log, chart, bars, bank):
        cards.add(make(cards))
    for show in (compare, grid, sheet, viewer):
        cards.add(show(cards, pictures, files))


def form(master: Masonry) -> Card:
    card = Card(
        master, "Form", action="Show 2 advanced", on_action=lambda: toast(master, "Nothing more here", role="good")
    )

    def row(label: str, unit: str = "", changed: bool = False) -> FormRow:
        made = FormRow(card.body, label, words=f"What {label.lower()} does.", unit=unit, on_reset=lambda: None)
        made.pack(fill="x")
        made.changed(changed)
        return made

    one = row("Optimizer")
    one.put(Choice(one, ["AdamW", "Adafactor", "Prodigy"], "AdamW"))
    one = row("Learning rate", changed=True)
    one.put(Entry(one, "0.0003"))
    one = row("Batch size", unit="images")
    one.put(Entry(one, "0"))
    one.error("Must be at least 1")
    one = row("Cache latents")
    one.put(Switch(one, True), stretch=False)
    one = row("Checkpointing")
    one.put(Segmented(one, ["off", "on", "offload to RAM"], "on"))
    one = row("Strength")
    one.put(Slider(one, 0, 1, 0.4, step=0.05))
    one = row("Model")
    one.put(PathEntry(one, what="model", placeholder="A file, a folder or a name"))
    one = row("Not now")
    entry = Entry(one, "while training")
    entry.disable("Cannot be changed while training runs.")
    one.put(entry)
    one = row("Font")
    one.put(Choice(one, [f"Option {index}" for index in range(400)], "Option 7"))
    one = row("Note")
    one.put(TextArea(one, "Several lines\nwith undo", lines=3))
    return card


def buttons(master: Masonry) -> Card:
    card = Card(master, "Buttons")
    kinds: tuple[tuple[Kind, ...], ...] = (("primary", "danger", "plain"), ("quiet", "alarm", "notice", "icon"))
    for few in kinds:
        line = Frame(card.body)
        line.pack(fill="x", pady=px(4))
        for kind in few:
            words = "" if kind == "icon" else kind.capitalize()
            button = Button(
                line, words, lambda kind=kind: toast(master, f"Pressed {kind}", "Undo"), kind=kind, image="save"
            )
            button.pack(side="left", padx=(0, px(8)))
    off = Button(card.body, "Disabled", kind="primary")
    off.disable("Two settings are wrong.")
    off.pack(anchor="w", pady=px(4))
    Button(card.body, "Dialog", lambda: question(master), image="info").pack(anchor="w", pady=px(4))
    Button(card.body, "Theme", lambda: theme.set("light" if theme.mode == "dark" else "dark"), image="sun").pack(
        anchor="w"
    )
    return card


def question(master: Masonry) -> Dialog:
    words = "The run has not been saved since step 1,800. Stopping now makes a backup first, which takes a few seconds."
    answers = (Answer("Keep training"), Answer("Stop", "stop", "danger", "square"))
    return Dialog(master, "Stop training?", words, answers, lambda answer: toast(master, f"You said {answer}"))


def surfaces(master: Masonry) -> Card:
    card = Card(master, "Words")
    for font in ("title", "section", "bold", "body", "small", "mono"):
        Label(card.body, f"{font}: the quick brown fox 0123456789", font=font).pack(fill="x")
    for role in ("text2", "text3", "accent", "changed", "error", "good"):
        Label(card.body, role, role=role, image="info").pack(anchor="w")
    line = Frame(card.body)
    line.pack(fill="x", pady=px(6))
    Badge(line, "finished", "good").pack(side="left", padx=(0, px(6)))
    Badge(line, "8 changed", "changed").pack(side="left", padx=(0, px(6)))
    Badge(line, "failed", "error").pack(side="left")
    EmptyState(card.body, "images", "No images yet. Add a folder, or drop one here.", "Add a folder").pack(fill="x")
    return card


def meters(master: Masonry) -> Card:
    card = Card(master, "Meters")
    for name, share, words in (("GPU", 0.97, "97 %  71 °C"), ("RAM", 0.41, "13.1 / 32 GB")):
        meter = Meter(card.body, name)
        meter.set(share, words)
        meter.pack(fill="x", pady=px(4))
    Progress(card.body, 0.3).pack(fill="x", pady=px(6))
    Progress(card.body, None).pack(fill="x")
    return card


def log(master: Masonry) -> Card:
    card = Card(master, "Log")
    view = LogView(card.body, lines=6)
    view.pack(fill="x")
    view.append([("info", f"04:46:{second:02}  step {second * 20}  loss 0.09") for second in range(40)])
    view.append([("warning", "04:47:01  img_00412.jpg has no caption"), ("error", "04:47:02  the disk is full")])
    return card


def chart(master: Masonry) -> Card:
    card = Card(master, "Loss")
    drawn = Chart(card.body, height=220)
    drawn.pack(fill="x")
    loss, rate = drawn.series("loss"), drawn.series("learning rate", second=True)
    steps = range(2000)
    loss.add(steps, [0.09 + 0.1 * math.exp(-step / 500) + 0.03 * math.sin(step * 12.9898) ** 3 for step in steps])
    rate.add(steps, [1e-4 * min(1, step / 200) * (1 + math.cos(step / 640)) / 2 for step in steps])
    return card


def bars(master: Masonry) -> Card:
    card = Card(master, "Buckets")
    listed = BarList(card.body)
    listed.pack(fill="x")
    listed.show([Bar("1024 x 1024", 118), Bar("832 x 1216", 44), Bar("1216 x 832", 7)])
    stacked = StackedBar(card.body)
    stacked.pack(fill="x", pady=px(8))
    parts = [Part("Base, int8", 8.4, "8.4", "8.4 GB"), Part("Activations", 1.4, "1.4", "1.4 GB")]
    stacked.show(parts, Limit(12, 11.5, "12 GB, of which 11.5 usable"))
    rows = MeterRows(card.body, lambda value: toast(master, f"Picked {value}"), dots=True, pitch=32)
    rows.pack(fill="x")
    large = MeterRow("bf16", "bf16, all on the card", 1, "error", "25.9 GB", "exact", "too large", mark=0.45)
    rows.show([large, MeterRow("int8", "int8", 0.43, "good", "11.2 GB", "near exact", "2.4 s/it", mark=0.45)], "int8")
    return card


def bank(master: Masonry) -> Card:
    card = Card(master, "A slider for each block")
    columns = [Column(f"IN{n:02}", f"{n:02}", "input blocks") for n in range(9)]
    columns += [Column("MID", "MID"), *(Column(f"OUT{n:02}", f"{n:02}", "output blocks") for n in range(9))]
    sliders = SliderBank(card.body, lambda changes: toast(master, str(changes)))
    sliders.pack(fill="x")
    heat = HeatMap(card.body, lambda place: None)
    heat.pack(fill="x")
    cells = {(row, each.key): ((n * 7 + len(row)) % 19 / 19, "accent") for row in ("attention", "feed-forward")
             for n, each in enumerate(columns) if n % 4}  # fmt: skip
    heat.show(["attention", "feed-forward"], columns, cells, ("0.001 %", "10 %"))
    sliders.show(columns, {each.key: 0.5 - 0.4 * math.cos(n / 6) for n, each in enumerate(columns)}, 0.5)
    return card


def compare(master: Masonry, pictures: Pictures, files: list[Path]) -> Card:
    card = Card(master, "Before and after")
    shown = Compare(card.body, pictures)
    shown.pack(fill="x")
    shown.show(files[0], files[1], ("step 0", "step 1,800"))
    return card


def grid(master: Masonry, pictures: Pictures, files: list[Path]) -> Card:
    card = Card(master, "Ten thousand images")

    def paint(cell: Cell, index: int) -> None:
        cell.words(0, f"img_{index:05}.png", "error" if index % 17 == 0 else "text2")
        cell.mark("no caption" if index % 17 == 0 else "", "error")
        path = files[index % len(files)]
        cell.image(pictures.thumb(path, cell.picture_size, lambda _: shown.refresh(index)))

    shown = VirtualGrid(card.body, paint, cell=(120, 140))
    shown.configure(height=px(320))
    shown.pack(fill="both", expand=True)
    shown.show(10_000)
    return card


def chips(master: Masonry) -> Card:
    card = Card(master, "Chips")
    shown = Chips(card.body, lambda left: toast(master, ", ".join(left)), lambda: toast(master, "Added"))
    shown.show([Chip(str(step), f"{step:,}", star=step == 1000) for step in (0, 200, 400, 1000, 1250, 3000)])
    shown.pack(fill="x")
    return card


def sheet(master: Masonry, pictures: Pictures, files: list[Path]) -> Card:
    card = Card(master, "A sheet whose heads stay")

    def paint(cell: SheetCell, row: int, column: int) -> None:
        if row + column > 40:
            cell.image(None, "14 / 20" if row + column == 41 else "")
            return
        path = files[(row + column) % len(files)]
        cell.image(pictures.thumb(path, cell.size, lambda _: shown.refresh(row, column)))
        cell.plate("keep" if (row, column) == (0, 2) else "")

    shown = PictureSheet(card.body, paint)
    shown.configure(height=px(320))
    shown.pack(fill="both", expand=True)
    steps = [Head(f"{step * 200:,}", f"{step / 20:.2f}", "changed", step % 5 == 2) for step in range(40)]
    shown.show(steps, [Head(f"a prompt of several words, number {row}") for row in range(100)], ("step", "forgotten"))
    return card


def viewer(master: Masonry, pictures: Pictures, files: list[Path]) -> Card:
    card = Card(master, "Picture")
    view = ImageView(card.body, pictures, on_open=lambda path: toast(master, path.name))
    view.pack(fill="x")
    view.show(files[2])
    return card


def paint_pictures(folder: Path) -> list[Path]:
    """A few landscapes."""
    made: list[Path] = []
    for number, hue in enumerate(HUES):
        image = Image.new("RGB", (640, 640), hue)
        draw = ImageDraw.Draw(image)
        draw.ellipse((380 - number * 60, 60, 520 - number * 60, 200), fill=(255, 244, 214))
        for layer in range(4):
            shade = tuple(round(part * (0.75 - 0.17 * layer)) for part in hue)
            line = [(x, 360 + layer * 70 + 40 * math.sin(x / 70 + layer * 2 + number)) for x in range(0, 641, 8)]
            draw.polygon([(0, 640), *line, (640, 640)], fill=shade)
        made.append(folder / f"landscape-{number}.png")
        image.save(made[-1])
    return made


if __name__ == "__main__":
    main(sys.argv[1:])
