"""The tags of all images that are shown, with their counts: a click adds one to the caption, or takes it out."""

from __future__ import annotations

from collections.abc import Callable

from app.gui.captions.editor import CaptionEditor
from app.gui.captions.edits import rename_tags
from app.gui.captions.selection import CaptionSelection
from app.gui.kit import Frame, Label, LinkButton, Notice, TagChips, px
from modules.data.text.spellings import written_in_several_ways
from modules.language import tr

MOST_CHIPS = 120
SETTLES_MS = 120


class CaptionTags(Frame):
    """The lower half of the side; the chips take the height that is left.

    Args:
        on_filter: called with a tag: show only images that have it.
        on_many: called to edit many at once.
    """

    def __init__(
        self,
        master: Frame,
        work: CaptionSelection,
        editor: CaptionEditor,
        on_filter: Callable[[str], object],
        on_many: Callable[[], object],
    ) -> None:
        super().__init__(master)
        self._work, self._editor = work, editor
        self._pending = ""
        self._tags: list[tuple[str, int]] = []
        self._ways: list[list[str]] = []
        head = Frame(self)
        head.pack(fill="x", pady=(0, px(6)))
        Label(head, tr("Tags of all shown"), font="bold").pack(side="left")
        self.many = LinkButton(head, tr("Edit many"), on_many)
        self.many.pack(side="right")
        self._notice = Notice(self)
        self._chips = TagChips(
            self, editor.toggle, on_filter,
            hint=tr("Adds it to this caption, or takes it out. Right click: only images with it"),
        )  # fmt: skip
        self._chips.pack(fill="both", expand=True)
        self._none = Label(self._chips, font="small", role="text3", wrap=True)
        work.listen(lambda _: self.settle())
        self.until_destroyed(self._forget)

    def settle(self) -> None:
        """Count again when nothing has changed for a moment."""
        self._forget()
        self._pending = self.after(SETTLES_MS, self.refresh)

    def _forget(self) -> None:
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""

    def refresh(self) -> None:
        self._forget()
        counts = self._work.captions.tags(self._work.shown)
        self._tags = counts.most_common(MOST_CHIPS)
        self._ways = written_in_several_ways(counts)
        self.light()
        if self._ways:
            ways = self._ways[0]
            words = tr("Written two ways: {tags}", tags=", ".join(f"“{tag}” {counts[tag]:,}" for tag in ways))
            more = tr("and {count:,} more", count=len(self._ways) - 1) if len(self._ways) > 1 else ""
            self._notice.show(f"{words} {more}".rstrip(), [(tr("Merge them"), self.merge)])
            self._notice.pack(side="bottom", fill="x", pady=(px(8), 0), before=self._chips)
        else:
            self._notice.pack_forget()

    def light(self) -> None:
        """The text of the editor has changed: other chips are lit."""
        self._chips.disable(self._editor.text.reason)
        self._chips.show(self._tags, self._editor.tags)
        if self._tags:
            self._none.place_forget()
        else:
            self._none.set(tr("No tags: what stands between commas is one"))
            self._none.place(x=0, y=0, relwidth=1)

    def merge(self) -> None:
        """Write the tag of the notice in its most frequent way, in all that is shown."""
        ways = self._ways[0]
        if problem := self._work.edit(rename_tags(ways[1:], ways[0]), self._work.shown):
            self._work.say(problem)
