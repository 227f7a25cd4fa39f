"""The page "Check": what is known of a run before it starts, and a button for each thing that would help."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from app.gui.check.finding_card import LOOKS, FindingCard
from app.gui.check.findings import Result, checks_for
from app.gui.check.plan_cards import PlanCards
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS, counted
from app.gui.kit import (
    Button,
    EmptyState,
    Frame,
    Label,
    LinkButton,
    Masonry,
    Progress,
    RoundFrame,
    ScrollArea,
    Switch,
    px,
    tip,
)
from app.gui.page import Page, header_of
from app.gui.run_control import busy_reason, fix_first
from app.gui.session.number_format import stage_text
from modules.errors import UserError
from modules.language import plural, tr
from modules.messages import Finding
from modules.text import ago

TICK_MS, SLICE_S = 200, 0.006
NOTES = 3  # that are shown without asking for more
REST_S = 1.5  # after the last change it looks again by itself
EDGE, BAR = 20, 10  # BAR: what the scroll bar takes of the edge
TWO_FROM = 980
NOTHING = (
    "Not checked yet. The check reads images, captions and settings, and says what would go wrong, without training."
)
CLEAN = "No problems found."


class CheckPage(Page):
    """Shows the result for the settings of now, else the last one; looks again by itself while it is in front."""

    def __init__(self, master: object, context: AppContext) -> None:
        super().__init__(master, context)
        self.checks = checks_for(context)
        self.cards: list[FindingCard] = []
        self._shown: tuple[Result | None, tuple[str, ...]] | None = None
        self._making: Iterator[None] = iter(())
        self._pending = ""
        self._changed_at = -math.inf
        self._built = self._all_notes = False
        self.until_destroyed(context.app.every(TICK_MS, self._tick), context.draft.watch("", lambda _: self._edited()))

    def build(self) -> Iterator[None]:
        head, _ = header_of(self)
        self.start = Button(head, tr("Start training"), self.context.start, kind="primary", image="play")
        self.start.pack(side="right")
        self.look = Button(head, tr("Check now"), self._look, image="rotate-ccw")
        self.look.pack(side="right", padx=(0, px(8)))
        yield
        self._stand()
        yield
        self.area = ScrollArea(self)
        self.plan = PlanCards(self.area.body, self.context)
        self.list = Masonry(self.area.body, two_from=TWO_FROM)
        self.list.pack(fill="x", padx=(px(EDGE), px(EDGE - BAR)), pady=(px(2), px(10)))
        self.more = LinkButton(self.area.body, "", self._unfold)
        self.quiet = Frame(self.area.body)
        self.empty = EmptyState(self, "shield", tr(NOTHING), tr("Check now"), self._look, button_image="check")
        self._built = True
        self.refresh()

    def shown(self) -> None:
        if self._built:
            self.refresh()

    # Parts ------------------------------------------------------------------------------------------------------------

    def _stand(self) -> None:
        box = RoundFrame(self)
        box.pack(fill="x", padx=px(EDGE), pady=(0, px(12)))
        line = Frame(box)
        line.pack(fill="x", padx=px(14), pady=px(10))
        right = Frame(line)
        right.pack(side="right", padx=(px(14), 0))
        self.first = Switch(right, self.checks.check_before_start, self.checks.set_check_before_start)
        self.first.pack(side="right")
        words = Label(right, tr("Check before every start"), role="text2")
        words.pack(side="right", padx=(0, px(8)))
        for widget in (words, self.first):
            tip(widget, tr("Off: training starts at once, without a check."))
        self.marked = Frame(line)
        self.marked.pack(side="left", anchor="n", padx=(0, px(10)), pady=px(1))
        text_column = Frame(line)
        text_column.pack(side="left", fill="x", expand=True)
        self.status_label = Label(text_column, "", font="section", wrap=True)
        self.status_label.pack(fill="x")
        self.below = Label(text_column, "", font="small", role="text2", wrap=True)
        self.below.pack(fill="x", pady=(px(2), 0))
        self.bar = Progress(text_column, None)
        self._mark = ("", "")

    # What is so now ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Everything that depends on the settings, the engine and the result."""
        result = self.checks.shown
        self.first.set(self.checks.check_before_start)
        self._refresh_buttons()
        self._refresh_stand(result)
        quiet = tuple(sorted(self.checks.muted(result))) if result else ()
        if self._shown is None or result is not self._shown[0] or quiet != self._shown[1]:
            self._shown = (result, quiet)
            self._show(result)
        for card in self.cards:
            card.refresh()

    def _refresh_buttons(self) -> None:
        running = self.context.running
        if self.checks.checking:
            self.look.set(tr("Cancel"), image="x", hint=tr("Keeps the findings of before"))
            self.look.disable(tr("Stopping as soon as possible.") if running.state == "stopping" else "")
        else:
            known = self.checks.shown is not None
            self.look.set(
                tr("Check again") if known else tr("Check now"), image="rotate-ccw", hint=tr("Without training")
            )
            self.look.disable(self._busy())
        if self.empty.button is not None:
            self.empty.button.disable(tr("The check is running.") if self.checks.checking else self._busy())
        self.start.set(tr("Start training anyway") if self.checks.start_anyway else tr("Start training"))
        self.start.disable(self.context.start_blocked_reason())

    def _busy(self) -> str:
        if self.context.running.busy:
            return busy_reason(self.context.running.what)
        wrong = len(self.context.draft.errors())
        return fix_first(wrong) if wrong else ""

    def _refresh_stand(self, result: Result | None) -> None:
        if result is None:
            words, image, role = tr("Not checked yet"), "info", "text2"
        elif result.failure:
            words, image, role = tr("The check could not be finished"), "circle-alert", "error"
        else:
            counts = self.checks.counts(result)
            worst = next((severity for severity in ("error", "warning") if counts[severity]), "")
            words = counted(counts)
            image, role = LOOKS[worst][:2] if worst else ("check", "good")
        self.status_label.set(words)
        self._show_mark(image, role)
        self.below.set(*self._under(result))
        self._show_bar()

    def _under(self, result: Result | None) -> tuple[str, str]:
        """The line under it, and its colour."""
        stage = self.context.running.stage
        if self.checks.checking:
            return (
                tr("Checking: {what}", what=stage_text(stage)) if stage and stage.total else tr("Checking …")
            ), "text2"
        if result is None:
            return tr("Takes a few seconds. Nothing is trained."), "text2"
        if result.failure:
            return result.failure, "error"
        if self.checks.stale:
            return tr("Settings have changed since: check again."), "changed"
        if self.checks.current() is None:
            return tr(
                "Checked {ago}. What is on the disk may have changed since.", ago=ago(self.checks.age(result))
            ), "text2"
        return tr("Checked {ago}, with the settings as they are.", ago=ago(self.checks.age(result))), "text2"

    def _show_mark(self, image: str, role: str) -> None:
        if self._mark != (image, role):
            self._mark = (image, role)
            self.marked.clear()
            Label(self.marked, image=image, role=role, size=20).pack()

    def _show_bar(self) -> None:
        if not self.checks.checking:
            self.bar.pack_forget()
            return
        stage = self.context.running.stage
        self.bar.set(stage.done / stage.total if stage and stage.total else None)
        if not self.bar.winfo_manager():
            self.bar.pack(fill="x", pady=(px(6), 0))

    # Cards ------------------------------------------------------------------------------------------------------------

    def _show(self, result: Result | None) -> None:
        """Other findings: cards of those that were there before are kept."""
        found = self._unfolded(self.checks.listed(result) if result else [])
        reused: dict[int, FindingCard] = {}
        for card in self.cards:
            number = next((n for n, finding in enumerate(found) if finding == card.finding and n not in reused), -1)
            if card.whole and number >= 0:
                reused[number] = card
            else:
                card.destroy()
        self.cards = [*reused.values()]
        self._lay_out(result)
        self._making = self._made(found, reused)
        self._slice()

    def _unfolded(self, found: list[Finding]) -> list[Finding]:
        """Those that have a card: notes beyond a few stand behind a link that counts them."""
        notes = [finding for finding in found if finding.severity == "info"]
        folded = [] if self._all_notes else notes[NOTES:]
        self.more.set(plural(len(folded), "1 more note", "{count} more notes"))
        if folded:
            self.more.pack(anchor="w", padx=px(EDGE), pady=(0, px(12)), after=self.list)
        else:
            self.more.pack_forget()
        return found[: len(found) - len(folded)]

    def _unfold(self) -> None:
        self._all_notes, self._shown = True, None
        self.refresh()

    def _made(self, found: list[Finding], reused: dict[int, FindingCard]) -> Iterator[None]:
        """Each new card comes to its place when it is whole; those that are still to come leave no gap."""
        for number, finding in enumerate(found):
            if number not in reused:
                card = reused[number] = FindingCard(self.list, self.context, finding, self._mute)
                self.cards.append(card)
                yield
                yield from card.build()
                self.list.order([reused[place] for place in sorted(reused)])
                yield
        self.list.order([reused[place] for place in sorted(reused)])

    def _lay_out(self, result: Result | None) -> None:
        """Cards, or what is said where there are none."""
        self._show_quiet(self.checks.muted(result) if result else {})
        self._show_plan(result)
        if result and (result.plan or self.checks.listed(result) or result.failure or self.checks.muted(result)):
            self.empty.pack_forget()
            self.area.pack(fill="both", expand=True)
            return
        self.area.pack_forget()
        self.empty.sentence.set(tr(CLEAN) if result else tr(NOTHING))
        self.empty.pack(fill="both", expand=True)

    def _show_plan(self, result: Result | None) -> None:
        self.plan.show(result)
        if result and result.plan:
            self.plan.pack(fill="x", padx=(px(EDGE), px(EDGE - BAR)), pady=(px(2), px(12)), before=self.list)
        else:
            self.plan.pack_forget()

    def _show_quiet(self, muted: dict[str, str]) -> None:
        """What is not told any more in this project, and how to hear of it again."""
        self.quiet.clear()
        if not muted:
            self.quiet.pack_forget()
            return
        Label(self.quiet, tr("Hidden in this project"), font="bold", role="text2").pack(fill="x", pady=(px(4), px(4)))
        for name, title in muted.items():
            line = Frame(self.quiet)
            line.pack(fill="x", pady=px(2))
            LinkButton(line, tr("Show again"), lambda name=name: self._mute(name, off=False)).pack(side="right")
            Label(line, title, font="small", role="text3", wrap=True).pack(side="left", fill="x", expand=True)
        self.quiet.pack(fill="x", padx=(px(EDGE), px(EDGE - BAR)), pady=(0, px(20)))

    def _slice(self) -> None:
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""
        end = time.perf_counter() + SLICE_S
        while time.perf_counter() < end:
            if next(self._making, self) is self:
                self._whole()
                return
        self._pending = self.after(1, self._slice)

    def _whole(self) -> None:
        """All cards are there."""
        result = self._shown[0] if self._shown else None
        if result is not None and self.winfo_viewable():
            self.checks.mark_seen(result)
            self._refresh_buttons()

    # What is done -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self.checks.checking:
            self.context.stop()
            return
        try:
            self.checks.run()
        except UserError as error:
            self.context.notify(error.text(WORDS), role="changed")
        self.refresh()

    def _mute(self, name: str, *, off: bool = True) -> None:
        self.checks.mute(name, off=off)
        self.refresh()

    def _edited(self) -> None:
        self._changed_at = time.monotonic()

    def _tick(self) -> None:
        if not self._built or not self.winfo_viewable():
            return
        self.refresh()
        if self._shown and self._shown[0] and not self._pending:
            self.checks.mark_seen(self._shown[0])
        rested = time.monotonic() - self._changed_at > REST_S
        if rested and self.checks.stale and self.checks.last_tried != self.checks.key and not self._busy():
            self._look()
