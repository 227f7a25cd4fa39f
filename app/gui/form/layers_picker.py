"""Which layers are trained: a set by name, or names and patterns of one's own; the share, and the way to the tree."""

from __future__ import annotations

from collections.abc import Callable

from app.gui.context import AppContext
from app.gui.form.layer_counts import PATIENCE_MS, in_short, trained_by
from app.gui.form.layer_dialog import LayerDialog
from app.gui.kit import Choice, Entry, Frame, Label, LinkButton, Option, px
from modules.catalog import FAMILIES, FamilyCard
from modules.language import tr

OWN = "\0own"  # stands for "My own choice"; no set is called so
BLOCKS = ("input ", "middle ", "output ", "time")


class LayersPicker(Frame):
    """A list of the sets of the model's family; under it an entry for patterns, while one's own choice is shown.

    Args:
        path: of the setting, whose layers the dialog shows.
    """

    def __init__(
        self,
        master: Frame,
        context: AppContext,
        path: str,
        *,
        on_change: Callable[[str], object],
        on_done: Callable[[str], object],
    ) -> None:
        super().__init__(master)
        self._context, self._path, self._on_change = context, path, on_change
        self.reason = ""
        self._names: list[str] = []
        self.choice = Choice(self, [], on_change=self._chosen)
        self.choice.pack(fill="x")
        self.entry = Entry(self, on_change=on_change, on_done=on_done, placeholder="input 4, mid", mono=True)
        self._foot = Frame(self)
        self._foot.pack(fill="x", pady=(px(3), 0))
        self.link = LinkButton(self._foot, tr("Choose layers …"), self.open)
        self.link.pack(anchor="w")
        self.share = Label(self._foot, font="small", role="text2", wrap=True)
        self.share.pack(fill="x", padx=px(2))
        self.inner = self.choice
        self._offer()
        self._pending = self._late = ""
        self.until_destroyed(
            context.draft.watch("", lambda _: self._soon()), context.queries.watch(self._soon), self._forget_late
        )
        self._soon()

    def get(self) -> str:
        chosen = self.choice.get()
        return self.entry.get() if chosen == OWN else str(chosen)

    def set(self, text: str) -> None:
        """Put `text` in, without telling anyone."""
        named = text in self._names
        self.choice.set(text if named else OWN)
        if named:
            self.entry.pack_forget()
        else:
            self.entry.set(text)
            self._show_entry()

    def open(self) -> LayerDialog | None:
        """The tree, in a dialog of its own."""
        if self.reason:
            return None
        self.entry.flush()
        return LayerDialog(self._context, self._path)

    def invalid(self, wrong: bool) -> None:
        self.choice.invalid(wrong)
        self.entry.invalid(wrong)

    def disable(self, reason: str) -> None:
        self.reason = reason
        self.choice.disable(reason)
        self.entry.disable(reason)

    def flush(self) -> None:
        self.entry.flush()

    def focus_set(self) -> None:
        (self.entry if self.choice.get() == OWN else self.choice).focus_set()

    def _forget_late(self) -> None:
        if self._late:
            self.after_cancel(self._late)
            self._late = ""

    def _offer(self) -> None:
        """The sets of the family of now; the numbered blocks come last."""
        sets = self._family().layer_sets
        if self._names != [*sets]:
            text = self.get() if self._names else ""
            self._names = [*sets]
            plain = [name for name in sets if not name.startswith(BLOCKS)]
            blocks = [name for name in sets if name.startswith(BLOCKS)]
            groups = ((plain, ""), (blocks, tr("Single blocks")))
            options = [
                Option(name, tr(sets[name].title), words=name, group=group)
                for first_names, group in groups
                for name in first_names
            ]
            self.choice.offer([*options[: len(plain)], Option(OWN, tr("My own choice")), *options[len(plain) :]])
            self.set(text)

    def _family(self) -> FamilyCard:
        return FAMILIES[str(self._context.draft.get("model.family"))]

    def _soon(self) -> None:
        """After what is on the screen."""
        if not self._pending:
            self._pending = self.after_idle(self._refresh)

    def _refresh(self) -> None:
        self._pending = ""
        self._offer()
        trained = trained_by(self._context)
        if trained is None:
            # What stood there stays for a moment: most answers are there before one has read it.
            self._late = self._late or self.after(PATIENCE_MS, lambda: self.share.set(tr("Counting …"), "text2"))
            return
        self._forget_late()
        preset = self._context.draft.preset()
        words, wrong = in_short(preset, trained, self._path) if trained else ("", False)
        self.share.set(words, "error" if wrong else "text2")

    def _show_entry(self) -> None:
        self.entry.pack(fill="x", pady=(px(6), 0), before=self._foot)

    def _chosen(self, value: str) -> None:
        if value == OWN:
            # Several sets may stand here, too: the set of before is where one starts from.
            self._show_entry()
            self.entry.focus_set()
        else:
            self.entry.pack_forget()
            self._on_change(value)
