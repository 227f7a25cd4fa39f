"""The window: its parts in their places, and the ways between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app.gui.check.findings import checks_for
from app.gui.concept_actions import ConceptActions
from app.gui.context import AppContext
from app.gui.kit import App, Dialog, Frame, Popup, Toast, accept_files, theme, toast
from app.gui.own_lora.opening import KEY, open_card
from app.gui.pages import FIRST_OF_THE_REST, PAGES, TOOLS_WITH_A_PAGE, PageCard, page_for
from app.gui.presets.menu import PresetMenu
from app.gui.run import dialogs
from app.gui.run_control import RunControl
from app.gui.session.model_files import files_of
from app.gui.session.run_labels import end_text, window_title
from app.gui.session.run_state import JUST_SENT, Ended, WindowEvent
from app.gui.shell.job_results import JobResults
from app.gui.shell.keys import bind_keys
from app.gui.shell.navigation import Navigation
from app.gui.shell.page_stack import PageStack
from app.gui.shell.persistence import Persistence
from app.gui.shell.run_bar import RunBar, RunBarActions
from app.gui.shell.search_results import Results
from app.gui.shell.side_pane import SidePane
from app.gui.shell.starting import Starting
from app.gui.shell.top_bar import TopBar, TopBarActions
from app.gui.shell.undo_actions import UndoActions
from app.gui.shell.welcome import help_
from app.gui.trials.opening import try_values
from modules.preset.sections.concept import IMAGE_FILES

TICK_MS = 50
ZOOM_STEP = 10


class Window:
    """Everything that is on the screen. Made once; `show` shows it."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.app: App = context.app
        self.job = RunControl(context)
        self.starting = Starting(context, self.job, self._show_findings, self._begun)
        self.pre_start = self.starting.pre_start
        self.undo_actions = UndoActions(context, lambda: self.pages.front)
        self.presets = PresetMenu(context, self.undo_actions.undo)
        self.job_results = JobResults(context, self.job, self.close)
        self.persistence = Persistence(context)
        self._fill_context()
        self.app.on_error = self.report_fault
        self._error_dialog: dialogs.ErrorDialog | None = None
        self._close_dialog: Dialog | None = None  # whether to close
        self._stale, self._busy = True, False  # as the parts show it
        self._end_title = ""  # of a run that ended unseen
        self._rebuilding = ""
        self.frame: Frame
        self.files = files_of(context)
        self._unsubscribers: list[Callable[[], None]] = [
            context.draft.watch("", lambda _: self._mark_stale()),
            context.inbox.listen(context.running.take),
            context.running.listen(lambda _: self._mark_stale()),
            context.running.listen(self.job_results.handle),
            context.running.listen(self._signal_end),
            checks_for(context).listen(self._mark_stale),
            context.jobs.listen(self._mark_stale),
            theme.listen(self._themed),
            self.files.close,
        ]
        self._percent = theme.percent
        self._build()
        self._bind()
        self._unsubscribers.append(self.app.every(TICK_MS, self._tick))

    # Parts ------------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """All parts, at the text size of now. What they show is the desk's, so they can be made anew."""
        context = self.context
        self.frame = Frame(self.app, "window")
        self.frame.pack(fill="both", expand=True)
        self.top = TopBar(self.frame, context, self._top_bar_actions())
        self.top.pack(side="top", fill="x")
        self.bar = RunBar(self.frame, context, self.job, self.starting, self._run_bar_actions())
        self.bar.pack(side="bottom", fill="x")
        self.navigation = Navigation(self.frame, context, self.go, self.help)
        self.navigation.pack(side="left", fill="y")
        self.pages = PageStack(self.frame, context, self._shown)
        self.pages.pack(side="left", fill="both", expand=True)
        self.results = Results(self.pages, context)
        self.side = SidePane(self.frame, self.pages, context)
        self._refresh()

    def _top_bar_actions(self) -> TopBarActions:
        return TopBarActions(
            presets=self.presets.open,
            changed=self.show_changed,
            search=self.search,
            results=lambda: self.pages.covered and self.results.focus_first(),
            undo=self.undo_actions.undo,
            redo=self.undo_actions.redo,
            theme=self.toggle_theme,
            pane=self.toggle_pane,
        )

    def _run_bar_actions(self) -> RunBarActions:
        return RunBarActions(
            start=self.start,
            stop=self.stop,
            problem=self.next_problem,
            sample=self.sample_now,
            log=lambda: self.go("run"),
            job=lambda tool: self.go(TOOLS_WITH_A_PAGE.get(tool, "tools")),
        )

    def _fill_context(self) -> None:
        context = self.context
        context.go, context.notify = self.go, self.notify
        context.start, context.stop, context.resume = self.start, self.stop, self.starting.resume
        context.enqueue, context.try_values = self.starting.enqueue, partial(try_values, context)
        context.own_lora = lambda: open_card(context)
        context.sample_now, context.start_blocked_reason = self.sample_now, self.pre_start.start_blocked_reason

    def _bind(self) -> None:
        actions = {
            "search": self._to_search,
            "start": self._start_key,
            "queue": self.starting.enqueue,
            "undo": self.undo_actions.by_key,
            "redo": lambda: self.undo_actions.by_key(redo=True),
            "problem": self.next_problem,
            "pane": self.toggle_pane,
            "theme": self.toggle_theme,
            "larger": lambda: theme.zoom(theme.percent + ZOOM_STEP),
            "smaller": lambda: theme.zoom(theme.percent - ZOOM_STEP),
            "usual": lambda: theme.zoom(100),
            "save": self.presets.save_as,
            "open": self.presets.open_file,
            "help": self.help,
            "escape": self._escape,
        }
        below = next(number for number, card in enumerate(PAGES) if card.key == FIRST_OF_THE_REST)
        bind_keys(self.app, actions, self._number, lambda number: self._number(below + number))
        self._unsubscribers += [self.app.on_size(self._resized), self.app.on_focus(lambda _: self._seen())]
        self.app.protocol("WM_DELETE_WINDOW", self.close)
        accept_files(self.app, self.drop)

    # Ways -------------------------------------------------------------------------------------------------------------

    def go(self, page: str, path: str = "") -> None:
        """Show a page, and the setting at `path` on it."""
        card = next(card for card in PAGES if card.key == page)
        self.top.clear_search()
        self.pages.show(card)
        if path:
            self.pages.reveal(path)

    def _shown(self, card: PageCard) -> None:
        self.navigation.choose(card.key)
        self.context.window_state.put("page", card.key)
        self.side.arrange()

    def _to_search(self) -> None:
        self.top.search.focus_set()

    def _number(self, index: int) -> None:
        if index < len(PAGES):
            self.go(PAGES[index].key)
            self.pages.focus_first()

    def search(self, text: str) -> None:
        """Live results over the page; nothing typed brings the page back."""
        if not text.strip():
            self._end_search()
            return
        self.navigation.choose("")
        self.pages.cover(self.results)
        self.results.show(text)

    def show_changed(self) -> None:
        self.navigation.choose("")
        self.pages.cover(self.results)
        self.results.show_changed()

    def _end_search(self) -> None:
        self.pages.uncover()
        if self.pages.front is not None:
            self.navigation.choose(self.pages.front.card.key)

    def _escape(self) -> None:
        if self.pages.covered:
            self.top.clear_search()
            self._end_search()
        elif Toast.now is not None:
            Toast.now.close()

    def next_problem(self) -> None:
        """The setting with the next problem, page by page and round again."""
        path = self.undo_actions.next_problem()
        if path:
            self.go(page_for(path), path)

    def notify(
        self, text: str, action: str = "", on_action: Callable[[], object] | None = None, role: str = "text2",
        more: Sequence[tuple[str, Callable[[], object]]] = (),
    ) -> None:  # fmt: skip
        toast(self.app, text, action, on_action, role=role, more=more)

    def help(self) -> None:
        help_(self.context)

    # The run ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask where there is something to ask; else look first, then train."""
        if self.pre_start.blocked():
            self.next_problem()
        else:
            self.starting.start()

    def stop(self) -> None:
        """End what is under way; a run that waits for the look before it does not begin."""
        self.pre_start.cancel()
        self.job.stop()
        self._mark_stale()  # the button says so at once, and not when the engine answers

    def _begun(self, *, trains: bool) -> None:
        self._mark_stale()  # the button says so at once: an engine may need seconds to begin
        if trains:
            self.side.open_for_run()

    def _show_findings(self) -> None:
        """On their page; the card of steps shows them itself."""
        front = self.pages.front
        if not (front and front.card.key == "general" and self.context.window_state.get(KEY, str) == "open"):
            self.go("check")

    def sample_now(self) -> None:
        """Ask for a prompt of the moment."""
        if self.job.no_run_reason():
            return
        from app.gui.run.sample_now import SampleNowDialog  # noqa: PLC0415  not needed to open the window

        SampleNowDialog(self.app, self.context)

    def _start_key(self) -> None:
        if self.pages.front is not None and self.pages.front.page is not None and self.pages.front.page.takes_start():
            return
        if self.pre_start.waiting or self.context.running.stage == JUST_SENT:
            return  # pressed twice: what has just been started goes on
        self.bar.toggle()

    # Looks ------------------------------------------------------------------------------------------------------------

    def toggle_theme(self) -> None:
        theme.set("light" if theme.mode == "dark" else "dark")

    def toggle_pane(self) -> None:
        self.side.toggle()

    def _themed(self) -> None:
        self.context.window_state.put("theme", theme.mode)
        self.context.window_state.put("text_size", theme.percent)
        self.top.refresh_theme()
        if theme.percent != self._percent and not self._rebuilding:
            self._rebuilding = self.app.after(120, self._rebuild)

    def _rebuild(self) -> None:
        """Paddings are given when a thing is laid out: for another text size all is made anew."""
        self._rebuilding, self._percent = "", theme.percent
        if Popup.open_now is not None:
            Popup.open_now.close()
        key = self.pages.front.card.key if self.pages.front else PAGES[0].key
        self.frame.destroy()
        self._build()
        self.go(key)

    # Ticks and the end ------------------------------------------------------------------------------------------------

    def _mark_stale(self) -> None:
        self._stale = True

    def _tick(self) -> None:
        self.context.inbox.tick()
        self.context.jobs.tick()
        self.starting.tick()
        if self._stale or self._busy != self.context.running.busy:  # a job that was sent is no event yet
            self._refresh()
        self.persistence.tick()

    def _refresh(self) -> None:
        self._stale, self._busy = False, self.context.running.busy
        self.top.refresh()
        self.navigation.refresh()
        self.bar.refresh()
        running = self.context.running
        name = running.folder.name if running.folder else ""
        if title := window_title(running, name):
            self._end_title = ""
            self.app.title(title)
        else:
            self.app.title(self._end_title or "Seachange")

    def _signal_end(self, event: WindowEvent) -> None:
        """A run that ends while the person is elsewhere rings, and stays in the title until the window is looked at."""
        running = self.context.running
        if running.what == "train" and running.started and isinstance(event, Ended) and not self.app.focus_displayof():
            self.app.bell()
            self._end_title = f"{end_text(running)} - {Path(running.started.folder).name}"

    def _seen(self) -> None:
        self.context.draft.look_again()
        self.files.look_again()
        if self._end_title:
            self._end_title = ""
            self._mark_stale()

    def show(self) -> None:
        """The window as it was left, with the page that was open."""
        window_state = self.context.window_state
        self.app.show(window_state.get("geometry", str))
        page = window_state.get("page", str)
        self.go(page if any(card.key == page for card in PAGES) else PAGES[0].key)

    def _resized(self, event: Any) -> None:
        self.side.resized(event)  # asked each time: another text size makes another side

    def drop(self, paths: Sequence[Path]) -> None:
        """A preset is opened; folders, and files with images, become concepts."""
        folders = [path for path in paths if path.is_dir() or path.suffix.lower() in {*IMAGE_FILES} - {".json"}]
        if folders:
            ConceptActions(self.context).add(folders)
            self.go("concepts")
        elif paths:
            self.presets.open_path(paths[0])

    def report_fault(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if self._error_dialog is None or not self._error_dialog.winfo_exists():  # one in a tick comes again
            self._error_dialog = dialogs.broken(self.app, kind, error, trace)

    def close(self) -> None:
        """Close, or ask first if something is running; a look at the settings is not worth a question."""
        running, go_on = self.context.running, partial(self._end, job_goes_on=True)
        if running.busy and running.what != "check" and not self.job_results.closing:
            keep = go_on if self.context.engine.outlives else None
            stop, queued = self.job_results.close_after_stop, running.queued
            self._ask(lambda: dialogs.ask_close(self.app, running.what, stop, keep, queued=queued))
        else:
            self._end()

    def _ask(self, dialog: Callable[[], Dialog]) -> None:
        """Once: the cross can be pressed again and again."""
        if self._close_dialog is None or not self._close_dialog.winfo_exists():
            self._close_dialog = dialog()

    def _end(self, *, job_goes_on: bool = False) -> None:
        """Close, or ask first about masks that are not saved."""
        if self.context.masks is not None and self.context.masks.unsaved():
            from app.gui.masks.unsaved import ask_unsaved  # noqa: PLC0415  not needed to open the window

            again = partial(self._end, job_goes_on=job_goes_on)
            self._ask(lambda: ask_unsaved(self.context, again, lambda: None))
            return
        self.persistence.save()
        self.app.vanish()  # the engine may take a moment to end
        self.leave(job_goes_on=job_goes_on)
        self.app.destroy()

    def leave(self, *, job_goes_on: bool = False) -> None:
        """Keep what is to be kept, and end what works beside the window: a job, too, unless it is to go on."""
        ends, self._unsubscribers = self._unsubscribers, []
        for end in ends:
            end()
        if ends:
            self.persistence.close(job_goes_on=job_goes_on)
