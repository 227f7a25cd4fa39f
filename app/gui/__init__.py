"""The window. `open_window` is the way in; nothing of it is imported before."""

from __future__ import annotations

import gc
import importlib.util
import sys

from modules.system.runtime import gc_paused

HEADLESS = (
    'Train without it:  ./start-ui.sh train "presets/Starter/Robot LoRA.json"   (all commands: ./start-ui.sh --help)'
)
NO_TKINTER = f"""The window needs tkinter, and this Python comes without it.
On Debian and Ubuntu:  sudo apt install python3-tk
On Fedora:             sudo dnf install python3-tkinter
On a Mac:              brew install python-tk
Then remove the folder .venv and start again. {HEADLESS}"""


def open_window() -> int:
    """Show the window until it is closed. Returns the exit code: 2 where no window can be shown, with the reason."""
    if importlib.util.find_spec("_tkinter") is None or importlib.util.find_spec("tkinter") is None:
        sys.stderr.write(NO_TKINTER + "\n")
        return 2
    with gc_paused():
        from app.gui.kit import NoDisplay  # noqa: PLC0415  imports tkinter
        from app.gui.shell.startup import opened  # noqa: PLC0415

        try:
            window = opened()
        except NoDisplay as error:
            sys.stderr.write(f"{error}\nThere is no screen to show the window on. {HEADLESS}\n")
            return 2
    gc.freeze()  # what was made so far stays: going through it took 100 ms now and then, in the middle of a key
    window.app.mainloop()
    return 0
