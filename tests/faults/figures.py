"""What a harness counted, as tables for RESULTS.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Figures:
    """Kills by everything one may ask for, and what came out wrong."""

    by: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    wrong: list[str] = field(default_factory=list[str])
    starts: int = 0
    resumes: int = 0
    anew: int = 0  # starts from nothing after a kill, because nothing had been backed up
    finished: int = 0
    kills: int = 0

    def kill(self, **kinds: str) -> None:
        self.kills += 1
        for kind, name in kinds.items():
            self.by.setdefault(kind, Counter())[name] += 1

    def table(self, seconds: float, cpu: float) -> str:
        """Everything as Markdown."""
        lines = [
            f"{self.kills} kills in {self.starts} starts, {self.resumes} of them continued and {self.anew} begun anew; "
            f"{self.finished} runs came to their end; wrong: {len(self.wrong)}.",
            f"{seconds:.0f} s by the clock, {cpu:.0f} s of CPU time, {cpu / max(self.kills, 1):.1f} s a kill.",
        ]
        for kind, counts in self.by.items():
            lines += ["", f"| {kind} | kills |", "|---|---|"]
            lines += [f"| {name} | {count} |" for name, count in counts.most_common()]
        return "\n".join(lines + self.wrong)
