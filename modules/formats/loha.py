"""LoHa (arXiv:2108.06098): the product, number by number, of two low-rank matrices, whose rank reaches R squared.

Shapes: I inputs, O outputs, R rank, k k the kernel of a convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import Tensor

from modules.formats.adapter import AdapterTensors, tucker
from modules.sentences.problem import Problem, problem

PLAIN = {"w1_a", "w1_b", "w2_a", "w2_b"}


@dataclass(frozen=True)
class LohaTensors(AdapterTensors):
    """alpha / R * (w1_a @ w1_b) * (w2_a @ w2_b): equation 4 of the paper, in LyCORIS's names.

    w1_a (O, R), w1_b (R, I k k); with the cores t1 and t2 (R, R, k, k), w1_a is (R, O) and w1_b (R, I).
    """

    title = "LoHa"
    names: ClassVar[Mapping[str, str]] = {
        "w1_a": "hada_w1_a", "w1_b": "hada_w1_b", "t1": "hada_t1", "t2": "hada_t2", "w2_b": "hada_w2_b",
        "w2_a": "hada_w2_a",
    }  # fmt: skip
    of_outputs = ("w1_a", "w2_a")

    @property
    def rank(self) -> int:
        return self.values["w1_b"].shape[0]

    @property
    def zero_init(self) -> str:
        return "w2_a"

    def invalid_reason(self) -> Problem | None:
        if not self.values.keys() >= PLAIN or ("t1" in self.values) != ("t2" in self.values):
            return problem("adapter.lacks", names=["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"])
        found = self.sizes()
        for one, a, b in (("1", found["w1_a"], found["w1_b"]), ("2", found["w2_a"], found["w2_b"])):
            core = found.get(f"t{one}")
            whole = len(a) == len(b) == 2 and (
                a[1] == b[0] if core is None else len(core) == 4 and core[:2] == (a[0], b[0])
            )
            if not whole:
                return Problem("adapter.misfit")
        outputs = 1 if "t1" in found else 0
        same = found["w1_a"][outputs] == found["w2_a"][outputs] and found["w1_b"][1] == found["w2_b"][1]
        same = same and found.get("t1", ())[2:] == found.get("t2", ())[2:]
        return None if same else Problem("adapter.misfit")

    def fits(self, shape: tuple[int, ...]) -> bool:
        found = self.sizes()
        if "t1" in found:
            return shape == (found["w1_a"][1], found["w1_b"][1], *found["t1"][2:])
        return (shape[0], prod(shape[1:])) == (found["w1_a"][0], found["w1_b"][1])

    def delta_weight(self, weight: Tensor) -> Tensor:
        v = {name: tensor.float() for name, tensor in self.values.items()}
        if "t1" in v:
            first, second = tucker(v["t1"], v["w1_a"], v["w1_b"]), tucker(v["t2"], v["w2_a"], v["w2_b"])
        else:
            first, second = v["w1_a"] @ v["w1_b"], v["w2_a"] @ v["w2_b"]
        return (first * second * self.scale).reshape(weight.shape)
