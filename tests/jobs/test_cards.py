"""A card is given to one training at a time."""

from pathlib import Path

import pytest

from modules.errors import UserError
from modules.jobs.cards import PROCESSOR, held, holder, likely_card
from modules.system.card import names


def test_a_card_that_is_held_is_refused_with_the_name_of_its_run(tmp_path: Path) -> None:
    assert holder("GPU-1", tmp_path) is None
    with held("GPU-1", "My cat", folder=tmp_path):
        assert holder("GPU-1", tmp_path) == "My cat"
        with pytest.raises(UserError) as error, held("GPU-1", "My dog", folder=tmp_path):
            pass
        assert error.value.problem.code == "card.taken"
        assert error.value.problem.values == {"run": "My cat"}
        with held("GPU-2", "My dog", folder=tmp_path):  # another card
            pass
    assert holder("GPU-1", tmp_path) is None
    with held("GPU-1", "My dog", folder=tmp_path):
        assert holder("GPU-1", tmp_path) == "My dog"


def test_a_card_is_shared_where_that_is_asked_for(tmp_path: Path) -> None:
    with held("GPU-1", "My cat", folder=tmp_path):
        with held("GPU-1", "My dog", share=True, folder=tmp_path):
            pass
        assert holder("GPU-1", tmp_path) == "My cat"


def test_nobody_is_refused_for_the_processor_and_the_queue_sees_that_it_is_busy(tmp_path: Path) -> None:
    with held(PROCESSOR, "My cat", folder=tmp_path), held(PROCESSOR, "My dog", folder=tmp_path):
        assert holder(PROCESSOR, tmp_path) == "My cat"


def test_a_folder_that_takes_no_locks_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "cards").write_text("no folder")
    with held("GPU-1", "My cat", folder=tmp_path / "cards"):
        pass


def test_who_hides_the_card_trains_on_the_processor() -> None:
    assert PROCESSOR == names.PROCESSOR
    assert likely_card("cpu") == PROCESSOR
    assert likely_card("auto", {"CUDA_VISIBLE_DEVICES": ""}) == PROCESSOR
    assert likely_card("auto", {"CUDA_VISIBLE_DEVICES": "-1"}) == PROCESSOR
