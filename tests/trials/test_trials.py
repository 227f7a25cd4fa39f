"""Values that are tried become runs that differ in them alone."""

from pathlib import Path
from typing import Any

import pytest

from modules.errors import Problems, UserError
from modules.messages import Progress
from modules.preset.files.store import write_project
from modules.preset.paths import get
from modules.preset.preset import Preset
from modules.preset.validate import all_settings, examine, setting_at
from modules.trials.estimates import pace_of
from modules.trials.runs import Trial, changes_of, name_of, runs_of
from modules.trials.values import Tried, can_be_tried, short, tried_of, wrong_value
from modules.wire import encode

RATE, RANK, STEPS = "training.learning_rate", "method.rank", "training.steps"


def values(**changes: Any) -> dict[str, Any]:
    return Preset().model_dump(mode="json") | changes


RATES = Tried(RATE, (5e-5, 1e-4, 2e-4))
RANKS = Tried(RANK, (8, 32))


def test_all_combinations_are_a_product_in_the_order_in_which_the_values_stand() -> None:
    found = changes_of(values(), Trial("x", (RATES, RANKS)))
    assert [tuple(each.values()) for each in found][:3] == [(5e-5, 8), (5e-5, 32), (1e-4, 8)]
    assert len(found) == 6


def test_one_by_one_tries_each_value_beside_the_settings_of_now_and_none_twice() -> None:
    now = values()
    now["method"]["rank"] = 8
    now["training"]["learning_rate"] = 1e-4
    found = changes_of(now, Trial("x", (RATES, RANKS), one_by_one=True))
    assert [tuple(each.values()) for each in found] == [(5e-5, 8), (1e-4, 8), (2e-4, 8), (1e-4, 32)]


def test_the_runs_differ_in_what_is_tried_and_in_their_names_alone() -> None:
    one, *_, last = runs_of(values(), Trial("Blip rates", (RATES, RANKS)))
    assert (one.name, last.name) == (
        "Blip rates, learning rate 5e-5, rank 8",
        "Blip rates, learning rate 2e-4, rank 32",
    )
    preset, wrong = examine(one.values)
    assert not wrong
    assert (preset.training.learning_rate, preset.general.name) == (5e-5, one.name)
    for path in (RATE, RANK, "general.name"):
        assert get(one.values, path) != get(last.values, path)
    same = {setting.path for setting in all_settings() if ".0." not in setting.path} - {RATE, RANK, "general.name"}
    assert all(get(one.values, path) == get(last.values, path) for path in same)


def test_steps_seeds_and_what_is_made_at_the_end_are_the_trial_s() -> None:
    trial = Trial("x", (RANKS,), steps=7, same_seed=False, afterwards="samples")
    one, two = runs_of(values(), trial)
    assert get(one.values, STEPS) == get(two.values, STEPS) == 7
    assert get(two.values, "general.seed") == get(one.values, "general.seed") + 1
    assert get(one.values, "sampling.last") is True
    assert get(one.values, "examine.enabled") is False


def test_the_steps_can_be_what_is_tried() -> None:
    found = runs_of(values(), Trial("x", (Tried(STEPS, (100, 200)),), steps=7))
    assert [get(each.values, STEPS) for each in found] == [100, 200]


def test_another_optimizer_leaves_out_what_it_has_not() -> None:
    found = runs_of(values(), Trial("x", (Tried("optimizer.kind", ("adamw", "lion")),)))
    assert all(not examine(each.values)[1] for each in found)


def test_a_wrong_value_has_the_sentence_of_its_rule() -> None:
    found = wrong_value(values(), RANK, 0)
    assert found is not None and found.path == RANK
    with pytest.raises(Problems) as caught:
        runs_of(values(), Trial("x", (Tried(RANK, (8, 0, -4)),)))
    assert len(caught.value.problems) == 2


def test_what_is_wrong_already_is_no_fault_of_a_value() -> None:
    assert wrong_value(values(concepts=[{"path": ""}]), RANK, 16) is None


@pytest.mark.parametrize(
    ("option", "path", "found"),
    [
        ("training.learning_rate=5e-5,1e-4, 1e-4", RATE, (5e-5, 1e-4)),
        ("training.buckets=true,false", "training.buckets", (True, False)),
        ("optimizer.kind=adamw,lion", "optimizer.kind", ("adamw", "lion")),
    ],
)
def test_values_are_typed_behind_the_name_of_a_setting(option: str, path: str, found: tuple[Any, ...]) -> None:
    assert tried_of(option, values()) == Tried(path, found)


@pytest.mark.parametrize("option", ["training.ratee=1,2", "general.name=a,b", "training.learning_rate=", "concepts=1"])
def test_what_cannot_be_tried_is_refused(option: str) -> None:
    with pytest.raises(UserError):
        tried_of(option, values())


def test_numbers_choices_and_switches_can_be_tried_folders_and_lists_cannot() -> None:
    wanted = {RATE: True, RANK: True, "optimizer.kind": True, "training.buckets": True, "concepts": False,
              "model.source": False, "general.workspace": False}  # fmt: skip
    for path, can in wanted.items():
        setting = setting_at(path)
        assert setting is not None
        assert can_be_tried(setting) is can, path


def test_values_are_written_in_as_few_letters_as_can_be() -> None:
    assert [short(value) for value in (5e-5, 1e-4, 1.5e-4, 0.1, 1.0, 8, True, "lion")] == [
        "5e-5", "1e-4", "1.5e-4", "0.1", "1", "8", "on", "lion",
    ]  # fmt: skip


def test_a_name_is_one_that_every_system_allows() -> None:
    assert "/" not in name_of("a/b", {RATE: 1e-4}, values())


def test_an_earlier_run_of_the_same_model_says_how_fast_a_run_is(tmp_path: Path) -> None:
    preset = Preset.model_validate(values(general={"workspace": str(tmp_path)}))
    assert pace_of(preset) is None
    folder = tmp_path / "before"
    folder.mkdir()
    write_project(preset, folder / "preset.json")
    event = Progress(10, 20, 1, 1, steps_per_second=4.0)
    (folder / "events.jsonl").write_text(f"{encode(event)}\n")
    found = pace_of(preset)
    assert found is not None
    assert found.seconds(100, found.images) == 25.0
    assert found.seconds(100, 2 * found.images) == 50.0
    other = preset.model_copy(update={"method": preset.method.model_copy(update={"rank": 5})})
    assert pace_of(other) is not None  # another rank is hardly slower
    elsewhere = preset.model_copy(update={"model": preset.model.model_copy(update={"source": "other"})})
    assert pace_of(elsewhere) is None


def test_what_a_run_took_beside_its_steps_counts(tmp_path: Path) -> None:
    preset = Preset.model_validate(values(general={"workspace": str(tmp_path)}))
    folder = tmp_path / "before"
    folder.mkdir()
    write_project(preset, folder / "preset.json")
    (folder / "events.jsonl").write_text(f"{encode(Progress(20, 20, 1, 1, steps_per_second=4.0))}\n")
    (folder / "log.txt").write_text("2026-11-30 16:49:00 info begins\n2026-11-30 16:49:15 info ends\n")
    found = pace_of(preset)
    assert found is not None
    assert (found.beside, found.seconds(40, found.images)) == (10.0, 20.0)
