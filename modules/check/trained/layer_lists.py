"""The layers of a preset's model: names and shapes, without reading a weight. No torch: a process builds the model.

It takes seconds, nearly all of them for the import of diffusers (resources/decisions/0024). So what it says is kept in
the read cache: by the config that the model has, of a single file until that changes.
"""

from __future__ import annotations

import json
import re
import subprocess
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, cast

from modules.catalog import ComponentSpec, FamilyCard, Variant
from modules.errors import UserError
from modules.preset.adapter_sizes import Shape
from modules.preset.preset import Preset
from modules.system import reading
from modules.system.bundled import ROOT, in_program_folder, resolve
from modules.system.hub import Wanted, download_model, looks_like_hub_name
from modules.system.read_cache import ReadCache
from modules.system.runtime import python_command, python_environment
from modules.system.stamps import ALWAYS, Stamp, stamp_of

TABLE = "layers-1"
PATIENCE_S = 300
COMMAND = python_command("-m", "modules.families.parts.layer_list")
LIBRARIES = [f"{name} {version(name)}" for name in ("diffusers", "transformers")]
Build = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Part:
    """The layers of a component."""

    spec: ComponentSpec
    weights: dict[str, Shape]  # by name, in the model's order
    layers: tuple[str, ...]  # paths of linear layers and convolutions
    width: int  # of the vectors of words; 0 for what reads none

    @property
    def whole(self) -> int:
        return sum(map(prod, self.weights.values()))

    @property
    def adaptable(self) -> dict[str, Shape]:
        """The layers that an adapter can be put on, with the shapes of their weights."""
        pattern = self.spec.adapted_layers
        return {path: self.weights[f"{path}.weight"] for path in self.layers if pattern.fullmatch(path)}


@dataclass(frozen=True)
class LayerLists:
    title: str  # of the model that was looked at
    own: bool  # whether it is the preset's own; else a usual one of its family
    parts: dict[str, Part]


def in_a_process(**question: Any) -> dict[str, Any]:
    """The answer of `modules.families.parts.layer_list`.

    Raises:
        RuntimeError: it has none, with what it printed.
    """
    done = subprocess.run(
        COMMAND, input=json.dumps(question), capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=False,
        env=python_environment(),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the layers of {question['module']} could not be listed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)


def layer_lists(preset: Preset, components: Sequence[str], build: Build = in_a_process) -> LayerLists:
    """The layers of these components of the preset's model; what is not known yet is built."""
    card, source, general = preset.card, preset.model.source, preset.general
    place, usual = _place(card, source), usual_variant(card, preset.model_called)
    file = place if place and place.is_file() else None
    folder = place if place and not file else ROOT / "resources" / "models" / usual.kind if usual else None
    configs = {name: _config(folder, card.component(name)) for name in components}
    stamp = stamp_of(file.stat()) if file else ALWAYS
    keys = {n: json.dumps([*LIBRARIES, card.component(n).class_path, str(file or ""), configs[n]]) for n in components}
    cache = in_program_folder(general.cache) if general.cache else in_program_folder(general.workspace) / "cache"
    with ReadCache(cache) as kept:
        rows = kept.get(TABLE, dict.fromkeys(keys.values(), stamp))
        if missing := {name: configs[name] for name in components if keys[name] not in rows}:
            built = build(module=card.module, file=str(file or ""), configs=missing)
            new: dict[str, tuple[Stamp, bytes]] = {
                keys[name]: (stamp, zlib.compress(json.dumps(each).encode())) for name, each in built.items()
            }
            kept.put(TABLE, new)
            rows |= {key: row for key, (_, row) in new.items()}
    held = {name: json.loads(zlib.decompress(rows[key])) for name, key in keys.items()}
    own = place is not None and all(each["opened"] for each in held.values())
    title = Path(source).name if own else usual.title if usual else card.title
    return LayerLists(title, own, {name: _part(card.component(name), each) for name, each in held.items()})


def usual_variant(card: FamilyCard, source: str) -> Variant | None:
    """What a model that is not on this computer is taken for, by its name."""
    named = (variant for variant in card.variants if variant.names and re.search(variant.names, source, re.IGNORECASE))
    return next(named, card.variants[0] if card.variants else None)


def _place(card: FamilyCard, source: str) -> Path | None:
    """The file or folder of the model on this computer; None if there is none with a config of its denoiser."""
    try:
        path = resolve(source)
        if looks_like_hub_name(source) and not path.exists():
            path = download_model(source, Wanted(card.folders), offline=True)
        whole = path.is_file() or (path / card.component("denoiser").folder / "config.json").is_file()
        return path.absolute() if source and whole else None
    except (UserError, OSError, ValueError):
        return None


def _config(folder: Path | None, spec: ComponentSpec) -> dict[str, Any]:
    """A component's config; empty, for what its class says itself, where there is none that can be read."""
    if folder is None:
        return {}
    try:
        held: Any = reading.read_json(folder / spec.folder / "config.json")
    except (OSError, ValueError):
        return {}  # the engine will say what is wrong with it
    return cast("dict[str, Any]", held) if isinstance(held, dict) else {}


def _part(spec: ComponentSpec, held: dict[str, Any]) -> Part:
    weights = {name: tuple(shape) for name, shape in held["weights"].items()}
    return Part(spec, weights, tuple(held["layers"]), held["width"])
