"""What "Extract a LoRA" has kept of the change: a bar for each group of layers, and what the file cannot hold."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Badge, Frame, Label, MeterRow, MeterRows, px
from modules.language import plural, tr
from modules.messages import Note
from modules.sentences.problem import Problem
from modules.text import in_bytes, in_percent

ENOUGH = 0.9  # of the change; below it the bar is amber
GROUPS = {
    "attention": "attention", "feed-forward": "feed-forward", "convolutions": "convolutions", "others": "others",
}  # fmt: skip
BESIDE = ("extract.left-out", "extract.worst", "extract.unchanged")


class KeptView(Frame):
    """Below the tool's button; filled by the notes of the tool, whose rows are data."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        del context
        self._told: list[Problem] = []
        self.rows: list[MeterRow] = []

    def begin(self) -> None:
        self._told = []
        self.pack_forget()

    def take(self, note: Note) -> bool:
        """Whether this note is shown here and need not stand as a line."""
        mine = [problem for problem in note.problems if problem.code.startswith("extract.")]
        self._told += mine
        return bool(mine)

    def show(self, path: str) -> None:
        """The file is written."""
        del path
        self.clear()
        line = Frame(self)
        line.pack(fill="x")
        Label(line, tr("What was kept"), font="section").pack(side="left")
        written = next((each.values for each in self._told if each.code == "extract.written"), {})
        if "size" in written:
            Badge(line, in_bytes(float(str(written["size"])))).pack(side="right")
        self.rows = [_row(each) for each in self._told if each.code.startswith("extract.group")]
        meters = MeterRows(self, None)
        meters.pack(fill="x", pady=px(4))
        meters.show(self.rows, None)
        for each in self._told:
            if each.code in BESIDE:
                Label(self, WORDS.sentence(each), role="text2", wrap=True, image="info").pack(fill="x", pady=px(2))
        self.pack(fill="x", pady=(px(10), 0))


def _row(problem: Problem) -> MeterRow:
    values: dict[str, Any] = dict(problem.values)
    share = float(values["share"])
    part = WORDS.what(values["part"]) if isinstance(values["part"], Problem) else str(values["part"])
    low, high = values.get("low"), values.get("high")
    ranks = tr("rank {low}", low=low) if low == high else tr("rank {low} to {high}", low=low, high=high)
    return MeterRow(
        value=(part, values["group"]), label=f"{part}, {tr(GROUPS[str(values['group'])])}", share=share,
        role="good" if share >= ENOUGH else "changed", amount=in_percent(share, 1),
        middle=ranks if low else "", right=plural(int(values["layers"]), "1 layer", "{count} layers"),
    )  # fmt: skip
