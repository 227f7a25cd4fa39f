"""What was learnt and forgotten, as a person sees it: chart, balance, worst prompt, alarm, and why there is none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.gui.context import AppContext
from app.gui.run.retention_card import band_of, before_and_now, paths_of, samples_at
from app.gui.run.run_source import LiveRun, SampleImage
from app.gui.session.event_log import RunSeries
from app.gui.session.run_state import RunState
from modules.messages import ModelSaved, Note, Retention, SampleReady
from modules.sentences.problem import Fix, Problem
from tests.gui.person import Person, drawn_words
from tests.gui.run.a_run import draw, events_of

Pump = Callable[..., None]
PROMPTS = ["owl", "purple cat face", "rocket"]


def measured(
    step: int, forgotten: float, learnt: float, *, best: int = 0, alarm: bool = False, points: str = "32"
) -> Retention:
    drift = [(prompt, forgotten * factor) for prompt, factor in zip(PROMPTS, (0.5, 1.5, 1.0), strict=True)]
    balance = learnt - forgotten
    return Retention(step, forgotten, drift, learnt, None, balance, 0.9, best, alarm, points)


RUN = [
    measured(0, 0.0, 0.0),
    measured(10, 0.1, 0.2, best=10),
    measured(20, 0.3, 0.8, best=20),
    measured(40, 0.7, 0.9, best=20),
]


def running_with(*events: Any) -> RunState:
    state = RunState()
    state.begin("train")
    for event in events:
        state.take(event)
    return state


def source_of(*events: Any) -> LiveRun:
    state = running_with()
    source = LiveRun(state)
    for event in events:
        state.take(event)
    source.update()
    return source


@pytest.fixture
def card(root: Any, pump: Pump) -> Any:
    from app.gui.run.retention_card import RetentionCard

    made = RetentionCard(root)
    made.place(x=0, y=0, width=480, height=300)
    pump(made.winfo_viewable)
    return made


def test_each_measurement_is_a_dot_with_a_ring_on_the_best_and_a_star_on_what_was_saved() -> None:
    (path,) = paths_of([source_of(*RUN, ModelSaved("m.safetensors", 40))])
    assert [(dot.x, round(dot.y, 3)) for dot in path.dots] == [(0.0, 0.0), (0.1, 0.2), (0.3, 0.8), (0.7, 0.9)]
    assert [dot.ring for dot in path.dots] == [False, False, True, False]
    assert [dot.star for dot in path.dots] == [False, False, False, True]
    assert path.dots[-1].label == "40 (now)" and "forgotten 0.70" in path.dots[-1].words


def test_a_run_measured_at_other_points_is_grey_beside_another_and_one_at_the_same_is_not() -> None:
    other, same = source_of(measured(10, 0.2, 0.1, points="16 of noise")), source_of(measured(10, 0.2, 0.1))
    assert [path.grey for path in paths_of([source_of(*RUN), other, same])] == [False, True, False]


@pytest.mark.parametrize(("forgotten", "role"), [(0.39, "good"), (0.4, "changed"), (1.39, "changed"), (1.4, "error")])
def test_bands_end_where_the_study_proposes(forgotten: float, role: str) -> None:
    assert band_of(forgotten) == role


def test_balance_worst_prompt_and_the_list_are_read(card: Any, person: Person) -> None:
    card.follow([source_of(*RUN)])
    person.pump(lambda: person.sees("balance +0.20"))
    assert person.sees("Worst: \u201cpurple cat face\u201d") and person.sees("1.05")
    for words in ("kept", "partly overwritten", "overwritten", "balance 0", "20", "40 (now)"):
        assert person.sees(words), words
    person.click("Per prompt")
    person.pump(lambda: person.sees("Prompts that the base knows"))
    bars = [seen.text for seen in drawn_words(card.bars)]
    assert [text for text in bars if text in PROMPTS] == ["purple cat face", "rocket", "owl"], "the worst first"
    person.click("Chart")
    person.pump(lambda: person.sees("40 (now)"))


def test_the_pointer_reads_both_numbers_and_a_click_is_told(root: Any, person: Person, pump: Pump) -> None:
    from app.gui.run.retention_card import RetentionCard

    picked: list[int] = []
    card = RetentionCard(root, lambda event, under: picked.append(event.step))
    card.place(x=0, y=0, width=480, height=300)
    card.follow([source_of(*RUN)])
    person.pump(lambda: person.sees("40 (now)"))
    x, y = card.chart.place_of(card.chart.paths[0].dots[2])
    card.chart.event_generate("<Motion>", x=x + 2, y=y)
    person.pump(lambda: person.sees("learnt 0.80"))
    card.chart.event_generate("<ButtonPress-1>", x=x, y=y)
    card.chart.event_generate("<ButtonRelease-1>", x=x, y=y)
    assert picked == [20]


def test_samples_of_the_step_and_pictures_of_the_prompts_are_seen(
    root: Any, person: Person, pump: Pump, tmp_path: Path
) -> None:
    from app.gui.kit import Pictures
    from app.gui.run.retention_card import RetentionCard

    prompts = ["a blip", "owl"]
    shots = [
        SampleReady(str(tmp_path / f"{step}-{number}.png"), prompt, step, number)
        for step in (0, 20)
        for number, prompt in enumerate(prompts, 1)
    ]
    draw([*shots])
    pictures = Pictures(root, None)
    card = RetentionCard(root, thumb=pictures.thumb)
    card.place(x=0, y=0, width=700, height=300)
    card.follow([source_of(*RUN, *shots)])
    person.pump(lambda: person.sees("base, now") and len(card.bars.find_all()) > 0)
    person.pump(lambda: len([item for item in card.bars.find_all() if card.bars.type(item) == "image"]) == 2)
    x, y = card.chart.place_of(card.chart.paths[0].dots[3])
    card.chart.event_generate("<Motion>", x=x, y=y)
    person.pump(lambda: person.sees("samples of step 20"))
    seen = lambda: [item for item in card.chart.find_withtag("pointer") if card.chart.type(item) == "image"]  # noqa: E731
    person.pump(lambda: len(seen()) == 2)
    left, top, right, bottom = card.chart.bbox("pointer")
    assert left >= 0 and top >= 0 and right <= card.chart.winfo_width() and bottom <= card.chart.winfo_height()
    pictures.close()


def test_a_measurement_has_the_newest_samples_before_it() -> None:
    shots = [SampleImage(Path(f"{step}-{number}"), step, number, "p") for step in (50, 0) for number in (2, 1, 0)]
    assert [[shot.path.name for shot in some] for some in samples_at(shots, [0, 40, 50])] == [
        ["0-1", "0-2"], ["0-1", "0-2"], ["50-1", "50-2"],
    ]  # fmt: skip
    assert samples_at(shots[:3], [0]) == [[]]
    assert before_and_now(shots[:3]) == {"p": (None, Path("50-0"))}, "what the base drew is not known"


def test_labels_do_not_lie_on_one_another(card: Any, person: Person) -> None:
    card.follow([source_of(*(measured(step, 0.3 + step / 9000, 0.5 + step / 9000) for step in range(0, 400, 20)))])
    person.pump(lambda: person.sees("380 (now)"))
    steps = {f"{step}" for step in range(0, 400, 20)} | {"380 (now)"}
    boxes = [seen.box for seen in drawn_words(card.chart) if seen.text in steps - {"0"}]
    assert len(boxes) > 1
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_without_measurements_the_card_says_why(card: Any, person: Person) -> None:
    card.follow([source_of()])
    person.pump(lambda: person.sees("appears here once it has been measured"))
    said = Note("There is no room for it.", problems=[Problem("retention.too-short", "", {"share": 0.03, "steps": 4})])
    series = RunSeries()
    series.collect(said)
    assert series.remarks == [said]


def test_an_alarm_says_so_and_its_buttons_change_the_settings_of_now(
    context: AppContext, root: Any, person: Person, tmp_path: Path
) -> None:
    from app.gui.run.alarm_bar import AlarmBar

    went: list[str] = []
    said: list[str] = []
    context.go = lambda page, path="": went.append(path)
    context.notify = lambda text, *_, **__: said.append(text)
    bar = AlarmBar(root, context)
    bar.pack(fill="x")
    assert not bar.show(source_of(*RUN))
    source = source_of(*RUN, measured(80, 1.6, 0.9, best=20, alarm=True))
    assert bar.show(source)
    person.pump(lambda: person.sees("It is forgetting faster than it learns"))
    person.click("Go to learning rate")
    assert went == ["training.learning_rate"]
    fix = Fix("", {"training.learning_rate": 5e-5}, "fix.half-rate", {"rate": 5e-5})
    source.remarks.append(Note("", "warning", [Problem("retention.alarm")], [fix]))
    bar.show(source)
    person.click("Half the learning rate: 5e-05")
    assert context.draft.get("training.learning_rate") == 5e-5
    assert said == ["Changed: Half the learning rate: 5e-05"]


def test_a_run_that_goes_on_from_a_backup_forgets_later_measurements(tmp_path: Path) -> None:
    series = RunSeries()
    for event in (*RUN, *events_of(tmp_path, 40)):
        series.collect(event)
    series.cut(20)
    assert [event.step for event in series.retentions] == [0, 10, 20]
    assert all(mark.step <= 20 for mark in series.marks)
