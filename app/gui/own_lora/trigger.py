"""Step 2: the trigger word of each own concept, compared with its captions while it is typed."""

from __future__ import annotations

from typing import Any

from app.gui.captions.edits import add_trigger
from app.gui.captions.store import CaptionStore
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Entry, Frame, Label, LinkButton, px
from app.gui.own_lora.facts import FolderFacts, trigger_warning, without_trigger
from app.gui.own_lora.images import ImagesStep
from app.gui.own_lora.step import Step
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.errors import UserError
from modules.language import plural, tr


class TriggerStep(Step):
    """A line for each folder. Done when each has a word, or when it was said that none is wanted."""

    def __init__(self, master: Any, context: AppContext, number: int, images: ImagesStep) -> None:
        super().__init__(master, context, number, tr("Trigger word"), tr("the word that calls it in a prompt"))
        self._images = images
        self._lines: list[TriggerLine] = []
        self._drawn: object = None
        self._without = False
        self._none = LinkButton(self.body, tr("Without a trigger word, for a style"), self._skip)

    @property
    def done(self) -> bool:
        facts = self._images.facts
        return bool(facts) and (self._without or (all(line.trigger for line in self._lines) and bool(self._lines)))

    def show(self) -> None:
        facts = self._images.facts
        if facts is not self._drawn:
            self._drawn = facts
            for line in self._lines:
                line.destroy()
            self._lines = [TriggerLine(self.body, self, each, named=len(facts) > 1) for each in facts if each.found]
            for line in self._lines:
                line.pack(fill="x", pady=(0, px(4)))
        for line in self._lines:
            line.refresh()
        if self.done == bool(self._none.winfo_manager()):
            self._none.pack_forget() if self.done else self._none.pack(anchor="w", pady=(px(2), 0))

    def look_again(self) -> None:
        """The captions have changed."""
        self._images.look()

    def _skip(self) -> None:
        self._without = True


class TriggerLine(Frame):
    """The word of one concept, and in how many of its captions it stands."""

    def __init__(self, master: Any, step: TriggerStep, facts: FolderFacts, *, named: bool) -> None:
        super().__init__(master)
        self._step, self._context, self._facts = step, step.context, facts
        self._path = f"concepts.{facts.number}.trigger"
        self._known, self._warned_for = ("", ""), ""
        line = Frame(self)
        line.pack(fill="x")
        if named:
            Label(line, facts.title, role="text2").pack(side="left", padx=(0, px(10)))
        self.entry = Entry(line, self.trigger, placeholder="ohwx", on_change=self._typed, width=200)
        self.entry.pack(side="left")
        self._add = Button(line, "", self._write)
        self._words = Label(line, role="text2", wrap=True)
        self._words.pack(side="left", fill="x", expand=True, padx=px(10))
        self._warning = Label(self, font="small", role="changed", wrap=True)
        self._asking: WorkerPoll[str] = WorkerPoll(self, self._warn)
        self._writing: WorkerPoll[int] = WorkerPoll(self, self._written, self._refused)

    def destroy(self) -> None:
        self._asking.cancel()
        self._writing.cancel()
        super().destroy()

    @property
    def trigger(self) -> str:
        return str(self._context.draft.get(self._path) or "").strip()

    def _typed(self, text: str) -> None:
        self._context.draft.type(self._path, text)

    def refresh(self) -> None:
        """The word as the draft has it, what the captions say of it, and the model."""
        trigger, draft = self.trigger, self._context.draft
        if trigger != self.entry.get().strip() and not self.entry.focused:
            self.entry.set(trigger)
        model = (str(draft.get("model.family")), str(draft.get("model.source")))
        if self._warned_for != (asked := f"{trigger} {model}"):
            self._warned_for = asked
            self._show_count(trigger)
            self._asking.start(Worker(lambda *_: trigger_warning(trigger, *model)))

    def _show_count(self, trigger: str) -> None:
        captions = self._facts.captions
        lacking = len(without_trigger(captions, trigger)) if trigger else 0
        self._add.pack_forget()
        if not trigger:
            self._words.set("")
        elif not captions:
            self._words.set(tr("put in front of each caption"), "good")
        elif not lacking:
            self._words.set(tr("in all captions"), "good")
        else:
            has = tr(
                "in {has:,} of {all:,} captions; training puts it before the others",
                has=len(captions) - lacking,
                all=len(captions),
            )
            self._words.set(has, "text2")
            self._add.set(plural(lacking, "Write it into 1 caption", "Write it into {count:,} captions"))
            self._add.pack(side="right", before=self._words)

    def _warn(self, words: str) -> None:
        self._warning.set(words)
        if words:
            self._warning.pack(fill="x", pady=(px(3), 0))
        else:
            self._warning.pack_forget()

    # Writing ----------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        trigger, captions = self.trigger, self._facts.captions
        store = CaptionStore(captions)
        places = without_trigger(captions, trigger)
        self._add.disable(tr("Writing captions"))
        self._store = store
        self._writing.start(Worker(lambda *_: store.apply(add_trigger(trigger), places)))

    def _written(self, count: int) -> None:
        store, step, context = self._store, self._step, self._context

        def undo() -> None:
            try:
                store.undo()
            except UserError as error:
                context.notify(error.text(WORDS), role="changed")
            step.look_again()

        context.notify(plural(count, "1 caption written", "{count:,} captions written"), tr("Undo"), undo, role="good")
        step.look_again()

    def _refused(self, error: UserError) -> None:
        self._add.enable()
        self._context.notify(error.text(WORDS), role="error")
        self._step.look_again()
