"""The guided choice of what the model predicts: what it is good for, what to expect, what would change."""

from __future__ import annotations

from app.gui.context import AppContext
from app.gui.draft.problem_labels import describe_changes
from app.gui.draft.state import values_of
from app.gui.kit import Answer, Choice, Dialog, Frame, Label, Option, px
from modules.language import plural, tr
from modules.preset.guides import GUIDES, changes_of

WIDTH = 620


class PredictionWizard(Dialog):
    """Choose, read, apply: all settings change as one step that undo takes back."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(
            context.app,
            tr("Change what the model predicts"),
            tr("These settings belong together and are set at once. Ctrl+Z takes all of them back."),
            (Answer(tr("Cancel")), Answer(tr("Apply"), True, "primary", "check")),
            self._closed,
            width=WIDTH,
        )
        self._context = context
        self.chosen = next(iter(GUIDES))
        options = [Option(key, tr(guide.title)) for key, guide in GUIDES.items()]
        self.choice = Choice(self.body, options, self.chosen, self.choose)
        self.choice.pack(fill="x", pady=(px(4), px(10)))
        self._words = Frame(self.body)
        self._words.pack(fill="both", expand=True)
        self.choose(self.chosen)

    def choose(self, key: str) -> None:
        """Show one of the guides."""
        self.chosen = key
        guide = GUIDES[key]
        self._words.clear()
        self._line(tr(guide.what), "text")
        for sentence in guide.expect:
            self._line(f"\u2022 {tr(sentence)}", "text2")
        changes = self.changes()
        self._line(tr("What changes") if changes else tr("Nothing would change."), "text", font="bold")
        if changes:
            self._line(describe_changes(changes), "text2")

    def changes(self) -> dict[str, object]:
        """What applying would set."""
        return changes_of(GUIDES[self.chosen], values_of(self._context.draft.preset()))

    def _line(self, text: str, role: str, font: str = "body") -> None:
        line = Label(self._words, text, font=font, role=role, wrap=True)
        line.configure(wraplength=px(WIDTH) - 2 * px(24))
        line.pack(fill="x", pady=(0, px(6)))

    def _closed(self, answer: bool | None) -> None:
        changes = self.changes() if answer else {}
        if changes:
            self._context.draft.apply(changes, tr(GUIDES[self.chosen].title))
            self._context.notify(
                plural(
                    len(changes),
                    "1 setting changed: {title}",
                    "{count} settings changed: {title}",
                    title=tr(GUIDES[self.chosen].title),
                )
            )
