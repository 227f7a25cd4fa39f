"""One cell of a grid: what is drawn with which weights, and the name that both give its file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.data.text.captions import has_trigger, without_trigger
from modules.errors import UserError
from modules.grids.run_models import models_of
from modules.grids.settings import NO_SEED, Settings
from modules.grids.subject import BASE, Subject
from modules.grids.values import sampler_of
from modules.preset.files.lora_strength import file_and_strength
from modules.preset.preset import Preset
from modules.preset.rules.live_changes import prompt_of
from modules.preset.sections.sampling import NEW_EACH_TIME, Prompt
from modules.preset.usual_sampling import usual_prompt
from modules.run_folders import is_run
from modules.system.bundled import resolve
from modules.system.reading import open_file, read_bytes

VERSION = 1  # of what a file's name is made of
HEAD = 2**16  # bytes of a file's beginning: names, shapes, metadata
MEMORY = {"offload", "training_adapters"}  # settings of a model that change no image
FOR_ALL = ("negative", "guidance", "steps", "width", "height")  # settings that are taken unless they are empty
OF_SAMPLES = {"prompt_weights", "lora_folder", "loras", "skip_unread"}


@dataclass(frozen=True)
class Weights:
    """What a cell is drawn with."""

    run: str  # whose settings say how the model is opened; "" where there is none
    source: str  # the base model
    opening: str  # the settings it is opened with: what agrees in both shares one model in memory
    file: str = ""  # the saved model or backup of the step; "" is the base
    average: bool = False  # of a backup: its moving average
    strength: float = 1.0  # of what the file holds
    second: str = ""  # a model that the base is merged with
    ratio: float = 0.0
    merge: str = ""  # the settings of a merge whose ratio it is, as JSON

    @property
    def merges(self) -> bool:
        return bool(self.second or self.merge)


@dataclass(frozen=True)
class Cell:
    """A place in the grid. Cells that come out alike have one path."""

    column: int
    row: int
    tab: int
    path: Path
    prompt: Prompt
    weights: Weights
    done: bool = False
    sample: Path | None = None  # an image of the run that was drawn alike


def weights_of(changes: Mapping[str, Any], settings: Settings, subject: Subject) -> Weights:
    """The weights that these heads ask for. What comes to the same is the same: the base at any strength, say.

    Raises:
        UserError: there is no such step.
    """
    source = str(changes.get("model", subject.preset.model.source))
    run = str(subject.run or "")
    value = changes.get("step", settings.step if subject.run and "model" not in changes else "base")
    picked = subject.picked(value, near="run" in changes)
    strength = float(changes.get("strength", settings.strength))
    if picked.path is None or strength == 0:
        picked, strength = BASE, 1.0
    ratio = float(changes.get("ratio", settings.ratio))
    second = settings.second if ratio else ""
    file, opening = str(picked.path) if picked.path else "", opening_of(subject.preset)
    if settings.merge:
        return Weights(run, source, opening, ratio=ratio, merge=settings.merge)
    return Weights(run, source, opening, file, picked.average, strength, second, ratio if second else 0.0)


def opening_of(preset: Preset) -> str:
    """The settings of a run that say how its base model is opened."""
    settings = preset.model.model_dump(mode="json", exclude=MEMORY | {"source"})
    return json.dumps([settings, preset.objective.model_dump(mode="json"), preset.method.kind == "full"])


def prompt_for(changes: Mapping[str, Any], settings: Settings, preset: Preset) -> Prompt:
    """The prompt of a cell with its settings: the heads', over those of all cells, over the run's sample prompt's.

    Raises:
        Problems: they do not go together.
    """
    text = str(changes.get("prompt", _same_for_all(settings, preset)))
    own = _sample_prompt(text, preset)
    over: dict[str, Any] = {"prompt": text, "enabled": True}
    over |= {"seed": Prompt().seed} if own.get("seed") == NEW_EACH_TIME else {}
    over |= {name: value for name in FOR_ALL if (value := getattr(settings, name))}
    over |= {"seed": settings.seed} if settings.seed != NO_SEED else {}
    over |= sampler_of(settings.sampler) if settings.sampler else {}
    over |= {name: changes[name] for name in ("seed", "guidance", "steps") if name in changes}
    over |= changes.get("sampler", {})
    if "size" in changes:
        over["width"], over["height"] = changes["size"]
    over["prompt"] = _words(text, changes, preset)
    return prompt_of({**own, **over}, preset.model.family)


def name_of(prompt: Prompt, weights: Weights, preset: Preset, known: dict[str, str]) -> str:
    """A name that is the same wherever the same comes out. `known`: fingerprints that were taken before."""
    sampling = preset.sampling.model_dump(mode="json", include=OF_SAMPLES)
    loras = [lora["path"] for lora in sampling["loras"] if lora["enabled"] and lora["path"]]
    facts = {
        "version": VERSION,
        "prompt": prompt.model_dump(mode="json", exclude={"enabled"}),
        "resolution": preset.training.resolution,
        "sampling": sampling,
        "loras": [_mark(path, known) for path in loras],
        "images": [_mark(place, known) for place in (prompt.image, prompt.mask) if place],
        **_facts_of(weights, known),
    }
    return _hash(facts)


def mark_of(weights: Weights, known: dict[str, str]) -> str:
    """A name of the weights alone, for what is measured of them. `known`: as above."""
    return _hash(_facts_of(weights, known))


def _facts_of(weights: Weights, known: dict[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "base": [_mark(weights.source, known), weights.opening],
        "file": _mark(weights.file, known) if weights.file else "",
        "average": weights.average,
        "strength": weights.strength,
        "second": [_mark(weights.second, known), weights.ratio] if weights.second else [],
    }
    if weights.merge:
        files = [_mark(file, known) for file in merged_files(weights.merge)]
        facts["merge"] = [weights.merge, weights.ratio, *files]
    return facts


def _mark(source: str, known: dict[str, str]) -> str:
    if source not in known:
        known[source] = fingerprint(source)
    return known[source]


def _hash(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def _same_for_all(settings: Settings, preset: Preset) -> str:
    if settings.prompt:
        return "" if settings.prompt == "@empty" else settings.prompt
    return next((prompt.prompt for prompt in preset.sampling.prompts if prompt.enabled), "")


def _sample_prompt(text: str, preset: Preset) -> dict[str, Any]:
    """The run's sample prompt of these words, else its first one; without any, what the model usually draws with."""
    enabled = [prompt for prompt in preset.sampling.prompts if prompt.enabled]
    own = next((prompt for prompt in enabled if prompt.prompt == text), enabled[0] if enabled else None)
    return own.model_dump(mode="json") if own else usual_prompt(preset.model_dump(mode="json"))


def _words(text: str, changes: Mapping[str, Any], preset: Preset) -> str:
    if "replace" in changes:
        old, new = changes["replace"]
        text = text.replace(old, new) if old else text
    if "trigger" not in changes:
        return text
    triggers = [t for concept in preset.concepts if concept.enabled and (t := concept.trigger.strip())]
    if changes["trigger"]:
        missing = [trigger for trigger in dict.fromkeys(triggers) if not has_trigger(text, trigger)]
        return ", ".join([*missing, text] if text else missing)
    for trigger in triggers:
        text = without_trigger(text, trigger)
    return text


def fingerprint(source: str) -> str:
    """Names the weights in a file or folder by what it looks like from outside: to read gigabytes would take too long.

    Changes whenever a file is written; a name on the hub is its own.
    """
    place = resolve(source)
    if not place.exists():
        return f"hub {source}"
    digest = hashlib.sha256()
    if (place / "manifest.json").is_file():  # a backup: it lists the hashes of its files
        digest.update(read_bytes(place / "manifest.json"))
        return digest.hexdigest()
    for file, name in _files(place):
        about = file.stat()
        digest.update(f"{name} {about.st_size} {about.st_mtime_ns}".encode())
        with open_file(file) as opened:
            digest.update(opened.read(HEAD))
    return digest.hexdigest()


def merged_files(merge: str) -> list[str]:
    """The files and folders that the settings of a merge name; of a run the model or backup that is meant.

    Raises:
        UserError: these are no settings.
    """
    try:
        values: Any = json.loads(merge)
        loras = [file_and_strength(str(each))[0] for each in values.get("loras", ())]
        named = [*values.get("models", ()), values.get("base", ""), values.get("recipe", ""), *loras]
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError("merge.no-settings", "merge") from error
    return [model_of(str(each)) for each in named if each]


def model_of(source: str) -> str:
    """What a tool takes as a model, as a file or folder: of a run its newest, or that of the step behind the colon."""
    name, _, step = source.rpartition(":")
    folder, wanted = (Path(name), int(step)) if step.isdecimal() and name else (Path(source), -1)
    if not is_run(folder.expanduser()):
        return source
    found = [each for each in models_of(folder.expanduser()) if wanted in (-1, each.step)]
    return str(found[-1].path) if found else source


def _files(place: Path) -> Iterator[tuple[Path, str]]:
    if place.is_file():
        yield place, ""
        return
    for folder, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            yield file, file.relative_to(place).as_posix()
