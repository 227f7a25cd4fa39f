"""What the look before a run has found: for which settings, how bad it is, and what one wants to hear of it.

No widgets. A result belongs to the settings that were looked at, known by a hash of them: going back and forth brings
it back at once. What may have changed on disk meanwhile makes it too old to start upon, and still worth reading.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from app.gui.check.file_fixes import FileFixes
from app.gui.draft.problem_labels import WORDS, failure_text, finding_title
from app.gui.run_control import begin, fix_first
from app.gui.session.engine_client import EngineDied
from app.gui.session.run_state import WindowEvent
from modules.errors import UserError
from modules.language import tr
from modules.messages import CheckPreset, Failed, Finding, Finished, Fix, MemoryPlan, Severity
from modules.preset.paths import Values, get
from modules.preset.validate import setting_at
from modules.sentences.problem import as_it_is

if TYPE_CHECKING:
    from app.gui.context import AppContext

ORDER: tuple[Severity, ...] = ("error", "warning", "info")  # worst first
FRESH_S = 600.0  # older ones are looked at anew before a run: images come and go
KEPT = 12
AT = " @ "  # between the name of a finding and the project in which nobody wants to hear of it


@dataclass(frozen=True)
class Result:
    """What one look has found."""

    key: str  # of the settings that were looked at
    values: Values
    findings: tuple[Finding, ...]  # worst first
    at: float  # seconds of the clock
    failure: str = ""  # why the look could not be finished
    plan: MemoryPlan | None = None  # how the run would fit the card


class Checks:
    """The results of this window; `run` asks the engine for another."""

    def __init__(self, context: AppContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._context, self._clock = context, clock
        self._known: OrderedDict[str, Result] = OrderedDict()
        self._fresh: set[str] = set()  # nothing has been trained, cached or converted since
        self._seen: set[str] = set()
        self._hashed: tuple[object, str] = (None, "")
        self.resume: Path | None = None  # the folder of the run that is to go on: what is found is of that start
        self._asked: tuple[str, Values] | None = None
        self._found: list[Finding] = []
        self._plan: MemoryPlan | None = None
        self.latest: Result | None = None
        self.last_tried = ""  # key of the last look, however it ended
        self.file_fixes = FileFixes(context, self.files_changed)
        self._listeners: list[Callable[[], object]] = []
        context.running.listen(self._on_event)

    def listen(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` when a start means something else than before; what is returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _notify_listeners(self) -> None:
        for listener in list(self._listeners):
            listener()

    # Looking ----------------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """Of the settings as they are now, and of the run that is to go on with them."""
        state = self._context.draft.state
        if self._hashed[0] is not state:
            text = json.dumps(state.frozen, sort_keys=True)
            self._hashed = (state, hashlib.sha256(text.encode()).hexdigest())
        return f"{self._hashed[1]} {self.resume or ''}".rstrip()

    @property
    def checking(self) -> str:
        """The key of the look that is under way; "" if there is none."""
        return self._asked[0] if self._asked and self._context.running.busy else ""

    def run(self, *, start: bool = False) -> None:
        """Ask the engine to look at the settings of now; `start`: because a run waits for it.

        Raises:
            UserError: it is at work, a setting is wrong, or it cannot be started.
        """
        if self._context.running.busy:
            raise UserError("run.busy")
        if wrong := len(self._context.draft.errors()):
            raise UserError(as_it_is(fix_first(wrong)))
        values = self._context.draft.freeze()
        begin(self._context, "check", CheckPreset(values, start=start, resume=str(self.resume or "")))
        self._asked, self._found, self._plan, self.last_tried = (self.key, values), [], None, self.key

    def _on_event(self, event: WindowEvent) -> None:
        ends = isinstance(event, Finished | Failed | EngineDied)
        if self._asked is None or self._context.running.what != "check":
            if ends:
                self._fresh.clear()  # a run has taken a name, room on the disk, ...
            return
        if isinstance(event, Finding):
            self._found.append(event)
        elif isinstance(event, MemoryPlan):
            self._plan = event
        if ends:
            (key, values), self._asked = self._asked, None
            if not isinstance(event, EngineDied) and not (isinstance(event, Finished) and event.stopped):
                failure = failure_text(event) if isinstance(event, Failed) else ""
                found = tuple(sorted(self._found, key=lambda finding: ORDER.index(finding.severity)))
                self._store(Result(key, values, found, self._clock(), failure, self._plan))

    def _store(self, result: Result) -> None:
        self.latest = self._known[result.key] = result
        self._known.move_to_end(result.key)
        self._fresh.add(result.key)
        self._seen.discard(result.key)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

    # What is known ----------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> Result | None:
        """What there is to read: of the settings of now, else the newest."""
        return self._known.get(self.key) or self.latest

    @property
    def stale(self) -> bool:
        """Whether settings have changed since what is shown."""
        return self.shown is not None and self.shown.key != self.key

    def current(self) -> Result | None:
        """What holds for a run that starts now; None if that has to be looked at first."""
        found = self._known.get(self.key)
        if found is None or found.key not in self._fresh or self._clock() - found.at > FRESH_S:
            return None
        return found

    def files_changed(self) -> None:
        """Files were mended: a run has to look at them anew."""
        self._fresh.clear()
        self._notify_listeners()

    def age(self, result: Result) -> float:
        """Seconds since then."""
        return self._clock() - result.at

    def mark_seen(self, result: Result) -> None:
        """It was on the screen."""
        if result.key not in self._seen:
            self._seen.add(result.key)
            self._notify_listeners()

    def blocking_problem(self) -> str:
        """What keeps a run from starting, in a sentence; "" if nothing does, or if nobody knows."""
        found = self.current()
        stops = [finding for finding in self.listed(found) if finding.severity == "error"] if found else []
        more = tr(" And {count} more.", count=len(stops) - 1) if len(stops) > 1 else ""
        return f"{finding_title(stops[0])}{more}" if stops else ""

    @property
    def start_anyway(self) -> bool:
        """Whether a start now would be against what was said on the page."""
        found = self.current()
        return (
            found is not None and found.key in self._seen and self.has_warnings(found) and not self.blocking_problem()
        )

    def has_warnings(self, result: Result) -> bool:
        """Whether it has to be read before a run starts."""
        return bool(result.failure) or any(finding.severity != "info" for finding in self.listed(result))

    def counts(self, result: Result) -> Counter[str]:
        """How many of each severity are told."""
        return Counter(finding.severity for finding in self.listed(result))

    def is_fixed(self, finding: Finding, fix: Fix) -> bool:
        """Whether the settings are now as this mend wants them, and were not when it was found."""
        if fix.files:
            return self.file_fixes.is_done(fix)
        result = self.shown
        if result is None or finding not in result.findings:
            return False
        now, then = self._context.draft.values, result.values
        return all(get(now, path) == value for path, value in fix.changes.items()) and any(
            get(then, path) != value for path, value in fix.changes.items()
        )

    # What one wants to hear -------------------------------------------------------------------------------------------

    @property
    def check_before_start(self) -> bool:
        """Whether a run is looked at before it starts."""
        return self._context.window_state.get("check_first", bool)

    def set_check_before_start(self, on: bool) -> None:
        self._context.window_state.put("check_first", on)
        self._notify_listeners()

    def listed(self, result: Result) -> list[Finding]:
        """The findings that are told."""
        return [finding for finding in result.findings if not self._muted(finding)]

    def muted(self, result: Result) -> dict[str, str]:
        """The kinds that were found and are not told: a title by name."""
        return {finding.name: finding_title(finding) for finding in result.findings if self._muted(finding)}

    def mute(self, name: str, *, off: bool = True) -> None:
        """Do not tell this kind again in this project; or do so again."""
        entry = f"{name}{AT}{self._project}"
        others = [each for each in self._quiet() if each != entry]
        self._context.window_state.put("quiet_findings", [*others, entry] if off else others)
        self._notify_listeners()

    def _muted(self, finding: Finding) -> bool:
        """What keeps a run from starting is always told."""
        return finding.severity != "error" and f"{finding.name}{AT}{self._project}" in self._quiet()

    def _quiet(self) -> list[str]:
        return cast("list[str]", self._context.window_state.get("quiet_findings"))

    @property
    def _project(self) -> str:
        """What runs of these settings are called."""
        values = self._context.draft.values
        return str(get(values, "general.name") or values.get("title") or "")


def checks_for(context: AppContext) -> Checks:
    """The one of this desk."""
    if context.checks is None:
        context.checks = Checks(context)
    return context.checks


def changed(context: AppContext, fix: Fix) -> str:
    """Change the draft as a mend says, as one change. Returns why it cannot be changed so, or ""."""
    unknown = next((path for path in fix.changes if setting_at(path) is None), "")
    if unknown:
        return tr("There is no setting called {path} here.", path=unknown)
    try:
        wrong = context.draft.apply(fix.changes, WORDS.label(fix))
    except KeyError:  # an entry of a list that is gone
        return tr("That setting is not there any more.")
    return tr("That cannot be set: {wrong}", wrong=wrong) if wrong else ""
