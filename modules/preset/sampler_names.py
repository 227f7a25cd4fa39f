"""What samplers and spacings are called: here, in A1111, in kohya's files, and in presets of Seachange before."""

from __future__ import annotations

import re
from typing import Any

# As A1111 writes them into its images. modules/diffusion/solvers.py and spacings.py hold a row for each.
SAMPLERS: dict[str, str] = {
    "euler": "Euler", "euler_a": "Euler a", "heun": "Heun", "dpm2": "DPM2", "dpm2_a": "DPM2 a", "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE", "dpmpp_3m_sde": "DPM++ 3M SDE", "dpmpp_sde": "DPM++ SDE", "ddim": "DDIM",
    "pndm": "PLMS", "lms": "LMS", "unipc": "UniPC", "lcm": "LCM", "tcd": "TCD",
}  # fmt: skip
SPACINGS: dict[str, str] = {
    "default": "", "uniform": "Uniform", "leading": "DDIM", "karras": "Karras", "exponential": "Exponential",
    "beta": "Beta",
}  # fmt: skip

# Other spellings, without what is no letter or figure. Where kohya means a sampler that has another name here.
_OTHERS: dict[str, str] = {
    "plms": "pndm", "dpmsolver": "dpmpp_2m", "dpmsolver++": "dpmpp_2m", "dpm++": "dpmpp_2m", "dpmsingle": "dpmpp_sde",
    "keuler": "euler", "keulera": "euler_a", "eulerancestral": "euler_a", "kdpm2": "dpm2", "kdpm2a": "dpm2_a",
    "klms": "lms", "dpm2ancestral": "dpm2_a",
}  # fmt: skip
_SPREADS = {
    "karras": "karras", "exponential": "exponential", "beta": "beta", "sgmuniform": "default", "simple": "default",
    "trailing": "default", "uniform": "uniform", "ddimuniform": "leading", "leading": "leading",
}  # fmt: skip


def sampler_named(text: str) -> dict[str, Any] | None:
    """The settings that a name stands for: "DPM++ 2M Karras" is a sampler and a spacing. None: nothing is called so."""
    plain = _plain(text)
    spread = next((name for name in _SPREADS if plain.endswith(name) and plain != name), "")
    for rest, spacing in ((plain, ""), (plain.removesuffix(spread), _SPREADS.get(spread, ""))):
        if name := _known().get(rest):
            return {"sampler": name, **({"spacing": spacing} if spacing else {})}
    return None


def _known() -> dict[str, str]:
    own = {_plain(name): name for name in SAMPLERS} | {_plain(title): name for name, title in SAMPLERS.items()}
    return {**_OTHERS, **own}


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9+]", "", text.lower())
