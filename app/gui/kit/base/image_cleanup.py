"""Pictures of Tk that nobody needs any more are deleted by the window's thread, whichever thread finds that out.

Python looks for circles of dead objects in whatever thread happens to make the next object: often one that decodes
pictures or counts files. A picture that dies there would call Tk from that thread: it waits until the window answers,
a second for each picture if the window is busy, and Tcl 9 may crash. So a picture that dies in another thread leaves
only its name behind, and `sweep` deletes it.
"""

from __future__ import annotations

import threading
import tkinter as tk
from collections import deque
from typing import Any

from PIL import ImageTk

_pending: deque[tuple[Any, str]] = deque()  # the interpreter and the name of each picture


def sweep() -> None:
    """Delete the pictures that died elsewhere. For the window's thread, now and then."""
    while _pending:
        interpreter, name = _pending.popleft()
        _delete(interpreter, name)


# Pictures also die when Python ends, and by then the names of this file stand for nothing any more. What these
# functions need is therefore bound to them.
def _delete(interpreter: Any, name: str, gone: tuple[type[Exception], ...] = (tk.TclError, RuntimeError)) -> None:
    try:
        interpreter.call("image", "delete", name)
    except gone:  # the window has gone, and its pictures with it
        return


def _release(image: Any, *, threads: Any = threading, delete: Any = _delete, left: Any = _pending) -> None:
    """In place of `tkinter.Image.__del__`."""
    name, image.name = getattr(image, "name", None), None
    if name and threads.current_thread() is threads.main_thread():
        delete(image.tk, name)
    elif name:
        left.append((image.tk, name))


def _release_photo(picture: Any, *, let_go: Any = _release) -> None:
    """In place of `PIL.ImageTk.PhotoImage.__del__`: it holds an image of tkinter."""
    inside = getattr(picture, "_PhotoImage__photo", None)
    if inside is not None:
        let_go(inside)


tk.Image.__del__ = _release  # pyright: ignore[reportAttributeAccessIssue]
ImageTk.PhotoImage.__del__ = _release_photo  # pyright: ignore[reportAttributeAccessIssue]
