"""The settings of now as another program has them: copied, or written into a folder; and what that program lacks."""

from __future__ import annotations

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Answer, Dialog, Label, Option, ScrollArea, Segmented, px
from modules.errors import UserError
from modules.exchange.out.exported import Exported
from modules.exchange.out.programs import OWN_SHELL, Program, export, write
from modules.exchange.out.shell import Shell
from modules.language import plural, tr

Form = tuple[Program, Shell]
OWN: Form = ("kohya", OWN_SHELL)
HIGH = 190


class CopyAs(Dialog):
    """Which program, what it does not do as it is set here, and two ways to take it away."""

    def __init__(self, context: AppContext) -> None:
        self._context, self._preset = context, context.draft.preset()
        answers = (
            Answer(tr("Cancel")),
            Answer(tr("Save in a folder"), "save"),
            Answer(tr("Copy"), "copy", "primary"),
        )
        note = tr("Folders and files of this computer are named in it.")
        super().__init__(context.app, tr("Copy for another program"), note, answers, check=self._taken, width=620)
        self.exported: Exported | None = None
        forms = [
            Option(("kohya", "posix"), tr("kohya, Linux")),
            Option(("kohya", "windows"), tr("kohya, Windows")),
            Option(("onetrainer", "posix"), tr("OneTrainer")),
        ]
        self.form = Segmented(self.body, forms, OWN, lambda _: self._show_form())
        self.form.pack(anchor="w", pady=(0, px(8)))
        self.said = Label(self.body, "", wrap=True)
        self.said.pack(fill="x", pady=(0, px(4)))
        self.rows = ScrollArea(self.body)
        self.rows.configure(height=px(HIGH))
        self.rows.pack(fill="both", expand=True)
        self.files = Label(self.body, "", font="small", role="text2", wrap=True)
        self.files.pack(fill="x", pady=(px(6), 0))
        self._show_form()

    def _show_form(self) -> None:
        """Make it for the chosen program, and list what differs there."""
        program, shell = self.form.get()
        self.rows.body.clear()
        try:
            self.exported = export(self._preset, program, shell)
        except UserError as error:
            self.exported = None
            self._say(error.text(WORDS), wrong=True)
        else:
            self._say(f"{WORDS.what(self.exported.summary)}{':' if self.exported.missing else ''}")
            for problem in self.exported.missing:
                Label(self.rows.body, WORDS.line(problem), role="text2", wrap=True).pack(fill="x", pady=px(2))
        self.files.set(self._about_files())
        for button in self.buttons[1:]:
            button.enable() if self.exported else button.disable(tr("This program cannot train it"))

    def _say(self, words: str, *, wrong: bool = False) -> None:
        self.said.set(words, "error" if wrong else "text")

    def _about_files(self) -> str:
        """What a folder gets that is not on the clipboard."""
        more = list(self.exported.files)[1:] if self.exported else []
        if not more:
            return ""
        if len(more) > 1:
            return tr(
                "The command needs its list of images and its prompts beside it: saved in a folder, all come along."
            )
        return tr("The command needs its list of images beside it: saved in a folder, both come.")

    def _taken(self, how: str) -> bool:
        if self.exported is None:
            return False
        first = next(iter(self.exported.files))
        if how == "copy":
            self._context.app.copy(self.exported.files[first])
            self._context.notify(tr("{name} is on the clipboard", name=first), role="good")
            return True
        folder = self._context.app.ask_folder(tr("Save in a folder"))
        if folder is None:
            return False
        try:
            count = len(write(self.exported, folder))
        except (UserError, OSError) as error:
            self._say(error.text(WORDS) if isinstance(error, UserError) else str(error), wrong=True)
            return False
        self._context.notify(
            plural(count, "1 file saved in {folder}", "{count} files saved in {folder}", folder=folder.name),
            role="good",
        )
        return True
