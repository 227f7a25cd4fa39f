"""What goes for all scores: where they are computed, and whom the work tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from modules.sentences.problem import Problem


@dataclass(frozen=True)
class How:
    """`progress` gets a stage, done and total, and raises what ends the work; `say` tells a person."""

    device: torch.device
    batch_size: int
    cache: Path
    progress: Callable[[str, int, int], None]
    say: Callable[[Problem], None]
