"""The layers of models: `python -m modules.families.parts.layer_list` reads a question and writes the answer, in JSON.

A process of its own, because it imports diffusers for the sake of a few thousand names: beside a run it would take the
run's time, and two threads that import the same libraries at once can find them half made.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

from torch import nn

from modules.errors import UserError
from modules.families.parts.building import empty_component
from modules.families.parts.config_check import check_configs
from modules.families.parts.pipeline import DiffusersFamily
from modules.system.runtime import gc_paused

Configs = Mapping[str, Mapping[str, Any]]


def layer_lists(module: str, file: str, configs: Configs) -> dict[str, Any]:
    """Names and shapes of what these components of a family hold.

    Args:
        module: of the family.
        file: a model in one file; "": none.
        configs: of the components; empty ones stand for what the classes say themselves.

    Returns:
        By component its `layer_list`, and whether the file, if there is one, could be "opened".

    Raises:
        UserError: a config cannot be right.
    """
    family: type[DiffusersFamily] = import_module(module).FAMILY
    own = _of_file(family, file) if file else configs
    used = {name: (own or configs)[name] for name in configs}
    check_configs({name: config for name, config in used.items() if config}, family.card, file or "The model")
    empty = {name: empty_component(family.card.component(name), config) for name, config in used.items()}
    return {name: {"opened": own is not None, **layer_list(part)} for name, part in empty.items()}


def layer_list(module: nn.Module) -> dict[str, Any]:
    """Shapes of all weights by name, which layers are linear or convolutions, and how wide the vectors of words are."""
    table = cast("Any", module).get_input_embeddings() if hasattr(module, "get_input_embeddings") else None
    return {
        "weights": {name: list(parameter.shape) for name, parameter in module.named_parameters()},
        "layers": [path for path, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)],
        "width": table.embedding_dim if table is not None else 0,
    }


def _of_file(family: type[DiffusersFamily], file: str) -> Configs | None:
    try:
        return family.open_file(Path(file)).configs
    except UserError:
        return None


def reply(asked: IO[str], answer: IO[str]) -> None:
    """Read a question, the arguments of `layer_lists`, and write what it returns."""
    with gc_paused():  # imports what the components are made of
        json.dump(layer_lists(**json.loads(asked.read())), answer)


def main() -> None:
    """Keep stdout for the answer: what libraries print goes to stderr."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        reply(sys.stdin, answer)


if __name__ == "__main__":
    main()
