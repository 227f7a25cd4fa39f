"""What is measured, the most telling first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.validate import preset_of

SIZES = {"sd": 512, "sdxl": 1024, "flux1": 1024, "flux2_klein": 1024, "zimage": 1024}
TITLES = {"sd": "SD 1.5", "sdxl": "SDXL", "flux1": "FLUX.1", "flux2_klein": "FLUX.2 klein 4B", "zimage": "Z-Image"}
FULL = {"sd": 8, "sdxl": 8, "flux2_klein": 1, "zimage": 1}  # batch; FLUX.1's 12 thousand million would not fit


@dataclass(frozen=True)
class Case:
    """One kind of step."""

    family: str
    method: str = "lora"
    batch: int = 1
    quantization: str = "off"
    offload: float = 0.0
    compiled: bool = False

    @property
    def step(self) -> Case:
        """The same uncompiled: what the check can count."""
        return Case(self.family, self.method, self.batch, self.quantization, self.offload)

    @property
    def words(self) -> set[str]:
        """What it can be asked for with."""
        return {
            self.family, self.method, self.quantization, f"{self.offload:g}", "compiled" if self.compiled else "eager",
        }  # fmt: skip

    @property
    def title(self) -> str:
        return f"{TITLES[self.family]} {self.method}, batch {self.batch}"

    def preset(self, device: str) -> Preset:
        """Checkpoints where blocks are offloaded, as whoever wants the one needs the other."""
        share = f"{self.offload * 100:g} %" if self.offload else "none"
        offload = "none" if device == "cpu" else share  # which the settings refuse: see `family_of`
        model = {"family": self.family, "dtype": "bf16", "quantization": self.quantization, "offload": offload}
        training = {
            "batch_size": self.batch,
            "gradient_checkpointing": "all" if self.offload else "none",
            "weights": "bf16" if self.method == "full" else "fp32",
        }
        preset = preset_of(
            {
                "version": Preset.VERSION, "model": model, "training": training, "method": {"kind": self.method},
                "general": {"device": device, "threads": 1},
            }
        )  # fmt: skip
        assert not conflicts(preset), conflicts(preset)
        return preset


GOALS = (Case("sdxl", "full", 8), Case("sdxl"), Case("flux1", compiled=True))
ORDER = ("flux1", "sdxl", "zimage", "flux2_klein", "sd")


def cases() -> list[Case]:
    """All of them: those with a goal, then those that differ least from how a family is usually trained."""
    lora = [
        Case(family, "lora", 1, quantization, offload, compiled)
        for family, quantization, offload, compiled in product(
            ORDER, ("off", "int8", "nf4"), (0.0, 0.5, 0.9), (False, True)
        )
    ]
    full = [
        Case(family, "full", batch, compiled=compiled) for family, batch in FULL.items() for compiled in (False, True)
    ]
    every = sorted([*lora, *full], key=lambda case: (_differences(case), ORDER.index(case.family)))
    return [*GOALS, *(case for case in every if case not in GOALS)]


def _differences(case: Case) -> int:
    return (case.method == "full") + (case.quantization != "off") + (case.offload > 0) + case.compiled
