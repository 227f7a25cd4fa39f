"""The project while it is edited: values, the preset they are compared with, what is wrong, undo, who wants to know.

`values` are a plain nested tree that is replaced and never changed in place: read it as you like, and change it by the
draft's own doing (`put`, `type`, `reset`, `add`, `remove`, `move`, `load`) alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, cast

from app.gui.draft import list_edit
from app.gui.draft.history import Entry, History
from app.gui.draft.labels import breadcrumb, page_of
from app.gui.draft.parsing import InvalidInput, judged, read
from app.gui.draft.preset_diff import with_preset_values
from app.gui.draft.state import MODELS, Baseline, DraftState, values_of
from app.gui.draft.tree_edit import differing_paths, replaced
from app.gui.draft.visibility import LISTS, form_order, is_advanced, is_visible
from modules.language import tr
from modules.preset.paths import Values, get
from modules.preset.preset import Preset
from modules.preset.setting_info import SettingInfo, kind_of
from modules.preset.validate import UNIONS, examine, schema_path, setting_at
from modules.sentences.problem import Problem

NO_MULTIPLE = "rules.not-a-multiple"
Watcher = Callable[[frozenset[str]], None]


class Draft:
    """What the window edits. Not for several threads: it belongs to the window's."""

    def __init__(
        self, preset: Preset | None = None, name: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        values = values_of(preset or Preset())
        self._state = DraftState(values, Baseline(name, values))
        self._history: History[DraftState] = History(clock)
        self._watchers: list[tuple[str, Watcher]] = []

    # What it holds ----------------------------------------------------------------------------------------------------

    @property
    def values(self) -> Values:
        return self._state.values

    @property
    def base(self) -> Baseline:
        return self._state.base

    @property
    def state(self) -> DraftState:
        """For whoever keeps the project: all there is to restore."""
        return self._state

    def get(self, path: str) -> Any:
        """The last good value."""
        return get(self.values, path)

    def bad(self, path: str) -> InvalidInput | None:
        """What stands in the entry of this setting and cannot be used, or None."""
        return self._state.bad.get(path)

    def is_visible(self, setting: SettingInfo, path: str = "") -> bool:
        return is_visible(setting, self.values, path)

    def is_advanced(self, setting: SettingInfo) -> bool:
        return is_advanced(setting, self.values)

    def errors(self) -> dict[str, str]:
        """A sentence by path: values that cannot be used, settings that contradict one another, what is missing."""
        return self._state.errors

    def error_counts(self) -> Counter[str]:
        """How many problems each page has."""
        return Counter(page_of(path) for path in self.errors())

    def next_problem(self, after: str = "") -> str:
        """The setting with the next problem, in the order of the pages, and round again (F8); "" if there is none."""
        paths = sorted(self.errors(), key=form_order)
        later = [path for path in paths if after and form_order(path) > form_order(after)]
        return next(iter([*later, *paths]), "")

    def original(self, path: str) -> Any:
        return self._state.original(path)

    def changed(self, path: str) -> bool:
        """Whether the arrow that brings the original back is shown."""
        return path in self._state.bad or self.get(path) != self.original(path)

    def changed_paths(self) -> tuple[str, ...]:
        return self._state.changed

    def changed_counts(self) -> Counter[str]:
        """How many settings of each page differ from the preset; `.total()` is for the top bar."""
        return Counter(page_of(path) for path in self._state.changed)

    def freeze(self) -> Values:
        """The values for a Train message: everything that is in play, and nothing that is hidden."""
        return self._state.frozen

    def preset(self) -> Preset:
        """The draft as a preset, hidden settings included: what is saved as project or preset."""
        return examine(self.values)[0]

    # Changing it ------------------------------------------------------------------------------------------------------

    def type(self, path: str, text: str) -> str:
        """Take what was typed into an entry. Returns what is wrong with it, or ""."""
        return self.put(path, read(self._knob(path), text), typed=text)

    def put(self, path: str, value: Any, *, typed: str | None = None) -> str:
        """Set a value. Returns what is wrong with it, or ""; the last good value then stays, beside the bad text.

        Raises:
            KeyError: there is no such setting.
        """
        after, error = _with(self._state, path, value, typed)
        self._go(path, after, typed=typed is not None)
        return error

    def apply(self, changes: Mapping[str, Any], title: str) -> str:
        """Set several values as one change with a title. Returns what is wrong with one of them, and sets none then.

        Raises:
            KeyError: there is no such setting.
        """
        after = self._state
        for path, value in changes.items():
            after, error = _with(after, path, value, None)
            if error:
                return error
        self._go("", after, title=title)
        return ""

    def nearest_size(self, path: str) -> int | None:
        """The possible size next to one that is not a multiple of what the model needs; None if nothing is wrong so."""
        near = (each.values for each in self._state.conflicts if (each.code, each.path) == (NO_MULTIPLE, path))
        sizes = [(each["lower"], each["upper"]) for each in near if isinstance(each["size"], int)]
        return min(sizes[0], key=lambda side: abs(side - self.get(path))) if sizes else None

    def revert(self, path: str) -> None:
        """Forget a bad text: the last good value stands again (Escape)."""
        if path in self._state.bad:
            self.put(path, self.get(path))

    def reset(self, path: str) -> None:
        """Bring back the preset's value."""
        self.put(path, self.original(path))

    def reset_all(self) -> None:
        """Undo all changes; can itself be undone. Machine settings and concepts stay."""
        values = replaced(self.base.values, "concepts", self.values["concepts"])
        self._go("", self._loaded(self.base, values), title=tr("All changes undone"))

    def load(self, name: str, preset: Preset, *, whole: bool = False) -> None:
        """Take the values of a preset, as one change. Machine settings and concepts stay, unless `whole`."""
        values = values_of(preset) if whole else with_preset_values(self.values, values_of(preset))
        self._go("", self._loaded(Baseline(name, values), values), title=tr("{name} loaded", name=name))

    def compare_with(self, name: str) -> None:
        """Count changes from here on: the draft was just saved under this name, which its runs get, too."""
        values = {**self.values, "title": name}
        self._move(replace(self._state, values=values, base=Baseline(name, values)))

    def restore(self, state: DraftState) -> None:
        """Put in what a closed window left. No change: there is nothing to undo."""
        self._move(state)

    def look_again(self) -> None:
        """Judge once more what hangs on files: a model may have come or gone. No change: there is nothing to undo."""
        after = replace(self._state)
        if after.missing_models != self._state.missing_models:
            self._move(after, {*MODELS})

    def judge_files(self, wrong: Mapping[str, Problem]) -> None:
        """What is wrong with the model's files, by setting, in place of what was. There is nothing to undo."""
        before = self._state.wrong_files
        if wrong != before:
            self._move(replace(self._state, wrong_files=wrong), {*before, *wrong})

    # Lists: concepts, sampling.prompts, words ------------------------------------------------------------------

    def add(self, path: str, values: Values | None = None, at: int | None = None) -> int:
        """A new entry with the default of everything that `values` leave out. Returns its number."""
        entry = {**list_edit.default_entry(self._knob(path)), **(values or {})}
        return self._listed(path, list_edit.inserted(self.get(path), entry, at))

    def duplicate(self, path: str, number: int) -> int:
        return self._listed(path, list_edit.inserted(self.get(path), self.get(path)[number], number + 1))

    def remove(self, path: str, *numbers: int) -> None:
        self._listed(path, list_edit.removed(self.get(path), numbers))

    def move(self, path: str, number: int, to: int) -> None:
        self._listed(path, list_edit.moved(self.get(path), number, to))

    def _listed(self, path: str, edit: list_edit.Edit) -> int:
        if path not in LISTS:
            raise KeyError(path)
        bad = {list_edit.renumbered(at, path, edit.origins): held for at, held in self._state.bad.items()}
        bad.pop("", None)  # of entries that are gone
        self._go(path, replace(self._state, values=replaced(self.values, path, edit.entries), bad=bad))
        return edit.place

    # Undo, watchers ---------------------------------------------------------------------------------------------------

    def undo(self) -> Entry[DraftState] | None:
        """Take the last change back. Returns it, for the window to show where; None if there is none."""
        if entry := self._history.undo():
            self._move(entry.before)
        return entry

    def redo(self) -> Entry[DraftState] | None:
        if entry := self._history.redo():
            self._move(entry.after)
        return entry

    @property
    def can_undo(self) -> bool:
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        return self._history.can_redo

    def watch(self, path: str, call: Watcher) -> Callable[[], None]:
        """Call with the changed paths whenever one is `path`, below or above it; "" for all. Returns how to end it."""
        pair = (path, call)
        self._watchers.append(pair)

        def end() -> None:
            if pair in self._watchers:
                self._watchers.remove(pair)

        return end

    def _go(self, path: str, after: DraftState, *, title: str = "", typed: bool = False) -> None:
        before = self._state
        if (after.values, after.bad, after.base) == (before.values, before.bad, before.base):
            return
        self._history.record(path, before, after, title=title or breadcrumb(path, self.values), typed=typed)
        self._move(after)

    def _move(self, after: DraftState, judged_anew: Collection[str] = ()) -> None:
        before = self._state
        if not judged_anew and after.wrong_files != before.wrong_files:  # what is known of files is never undone
            after = replace(after, wrong_files=before.wrong_files)
        self._state = after
        paths = {*judged_anew, *differing_paths(before.values, after.values)}
        paths |= {path for path in {*before.bad, *after.bad} if before.bad.get(path) != after.bad.get(path)}
        if before.base is not after.base:  # any mark may have changed
            paths |= {"", *differing_paths(before.base.values, after.base.values)}
        touched = frozenset(paths)
        for pair in list(self._watchers):
            if pair in self._watchers and any(_related(pair[0], path) for path in touched):
                pair[1](touched)

    def _loaded(self, base: Baseline, values: Values) -> DraftState:
        kept = {} if base is not self.base else self._state.kept
        return DraftState(with_preset_values(self.values, values) if base is self.base else values, base, kept=kept)

    def _knob(self, path: str) -> SettingInfo:
        return _knob(self._state, path)


def _with(before: DraftState, path: str, value: Any, typed: str | None) -> tuple[DraftState, str]:
    """The state with another value, and what is wrong with that value."""
    _knob(before, path)
    section, _, name = path.partition(".")
    if section in UNIONS and name == "kind":
        return _with_kind(before, section, value), ""
    value, error = judged(path, value, before.values, typed)
    bad = {other: held for other, held in before.bad.items() if other != path}
    if error:
        bad[path] = InvalidInput(typed if typed is not None else str(value), error)
        return replace(before, bad=bad), error
    values = before.values if value == get(before.values, path) else replaced(before.values, path, value)
    return replace(before, values=values, bad=bad), ""


def _with_kind(state: DraftState, section: str, kind: Any) -> DraftState:
    """Another method or optimizer, with the settings it had when it was last chosen."""
    member = next(member for member in UNIONS[section] if kind_of(member) == kind)
    now = cast("Values", state.values[section])
    kept = {**state.kept, (section, now["kind"]): now}
    of_base = cast("Values", state.base.values[section])
    usual = of_base if of_base["kind"] == kind else member().model_dump(mode="json")
    return replace(state, values={**state.values, section: kept.get((section, kind), usual)}, kept=kept)


def _knob(state: DraftState, path: str) -> SettingInfo:
    setting = setting_at(path, state.values)
    if setting is None or (path != schema_path(path) and get(state.values, path.rpartition(".")[0]) is None):
        raise KeyError(path)
    return setting


def _related(watched: str, changed: str) -> bool:
    """Whether one is the other, or lies inside it."""
    return (
        not watched
        or not changed
        or watched == changed
        or changed.startswith(f"{watched}.")
        or watched.startswith(f"{changed}.")
    )
