"""How far weights have moved from one model to another, and where in the net: a table, CSV, JSON and a picture."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.errors import UserError
from modules.merging.shift import NAME, Shift, StepShift
from modules.messages import Stage, note
from modules.preset.setting import Section, Setting
from modules.sentences.problem import problem
from modules.system.files import write_text
from modules.text import fine_percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from modules.merging.blocks import Blocks
    from modules.merging.shift import Layer
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

MOST = 5  # layers that are named


class Settings(Section):
    """Compare weights"""

    tuned: str = Setting(..., "To", widget="model", min_length=1)
    """What has been trained: a model, a LoRA, or the folder of a run, with :900 behind it for its step 900."""
    out: str = Setting(..., "Folder", widget="folder", min_length=1)
    """The table, the picture and all numbers go there: weight-shift.csv, .png and .json."""
    base: str = Setting("", "From", widget="model")
    """The model that it was trained from. A LoRA is measured without it, too, but not in percent."""
    other: str = Setting("", "Compare with", widget="model", level="expert")
    """Another model, LoRA or step that was trained from the same: the cosine tells whether both have moved the same
    way. Near 0: they go together; below 0: they work against each other."""
    largest: bool = Setting(False, "Largest singular values", level="expert")
    """Measures them, too, by the power method; takes about twice as long."""
    steps: bool = Setting(False, "Every step of the run", level="expert")
    """Measures all that the run has saved, by kind of layer."""
    overwrite: bool = Setting(False, "Overwrite existing files")
    """Write over what is there already."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Measure and write; gives the folder.

    Raises:
        UserError: a model cannot be read, they do not belong together, or the files are there already.
    """
    from modules.families import LoadOptions  # noqa: PLC0415
    from modules.merging import weight_shift  # noqa: PLC0415
    from modules.merging.blocks import Blocks  # noqa: PLC0415
    from modules.merging.shift_picture import picture  # noqa: PLC0415
    from modules.tools.opening.shift_sides import Sides  # noqa: PLC0415

    folder = Path(settings.out).expanduser().absolute()
    _check(settings, folder)
    tell(Stage("stage.opening-model"))

    def progress(done: int, total: int) -> None:
        control.check()
        tell(Stage("stage.extracting", done, total))

    sides = Sides(settings.base, [settings.tuned, settings.other], LoadOptions(report=lambda said: tell(note(said))))
    blocks = Blocks(sides.family)
    other = sides.changes(settings.other) if settings.other else None
    how: dict[str, Any] = {"largest": settings.largest, "progress": progress}
    layers = weight_shift.measured(sides.changes(settings.tuned), blocks, sides.weight, other, **how)
    shift = Shift(
        base=_title(settings.base), tuned=_title(settings.tuned), other=_title(settings.other),
        relative=weight_shift.relative_of(layers), norm=weight_shift.norm_of(layers),
        blocks=weight_shift.columns(blocks, layers), kinds=weight_shift.rows(layers),
        cells=weight_shift.cells_of(layers), steps=_steps(settings, blocks, progress) if settings.steps else [],
        layers=sorted(layers, key=lambda layer: (-(layer.relative or 0), -layer.norm)),
    )  # fmt: skip
    _tell(shift, layers, tell)
    _write(shift, folder)
    picture(shift).save(folder / f"{NAME}.png")
    return str(folder)


def _check(settings: Settings, folder: Path) -> None:
    from modules.tools.run_steps import run_step  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415

    check_writable(folder)
    taken = [path for kind in ("csv", "json", "png") if (path := folder / f"{NAME}.{kind}").exists()]
    if taken and not settings.overwrite:
        raise UserError("output.exists", file=taken[0])
    if settings.steps and (run_step(settings.tuned) is None or not settings.base):
        raise UserError("shift.steps", "steps")


def _title(source: str) -> str:
    from modules.tools.run_steps import STEP  # noqa: PLC0415

    match = STEP.fullmatch(source)
    return f"{Path(match[1]).name}:{match[2]}" if match else Path(source).name


def _steps(settings: Settings, blocks: Blocks, progress: Callable[[int, int], None]) -> list[StepShift]:
    """What has moved at each step that the run has kept."""
    from modules.families import LoadOptions  # noqa: PLC0415
    from modules.merging import weight_shift  # noqa: PLC0415
    from modules.tools.opening.shift_sides import Sides  # noqa: PLC0415
    from modules.tools.run_steps import run_step, steps_with_weights  # noqa: PLC0415

    run = run_step(settings.tuned)
    assert run is not None
    found: list[StepShift] = []
    for step in steps_with_weights(run.folder):
        name = f"{run.folder}:{step}"
        sides = Sides(settings.base, [name], LoadOptions())
        layers = weight_shift.measured(sides.changes(name), blocks, sides.weight, progress=progress)
        kinds = {kind: weight_shift.relative_of(some) or 0.0 for kind, some in weight_shift.by_kind(layers)}
        found.append(StepShift(step, weight_shift.relative_of(layers) or 0.0, kinds))
    return found


def _tell(shift: Shift, layers: list[Layer], tell: Tell) -> None:
    """The table: a line for each kind, and what has moved most."""
    from modules.merging import weight_shift  # noqa: PLC0415

    if shift.relative is not None:
        tell(note(problem("shift.whole", share=fine_percent(shift.relative), norm=shift.norm)))
    for kind, some in weight_shift.by_kind(layers):
        relative, best = weight_shift.relative_of(some), max(some, key=lambda layer: layer.relative or layer.norm)
        values: dict[str, Any] = {"kind": kind, "norm": weight_shift.norm_of(some), "block": best.block}
        code = "shift.kind" if relative is None else "shift.kind:of"
        tell(note(problem(code, share=fine_percent(relative or 0), most=fine_percent(best.relative or 0), **values)))
    for step in shift.steps:
        tell(note(problem("shift.step", step=step.step, share=fine_percent(step.relative))))
    if shift.layers:
        named = [f"{layer.name.partition('|')[2]} ({_amount(layer)})" for layer in shift.layers[:MOST]]
        tell(note(problem("shift.most", names=named)))


def _amount(layer: Layer) -> str:
    return f"{layer.norm:.3g}" if layer.relative is None else fine_percent(layer.relative)


def _write(shift: Shift, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{NAME}.json", json.dumps(asdict(shift), indent=1, ensure_ascii=False))
    table = io.StringIO()
    names = [each.name for each in fields(shift.layers[0])] if shift.layers else ["name"]
    writer = csv.DictWriter(table, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(layer) for layer in shift.layers)
    write_text(folder / f"{NAME}.csv", table.getvalue())
