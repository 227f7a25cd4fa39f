"""Files of every version ever shipped still load."""

from pathlib import Path

import pytest

from modules.errors import UserError
from modules.preset.files.migrate import STEPS, migrate
from modules.preset.files.store import read
from modules.preset.paths import Values
from modules.preset.preset import Preset

SHIPPED = sorted((Path(__file__).parent / "shipped").glob("*.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_version_loads(path: Path) -> None:
    preset = read(path)
    assert preset.version == Preset.VERSION
    assert preset.training.learning_rate == 2e-4
    assert preset.training.batch_size == 3


def test_there_is_a_file_and_a_step_for_every_version() -> None:
    assert [path.stem for path in SHIPPED] == [f"version-{n}" for n in range(Preset.VERSION + 1)]
    assert sorted(STEPS) == list(range(Preset.VERSION))


def test_the_values_given_stay_as_they_are() -> None:
    values = {"version": 0, "training": {"lr": 1e-3}}
    assert migrate(values)["training"] == {"learning_rate": 1e-3}
    assert values == {"version": 0, "training": {"lr": 1e-3}}


def test_migrating_todays_values_changes_nothing() -> None:
    values = {"version": Preset.VERSION, "training": {"learning_rate": 1e-3}}
    assert migrate(values) == values


def test_values_of_a_strange_shape_are_left_for_the_schema_to_judge() -> None:
    assert migrate({"version": 0, "training": 7})["training"] == 7


def test_a_newer_version_is_refused() -> None:
    with pytest.raises(UserError, match=r"newer Seachange .*Update Seachange"):
        migrate({"version": Preset.VERSION + 1})


@pytest.mark.parametrize("version", [None, "1", True, 1.0, -1])
def test_a_version_that_is_none_is_refused(version: object) -> None:
    with pytest.raises(UserError, match='Write "version": 6'):
        migrate({"version": version})


def test_what_was_called_dropout_was_of_ranks() -> None:
    old: Values = {"version": 1, "method": {"kind": "lora", "dropout": 0.25}}
    assert migrate(old)["method"] == {"kind": "lora", "rank_dropout": 0.25}


def test_what_said_nothing_of_a_precision_was_in_fp32() -> None:
    for old in ({}, {"model": {}}, {"model": {"family": "sdxl"}}):
        assert migrate({"version": 3, **old})["model"]["dtype"] == "fp32"
    assert migrate({"version": 3, "model": {"dtype": "bf16"}})["model"] == {"dtype": "bf16"}
    assert migrate({"version": 4}) == {"version": Preset.VERSION}


def test_what_was_a_switch_or_a_number_is_a_share_of_the_blocks() -> None:
    """And what said nothing of it lets the memory plan decide."""
    for old, new in ((True, "all"), (False, "none"), ("true", "true")):
        values: Values = {"version": 4, "training": {"gradient_checkpointing": old}}
        assert migrate(values)["training"] == {"gradient_checkpointing": new}
    for old, new in ((0, "none"), (0.25, "25 %"), (1.0, "all"), (True, True)):
        assert migrate({"version": 4, "model": {"offload": old}})["model"] == {"offload": new}


def test_what_was_compiled_is_compiled_and_nothing_else() -> None:
    """ "auto" compiles where speed is preferred: what said nothing of it there did not."""
    for old, new in (
        ({"compile": True}, {"compile": "on"}),
        ({"compile": False, "prefer": "fast"}, {"compile": "off", "prefer": "fast"}),
        ({"prefer": "fast"}, {"prefer": "fast", "compile": "off"}),
        ({"prefer": "exact"}, {"prefer": "exact"}),
        ({"compile": "true"}, {"compile": "true"}),
    ):
        assert migrate({"version": 5, "general": old})["general"] == new
    assert migrate({"version": 5, "general": 7}) == {"version": 6, "general": 7}
    assert migrate({"version": 5}) == {"version": 6}


def test_a_dora_of_before_keeps_its_magnitudes_of_outputs() -> None:
    """Runs that began with them go on; a preset of today has those of inputs."""
    assert migrate({"version": 2, "method": {"dora": True}})["method"] == {"dora": True, "dora_axis": "outputs"}
    assert migrate({"version": 2, "method": {"dora": False}})["method"] == {"dora": False}
