"""Run folders, caches and project files that an older commit wrote: today's code must go on with them.

A folder beside this file is named after the commit that wrote it (`write.py`); it lies there as that commit left it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from modules.messages import Event, Failed, Finished, Started
from modules.preset.files.store import read
from modules.trainer.run_folder.workspace import step_reached
from modules.wire import decode
from tests.trainer.runs import end_of, folder_of, run, trained

OLD = sorted(path for path in Path(__file__).parent.iterdir() if (path / "made_with.json").exists())
KINDS = ("lora", "full")


@pytest.fixture(params=OLD, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what a commit wrote; the paths in its presets, which are absolute, lead into the copy."""
    copy = tmp_path / request.param.name
    shutil.copytree(request.param, copy)
    for file in copy.glob("runs/*/preset.json"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(f"/tmp/{copy.name}", copy.as_posix()), encoding="utf-8")
    return copy


def project(old: Path, kind: str) -> dict[str, Any]:
    """The project file in an old run's folder, as values."""
    return read(old / "runs" / kind / "preset.json").model_dump(mode="json")


def expected(old: Path, kind: str) -> dict[str, Tensor]:
    """The weights of a run that the old commit did without a break."""
    return load_file(old / f"{kind}.safetensors")


def ended(folder: Path, kind: str) -> dict[str, Tensor]:
    whats = ("method", "ema") if kind == "lora" else ("method",)
    return {f"{what}|{name}": tensor for what in whats for name, tensor in trained(folder, what).items()}


def same_machine(old: Path) -> bool:
    """Whether sums come out with the same rounding here as where the folder was written."""
    made_with = json.loads((old / "made_with.json").read_text(encoding="utf-8"))
    return made_with == {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_run_is_resumed_and_ends_bit_for_bit_as_if_nothing_had_changed(old: Path, kind: str) -> None:
    events = run(project(old, kind), resume=str(old / "runs" / kind))
    assert next(event for event in events if isinstance(event, Started)).resumed_from == 4
    assert end_of(events).step == 7
    found, wanted = ended(folder_of(events), kind), expected(old, kind)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        if same_machine(old):
            assert torch.equal(found[name], tensor), name
        else:  # another processor or another torch rounds otherwise, from the first sum on
            torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-6)


def test_an_old_cache_is_used_and_nothing_of_it_is_encoded_again(old: Path) -> None:
    before = {path.name: path.read_bytes() for path in (old / "cache").glob("*.shard")}
    run(project(old, "full"), resume=str(old / "runs" / "full"))
    assert before
    assert {path.name: path.read_bytes() for path in (old / "cache").glob("*.shard")} == before


def test_every_line_that_an_old_run_told_is_still_read(old: Path) -> None:
    files = [*old.glob("runs/*/events.jsonl"), old / "failed.jsonl"]
    told: list[Any] = [decode(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert {type(event) for event in told} >= {Started, Finished, Failed}
    assert all(isinstance(event, Event) for event in told)
    (failed,) = [event for event in told if isinstance(event, Failed)]
    assert [fix.changes for fix in failed.fixes] == [{"training.learning_rate": 1e-4}]
    assert all(step_reached(old / "runs" / kind) == 4 for kind in KINDS)
