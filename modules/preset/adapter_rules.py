"""Rules between the settings of adapters and others."""

from __future__ import annotations

from collections.abc import Iterator

from modules.preset.adapters import Adapter, LowRank, Oft
from modules.preset.preset import Preset


def names(preset: Preset) -> Iterator[str]:
    """Diffusers has names for LoRA alone."""
    method = preset.method
    if isinstance(method, Adapter) and method.kind != "lora" and preset.output.lora_format == "diffusers":
        yield (
            f"output.lora_format diffusers has no names for method.kind {method.kind}. Set output.lora_format to "
            "kohya, or take method.kind lora."
        )


def file_to_start_from(preset: Preset) -> Iterator[str]:
    """Sizes of no file."""
    if isinstance(preset.method, Adapter) and preset.method.rank_from_file and not preset.method.start_from:
        yield (
            "method.rank_from_file takes the sizes of a file, and method.start_from names none. Give a file, or switch "
            "method.rank_from_file off."
        )


def scales(preset: Preset) -> Iterator[str]:
    """OFT has no alpha."""
    if not isinstance(preset.method, Oft):
        return
    for number, group in enumerate(preset.method.groups):
        if group.alpha:
            yield f"method.groups.{number}.alpha scales an update, and method.kind oft has no scale. Set it to 0."


def one_rate(preset: Preset) -> Iterator[str]:
    """An optimizer that finds one rate for all, and LoRA+, which wants two."""
    method, kind = preset.method, preset.optimizer.kind
    if isinstance(method, LowRank) and method.rate_ratio != 1 and preset.optimizer.one_rate:
        yield (
            f"method.rate_ratio {method.rate_ratio:g} gives some weights their own rate, and optimizer.kind {kind} "
            "finds one rate for all. Set method.rate_ratio to 1, or take another optimizer."
        )


def kept_norm(preset: Preset) -> Iterator[str]:
    """An average that the limit would spoil."""
    if isinstance(preset.method, LowRank) and preset.method.max_norm and preset.optimizer.averages:
        yield (
            f"method.max_norm moves the weights behind the back of optimizer.kind {preset.optimizer.kind}, which "
            "averages them. Set method.max_norm to 0, or take another optimizer."
        )


ADAPTER_RULES = (names, file_to_start_from, scales, one_rate, kept_norm)
