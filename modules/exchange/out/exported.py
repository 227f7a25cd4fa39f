"""What another program is given of a preset: its files, and the settings that it has nothing for.

Nobody keeps a list of what is missing. The files are read back as any file of that program, and what then differs from
the preset is what that program does not do as it is set here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.exchange.imported import Imported, shown_value
from modules.preset.files.changes import AUTOMATIC
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import schema_path, settings_at
from modules.sentences.problem import Problem, problem
from modules.system.bundled import is_bundled, resolve

# Of this computer, and yet part of what is learnt
LEARNT_FROM = ("concepts.0.path", "method.start_from", "words.0.file", "model.training_adapters.0.path")
PARTS = ("denoiser", "text_encoder_1", "text_encoder_2", "text_encoder_3")
NOT_SAID = ("title", "note", "version", "general.tensorboard", "concepts.0.name", "concepts.0.more_captions")


@dataclass(frozen=True)
class Exported:
    """Files for another program: the first is the one that it is started with."""

    program: str
    files: Mapping[str, str]
    missing: tuple[Problem, ...]

    @property
    def summary(self) -> Problem:
        code = "export.summary" if self.missing else "export.summary-none"
        return problem(code, program=self.program, count=len(self.missing))


def spelled_out(preset: Preset) -> Values:
    """The values with those filled in that a preset leaves to the model: resolution, sides of buckets, rates."""
    values = preset.model_dump(mode="json")
    side, training = preset.resolution, values["training"]
    training["resolution"] = side
    training["max_side"] = training["max_side"] or 2 * side
    training["min_side"] = training["min_side"] or side // 2
    training["bucket_step"] = training["bucket_step"] or preset.card.bucket_step
    for part in PARTS:
        training[part]["learning_rate"] = training[part]["learning_rate"] or training["learning_rate"]
    for prompt in values["sampling"]["prompts"]:
        prompt["width"], prompt["height"] = prompt["width"] or side, prompt["height"] or side
    values["output"]["lora_format"] = preset.lora_format
    method = values["method"]
    if method.get("conv") and "conv_rank" in method:
        rank = method["conv_rank"] = method["conv_rank"] or method["rank"]
        method["conv_alpha"] = method["conv_alpha"] or method["alpha"] * rank / method["rank"]
    _places(values)
    return values


def _places(values: Values) -> None:
    """What comes with this program lies somewhere; other programs want to know where."""
    for path in ("model.source", *(f"concepts.{n}.path" for n in range(len(values["concepts"])))):
        if is_bundled(str(get(values, path) or "")):
            put(values, path, str(resolve(str(get(values, path)))))


def missing(ours: Values, imported: Imported) -> tuple[Problem, ...]:
    """What does not come back as it went, each setting once; `ours`: as `spelled_out` gives it."""
    theirs = spelled_out(imported.preset)
    found: dict[tuple[str, str], Problem] = {}
    for path, value in _leaves(ours):
        setting = _in_play(path, ours)
        if setting is None or _is_same(path, value, get(theirs, path)):
            continue
        back = get(theirs, path)
        code = "export.other" if get(imported.values, path) not in (None, "", False) else "export.missing"
        said = problem(code, path, value=shown_value(value), other=shown_value(back), program=imported.program)
        found.setdefault((schema_path(path), shown_value(value)), said)
    return tuple(found.values())


def _is_same(path: str, value: Any, back: Any) -> bool:
    if isinstance(value, float) and isinstance(back, int | float):
        return math.isclose(value, float(back), rel_tol=1e-6, abs_tol=1e-12)
    automatic = path in AUTOMATIC and value == "auto"
    plain_memory = path == "training.gradient_checkpointing" and back == "auto"
    never_drawn = path == "sampling.every" and value == "never"
    return value == back or automatic or plain_memory or never_drawn


def _leaves(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no section. A list without entries says nothing."""
    if isinstance(values, dict):
        for name, inside in cast("Values", values).items():
            yield from _leaves(inside, f"{path}.{name}".lstrip("."))
    elif isinstance(values, list):
        for number, entry in enumerate(cast("list[Any]", values)):
            yield from _leaves(entry, f"{path}.{number}".lstrip("."))
    else:
        yield path, values


def _in_play(path: str, values: Values) -> SettingInfo | None:
    """The setting behind a path, where it has a say in what this preset trains."""
    known, card = schema_path(path), FAMILIES[values["model"]["family"]]
    if known in NOT_SAID or not card.uses(known) or not _of_trained_part(path, values):
        return None
    for setting in settings_at(path):
        of_machine = setting.scope == "machine" and known not in LEARNT_FROM
        if not of_machine and _chosen(setting, path, values):
            return setting
    return None


def _of_trained_part(path: str, values: Values) -> bool:
    """What is set for a part counts where the part is trained."""
    section, _, rest = path.partition(".")
    part, _, name = rest.partition(".")
    if section != "training" or part not in PARTS:
        return True
    card = FAMILIES[values["model"]["family"]]
    if part not in card.trainable or values["method"]["kind"] == "embedding":
        return False
    return name == "train" or bool(get(values, f"training.{part}.train"))


def _chosen(setting: SettingInfo, path: str, values: Values) -> bool:
    """Whether what it depends on is chosen; in an entry of a list that stands in the same entry."""
    if setting.when is None:
        return True
    other = setting.when.path if "." in setting.when.path else f"{path.rpartition('.')[0]}.{setting.when.path}"
    return get(values, other) in setting.when.values
