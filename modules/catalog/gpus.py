"""Graphics cards by name: what a memory plan must know of one that is not there.

Memory, shader speed and bandwidth are the makers' data sheets. Tensor speeds are dense, bf16 (fp16 on Turing) with sums
in fp32: twice the shaders' on GeForce since Ampere and four times on Turing, twice that on cards for workstations and
data centres (NVIDIA's whitepapers on Turing, GA102, Ada and RTX Blackwell). Laptops: at their highest power.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GB = 2**30
SLOW, USUAL, QUICK = 12.0, 24.0, 48.0  # GB/s that come from main memory: PCIe 3.0 x16 or 4.0 x8, 4.0 x16, 5.0 x16


@dataclass(frozen=True)
class Gpu:
    """A card: bytes, and what it does in a second."""

    name: str
    memory: int  # bytes
    flops: float  # of matrices in 16 bits
    bandwidth: float  # bytes of its own memory
    pcie: float  # bytes from main memory
    capability: tuple[int, int] = (8, 0)  # CUDA's, or what it is like

    @property
    def has_bf16(self) -> bool:
        return self.capability >= (8, 0)


def _cards(
    capability: tuple[int, int], tensor: float, pcie: float, rows: Mapping[str, tuple[float, float, float]]
) -> Iterator[Gpu]:
    """Cards of one generation: GB, shader TFLOPS, GB/s. `tensor`: how many times as fast its tensor cores are."""
    for name, (memory, shaders, bandwidth) in rows.items():
        yield Gpu(name, round(memory * GB), tensor * shaders * 1e12, bandwidth * 1e9, pcie * 1e9, capability)


_TURING = {
    "RTX 2060": (6, 6.5, 336), "RTX 2060 12 GB": (12, 7.2, 336), "RTX 2060 SUPER": (8, 7.2, 448),
    "RTX 2070": (8, 7.5, 448), "RTX 2070 SUPER": (8, 9.1, 448), "RTX 2080": (8, 10.1, 448),
    "RTX 2080 SUPER": (8, 11.2, 496), "RTX 2080 Ti": (11, 13.4, 616),
}  # fmt: skip
_AMPERE = {
    "RTX 3060": (12, 12.7, 360), "RTX 3060 8 GB": (8, 12.7, 240), "RTX 3060 Ti": (8, 16.2, 448),
    "RTX 3070": (8, 20.3, 448), "RTX 3070 Ti": (8, 21.7, 608), "RTX 3080": (10, 29.8, 760),
    "RTX 3080 12 GB": (12, 30.6, 912), "RTX 3080 Ti": (12, 34.1, 912), "RTX 3090": (24, 35.6, 936),
    "RTX 3090 Ti": (24, 40.0, 1008),
}  # fmt: skip
_AMPERE_SLOW = {
    "RTX 3050": (8, 9.1, 224), "RTX 3050 6 GB": (6, 6.8, 168), "RTX 3060 Laptop": (6, 13.1, 336),
    "RTX 3070 Laptop": (8, 16.6, 448), "RTX 3080 Laptop": (8, 19.0, 448), "RTX 3080 Laptop 16 GB": (16, 19.0, 448),
    "RTX 3080 Ti Laptop": (16, 23.6, 512),
}  # fmt: skip
_ADA = {
    "RTX 4070": (12, 29.1, 504), "RTX 4070 SUPER": (12, 35.5, 504), "RTX 4070 Ti": (12, 40.1, 504),
    "RTX 4070 Ti SUPER": (16, 44.1, 672), "RTX 4080": (16, 48.7, 717), "RTX 4080 SUPER": (16, 52.2, 736),
    "RTX 4090": (24, 82.6, 1008),
}  # fmt: skip
_ADA_SLOW = {
    "RTX 4060": (8, 15.1, 272), "RTX 4060 Ti": (8, 22.1, 288), "RTX 4060 Ti 16 GB": (16, 22.1, 288),
    "RTX 4050 Laptop": (6, 12.1, 192), "RTX 4060 Laptop": (8, 14.6, 256), "RTX 4070 Laptop": (8, 20.0, 256),
    "RTX 4080 Laptop": (12, 33.9, 432), "RTX 4090 Laptop": (16, 39.7, 576),
}  # fmt: skip
_BLACKWELL = {
    "RTX 5070": (12, 30.9, 672), "RTX 5070 Ti": (16, 43.9, 896), "RTX 5080": (16, 56.3, 960),
    "RTX 5090": (32, 104.8, 1792),
}  # fmt: skip
_BLACKWELL_SLOW = {
    "RTX 5050": (8, 13.2, 320), "RTX 5060": (8, 19.2, 448), "RTX 5060 Ti": (8, 23.7, 448),
    "RTX 5060 Ti 16 GB": (16, 23.7, 448), "RTX 5070 Laptop": (8, 23.0, 384), "RTX 5070 Ti Laptop": (12, 28.0, 672),
    "RTX 5080 Laptop": (16, 37.0, 896), "RTX 5090 Laptop": (24, 49.0, 896),
}  # fmt: skip
_WORKSTATION_AMPERE = {
    "RTX A4000": (16, 19.2, 448), "RTX A4500": (20, 23.7, 640), "RTX A5000": (24, 27.8, 768),
    "RTX A6000": (48, 38.7, 768), "A10": (24, 31.2, 600),
}  # fmt: skip
_WORKSTATION_ADA = {
    "RTX 4000 Ada": (20, 26.7, 360), "RTX 5000 Ada": (32, 65.3, 576), "RTX 6000 Ada": (48, 91.1, 960),
    "L4": (24, 30.3, 300), "L40S": (48, 91.6, 864),
}  # fmt: skip
GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        *_cards((7, 5), 4, SLOW, _TURING),
        Gpu("T4", 16 * GB, 65e12, 320e9, SLOW * 1e9, (7, 5)),
        *_cards((8, 6), 2, USUAL, _AMPERE),
        *_cards((8, 6), 2, SLOW, _AMPERE_SLOW),
        *_cards((8, 9), 2, USUAL, _ADA),
        *_cards((8, 9), 2, SLOW, _ADA_SLOW),
        *_cards((12, 0), 2, QUICK, _BLACKWELL),
        *_cards((12, 0), 2, USUAL, _BLACKWELL_SLOW),
        *_cards((8, 6), 4, USUAL, _WORKSTATION_AMPERE),
        *_cards((8, 9), 4, USUAL, _WORKSTATION_ADA),
        Gpu("RTX PRO 6000", 96 * GB, 503e12, 1792e9, QUICK * 1e9, (12, 0)),
        Gpu("A100", 40 * GB, 312e12, 1555e9, USUAL * 1e9, (8, 0)),
        Gpu("A100 80 GB", 80 * GB, 312e12, 2039e9, USUAL * 1e9, (8, 0)),
        Gpu("H100", 80 * GB, 989e12, 3350e9, QUICK * 1e9, (9, 0)),
        Gpu("H200", 141 * GB, 989e12, 4800e9, QUICK * 1e9, (9, 0)),
        Gpu("RX 7800 XT", 16 * GB, 74.6e12, 624e9, USUAL * 1e9),
        Gpu("RX 7900 GRE", 16 * GB, 92e12, 576e9, USUAL * 1e9),
        Gpu("RX 7900 XT", 20 * GB, 103e12, 800e9, USUAL * 1e9),
        Gpu("RX 7900 XTX", 24 * GB, 122.8e12, 960e9, USUAL * 1e9),
        Gpu("RX 9070", 16 * GB, 145e12, 640e9, QUICK * 1e9),
        Gpu("RX 9070 XT", 16 * GB, 195e12, 640e9, QUICK * 1e9),
        Gpu("Arc A770", 16 * GB, 138e12, 560e9, USUAL * 1e9),
        Gpu("Arc B580", 12 * GB, 117e12, 456e9, SLOW * 1e9),
    )
}
# One of each size that people have: what "would it fit another card" shows
USUAL_CARDS = ("RTX 4060", "RTX 3060", "RTX 4060 Ti 16 GB", "RTX 3090", "RTX 5090", "RTX A6000")
MAKERS = re.compile(r"\b(nvidia|geforce|amd|radeon|intel|gpu|graphics|generation|edition|pro|pcie|sxm\d?|hbm\d?e?)\b")


def gpu_named(text: str, memory: int = 0) -> Gpu | None:
    """The card that a person or a driver calls so: "NVIDIA GeForce RTX 3060", "rtx3060", "3060".

    `memory`: bytes that it has, where one name stands for several.
    """
    wanted = _plain(text)
    alike = [gpu for name, gpu in GPUS.items() if wanted in (_plain(name), re.sub("^rt?x", "", _plain(name)))]
    alike += [gpu for name, gpu in GPUS.items() if memory and _plain(name).startswith(wanted) and "GB" in name]
    if memory:
        return min(alike, key=lambda gpu: abs(gpu.memory - memory), default=None)
    return alike[0] if alike else None


def _plain(name: str) -> str:
    words = MAKERS.sub(" ", name.lower()) if "pro 6000" not in name.lower() else "rtxpro6000"
    return re.sub(r"(?<=\d)gb$", "", re.sub(r"[^a-z0-9]", "", words))
