"""The benchmark for a card, with tiny models on the CPU: on the one day that there is a card, it has to run through."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from modules.families import LoadOptions
from tests.benchmarks.card.__main__ import Bench
from tests.benchmarks.card.cases import GOALS, Case, cases
from tests.benchmarks.card.children import Child, Failed
from tests.benchmarks.card.measuring import Figures, Machine, count_memory, measured
from tests.benchmarks.card.random_model import bundled_files, random_family
from tests.benchmarks.card.report import GIB, Report

forks = pytest.mark.skipif(sys.platform == "win32", reason="needs forks")
CHOSEN = [
    Case("sd", "full", 2),
    Case("sdxl", quantization="int8", offload=0.5),
    Case("flux1", quantization="nf4", offload=0.9),
]


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_a_case_is_measured(case: Case) -> None:
    found = measured(case, 1, tiny=True)
    assert found.seconds > 0
    assert found.flops > 0


def test_the_memory_of_a_case_is_counted_as_the_check_does() -> None:
    found: list[Any] = []
    count_memory(found.append, [Case("sd"), Case("nothing")], tiny=True)
    assert found[0][0] == Case("sd")
    assert found[0][1] > 0
    assert "nothing" in found[1][1]


@pytest.mark.parametrize(("name", "count"), [("sdxl", 2.57), ("flux2_klein", 3.88)])
def test_a_family_has_its_full_size(name: str, count: float) -> None:
    family = random_family(name, bundled_files(name), LoadOptions())
    assert family.weight_count("denoiser") / 1e9 == pytest.approx(count, rel=0.01)


def test_what_has_a_goal_comes_first_and_nothing_twice() -> None:
    every = cases()
    assert tuple(every[: len(GOALS)]) == GOALS
    assert len({*every}) == len(every)
    assert {case.quantization for case in every} == {"off", "int8", "nf4"}
    assert {case.offload for case in every} == {0, 0.5, 0.9}


@forks
def test_what_fails_is_a_row_and_what_has_no_time_is_counted(tmp_path: Path) -> None:
    report = Report(tmp_path / "card.md", "python -m tests.benchmarks.card")
    wrong = Case("sd", "nothing")
    Bench([wrong], report, 60, 1, tiny=True).run()
    assert isinstance(report.rows[wrong], Failed)
    Bench([Case("sd"), Case("sdxl")], report, 14, 1, tiny=True).run()
    written = (tmp_path / "card.md").read_text()
    assert "| SD 1.5 nothing, batch 1 | off |  |  | Problems" in written
    assert "2 cases were left out" in written


@forks
def test_a_process_that_dies_is_an_answer() -> None:
    for work, said in ((lambda _: sys.exit(3), "3"), (lambda _: __import__("os")._exit(9), "code 9")):
        child = Child(work)
        with pytest.raises(Failed, match=said):
            child.answer(60)
        child.stop()


def test_the_table_says_which_goals_are_reached(tmp_path: Path) -> None:
    report = Report(tmp_path / "card.md", "command", machine=Machine("card", 800e12))
    report.rows = {
        Case("sdxl", "full", 8): Figures(0.5, int(240e12), (), 10 * GIB, 12 * GIB, 3.0),
        Case("sdxl"): Figures(0.055, int(20e12), ("learner.py:1",), 10 * GIB, 12 * GIB, 3.0),
    }
    report.memory = {Case("sdxl"): 12 * GIB}
    text = "\n".join(report.lines())
    assert "| SDXL full, 1024 px, batch 8: at least 50 % of peak | 60.0% | reached |" in text
    assert "| SDXL LoRA, 1024 px, batch 1: at most 60 ms | 55.0 ms | reached |" in text
    assert "compiled: at least 45 % of peak | not measured |" in text
    assert "worst of 1 | 20.0% | missed |" in text
    assert "12.00 (+20.0%)" in text
    assert "waits at learner.py:1" in text
