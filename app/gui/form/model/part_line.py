"""What stands under a field of a model's files: what the file is, by its header, and whether it belongs there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Frame, Label, px
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.catalog import FAMILIES, ComponentSpec, FamilyCard
from modules.catalog.contents import CONTENTS
from modules.errors import UserError
from modules.language import tr
from modules.system.bundled import resolve
from modules.system.headers.parts import ENDINGS, Part, family_of_model, read_part, wanted_parts
from modules.text import in_bytes

BILLION, MILLION = 10**9, 10**6


@dataclass(frozen=True)
class Judged:
    """What a field names. No part: nothing of this machine, or a kind of file without a header."""

    part: Part | None = None
    wanted: tuple[Part, ...] = ()

    @property
    def is_right(self) -> bool:
        return self.part is not None and any(self.part.is_right(each) for each in self.wanted)


def judged(value: str, card: FamilyCard, spec: ComponentSpec, source: str) -> Judged:
    """What a field names that asks for this component. `source`: the base model.

    Raises:
        UserError: not there or damaged.
    """
    path = resolve(value)
    if not path.is_dir() and path.suffix.lower() not in ENDINGS:
        return Judged()
    try:
        if not path.exists():
            raise UserError("weights.not-there", file=path)
        part = read_part(path, spec)
        if spec.name != "denoiser":
            return Judged(part, tuple(wanted_parts(card, spec, source)))
        return Judged(_of_model(part, path), (Part(spec.kind, card.title),))
    except (OSError, ValueError):
        return Judged()  # what is wrong with it is told when it is opened


def _of_model(part: Part, path: Path) -> Part:
    """A model's folder tells what it is by its index."""
    family = family_of_model(path) if path.is_dir() else part.family
    card = FAMILIES.get(family)
    return replace(part, kind=card.component("denoiser").kind, title=card.title, family=family) if card else part


class PartLine(Frame):
    """Empty, or one line: green for the right part, red with what it is and what belongs there.

    Args:
        name: of the component; "denoiser" for the base model itself.
        note: what to add to what is right.
        heard: called with what was read.
    """

    def __init__(
        self,
        master: Any,
        context: AppContext,
        name: str,
        note: Callable[[], str] = lambda: "",
        heard: Callable[[Judged], object] = lambda _: None,
    ) -> None:
        super().__init__(master)
        self._context, self._name, self._note, self._heard = context, name, note, heard
        self._path = "model.source" if name == "denoiser" else f"model.{name}"
        self._read_for: tuple[str, str, str] | None = None
        self._reading = WorkerPoll[Judged](self, self._show, self._refuse)
        self.until_destroyed(context.draft.watch("model", lambda _: self.refresh()))
        self.until_destroyed(self._reading.cancel)
        self.refresh()

    def refresh(self) -> None:
        """Read the header if the file, or what it is compared with, is another one."""
        draft = self._context.draft
        value, family, source = (str(draft.get(path)) for path in (self._path, "model.family", "model.source"))
        if (value, family, source) == self._read_for:
            return
        self._read_for = value, family, source
        card = FAMILIES[family]
        if not value or self._name not in card.component_names:
            self._reading.cancel()
            self._show(Judged())
            return
        spec = card.component(self._name)
        self._reading.start(Worker(lambda *_: judged(value, card, spec, source)))

    def _show(self, found: Judged) -> None:
        self._heard(found)
        if found.part is None or not (found.is_right or self._is_plain(found.part)):
            self._say("", "", "")
        elif found.is_right:
            self._say(about(found.part, self._model_name()) + self._note(), "good", "check")
        else:
            wanted = tr(" or ").join(dict.fromkeys(map(called, found.wanted)))
            words = tr("This is {found}. {wanted} belongs here.", found=called(found.part), wanted=_capital(wanted))
            self._say(words, "error", "circle-alert")

    def _is_plain(self, part: Part) -> bool:
        """Whether it is plainly something else: a model of another type is offered, not refused."""
        if self._name == "denoiser":
            return not part.family and part.kind not in ("dit", "unet", "unknown")
        return part.kind != "unknown" or FAMILIES[str(self._context.draft.get("model.family"))].comes_in_parts

    def _model_name(self) -> str:
        """A base model is called by its variant."""
        card, source = FAMILIES[str(self._context.draft.get("model.family"))], self._context.draft.get("model.source")
        named = card.named_variants(str(source)) if self._name == "denoiser" else []
        return named[0].title if named else ""

    def _refuse(self, error: UserError) -> None:
        self._heard(Judged())
        self._say(WORDS.headline(error.problem), "error", "circle-alert")

    def _say(self, words: str, role: str, image: str) -> None:
        self.clear()
        self.configure(height=1)
        if words:
            line = Label(self, words, font="small", role=role, wrap=True, image=image)
            line.pack(fill="x", padx=px(2), pady=(0, px(4)))


def about(part: Part, title: str = "") -> str:
    """The right part in a few words: "Qwen3, 4.0 B, bf16, 7.5 GB"."""
    if part.kind == "vae":
        name = tr("VAE, {channels} channels", channels=part.channels) if part.channels else tr("VAE")
        return ", ".join((name, part.precision, in_bytes(part.file_bytes)))
    name = title or (part.title if part.kind == "llm" else part.name)
    return ", ".join((name, _amount(part.numbers), part.precision, in_bytes(part.file_bytes)))


def called(part: Part) -> str:
    """A part within a sentence."""
    if part.kind == "vae" and part.channels:
        if part.video:
            return tr("a VAE for video with {channels} channels", channels=part.channels)
        return tr("a VAE with {channels} channels", channels=part.channels)
    return part.name or WORDS.what(CONTENTS[part.kind])


def _amount(numbers: int) -> str:
    if numbers < BILLION:
        return tr("{count:.3g} M", count=numbers / MILLION)
    return tr("{count:.1f} B", count=numbers / BILLION)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
