"""The question that is asked when the page is left, or the window closed, with masks that are not saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Answer, Dialog
from app.gui.masks.store import MaskStore
from modules.errors import UserError
from modules.language import plural, tr


def ask_unsaved(context: AppContext, then: Callable[[], object], changed: Callable[[], object]) -> Dialog:
    """Save, discard or go on painting; `then` unless one goes on. `changed`: masks were written or thrown away."""
    store: MaskStore = context.masks
    count = len(store.unsaved())
    answers = (
        Answer(tr("Go on painting"), "back"), Answer(tr("Discard"), "discard", "danger"),
        Answer(tr("Save"), "save", "primary"),
    )  # fmt: skip

    def answered(answer: Any) -> None:
        if answer == "discard":
            for place in store.unsaved():
                store.forget(place)
        elif answer != "save" or not _save_all(context, store):
            context.go("masks")
            changed()
            return
        changed()
        then()

    title = plural(count, "1 mask is not saved", "{count:,} masks are not saved")
    return Dialog(context.app, title, tr("Save what was painted?"), answers, answered)


def _save_all(context: AppContext, store: MaskStore) -> bool:
    """Whether all are written; what cannot be stays as it is painted."""
    for place in store.unsaved():
        number = store.number_of(place)
        try:
            if number is not None:
                store.save(number)
        except UserError as error:
            context.notify(error.text(WORDS), role="error")
            return False
    return not store.unsaved()
