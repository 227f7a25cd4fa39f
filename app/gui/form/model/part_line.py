"""What stands under a field of a model's files, where the right part lies in them: what it is, by its header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Frame, Label, px
from app.gui.session.model_files import Judged, files_of, model_called, path_of
from modules.catalog import FamilyCard
from modules.language import tr
from modules.system.headers.parts import Part
from modules.text import in_bytes

BILLION, MILLION = 10**9, 10**6
PLAIN = ("", "fp32", "fp16", "bf16")  # numbers as a model is trained in; what else is in a file is unpacked


class PartLine(Frame):
    """A green line with what the part is; an amber one with what it is not good for; grey while it is read.

    What is wrong with a file is told by the row above, as every wrong setting is.

    Args:
        name: of the component; "denoiser" for the base model itself.
        note: what to add to what is right.
    """

    def __init__(self, master: Any, context: AppContext, name: str, note: Callable[[], str] = lambda: "") -> None:
        super().__init__(master)
        self._context, self._name, self._note = context, name, note
        self._files = files_of(context)
        self._shown: list[tuple[str, str, str]] | None = None
        self.until_destroyed(self._files.listen(self.refresh), context.draft.watch("", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        lines = self._lines()
        if lines == self._shown:
            return
        self._shown = lines
        self.clear()
        self.configure(height=1)
        for words, role, image in lines:
            line = Label(self, words, font="small", role=role, wrap=True, image=image)
            line.pack(fill="x", padx=px(2), pady=(0, px(4)))

    def _lines(self) -> list[tuple[str, str, str]]:
        found, draft, card = self._files.of(self._name), self._context.draft, self._files.card
        if found is None:
            inside = (self._files.of("denoiser") or Judged()).part
            if draft.get(path_of(self._name)) or not inside or self._name not in inside.inside:
                return []
            return [(tr("In the denoiser's file"), "good", "check")]
        if not found.is_right or found.part is None:
            return []
        part = found.part
        title = self._title(card, part) if self._name == "denoiser" else ""
        lines = [(f"{about(part, title)}{self._inside(card, part)}{self._note()}", "good", "check")]
        if part.precision not in PLAIN:
            lines.append(self._unpacked(part))
        return lines

    def _title(self, card: FamilyCard, part: Part) -> str:
        """A base model is called by its variant."""
        likely = card.likely_variants(model_called(self._context.draft), part.numbers)
        return likely[0].title if len(likely) == 1 else ""

    def _inside(self, card: FamilyCard, part: Part) -> str:
        names = [card.component(name).title or tr("text encoder") for name in part.inside]
        return tr(" · with {parts} inside", parts=", ".join(dict.fromkeys(names))) if names else ""

    def _unpacked(self, part: Part) -> tuple[str, str, str]:
        draft, is_vae = self._context.draft, self._name == "vae"
        dtype = draft.get("model.vae_dtype" if is_vae else "model.dtype")
        words = tr("Unpacked from {precision} to {dtype} while it is read.", precision=part.precision, dtype=dtype)
        if dtype == "auto":
            words = tr("Unpacked from {precision} while it is read.", precision=part.precision)
        if self._name == "denoiser" and draft.get("method.kind") == "full":
            more = tr("All weights start from rounded numbers: a full fine-tune is better begun with the bf16 file.")
            return f"{words} {more}", "changed", "triangle-alert"
        if self._name == "denoiser" and part.precision == draft.get("model.quantization") == "fp8":
            words = tr("Held in fp8, as it is in the file.")
        return words, "text2", ""


def about(part: Part, title: str = "") -> str:
    """The right part in a few words: "Qwen3, 4.0 B, bf16, 7.5 GB"."""
    if part.kind == "vae":
        name = tr("VAE, {channels} channels", channels=part.channels) if part.channels else tr("VAE")
        return ", ".join((name, part.precision, in_bytes(part.file_bytes)))
    name = title or (part.title if part.kind == "llm" else part.name)
    return ", ".join((name, _amount(part.numbers), part.precision, in_bytes(part.file_bytes)))


def _amount(numbers: int) -> str:
    if numbers < BILLION:
        return tr("{count:.3g} M", count=numbers / MILLION)
    return tr("{count:.1f} B", count=numbers / BILLION)
