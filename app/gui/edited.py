"""A state of the whole project while it is edited, and everything that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.gui.shown import in_play, shown_at, shows
from app.gui.typed import Bad
from app.gui.wording import in_words, page_of, paths_in
from modules.preset.paths import Values, get
from modules.preset.preset import Preset
from modules.preset.problems import UNIONS, all_knobs, examine, knob_at
from modules.preset.rules import clashes, missing

Kept = Mapping[tuple[str, str], Values]  # settings of the methods and optimizers that were chosen before


def values_of(preset: Preset) -> Values:
    """Every value of a preset, as a draft holds them."""
    return preset.model_dump(mode="json")


@dataclass(frozen=True)
class Compared:
    """The preset that changes are counted against."""

    name: str
    values: Values


@dataclass(frozen=True)
class State:
    """All that undo brings back. What follows from it is worked out once, when it is first asked for."""

    values: Values
    base: Compared
    bad: Mapping[str, Bad] = field(default_factory=dict[str, Bad])
    kept: Kept = field(default_factory=dict[tuple[str, str], Values])

    @cached_property
    def frozen(self) -> Values:
        return in_play(self.values)

    @cached_property
    def errors(self) -> dict[str, str]:
        found = {path: bad.error for path, bad in self.bad.items() if shown_at(path, self.values)}
        preset, wrong = examine(self.frozen)
        for sentence in (*wrong.values(), *clashes(preset), *missing(preset)):
            path = next(iter(paths_in(sentence)), "")
            said = in_words(sentence, path)
            found[path] = f"{found[path]}\n{said}" if path in found else said
        return found

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Settings of the recipe that are in play and differ; a list counts as one, concepts belong to no preset."""
        recipe = [knob for knob in all_knobs() if ".0." not in knob.path and knob.path != "concepts"]
        return tuple(
            knob.path
            for knob in recipe
            if knob.scope == "recipe"
            and shows(knob, self.values)
            and get(self.values, knob.path) != self.original(knob.path)
        )

    def original(self, path: str) -> Any:
        """The value that the arrow of a row brings back: the preset's, or the default where presets say nothing."""
        knob = knob_at(path, self.values)
        if knob is None or knob.path == "concepts":
            return get(self.values, path)
        section = page_of(path)
        other = section in UNIONS and get(self.base.values, f"{section}.kind") != get(self.values, f"{section}.kind")
        of_preset = knob.scope == "recipe" and section != "concepts" and not (other and not path.endswith(".kind"))
        value = get(self.base.values, path) if of_preset else None
        return knob.default if value is None else value
