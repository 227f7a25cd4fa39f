"""After captions were made: the way back, and the way into training. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.gui.busy_dialog import run_blocking
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from modules.captioning.record import TakenBack, cache_folder, newest_record, source_name, take_back
from modules.errors import UserError
from modules.language import plural, tr
from modules.preset.paths import Values
from modules.preset.sections.concept import Concept


def can_undo(concept: Values) -> bool:
    """Whether captions of a concept were made by models, and not taken back yet."""
    return newest_record(cache_folder(), source_name(str(concept["path"]))) is not None


def undo_made(context: AppContext, concept: Values, written: Callable[[], object]) -> Callable[[], None]:
    """Takes back what was made last, and says so. `written`: files have changed."""
    source = source_name(str(concept["path"]))

    def undo() -> None:
        record = newest_record(cache_folder(), source)
        if record is None:
            return
        try:
            found = run_blocking(context.app, tr("Putting captions back"), lambda *_: take_back(record))
        except UserError as error:
            context.notify(error.text(WORDS), role="error")
            return
        context.notify(_in_words(found))
        written()

    return undo


def _in_words(found: TakenBack) -> str:
    words = plural(found.count, "1 file is as before", "{count:,} files are as before")
    changed = len(found.changed)
    if changed:
        words += plural(changed, "; 1 was changed since, and stays", "; {count} were changed since, and stay")
    return words


def use_in_training(context: AppContext, number: int, endings: Sequence[str]) -> list[tuple[str, Callable[[], object]]]:
    """Of captions in files that a concept does not read yet: the way to have training read them."""
    concept = Concept.model_validate(context.draft.get(f"concepts.{number}"))
    new = [ending for ending in endings if ending not in {source.ending for source in concept.caption_files}]
    if not new or concept.captions == "none":
        return []

    def use() -> None:
        more = ", ".join(filter(None, [concept.more_captions, *new]))
        context.draft.put(f"concepts.{number}.more_captions", more)
        if concept.several == "first":  # which would never come to them
            context.draft.put(f"concepts.{number}.several", "pick")
        context.notify(tr("{endings} are caption sources of this concept now", endings=", ".join(new)))

    return [(tr("Use in training"), use)]
