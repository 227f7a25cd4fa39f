"""The memory plan on the page "Check": what it says, and what choosing in it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from app.gui.check.plan_words import card_rows, pace_of, parts_of, rung_rows
from app.gui.context import AppContext
from app.gui.form.model.plan_line import PlanLine, verdict
from modules.language import tr
from modules.messages import Answer, Bar, CardFit, Finished, MemoryPlan, Rung
from modules.preset.paths import get
from tests.gui.by_hand import page_of

Pump = Callable[..., None]
GB = 2**30


def rung(quantization: str, offloaded: int, peak: float, seconds: float, exactness: Any, limit: float = 11.2) -> Rung:
    settings = {
        "model.quantization": quantization,
        "model.offload": "25 %" if offloaded else "none",
        "training.gradient_checkpointing": "all",
    }
    parts: list[Bar] = [("Denoiser, frozen", (peak - 2) * GB), ("Activations", 1.99 * GB), ("VAE", 0.01 * GB)]
    return Rung(
        settings, int(peak * GB), parts, offloaded * GB // 5, 57, offloaded, 57, 1, seconds, exactness, peak <= limit
    )  # fmt: skip


PLAN = MemoryPlan(
    "RTX 3060", True, 12 * GB, int(11.2 * GB), "balanced", "bf16",
    [
        rung("off", 0, 25.9, 2.0, "exact"), rung("int8", 0, 14.2, 2.0, "near"), rung("int8", 14, 10.8, 2.4, "near"),
        rung("nf4", 0, 9.3, 2.1, "less"),
    ],
    2, [], [CardFit("RTX 4060", 8 * GB, int(7.4 * GB), "nf4", 12, 2.9, True),
            CardFit("RTX 3060", 12 * GB, int(10.8 * GB), "int8", 14, 2.4, True)],
)  # fmt: skip


@pytest.fixture
def page(context: AppContext, pump: Pump) -> Any:
    context.draft.put("model.source", "starter:model")
    context.draft.put("general.device", "auto")
    context.draft.add("concepts", {"path": "starter:robot"})
    made = page_of(context, "check")
    made.shown()
    pump()
    return made


def planned(page: Any, pump: Pump, plan: MemoryPlan = PLAN) -> None:
    page.look.press()
    for event in (plan, Finished()):
        page.context.running.take(event)
    page.refresh()
    pump()


def test_it_is_said_what_is_done_and_what_that_costs() -> None:
    words, costs = verdict(PLAN)
    assert words == "Fits: int8, 14 of 57 blocks in main memory, gradient checkpointing."
    assert costs == "10.8 of 12 GB, about 20 % slower than all on the card."
    whole = replace(PLAN, rungs=[rung("int8", 0, 10.0, 2.0, "near")], chosen=0)
    assert verdict(whole)[1] == "10.0 of 12 GB."


def test_how_much_is_missing_is_said_where_nothing_fits() -> None:
    words, costs = verdict(replace(PLAN, rungs=[rung("nf4", 57, 12.5, 9.0, "less")], chosen=0))
    assert words == "Does not fit: 1.3 GB short."
    assert costs.startswith("The smallest way: nf4, 57 of 57 blocks in main memory")


def test_rows_compare_the_ways_and_the_cards() -> None:
    rows = [*rung_rows(PLAN)]
    assert [row.role for row in rows] == ["error", "error", "changed", "good"]
    assert [row.middle for row in rows] == ["too large", "too large", "2.4 s/it", "2.1 s/it"]
    assert rows[2].label == "int8, 14 of 57 blocks in RAM"
    assert rows[0].share == 1.0
    assert rows[0].mark == pytest.approx(11.2 / 25.9)
    assert [row.right for row in card_rows(PLAN)] == [
        "nf4, 12 blocks in RAM, 2.9 s/it", "int8, 14 blocks in RAM, 2.4 s/it",
    ]  # fmt: skip
    assert [part.label for part in parts_of(PLAN.rungs[PLAN.chosen])] == ["Denoiser, frozen", "Activations", "Other"]
    assert (pace_of(0.5), pace_of(0.0)) == ("2.00 it/s", "")


def test_the_plan_stands_first_and_goes_with_its_result(page: Any, pump: Pump) -> None:
    assert not page.plan.winfo_ismapped()
    planned(page, pump)
    assert page.plan.winfo_ismapped()
    assert page.plan.verdict.cget("text") == verdict(PLAN)[0]
    assert page.plan.rungs.chosen == 2
    assert page.plan.others.chosen == "RTX 3060"
    assert not page.plan.badge.winfo_ismapped()


def test_a_way_that_is_chosen_is_set_and_can_be_given_back(page: Any, context: AppContext, pump: Pump) -> None:
    planned(page, pump)
    page.plan.rungs.event_generate("<ButtonRelease-1>", x=20, y=page.plan.rungs.winfo_height() - 4)
    pump()
    assert get(context.draft.values, "model.quantization") == "nf4"
    planned(page, pump, replace(PLAN, chosen=3, pinned=["model.quantization", "model.offload"]))
    assert page.plan.badge.winfo_ismapped()
    page.plan.reset.press()
    assert get(context.draft.values, "model.quantization") == "auto"
    assert get(context.draft.values, "model.offload") == "auto"


def test_what_is_preferred_is_a_setting(page: Any, context: AppContext, pump: Pump) -> None:
    planned(page, pump)
    page.plan.prefer.focus_force()
    pump()
    page.plan.prefer.event_generate("<Left>")
    pump()
    assert get(context.draft.values, "general.prefer") == "exact"


def test_another_card_is_asked_of_the_engine_and_the_run_is_not_meant(
    page: Any, context: AppContext, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(page, pump)
    asked: list[Any] = []
    monkeypatch.setattr(context.engine, "send", lambda command: asked.append(command) or True)
    page.plan.others.event_generate("<ButtonRelease-1>", x=20, y=5)
    pump()
    query = asked[-1]
    assert (query.what, query.values["card"]) == ("plan", "RTX 4060")
    small = replace(PLAN, card="RTX 4060", here=False, total=8 * GB, usable=7 * GB, cards=[])
    context.engine.inbox.put(Answer(query.id, "plan", asdict(small)))
    context.inbox.tick()
    pump()
    assert tr("The run itself uses this computer.") in page.plan.costs.cget("text")
    assert page.plan.picker.get() == "RTX 4060"


def test_the_page_model_says_whether_it_fits_and_when_that_was(page: Any, context: AppContext, pump: Pump) -> None:
    planned(page, pump)
    line = PlanLine(page, context)
    line.pack()
    pump()
    assert line.label.cget("text").startswith("Fits: int8, 14 of 57 blocks")
    context.draft.put("training.batch_size", 3)
    pump()
    assert line.label.cget("text").startswith("Before the last changes: Fits")
    went: list[str] = []
    context.go = went.append
    line.link.press()
    assert went == ["check"]
