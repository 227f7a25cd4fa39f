"""The page "Tools": what can be done beside training; a list at the left, and the tool that is chosen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.state import values_of
from app.gui.kit import Card, Frame, NavEntry, NavList, ScrollArea, px
from app.gui.page import Page
from app.gui.pages import TOOLS_WITH_A_PAGE
from app.gui.tools import tensorboard
from app.gui.tools.card import ToolCard
from app.gui.tools.folders import FoldersCard, TensorBoardCard
from app.gui.tools.form import ToolForm
from app.gui.training_set.review import SetReview
from modules.grids.prompts import sample_prompts
from modules.language import tr
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.paths import put
from modules.run_folders import is_run, recorded_preset
from modules.system.reading import open_file
from modules.tools import TOOLS

TICK_MS = 250
ADAPTER = re.compile(r"lora|hada|lokr|oft|\.alpha|\.dora", re.IGNORECASE)  # in the names of its tensors
MOST_WORDS = 8  # tensors of an embedding: a few for each text encoder
LONGEST_HEADER = 100_000_000
TRIES_A_LORA = "sample"  # the tool that draws with a LoRA file


AnyCard = ToolCard | TensorBoardCard | FoldersCard


class ToolsPage(Page):
    """A card for each tool, of which one is seen; what does not exist on this machine is not in the list."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.cards: list[AnyCard] = []
        self._shown: AnyCard | None = None
        self.until_destroyed(context.app.every(TICK_MS, self._tick))

    def build(self) -> Iterator[None]:
        tools = [tool for tool in TOOLS.values() if tool.name not in TOOLS_WITH_A_PAGE]
        beside = [("tensorboard", "TensorBoard", "chart-line")] if tensorboard.installed() else []
        others = [*beside, ("folders", tr("Folders"), "folder-open")]
        entries = [NavEntry(tool.name, tr(tool.title), tool.icon) for tool in tools]
        entries += [NavEntry(key, label, image, line=not n) for n, (key, label, image) in enumerate(others)]
        side = Card(self)
        side.pack(side="left", fill="y", padx=(px(20), px(12)), pady=(px(4), px(20)))
        self._names = ScrollArea(side.body)  # large letters in a low window
        self._names.pack(fill="both", expand=True)
        self.list = NavList(self._names.body, entries, self.choose)
        self.list.pack(fill="x")
        self._pending = self.after_idle(self._fit_names)
        self.area = ScrollArea(self)
        self.area.pack(side="left", fill="both", expand=True)
        self.holder = Frame(self.area.body)
        self.holder.pack(fill="x", padx=(0, px(20)), pady=(px(4), px(20)))
        self._by_key: dict[str, AnyCard] = {}
        for tool in tools:
            self._add(tool.name, ToolCard(self.holder, self.context, tool))
            if tool is tools[0]:
                self.choose(tool.name)
            yield
        if beside:
            self._add("tensorboard", TensorBoardCard(self.holder, self.context))
        self._add("folders", FoldersCard(self.holder, self.context))
        window = self.winfo_toplevel()
        for sequence, steps in (("<Control-Up>", -1), ("<Control-Down>", 1)):
            window.bind(sequence, lambda event, steps=steps: self._step(event.widget, steps))
            self.until_destroyed(lambda sequence=sequence: window.unbind(sequence))

    def _fit_names(self) -> None:
        self._pending = ""
        self._names.configure(width=self.list.winfo_reqwidth() + px(6))

    def _step(self, focused: Any, steps: int) -> None:
        """The next tool of the list; in a text of several lines the keys move within it."""
        if self.winfo_viewable() and focused.winfo_class() != "Text":
            keys = [*self._by_key]
            self.choose(keys[(keys.index(self.list.chosen) + steps) % len(keys)])

    def choose(self, key: str) -> None:
        """Show a tool; the others keep what is filled in."""
        card = self._by_key.get(key)
        if card is None:  # still being made
            return
        if self._shown is not None:
            self._shown.pack_forget()
        self._shown = card
        card.pack(fill="x")
        self.list.choose(key)
        self._names.keep_visible(self.list.rows[key])

    def shown(self) -> None:
        self._refresh()

    def reveal(self, path: str) -> None:
        """A tool by its name; or a file that was trained, which is put into the tool that makes images."""
        if path in self._by_key:
            self.choose(path)
            return
        for card in self.cards:
            if isinstance(card, ToolCard) and card.tool.name == TRIES_A_LORA:
                self.choose(TRIES_A_LORA)
                put_in(card.form, Path(path))
                card.button.focus_set()

    def undo(self) -> bool:
        """The last decision over images of a training set, while that is seen."""
        review = self._shown.images if isinstance(self._shown, ToolCard) else None
        if not isinstance(review, SetReview) or review.picks is None or not review.picks.can_undo:
            return False
        review.undo()
        return True

    def _add(self, key: str, card: AnyCard) -> None:
        self._by_key[key] = card
        self.cards.append(card)
        card.refresh()

    def _tick(self) -> None:
        if self.winfo_viewable():
            self._refresh()

    def _refresh(self) -> None:
        for card in self.cards:
            card.refresh()


def put_in(form: ToolForm, path: Path) -> None:
    """A file that was trained, with the base model and the settings of its run, where it lies in one."""
    field, run = field_for(path), next(filter(is_run, path.parents), None)
    preset = recorded_preset(run) if run else None
    if preset is not None:
        values = values_of(with_absolute_paths(preset))
        if field == "preset":
            put(values, "model.source", str(path))
        form.show("preset", values)
        if prompts := sample_prompts(preset, 1):
            form.show("prompts", prompts[0])
    elif field == "preset":
        form.show("preset", str(path))
    for name in ("loras", "embeddings"):
        if name == field:
            form.show(name, [str(path)])


def field_for(path: Path) -> str:
    """The setting that takes this file: the names of its tensors say whether it is an adapter, a model, or words."""
    if path.is_dir():
        return "preset"
    try:
        with open_file(path) as file:
            length = int.from_bytes(file.read(8), "little")
            names = [name for name in json.loads(file.read(min(length, LONGEST_HEADER))) if name != "__metadata__"]
    except (OSError, ValueError):
        return "loras"
    if any(ADAPTER.search(name) for name in names):
        return "loras"
    return "embeddings" if len(names) <= MOST_WORDS else "preset"
