"""The settings of a grid: its axes, and what is the same for all cells."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting

AS_THE_RUN = "as the run's samples"
NO_SEED = -1

Kind = Literal[
    "none", "step", "run", "model", "strength", "prompt", "replace", "seed", "guidance", "steps", "sampler", "size",
    "ratio", "trigger",
]  # fmt: skip
KINDS: dict[str, str] = {
    "none": "None", "step": "Step of a run", "run": "Run", "model": "Base model", "strength": "LoRA strength",
    "prompt": "Prompt", "replace": "Part of the prompt", "seed": "Seed", "guidance": "Guidance",
    "steps": "Sampling steps", "sampler": "Sampler", "size": "Size", "ratio": "Merge ratio", "trigger": "Trigger word",
}  # fmt: skip


class Settings(Section):
    """Grid"""

    run: str = Setting("", "Run", widget="folder")
    """The folder of a run: its base model, its steps, its sample prompts and its images. Empty: none, with a base
    model."""
    model: str = Setting("", "Base model", widget="model")
    """A file, a folder or a name on Hugging Face. Empty: that of the run."""
    columns: Kind = Setting("step", "Columns", labels=KINDS)
    """What differs from left to right."""
    column_values: tuple[str, ...] = Setting((), "Values of the columns", flag="column", max_length=1000)
    """Numbers also as ranges: 1-5 (+2) counts in twos, 0-1 [5] gives five. Steps: base, best, last, 500, all, saves,
    backups, usual, or a file. Prompts: @samples 3, @dataset 5, @known 3, @file prompts.txt, @empty, or the prompt.
    Empty: the usual ones."""
    rows: Kind = Setting("prompt", "Rows", labels=KINDS)
    """What differs from top to bottom."""
    row_values: tuple[str, ...] = Setting((), "Values of the rows", flag="row", max_length=1000)
    """As for columns."""
    tabs: Kind = Setting("none", "Tabs", labels=KINDS)
    """A third axis: a sheet for each value."""
    tab_values: tuple[str, ...] = Setting((), "Values of the tabs", flag="tab", max_length=1000)
    """As for columns."""
    prompt: str = Setting("", "Prompt")
    """What is drawn where no axis has prompts. @empty: the empty prompt. Empty: the run's first sample prompt."""
    negative: str = Setting("", "Negative prompt")
    """Of all cells. Empty: as the run's samples."""
    seed: int = Setting(NO_SEED, "Seed", ge=NO_SEED, lt=2**63)
    """The same noise for all cells. -1: as the run's samples."""
    guidance: float = Setting(0.0, "Guidance scale (CFG)", ge=0, le=100, zero=AS_THE_RUN)
    """How strictly the prompt is followed."""
    steps: int = Setting(0, "Sampling steps", ge=0, le=1000, zero=AS_THE_RUN)
    """How many steps a picture takes."""
    sampler: str = Setting("", "Sampler")
    """Such as "DPM++ 2M Karras". Empty: as the run's samples."""
    width: int = Setting(0, "Width", ge=0, le=8192, unit="pixels", zero=AS_THE_RUN)
    """Of all cells."""
    height: int = Setting(0, "Height", ge=0, le=8192, unit="pixels", zero=AS_THE_RUN)
    """Of all cells."""
    step: str = Setting("last", "Step", level="expert")
    """Which step of the run is drawn where no axis has steps."""
    strength: float = Setting(1.0, "LoRA strength", ge=-10, le=10, level="expert")
    """Where no axis has strengths. Of a full fine-tune: how far from its base to what it learnt."""
    second: str = Setting("", "Second model", widget="model", level="expert")
    """What the base model is merged with for a merge ratio."""
    ratio: float = Setting(0.0, "Merge ratio", ge=0, le=1, level="expert")
    """How much of the second model, where no axis has ratios."""
    merge: str = Setting("", "Merge", max_length=20_000, level="expert")
    """What a merge ratio mixes, as the settings of `merge` in JSON: {"models": [...], "method": "slerp"}. The ratio
    takes the place of its own, and ratios by block change in proportion. Empty: base model and second model."""
    forgotten: bool = Setting(False, "Forgotten by ratio", level="expert")
    """Measures how far the answers of each merge have moved from the base model's at fixed points of prompts that it
    knows, as training does: 1 is as if the prompt were taken away. It stands under its ratio."""
    average: bool = Setting(True, "Moving average", level="expert")
    """Draws a step's moving average (EMA) where it has one. Off: the weights as they were."""
    name: str = Setting("", "Name", max_length=80, level="expert")
    """What the grid's folder is called. Empty: made of the axes."""
    out: str = Setting("", "Folder", widget="folder", level="expert")
    """Where grids go. Empty: the run's folder grids; without a run, the workspace's."""
    reuse: bool = Setting(True, "Reuse the run's samples", level="expert")
    """Takes samples of the run that were drawn with equal settings; they differ from new ones by rounding at most."""
    sheet: Literal["webp", "png", "none"] = Setting(
        "webp", "Picture of all", level="expert", labels={"webp": "WebP", "png": "PNG", "none": "None"}
    )
    """One labelled picture for each tab, written at the end."""
    page: bool = Setting(True, "Web page", level="expert")
    """Writes index.html, which shows any two axes and needs no network."""
    table: bool = Setting(True, "Table", level="expert")
    """Writes numbers.csv: a line for each cell."""
