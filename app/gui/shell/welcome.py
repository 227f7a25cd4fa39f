"""The first start, and the help ever after: what to try, where runs are kept, what fits on the card, the keys."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

from app.gui.context import AppContext
from app.gui.draft.preset_library import Entry
from app.gui.kit import Answer, Dialog, Frame, Label, px
from app.gui.session.hardware import Card
from app.gui.shell.keys import KEYS
from app.gui.shell.manual_links import ManualLinks
from modules.language import tr
from modules.system.bundled import ROOT, in_program_folder
from modules.system.reading import read_text
from modules.text import GB, whole_gb

WIDTH = 600
SPARE_GB = 0.5  # a "12 GB" card reports a little less


def welcome(context: AppContext, on_start: Callable[[], object]) -> Dialog:
    """Shown once; `on_start` is the button that trains the Starter at once."""
    dialog = Dialog(
        context.app,
        tr("Welcome to Seachange"),
        tr("Here you teach an image model something new: a thing, a person, a style."),
        (
            Answer(tr("Look around")),
            Answer(tr("Train on your own images"), "own"),
            Answer(tr("Start the first training"), "start", "primary", "play"),
        ),
        lambda answer: context.own_lora() if answer == "own" else on_start() if answer else None,
        width=WIDTH,
    )
    starter = context.library.starter()
    name = starter.name if starter else tr("The Starter")
    _point(
        dialog.body,
        "sparkles",
        tr("Try this first"),
        tr(
            "“{name}” is loaded. Press Start and watch: a small model that came with Seachange "
            "learns to draw a robot, in a few minutes and on any computer.",
            name=name,
        ),
    )
    _places(dialog.body, context)
    return dialog


def help_(context: AppContext) -> Dialog:
    """Asked for: the same places, and the keys."""
    project = tomllib.loads(read_text(ROOT / "pyproject.toml"))["project"]
    version = tr("Seachange {version}", version=project["version"])
    dialog = Dialog(context.app, tr("Help"), version, (Answer(tr("Close"), kind="primary"),), width=WIDTH)
    _places(dialog.body, context)
    table = Frame(dialog.body)
    table.pack(fill="x", pady=(px(14), 0))
    table.columnconfigure((1, 3), weight=1, uniform="words")
    half = (len(KEYS) + 1) // 2
    for index, (_, keys, words) in enumerate(KEYS.values()):
        column, row = divmod(index, half)
        Label(table, keys, font="mono", role="accent").grid(row=row, column=2 * column, sticky="w", pady=px(3))
        Label(table, tr(words), role="text2", wrap=True).grid(
            row=row, column=2 * column + 1, sticky="ew", padx=(px(12), px(16))
        )
    ManualLinks(dialog.body, context).pack(fill="x", pady=(px(14), 0))
    return dialog


def _places(body: Frame, context: AppContext) -> None:
    workspace = in_program_folder(str(context.draft.get("general.workspace")))
    _point(
        body,
        "folder-open",
        tr("Where your runs are kept"),
        tr(
            "{folder}\nEach run has a folder there with its samples, backups and models. You can change it on General.",
            folder=workspace,
        ),
    )
    reading = context.meters.latest
    title, words = what_fits(reading.card if reading else None, context.library.entries())
    _point(body, "cpu", title, words)


def what_fits(card: Card | None, presets: list[Entry]) -> tuple[str, str]:
    """The card that was found, and the largest presets that are made for it."""
    if card is None:
        return (
            tr("No NVIDIA card was found"),
            tr("The Starter presets train on any computer. The larger models need a graphics card with 8 GB or more."),
        )
    room = card.memory_total / GB + SPARE_GB
    fitting: dict[str, list[str]] = {}
    for entry in presets:
        if entry.preset is not None and not entry.own and 0 < entry.memory <= room:
            kind = entry.path.stem.partition(" ")[0]
            kinds = fitting.setdefault(entry.group, [])
            if kind not in kinds:
                kinds.append(kind)
    title = f"{card.name}, {whole_gb(card.memory_total)}"
    if not fitting:
        return title, tr("That is less than the large models need; the Starter presets train on any computer.")
    listed = "; ".join(f"{group}: {', '.join(kinds)}" for group, kinds in fitting.items())
    return title, tr("What fits: {presets}. Presets are sorted by the memory they need.", presets=listed)


def _point(body: Frame, image: str, title: str, words: str) -> None:
    line = Frame(body)
    line.pack(fill="x", pady=(px(12), 0))
    Label(line, image=image, role="accent", size=22).pack(side="left", anchor="n", padx=(0, px(14)), pady=px(2))
    text = Frame(line)
    text.pack(side="left", fill="x", expand=True)
    Label(text, title, font="bold").pack(fill="x")
    label = Label(text, words, role="text2", wrap=True)
    label.configure(wraplength=px(WIDTH - 80))
    label.pack(fill="x", pady=(px(3), 0))
