"""Which settings differ between what a run was trained with and what it is to go on with."""

from __future__ import annotations

from typing import Any, cast

from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.validate import all_settings

# What these say is drawn, written or logged; what is learnt stays the same.
OUTPUT_ONLY = ("sampling.", "backup.", "output.", "general.tensorboard")
# With others of these a backup does not fit: it holds other tensors.
OTHER_TENSORS = (
    "model.family", "method.kind", "method.rank", "method.layers", "method.groups", "method.conv", "method.conv_rank",
    "method.block_size", "method.factor", "method.dora", "optimizer.kind", "training.ema", "words",
)  # fmt: skip
# "auto" is what the run has found out
AUTOMATIC = (
    "model.dtype",
    "model.quantization",
    "model.offload",
    "model.vae_tiling",
    "training.gradient_checkpointing",
    "training.gradients",
)
Changes = dict[str, list[Any]]  # by path: the old value and the new one


def changes_between(old: Preset, new: Preset) -> Changes:
    """The settings of the recipe that differ, and the concepts' folders; a list with other entries counts as one."""
    before, after = (_values(preset) for preset in (old, new))
    for path in AUTOMATIC:
        if "auto" in (get(before, path), get(after, path)):
            put(before, path, get(after, path))
    paths = [setting.path for setting in all_settings() if setting.scope == "recipe" and ".0." not in setting.path]
    found: Changes = {}
    for path in dict.fromkeys(paths):
        one, other = get(before, path), get(after, path)
        if one != other:
            found |= _entries(path, one, other) or {path: [_short(one), _short(other)]}
    return found


def teaches_otherwise(changes: Changes) -> bool:
    """Whether something else is learnt with the new settings."""
    return any(not path.startswith(OUTPUT_ONLY) for path in changes)


def can_continue(changes: Changes) -> bool:
    """Whether a backup may fit the new settings; what else hinders it the engine says."""
    return not any(path in OTHER_TENSORS for path in changes)


def _values(preset: Preset) -> Values:
    values = preset.model_dump(mode="json")
    values["training"]["resolution"] = preset.resolution  # where a preset leaves it open, the run says it
    return values


def _entries(path: str, one: Any, other: Any) -> Changes:
    """What differs inside of two lists of the same length."""
    if not isinstance(one, list) or not isinstance(other, list) or len(cast("list[Any]", one)) != len(other):
        return {}
    entries = zip(cast("list[Values]", one), cast("list[Values]", other), strict=True)
    return {
        f"{path}.{number}.{name}": [before.get(name), after.get(name)]
        for number, (before, after) in enumerate(entries)
        for name in after
        if before.get(name) != after.get(name)
    }


def _short(value: Any) -> Any:
    return f"{len(cast('list[Any]', value))} entries" if isinstance(value, list) else value
