"""What must be true of the files of a run: at any moment, and in the end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file

from modules.data.cache.shards import HEADER, SUFFIX, index_of_records, payload_in
from modules.data.cache.store import Cache
from modules.messages import Finished, Note, Progress, Retention, Started
from modules.trainer.backup import all_backups, is_whole
from modules.wire import decode


class Told:
    """A run that nobody disturbed: what it learnt, lost on the way, drew and saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.losses = losses_of(folder)
        self.models = {_plain(path, folder): load_file(path) for path in _models(folder)}
        self.measured, self.series = measured_of(folder), series_of(folder)
        self.samples = {path.name: _pixels(path) for path in _samples(folder)}
        self.state = _state(all_backups(folder / "backups")[0])
        self.keys, damaged = records_in(folder.parent / "cache")
        assert not damaged


def losses_of(folder: Path) -> dict[int, set[float]]:
    """Every loss that was ever told of each step; one number, if all that was done again came out the same."""
    found: dict[int, set[float]] = {}
    for event in events_of(folder):
        for step, loss in event.losses if isinstance(event, Progress) else ():
            found.setdefault(int(step), set()).add(loss)
    return found


def events_of(folder: Path) -> Iterator[Any]:
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").split("\n")
    for line in lines[
        :-1
    ]:  # behind the last newline: nothing, or a line that a kill tore and the next start takes away
        yield decode(line)


def wrong_after_a_kill(folder: Path, told: Told) -> list[str]:
    """Whatever stands under a final name and is not whole, or is something else than the undisturbed run wrote."""
    wrong = [f"{path.name} is no whole backup" for path in all_backups(folder / "backups") if not is_whole(path)]
    for path in _models(folder):
        try:
            held = load_file(path)
        except Exception as error:  # noqa: BLE001 - whatever it is, the file is not whole
            wrong.append(f"model {path.name} cannot be read: {error}")
            continue
        if difference := _difference(told.models.get(_plain(path, folder)), held):
            wrong.append(f"model {path.name}: {difference}")
    for path in _samples(folder):
        try:
            same = told.samples.get(path.name) == _pixels(path)
        except (OSError, SyntaxError) as error:
            wrong.append(f"sample {path.name} cannot be read: {error}")
            continue
        if not same:
            wrong.append(f"sample {path.name} shows something else")
    return wrong


def wrong_in_the_end(folder: Path, told: Told) -> list[str]:
    """What differs from the undisturbed run once a killed one has come to its end."""
    wrong = wrong_after_a_kill(folder, told)
    last = all_backups(folder / "backups")[0]
    wrong += [f"backup {last.name}: {text}" for text in [_difference(told.state, _state(last))] if text]
    if lost := told.losses.keys() - losses_of(folder).keys():
        wrong.append(f"the losses of steps {sorted(lost)} were never told")
    wrong += [
        f"the loss of step {step} was told as {sorted(losses)} and is {sorted(told.losses[step])}"
        for step, losses in losses_of(folder).items()
        if losses != told.losses[step]
    ]
    finished = [event for event in events_of(folder) if isinstance(event, Finished)]
    if not finished or finished[-1].stopped or not Path(finished[-1].path).exists():
        wrong.append("its last word is not that it has finished")
    wrong += _wrong_in_the_series(folder, told)
    if differing := told.samples.keys() ^ {path.name for path in _samples(folder)}:
        wrong.append(f"samples are missing or there twice: {sorted(differing)}")
    if differing := told.models.keys() ^ {_plain(path, folder) for path in _models(folder)}:
        wrong.append(f"models are missing or there twice: {sorted(differing)}")
    wrong += [f"{path.relative_to(folder)} was left behind" for path in leftovers(folder)]
    return wrong


def _wrong_in_the_series(folder: Path, told: Told) -> list[str]:
    """What was measured of forgetting. At which other steps hangs on how fast they were."""
    measured, series = measured_of(folder), series_of(folder)
    if lost := {0, 10} - {each["step"] for each in series["measured"]}:
        return [f"the series lacks the measurements of steps {sorted(lost)}"]
    if series["practised"] != told.series["practised"]:
        return ["the losses before training are others"]
    wrong = [f"step {step} was measured as {sorted(found)}" for step, found in measured.items() if len(found) > 1]
    wrong += [
        f"step {step} was measured as {sorted(found)} and is {sorted(told.measured[step])}"
        for step, found in measured.items()
        if step in told.measured and found != told.measured[step]
    ]
    held = {each["step"]: (each["forgotten"], each["practised"]) for each in series["measured"]}
    return wrong + [f"the series is wrong at {step}" for step, each in held.items() if {each} != measured[step]]


def measured_of(folder: Path) -> dict[int, set[tuple[float, float | None]]]:
    """All that was ever told of forgetting and learning at each step."""
    found: dict[int, set[tuple[float, float | None]]] = {}
    for event in events_of(folder):
        if isinstance(event, Retention):
            found.setdefault(event.step, set()).add((event.forgotten, event.practised))
    return found


def series_of(folder: Path) -> dict[str, Any]:
    return torch.load(all_backups(folder / "backups")[0] / "retention.pt", weights_only=True)


def records_in(cache: Path) -> tuple[set[bytes], list[str]]:
    """The keys of all whole records, and the records that are damaged."""
    found: set[bytes] = set()
    wrong: list[str] = []
    for shard in sorted(cache.glob(f"*{SUFFIX}")):
        held = shard.read_bytes()
        for place in index_of_records(shard):
            start, end = int(place["offset"]), int(place["offset"]) + HEADER.size + int(place["length"])
            key = held[start + 4 : start + 36]
            if payload_in(held[start:end], key) is None:
                wrong.append(f"a record of {shard.name} at {start} is damaged")
            found.add(key)
    return found, wrong


def wrong_in_the_cache(cache: Path, keys: set[bytes]) -> list[str]:
    """What is damaged, missing or left behind in a cache over which runs were killed."""
    found, wrong = records_in(cache)
    with Cache(cache) as opened:
        lost = [key.hex() for key in keys if key.hex() not in opened]
    if lost or found != keys:
        wrong.append(f"the cache lacks {len(lost)} things and holds {len(found - keys)} that nobody asked for")
    return wrong + [f"{path.relative_to(cache)} was left behind in the cache" for path in leftovers(cache)]


def leftovers(folder: Path) -> list[Path]:
    """Drafts of writers that were killed."""
    return [path for path in folder.rglob(".*") if path.suffix in (".part", ".old")]


def _models(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "models").rglob("*.safetensors") if not path.name.startswith("."))


def _samples(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "samples").glob("*.png") if not path.name.startswith("."))


def _plain(path: Path, folder: Path) -> str:
    """The name of a model, whatever the run is called: "run 3-step-9" is "-step-9"."""
    inside = path.relative_to(folder / "models")
    return "/".join(part.removesuffix(".safetensors").removeprefix(folder.name) for part in inside.parts)


def _pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.convert("RGB").tobytes()


def _state(backup: Path) -> dict[str, Any]:
    times = ("started", "retention")  # what hangs on them
    parts = [path for path in sorted(backup.glob("*.pt")) if path.stem not in times]
    held = {path.stem: torch.load(path, weights_only=True) for path in parts}
    return dict(_flat(held, ""))


def _flat(held: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(held, dict):
        yield from chain.from_iterable(_flat(value, f"{name}/{key}") for key, value in held.items())
    elif isinstance(held, list | tuple):
        yield from chain.from_iterable(_flat(value, f"{name}/{number}") for number, value in enumerate(held))
    else:
        yield name, held


def _difference(expected: dict[str, Any] | None, found: dict[str, Any]) -> str:
    """What differs, bit for bit; "" if nothing does."""
    if expected is None:
        return "the undisturbed run wrote nothing of this name"
    if names := expected.keys() ^ found.keys():
        return f"other contents: {sorted(names)[:3]}"
    for name, value in expected.items():
        same = torch.equal(value, found[name]) if isinstance(value, torch.Tensor) else value == found[name]
        if not same:
            return f"{name} differs"
    return ""


def step_told(folder: Path) -> int:
    """The last step whose loss was told since the run was last started; 0 if none was."""
    reached = 0
    for event in events_of(folder):
        if isinstance(event, Started):
            reached = 0
        if isinstance(event, Progress):
            reached = int(max(step for step, _ in event.losses))
    return reached


def unsaid(folder: Path, life: int, backup: int, told: int) -> list[str]:
    """What a run that was continued kept to itself: where it went on, and how much is done again.

    `life`: how many events there were before; `backup`: the step of the newest whole backup, -1 if there was none;
    `told`: the last step that had been told.
    """
    new = list(islice(events_of(folder), life, None))
    started = next((event for event in new if isinstance(event, Started)), None)
    if started is None:
        return []  # it was killed before
    wrong = [] if started.resumed_from == backup else [f"continued from {started.resumed_from}, not from {backup}"]
    notes = " ".join(event.text for event in new if isinstance(event, Note))
    expected = "starts again from the beginning" if backup < 0 else f"{told - backup} step" if told > backup else ""
    # Its next words may have died with it; the ones after them prove that it kept silent.
    if expected not in notes and any(isinstance(event, Progress) for event in new):
        wrong.append(f"nobody was told that {told - max(backup, 0)} steps are done again ({notes})")
    return wrong
