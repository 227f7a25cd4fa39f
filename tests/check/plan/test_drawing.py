"""How tools that draw hold a model for which a card has no room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.check.memory.phases import Vae
from modules.check.plan import drawing, start
from modules.check.plan.drawing import DrawingBytes, hold_to_draw
from modules.check.plan.held import FORMS, HeldWeights
from modules.check.plan.plan import Place
from modules.families import Family, LoadOptions, family_class
from modules.messages import Event, Note, RunTool, SampleReady, Stage
from modules.placement.holding import Holding
from modules.preset.preset import Preset
from modules.preset.sections.sampling import Prompt
from modules.system.devices import CARD_CONTEXT
from tests.test_run import do
from tests.trainer.runs import values

MB = 2**20
BLOCK = {"off": 100 * MB, "fp8": 50 * MB, "int8": 50 * MB, "nf4": 25 * MB}
HELD = HeldWeights(0, dict.fromkeys(FORMS, 0), (BLOCK,) * 10, 0)
PROMPT = {"prompt": "blip robot", "steps": 1, "width": 64, "height": 64}


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A card of so many MB for drawing, for which the smallest model is large enough to be worth a count."""

    def of(megabytes: float) -> None:
        usable = round((CARD_CONTEXT + megabytes * MB) / 0.94) + 1
        monkeypatch.setattr(drawing, "place_of", lambda _: Place("some card", usable, usable, None))
        monkeypatch.setattr(drawing, "is_tiny", lambda _: False)
        monkeypatch.setattr(drawing, "PLENTY", 10**9)

    return of


def codes(events: list[Event]) -> list[str]:
    return [each.code for event in events if isinstance(event, Note) for each in event.problems]


@pytest.fixture
def family() -> Family:
    return family_class("sd").load("starter:model", LoadOptions())


@pytest.mark.parametrize(
    ("megabytes", "model", "how", "told"),
    [
        (1000 + 60, {}, ("off", "none"), []),
        (500 + 60, {}, ("int8", "none"), ["drawing.held"]),
        (400 + 60, {}, ("int8", "40 %"), ["drawing.held"]),  # six blocks, and two slots
        (50 + 60, {}, ("nf4", "all"), ["drawing.held"]),
        (10, {}, ("nf4", "all"), ["drawing.held", "drawing.too-large"]),
        (500 + 60, {"quantization": "off"}, ("off", "70 %"), ["drawing.held"]),
        (500 + 60, {"offload": "none", "quantization": "off"}, ("off", "none"), ["drawing.too-large"]),
    ],
)
def test_the_first_way_of_the_ladder_that_fits_is_taken(
    megabytes: int, model: dict[str, str], how: tuple[str, str], told: list[str], family: Family,
    card: Callable[..., None], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    counted, seen = DrawingBytes(HELD, Vae((20 * MB, 30 * MB), None), 30 * MB, 0), list[Preset]()
    monkeypatch.setattr(drawing, "_counted", lambda *_, **__: counted)
    monkeypatch.setattr(drawing, "load_options", lambda preset, _: seen.append(preset) or LoadOptions())
    card(megabytes)
    events = list[Event]()
    preset = Preset.model_validate({"model": {"source": "starter:model", **model}, "method": {"kind": "full"}})
    hold_to_draw(family, preset, [Prompt(prompt="x")], events.append)
    assert (seen[0].model.quantization, seen[0].model.offload) == how
    assert codes(events) == told


def test_what_is_written_over_stays_whole_and_is_said_to_be_too_large(
    family: Family, card: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = DrawingBytes(HELD, Vae((0, 0), None), 0, 0)
    monkeypatch.setattr(drawing, "_counted", lambda *_, **__: counted)
    card(600)
    events = list[Event]()
    hold_to_draw(family, Preset(), [], events.append, packs=False)
    assert family.options.holding == Holding() and codes(events) == ["drawing.too-large"]


def test_images_are_drawn_with_a_model_that_a_card_has_no_room_for(tmp_path: Path, card: Callable[..., None]) -> None:
    """Counted for real: what does not fit is said before anything is drawn."""
    settings = {"preset": values(tmp_path), "prompts": [PROMPT], "out": str(tmp_path / "pictures")}
    for megabytes, told in ((10_000, []), (0, ["drawing.held", "drawing.too-large"])):
        card(megabytes)
        events = do(RunTool("sample", settings))
        assert [code for code in codes(events) if code.startswith("drawing.")] == told
        kinds = [type(event) for event in events if isinstance(event, Note | SampleReady)]
        assert kinds[-1] is SampleReady, "images come after what is to be said of the model"
        assert any(isinstance(event, Stage) and event.code == "stage.making-images" for event in events)


def test_a_cache_is_filled_with_the_model_held_as_the_run_would_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = list[Any]()

    def decide(context: Any, earlier: None) -> start.Decided:
        held.append(len(context.index))
        return start.Decided({"model.quantization": "int8"})

    monkeypatch.setattr(start, "decide", decide)
    asked = values(tmp_path, "prior.made.count=1", "prior.made.steps=1", "prior.made.prompts=a robot")
    do(RunTool("cache", {"preset": asked}))
    assert len(held) == 1 and held[0] > 0
    do(RunTool("cache", {"preset": asked}))
    assert len(held) == 1, "what is there needs no model"
