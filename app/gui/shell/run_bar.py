"""The lower edge, which is always there: start and stop, what is wrong, how far it is, and what can be asked now."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.gui.check.findings import checks_for
from app.gui.context import AppContext
from app.gui.draft import problem_labels
from app.gui.draft.problem_labels import failure_headline
from app.gui.kit import Button, Divider, Frame, Label, Progress, fitting, px
from app.gui.run_control import RunControl, no_images
from app.gui.session import number_format
from app.gui.session.engine_client import EngineDied
from app.gui.session.number_format import clock, done_at
from app.gui.session.run_labels import end_text, pause_advice
from app.gui.session.run_state import JUST_SENT
from app.gui.shell.starting import Starting
from modules import messages
from modules.event_text import progress_text, stage_title
from modules.language import plural, tr
from modules.messages import Failed, Finished
from modules.text import percent_done, rate, time_left
from modules.tools import TOOLS

HEIGHT = 60
CAPTIONS_FROM = 1200  # pixels of the window from which icons have words under them
WORDS_FROM = 1400  # from which "Add to queue" is written
CALM_S = 0.5


@dataclass(frozen=True)
class RunBarActions:
    """What the run bar can ask for, beside what the job does itself."""

    start: Callable[[], object]
    stop: Callable[[], object]
    problem: Callable[[], object]
    sample: Callable[[], object]
    log: Callable[[], object]
    job: Callable[[str], object]  # the page of a tool at work, by its name


class RunBar(Frame):
    """`refresh` shows what is so now; cheap enough for every tick."""

    def __init__(
        self, master: Frame, context: AppContext, job: RunControl, starting: Starting, actions: RunBarActions
    ) -> None:
        super().__init__(master, "panel", height=HEIGHT)
        self._context, self._job, self._queueing, self._actions = context, job, starting, actions
        self._starting = starting.pre_start
        self.calm_s, self._toggled = CALM_S, -math.inf
        self.pack_propagate(False)
        Divider(self).pack(side="top", fill="x")
        self.start = Button(self, tr("Start training"), self.toggle, kind="primary", image="play", width=154, height=36)
        self.start.pack(side="left", padx=(px(16), px(10)))
        self.queue = Button(self, "", starting.enqueue, kind="icon", image="list-plus", height=34)
        self.queue.pack(side="left", padx=(0, px(10)))
        self.problems = Button(self, "", actions.problem, kind="alarm", image="circle-alert", height=36)
        self.again = Button(self, tr("Try again"), job.pause_or_continue, kind="notice", image="rotate-ccw", height=36)
        self._icons()
        self._middle()
        self.bind("<Configure>", lambda event: self._caption(event.width >= px(CAPTIONS_FROM)), add=True)

    def _icons(self) -> None:
        def button(image: str, act: Callable[[], object], hint: str) -> Button:
            made = Button(self, "", act, kind="icon", image=image, hint=hint, height=34)
            made.pack(side="right", padx=(0, px(4)))
            return made

        Frame(self, width=8).pack(side="right")
        self.log = button("terminal", self._actions.log, tr("Show the log"))
        self.save = button("save", self._job.save_now, tr("Save the model now"))
        self.sample = button("camera", self._actions.sample, tr("Make a sample now"))
        self.backup = button("shield", self._job.backup_now, tr("Make a backup now"))
        self.pause = button("pause", self._job.pause_or_continue, tr("Pause"))
        self._captioned = False

    def _caption(self, wanted: bool) -> None:
        """Words under the icons, or none."""
        self._captioned = wanted
        words = (tr("Log"), tr("Save"), tr("Sample"), tr("Backup"), self._pause_words())
        for button, word in zip((self.log, self.save, self.sample, self.backup, self.pause), words, strict=True):
            button.caption(word if wanted else "")
        self._show_queue()

    def _pause_words(self) -> str:
        return tr("Go on") if self._context.running.state == "paused" else tr("Pause")

    def _middle(self) -> None:
        middle = Frame(self)
        middle.pack(side="left", fill="x", expand=True, padx=(px(4), px(14)))
        words = Frame(middle)
        words.pack(fill="x")
        self.right = Label(words, "", role="text2")
        self.right.bind("<ButtonRelease-1>", lambda _: self._aside and self._actions.job(self._context.running.what))
        self.right.pack(side="right")
        self.left = Label(words, "", font="bold")
        self.left.pack(side="right")
        self.percent = Label(words, "", font="bold")
        self.percent.pack(side="left")
        self.words = Label(words, "")
        self.words.pack(side="left", fill="x", expand=True)
        self.bar = Progress(middle, 0.0)
        self.bar.pack(fill="x", pady=(px(7), 0))
        below = Frame(middle, height=4)  # it keeps its place while there is nothing beside the training
        below.pack_propagate(False)
        below.pack(fill="x")
        self.beside = Progress(below, 0.0, height=2)

    def toggle(self) -> None:
        """Start or stop. A double click, or a key held down, means it once: Stop twice would leave the backup out."""
        now = time.monotonic()
        last, self._toggled = self._toggled, now
        if now - last < self.calm_s or self._aside:
            return
        at_work = self._context.running.busy and not self._starting.checking
        (self._actions.stop if at_work else self._actions.start)()

    # What is so now ---------------------------------------------------------------------------------------------------

    @property
    def _aside(self) -> bool:
        """Whether a job goes on that is no training: it has its own page and never takes over the bar.

        One that an earlier window has left has no page that knows of it: it is shown and stopped here.
        """
        running = self._context.running
        return running.busy and running.what in TOOLS and not running.taken_over

    @property
    def _trains(self) -> bool:
        return self._context.running.busy and self._context.running.what == "train" and not self._starting.checking

    def refresh(self) -> None:
        self._show_start()
        self._show_queue()
        self._show_problems()
        running = self._context.running
        text, role, share = self._state()
        room = self.words.winfo_width()
        self.words.set(fitting(text, room - px(8), "body") if room > 1 else text, role)
        self.bar.set(share, "error" if role == "error" else "good" if share == 1.0 else "accent")
        going = running.state in ("training", "paused", "stopping") and not running.pause_reason
        progress = running.progress if going else None
        left = progress.seconds_left if progress else 0.0
        self.percent.set(self._percent())
        self.left.set(tr("{time} left", time=clock(left)) if left > 0 else "")
        self.right.set(self._job_text() if self._aside else _figures(progress) if progress else "")
        self.right.configure(cursor="hand2" if self._aside else "")
        self._show_beside()
        reason = self._job.no_run_reason()
        for button in (self.pause, self.backup, self.sample, self.save):
            button.disable(reason)
        self._show_again()
        paused = running.state == "paused"
        self.pause.set(image="play" if paused else "pause", hint=self._pause_words())
        if self._captioned:
            self.pause.caption(self._pause_words())

    def _percent(self) -> str:
        """How far the run under way is, before what it does."""
        now = self._context.running.progress
        return percent_done(now.step, now.steps) + "  " if now and self._trains else ""

    def _show_beside(self) -> None:
        """How far samples, a backup or a model are, while the bar goes on saying how far the run is."""
        stage = self._context.running.stage
        wanted = bool(self._trains and stage and stage.total and self._context.running.progress)
        if stage and wanted:
            self.beside.set(stage.done / stage.total)
        if wanted and not self.beside.winfo_manager():
            self.beside.pack(side="bottom", fill="x")
        elif not wanted:
            self.beside.pack_forget()

    def _show_start(self) -> None:
        running = self._context.running
        if not running.busy or self._starting.checking or self._aside:
            checks = checks_for(self._context)
            words = tr("Start anyway") if checks.start_anyway else tr("Start training")
            self.start.set(words, kind="primary", image="play", hint="Ctrl+Return")
            self.start.disable(self._starting.start_blocked_reason())
            return
        training = running.what == "train"
        if running.state == "stopping":
            hint = tr("Does not wait for the backup") if training else tr("Does not wait")
            self.start.set(tr("Stop now"), kind="danger", image="square", hint=hint)
        else:
            words = tr("Stop training") if training else tr("Stop")
            hint = tr("Makes a backup first") if training else tr("No run is started") if self._starting.waiting else ""
            self.start.set(words, kind="danger", image="square", hint=hint)
        self.start.enable()

    def _show_queue(self) -> None:
        """In words, if there is room, where Start is taken by a run and the settings are not those of that run."""
        other, words = self._queueing.other_settings, tr("Add to queue")
        written = other and self.winfo_width() >= px(WORDS_FROM)
        hint = f"{words} (Ctrl+Shift+Return)"
        if other:
            hint = tr("Add these settings to the queue: they come after what is running")
        self.queue.set(words if written else "", kind="plain" if written else "icon", hint=hint)
        self.queue.caption(tr("Queue") if self._captioned and not written else "")
        self.queue.disable(self._queueing.why_not_queued())

    def _show_problems(self) -> None:
        wrong = len(self._context.draft.errors())
        if wrong and not no_images(self._context):
            self.problems.set(plural(wrong, "1 problem", "{count} problems"), hint=tr("Go to the next one (F8)"))
            self.problems.pack(side="left", padx=(0, px(10)), after=self.queue)
        else:
            self.problems.pack_forget()

    def _show_again(self) -> None:
        """What hinders a run may be gone: it can be asked to look at once."""
        if self._context.running.pause_reason:
            self.again.set(pause_advice(retries=self._context.running.retries))
            self.again.pack(side="left", padx=(0, px(10)), after=self.queue)
        else:
            self.again.pack_forget()

    def _state(self) -> tuple[str, str, float | None]:
        """Words, their role, and the share that is done."""
        running = self._context.running
        if not running.busy or self._aside:
            return self._at_rest()
        if running.what == "check":
            return self._checking()
        share = running.progress.step / max(running.progress.steps, 1) if running.progress else 0.0
        if running.state == "stopping":
            return self._stopping(), "text", share
        if running.pause_reason:
            return tr("Paused: {reason}", reason=running.pause_reason), "changed", share
        return self._going(share)

    def _stopping(self) -> str:
        running = self._context.running
        if running.stage:
            return tr("Stopping: {what}", what=stage_title(running.stage))
        return tr("Stopping after this step, with a backup")

    def _going(self, share: float) -> tuple[str, str, float | None]:
        running = self._context.running
        stage = running.stage
        if stage and running.what == "train" and running.started:  # samples, a backup, the model: the run goes on
            now = running.progress
            where = progress_text(now) if now else tr("step {step:,} of {steps:,}", step=0, steps=running.started.steps)
            return f"{_begun(where)} \u00b7 {number_format.stage_text(stage)}", "text", share
        if stage:
            return number_format.stage_text(stage), "text", stage.done / stage.total if stage.total else None
        if running.progress is None:
            return tr("Getting ready") + " \u2026", "text", None
        where = progress_text(running.progress)
        return (f"{tr('Paused')}: {where}" if running.state == "paused" else _begun(where)), "text", share

    def _job_text(self) -> str:
        """A tool at work, in short: "Drawing a grid: 61 of 196 · 3 min 12 s left"."""
        running = self._context.running
        name, stage = tr(TOOLS[running.what].running), running.stage
        if running.state == "stopping":
            return f"{name}: {tr('Stopping')}"
        if stage is None or stage == JUST_SENT or not stage.total:
            return f"{name} \u2026"
        seconds = running.countdown.seconds
        left = tr(" \u00b7 {time} left", time=time_left(seconds)) if seconds else ""
        return tr("{name}: {done:,} of {total:,}", name=name, done=stage.done, total=stage.total) + left

    def _checking(self) -> tuple[str, str, float | None]:
        stage = self._context.running.stage
        doing = tr("Checking before the start") if self._starting.waiting else tr("Checking")
        if stage is None or stage == JUST_SENT:
            return f"{doing} \u2026", "text", None
        share = stage.done / stage.total if stage.total else None
        return f"{doing}: {number_format.stage_text(stage)}", "text", share

    def _at_rest(self) -> tuple[str, str, float]:
        running = self._context.running
        if running.what == "check" and not isinstance(running.ended, EngineDied):
            return self._checked()
        match running.run_ended:
            case Failed() as end:
                return failure_headline(end), "error", 0.0
            case EngineDied():
                return tr("The engine has stopped"), "error", 0.0
            case Finished(stopped=True) as end:
                return end_text(running), "text", end.step / max(running.started.steps if running.started else 1, 1)
            case Finished():
                return end_text(running), "text", 1.0
            case _:
                return self._ready(), "text2", 0.0

    def _ready(self) -> str:
        return no_images(self._context) or tr("Ready to train")

    def _checked(self) -> tuple[str, str, float]:
        """After a look: what it says of the settings of now."""
        checks = checks_for(self._context)
        found = checks.current()
        if found is None or found.failure:
            return self._ready(), "text2", 0.0
        counts = checks.counts(found)
        role = "error" if counts["error"] else "changed" if counts["warning"] else "text2"
        return tr("Checked: {findings}", findings=problem_labels.counted(counts)), role, 0.0


def _begun(words: str) -> str:
    return words[:1].upper() + words[1:]


def _figures(now: messages.Progress) -> str:
    end = f" \u00b7 {done_at(now.seconds_left)}" if now.seconds_left > 0 else ""
    return "    ".join(part for part in (end, rate(now.steps_per_second), number_format.loss(now.smooth_loss)) if part)
