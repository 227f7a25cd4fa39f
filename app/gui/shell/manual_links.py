"""The pages of the manual that the help leads to: a row of links that open in the system's own program."""

from __future__ import annotations

from app.gui.context import AppContext
from app.gui.kit import Frame, LinkButton, px
from app.gui.session.open_external import open_external
from modules.language import tr
from modules.system.bundled import ROOT

MANUAL = ROOT / "resources/manual"
PAGES = {
    "Glossary": "glossary.md",
    "All settings": "settings.md",
    "The window": "window.md",
    "What can go wrong": "what-can-go-wrong.md",
    "Options of other programs": "compared.md",
}
COLUMNS = 3


class ManualLinks(Frame):
    """A link for each page."""

    def __init__(self, master: Frame, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self.links = {
            page: LinkButton(self, tr(title), lambda page=page: self._open(page)) for title, page in PAGES.items()
        }
        for number, link in enumerate(self.links.values()):
            link.grid(row=number // COLUMNS, column=number % COLUMNS, sticky="w", padx=(0, px(14)), pady=px(2))

    def _open(self, page: str) -> None:
        if problem := open_external(MANUAL / page):
            self._context.notify(problem, role="changed")
