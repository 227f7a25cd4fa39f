"""Grids of small real runs: each cell is drawn once, from the right weights, and no model is read twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.errors import UserError
from modules.grids.pictures import parameters_of
from modules.grids.plan import plan
from modules.grids.settings import Settings
from modules.grids.subject import subject_of
from modules.grids.usual import usual_grid
from modules.messages import Command, Event, Finished, GridCell, Retention, RunTool, Stage, Stop
from modules.run_folders import recorded_preset
from modules.tools import grid_models
from modules.wire import encode
from tests.test_run import do, notes
from tests.trainer.runs import folder_of, run, values

PROMPTS = [
    {"prompt": text, "steps": 2, "width": 64, "height": 64, "guidance": 3.0} for text in ("blip robot", "sleepy")
]
LEARNS = ("training.steps=4", "training.learning_rate=0.05", "schedule.warmup=0 steps", "backup.save_every=2 steps")
SAMPLED = f"sampling.prompts={json.dumps(PROMPTS)}"
METHODS = {
    "lora": (),
    "text encoder": ("training.text_encoder_1.train=true",),
    "quantized": ("model.quantization=int8",),
    "full": ("method.kind=full", "training.learning_rate=1e-2", "output.dtype=fp16"),
    "trained parts": ("method.kind=full", "training.learning_rate=1e-2", "output.parts=trained"),
    "embedding": ("method.kind=embedding", 'words=[{"token": "<new>"}]', "concepts.0.prefix=<new> "),
}  # fmt: skip


Answer = Callable[[Event], Command | None] | None


@cache
def trained(method: str) -> Path:
    """A run of four steps with a model and a backup at each second, made once; not to be changed."""
    workspace = Path(mkdtemp(prefix="grid-"))
    more = ("backup.every=2 steps",)
    return folder_of(run(values(workspace, *LEARNS, SAMPLED, *more, *METHODS[method])))


@pytest.fixture
def of_lora(tmp_path: Path) -> Path:
    return copytree(trained("lora"), tmp_path / "test")


def make(folder: Path, answer: Answer = None, **settings: Any) -> list[Event]:
    return do(RunTool("grid", {"run": str(folder), "sheet": "none", **settings}), answer)


def drawn(events: list[Event]) -> list[GridCell]:
    return [event for event in events if isinstance(event, GridCell) and event.path and not event.reused]


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


AXES = {"column_values": ["base", "2", "last"], "row_values": ["blip robot", "sleepy"]}


def test_a_grid_is_drawn_and_told_cell_by_cell(of_lora: Path) -> None:
    events = make(of_lora, **AXES)
    cells = drawn(events)
    assert sorted((cell.column, cell.row, cell.tab) for cell in cells) == [
        (c, r, 0) for c in range(3) for r in range(2)
    ]
    assert len({cell.path for cell in cells}) == 6
    assert Stage("stage.grid", 6, 6) in events and events[-1] == Finished(path=str(of_lora / "grids" / "step x prompt"))
    assert [event.done for event in events if isinstance(event, GridCell) and not event.path] == [1, 2] * 6
    assert not any(np.array_equal(pixels(a.path), pixels(b.path)) for a in cells for b in cells if a is not b)


# The right weights ----------------------------------------------------------------------------------------------------


def of_sample_tool(folder: Path, out: Path, prompt: dict[str, Any], **more: Any) -> np.ndarray:
    """What the tool that makes images draws of a model alone."""
    recorded = recorded_preset(folder)
    assert recorded is not None
    preset = recorded.model_dump(mode="json")
    model = more.pop("model", "")
    if model:
        preset["model"]["source"] = model
    events = do(RunTool("sample", {"preset": preset, "prompts": [prompt], "out": str(out), **more}))
    (picture,) = out.glob("*.png")
    assert isinstance(events[-1], Finished)
    return pixels(picture)


def last_saved(folder: Path) -> Path:
    (file,) = [path for path in (folder / "models").glob("test.safetensors")]
    return file


@pytest.mark.parametrize("method", ["text encoder", "full"])
def test_the_cell_of_the_last_step_is_what_the_saved_file_draws(method: str, tmp_path: Path) -> None:
    folder = copytree(trained(method), tmp_path / "test")
    (base, last) = drawn(make(folder, column_values=["base", "last"], row_values=["blip robot"]))
    file = str(last_saved(folder))
    of_file = {"loras": [file]} if METHODS[method] == METHODS["text encoder"] else {"model": file}
    assert np.array_equal(pixels(last.path), of_sample_tool(folder, tmp_path / "one", PROMPTS[0], **of_file))
    assert np.array_equal(pixels(base.path), of_sample_tool(folder, tmp_path / "none", PROMPTS[0]))
    assert np.abs(pixels(last.path) - pixels(base.path)).max() > 3


@pytest.mark.parametrize("method", [name for name in METHODS if name != "lora"])
def test_a_backup_draws_what_the_model_of_its_step_draws(method: str, tmp_path: Path) -> None:
    folder = copytree(trained(method), tmp_path / "test")
    prompt = "a <new> robot" if method == "embedding" else "blip robot"
    settings: dict[str, Any] = {"column_values": ["base", "2", "4"], "row_values": [prompt], "reuse": False}
    saved = [pixels(cell.path) for cell in drawn(make(folder, **settings, name="saved"))]
    for file in (folder / "models").iterdir():
        file.rename(tmp_path / f"aside {file.name}")
    backups = [pixels(cell.path) for cell in drawn(make(folder, **settings, name="backups"))]
    assert len(saved) == len(backups) == 3
    most = 2 if method == "full" else 0  # a backup is not rounded
    assert [np.abs(a - b).max() <= most for a, b in zip(saved, backups, strict=True)] == [True] * 3
    assert not np.array_equal(backups[0], backups[1]) and not np.array_equal(backups[1], backups[2])


@pytest.mark.parametrize("method", ["lora", "full"])
def test_strength_goes_from_the_base_to_the_model_without_another_load(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, loads = copytree(trained(method), tmp_path / "test"), counted(monkeypatch)
    strengths = {"columns": "strength", "column_values": ["0, 0.5, 1, 1.2"], "row_values": ["blip robot"]}
    cells = drawn(make(folder, **strengths, tabs="step", tab_values=["2", "last"]))
    assert loads == [("base", 1)]
    at = {(cell.column, cell.tab): pixels(cell.path) for cell in cells}
    assert np.array_equal(at[0, 0], at[0, 1])  # nothing of either step
    assert not np.array_equal(at[1, 1], at[2, 1]) and not np.array_equal(at[2, 1], at[3, 1])
    half = next(cell.path for cell in cells if (cell.column, cell.tab) == (1, 1))
    assert {"lora": 'Loras: "test-step-00000004: 0.5"', "full": "Model: test-step-00000004 at 0.5"}[
        method
    ] in parameters_of(Path(half))
    (base, last) = drawn(make(folder, column_values=["base", "last"], row_values=["blip robot"], name="other"))
    assert np.array_equal(at[0, 0], pixels(base.path)) and np.array_equal(at[2, 1], pixels(last.path))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """How often models are opened from here on."""
    loads: list[tuple[str, int]] = []
    real = grid_models.open_model

    def open_model(*args: Any, **kwargs: Any) -> Any:
        loads.append(("base", len(loads) + 1))
        return real(*args, **kwargs)

    monkeypatch.setattr(grid_models, "open_model", open_model)
    return loads


# What is there is not drawn again -------------------------------------------------------------------------------------

WHOLE = {**AXES, "row_values": ["blip robot", "sleepy", "@empty", "fog"], "tabs": "guidance", "tab_values": ["1", "3"]}


def test_a_stopped_grid_goes_on_with_exactly_the_rest(of_lora: Path) -> None:
    seen: list[GridCell] = []

    def stop_in_the_eighth(event: Event) -> Command | None:
        if isinstance(event, GridCell):
            seen.append(event)
        return Stop(now=True) if sum(bool(cell.path) for cell in seen) == 7 and not seen[-1].path else None

    stopped = make(of_lora, stop_in_the_eighth, **WHOLE)
    assert stopped[-1] == Finished(stopped=True) and len(drawn(stopped)) == 7
    made = plan(Settings(run=str(of_lora), sheet="none", **WHOLE))
    assert (made.count, made.found) == (24, 7) and made.seconds > 0
    files = {path: path.stat().st_mtime_ns for path in (of_lora / "grids").rglob("*.png")}
    assert len(files) == 7 and not list((of_lora / "grids").rglob("*.part"))
    going_on = make(of_lora, **WHOLE)
    assert len(drawn(going_on)) == 17
    reused = [event for event in going_on if isinstance(event, GridCell) and event.path and event.reused]
    assert {Path(cell.path) for cell in reused} == set(files)
    assert all(path.stat().st_mtime_ns == when for path, when in files.items())
    record = json.loads((of_lora / "grids" / made.name / "grid.json").read_text(encoding="utf-8"))
    assert len(record["cells"]) == 24 and all(cell["done"] for cell in record["cells"])


def test_another_column_draws_only_itself(of_lora: Path) -> None:
    make(of_lora, **AXES)
    more = {**AXES, "column_values": ["base", "2", "4", "last"]}
    assert {(cell.column, cell.row) for cell in drawn(make(of_lora, **more))} == set()  # 4 is the last
    more["column_values"] = ["base", "2", "2 live", "last", str(of_lora / "models" / "other.safetensors")]
    (of_lora / "models" / "other.safetensors").write_bytes(last_saved(of_lora).read_bytes())
    assert {(cell.column, cell.row) for cell in drawn(make(of_lora, **more))} == {(4, 0), (4, 1)}


def test_a_file_that_was_written_anew_is_drawn_anew(of_lora: Path) -> None:
    make(of_lora, **AXES)
    step_2 = next((of_lora / "models").glob("*step-00000002*"))
    step_2.write_bytes(last_saved(of_lora).read_bytes())
    assert {(cell.column, cell.row) for cell in drawn(make(of_lora, **AXES))} == {(1, 0), (1, 1)}


def test_samples_of_the_run_are_reused_where_they_were_drawn_alike(tmp_path: Path) -> None:
    settings = (*LEARNS, SAMPLED, "sampling.every=2 steps", "sampling.first=true", "sampling.last=true")
    folder = folder_of(run(values(tmp_path, *settings)))
    assert len(list((folder / "samples").glob("*.png"))) == 6
    before = plan(Settings(run=str(folder), **AXES))
    assert before.found == 6
    events = make(folder, **AXES)
    assert not drawn(events) and sum(isinstance(event, GridCell) for event in events) == 6
    assert np.array_equal(pixels(folder / "samples" / "000002 - 1 - blip robot.png"), _at(events, 1, 0))
    assert len(drawn(make(folder, **AXES, steps=3, name="longer"))) == 6
    assert len(drawn(make(folder, **AXES, reuse=False, name="anew"))) == 6
    there, here = _at(events, 2, 0), _at(make(folder, **AXES, reuse=False, name="anew"), 2, 0)
    assert np.abs(there - here).max() <= 1


def _at(events: list[Event], column: int, row: int) -> np.ndarray:
    cells = [event for event in events if isinstance(event, GridCell) and event.path]
    return pixels(next(cell.path for cell in cells if (cell.column, cell.row) == (column, row)))


# Several models -------------------------------------------------------------------------------------------------------


def test_runs_of_one_base_share_it(of_lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = copytree(trained("text encoder"), tmp_path / "other")
    loads = counted(monkeypatch)
    runs = {"columns": "run", "column_values": [str(of_lora), str(other)], "row_values": ["blip robot"]}
    cells = drawn(make(of_lora, **runs, tabs="step", tab_values=["base", "last"]))
    assert len(loads) == 1
    at = {(cell.column, cell.tab): pixels(cell.path) for cell in cells}
    assert not np.array_equal(at[0, 1], at[1, 1])
    assert plan(Settings(run=str(of_lora), **runs)).columns.heads[1].label == "other"


def test_a_ratio_merges_the_base_with_another_model(of_lora: Path, tmp_path: Path) -> None:
    full = copytree(trained("full"), tmp_path / "full")
    second = last_saved(full)
    ratios = {"columns": "ratio", "column_values": ["0", "0.5", "1"], "row_values": ["blip robot"], "step": "base"}
    cells = drawn(make(of_lora, **ratios, second=str(second)))
    assert len(cells) == 3
    of_second = of_sample_tool(of_lora, tmp_path / "second", PROMPTS[0], model=str(second))
    assert np.abs(pixels(cells[2].path) - of_second).max() <= 1  # but for its VAE, which the file holds in half
    assert np.array_equal(pixels(cells[0].path), of_sample_tool(of_lora, tmp_path / "base", PROMPTS[0]))
    with pytest.raises(UserError, match="needs a second model"):
        make(of_lora, **ratios)


def test_a_ratio_sweeps_a_merge_of_any_kind_before_it_is_written(of_lora: Path, tmp_path: Path) -> None:
    full = copytree(trained("full"), tmp_path / "full")
    base = json.loads((of_lora / "preset.json").read_text(encoding="utf-8"))["model"]["source"]
    merge = {
        "models": [base, f"{full}:4"],
        "method": "slerp",
        "ratio": "0.5",
        "blocks": "MID=0.6",
        "curve": "ends more",
    }
    sweep = {"columns": "ratio", "column_values": ["0", "0.25"], "row_values": ["blip robot"], "step": "base"}
    cells = drawn(make(of_lora, **sweep, merge=json.dumps(merge)))
    assert np.array_equal(pixels(cells[0].path), of_sample_tool(of_lora, tmp_path / "base", PROMPTS[0]))
    written = tmp_path / "merged.safetensors"
    do(RunTool("merge", {**merge, "ratio": "0.25", "blocks": "MID=0.3", "out": str(written), "dtype": "fp32"}))
    merged = of_sample_tool(of_lora, tmp_path / "merged", PROMPTS[0], model=str(written))
    assert np.abs(pixels(cells[1].path) - merged).max() <= 1
    assert not np.array_equal(pixels(cells[0].path), merged)
    assert not drawn(make(of_lora, **sweep, merge=json.dumps(merge))), "what was drawn is found again"
    with pytest.raises(UserError, match="no settings of a merge"):
        make(of_lora, **sweep, merge="slerp")


def test_how_much_each_merge_has_forgotten_stands_under_its_ratio(of_lora: Path, tmp_path: Path) -> None:
    full, file = copytree(trained("full"), tmp_path / "full"), of_lora / "preset.json"
    preset = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**preset, "examine": {"points": "noise"}}), encoding="utf-8")
    merge = {"models": [preset["model"]["source"], f"{full}:4"]}
    sweep = {"columns": "ratio", "column_values": ["0", "0.1", "1"], "row_values": ["blip robot"], "forgotten": True}
    settings = Settings.model_validate({"run": str(of_lora), **sweep, "merge": json.dumps(merge), "sheet": "none"})
    do(RunTool("grid", settings.model_dump(mode="json")))
    numbers = [head.forgotten for head in plan(settings).columns.heads]
    assert numbers[0] == 0 < numbers[1] < numbers[2], "how far each merge is from the base"
    record = json.loads((plan(settings).folder / "grid.json").read_text(encoding="utf-8"))
    assert [head["forgotten"] for head in record["axes"]["columns"]["heads"]] == numbers


def test_a_model_that_cannot_be_read_leaves_the_others(of_lora: Path) -> None:
    next((of_lora / "models").glob("*step-00000002*")).write_bytes(b"no tensors")
    events = make(of_lora, **AXES)
    assert {cell.column for cell in drawn(events)} == {0, 2}
    assert "2 pictures cannot be drawn" in notes(events, "error")


def test_a_base_model_needs_no_run(of_lora: Path, tmp_path: Path) -> None:
    base = json.loads((of_lora / "preset.json").read_text(encoding="utf-8"))["model"]["source"]
    settings = {"run": "", "model": base, "columns": "guidance", "column_values": ["1-3"], "rows": "none", "width": 64}
    more = {"prompt": "blip robot", "steps": 2, "height": 64, "out": str(tmp_path / "out"), "sheet": "none"}
    events = do(RunTool("grid", {**settings, **more}))
    assert len(drawn(events)) == 3 and events[-1] == Finished(path=str(tmp_path / "out" / "guidance"))


# The plan -------------------------------------------------------------------------------------------------------------


def test_the_usual_grid_has_the_best_step_and_prompts_that_the_base_knows(of_lora: Path) -> None:
    with (of_lora / "events.jsonl").open("a", encoding="utf-8") as file:
        for step, forgotten, practised in ((0, 0.0, 0.0), (2, 0.3, 0.9), (4, 1.6, 1.0)):
            balance = practised - forgotten
            event = Retention(step, forgotten, [], practised, None, balance, None, 2, alarm=False, points="a")
            file.write(f"{encode(event)}\n")
        file.write('{"kind": "Retention", "step": 9, "forg')  # a kill
    usual = usual_grid(of_lora)
    assert usual.column_values == ("base", "2", "4")
    assert usual.row_values[:2] == ("blip robot", "sleepy") and usual.row_values[-1] == "@empty"
    assert len(usual.row_values) == 6
    heads = plan(usual).columns.heads
    assert [(head.forgotten, head.learnt) for head in heads] == [(0.0, 0.0), (0.3, 0.9), (1.6, 1.0)]
    assert [head.star for head in heads] == [False, True, True]
    assert subject_of(str(of_lora), "").picked("best").step == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"run": ""}, "neither a run nor a base model"),
        ({"rows": "step"}, "Two axes are both step"),
        ({"column_values": ["3"]}, "no model of step 3; it has 2 and 4"),
        ({"column_values": ["best"]}, "Nothing says which step"),
        ({"row_values": ["@files 3"]}, "is no source of prompts"),
        ({"tabs": "seed", "tab_values": ["many"]}, "is not a number"),
        ({"tabs": "size"}, "The axis size has no values"),
        ({"sampler": "dpm9"}, "no sampler"),
        ({"columns": "model", "column_values": ["a", "b"], "rows": "seed", "row_values": ["1-1000"], "tabs": "steps",
          "tab_values": ["1-20"]}, "would have 40,000 pictures"),
    ],
)  # fmt: skip
def test_what_makes_no_grid_is_refused_in_words(settings: dict[str, Any], said: str, of_lora: Path) -> None:
    with pytest.raises(UserError, match=said):
        plan(Settings(**{"run": str(of_lora), **settings}))


def test_prompts_come_from_the_run_its_images_a_file_or_by_hand(of_lora: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a red house --s 9\na car\n", encoding="utf-8")
    rows = ["@samples", "@dataset 2", f"@file {tmp_path / 'mine.txt'}", "@empty", "a, b"]
    labels = [head.label for head in plan(Settings(run=str(of_lora), row_values=tuple(rows))).rows.heads]
    assert labels[:2] == ["blip robot", "sleepy"] and labels[4:] == ["a red house", "a car", "empty prompt", "a, b"]
    again = plan(Settings(run=str(of_lora), row_values=tuple(rows))).rows.heads
    assert [head.label for head in again] == labels and len(set(labels[2:4])) == 2


def test_words_are_replaced_and_trigger_words_put_in_and_left_out(of_lora: Path) -> None:
    file = of_lora / "preset.json"
    preset = json.loads(file.read_text(encoding="utf-8"))
    preset["concepts"][0]["trigger"] = "ohwx"
    file.write_text(json.dumps(preset), encoding="utf-8")
    words = {"tabs": "trigger", "rows": "replace", "row_values": ("robot", "cat"), "columns": "none", "step": "base"}
    cells = plan(Settings(run=str(of_lora), prompt="a robot, ohwx, red", **words)).cells
    assert {(cell.row, cell.tab): cell.prompt.prompt for cell in cells} == {
        (0, 0): "a robot, ohwx, red", (1, 0): "a cat, ohwx, red", (0, 1): "a robot, red", (1, 1): "a cat, red",
    }  # fmt: skip


def test_what_is_the_same_for_all_is_over_the_runs_samples_and_an_axis_over_that(of_lora: Path) -> None:
    settings = Settings(run=str(of_lora), guidance=5, seed=7, columns="steps", column_values=("3, 4",))
    (cell, *_) = plan(settings).cells
    assert (cell.prompt.guidance, cell.prompt.seed, cell.prompt.steps, cell.prompt.width) == (5, 7, 3, 64)
    assert plan(Settings(run=str(of_lora))).cells[0].prompt.model_dump(include={"guidance", "seed", "steps"}) == {
        "guidance": 3, "seed": 42, "steps": 2,
    }  # fmt: skip
