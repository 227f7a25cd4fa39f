"""What the screen is like: its density, its fonts, and whether its owner likes it dark. Read once, at the start."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
import tkinter as tk
from tkinter import font as tkfont

import darkdetect

from app.gui.kit.base.theme import Mode
from modules.system.bundled import ROOT

FACES = ("Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Roboto", "Noto Sans", "DejaVu Sans")
MONO = ("JetBrains Mono", "Cascadia Mono", "Consolas", "Menlo", "DejaVu Sans Mono", "Liberation Mono", "Courier")
SHIPPED = ROOT / "resources" / "fonts"
DPI = 96


def prepare() -> None:
    """Before the first window: tell Windows that we scale ourselves, and lend our font to this process alone."""
    if sys.platform == "win32":
        ctypes.windll.shcore.SetProcessDpiAwareness(1)
    elif sys.platform.startswith("linux"):
        _lend_fonts()


def _lend_fonts() -> None:
    """Let fontconfig know Inter for this process; nothing is installed. Without fontconfig the next face is taken."""
    found = ctypes.util.find_library("fontconfig") if SHIPPED.is_dir() else None
    if found:
        add = ctypes.CDLL(found).FcConfigAppFontAddFile
        add.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        for file in sorted(SHIPPED.glob("*.otf")):
            add(None, str(file).encode())


def density(root: tk.Tk) -> float:
    """Pixels of this screen per pixel at 96 dpi, in quarters, from 1."""
    if sys.platform == "darwin":
        return 1.0  # macOS scales by itself
    dpi = _xft_dpi() if sys.platform.startswith("linux") else root.winfo_fpixels("1i")
    return max(1.0, round((dpi or DPI) / DPI * 4) / 4)


def _xft_dpi() -> float:
    """What the desktop set as Xft.dpi; 0 where it set nothing. Tk itself looks at the screen's millimetres only."""
    found = ctypes.util.find_library("X11")
    if not found:
        return 0.0
    x11 = ctypes.CDLL(found)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XGetDefault.restype = ctypes.c_char_p
    x11.XGetDefault.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    if not display:
        return 0.0
    text = x11.XGetDefault(display, b"Xft", b"dpi")
    x11.XCloseDisplay(display)
    return float(text) if text else 0.0


def face(root: tk.Tk, wanted: tuple[str, ...] = FACES) -> str:
    """The first of the wanted faces that this machine has, else Tk's own."""
    for name in wanted:
        if tkfont.Font(root, family=name, size=-13).actual("family").casefold() == name.casefold():
            return name
    return tkfont.nametofont("TkDefaultFont", root).actual("family")


def liked_mode() -> Mode:
    """Dark or light, as the desktop is set; dark where it cannot be told."""
    return "light" if darkdetect.theme() == "Light" else "dark"
