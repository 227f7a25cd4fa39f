"""What a picture of a grid says of itself, as rows for the large view."""

from __future__ import annotations

import re
from pathlib import Path

from app.gui.grids.grid_draft import SIDES, Place, ShownGrid
from app.gui.session.run_history import parameters_in
from modules.grids.axes import Head
from modules.language import tr
from modules.scores.kinds import SCORES
from modules.scores.record import Scored

SETTING = re.compile(r'([\w ]+): ("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)')
SHOWN = {
    "Seed": "Seed", "CFG scale": "Guidance", "Steps": "Steps", "Sampler": "Sampler", "Size": "Size", "Model": "Model",
    "Loras": "LoRAs",
}  # fmt: skip
MEASURED = {"forgotten": "Forgotten", "learnt": "Learnt", "balance": "Balance"}
Fact = tuple[str, str]


def facts_of(grid: ShownGrid, place: Place, path: Path, scored: Scored | None = None) -> list[Fact]:
    """Names and values: the place in the grid, the picture's settings, what was measured at its step; its scores."""
    prompt, negative, settings = parts_of(parameters_in(path))
    axes = [(grid.axis(side), place[n]) for n, side in enumerate(SIDES)]
    own = ("prompt", "replace", "none", "seed", "guidance", "steps", "sampler", "size")
    run = grid.run_name
    found = [(tr("Run"), run)] if run else list[Fact]()
    found += [(tr(axis.title).capitalize(), _value(axis.heads[index])) for axis, index in axes if axis.kind not in own]
    if prompt or settings:
        found += [(tr("Prompt"), prompt or tr("none")), (tr("Negative"), negative or tr("none"))]
    sampler = " ".join(filter(None, (settings.get("Sampler", ""), settings.get("Schedule type", ""))))
    settings |= {"Sampler": sampler, "Size": settings.get("Size", "").replace("x", " \u00d7 ")}
    found += [(tr(label), value) for name, label in SHOWN.items() if (value := settings.get(name, ""))]
    step = grid.step_head(place)
    for name, label in MEASURED.items():
        value = getattr(step, name, None)
        if value is not None:
            found.append((tr(label), f"{value:.2f}"))
    values = scored.values if scored else {}
    return [*found, *((tr(kind.title), f"{values[name]:.{kind.digits}f}") for name, kind in SCORES.items()
                      if name in values)]  # fmt: skip


def _value(head: Head) -> str:
    """With what is there of a step."""
    kind = tr("saved model") if head.star else tr("backup") if head.backup else ""
    return f"{head.label} \u00b7 {kind}" if kind else head.label


def parts_of(parameters: str) -> tuple[str, str, dict[str, str]]:
    """The prompt, the negative prompt and the settings of A1111's text."""
    *lines, last = parameters.splitlines() or [""]
    if not re.search(r"\bSteps: \d", last):
        return parameters, "", {}
    text, _, negative = "\n".join(lines).partition("Negative prompt: ")
    settings = {name.strip(): value.strip('"') for name, value in SETTING.findall(last)}
    return text.strip(), negative.strip(), settings
