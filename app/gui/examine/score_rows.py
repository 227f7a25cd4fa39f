"""Which scores are computed, and with which model: a switch each, with what its model weighs and its licence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import Choice, Entry, Frame, Label, Option, Switch, px, tip
from modules.language import tr
from modules.preset.paths import Values
from modules.scores.kinds import SCORES, ScoreKind, ScoreModel, model_is_here
from modules.scores.settings import Settings
from modules.text import in_bytes

REMEMBERED = "scores"  # what was chosen last, in the state of the window
OWN = "\0own"


class ScoreRows(Frame):
    """`values()` are settings of the tool; `missing()` are the models that have to be downloaded first."""

    def __init__(self, master: Any, context: AppContext, on_change: Callable[[], object]) -> None:
        super().__init__(master)
        self._context, self._on_change = context, on_change
        remembered = context.window_state.get(REMEMBERED, dict)
        usual = Settings(source="-").model_dump()
        self.rows = {
            name: ScoreRow(self, context, kind, remembered.get(name, "" if remembered or not usual[name] else
                           kind.models[0].name), self._changed)
            for name, kind in SCORES.items()
        }  # fmt: skip
        for row in self.rows.values():
            row.pack(fill="x", pady=(0, px(6)))
        line = self.threshold_line = Frame(self.rows["copies"])
        Label(line, tr("a copy from"), font="small", role="text2").pack(side="left")
        self.threshold = Entry(line, f"{usual['copies_from']:g}", width=56, on_change=lambda _: on_change())
        self.threshold.pack(side="left", padx=px(8))
        self._fold()

    @property
    def chosen(self) -> dict[str, str]:
        """The model of each score that is switched on."""
        return {name: row.model for name, row in self.rows.items() if row.switch.get()}

    def values(self) -> Values:
        found: Values = {name: name in self.chosen for name in SCORES}
        found |= {f"{name}_model": model for name, model in self.chosen.items()}
        return {**found, "copies_from": self.threshold.get().replace(",", ".")}

    def missing(self) -> list[ScoreModel]:
        """Each once, though several scores may use it."""
        wanted = [(name, SCORES[name]) for name in self.chosen]
        models = [self.rows[name].known for name, _ in wanted] + [kind.head for _, kind in wanted]
        unique = {model.name: model for model in models if model is not None}
        return [model for model in unique.values() if not model_is_here(model.name)]

    def refresh(self) -> None:
        """What was downloaded meanwhile."""
        for row in self.rows.values():
            row.refresh()

    def disable(self, reason: str) -> None:
        for row in self.rows.values():
            row.switch.disable(reason)
            row.choice.disable(reason)
        self.threshold.disable(reason)

    def _changed(self) -> None:
        self._context.window_state.put(REMEMBERED, self.chosen or {"": ""})
        self._fold()
        self._on_change()

    def _fold(self) -> None:
        if self.rows["copies"].switch.get():
            self.threshold_line.pack(fill="x", padx=(px(46), 0), pady=(px(3), 0))
        else:
            self.threshold_line.pack_forget()


class ScoreRow(Frame):
    """A score. `model`: what it is computed with; "" at first: it is off."""

    def __init__(
        self, master: Any, context: AppContext, kind: ScoreKind, model: str, on_change: Callable[[], object]
    ) -> None:
        super().__init__(master)
        self.kind, self._context, self._changed = kind, context, on_change
        self.model = model or kind.models[0].name
        line = Frame(self)
        line.pack(fill="x")
        self.switch = Switch(line, bool(model), lambda _: self._turned())
        self.switch.pack(side="left", padx=(0, px(10)))
        words = Label(line, tr(kind.title))
        words.pack(side="left")
        within = tr("Compare only within one prompt.") if kind.within_prompt else ""
        tip(words, "\n\n".join(filter(None, [tr(kind.help), within])))
        self.choice = Choice(self, [], self.model, self._chosen)
        self.about = Label(self, "", font="small", role="text2", wrap=True)
        self.refresh()

    @property
    def known(self) -> ScoreModel | None:
        """The model, if it is one of the usual ones."""
        return next((model for model in self.kind.models if model.name == self.model), None)

    def refresh(self) -> None:
        notes = {model.name: filter(None, [in_bytes(model.size), tr(model.note)]) for model in self.kind.models}
        options = [Option(model.name, model.title, " \u00b7 ".join(notes[model.name])) for model in self.kind.models]
        if self.known is None:
            options.append(Option(self.model, self.model.replace("\\", "/").rpartition("/")[2]))
        self.choice.offer([*options, Option(OWN, tr("A folder \u2026"))])
        self.choice.set(self.model)
        self.about.set(self._about())
        for widget in (self.choice, self.about):
            if self.switch.get():
                widget.pack(fill="x", padx=(px(46), 0), pady=(px(3), 0))
            else:
                widget.pack_forget()

    def _about(self) -> str:
        here = tr("on this computer") if model_is_here(self.model) else tr("not downloaded")
        if (model := self.known) is None:
            return here
        return " \u00b7 ".join(filter(None, [in_bytes(model.size), model.licence, here]))

    def _turned(self) -> None:
        self.refresh()
        self._changed()

    def _chosen(self, model: str) -> None:
        if model == OWN:
            folder = self._context.app.ask_folder(tr("A model as a folder"))
            self.model = str(folder) if folder else self.model
        else:
            self.model = model
        self.refresh()
        self._changed()
