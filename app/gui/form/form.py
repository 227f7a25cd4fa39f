"""Forms of settings: cards by section, advanced settings folded away, what does not apply hidden, made in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from app.gui.context import AppContext
from app.gui.form.setting_row import SettingRow, in_tab_order
from app.gui.kit import Card, Frame, Masonry
from modules.language import tr
from modules.preset.sections.training import ENCODER
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import all_settings

__all__ = ["Form", "SettingRow"]

TWO_FROM = 860
Below = Callable[[Frame], object]
Cards = Mapping[str, Sequence[str]]  # the paths of the settings of each card, by its key


@dataclass(frozen=True)
class Group:
    """The settings of one card."""

    key: str  # "training.denoiser": under this name it is remembered that advanced settings are shown
    title: str
    settings: tuple[SettingInfo, ...]


def groups_of(paths: Sequence[str], cards: Mapping[str, Cards]) -> tuple[Group, ...]:
    """The cards of the settings below `paths`, in that order; a list and its entries are no part of a form."""
    found: dict[str, list[SettingInfo]] = {}
    titles: dict[str, str] = {}
    for path in paths:
        for setting in all_settings():
            above = setting.path.rpartition(".")[0]
            own = above == path or (above.startswith(f"{path}.") and above not in paths)
            if own and ".0." not in setting.path and not setting.entry:
                titles.setdefault(above, _title(above, setting))
                found.setdefault(above, []).append(setting)
    groups = [Group(key, titles[key], tuple(settings)) for key, settings in found.items()]
    return tuple(part for group in groups for part in _parted(group, cards.get(group.key)))


def _parted(group: Group, cards: Cards | None) -> list[Group]:
    """A section as several cards; what none of them names stands in the last one."""
    if cards is None:
        return [group]
    of_card = {path: name for name, paths in cards.items() for path in paths}
    last = list(cards)[-1]
    return [
        Group(name, group.title, tuple(each for each in group.settings if of_card.get(each.path, last) == name))
        for name in cards
    ]


def _title(above: str, setting: SettingInfo) -> str:
    """Text encoders share a section and are counted."""
    name = above.rpartition(".")[2]
    return name.replace("_", " ").capitalize() if ENCODER.fullmatch(name) else setting.section


@dataclass(frozen=True)
class Arrangement:
    """What a page does otherwise than card by section, row by setting."""

    cards: Mapping[str, Cards] = field(default_factory=dict[str, Cards])  # sections that are more than one card
    heads: Mapping[str, Below] = field(default_factory=dict[str, Below])  # by card: what stands over its first row
    # By card: the card of the page's own that stands behind it
    after: Mapping[str, Callable[[Masonry], Card]] = field(default_factory=dict[str, Callable[[Masonry], Card]])
    hides: Callable[[str], bool] = lambda _: False  # settings that the page does not want to show now


@dataclass
class Block:
    """A card of a form as it stands on the screen."""

    group: Group
    card: Card
    rows: dict[int, SettingRow] = field(default_factory=dict[int, SettingRow])  # by the place of the setting
    below: dict[int, Frame] = field(default_factory=dict[int, Frame])
    shown: set[int] = field(default_factory=set[int])
    pinned: set[int] = field(default_factory=set[int])  # advanced, but shown: they differed once, or were searched for
    visible: bool = True


class Form(Masonry):
    """Cards of settings that follow the draft.

    Args:
        sections: the parts of the schema in the order of their cards: ("model", "output", "training.denoiser").
        below: by path, what is built under the row of that setting.
        titles: other titles of cards, by the path that their settings have in common.
        without: settings that the page shows in its own way.
        arranged: what a page does otherwise.
        two_from: pixels of width from which there are two columns.
    """

    def __init__(
        self,
        master: Frame,
        context: AppContext,
        sections: Sequence[str],
        *,
        below: dict[str, Below] | None = None,
        titles: dict[str, Callable[[], str]] | None = None,
        without: Sequence[str] = (),
        arranged: Arrangement | None = None,
        two_from: float = TWO_FROM,
    ) -> None:
        super().__init__(master, two_from=two_from)
        self.context = context
        self._below, self._titles, self._without = below or {}, titles or {}, without
        self._arranged = arranged or Arrangement()
        self._groups = groups_of(sections, self._arranged.cards)
        self._blocks: list[Block] = []
        self._pending_reveal = ""
        self._complete = False
        self.until_destroyed(context.draft.watch("", lambda _: self.refresh()))

    def build(self) -> Iterator[None]:
        """Make the cards; each step is one row."""
        for group in self._groups:
            card = Card(self, self._title(group))
            card.body.columnconfigure(0, weight=1)
            block = Block(group, card)
            block.visible = False
            self.add(card)
            self.hide(card)
            self._blocks.append(block)
            if head := self._arranged.heads.get(group.key):
                above = Frame(card.body)
                above.grid(row=0, column=0, sticky="ew")
                head(above)
            for _ in self._filled(block):
                yield
            if another := self._arranged.after.get(group.key):
                self.add(another(self))
        self._complete = True
        if self._pending_reveal:
            self.reveal(self._pending_reveal)

    def row(self, path: str) -> SettingRow | None:
        """The row of a setting that is shown now, or None."""
        for block in self._blocks:
            for number in block.shown:
                if block.rows[number].path == path:
                    return block.rows[number]
        return None

    def reveal(self, path: str) -> SettingRow | None:
        """Unfold what hides a setting, and return its row; a form that is still being built does it at its end."""
        if not self._complete:
            self._pending_reveal = path
            return None
        self._pending_reveal = ""
        for block in self._blocks:
            for number, setting in enumerate(block.group.settings):
                if setting.path == path and self._applies(setting):
                    block.pinned.add(number)
                    for _ in self._filled(block):
                        pass
                    return block.rows[number]
        return None

    # Which rows are shown ---------------------------------------------------------------------------------------------

    def _applies(self, setting: SettingInfo) -> bool:
        wanted = setting.path not in self._without and not self._arranged.hides(setting.path)
        return wanted and self.context.draft.is_visible(setting)

    def refresh(self) -> None:
        """A value changed: other settings may apply now, differ now, or be wrong now."""
        for block in self._blocks:
            for _ in self._filled(block):
                pass

    def _filled(self, block: Block) -> Iterator[None]:
        """Make and lay out the rows that are to be seen; take away the others."""
        draft, opened = self.context.draft, block.group.key in self._opened()
        errors = draft.errors()
        folded = advanced = 0
        for number, setting in enumerate(block.group.settings):
            wanted = self._applies(setting)
            if wanted and draft.is_advanced(setting):
                advanced += 1
                if draft.changed(setting.path) or setting.path in errors:
                    block.pinned.add(number)
                if not opened and number not in block.pinned:
                    folded, wanted = folded + 1, False
            if wanted != (number in block.shown):
                self._show(block, number, wanted)
                yield
        self._finish(block, opened, folded, advanced)

    def _show(self, block: Block, number: int, wanted: bool) -> None:
        if not wanted:
            block.shown.discard(number)
            block.rows[number].grid_remove()
            if number in block.below:
                block.below[number].grid_remove()
            return
        block.shown.add(number)
        if number not in block.rows:
            setting = block.group.settings[number]
            row = block.rows[number] = SettingRow(block.card.body, self.context, setting.path, setting=setting)
            row.grid(row=2 * number + 1, column=0, sticky="ew")
            in_tab_order(row, [block.rows[later] for later in sorted(block.rows) if later > number])
            if below := self._below.get(setting.path):
                under = block.below[number] = Frame(block.card.body)
                below(under)
                under.grid(row=2 * number + 2, column=0, sticky="ew")
        else:
            block.rows[number].refresh()
            block.rows[number].grid()
            if number in block.below:
                block.below[number].grid()

    def _finish(self, block: Block, opened: bool, folded: int, advanced: int) -> None:
        """The link that folds, the title, and whether the card is seen at all."""
        card = block.card
        words = (
            tr("Hide advanced")
            if advanced and opened
            else tr("Show {folded} advanced", folded=folded)
            if folded
            else ""
        )
        if words != (card.link.cget("text") if card.link else ""):
            card.action(words, lambda: self._fold(block))
        if card.title is not None:
            card.title.set(self._title(block.group))
        visible = bool(block.shown or folded)
        if visible != block.visible:
            block.visible = visible
            (self.show if visible else self.hide)(card)

    def _fold(self, block: Block) -> None:
        opened = self._opened()
        others = [key for key in opened if key != block.group.key]
        self.context.window_state.put("expert", others if block.group.key in opened else [*others, block.group.key])
        block.pinned.clear()
        for _ in self._filled(block):
            pass

    def _opened(self) -> list[str]:
        return cast("list[str]", self.context.window_state.get("expert"))

    def _title(self, group: Group) -> str:
        if own := self._titles.get(group.key):
            return own()
        return tr(group.title)
