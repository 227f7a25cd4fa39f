"""Step 3: the model and the graphics card. A tile loads the preset for a LoRA that such a card has room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.preset_library import Entry
from app.gui.kit import Badge, Choice, Frame, Label, LinkButton, Option, RoundFrame, keyboard, px
from app.gui.own_lora.step import Step
from modules.language import tr
from modules.preset.sections.method import ADAPTERS
from modules.system.bundled import is_bundled
from modules.text import GB, whole_gb

SPARE_GB = 0.5  # a "12 GB" card reports a little less
HERE = 0  # this computer's card
PLAIN = "LoRA"  # the presets of a family that are for no special job: "LoRA 12 GB"


@dataclass(frozen=True)
class Tile:
    """A family, and the preset of it that fits the card best."""

    entry: Entry
    fits: bool


def tiles_for(entries: Sequence[Entry], room: float) -> list[Tile]:
    """One for each family: its largest preset that fits `room` GB, else its smallest."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.preset and not entry.own and entry.memory and entry.path.stem.partition(" ")[0] == PLAIN:
            found.setdefault(entry.group, []).append(entry)
    return [Tile(_best(each, room), any(entry.memory <= room for entry in each)) for each in found.values()]


def _best(entries: list[Entry], room: float) -> Entry:
    fitting = [entry for entry in entries if entry.memory <= room]
    return max(fitting, key=lambda entry: entry.memory) if fitting else min(entries, key=lambda entry: entry.memory)


class ModelStep(Step):
    """The tile of the preset that is loaded is marked."""

    def __init__(self, master: Any, context: AppContext, number: int) -> None:
        super().__init__(
            master,
            context,
            number,
            tr("Model and graphics card"),
            tr("what you train, and what your card has room for"),
        )
        self._drawn: object = None
        self._memory = HERE  # GB of the card that the tiles are for
        self._tiles = Frame(self.body)
        self._tiles.pack(fill="x")
        line = Frame(self.body)
        line.pack(fill="x", pady=(px(8), 0))
        Label(line, tr("Card"), role="text2").pack(side="left", padx=(0, px(8)))
        self._card = Choice(line, self._cards(), HERE, self._chosen, width=250)
        self._card.pack(side="left")
        LinkButton(line, tr("Other models"), lambda: context.go("model")).pack(side="right")

    @property
    def done(self) -> bool:
        draft = self.context.draft
        return draft.get("method.kind") in ADAPTERS and not is_bundled(str(draft.get("model.source")))

    @property
    def _room(self) -> float:
        reading = self.context.meters.latest
        here = reading.card.memory_total / GB + SPARE_GB if reading and reading.card else 0.0
        return float(self._memory) or here

    def _cards(self) -> list[Option]:
        reading = self.context.meters.latest
        card = reading.card if reading else None
        here = tr("This PC: {card}, {memory}", card=card.name, memory=whole_gb(card.memory_total)) if card else ""
        sizes = sorted({entry.memory for entry in self.context.library.entries() if entry.memory})
        return [
            Option(HERE, here or tr("This PC: no NVIDIA card")),
            *(Option(size, tr("A card with {size} GB", size=size)) for size in sizes),
        ]

    def _chosen(self, memory: int) -> None:
        self._memory = memory
        self.show()

    def show(self) -> None:
        tiles = tiles_for(self.context.library.entries(), self._room)
        now = (
            self.context.draft.base.name,
            self.context.draft.get("model.source"),
            [(t.entry.path, t.fits) for t in tiles],
        )
        if now == self._drawn:
            return
        self._drawn = now
        self._card.offer(self._cards())
        self._tiles.clear()
        for column, tile in enumerate(tiles):
            self._tiles.columnconfigure(column, weight=1, uniform="tiles")
            chosen = self.done and tile.entry.name == self.context.draft.base.name
            ModelTile(self._tiles, tile, chosen, lambda tile=tile: self._load(tile.entry)).grid(
                row=0, column=column, sticky="nsew", padx=(px(8) if column else 0, 0)
            )

    def _load(self, entry: Entry) -> None:
        if entry.preset is not None:
            draft = self.context.draft
            draft.load(entry.name, entry.preset)
            now = draft.state

            def undo() -> None:
                if draft.state is now:
                    draft.undo()

            self.context.notify(tr("{name} loaded", name=entry.name), tr("Undo"), undo)


class ModelTile(RoundFrame):
    """A family; a click, Space or Return chooses it."""

    def __init__(self, master: Any, tile: Tile, chosen: bool, act: Callable[[], object]) -> None:
        super().__init__(master, "selection" if chosen else "card", edge="accent" if chosen else "border")
        entry = tile.entry
        inside = Frame(self)
        inside.pack(fill="both", expand=True, padx=px(12), pady=px(10))
        Label(inside, entry.group, font="bold").pack(fill="x")
        Label(inside, entry.name, font="small", role="text2", wrap=True).pack(fill="x", pady=(px(2), px(6)))
        words = tr("fits") if tile.fits else tr("needs a card with {size} GB", size=entry.memory)
        Badge(inside, words, "good" if tile.fits else "error").pack(anchor="w")
        for widget in (self, inside, *inside.winfo_children()):
            widget.bind("<ButtonRelease-1>", lambda _: act())
        self.configure(cursor="hand2")
        keyboard(self, act)
        self.bind("<FocusIn>", lambda _: self.edge("text"))
        self.bind("<FocusOut>", lambda _: self.edge("accent" if chosen else "border"))
