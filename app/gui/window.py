"""The window: its parts in their places, and the ways between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.gui import endings
from app.gui.desk import Desk
from app.gui.findings import checks_of
from app.gui.job import Job, guarded
from app.gui.keeping import Keeping
from app.gui.keys import bind_keys
from app.gui.kit import App, Dialog, Frame, Popup, Toast, accept_files, theme, toast
from app.gui.navigation import Navigation, page_for
from app.gui.outcomes import Outcomes
from app.gui.page_stack import PageStack
from app.gui.pages import PAGES, PageCard
from app.gui.pane_side import PaneSide
from app.gui.preset_menu import PresetMenu
from app.gui.results import Results
from app.gui.run_bar import RunActs, RunBar
from app.gui.starting import Starting
from app.gui.top_bar import TopActs, TopBar
from app.gui.undoing import Undoing
from app.gui.welcome import help_
from modules.errors import UserError

TICK_MS = 50
ZOOM_STEP = 10


class Window:
    """Everything that is on the screen. Made once; `show` shows it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.app: App = desk.app
        self.job = Job(desk)
        self.starting = Starting(desk, self.job, self._begin, lambda: self.go("check"))
        self.undoing = Undoing(desk, lambda: self.pages.front)
        self.presets = PresetMenu(desk, self.undoing.undo)
        self.outcomes = Outcomes(desk, self.job, self.close)
        self.keeping = Keeping(desk)
        self._fill_desk()
        self.app.on_error = self._broken
        self._fault: endings.Trouble | None = None
        self._asked: Dialog | None = None  # whether to close
        self._stale = True
        self._rebuilding = ""
        self.frame: Frame
        self._ends: list[Callable[[], None]] = [
            desk.draft.watch("", lambda _: self._later()),
            desk.inbox.listen(desk.running.take),
            desk.running.listen(lambda _: self._later()),
            desk.running.listen(self.outcomes.heard),
            checks_of(desk).listen(self._later),
            theme.listen(self._themed),
        ]
        self._percent = theme.percent
        self._build()
        self._bind()
        self._ends.append(self.app.every(TICK_MS, self._tick))

    # Parts ------------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """All parts, at the text size of now. What they show is the desk's, so they can be made anew."""
        desk = self.desk
        self.frame = Frame(self.app, "window")
        self.frame.pack(fill="both", expand=True)
        self.top = TopBar(self.frame, desk, self._top_acts())
        self.top.pack(side="top", fill="x")
        self.bar = RunBar(self.frame, desk, self.job, self.starting, self._run_acts())
        self.bar.pack(side="bottom", fill="x")
        self.navigation = Navigation(self.frame, desk, self.go, self.help)
        self.navigation.pack(side="left", fill="y")
        self.pages = PageStack(self.frame, desk, self._shown)
        self.pages.pack(side="left", fill="both", expand=True)
        self.results = Results(self.pages, desk)
        self.side = PaneSide(self.frame, self.pages, desk)
        self._refresh()

    def _top_acts(self) -> TopActs:
        return TopActs(
            presets=self.presets.open,
            changed=self.show_changed,
            search=self.search,
            undo=self.undoing.undo,
            redo=self.undoing.redo,
            theme=self.toggle_theme,
            pane=self.toggle_pane,
        )

    def _run_acts(self) -> RunActs:
        return RunActs(
            start=self.start,
            stop=self.stop,
            problem=self.next_problem,
            sample=self.sample_now,
            log=lambda: self.go("run"),
        )

    def _fill_desk(self) -> None:
        desk = self.desk
        desk.go, desk.say = self.go, self.say
        desk.start, desk.stop, desk.resume = self.start, self.stop, self.resume
        desk.sample_now, desk.why_not = self.sample_now, self.starting.why_not

    def _bind(self) -> None:
        acts = {
            "search": self._to_search,
            "start": self._start_key,
            "undo": self.undoing.by_key,
            "redo": lambda: self.undoing.by_key(redo=True),
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
        bind_keys(self.app, acts, self._number)
        self.app.bind("<Configure>", self._resized, add=True)
        self.app.protocol("WM_DELETE_WINDOW", self.close)
        accept_files(self.app, self._dropped)

    # Ways -------------------------------------------------------------------------------------------------------------

    def go(self, page: str, path: str = "") -> None:
        """Show a page, and the setting at `path` on it."""
        card = next(card for card in PAGES if card.key == page)
        self.top.clear_search()
        self.pages.show(card)
        if path:
            self.pages.reveal(path)

    def _shown(self, card: PageCard) -> None:
        self.navigation.list.choose(card.key)
        self.desk.remembered.put("page", card.key)
        self.side.arrange()

    def _to_search(self) -> None:
        self.top.search.focus_set()

    def _number(self, index: int) -> None:
        if index < len(PAGES):
            self.go(PAGES[index].key)

    def search(self, text: str) -> None:
        """Live results over the page; nothing typed brings the page back."""
        if not text.strip():
            self._end_search()
            return
        self.navigation.list.choose("")
        self.pages.cover(self.results)
        self.results.show(text)

    def show_changed(self) -> None:
        self.navigation.list.choose("")
        self.pages.cover(self.results)
        self.results.show_changed()

    def _end_search(self) -> None:
        self.pages.uncover()
        if self.pages.front is not None:
            self.navigation.list.choose(self.pages.front.card.key)

    def _escape(self) -> None:
        if self.pages.covered:
            self.top.clear_search()
            self._end_search()
        elif Toast.now is not None:
            Toast.now.close()

    def next_problem(self) -> None:
        """The setting with the next problem, page by page and round again."""
        path = self.undoing.next_problem()
        if path:
            self.go(page_for(path), path)

    def say(
        self, text: str, action: str = "", on_action: Callable[[], object] | None = None, role: str = "text2",
        more: Sequence[tuple[str, Callable[[], object]]] = (),
    ) -> None:  # fmt: skip
        toast(self.app, text, action, on_action, role=role, more=more)

    def help(self) -> None:
        help_(self.desk)

    # The run ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask whether to continue where that is possible; else look first, then train."""
        if self.starting.blocked():
            self.next_problem()
            return
        found = self.job.resumable()
        if found is None:
            self._start(None)
            return
        folder = found.folder
        endings.ask_continue(self.app, found, lambda answer: self._start(folder if answer == "continue" else None))

    def _start(self, folder: Path | None) -> None:
        guarded(lambda: self.starting.start(folder), self._refused)

    def stop(self) -> None:
        """End what is under way; a run that waits for the look before it does not begin."""
        self.starting.cancel()
        self.job.stop()

    def _begin(self, folder: Path | None) -> None:
        guarded(lambda: self.job.start(folder), self._refused)
        self.side.open_for_run()

    def resume(self, folder: Path) -> None:
        guarded(lambda: self.job.resume(folder), self._refused)

    def sample_now(self) -> None:
        """Ask for a prompt of the moment."""
        if self.job.unable():
            return
        from app.gui.sample_now import SampleNowDialog  # noqa: PLC0415  not needed to open the window

        SampleNowDialog(self.app, self.desk)

    def _start_key(self) -> None:
        if self.pages.front is not None and self.pages.front.card.key == "captions":
            return  # there the same keys go to the next caption
        self.bar.toggle()

    def _refused(self, error: UserError) -> None:
        endings.refused(self.app, "That cannot be started", error)

    # Looks ------------------------------------------------------------------------------------------------------------

    def toggle_theme(self) -> None:
        theme.set("light" if theme.mode == "dark" else "dark")

    def toggle_pane(self) -> None:
        self.side.toggle()

    def _themed(self) -> None:
        self.desk.remembered.put("theme", theme.mode)
        self.desk.remembered.put("text_size", theme.percent)
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

    def _later(self) -> None:
        self._stale = True

    def _tick(self) -> None:
        self.desk.inbox.tick()
        guarded(self.starting.tick, self._refused)
        if self._stale:
            self._refresh()
        self.keeping.tick()

    def _refresh(self) -> None:
        self._stale = False
        self.top.refresh()
        self.navigation.refresh()
        self.bar.refresh()

    def show(self) -> None:
        """The window as it was left, with the page that was open."""
        remembered = self.desk.remembered
        self.app.show(remembered.get("geometry", str))
        page = remembered.get("page", str)
        self.go(page if any(card.key == page for card in PAGES) else PAGES[0].key)

    def _resized(self, event: Any) -> None:
        self.side.resized(event)  # asked each time: another text size makes another side

    def _dropped(self, paths: Sequence[Path]) -> None:
        """A preset is opened; folders become concepts."""
        folders = [path for path in paths if path.is_dir()]
        for folder in folders:
            self.desk.draft.add("concepts", {"path": str(folder)})
        if folders:
            self.go("concepts")
        elif paths:
            self.presets.open_path(paths[0])

    def _broken(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if self._fault is None or not self._fault.winfo_exists():  # one at a time: a fault in a tick comes again
            self._fault = endings.broken(self.app, kind, error, trace)

    def close(self) -> None:
        """Close, or ask first if something is running; a look at the settings is not worth a question."""
        if self.desk.running.busy and self.desk.running.what != "check" and not self.outcomes.closing:
            if self._asked is None or not self._asked.winfo_exists():  # the cross can be pressed again and again
                self._asked = endings.ask_close(self.app, self.desk.running.what, self.outcomes.close_after_stop)
            return
        self.keeping.save()
        self.app.vanish()  # the engine may take a moment to end
        self.leave()
        self.app.destroy()

    def leave(self) -> None:
        """Keep what is to be kept, and end what works beside the window."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        if ends:
            self.keeping.close()
