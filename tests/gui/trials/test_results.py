"""What came of tried values: a table that fills while runs are made, samples by value, curves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.gui.context import AppContext
from app.gui.trials.outcomes import Outcomes, best_of, known, sorted_by, table_text
from modules.jobs.entry import NewEntry
from modules.jobs.owner import Owner
from modules.jobs.queue import Queue
from modules.messages import Finished, Progress, Retention, Started, Train, Validated
from modules.preset.files.store import write_project
from modules.preset.validate import examine
from modules.trials.runs import Trial, runs_of
from modules.trials.values import Tried
from modules.wire import encode
from tests.gui.contexts import context_at
from tests.gui.person import Person

Pump = Callable[..., None]
RATE, GROUP = "training.learning_rate", "Rates #1"
LEARNT = {5e-5: (0.58, 0.19), 1e-4: (0.84, 0.41), 2e-4: (0.97, 1.02)}  # and forgotten


@pytest.fixture
def context(root: Any, tmp_path: Path) -> Iterator[AppContext]:
    from app.gui.kit import Pictures

    made = context_at(tmp_path)
    made.app, made.pictures = root, Pictures(root, None)
    yield made
    made.jobs.close()
    made.pictures.close()


@pytest.fixture
def tried(context: AppContext, tmp_path: Path) -> Queue:
    """Two runs that have finished, and one that waits."""
    queue = Queue(tmp_path / "queue.sqlite")
    runs = runs_of(context.draft.freeze(), Trial("Rates", [Tried(RATE, tuple(LEARNT))]))
    entries = queue.add(
        *(NewEntry(Train(run.values), run.name, group=GROUP, changes=run.changes) for run in runs)
    )  # fmt: skip
    queue.on = True
    owner = Owner(queue.file)
    for entry in entries[:2]:
        queue.take_next(owner.id, lambda _: "")
        queue.finish(entry.id, "finished", folder=str(run_in(tmp_path, entry)))
    owner.release()
    context.jobs.tick()
    return queue


def run_in(tmp_path: Path, entry: Any) -> Path:
    """A run as it lies in the workspace."""
    folder = tmp_path / "workspace" / entry.title
    (folder / "samples").mkdir(parents=True)
    learnt, forgotten = LEARNT[entry.changes[RATE]]
    events = [
        Started(str(folder), 20, 1, 20),
        Progress(20, 20, 1, 1, [[20, 0.1 - forgotten / 100]], memory=2**30),
        Validated(20, 0.1 - learnt / 100, 0.0, 1, {}, [], True, 20, 0.09),
        Retention(20, forgotten, [], learnt, None, learnt - forgotten, 1.0, 20, False, "x"),
        Finished(20),
    ]
    (folder / "events.jsonl").write_text("".join(f"{encode(event)}\n" for event in events))
    write_project(examine(entry.job.preset)[0], folder / "preset.json")
    for number in (1, 2):
        Image.new("RGB", (8, 8), "teal").save(folder / "samples" / f"000020 - {number} - robot.png")
    return folder


def outcomes(context: AppContext) -> Outcomes:
    made = Outcomes(context.jobs, GROUP)
    while made.update():
        pass
    return made


def test_the_table_fills_and_has_a_star_at_the_best(context: AppContext, tried: Queue, root: Any, pump: Pump) -> None:
    from app.gui.trials.results import Results

    shown = Results(root, context, GROUP)
    shown.pack(fill="both", expand=True)
    shown.refresh()
    person = Person(root, pump)
    for words in ("best balance: 1e-4", "+0.43", "+0.39", "0.41", "waiting", "1.0 GB"):
        assert person.sees(words), words
    assert shown.words == "3 runs that differ in learning rate"
    person.click("Forgotten")
    assert [row.label for row in sorted_by(shown.outcomes.rows(), shown.table.key)] == ["5e-5", "1e-4", "2e-4"]
    person.click("Use these settings", nth=2)
    assert context.draft.get(RATE) == 2e-4
    context.draft.undo()
    assert context.draft.get(RATE) != 2e-4


def test_the_samples_stand_by_value_and_the_curves_in_one_chart(
    context: AppContext, tried: Queue, root: Any, pump: Pump
) -> None:
    from app.gui.trials.results import Results

    shown = Results(root, context, GROUP)
    shown.pack(fill="both", expand=True)
    shown.refresh()
    person = Person(root, pump)
    assert person.sees("balance +0.39")
    assert [head.text for head in shown.sheet.heads.rows] == ["5e-5", "1e-4", "2e-4"]
    assert len(shown.sheet.heads.columns) == 2
    person.click("Loss", nth=1)
    assert shown.losses.winfo_ismapped()
    person.click("Learnt / forgotten")
    assert shown.retention.chart.winfo_ismapped()


# Without a window -----------------------------------------------------------------------------------------------------


def test_less_is_better_of_losses_and_more_of_what_was_learnt(context: AppContext, tried: Queue) -> None:
    rows = outcomes(context).rows()
    best = {measure.key: best_of(rows, measure.key) for measure in known(rows)}
    labels = {key: row.label for key, row in best.items() if row}
    assert labels["held_out"] == labels["learnt"] == labels["balance"] == "1e-4"
    assert labels["forgotten"] == "5e-5"
    assert sorted_by(rows, "balance")[-1].state == "waiting"


def test_the_table_is_saved_with_what_is_known(context: AppContext, tried: Queue) -> None:
    head, first, *_, last = table_text(outcomes(context).rows(), [RATE]).splitlines()
    assert head.startswith("Learning rate,Held-out loss,Loss,Learnt,Forgotten,Balance,")
    assert first.startswith("5e-05,")
    assert last.startswith("0.0002,,,")


def test_a_run_that_goes_on_is_read_on(context: AppContext, tried: Queue, tmp_path: Path) -> None:
    made = outcomes(context)
    third = made.entries[2]
    owner = Owner(tried.file)
    tried.take_next(owner.id, lambda _: "")
    tried.report(third.id, step=8, total=20, folder=str(run_in(tmp_path, third)))
    context.jobs.act(lambda _: None)
    made.update()
    assert made.rows()[2].state == "40\xa0%"
    assert made.rows()[2].numbers["forgotten"] == 1.02
    owner.release()
    tried.close()
