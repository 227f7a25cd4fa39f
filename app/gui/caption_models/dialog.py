"""The dialog "Make captions": what is asked for at the left, what three images would get at the right.

While captions are written it is a line of progress with Stop. What is written stays, and goes together by Undo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.caption_models.footer import CaptionFooter
from app.gui.caption_models.form import SELECTED, CaptionForm
from app.gui.caption_models.job import CaptionJob
from app.gui.caption_models.preview import PreviewRow, counts_of
from app.gui.caption_models.shots import Shot, other, reading, settings_of_concept, to_preview, to_write
from app.gui.caption_models.undo import can_undo, undo_made, use_in_training
from app.gui.context import AppContext
from app.gui.draft.labels import title_of
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Choice, Dialog, Divider, Frame, Label, LinkButton, Option, ScrollArea, px
from app.gui.run_control import busy_reason
from app.gui.session.worker_poll import WorkerPoll
from modules.captioning.kinds import model_is_here
from modules.captioning.settings import Settings
from modules.captioning.targets import ending_of, kinds_of
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.preset.validate import examine_section
from modules.text import duration, in_bytes

SIZE, LEFT = (960, 590), 392
REMEMBERED = "captioning"  # in the state of the window
TICK_MS = 300
SENTENCES_OF = ("captioner", "prompt", "length", "prefix", "exclude")  # settings that make other sentences
STAGES = {"tags": "stage.tagging", "sentences": "stage.captioning"}


def make_captions(
    master: Any, context: AppContext, selected: Sequence[str] = (), written: Callable[[], object] = lambda: None
) -> None:
    """Open the dialog for all concepts that are switched on, if there is one."""
    concepts = [number for number, concept in enumerate(context.draft.get("concepts")) if concept["enabled"]]
    if concepts:
        MakeCaptions(master, context, concepts, selected, written)


class MakeCaptions(Dialog):
    """Open it for the concepts with images.

    Args:
        concepts: their numbers in the draft; the first is shown.
        selected: images that are selected on the page, as they are called in messages.
        written: called when files have changed.
    """

    def __init__(
        self, master: Any, context: AppContext, concepts: Sequence[int], selected: Sequence[str] = (),
        written: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        self.context, self._concepts, self._selected, self._written = context, list(concepts), list(selected), written
        self.shots: list[Shot] = []
        self.rows: list[PreviewRow] = []
        self._number = self._concepts[0]
        self._previewed: Values = {}  # the settings with which sentences were made
        self._reads = self._wrong = ""
        self._asked: Values = {}
        self._usable = Settings(source=".")
        self._count = 0  # captions that would be written
        self._busy = False
        super().__init__(master, tr("Make captions"), answers=(), width=SIZE[0], height=SIZE[1])
        self.job = CaptionJob(context, self._heard)
        self._make_left()
        self._make_right()
        self.foot = CaptionFooter(self.footer, self._press, self.preview, lambda: self.close(None), self.job.stop)
        self._images: WorkerPoll[list[Shot]] = WorkerPoll(self, self._arrived, self._failed, self._advance)
        self._timer = self.after(TICK_MS, self._tick)
        self.until_destroyed(context.running.listen(self.job.heard), self._images.cancel)
        self.until_destroyed(lambda: self.after_cancel(self._timer))
        self._read()

    # Making it --------------------------------------------------------------------------------------------------------

    def _make_left(self) -> None:
        self.left = Frame(self.body, width=LEFT)
        self.left.pack(side="left", fill="y")
        self.left.pack_propagate(False)
        if len(self._concepts) > 1:
            titles = {number: title_of(self.context.draft.get(f"concepts.{number}")) for number in self._concepts}
            options = [Option(number, title) for number, title in titles.items()]
            Choice(self.left, options, self._number, self._other_concept).pack(fill="x", pady=(0, px(8)))
        area = ScrollArea(self.left)
        area.pack(fill="both", expand=True)
        last = self.context.window_state.get(REMEMBERED, dict)
        self.form = CaptionForm(area.body, self.context, last, self._changed, self.filtered)
        self.form.pack(fill="x", padx=(0, px(8)))
        self.undo = LinkButton(area.body, tr("Undo the captions made last"), self._undo)

    def _make_right(self) -> None:
        self.right = Frame(self.body)
        self.right.pack(side="left", fill="both", expand=True, padx=(px(20), 0))
        head = Frame(self.right)
        head.pack(fill="x")
        self.title_line = Label(head, "", font="section")
        self.title_line.pack(side="left")
        self.others = Button(head, tr("Other three"), self._other_three, image="rotate-ccw")
        self.others.pack(side="right")
        area = ScrollArea(self.right)
        area.pack(fill="both", expand=True, pady=(px(8), 0))
        self.holder = area.body
        self.hint = Label(self.right, "", font="small", role="text2", wrap=True)
        self.hint.pack(fill="x", pady=(px(6), 0))

    def close(self, answer: Any) -> None:
        """While captions are written only Stop ends it; a preview that nobody waits for is stopped."""
        if self.job.going and not self.job.previews:
            return
        if self.job.going:
            self.job.going = False
            self.job.stop()
        super().close(answer)

    # The images -------------------------------------------------------------------------------------------------------

    def _other_concept(self, number: int) -> None:
        self._number = number
        self._show_rows(())
        self._read()

    @property
    def _concept(self) -> Values:
        return self.context.draft.get(f"concepts.{self._number}")

    def _read(self) -> None:
        self.shots = []
        self._reads = tr("Reading captions …")
        self._images.start(reading(self._concept))
        self.refresh()

    def _advance(self, done: int, total: int) -> None:
        if total:
            self._reads = tr("Reading captions: {done:,} of {total:,}", done=done, total=total)
            self.refresh()

    def _failed(self, error: UserError) -> None:
        self._reads = error.text(WORDS)
        self.refresh()

    def _arrived(self, shots: list[Shot]) -> None:
        self.shots, self._reads, self._asked = shots, "", {}
        ending = settings_of_concept(self._concept)["ending"]
        missing = sum(ending not in shot.has for shot in shots)
        names = {str(shot.file) for shot in shots}
        self._selected = [name for name in self._selected if name in names]
        self.undo.pack_forget()
        if can_undo(self._concept):
            self.undo.pack(anchor="w", padx=px(13), pady=(px(10), 0))
        self.form.offer(missing, len(shots), len(self._selected))
        if not self.rows:
            self._show_rows(to_preview(shots, ending))
            self._tag()
        self.refresh()

    def _other_three(self) -> None:
        self._show_rows(other(self.shots, [row.shot for row in self.rows]))
        self._tag()
        self.refresh()

    def _tag(self) -> None:
        """Tags are quick: they are shown unasked."""
        if self.form.kind.get() == "tags" and self._can_preview() and not self._tags_are_of_now():
            self.preview()

    def _show_rows(self, shots: Sequence[Shot]) -> None:
        for child in self.holder.winfo_children():
            child.destroy()
        self.rows = []
        for shot in shots:
            if self.rows:
                Divider(self.holder).pack(fill="x", pady=px(8))
            row = PreviewRow(self.holder, self.context, shot, lambda _: self.preview())
            row.pack(fill="x", padx=(0, px(8)))
            self.rows.append(row)
        self._show_made()

    # What is asked ----------------------------------------------------------------------------------------------------

    def values(self) -> Values:
        """Of the tool, for writing."""
        found = settings_of_concept(self._concept) | self.form.values()
        if self.form.images.get() == SELECTED:
            found["only"] = list(self._selected)
        return found

    def _settings(self) -> Settings:
        """What is asked for; where something of it cannot be used, what was asked before, and `_wrong` says why."""
        values = self.values()
        if values != self._asked:
            self._asked = values
            settings, wrong = examine_section(Settings, values)
            self._wrong = "\n".join(map(WORDS.line, wrong.values()))
            self._usable = settings or self._usable
            self._count = to_write(self.shots, self._usable)
        return self._usable

    def _missing(self) -> int:
        """Bytes that are to be downloaded first, about; -1 where it is not known how many, 0 for none."""
        missing = [model for model in self.form.models() if not model_is_here(model.model)]
        if any(not model.size for model in missing):
            return -1
        return sum(model.size for model in missing)

    def _can_preview(self) -> bool:
        return bool(self.rows) and not self._missing() and not self.context.running.busy

    def _changed(self) -> None:
        """Another model, prompt or kind."""
        self.context.window_state.put(REMEMBERED, self.form.values())
        self._tag()
        self.filtered()

    def _tags_are_of_now(self) -> bool:
        of_now = self._previewed.get("tagger") == self.form.tagger.model
        return of_now and all((str(row.shot.file), "tags") in self.job.made for row in self.rows)

    def filtered(self) -> None:
        """Tags that are known are chosen otherwise; nothing is computed."""
        self.context.window_state.put(REMEMBERED, self.form.values())
        self._show_made()
        self.refresh()

    def _show_made(self) -> None:
        tagged = [self.job.made.get((str(row.shot.file), "tags")) for row in self.rows]
        if self._previewed.get("tagger") == self.form.tagger.model and (first := next(filter(None, tagged), None)):
            self.form.recommend(first.thresholds)
        values = self.form.values() | self.form.thresholds()
        stale = any(self._previewed.get(name) != values[name] for name in SENTENCES_OF)
        tags = self._previewed.get("tagger") == values["tagger"]
        for row in self.rows:
            found = {what: self.job.made.get((str(row.shot.file), what)) for what in ("tags", "sentences")}
            shown = {what: made for what, made in found.items() if made is not None and (tags or what != "tags")}
            row.show(shown, values, stale=stale)
        self.form.tell_counts(counts_of([each for each in tagged if each is not None and tags], values))

    # Doing it ---------------------------------------------------------------------------------------------------------

    def _press(self) -> None:
        if self._missing():
            self.preview()  # which downloads
        else:
            self._start(self.values(), previews=False)

    def preview(self) -> None:
        only = [str(row.shot.file) for row in self.rows]
        values = self.values() | {"only": only}
        if self._start(values, previews=True):
            self._previewed = values

    def _start(self, values: Values, *, previews: bool) -> bool:
        self._settings()
        if self.context.running.busy or self.job.going or self._wrong:
            return False
        try:
            self.job.start(values, previews=previews)
        except UserError as error:
            self.foot.words.set(error.text(WORDS), "error")
            return False
        return True

    def _heard(self) -> None:
        if not self.winfo_exists():
            return
        if not self.job.going:
            for model in self.form.models():
                model.refresh()
            if not self.job.previews:
                self._ended()
                return
        self._show_made()
        self.refresh()

    def _ended(self) -> None:
        """Captions were written: say so with the way back, and stay only if there is something to read."""
        self._written()
        if not self.job.failure:
            words = self.job.notes[-1] if self.job.notes else tr("Stopped.")
            self.context.notify(
                words, tr("Undo"), undo_made(self.context, self._concept, self._written), more=self._sources_action()
            )
        if self.job.failure or self.job.warnings:
            self._read()
            self.refresh()
        else:
            self.close(None)

    def _undo(self) -> None:
        undo_made(self.context, self._concept, self._written)()
        self._read()

    def _sources_action(self) -> list[tuple[str, Callable[[], object]]]:
        endings = [ending_of(self._settings(), kind) for kind in kinds_of(self._settings())]
        return use_in_training(self.context, self._number, endings)

    # Saying it --------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._timer = self.after(TICK_MS, self._tick)
        if self._busy != self.context.running.busy:
            self.refresh()

    def refresh(self) -> None:
        """What can be done now, and what it would do."""
        going = self.job.going
        self._busy = self.context.running.busy
        self._lay_out(writes=going and not self.job.previews)
        self.form.disable(tr("This is running.") if going else "")
        self.title_line.set(plural(len(self.rows), "Preview on 1 image", "Preview on {count} images"))
        alone = "" if len(self.shots) > len(self.rows) else tr("There are no others.")
        self.others.disable(tr("This is running.") if going else alone)
        settings = self._settings()
        kinds = kinds_of(settings)
        self.form.tell_into(tr("as {files}", files=", ".join(ending_of(settings, kind) for kind in kinds)))
        self.hint.set(
            tr("A slider moves the tags at once; nothing is computed again.") if kinds == ("tags",)
            else tr("A changed prompt is tried with “Preview” before anything is written.")
        )  # fmt: skip
        self._refresh_buttons(self._count)

    def _lay_out(self, *, writes: bool) -> None:
        """While it writes, nothing is asked."""
        self.foot.going(self.job.going, self.job.share)
        self.foot.stop.disable(tr("Stopping as soon as possible.") if self.context.running.state == "stopping" else "")
        if writes and self.left.winfo_manager():
            self.left.pack_forget()
            self.right.pack_forget()
        elif not writes and not self.left.winfo_manager():
            self.left.pack(side="left", fill="y")
            self.right.pack(side="left", fill="both", expand=True, padx=(px(20), 0))

    def _refresh_buttons(self, count: int) -> None:
        missing, running = self._missing(), self.context.running
        busy = self._wrong or (busy_reason(running.what) if running.busy and not self.job.going else "")
        if missing:
            words = tr("Download {size}", size=in_bytes(missing)) if missing > 0 else tr("Download")
            self.foot.main.set(words, image="download")
            self.foot.main.disable(busy or ("" if self.rows else self._reads))
        else:
            self.foot.main.set(plural(count, "Write 1 caption", "Write {count:,} captions"), image="captions")
            self.foot.main.disable(busy or self._reads or ("" if count else tr("All of these images have captions.")))
        self.foot.preview.disable(
            busy or (tr("Download the model first.") if missing else "" if self.rows else self._reads)
        )
        words, role = self._says(count, busy)
        self.foot.words.set(words, role)

    def _says(self, count: int, busy: str) -> tuple[str, str]:
        if self.job.going:
            parts = [*self.job.notes[-1:], self.job.stage or tr("Starting …")]
            return " ".join(parts), "text2"
        if self.job.failure:
            return self.job.failure, "error"
        if self.job.warnings:
            return "\n".join(self.job.warnings[-3:]), "changed"
        if busy or self._reads:
            return busy or self._reads, "error" if self._wrong else "text2"
        seconds = sum(self.job.seconds.get(STAGES[kind], 0.0) for kind in kinds_of(self._settings()))
        known = all(STAGES[kind] in self.job.seconds for kind in kinds_of(self._settings()))
        parts = [plural(count, "1 caption", "{count:,} captions")]
        if known and count:
            whole = seconds * count
            parts.append(tr("about {time}", time=duration(whole)) if whole >= 1 else tr("under a second"))
        return " \u00b7 ".join([*parts, tr("can be stopped and undone")]), "text2"
