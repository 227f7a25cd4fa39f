"""The settings of one concept, in groups, the advanced ones folded away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from app.gui.context import AppContext
from app.gui.form.form import SettingRow
from app.gui.kit import Card, Frame, ScrollArea, px
from modules.language import tr
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import all_settings

FIRST = "concepts.0."
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Images", ("path", "name", "enabled", "kind", "subfolders", "repeats", "samples", "loss_weight")),
    ("Captions from", ("captions", "prompt", "caption_ending", "wrapped", "more_captions", "several", "shares",
                       "join_with", "caption_table")),
    ("Text", ("trigger", "prefix", "suffix", "wildcards", "replacements", "underscores")),
    ("Tags", ("tags", "shuffle_tags", "keep_tags", "tag_separator", "keep_separator", "group_separator", "unique_tags",
              "most_tags", "capitals", "capitals_share")),
    ("Dropout", ("caption_dropout", "dropout_epochs", "tag_dropout", "tag_dropout_kind", "tag_list_use", "tag_list",
                 "tag_list_patterns", "tag_warmup", "tag_warmup_from")),
    ("Filters", ("needs_tags", "without_tags", "ratings", "min_score", "score_column", "splits", "min_size",
                 "weight_column")),
    ("Size, crop and flip", ("resolutions", "flip", "flip_always", "flip_vertical", "random_crop")),
    ("Rotation and colours", ("rotation", "rotation_fixed", "brightness", "brightness_fixed", "contrast",
                              "contrast_fixed", "saturation", "saturation_fixed", "hue", "hue_fixed", "augmented",
                              "variants")),
    ("Masks", ("masks", "mask_crop", "mask_margin")),
)  # fmt: skip
REST = "More"
KEPT = "concepts"  # under this name it is remembered that advanced settings are shown
LABEL = 128


def grouped() -> list[tuple[str, list[SettingInfo]]]:
    """Every setting of a concept, by card; one that nobody put into a group stands under "More"."""
    rest = {setting.path.removeprefix(FIRST): setting for setting in all_settings() if setting.path.startswith(FIRST)}
    found = [(title, [rest.pop(name) for name in names if name in rest]) for title, names in GROUPS]
    return [*found, (REST, [*rest.values()])] if rest else found


class ConceptSettings(ScrollArea):
    """Rows that follow the draft. `build` makes them in slices of one row."""

    def __init__(self, master: Frame, context: AppContext, number: int) -> None:
        super().__init__(master)
        self._context, self._number = context, number
        self._rows: dict[str, SettingRow] = {}
        self._cards: list[tuple[Card, list[SettingInfo]]] = []
        self._pinned: set[str] = set()
        self.until_destroyed(context.draft.watch("", lambda _: self._arrange()))

    def build(self) -> Iterator[None]:
        for title, settings in grouped():
            card = Card(self.body, tr(title), action=tr("Advanced"))
            card.pack(fill="x", padx=(0, px(8)), pady=(0, px(12)))
            card.body.columnconfigure(0, weight=1)
            self._cards.append((card, settings))
            for _ in self._filled(card, settings):
                yield

    def reveal(self, path: str) -> None:
        """Unfold, scroll to and focus one setting."""
        self._pinned.add(path)
        self._arrange()
        if row := self._rows.get(path):
            self.keep_visible(row)
            row.focus_control()

    def flush(self) -> None:
        """Take what is being typed now."""
        for row in self._rows.values():
            row.flush()

    def _path(self, setting: SettingInfo) -> str:
        return f"concepts.{self._number}.{setting.path.removeprefix(FIRST)}"

    def _arrange(self) -> None:
        """A value changed: other settings may apply now, or be wrong."""
        if self._number < len(cast("Sequence[object]", self._context.draft.get("concepts"))):
            for card, settings in self._cards:
                for _ in self._filled(card, settings):
                    pass

    def _filled(self, card: Card, settings: Sequence[SettingInfo]) -> Iterator[None]:
        draft, opened = self._context.draft, KEPT in self._opened()
        errors = draft.errors()
        folded = advanced = 0
        for place, setting in enumerate(settings):
            path = self._path(setting)
            wanted = draft.is_visible(setting, path)
            if wanted and setting.level == "expert":
                advanced += 1
                needed = draft.get(path) != setting.default or path in errors or path in self._pinned
                wanted = opened or needed
                folded += not wanted
            if wanted and path not in self._rows:
                self._rows[path] = SettingRow(card.body, self._context, path, label_width=LABEL)
                yield
            self._place(path, place, wanted)
        card.action(
            tr("Show {folded} advanced", folded=folded) if folded else tr("Hide advanced") if advanced else "",
            self._turn,
        )

    def _place(self, path: str, place: int, wanted: bool) -> None:
        row = self._rows.get(path)
        if row is not None and bool(row.winfo_manager()) != wanted:
            if wanted:
                row.grid(row=place, column=0, sticky="ew")
            else:
                row.grid_remove()

    def _opened(self) -> list[str]:
        return cast("list[str]", self._context.window_state.get("expert"))

    def _turn(self) -> None:
        others = [key for key in self._opened() if key != KEPT]
        self._context.window_state.put("expert", others if KEPT in self._opened() else [*others, KEPT])
        self._pinned.clear()
        self._arrange()
