"""A window from what was left the last time: the project, the theme, the page; a welcome where nothing was."""

from __future__ import annotations

from pathlib import Path

from app.gui.context import AppContext
from app.gui.draft.autosave import Project
from app.gui.draft.draft import Draft
from app.gui.draft.preset_library import Library
from app.gui.draft.window_state import WindowState
from app.gui.kit import App, Pictures, liked_mode
from app.gui.kit.base.theme import Mode
from app.gui.session.engine_client import Engine
from app.gui.session.hardware import HardwareMonitor
from app.gui.session.inbox import Inbox
from app.gui.session.run_state import RunState
from app.gui.shell.welcome import welcome
from app.gui.shell.window import Window
from modules import language
from modules.language import tr
from modules.system.user_folder import settings_folder

LANGUAGE = "language.json"  # in the folder of the user's settings


def opened(engine: Engine | None = None) -> Window:
    """The window, shown. The engine's process is started when the window has been drawn.

    Raises:
        NoDisplay: there is no screen.
    """
    note = use_language(settings_folder() / LANGUAGE)
    window_state = WindowState()
    wanted = window_state.get("theme", str)
    mode: Mode = wanted if wanted in ("dark", "light") else liked_mode()
    app = App(mode=mode, percent=window_state.get("text_size", int))
    context = _context(app, window_state, engine or Engine())
    restored = context.project.restore(context.draft)
    window = Window(context)
    window.show()
    app.after_idle(lambda: _show_welcome(window, restored, note))
    return window


def use_language(path: Path) -> str:
    """Speak the language of this file, if there is one. Returns what is wrong with it, or ""."""
    if not path.exists():
        return ""
    try:
        language.use(language.load(path))
    except language.LocaleError as error:
        return str(error)
    return ""


def _context(app: App, window_state: WindowState, engine: Engine) -> AppContext:
    library = Library()
    starter = library.starter()
    draft = Draft(starter.preset, starter.name) if starter else Draft()
    return AppContext(
        draft=draft,
        engine=engine,
        inbox=Inbox(engine.inbox),
        running=RunState(),
        library=library,
        window_state=window_state,
        project=Project.open(),
        meters=HardwareMonitor(),
        app=app,
        pictures=Pictures(app, settings_folder() / "thumbs"),
    )


def _show_welcome(window: Window, restored: bool, note: str) -> None:
    """What there is to say at the start; and the engine warms up while it is read."""
    context = window.context
    context.meters.start()
    note = note or context.project.note or context.window_state.note
    if note:
        context.notify(note, role="changed")
    elif context.project.is_copy:
        context.notify(tr("Another window is open: this one works on a copy of its project"))
    elif restored and context.project.interrupted:
        context.notify(tr("Your last edit was restored"), role="good")
    if not context.window_state.get("welcomed", bool):
        context.window_state.put("welcomed", True)
        _when_measured(window)
    context.engine.warm()


def _when_measured(window: Window, tries: int = 20) -> None:
    """The welcome tells of the card: it waits for the first look at the machine, a second at most."""
    if window.context.meters.latest is None and tries:
        window.app.after(50, lambda: _when_measured(window, tries - 1))
    else:
        welcome(window.context, window.start)
