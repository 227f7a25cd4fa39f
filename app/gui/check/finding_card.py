"""The card of one finding: how bad it is, its number, why, a histogram, the files, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from app.gui.captions.filters import MISSING, WRONG
from app.gui.check.file_fixes import describe_files
from app.gui.check.findings import changed, checks_for
from app.gui.context import AppContext
from app.gui.draft.labels import breadcrumb
from app.gui.draft.problem_labels import WORDS, describe_changes, finding_text, finding_title
from app.gui.kit import Badge, Bar, BarList, Button, Card, Frame, Label, LinkButton, px, tip
from app.gui.pages import page_for
from modules.language import plural, tr
from modules.messages import Finding, Fix
from modules.text import amount

LOOKS = {  # severity: icon, colour, words
    "error": ("circle-alert", "error", "Problem"),
    "warning": ("triangle-alert", "changed", "Warning"),
    "info": ("info", "text2", "Note"),
}
TONES: dict[str, Any] = {"error": "error", "warning": "changed", "info": "plain"}
BARS = 12  # the others are counted
LABEL, LABEL_MOST = 96, 220  # pixels of the names of bars
MOST_ITEMS = 20  # a finding names no more, however many there are
LONGEST = 74  # letters of a button
# Findings about files that the page Captions can mend, and the filter that shows them there.
CAPTION_FILES = {"captions.unreadable": WRONG, "captions.legacy": WRONG, "captions.near-miss": MISSING}


class FindingCard(Card):
    """Made in slices by `build`; `refresh` marks what has been mended.

    Args:
        on_mute: asked not to tell this kind again.
    """

    def __init__(self, master: Any, context: AppContext, finding: Finding, on_mute: Callable[[str], object]) -> None:
        super().__init__(master)
        self.context, self.finding, self._on_mute = context, finding, on_mute
        self.fixes: list[tuple[Fix, Button]] = []
        self.whole = False
        self.items: Label | None = None
        self.toggle: LinkButton | None = None

    def build(self) -> Iterator[None]:
        image, role, words = LOOKS[self.finding.severity]
        head = Frame(self.body)
        head.pack(fill="x")
        Label(head, image=image, role=role, size=18).pack(side="left", anchor="n", padx=(0, px(10)), pady=px(2))
        self.badge = Badge(head, tr(words), TONES[self.finding.severity])
        self.badge.pack(side="right", anchor="n", padx=(px(10), 0))
        self.title = Label(head, finding_title(self.finding), font="bold", wrap=True)
        self.title.pack(side="left", fill="x", expand=True, pady=px(2))
        self.inside = Frame(self.body)
        self.inside.pack(fill="x", padx=(px(28), 0))
        if text := finding_text(self.finding):
            Label(self.inside, text, role="text2", wrap=True).pack(fill="x", pady=(px(4), 0))
        yield
        if self.finding.bars:
            self._histogram()
            yield
        if self.finding.items:
            self._files()
        for fix in self.finding.fixes:
            self._offer(fix)
            yield
        self._links()
        self.whole = True
        self.refresh()

    def refresh(self) -> None:
        """What is mended says so; what was taken back can be mended again."""
        if not self.whole:
            return
        checks = checks_for(self.context)
        done = [checks.is_fixed(self.finding, fix) for fix, _ in self.fixes]
        for (fix, button), is_fixed in zip(self.fixes, done, strict=True):
            if fix.files:  # Ctrl+Z takes back settings alone
                words = _fix_label(fix)
                button.set(
                    tr("Undo: {what}", what=words) if is_fixed else words, image="undo-2" if is_fixed else "wrench"
                )
                continue
            button.set(image="check" if is_fixed else "wrench")
            button.disable(tr("Done. Undo takes it back.") if is_fixed else "")
        words = tr("Fixed") if any(done) else tr(LOOKS[self.finding.severity][2])
        self.badge.set(words, "good" if any(done) else TONES[self.finding.severity])

    def _histogram(self) -> None:
        bars, unit = [(WORDS.words(label), value) for label, value in self.finding.bars], self.finding.unit
        widest = max(len(label) for label, _ in bars[:BARS])
        chart = BarList(self.inside, label_width=min(max(LABEL, 7 * widest + 12), LABEL_MOST))
        chart.show([Bar(label, value, amount(value, unit)) for label, value in bars[:BARS]])
        chart.pack(fill="x", pady=(px(8), 0))
        if len(bars) > BARS:
            words = tr("and {count} more", count=len(bars) - BARS)
            Label(self.inside, words, font="small", role="text3").pack(fill="x")

    def _files(self) -> None:
        self.toggle = LinkButton(self.inside, self._fold_words(), self.fold)
        self.toggle.pack(anchor="w", pady=(px(6), 0))

    def fold(self) -> None:
        """Show what it is about, or hide it again."""
        if self.toggle is None:
            return
        if self.items is None:
            text = "\n".join(map(WORDS.words, self.finding.items))
            self.items = Label(self.inside, text, font="small", role="text2", wrap=True)
            self.items.pack(fill="x", padx=(px(2), 0), after=self.toggle)
        else:
            self.items.destroy()
            self.items = None
        self.toggle.set(self._fold_words())

    def _fold_words(self) -> str:
        count = len(self.finding.items)
        if self.items is not None:
            return tr("Hide")
        if count >= MOST_ITEMS:
            return tr("Show {count} of them", count=count)
        return plural(count, "Show it", "Show all {count}")

    def _offer(self, fix: Fix) -> None:
        hint = describe_files(fix.files) if fix.files else describe_changes(fix.changes)
        button = Button(self.inside, _fix_label(fix), partial(self.fix, fix), image="wrench", hint=hint)
        button.pack(anchor="w", pady=(px(8) if not self.fixes else px(4), 0))
        self.fixes.append((fix, button))

    def _links(self) -> None:
        line = Frame(self.inside)
        line.pack(fill="x", pady=(px(8), 0))
        if self.finding.name in CAPTION_FILES:
            LinkButton(
                line, tr("Show in Captions"), partial(self.context.go, "captions", CAPTION_FILES[self.finding.name])
            ).pack(side="left")
        elif self.finding.path:
            way = LinkButton(line, tr("Go to setting"), self.go)
            way.pack(side="left")
            tip(way, breadcrumb(self.finding.path, self.context.draft.values))
        if self.finding.severity != "error":
            quiet = partial(self._on_mute, self.finding.name)
            LinkButton(line, tr("Hide in this project"), quiet, role="text3").pack(side="right")

    def fix(self, fix: Fix) -> None:
        """Change settings or files so; undone in one step."""
        checks = checks_for(self.context)
        if fix.files:
            checks.file_fixes.press(fix, WORDS.label(fix))
            self.refresh()
        elif wrong := changed(self.context, fix):
            self.context.notify(wrong, role="changed")

    def go(self) -> None:
        path = self.finding.path
        self.context.go(page_for(path), path)


def _fix_label(fix: Fix) -> str:
    label = WORDS.label(fix)
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}\u2026"
