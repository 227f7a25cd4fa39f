"""What was measured, as a page of Markdown that is whole at any time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.card.cases import GOALS, Case
from tests.benchmarks.card.children import Failed
from tests.benchmarks.card.measuring import Figures, Machine

GIB = 2**30
HEAD = (
    "case", "quantization", "offload", "compiled", "images/s", "ms a step", "TFLOP", "of peak", "waits", "peak GiB",
    "check said", "reserved GiB", "first step after s",
)  # fmt: skip


@dataclass
class Report:
    """The rows so far, and what is to be said with them."""

    target: Path | None
    command: str
    tests: str = "not run"
    machine: Machine | None = None
    rows: dict[Case, Figures | Failed] = field(default_factory=dict[Case, "Figures | Failed"])
    memory: dict[Case, int | str] = field(default_factory=dict[Case, "int | str"])  # as the check says, by Case.step
    left_out: int = 0  # for want of time

    def write(self) -> None:
        if self.target:
            self.target.write_text("\n".join(self.lines()) + "\n", encoding="utf-8")

    def lines(self) -> Iterator[str]:
        if self.machine:
            peak = f"{self.machine.flops / 1e12:.4g} TFLOP/s in bf16 matrix products"
            yield f"`{self.command}`: {self.machine.name}, {peak}."
        yield from ("", f"The tests for a card: {self.tests}", "", _cells(HEAD), _cells(["---"] * len(HEAD)))
        yield from (self.row(case) for case in self.rows)
        if self.left_out:
            yield from ("", f"{self.left_out} cases were left out when the time was spent.")
        yield from ("", *_GOALS_HEAD, *(_cells(goal) for goal in self.goals()))
        yield from self._details()

    def row(self, case: Case) -> str:
        found = self.rows[case]
        offload, compiled = f"{case.offload:g}" if case.offload else "", "yes" if case.compiled else ""
        what = [case.title, case.quantization, offload, compiled]
        if isinstance(found, Failed):
            return _cells([*what, found.line.replace("|", "/"), *[""] * (len(HEAD) - 5)])
        speed = [f"{case.batch / found.seconds:.2f}", f"{found.seconds * 1000:.1f}", f"{found.flops / 1e12:.4g}"]
        memory = [f"{found.peak / GIB:.2f}", self._said(case, found), f"{found.reserved / GIB:.2f}"]
        return _cells([*what, *speed, f"{self.share(found):.1%}", len(found.waits), *memory, f"{found.opening:.0f}"])

    def share(self, found: Figures) -> float:
        return found.flops / found.seconds / self.machine.flops if self.machine else 0.0

    def _said(self, case: Case, found: Figures) -> str:
        said = self.memory.get(case.step, "not counted yet")
        if isinstance(said, str):
            return "failed" if case.step in self.memory else said
        return f"{said / GIB:.2f} ({said / found.peak - 1:+.1%})" if found.peak else f"{said / GIB:.3f}"

    def goals(self) -> Iterator[tuple[str, str, str]]:
        """What was to be reached, what it is, whether it was."""
        full, lora, flux = (self._figures(case) for case in GOALS)
        yield _goal("SDXL full, 1024 px, batch 8: at least 50 % of peak", full and self.share(full), 0.5)
        yield _goal("SDXL LoRA, 1024 px, batch 1: at most 60 ms", lora and lora.seconds * 1000, 60, at_most=True)
        yield _goal("FLUX.1 LoRA in bf16, compiled: at least 45 % of peak", flux and self.share(flux), 0.45)
        errors = [abs(said / found.peak - 1) for found, said in self._both()]
        yield _goal(f"memory as the check says, worst of {len(errors)}", max(errors, default=None), 0.1, at_most=True)

    def _figures(self, case: Case) -> Figures | None:
        found = self.rows.get(case)
        return found if isinstance(found, Figures) else None

    def _both(self) -> Iterator[tuple[Figures, int]]:
        for case, found in self.rows.items():
            said = self.memory.get(case.step)
            if isinstance(found, Figures) and isinstance(said, int) and found.peak:
                yield found, said

    def _details(self) -> Iterator[str]:
        for case, found in self.rows.items():
            if isinstance(found, Figures) and found.waits:
                yield from ("", f"{case.title}, {case.quantization}: waits at {', '.join(found.waits)}")
            if isinstance(found, Failed) and found.details:
                yield from ("", f"{case}", "```", found.details.strip(), "```")
        for case, said in self.memory.items():
            if isinstance(said, str):
                yield from ("", f"The check of {case}: {said}")


_GOALS_HEAD = ("| goal | measured | |", "| --- | --- | --- |")


def _goal(what: str, found: float | None, bound: float, *, at_most: bool = False) -> tuple[str, str, str]:
    if found is None:
        return what, "not measured", ""
    met = found <= bound if at_most else found >= bound
    return what, f"{found:.1f} ms" if bound > 1 else f"{found:.1%}", "reached" if met else "missed"


def _cells(values: Iterable[object]) -> str:
    return f"| {' | '.join(str(value) for value in values)} |"
