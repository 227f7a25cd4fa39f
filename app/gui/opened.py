"""A window from what was left the last time: the project, the theme, the page; a welcome where nothing was."""

from __future__ import annotations

from app.gui.desk import Desk
from app.gui.draft import Draft
from app.gui.engine import Engine
from app.gui.inbox import Inbox
from app.gui.kit import App, Pictures, liked_mode
from app.gui.kit.theme import Mode
from app.gui.library import Library
from app.gui.meters import Meters
from app.gui.places import settings_folder
from app.gui.project import Project
from app.gui.running import Running
from app.gui.state import Remembered
from app.gui.welcome import welcome
from app.gui.window import Window


def opened(engine: Engine | None = None) -> Window:
    """The window, shown. The engine's process is started when the window has been drawn.

    Raises:
        NoDisplay: there is no screen.
    """
    remembered = Remembered()
    wanted = remembered.get("theme", str)
    mode: Mode = wanted if wanted in ("dark", "light") else liked_mode()
    app = App(mode=mode, percent=remembered.get("text_size", int))
    desk = _desk(app, remembered, engine or Engine())
    restored = desk.project.restore(desk.draft)
    window = Window(desk)
    window.show()
    app.after_idle(lambda: _greet(window, restored))
    return window


def _desk(app: App, remembered: Remembered, engine: Engine) -> Desk:
    library = Library()
    starter = library.starter()
    draft = Draft(starter.preset, starter.name) if starter else Draft()
    return Desk(
        draft=draft,
        engine=engine,
        inbox=Inbox(engine.inbox),
        running=Running(),
        library=library,
        remembered=remembered,
        project=Project.open(),
        meters=Meters(),
        app=app,
        pictures=Pictures(app, settings_folder() / "thumbs"),
    )


def _greet(window: Window, restored: bool) -> None:
    """What there is to say at the start; and the engine warms up while it is read."""
    desk = window.desk
    desk.meters.start()
    note = desk.project.note or desk.remembered.note
    if note:
        desk.say(note, role="changed")
    elif desk.project.is_copy:
        desk.say("Another window is open: this one works on a copy of its project")
    elif restored and desk.project.interrupted:
        desk.say("Your last edit was restored", role="good")
    if not desk.remembered.get("welcomed", bool):
        desk.remembered.put("welcomed", True)
        _when_measured(window)
    desk.engine.warm()


def _when_measured(window: Window, tries: int = 20) -> None:
    """The welcome tells of the card: it waits for the first look at the machine, a second at most."""
    if window.desk.meters.latest is None and tries:
        window.app.after(50, lambda: _when_measured(window, tries - 1))
    else:
        welcome(window.desk, window.start)
