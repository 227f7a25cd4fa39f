"""What the draft's model is made of, by the headers of its files: read beside the window, whatever page is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.gui.draft.draft import Draft
from app.gui.draft.problem_labels import WORDS
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.catalog import FAMILIES, FamilyCard
from modules.catalog.contents import CONTENTS
from modules.errors import UserError
from modules.language import plural, tr
from modules.sentences.problem import Problem, as_it_is
from modules.system.bundled import resolve
from modules.system.headers.parts import ENDINGS, Part, family_of_model, read_part, wanted_parts
from modules.system.hub import missing_model

Key = tuple[str, str, str, str]  # a component, its file, the family and what the base model is called
VARIANT = "model.variant"


@dataclass(frozen=True)
class Judged:
    """What a field names. No part: nothing of this machine, or a kind of file without a header."""

    part: Part | None = None
    wanted: tuple[Part, ...] = ()
    damage: Problem | None = None

    @property
    def is_right(self) -> bool:
        return self.part is not None and any(self.part.is_right(each) for each in self.wanted)


class ModelFiles:
    """Follows a draft, and tells it which of its files are wrong.

    Args:
        clock: a widget: its timer asks whether the headers have been read.
    """

    def __init__(self, draft: Draft, clock: Any) -> None:
        self._draft = draft
        self.separate: bool | None = None  # whether a person wants a field for each component; None: nobody said
        self.set_aside: dict[str, str] = {}  # files that were typed into fields that are away, by setting
        self._known: dict[Key, Judged] = {}
        self._reading = WorkerPoll[Mapping[Key, Judged]](clock, self._read)
        self._listeners: list[Callable[[], object]] = []
        self._end = draft.watch("model", lambda _: self.refresh())
        self.refresh()

    def close(self) -> None:
        self._end()
        self._reading.cancel()

    def listen(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` when more is known; what is returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @property
    def card(self) -> FamilyCard:
        return FAMILIES[str(self._draft.get("model.family"))]

    def of(self, name: str) -> Judged | None:
        """What a component's setting names, "denoiser" for the base model; None if it is empty, or not read yet."""
        return self._known.get(self._keys().get(name, ("", "", "", "")))

    def look_again(self) -> None:
        """Files may have come or gone meanwhile."""
        self._start(self._keys().values())

    def refresh(self) -> None:
        """Read what was not read before, and judge by what is known."""
        keys = self._keys().values()
        self._known = {key: found for key, found in self._known.items() if key in keys}
        self._start([key for key in keys if key not in self._known])
        self._judge()

    def _keys(self) -> dict[str, Key]:
        draft = self._draft
        family, source = str(draft.get("model.family")), model_called(draft)
        named = {name: str(draft.get(path_of(name))) for name in FAMILIES[family].component_names}
        return {name: (name, file, family, source) for name, file in named.items() if file}

    def _start(self, keys: Iterable[Key]) -> None:
        wanted = list(keys)
        self._reading.cancel()
        if wanted:
            self._reading.start(Worker(lambda *_: {key: judged(*key) for key in wanted}))

    def _read(self, found: Mapping[Key, Judged]) -> None:
        self._known |= found
        self._judge()
        for listener in list(self._listeners):
            listener()

    def _judge(self) -> None:
        """What is plainly wrong keeps a run from being started, as every wrong setting does."""
        found = {name: self._known.get(key) for name, key in self._keys().items()}
        wrong = {path_of(name): self._wrong(name, each) for name, each in found.items() if each}
        self._draft.judge_files({path: replace(each, path=path) for path, each in wrong.items() if each})

    def _wrong(self, name: str, found: Judged) -> Problem | None:
        part = found.part
        if part is None or found.is_right or not _is_plain(name, part, self.card):
            return found.damage
        if name == "denoiser" and part.family:
            return as_it_is(tr("This model is of the type {title}.", title=part.title))
        cut = any(each.name == part.name for each in found.wanted)  # all but its number of layers is right
        wanted = tr(" or ").join(dict.fromkeys(called(each, layers=cut) for each in found.wanted))
        this = called(part, layers=cut)
        return as_it_is(tr("This is {found}. {wanted} belongs here.", found=this, wanted=_capital(wanted)))


def model_called(draft: Draft) -> str:
    """The name that tells what the base model is: its own, or that of the variant which is set."""
    card, (source, variant) = FAMILIES[str(draft.get("model.family"))], map(draft.get, ("model.source", VARIANT))
    return card.called(str(source), str(variant))


def files_of(context: Any) -> ModelFiles:
    """Those of the window, made for the first who asks."""
    if context.files is None:
        context.files = ModelFiles(context.draft, context.app)
    return context.files


def path_of(name: str) -> str:
    """The setting that names a component's file."""
    return "model.source" if name == "denoiser" else f"model.{name}"


def judged(name: str, value: str, family: str, source: str) -> Judged:
    """What lies under this name where a component is asked for. `source`: the base model."""
    card = FAMILIES[family]
    spec = card.component(name)
    if missing_model(value):
        return Judged()  # the draft says so by itself
    path = resolve(value)
    if not (path.is_dir() or (path.is_file() and path.suffix.lower() in ENDINGS)):
        return Judged()
    try:
        part = read_part(path, spec)
        if spec.name == "denoiser":
            return Judged(_of_model(part, path), (Part(spec.kind, card.title, family=family),))
        return Judged(part, tuple(wanted_parts(card, spec, source)))
    except UserError as error:
        return Judged(damage=error.problem)
    except (OSError, ValueError):
        return Judged()  # what is wrong with it is told when it is opened


def _of_model(part: Part, path: Path) -> Part:
    """A model's folder tells what it is by its index."""
    family = family_of_model(path) if path.is_dir() else part.family
    card = FAMILIES.get(family)
    return replace(part, kind=card.component("denoiser").kind, title=card.title, family=family) if card else part


def _is_plain(name: str, part: Part, card: FamilyCard) -> bool:
    """Whether it is plainly something else, and not only nothing that is known."""
    if name == "denoiser":
        return bool(part.family) or part.kind not in ("dit", "unet", "unknown")
    return part.kind != "unknown" or card.comes_in_parts


def called(part: Part, *, layers: bool = False) -> str:
    """A part within a sentence."""
    if layers and part.layers:
        return plural(part.layers, "{name} with 1 layer", "{name} with {count} layers", name=part.name)
    if part.kind == "vae" and part.channels:
        if part.video:
            return tr("a VAE for video with {channels} channels", channels=part.channels)
        return tr("a VAE with {channels} channels", channels=part.channels)
    return part.name or WORDS.what(CONTENTS[part.kind])


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
