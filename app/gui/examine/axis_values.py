"""What can be put on an axis: the lists behind "Add", and where a typed value goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.gui.grids.grid_draft import EMPTY_PROMPT
from app.gui.kit import Option
from modules.grids.prompts import known_prompts, sample_prompts
from modules.grids.run_models import models_of
from modules.grids.values import values_of
from modules.language import tr
from modules.preset.sections.sampling import SAMPLERS
from modules.run_folders import recorded_preset

# By kind: what its field for typing says while it is empty. Of the others the list has all that there is.
TYPED: dict[str, str] = {
    "step": "Steps, such as 500-2000 (+500)", "strength": "Strengths, such as 0.6-1.2 (+0.2)", "prompt": "A prompt",
    "replace": "First what is replaced, then what replaces it", "seed": "Seeds, such as 1-4",
    "guidance": "Guidance, such as 3-9 (+2)", "steps": "Steps, such as 10-30 [3]", "size": "Size, such as 512x768",
    "ratio": "Ratios, such as 0-1 [5]", "model": "A file, a folder or a name",
}  # fmt: skip
USUAL: dict[str, tuple[str, ...]] = {
    "strength": ("0", "0.25", "0.5", "0.6", "0.75", "0.8", "1", "1.2"), "guidance": ("1", "3", "5", "7", "9"),
    "steps": ("10", "20", "30", "50"), "size": ("512x512", "768x768", "1024x1024", "832x1216", "1216x832"),
    "ratio": ("0", "0.25", "0.5", "0.75", "1"), "seed": ("1", "2", "3", "4"),
}  # fmt: skip
STEP_WORDS = {
    "base": "The model before training", "best": "The best balance of learnt and forgotten", "last": "The newest",
    "saves": "All saved models", "backups": "All backups",
}  # fmt: skip


def offers(kind: str, run: Path | None, there: Sequence[str]) -> list[Option]:
    """The values that one can pick, without those that are there."""
    if kind == "step":
        found = _steps(run)
    elif kind == "prompt":
        found = _prompts(run)
    elif kind == "sampler":
        found = [Option(name, title) for name, title in SAMPLERS.items()]
    elif kind == "trigger":
        found = [Option("on", tr("with trigger word")), Option("off", tr("without trigger word"))]
    else:
        found = [Option(value, value) for value in USUAL.get(kind, ())]
    return [option for option in found if option.value not in there]


def _steps(run: Path | None) -> list[Option]:
    if run is None:
        return []
    words = [Option(word, word, tr(says)) for word, says in STEP_WORDS.items()]
    kinds = {"saved": tr("saved model"), "best": tr("best validation"), "backup": tr("backup")}
    known: dict[str, list[str]] = {}
    for model in models_of(run):
        known.setdefault(str(model.step), []).append(kinds[model.kind])
    steps = [
        Option(step, f"{int(step):,}", ", ".join(dict.fromkeys(says)), group=run.name) for step, says in known.items()
    ]
    return [*words, *steps]


def _prompts(run: Path | None) -> list[Option]:
    preset = recorded_preset(run) if run is not None else None
    empty = Option(EMPTY_PROMPT, tr("empty prompt"))
    if preset is None:
        return [empty]
    own = [Option(text, text, group=tr("Of the run")) for text in sample_prompts(preset)]
    known = [Option(text, text, group=tr("Known to the base")) for text in known_prompts(preset)]
    return [empty, *own, *known]


def with_added(kind: str, values: Sequence[str], text: str) -> list[str]:
    """The values with those that were typed or picked; numbers where they belong by size, the rest at the end.

    Raises:
        UserError: it is no value of this kind.
    """
    found = list(values)
    for value in values_of(kind, text):
        if value not in found:
            found.insert(_place(found, value), value)
    return found


def _place(values: Sequence[str], value: str) -> int:
    number = _number(value)
    if number is None:
        return len(values)
    larger = (i for i, other in enumerate(values) if (size := _number(other)) is not None and size > number)
    after = (i + 1 for i in range(len(values) - 1, -1, -1) if _number(values[i]) is not None)
    return next(larger, next(after, len(values)))


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
