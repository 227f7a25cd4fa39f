"""Speed and memory of steps of every kind on a CUDA card, with random weights: no model, no network, nine minutes.

    python -m tests.benchmarks.card [words of cases] [--seconds 520] [--steps 20] [--out FILE] [--no-tests]
    python -m tests.benchmarks.card --tiny        the same on the CPU with tiny models: whether every case runs through

First the tests for a card (`pytest -m gpu`), then the card's own peak, then the cases of cases.py, the most telling
first, each in a forked process: one that fails is a row like others. The table is printed as it grows and written to
FILE (or $OUT/card.md) after every row. Meanwhile other processes count what the check says of each case's memory.

TFLOP are those of a step as torch counts them, what gradient checkpointing computes again included; a packed weight
counts as a plain one. Each case's figures are those of the median step after 3 to warm up; what waits for the card
is counted in two further ones.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

from modules.families import LoadOptions
from modules.system.bundled import ROOT
from modules.system.runtime import let_card_memory_grow, python_command, python_environment
from tests.benchmarks.card.cases import SIZES, Case, cases
from tests.benchmarks.card.children import Child, Failed
from tests.benchmarks.card.measuring import Figures, count_memory, find_peak, measure
from tests.benchmarks.card.random_model import bundled_files, random_family
from tests.benchmarks.card.report import Report

TESTS_S, CASE_S, LEAST_S = (
    200,
    120,
    15,
)  # the most that the tests may take, and a case; the least that one is begun with


class Bench:
    """The order of things, and the time that is left."""

    def __init__(self, chosen: list[Case], report: Report, seconds: float, steps: int, *, tiny: bool) -> None:
        self.chosen, self.report, self.steps, self.tiny = chosen, report, steps, tiny
        self._end = time.monotonic() + seconds
        self._counters: list[Child] = []

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def run(self) -> None:
        every = list(dict.fromkeys(case.step for case in self.chosen))
        at_once = max(1, min(10, (os.cpu_count() or 1) - 4))
        self._counters = [Child(count_memory, every[i::at_once], self.tiny) for i in range(at_once)]
        try:
            self.report.machine = self._in_child(find_peak, self.tiny)
            print(*self.report.lines(), sep="\n", flush=True)
            for number, case in enumerate(self.chosen):
                if self.left < LEAST_S:
                    self.report.left_out = len(self.chosen) - number
                    break
                self._measure(case)
            self._hear(wait=True)
        finally:
            for each in self._counters:
                each.stop()

    def _measure(self, case: Case) -> None:
        try:
            found: Figures | Failed = self._in_child(measure, case, self.steps, self.tiny)
        except Failed as failed:
            found = failed
        self.report.rows[case] = found
        self._hear()
        self.report.write()
        print(self.report.row(case), flush=True)

    def _in_child(self, *work: object) -> object:
        child = Child(*work)
        try:
            return child.answer(min(CASE_S, max(1.0, self.left)))
        finally:
            child.stop()

    def _hear(self, *, wait: bool = False) -> None:
        """Take in what the counters have said; `wait`: and what the cases in the table still want."""
        wanted = {case.step for case in self.report.rows}
        for each in self._counters:
            with suppress(Failed):
                while True:
                    missing = wait and not wanted <= self.report.memory.keys()
                    case, said = each.answer(max(0.0, self.left) if missing else 0.0)
                    self.report.memory[case] = said
        self.report.write()


def warmed() -> None:
    """Import what all cases need, and none of CUDA."""
    for name in SIZES:
        family = random_family(name, bundled_files(name), LoadOptions())
        family.weight_count("denoiser")
    assert not torch.cuda.is_initialized()


def tests_for_a_card() -> subprocess.Popen[str]:
    command = python_command("-m", "pytest", "-m", "gpu", "tests/gpu", "-q", "--tb=short", "-p", "no:cacheprovider")
    return subprocess.Popen(
        command, cwd=ROOT, env=python_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def said_by_tests(tests: subprocess.Popen[str], log: Path | None) -> str:
    """Its last line; all of it is written beside the table."""
    try:
        said = tests.communicate(timeout=TESTS_S)[0]
    except subprocess.TimeoutExpired:
        tests.kill()
        said = f"{tests.communicate()[0]}\nnot done after {TESTS_S} s"
    print(said, flush=True)
    if log:
        log.write_text(said, encoding="utf-8")
    return said.strip().rpartition("\n")[2].strip("= ")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only cases that all are true of, such as flux1 nf4 0.5 eager")
    parser.add_argument("--seconds", type=float, default=520)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument(
        "--out", type=Path, default=Path(os.environ["OUT"]) / "card.md" if "OUT" in os.environ else None
    )
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


def main() -> None:
    began, options = time.monotonic(), parsed()
    let_card_memory_grow()
    report = Report(options.out, " ".join(["python -m tests.benchmarks.card", *sys.argv[1:]]))
    tests = None if options.no_tests or options.tiny else tests_for_a_card()
    if not options.tiny:
        warmed()
    if tests:
        report.tests = said_by_tests(tests, options.out and options.out.with_name("gpu_tests.txt"))
    chosen = [case for case in cases() if case.words.issuperset(options.words)]
    bench = Bench(chosen, report, options.seconds - (time.monotonic() - began), options.steps, tiny=options.tiny)
    try:
        bench.run()
    except Failed as failed:
        raise SystemExit(f"The card's peak cannot be measured: {failed.line}") from failed
    print("", *report.lines(), sep="\n")
    if any(isinstance(found, Failed) for found in report.rows.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
