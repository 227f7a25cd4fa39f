"""The caption of one image: its picture, its lines to be edited, how long they are, and the way to the next image."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from app.gui.captions.files import Caption
from app.gui.captions.selection import CaptionSelection
from app.gui.captions.token_lines import TokenLines
from app.gui.context import AppContext
from app.gui.kit import Button, Frame, ImageView, Label, TextArea, px
from app.gui.session.number_format import TIMES
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.data.source.source import DataFile
from modules.data.text.captions import without_empty_lines
from modules.language import tr
from modules.preset.paths import Values

PICTURE = (90, 236)  # least and most height
BESIDE = 440  # height that the rest of the side needs, tags and their first lines included
LINES = 4


class CaptionEditor(Frame):
    """`show(number)` puts an image in.

    What was typed is saved when the focus leaves, on the way to another image, by Save and by Ctrl+S. Texts that could
    not be saved are kept until they can.

    Args:
        step: goes so many images on, 1 or -1.
        concept_of: the concept of a caption, for its prefix and suffix.
    """

    def __init__(
        self,
        master: Frame,
        context: AppContext,
        work: CaptionSelection,
        step: Callable[[int], object],
        concept_of: Callable[[Caption], Values | None],
    ) -> None:
        super().__init__(master)
        self._work, self._step, self._concept_of = work, step, concept_of
        self.number = -1
        self._clean = ""  # the text as it is on the disk
        self._unsaved: dict[int, str] = {}
        self._picture = ImageView(self, context.pictures, empty=tr("Choose an image"), height=PICTURE[0])
        self._picture.pack(fill="x")
        self._about = Label(self, font="small", role="text2")
        self._about.pack(fill="x", pady=(px(6), px(8)))
        self.text = TextArea(self, lines=LINES, on_change=lambda _: self._typed(), rest_ms=150)
        self.text.pack(fill="x")
        self.text.inner.bind("<FocusOut>", lambda _: self.save(), add=True)  # pyright: ignore[reportOptionalMemberAccess]
        self._error = Label(self, font="small", role="error", wrap=True)
        self._tokens = TokenLines(self, context)
        self._tokens.pack(fill="x", pady=(px(5), 0))
        self._make_buttons()
        self._sizes: WorkerPoll[tuple[int, int]] = WorkerPoll(
            self, lambda size: self._say_about(f" · {size[0]} {TIMES} {size[1]}")
        )
        self.until_destroyed(self._sizes.cancel)
        self.show(-1)

    def _make_buttons(self) -> None:
        bar = Frame(self)
        bar.pack(fill="x", pady=(px(8), 0))
        self._back = Button(bar, tr("Previous"), lambda: self._step(-1), hint="Ctrl+Shift+Return")
        self._back.pack(side="left")
        self._on = Button(
            bar, tr("Next"), lambda: self._step(1), hint=tr("Ctrl+Return saves and goes to the next image")
        )
        self._on.pack(side="left", padx=px(8))
        self._save = Button(
            bar, tr("Save"), lambda: self.save(pressed=True), kind="primary", image="save", hint="Ctrl+S"
        )
        self._save.pack(side="right")

    @property
    def unsaved(self) -> int:
        """How many texts were typed that are not on the disk."""
        return len({*self._unsaved, self.number} if self.dirty else self._unsaved)

    @property
    def _guessed(self) -> bool:
        """Whether what is shown is not, letter by letter, what the file says in UTF-8."""
        caption = self._caption
        return caption is not None and not caption.fixed and (caption.legacy or bool(caption.problem))

    @property
    def _caption(self) -> Caption | None:
        captions = self._work.captions.all
        return captions[self.number] if 0 <= self.number < len(captions) else None

    @property
    def dirty(self) -> bool:
        """Whether something was typed that is not on the disk."""
        return self.number >= 0 and self.text.get() != self._clean

    def show(self, number: int) -> None:
        """Another image, or none (-1); what was typed for the one before is saved first."""
        if number != self.number:
            self.save()
        self.number = number
        if 0 <= number < len(self._work.captions.all):
            self._work.captions.refresh(number)  # another program may have mended it
        captions = self._work.captions.all
        caption = captions[number] if 0 <= number < len(captions) else None
        self._picture.show(caption.image if caption else None)
        self._sizes.cancel()
        self._say_about("")
        self._load(caption)
        if caption is not None:
            image = caption.image
            self._sizes.start(Worker(lambda *_: size_of(image)))

    def fit(self, height: int) -> None:
        """The side is so high: the picture takes what the rest leaves."""
        self._picture.configure(height=min(max(height - px(BESIDE), px(PICTURE[0])), px(PICTURE[1])))

    def reload(self) -> None:
        """The file was changed by something else than this editor."""
        if self.number >= 0 and self.number not in self._unsaved:
            self._load(self._work.captions.all[self.number])

    def save(self, *, pressed: bool = False) -> bool:
        """Write what was typed. False if it cannot be written; it stays in the editor then.

        What is shown by a guess is only written if one asks for it (`pressed`), and is UTF-8 then.
        """
        if not self.winfo_exists() or not (self.dirty or (pressed and self._guessed)):
            return True
        number, text = self.number, self.text.get()
        self._clean = text  # so that what follows from writing does not come back here
        problem = self._work.write(number, text)
        if problem:
            self._unsaved[number] = text
            self._clean = shown_text(self._work.captions.all[number])
        else:
            self._unsaved.pop(number, None)
        self._say_error(problem) if problem else self._say_problem(self._caption)
        self._say_state()
        return not problem

    def forget(self) -> None:
        """Other files were read: the texts that could not be saved belong to none of them."""
        self._unsaved.clear()
        self.number = -1
        self.show(-1)

    def focus_text(self) -> None:
        self.text.focus_set()

    def _load(self, caption: Caption | None) -> None:
        self._clean = shown_text(caption) if caption else ""
        self.text.disable(tr("Choose an image") if caption is None else caption.fixed)
        self.text.set(self._unsaved.get(self.number, self._clean))
        self._say_problem(caption)
        self._say_state()
        self._count()

    def _typed(self) -> None:
        if self.number >= 0:
            self._say_state()
            self._count()

    def _count(self) -> None:
        caption = self._caption
        if caption is None or caption.problem or caption.fixed:
            self._tokens.pack_forget()
            return
        self._tokens.pack(fill="x", pady=(px(5), 0), before=self._back.master)
        self._tokens.show(without_empty_lines(self.text.get()), self._concept_of(caption))

    def _say_about(self, size: str) -> None:
        if self.number < 0:
            self._about.set("")
        else:
            self._about.set(f"{self._work.captions.all[self.number].name}{size}")

    def _say_state(self) -> None:
        self._save.set(tr("Save as UTF-8") if self._guessed else tr("Save"))
        self._save.disable("" if self.dirty or self._guessed else tr("Everything is saved"))
        nowhere = "" if self._work.shown else tr("There are no images")
        self._back.disable(nowhere)
        self._on.disable(nowhere)

    def _say_problem(self, caption: Caption | None) -> None:
        """What is wrong with the file; of a guess, that it is one."""
        if caption is not None and caption.legacy:
            self._say_error(tr("Not UTF-8: read as Windows-1252. Are the accents right?"), role="changed")
        else:
            self._say_error(caption.problem or caption.fixed if caption else "")

    def _say_error(self, problem: str, role: str = "error") -> None:
        self._error.set(problem, role)
        self.text.invalid(bool(problem) and role == "error")
        if problem:
            self._error.pack(fill="x", pady=(px(4), 0), after=self.text)
        else:
            self._error.pack_forget()


def shown_text(caption: Caption) -> str:
    """The text as it is edited: the line end at the end of a file is no line to edit."""
    return caption.shown.rstrip("\n")


def size_of(file: DataFile) -> tuple[int, int]:
    """Width and height as a viewer shows them; (0, 0) if it is no picture."""
    try:
        with file.image() as image:
            turned = image.getexif().get(0x0112, 1) >= 5  # EXIF orientation: lies on its side
            return (image.height, image.width) if turned else (image.width, image.height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0, 0
