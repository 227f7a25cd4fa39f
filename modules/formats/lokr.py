"""LoKr (arXiv:2309.14859, section 3.2; KronA, arXiv:2212.10650): the Kronecker product of a small and a large matrix.

Shapes: I inputs and O outputs, each a small and a large factor: O = o p, I = i q. R rank, k k the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from modules.formats.adapter import AdapterTensors, tucker
from modules.sentences.problem import Problem, problem


@dataclass(frozen=True)
class LokrTensors(AdapterTensors):
    """alpha / R * w1 (x) w2, in LyCORIS's names; where both are whole, the scale is 1.

    w1 (o, i) or w1_a (o, R) @ w1_b (R, i). w2 (p, q[, k, k]) or w2_a (p, R) @ w2_b (R, q k k); with the core t2
    (R, R, k, k), w2_a is (R, p) and w2_b (R, q).
    """

    title = "LoKr"
    names: ClassVar[Mapping[str, str]] = {
        "w1": "lokr_w1", "w1_a": "lokr_w1_a", "w1_b": "lokr_w1_b", "t2": "lokr_t2", "w2_a": "lokr_w2_a",
        "w2_b": "lokr_w2_b", "w2": "lokr_w2",
    }  # fmt: skip
    of_outputs = ("w1", "w1_a")

    @property
    def rank(self) -> int:
        """Of the large matrix if it is split, else of the small one, as in LyCORIS, ComfyUI and A1111."""
        split = self.values.get("w2_b", self.values.get("w1_b"))
        return 1 if split is None else split.shape[0]

    @property
    def scale(self) -> float:
        return 1.0 if {"w1", "w2"} <= self.values.keys() else self.alpha / self.rank

    def with_alpha(self, alpha: float) -> LokrTensors:
        if {"w1", "w2"} <= self.values.keys():
            return LokrTensors(self.values, alpha, self.dora_scale)  # means nothing here
        return super().with_alpha(alpha)

    @property
    def zero_init(self) -> str:
        return "w2" if "w2" in self.values else "w2_b"

    def invalid_reason(self) -> Problem | None:
        found = self.sizes()
        for one in ("1", "2"):
            if f"w{one}" not in found and not {f"w{one}_a", f"w{one}_b"} <= found.keys():
                return problem("adapter.lacks-half", name=f"lokr_w{one}")
        both = [(found["w1_a"], found["w1_b"])] if "w1_a" in found else []
        core = found.get("t2")
        if "w2_a" in found and core is None:
            both.append((found["w2_a"], found["w2_b"]))
        whole = all(len(a) == len(b) == 2 and a[1] == b[0] for a, b in both) and len(found.get("w1", (1, 1))) == 2
        whole = whole and len(found.get("w2", (1, 1))) in (2, 4)
        if core is not None:
            ends = {"w2_a", "w2_b"} <= found.keys() and len(found["w2_a"]) == len(found["w2_b"]) == 2
            whole = whole and ends and len(core) == 4 and core[:2] == (found["w2_a"][0], found["w2_b"][0])
        return None if whole else Problem("adapter.misfit")

    def fits(self, shape: tuple[int, ...]) -> bool:
        found = self.sizes()
        small = found.get("w1") or (found["w1_a"][0], found["w1_b"][1])
        if "t2" in found:
            large = (found["w2_a"][1], found["w2_b"][1], *found["t2"][2:])
        else:
            large = found.get("w2") or (found["w2_a"][0], found["w2_b"][1])
        if len(large) == 4:
            return shape == (small[0] * large[0], small[1] * large[1], *large[2:])
        return (shape[0], prod(shape[1:])) == (small[0] * large[0], small[1] * large[1])

    def delta_weight(self, weight: Tensor) -> Tensor:
        v = {name: tensor.float() for name, tensor in self.values.items()}
        small = v["w1"] if "w1" in v else v["w1_a"] @ v["w1_b"]
        large = v.get("w2")
        if large is None:
            large = tucker(v["t2"], v["w2_a"], v["w2_b"]) if "t2" in v else v["w2_a"] @ v["w2_b"]
        if large.dim() == 4:
            small = small[:, :, None, None]
        return (torch.kron(small, large.contiguous()) * self.scale).reshape(weight.shape)
