"""The caption of one image: its picture, its lines to be edited, and how long they are."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from app.gui.caption_models.suggest import Suggest
from app.gui.captions.edits import toggled
from app.gui.captions.files import Caption, tags_of
from app.gui.captions.selection import CaptionSelection
from app.gui.captions.token_lines import TokenLines
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Frame, ImageView, Label, TextArea, fitting, px, tip
from app.gui.session.number_format import TIMES
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.data.source.source import DataFile
from modules.data.text.captions import without_empty_lines
from modules.language import tr
from modules.preset.paths import Values

PICTURE = (72, 300)  # least and most height
BESIDE = 462  # height that the rest of the side needs, tags and what is written in two ways included
LINES = 4


class CaptionEditor(Frame):
    """`show(number)` puts an image in.

    What was typed is saved when the focus leaves, on the way to another image, and by Ctrl+S. Texts that could not be
    saved are kept until they can. `beside_tokens` has room at its right.

    Args:
        on_change: called with the number of an image when its text, or whether that is saved, has changed.
        concept_of: the concept of a caption, for its prefix and suffix.
    """

    def __init__(
        self,
        master: Frame,
        context: AppContext,
        work: CaptionSelection,
        on_change: Callable[[int], object],
        concept_of: Callable[[Caption], Values | None],
    ) -> None:
        super().__init__(master)
        self._work, self._on_change, self._concept_of = work, on_change, concept_of
        self.number = -1
        self._clean = ""  # the text as it is on the disk
        self._size = ""
        self._unsaved: dict[int, str] = {}
        self._make_head()
        self.picture = ImageView(self, context.pictures, empty=tr("Choose an image"), height=PICTURE[0])
        self.picture.pack(fill="x", pady=(px(8), px(10)))
        self.text = TextArea(self, lines=LINES, on_change=lambda _: self._typed(), rest_ms=150)
        self.text.pack(fill="x")
        self.text.inner.bind("<FocusOut>", lambda _: self.save(), add=True)  # pyright: ignore[reportOptionalMemberAccess]
        self._error = Label(self, font="small", role="error", wrap=True)
        self.beside_tokens = Frame(self)
        self.beside_tokens.pack(fill="x", pady=(px(7), 0))
        self._tokens = TokenLines(self.beside_tokens, context)
        self.suggest = Suggest(self.beside_tokens, context, self._asked, self._suggested)
        self.suggest.pack(side="right", anchor="n")
        self._as_utf8 = Button(self, tr("Save as UTF-8"), lambda: self.save(pressed=True), image="save", hint="Ctrl+S")
        self._sizes: WorkerPoll[tuple[int, int]] = WorkerPoll(self, self._measured)
        self.until_destroyed(self._sizes.cancel)
        self.show(-1)

    def _make_head(self) -> None:
        head = Frame(self)
        head.pack(fill="x", pady=(0, px(6)))
        self._where = Label(head, role="text2")
        self._where.pack(side="right")
        tip(self._where, tr("Ctrl+Down and Ctrl+Up go to the next and the previous image, Ctrl+S saves"))
        self._name = Label(head, font="section")
        self._name.pack(side="left", fill="x", expand=True)
        tip(self._name, lambda: self._about)

    @property
    def _about(self) -> str:
        caption = self._caption
        return f"{caption.name}{self._size}" if caption else ""

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

    def text_of(self, number: int) -> str | None:
        """What was typed for an image and is not on the disk; None where that is nothing."""
        if number == self.number and self.dirty:
            return self.text.get()
        return self._unsaved.get(number)

    def show(self, number: int, where: str = "") -> None:
        """Another image, or none (-1); what was typed for the one before is saved first. `where`: "3 of 16"."""
        if number != self.number:
            self.save()
        self.number = number
        if 0 <= number < len(self._work.captions.all):
            self._work.captions.refresh(number)  # another program may have mended it
        captions = self._work.captions.all
        caption = captions[number] if 0 <= number < len(captions) else None
        self.picture.show(caption.image if caption else None)
        self._sizes.cancel()
        self._size = ""
        self._name.set(fitting(caption.title, px(200), "section") if caption else "")
        self._where.set(where)
        self._load(caption)
        if caption is not None:
            image = caption.image
            self._sizes.start(Worker(lambda *_: size_of(image)))

    def fit(self, height: int) -> None:
        """The side is so high: the picture takes what the rest leaves. Where that is too little, its tile shows it."""
        room = height - px(BESIDE)
        if room < px(PICTURE[0]):
            self.picture.pack_forget()
            return
        self.picture.configure(height=min(room, px(PICTURE[1])))
        self.picture.pack(fill="x", pady=(px(2), px(10)), before=self.text)

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

    def _asked(self) -> tuple[Values, DataFile] | None:
        """The image of now with its concept, if its text can be changed."""
        caption = self._caption
        concept = self._concept_of(caption) if caption and not self.text.reason else None
        return (concept, caption.image) if caption and concept else None

    def _suggested(self, image: DataFile, text: str) -> None:
        """A caption by a model; it is saved as what is typed is."""
        if (caption := self._caption) is not None and caption.image == image and not self.text.reason:
            self._put(text)

    def _put(self, text: str) -> None:
        inner = self.text.inner
        assert inner is not None
        inner.replace("1.0", "end-1c", text)
        self.text.flush()

    def toggle(self, tag: str) -> None:
        """Add a tag to the text, or take it out."""
        if self.number >= 0 and not self.text.reason:
            self._put(toggled(self.text.get(), tag))

    @property
    def tags(self) -> set[str]:
        """The tags that the text has now."""
        return {tag for line in self.text.get().splitlines() for tag in tags_of(line)}

    def focus_text(self) -> None:
        self.text.focus_set()

    def _load(self, caption: Caption | None) -> None:
        self._clean = shown_text(caption) if caption else ""
        self.text.disable(tr("Choose an image") if caption is None else caption.fixed or _refused(caption))
        self.text.set(self._unsaved.get(self.number, self._clean))
        if self.text.reason:  # there is no place for what a model says
            self.suggest.pack_forget()
        else:
            self.suggest.pack(side="right", anchor="n")
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
        self._tokens.pack(side="left", fill="x", expand=True)
        self._tokens.show(without_empty_lines(self.text.get()), self._concept_of(caption))

    def _measured(self, size: tuple[int, int]) -> None:
        self._size = f" · {size[0]} {TIMES} {size[1]}"

    def _say_state(self) -> None:
        if self._guessed:
            self._as_utf8.pack(anchor="w", pady=(px(6), 0), before=self.beside_tokens)
        else:
            self._as_utf8.pack_forget()
        self._on_change(self.number)

    def _say_problem(self, caption: Caption | None) -> None:
        """What is wrong with the file; of a guess, that it is one."""
        if caption is not None and caption.legacy:
            self._say_error(tr("Not UTF-8: read as Windows-1252. Are the accents right?"), role="changed")
        elif caption is not None and (fixed := caption.fixed or _refused(caption)):
            self._say_error(fixed, role="changed")
        else:
            self._say_error(caption.problem if caption else "")

    def _say_error(self, problem: str, role: str = "error") -> None:
        self._error.set(problem, role)
        self.text.invalid(bool(problem) and role == "error")
        if problem:
            self._error.pack(fill="x", pady=(px(4), 0), after=self.text)
        else:
            self._error.pack_forget()


def _refused(caption: Caption) -> str:
    refusal = caption.refusal()
    return refusal.text(WORDS) if refusal else ""


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
