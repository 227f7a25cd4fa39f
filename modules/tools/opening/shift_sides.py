"""A base model and what is compared with it: models, LoRAs, steps of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from modules.errors import UserError
from modules.families import LoadOptions
from modules.families.parts.adapter_origin import layer_shapes, model_of, read_for
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.adapter_files import is_adapter, read_adapter
from modules.merging.adapters import delta_of
from modules.merging.models import Model, checked, opened
from modules.merging.weight_shift import Changes, changes_in, changes_of
from modules.system.bundled import resolve
from modules.system.weights import open_weights
from modules.tools.run_steps import place_of, run_step


class Sides:
    """`family`: of the base, or the usual model that a LoRA without one was made for."""

    def __init__(self, base: str, names: Sequence[str], options: LoadOptions) -> None:
        """Raises a UserError where a base is needed and none is given, or something cannot be read."""
        named = [name for name in names if name]
        self._adapters = {name: file for name in named if (file := _adapter(name)) is not None}
        self._models: dict[str, Model] = {}
        self._norms: dict[str, float] = {}
        self.base: Model | None = None
        whole = [name for name in dict.fromkeys(named) if name not in self._adapters]
        if not base and whole:
            raise UserError("shift.base", "base")
        if not base:
            self.family: DiffusersFamily = model_of(next(iter(self._adapters.values())))
            return
        self.base, *others = opened([place_of(name) for name in (base, *whole)], options)
        self._models = dict(zip(whole, others, strict=True))
        assert self.base.family is not None
        self.family = self.base.family

    def changes(self, name: str) -> Changes:
        """What was changed in the base by one of them."""
        if name in self._models and self.base is not None:
            return changes_of(self.base, self._models[name])
        file, shapes = self._adapters[name], layer_shapes(self.family)
        known = self.base is not None
        updates = read_for(self.family, file) if known else read_adapter(file, self.family.layer_spellings())
        return changes_in(updates, lambda layer, update: delta_of(layer, update, shapes, self.base))

    def weight(self, name: str) -> float | None:
        """The norm of a tensor of the base; None where there is no base."""
        if self.base is None:
            return None
        if name not in self._norms:
            component, _, tensor = name.partition("|")
            weights = self.base.weights[component]
            file = next((each for each in (tensor, f"text_model.{tensor}") if each in weights.shapes), "")
            found = torch.linalg.vector_norm(checked(weights, file, self.base.name)) if file else 0.0
            self._norms[name] = float(found)
        return self._norms[name]


def _adapter(name: str) -> Path | None:
    """The LoRA file that a name means; None for a model."""
    step = run_step(name)
    path = resolve(name) if step is None else step.path
    if not path.is_file() or path.suffix != ".safetensors":
        return None
    return path if is_adapter(open_weights(path).shapes) else None
