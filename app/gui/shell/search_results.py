"""What the search found: settings that can be changed right there, each with the place where it lives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.labels import ARROW, breadcrumb
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Card, EmptyState, Frame, Label, LinkButton, ScrollArea, px
from app.gui.pages import page_for
from app.search.search import find
from modules.language import cached, plural, tr
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import setting_at

FIRST_ROWS = 10  # laid out before the window draws; the others follow in slices
CRUMBS = 220
# Titles over the results: for one, for several, for none.
FOUND = ("1 setting for {subject}", "{count} settings for {subject}", "No settings for {subject}")
DIFFERENT = (
    "1 setting different from {subject}",
    "{count} settings different from {subject}",
    "No settings different from {subject}",
)


@dataclass(frozen=True)
class Found:
    """One line of the results."""

    path: str
    setting: SettingInfo
    breadcrumb: str


class Results(Frame):
    """Laid over the page while something is searched. Rows are kept: the next letter shows most of them again."""

    def __init__(self, master: Frame, context: AppContext) -> None:
        super().__init__(master, "window")
        self._context = context
        self.title = Label(self, "", font="title")
        self.title.pack(fill="x", padx=px(20), pady=(px(14), px(10)))
        self.note = Label(self, role="text2", wrap=True)
        self._area = ScrollArea(self)
        self._area.pack(fill="both", expand=True)
        self.card = Card(self._area.body)
        self._empty: EmptyState | None = None
        self._rows: dict[tuple[str, bool], Frame] = {}
        self._shown: list[Frame] = []
        self._waiting: Iterator[None] = iter(())
        self._pending = ""
        self.paths: list[str] = []

    def show(self, query: str) -> None:
        """The settings that are meant by `query`."""
        results = find(query)
        found = [Found(hit.setting.path, hit.setting, _place(hit.setting.path)) for hit in results.hits]
        note, quoted = WORDS.text(results.note), f"\u201c{query.strip()}\u201d"
        self._fill(found, FOUND, quoted, note or tr("No setting is called {words}.", words=quoted))
        if found and note:
            self.note.set(note)
            self.note.pack(fill="x", padx=px(20), pady=(0, px(10)), after=self.title)

    def show_changed(self) -> None:
        """Every setting that differs from the preset."""
        draft = self._context.draft
        settings = [(path, setting_at(path, draft.values)) for path in draft.changed_paths()]
        found = [
            Found(path, setting, breadcrumb(path, draft.values)) for path, setting in settings if setting is not None
        ]
        base = f"\u201c{draft.base.name}\u201d" if draft.base.name else tr("the preset")
        self._fill(found, DIFFERENT, base, tr("Nothing differs from {preset}.", preset=base))

    def _fill(self, found: list[Found], title: tuple[str, str, str], subject: str, none: str) -> None:
        for row in (self.note, *self._shown):
            row.pack_forget()
        self._shown, self.paths = [], [each.path for each in found]
        if self._empty is not None:
            self._empty.destroy()
            self._empty = None
        one, many, nothing = title
        self.title.set(plural(len(found), one, many, subject=subject) if found else tr(nothing, subject=subject))
        if not found:
            self.card.pack_forget()
            self._empty = EmptyState(self, "search", none)
            self._empty.place(relx=0, rely=0.15, relwidth=1, relheight=0.7)
            self._waiting = iter(())
            return
        self.card.pack(fill="x", padx=(px(20), px(12)), pady=(0, px(16)))
        self._area.to_top()
        self._waiting = self._laid_out(found)
        for _ in range(FIRST_ROWS):
            next(self._waiting, None)
        self._soon()

    def _laid_out(self, found: Iterable[Found]) -> Iterator[None]:
        for each in found:
            row = self._row(each)
            row.pack(fill="x")
            self._shown.append(row)
            yield

    def _soon(self) -> None:
        if not self._pending:
            self._pending = self.after(1, self._slice)

    def _slice(self) -> None:
        self._pending = ""
        for _ in range(2):
            if next(self._waiting, self) is self:
                return
        self._soon()

    def _row(self, found: Found) -> Frame:
        """Kept by path; of a setting that is not in play there is another row than when it is."""
        draft = self._context.draft
        live = ".0." not in found.path and draft.is_visible(found.setting)
        known = self._rows.get((found.path, live))
        if known is None or not known.winfo_exists():
            known = self._rows[(found.path, live)] = self._made(found, live)
        return known

    def _made(self, found: Found, live: bool) -> Frame:
        line = Frame(self.card.body)
        place = Frame(line, width=CRUMBS, height=36)
        place.pack_propagate(False)
        place.pack(side="right", anchor="n")
        words = ARROW.join(found.breadcrumb.split(ARROW)[:-1]) or found.breadcrumb
        link = LinkButton(place, words, lambda: self._go(found.path), role="text3")
        link.configure(wraplength=px(CRUMBS - 12), justify="right")
        link.pack(side="right", padx=px(6))
        if live:
            from app.gui.form.setting_row import SettingRow  # noqa: PLC0415  the form is not needed to open the window

            SettingRow(line, self._context, found.path).pack(side="left", fill="x", expand=True)
        else:
            Label(line, tr(found.setting.label), role="text3").pack(side="left", padx=(px(13), 0), pady=px(8))
            listed = ".0." in found.path
            why = tr("set for each entry of its list") if listed else tr("does not apply now")
            Label(line, why, font="small", role="text3").pack(side="left", padx=px(14))
        return line

    def focus_first(self) -> bool:
        """Put the cursor into the first result; False where there is none."""
        if not self._shown:
            return False
        row = self._shown[0]
        form = next((child for child in row.winfo_children() if hasattr(child, "focus_control")), None)
        first: Any = form or row.tk_focusNext()
        (first.focus_control if form else first.focus_set)()
        return True

    def _go(self, path: str) -> None:
        self._context.go(page_for(path), path.partition(".0.")[0])


@cached
def _place(path: str) -> str:
    """Where a setting stands, without numbers of entries: "Concepts > Random flip"."""
    words = breadcrumb(path).split(ARROW)
    return ARROW.join([words[0], *words[2:]] if ".0." in path else words)
