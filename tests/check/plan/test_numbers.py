"""What the plan does with counts: it believes a count before its arithmetic, and counts nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from app.gui.form.model.plan_line import verdict
from modules.catalog.gpus import GPUS
from modules.check.context import CheckContext
from modules.check.memory import phases
from modules.check.memory.findings import MemoryEstimator, with_changes
from modules.check.memory.memory_tracker import for_a_card
from modules.check.memory.phases import SizeCache, Work
from modules.check.memory.step_memory import StepBytes
from modules.check.plan import findings, numbers
from modules.check.plan.held import FORMS, HeldWeights
from modules.check.plan.numbers import Numbers
from modules.check.plan.pace import Load, seconds
from modules.check.plan.plan import Place, Planner
from modules.messages import Mailbox, MemoryPlan, Query
from modules.plan_text import missing, plan_lines, plan_problem
from modules.preset.preset import Preset
from modules.preset.validate import preset_of
from modules.sentences.render import PLAIN
from modules.system.devices import CARD_CONTEXT
from modules.text import in_bytes
from modules.trainer.control import Control

MB = 2**20
GOING = 50 * MB  # what comes and goes in a step with every block checkpointed
STEP = StepBytes({"denoiser": 0}, 10 * MB, 0, 10 * MB, 20 * MB, 0, 10 * MB + GOING, 10 * MB, 20 * MB, flops=10**15)
BLOCK = {"off": 100 * MB, "fp8": 50 * MB, "int8": 50 * MB, "nf4": 25 * MB}
HELD = HeldWeights(0, dict.fromkeys(FORMS, 0), (BLOCK,) * 10, 0)
TEXT = 600 * MB
ONE = {"training": {"batch_size": 1}}


class Counts:
    """What the step of a model with ten blocks takes; `surprise`: how much more it is in int8 than one would think."""

    def __init__(self, surprise: int = 0) -> None:
        self.family: Any = SimpleNamespace(text_encoders=("text_encoder_1",), downscale=8, channels=4)
        self.surprise, self.asked = surprise, list[Preset]()

    def work(self, preset: Preset) -> Work:
        parts, streamed = {"vae": 0, "text_encoder_1": TEXT}, {"text_encoder_1": TEXT // 20}
        return Work(parts, streamed, self.step(preset), None, 0, None, 0, 0)

    def step(self, preset: Preset, part: str = "all") -> StepBytes:
        self.asked.append(preset)
        more = self.surprise if preset.model.quantization == "int8" else 0
        more += 0 if preset.training.checkpointed else 200 * MB
        return replace(STEP, passes=STEP.passes + more)

    def held(self, _: Preset) -> set[str]:
        return {"denoiser"}

    fixes = MemoryEstimator.fixes


class FullCounts(Counts):
    """A full fine-tune: its gradients weigh 900 MB, what AdamW knows of it 1,800 MB, a quarter of that in 8 bits."""

    def work(self, preset: Preset) -> Work:
        found = super().work(preset)
        return replace(found, parts={**found.parts, "denoiser": 900 * MB})

    def step(self, preset: Preset, part: str = "all") -> StepBytes:
        aside = preset.training.gradients == "main_memory"
        state = {"adamw": 1800 * MB, "adamw8bit": 450 * MB}.get(preset.optimizer.kind, 0)
        gradients = 0 if aside else 900 * MB
        passes = gradients + GOING
        return replace(
            STEP, trained=900 * MB, gradients=gradients, state=state, passes=passes, passes_gradients=gradients,
            update=gradients, gradients_aside=900 * MB if aside else 0,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def _of_a_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(numbers, "held_weights", lambda *_: HELD)
    with for_a_card():
        yield


def planner(counts: Counts, **general: str) -> Planner:
    model = {"family": "sd", "dtype": "bf16"}
    preset = preset_of({"version": 6, "model": model, "general": general, "method": {"kind": "lora"}, **ONE})
    made: Any = counts
    return Planner(Numbers(made, preset), preset)


def place(megabytes: float) -> Place:
    usable = round((CARD_CONTEXT + megabytes * MB) / 0.94) + 1
    return Place("", usable, usable, GPUS["RTX 3060"])


ALL_INT8 = 10 * 50 + 30 + 50 + 10  # MB: blocks, what is trained with its state, what comes and goes, gradients


def test_a_count_that_says_more_takes_the_next_rung() -> None:
    expected, surprised = (planner(Counts(more)).plan(place(ALL_INT8 + 20)) for more in (0, 100 * MB))
    assert expected.rungs[expected.chosen].settings["model.quantization"] == "int8"
    assert expected.rungs[expected.chosen].offloaded == 0
    chosen = surprised.rungs[surprised.chosen]
    assert chosen.offloaded and chosen.fits and surprised.chosen > expected.chosen
    assert surprised.rungs[expected.chosen].peak == expected.rungs[expected.chosen].peak + 100 * MB


@pytest.mark.parametrize(
    ("general", "compiler", "compiled", "pinned"),
    [
        ({"prefer": "fast"}, "", "on", []),
        ({"prefer": "fast"}, "no triton", "off", []),
        ({"prefer": "balanced"}, "", "off", []),
        ({"prefer": "fast", "compile": "off"}, "", "off", ["general.compile"]),
        ({"prefer": "exact", "compile": "on"}, "no triton", "on", ["general.compile"]),
    ],
)
def test_blocks_are_compiled_where_speed_is_preferred_and_a_compiler_works(
    general: dict[str, str], compiler: str, compiled: str, pinned: list[str]
) -> None:
    where = replace(place(3000), no_compiler=compiler)
    plan = planner(Counts(), **general).plan(where)
    rung = plan.rungs[plan.chosen]
    assert rung.settings["general.compile"] == compiled and plan.pinned == pinned
    assert ("compiled blocks" in PLAIN.what(plan_problem(plan))) == (compiled == "on")
    assert all(("compiled blocks" in line) == (compiled == "on") for line in list(plan_lines(plan))[:2])
    on_cpu = planner(Counts(), **general).plan(replace(where, on_card=False))
    assert on_cpu.rungs[0].settings["general.compile"] == ("on" if general.get("compile") == "on" else "off")


def test_blocks_that_all_come_from_main_memory_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TEXT", 0)
    plan = planner(Counts(), prefer="fast").plan(place(150))
    for rung in plan.rungs:
        assert (rung.settings["general.compile"] == "on") == (rung.offloaded < rung.blocks)
    assert {rung.settings["general.compile"] for rung in plan.rungs} == {"on", "off"}


def test_a_compiler_is_asked_where_it_is_wanted_and_what_it_lacks_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, told = list[str](), list[Any]()
    monkeypatch.setattr(findings, "device_named", lambda _: torch.device("cuda"))
    monkeypatch.setattr(findings, "_no_compiler", lambda device: asked.append(device.type) or "no triton")
    for prefer, compiles in (("balanced", "auto"), ("fast", "on"), ("fast", "off"), ("fast", "auto")):
        preset = Preset.model_validate({"general": {"prefer": prefer, "compile": compiles}})
        findings.tell_no_compiler(cast("Any", SimpleNamespace(tell=told.append)), findings.place_of(preset, "RTX 3060"))
    assert asked == ["cuda"] and len(told) == 1
    assert [(each.code, each.values["why"]) for each in told[0].problems] == [("compile.does-not-work", "no triton")]


@pytest.mark.parametrize(
    ("megabytes", "gradients", "changes"),
    [
        (2800, "card", {"training.gradients": "main_memory"}),  # though the card is none of this computer's
        (1600, "auto", {"optimizer.kind": "adamw8bit"}),
        (1200, "auto", {"optimizer.kind": "adafactor", "optimizer.kernels_as_matrices": True}),
        (1600, "card", {"training.gradients": "main_memory", "optimizer.kind": "adamw8bit"}),
        (500, "auto", None),
    ],
)
def test_what_does_not_fit_names_the_smallest_change_with_which_it_does(
    megabytes: int, gradients: str, changes: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "TEXT", 0)
    training = {**ONE["training"], "weights": "bf16", "gradients": gradients, "resolution": 256}
    model, method = {"family": "sd", "dtype": "bf16", "vae_tiling": "on"}, {"kind": "full"}
    preset = preset_of({"version": 6, "model": model, "method": method, "training": training})
    counts, card, told = cast("Any", FullCounts()), place(megabytes), list[Any]()
    made = Planner(Numbers(counts, preset), preset)
    monkeypatch.setattr(findings, "planner_for", lambda *_: (counts, made))
    monkeypatch.setattr(findings, "place_of", lambda *_: card)
    images: Any = [None]
    (found,) = findings.findings(CheckContext(preset, counts.family, images, told.append, Control(Mailbox())))
    plan = next(each for each in told if isinstance(each, MemoryPlan))
    assert not plan.rungs[plan.chosen].fits
    assert [each.changes for each in plan.enough] == ([changes] if changes else [])
    said = PLAIN.what(plan_problem(plan))
    assert ("it fits" in said or "It fits" in said) == bool(changes)
    if changes:
        (enough,) = plan.enough
        assert enough == found.fixes[0] and verdict(plan)[1].endswith(f"{in_bytes(enough.values['after'])}.")
        changed = with_changes(preset, changes)
        assert changed is not None
        after = Planner(Numbers(counts, changed), changed).plan(card, count=False)
        assert after.rungs[after.chosen].fits


def test_what_is_missing_is_what_lies_between_a_run_and_its_room() -> None:
    made = planner(Counts())
    least = made.least(place(10))
    where = Place("", least, least, None)  # all of it usable, and some of that for what lies between tensors
    plan = made.plan(where)
    assert not plan.rungs[plan.chosen].fits and missing(plan) == plan.rungs[plan.chosen].peak - where.room > MB


@pytest.mark.parametrize("room", [3000, 1400, ALL_INT8 + 20])
def test_no_step_is_counted_twice(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TEXT", 0)
    counts = Counts()
    planner(counts).plan(place(room))
    counted = [(each.model.quantization, each.training.gradient_checkpointing) for each in counts.asked]
    assert len(counted) == len({*counted}) and {*counted} <= {("off", "all"), ("off", "none"), ("int8", "all")}


def test_ways_that_save_nothing_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [r.settings["model.quantization"] for r in planner(Counts()).plan(place(3000)).rungs]
    assert shown == ["off", "int8", "off"]  # below that, captions are what takes most, and lie there whole
    small = {form: MB for form in FORMS}
    monkeypatch.setattr(numbers, "held_weights", lambda *_: HeldWeights(0, dict.fromkeys(FORMS, 0), (small,) * 10, 0))
    plan = planner(Counts()).plan(place(3000))
    assert [rung.settings["model.quantization"] for rung in plan.rungs] == ["off"] and not plan.chosen


@pytest.mark.parametrize(("whole", "int8"), [(100, 98), (1000, 991)], ids=["32 MB", "a hundredth"])
def test_a_way_that_saves_little_is_shown_only_where_that_makes_it_fit(
    whole: int, int8: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "TEXT", 0)
    block = {"off": whole * MB, "fp8": int8 * MB, "int8": int8 * MB, "nf4": int8 * MB}
    held = HeldWeights(0, dict.fromkeys(FORMS, 0), (block,) * 10, 0)
    monkeypatch.setattr(numbers, "held_weights", lambda *_: held)
    beside = ALL_INT8 - 10 * 50
    for megabytes, shown in ((2 * 10 * whole, False), (10 * (whole + int8) / 2 + beside, True), (beside, False)):
        plan = planner(Counts()).plan(place(megabytes))
        ways = [rung.settings["model.quantization"] for rung in plan.rungs if not rung.offloaded]
        assert ways == ["off", *["int8"] * shown]
        if shown:
            chosen = plan.rungs[plan.chosen]
            assert chosen.fits and chosen.settings["model.quantization"] == "int8" and not chosen.offloaded


def test_a_way_that_costs_no_time_is_shown_beside_one_that_saves_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TEXT", 0)  # so that steps are what takes most
    rungs = planner(Counts()).plan(place(3000)).rungs
    shown = [(str(rung.settings["model.quantization"]), bool(rung.offloaded)) for rung in rungs]
    ladder = [("off", False), ("int8", False), ("int8", True), ("nf4", False), ("nf4", True)]
    assert shown == [*ladder, ("off", True)]


def test_the_chosen_rung_is_within_what_a_run_may_take() -> None:
    for megabytes in range(500, 1600, 100):
        where = place(megabytes)
        plan = planner(Counts()).plan(where)
        assert plan.rungs[plan.chosen].peak <= where.room < plan.usable


def test_a_text_encoder_that_a_card_has_no_room_for_is_read_block_by_block() -> None:
    for megabytes, whole in ((400, False), (1600, True)):
        where, made = place(megabytes), planner(Counts())
        found = made.estimate(made.plan(where), where)
        assert next(p for p in found.phases if p.code == "phase.captions").parts["bar.text-encoders"] == (
            TEXT if whole else TEXT // 20
        )


def test_a_question_about_another_card_or_preference_is_answered_without_a_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = Counts()
    made = planner(counts)
    monkeypatch.setattr(findings, "_last", [(None, place(0), made)])
    made.plan(place(ALL_INT8 + 20), usual=True)
    asked = len(counts.asked)
    other = findings.answer(Query(7, "plan", {"card": "RTX 3060"})).values
    exact = findings.answer(Query(8, "plan", {"card": "RTX 3060", "prefer": "exact"})).values
    assert (other["card"], other["prefer"], exact["prefer"]) == ("RTX 3060", "balanced", "exact")
    assert {rung["exactness"] for rung in exact["rungs"][:2]} == {"exact"}
    assert other == asdict(made.plan(Place.of(GPUS["RTX 3060"]), count=False))
    assert len(counts.asked) == asked
    monkeypatch.setattr(findings, "_last", [])
    assert not findings.answer(Query(9, "plan", {})).values


# Counts that are kept -------------------------------------------------------------------------------------------------


def sizes(folder: Path, width: int = 8) -> SizeCache:
    family: Any = SimpleNamespace(
        name="sd", inpaints=False, component_names=["denoiser"],
        weights=lambda _: SimpleNamespace(shapes={"a.weight": (width, 4)}),
    )  # fmt: skip
    return SizeCache(family, folder)


def test_a_count_is_kept_for_the_next_program_and_for_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = list[str]()

    def kept(what: str, width: int = 8, **training: Any) -> StepBytes:
        monkeypatch.setattr(phases, "_CACHED", {})  # as a program that has just begun
        preset = preset_of({"version": 6, "model": {"family": "sd"}, "training": training})
        return sizes(tmp_path, width).get("step", preset, ("training",), lambda: counted.append(what) or STEP)

    assert kept("first") == kept("again") == kept("longer", steps=77) == STEP
    assert counted == ["first"]
    kept("other model", width=16)
    kept("other settings", batch_size=3)
    assert counted == ["first", "other model", "other settings"]


# Pace -----------------------------------------------------------------------------------------------------------------


GPU = GPUS["RTX 3060"]
HEAVY = replace(STEP, flops=10**14, launches=30_000)


def pace(**more: Any) -> float:
    return seconds(GPU, HEAVY, 1, Load(**{"checkpointed": 0.0, "packed": 10**9, "numbers": 10**9, **more}))


@pytest.mark.parametrize(
    ("what", "amounts"),
    [
        ("checkpointed", (0.0, 0.5, 1.0)),
        ("offloaded", (0, 10**9, 10**10, 10**11)),
        ("batch_parts", (1, 2, 8)),
        ("gradients", (0, 10**9, 10**11)),
    ],
)
def test_what_saves_memory_never_makes_a_step_faster(what: str, amounts: tuple[float, ...]) -> None:
    found = [pace(**{what: amount}) for amount in amounts]
    assert found == sorted(found) and found[0] < found[-1]


def test_a_step_that_computes_takes_as_long_as_it_computes() -> None:
    step = replace(STEP, flops=10**16, trained=0, gradients=0, state=0)
    whole, half = (seconds(replace(GPU, flops=GPU.flops / by), step, 1, Load()) for by in (1, 2))
    assert half == pytest.approx(2 * whole)
    assert whole == pytest.approx(4 / 3 * seconds(GPU, step, 1, Load(checkpointed=0.0)))
