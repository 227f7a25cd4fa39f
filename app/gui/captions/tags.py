"""Tags for many images at once: which there are and how often, one added or taken away, text found and replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.captions.selection import CaptionSelection
from app.gui.captions.store import compiled
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Entry, Frame, Label, Segmented, Switch, labelled, popup, px
from modules.errors import UserError
from modules.language import plural, tr

MOST_CHIPS = 18
CHIP_LINES = 3
GAP = 6
SCOPES = {"chosen": "Selected", "shown": "All listed"}
SETTLES_MS = 120
OFFERED = {"only": "Show only images with it", "add": "Add it to all of these", "remove": "Remove it from all of these"}


class CaptionTags(Frame):
    """The lower half of the side.

    Args:
        on_filter: called with a tag: show only images that have it.
        made: called with each widget that is made later than this one.
    """

    def __init__(
        self, master: Frame, work: CaptionSelection, on_filter: Callable[[str], object], made: Callable[[Any], object]
    ) -> None:
        super().__init__(master)
        self._work, self._on_filter = work, on_filter
        self._pending = self._refused = ""
        Label(self, tr("Tags"), font="section").pack(fill="x", pady=(0, px(6)))
        self._scope = Segmented(self, labelled(SCOPES), "shown", lambda _: self.refresh())
        self._scope.pack(fill="x")
        self._whose = Label(self, font="small", role="text2")
        self._whose.pack(fill="x", pady=(px(5), px(5)))
        self._chips = Chips(self, self._pressed, made)
        self._chips.pack(fill="x")
        self._make_tag_line()
        self._make_replace()
        work.listen(lambda _: self.settle())

    def _make_tag_line(self) -> None:
        line = Frame(self)
        line.pack(fill="x", pady=(px(6), 0))
        self.tag = Entry(line, placeholder=tr("A tag"), on_change=self._tag_typed)
        self.tag.pack(side="left", fill="x", expand=True)
        Button(line, tr("Add"), self.add, image="plus").pack(side="left", padx=(px(6), 0))
        Button(line, tr("Remove"), self.remove).pack(side="left", padx=(px(6), 0))
        self._tag_error = Label(self, font="small", role="error", wrap=True)

    def _make_replace(self) -> None:
        self._replace_title = Label(self, tr("Find and replace"), font="section")
        self._replace_title.pack(fill="x", pady=(px(16), px(6)))
        self.find = Entry(self, placeholder=tr("Find"), on_change=lambda _: self._count_found(), rest_ms=200)
        self.find.pack(fill="x", pady=(0, px(6)))
        self.new = Entry(self, placeholder=tr("Replace with"))
        self.new.pack(fill="x")
        line = Frame(self)
        line.pack(fill="x", pady=(px(6), 0))
        self._replacer = Button(line, tr("Replace"), self.replace)
        self._replacer.pack(side="right", anchor="n")
        self.regex, self.case = (self._option(line, words) for words in (tr("Regular expression"), tr("Match case")))
        self._found = Label(self, font="small", role="text2", wrap=True)
        self._found.pack(fill="x", pady=(px(4), px(8)))

    # What they are for ------------------------------------------------------------------------------------------------

    @property
    def numbers(self) -> list[int]:
        """The images that a change is for."""
        return self._work.scope(self._scope.get() == "chosen")

    def chosen(self) -> None:
        """Other images were chosen: several mean that a change is for them."""
        self._say_tag_error("")
        several = len(self._work.chosen) > 1
        if several or self._scope.get() == "chosen":
            self._scope.set("chosen" if several else "shown")
        self.settle()

    def settle(self) -> None:
        """Count again when nothing has changed for a moment."""
        if self._pending:
            self.after_cancel(self._pending)
        self._pending = self.after(SETTLES_MS, self.refresh)

    def refresh(self) -> None:
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""
        numbers = self.numbers
        tags = self._work.captions.tags(numbers)
        images = plural(len(numbers), "1 image", "{count:,} images")
        self._whose.set(
            plural(len(tags), "1 tag in {images}", "{count:,} tags in {images}, most frequent first", images=images)
            if tags
            else tr("No tags in {images}", images=images)
        )
        self._chips.show(tags.most_common(MOST_CHIPS))
        self._count_found()

    def _option(self, above: Frame, words: str) -> Switch:
        """A switch with its words, on a line of its own."""
        line = Frame(above)
        line.pack(fill="x", pady=px(2))
        switch = Switch(line, False, lambda _: self._count_found())
        switch.pack(side="left")
        label = Label(line, words)
        label.pack(side="left", padx=px(4))
        label.bind("<Button-1>", lambda _: switch.turn())
        return switch

    # Changing ---------------------------------------------------------------------------------------------------------

    def add(self) -> None:
        """Add the tag in the entry."""
        self._say_tag_error(self._work.add_tag(self.numbers, self.tag.get()))

    def remove(self) -> None:
        self._say_tag_error(self._work.remove_tag(self.numbers, self.tag.get()))

    def replace(self) -> None:
        """Replace what is in the entries."""
        self.refresh()  # now, or it would come behind what is said below
        problem = self._work.replace(
            self.numbers, self.find.get(), self.new.get(), regex=self.regex.get(), match_case=self.case.get()
        )
        if problem:
            self._say_found(problem, wrong=True)

    def _pressed(self, chip: Button, tag: str) -> None:
        def picked(what: str) -> None:
            if what == "only":
                self._on_filter(tag)
            else:
                self.tag.set(tag)
                (self.add if what == "add" else self.remove)()

        popup(chip, labelled(OFFERED), picked, width=230)

    def _tag_typed(self, tag: str) -> None:
        if tag != self._refused:
            self._say_tag_error("")

    def _say_tag_error(self, problem: str) -> None:
        self._refused = self.tag.get()
        self.tag.invalid(bool(problem))
        self._tag_error.set(problem)
        if problem:
            self._tag_error.pack(fill="x", pady=(px(4), 0), before=self._replace_title)
        else:
            self._tag_error.pack_forget()

    def _count_found(self) -> None:
        """Say in how many captions the words are, while they are typed."""
        find = self.find.get()
        if not find:
            self._say_found("", wrong=False)
            return
        try:
            pattern = compiled(find, regex=self.regex.get(), match_case=self.case.get())
        except UserError as error:
            self._say_found(error.text(WORDS), wrong=True)
            return
        captions = self._work.captions.all
        found = sum(any(pattern.is_in(line) for line in captions[number].lines) for number in self.numbers)
        words = plural(found, "Found in 1 caption", "Found in {count:,} captions") if found else tr("Not found")
        self._say_found(words, wrong=False)

    def _say_found(self, words: str, *, wrong: bool) -> None:
        self._found.set(words, "error" if wrong else "text2")
        self.find.invalid(wrong)
        self._replacer.disable(words if wrong else "" if self.find.get() else tr("Type what to find first"))


class Chips(Frame):
    """Tags with their counts, as many as fit into its lines. Its height stays: nothing below it moves with an edit."""

    def __init__(self, master: Frame, on_press: Callable[[Button, str], object], made: Callable[[Any], object]) -> None:
        super().__init__(master, height=CHIP_LINES * px(24) + (CHIP_LINES - 1) * px(GAP))
        self._on_press, self._made = on_press, made
        self._buttons: list[Button] = []
        self._shown: list[tuple[str, int]] = []
        self.bind("<Configure>", lambda _: self._arrange())

    def show(self, tags: Sequence[tuple[str, int]]) -> None:
        """Tags with how many images have them."""
        if list(tags) == self._shown:
            return
        self._shown = list(tags)
        while len(self._buttons) < len(self._shown):
            button = Button(self, "", height=24, hint=tr("Show, add or remove this tag"))
            self._buttons.append(button)
            button.on_press(lambda button=button: self._press(self._buttons.index(button)))
            self._made(button)
        for button, (tag, count) in zip(self._buttons, self._shown, strict=False):
            short = tag if len(tag) <= 26 else f"{tag[:25]}…"
            button.set(f"{short}  {count:,}")
        self._arrange()

    def _press(self, place: int) -> None:
        self._on_press(self._buttons[place], self._shown[place][0])

    def _arrange(self) -> None:
        wide, left, top, high = self.winfo_width(), 0, 0, px(24)
        for button in self._buttons:
            button.place_forget()
        for button in self._buttons[: len(self._shown)]:
            needs = min(button.winfo_reqwidth(), wide)
            if left and left + needs > wide:
                left, top = 0, top + high + px(GAP)
            if top + high > self.winfo_reqheight():
                break
            button.place(x=left, y=top, width=needs, height=high)
            left += needs + px(GAP)
