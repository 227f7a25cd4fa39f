"""How exact packed weights are, how small, and what they cost: a linear layer with a LoRA, as one of FLUX.1's.

    python -m tests.benchmarks.packing [--outputs 3072] [--inputs 3072] [--rows 32] [--rounds 5]

Normal weights, bf16, rank 16, one thread. The error of the answer and of the input's gradient is relative to the same
layer with its weight in bf16; CPU milliseconds are those of a forward and a backward pass, the best of some rounds.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor, nn

from modules.methods.lora_update import LoraUpdate
from modules.placement.frozen import KINDS
from modules.placement.layers import put_packed
from modules.preset.sections.method import Lora


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("outputs", 3072), ("inputs", 3072), ("rows", 32), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(1, options.rows, options.inputs).bfloat16()
    exact: list[Tensor] = []
    for kind in ("", *KINDS):
        layer = layer_of(options.outputs, options.inputs)
        size = layer.weight.nbytes
        if kind:
            packed = KINDS[kind].of(layer.weight, torch.bfloat16)
            put_packed(layer, packed)
            size = sum(buffer.nbytes for buffer in packed.buffers())
        found, milliseconds = passed(layer, x, options.rounds)
        exact = exact or found
        pairs = zip(found, exact, strict=True)
        errors = [float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b)) for a, b in pairs]
        share = size / (2 * options.outputs * options.inputs)
        print(f"{kind or 'bf16':6} {share:.3f} of bf16, errors {errors[0]:.4f} {errors[1]:.4f}, {milliseconds:.0f} ms")


def layer_of(outputs: int, inputs: int) -> nn.Linear:
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(inputs, outputs, bias=False, dtype=torch.bfloat16).requires_grad_(False)
    layer.weight.data = (torch.randn(outputs, inputs, generator=generator) * 0.02).bfloat16()
    return layer


def passed(layer: nn.Linear, x: Tensor, rounds: int) -> tuple[list[Tensor], float]:
    settings = Lora(rank=16)
    tensors = LoraUpdate.initial_tensors(layer, settings, None, torch.Generator().manual_seed(2))
    update = LoraUpdate(layer, tensors, settings, torch.float32)
    update.attach()
    best, found = float("inf"), list[Tensor]()
    for _ in range(rounds):
        given, began = x.clone().requires_grad_(), time.process_time()
        out = layer(given)
        out.sum().backward()
        best = min(best, time.process_time() - began)
        assert given.grad is not None
        found = [out.detach().float(), given.grad.float()]
    return found, best * 1000


if __name__ == "__main__":
    main()
