"""What the window does when a job ends: a dialog for a failure, a line for a success, the close that waited for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.gui.check.findings import changed
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS, failure_text, note_text, pause_text
from app.gui.enqueue import enqueue, run_entry, turn
from app.gui.own_lora.opening import KEY
from app.gui.run import dialogs
from app.gui.run_control import Resumable, RunControl, Way, guarded
from app.gui.session.engine_client import EngineDied
from app.gui.session.open_external import open_external
from app.gui.session.run_labels import pause_advice
from app.gui.session.run_state import WindowEvent
from modules.errors import UserError
from modules.language import plural, tr
from modules.messages import Continued, Failed, Finished, Fix, Note, Paused, Started
from modules.system.bundled import is_bundled
from modules.tools import TOOLS


class JobResults:
    """`handle` is called with every event, after the run has taken it in."""

    def __init__(self, context: AppContext, job: RunControl, close: Callable[[], object]) -> None:
        self._context, self._job, self._close = context, job, close
        self.closing = False  # the window closes as soon as the job has ended
        self._paused_dialog = ""  # what was said last of why a run has paused by itself

    def handle(self, event: WindowEvent) -> None:
        if self._context.running.replaying and isinstance(event, Note | Paused):
            return  # the log has it; a pause that still holds is in the bar
        match event:
            case Failed() | EngineDied():
                self._failed(event)
            case Started():
                self._context.window_state.put("run", event.folder)
            case Finished():
                self._finished(event)
            case Note(level="error"):
                self._context.notify(note_text(event), role="error")
            case Paused():
                self._paused(event)
            case Continued():
                self._paused_dialog = ""
            case _:
                pass

    def close_after_stop(self) -> None:
        """Stop with a backup, and close when that is done."""
        self.closing = True
        if self._context.running.queued:
            turn(self._context, on=False)
        if self._context.running.busy:
            training = self._context.running.what == "train"
            words = (
                "The window closes when the backup is made"
                if training
                else "The window closes when the engine has stopped"
            )
            self._context.notify(tr(words))
            if self._context.running.state != "stopping":
                self._job.stop()
        else:
            self._close()

    def _paused(self, event: Paused) -> None:
        """A run waits by itself: each reason is said once."""
        if event.reason and event.reason != self._paused_dialog:
            said, way_on = tr("Paused: {reason}", reason=pause_text(event)), pause_advice(retries=event.retries)
            self._context.notify(said, way_on, self._job.pause_or_continue, role="changed")
        self._paused_dialog = event.reason

    def _failed(self, event: Failed | EngineDied) -> None:
        context = self._context
        self.closing = False  # there is no backup now: that has to be said first
        self._paused_dialog = ""
        if context.running.queued and not context.running.replaying:
            self._queued_failed(event)
            return
        own = not context.running.taken_over
        if own and context.running.what != "train" and isinstance(event, Failed) and not event.details:
            return  # the page of the check, or the card of the tool, says so
        if own and isinstance(event, Failed) and any(each.code == "card.taken" for each in event.problems):
            self._card_taken(event)
            return
        back = self._job.lost() if context.running.what == "train" else None
        dialogs.failed(context.app, event, context.running.what, back, self._answered, context.engine.printed())

    def _card_taken(self, event: Failed) -> None:
        """Somebody has begun to train on the card since this window looked."""

        context, sent = self._context, self._job.sent

        def share() -> None:
            guarded(self._job.share_card, self._refused)

        def wait() -> None:
            if sent is not None:
                enqueue(context, run_entry(sent.preset, Path(sent.resume) if sent.resume else None), after=True)

        run = next(str(each.values.get("run", "")) for each in event.problems if each.code == "card.taken")
        dialogs.ask_beside(context.app, [run], share, wait)

    def _queued_failed(self, event: Failed | EngineDied) -> None:
        """Nobody started it just now: no dialog, and the next one begins in a moment."""
        said = failure_text(event) if isinstance(event, Failed) else event.message
        folder = self._context.running.folder
        if folder is None:
            self._context.notify(said, role="error")
        else:
            self._context.notify(said, tr("Open folder"), lambda: self._open(folder), role="error")

    def _answered(self, answer: Resumable | Fix) -> None:
        if isinstance(answer, Resumable):
            self._resume(answer)
            return
        wrong = changed(self._context, answer)
        if wrong:
            self._context.notify(wrong, role="changed")
            return
        back = self._job.lost() if self._context.running.what == "train" else None
        if back is None:
            words = tr("Changed: {label}", label=WORDS.label(answer))
            self._context.notify(words, tr("Start again"), self._context.start)
        else:
            words = tr("Changed: {label}", label=WORDS.label(answer))
            self._context.notify(words, tr("Continue from step {step:,}", step=back.step), lambda: self._resume(back))

    def _resume(self, back: Resumable) -> None:
        guarded(lambda: self._job.start(Way(back.folder)), self._refused)

    def _refused(self, error: UserError) -> None:
        dialogs.refused(self._context.app, tr("That cannot be started"), error)

    def _finished(self, event: Finished) -> None:
        if self.closing:
            self._context.app.after_idle(self._close)
            return
        running = self._context.running
        if running.what != "train":
            if running.taken_over:  # else its card says so
                self._tool_finished(event)
            return
        folder = running.folder
        words = (
            tr("Stopped at step {step:,}", step=event.step)
            if event.stopped
            else plural(event.step, "Finished: 1 step", "Finished: {count:,} steps")
        )
        if event.stopped and running.backup_step == event.step > 0:
            words += tr(", with a backup. Start continues there")
        if folder is None:
            self._context.notify(words)
            return
        self._context.window_state.put("run", "")
        made, tries = running.model, self._own_images()
        if made is not None:
            tries.append((tr("Try this model"), lambda: self._context.go("tools", str(made))))
        role = "text2" if event.stopped else "good"
        self._context.notify(words, tr("Open folder"), lambda: self._open(folder), role=role, more=tries)

    def _tool_finished(self, event: Finished) -> None:
        """Of a job that an earlier window has left."""
        tool = TOOLS.get(self._context.running.what)
        title, place = tr(tool.title) if tool else self._context.running.what, Path(event.path)
        words = tr("{job}: stopped", job=title) if event.stopped else tr("{job}: done", job=title)
        if event.path:
            folder = place if place.is_dir() else place.parent
            self._context.notify(words, tr("Open folder"), lambda: self._open(folder))
        else:
            self._context.notify(words)

    def _own_images(self) -> list[tuple[str, Callable[[], object]]]:
        """After the first run of the tutorial: the way to the user's own images, which stays on General."""
        state, concepts = self._context.window_state, self._context.draft.get("concepts")
        if state.get(KEY, str) or not all(is_bundled(str(concept["path"])) for concept in concepts):
            return []
        state.put(KEY, "open")
        return [(tr("Train on your own images"), self._context.own_lora)]

    def _open(self, folder: Path) -> None:
        if problem := open_external(folder):
            self._context.notify(problem, role="changed")
