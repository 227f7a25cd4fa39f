"""CPU milliseconds of single layers with LoHa, LoKr and OFT, forward and backward: ours, PEFT's, LyCORIS's.

    python -m tests.benchmarks.adapter_kinds [--size 512] [--rounds 3]

The layers of SD 1.5 that take most time, with as many positions as an image of that size gives them; fp32, one thread.
Rank 8, LoKr near the root, OFT in blocks of 16. LyCORIS is measured where it can be imported (lycoris-lora 4.1).
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from modules.methods.adapter import UPDATES
from modules.preset.sections.method import ADAPTERS
from tests.benchmarks.adapter_layers import lycoris_module, peft_model

# inputs, outputs, kernel, and on a side, of the latents, how many times smaller; 0: text, of 77 tokens
LAYERS = {
    "320": (320, 320, 1), "320 to 2560": (320, 2560, 1), "text to 320": (768, 320, 0), "640": (640, 640, 2),
    "1280": (1280, 1280, 4), "text encoder": (768, 768, 0), "conv 320": (320, 320, -1), "conv 1280": (1280, 1280, -4),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="pixels on a side")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ways: dict[str, Callable[[Any, str], Any]] = {"ours": with_ours, "peft": with_peft}
    if importlib.util.find_spec("lycoris"):
        ways["lycoris"] = with_lycoris
    for kind in ("loha", "lokr", "oft"):
        for name, sizes in LAYERS.items():
            found = {way: measured(kind, sizes, options, attach) for way, attach in ways.items()}
            print(f"{kind:5} {name:13}", *(f"{way} {ms:8.1f} ms" for way, ms in found.items()), flush=True)


def measured(kind: str, sizes: tuple[int, int, int], options: Any, attach: Callable[[Any, str], Any]) -> float:
    inputs, outputs, down = sizes
    torch.manual_seed(0)
    side = options.size // 8 // abs(down) if down else 0
    if down < 0:
        layer: Any = nn.Conv2d(inputs, outputs, 3, padding=1).to(memory_format=torch.channels_last)
        x = torch.randn(1, inputs, side, side).to(memory_format=torch.channels_last)
    else:
        layer, x = nn.Linear(inputs, outputs), torch.randn(1, side * side or 77, inputs)
    module = attach(layer.requires_grad_(False), kind)
    x.requires_grad_()
    seconds = []
    for _ in range(options.rounds + 1):
        start = time.process_time()
        module(x).sum().backward()
        seconds.append(time.process_time() - start)
    return 1000 * min(seconds[1:])


def with_ours(layer: Any, kind: str) -> Any:
    settings: Any = ADAPTERS[kind]() if kind == "oft" else ADAPTERS[kind](rank=8)
    made: Any = UPDATES[kind]
    made(
        layer, made.initial_tensors(layer, settings, None, torch.Generator().manual_seed(0)), settings, torch.float32
    ).attach()
    return layer


def with_peft(layer: Any, kind: str) -> Any:
    return peft_model(nn.ModuleDict({"it": layer}), kind, ["it"]).model["it"]


def with_lycoris(layer: Any, kind: str) -> Any:
    module = lycoris_module(layer, kind, "it")
    module.train()
    module.apply_to()
    return layer


if __name__ == "__main__":
    main()
