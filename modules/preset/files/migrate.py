"""Old preset files, brought up to today's schema one version at a time.

A version is raised when a released file would otherwise be refused or mean something else; a new setting needs none.
Every version ever shipped has a file in tests/preset/files/shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import cast

from modules.errors import UserError
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.text.share import Share
from modules.sentences.problem import problem


def migrate(values: Values) -> Values:
    """The same preset in today's words; `values` stay as they are.

    Raises:
        UserError: the version is missing, no version at all, or newer than this program.
    """
    version = values.get("version")
    if type(version) is not int or version < 0:
        raise UserError(problem("preset-file.no-version", version=Preset.VERSION))
    if version > Preset.VERSION:
        raise UserError(problem("preset-file.newer", version=version, known=Preset.VERSION))
    values = deepcopy(values)
    for old in range(version, Preset.VERSION):
        STEPS[old](values)
        values["version"] = old + 1
    return values


def rename(values: Values, old: str, new: str) -> None:
    """Move a setting to another name, if it is there: the most frequent migration."""
    above, _, name = old.rpartition(".")
    inside: object = get(values, above) if above else values
    if isinstance(inside, dict) and name in inside:
        put(values, new, cast("Values", inside).pop(name))


def _from_0(values: Values) -> None:
    """Before the first release the learning rate was abbreviated, and the batch stood in its own words."""
    rename(values, "training.lr", "training.learning_rate")
    rename(values, "training.batch", "training.batch_size")


def _from_1(values: Values) -> None:
    """Losses became a mix, and times and noise got sections of their own."""
    loss, times = get(values, "objective.loss"), get(values, "objective.times")
    if isinstance(loss, str):
        put(values, "objective.loss", {name: float(name == loss) for name in ("mse", loss)})
    rename(values, "objective.huber_delta", "objective.loss.huber_delta")
    if isinstance(times, str):
        put(values, "objective.times", {"kind": times})
    rename(values, "objective.logit_mean", "objective.times.mean")
    rename(values, "objective.logit_std", "objective.times.spread")
    rename(values, "objective.noise_offset", "objective.noise.offset")
    rename(values, "method.dropout", "method.rank_dropout")
    _words_from_method(values)
    _spacings(values)
    concepts = values.get("concepts")
    for concept in cast("list[object]", concepts) if isinstance(concepts, list) else []:
        if isinstance(concept, dict):
            rename(cast("Values", concept), "crops", "variants")


def _spacings(values: Values) -> None:
    """The spacing of a sampler's steps had been part of its name."""
    prompts = get(values, "sampling.prompts")
    for prompt in cast("list[object]", prompts) if isinstance(prompts, list) else []:
        if isinstance(prompt, dict):
            held = cast("Values", prompt)
            sampler = held.get("sampler")
            if isinstance(sampler, str) and sampler.endswith("_karras"):
                held |= {"sampler": sampler.removesuffix("_karras"), "spacing": "karras"}


def _words_from_method(values: Values) -> None:
    """Words had belonged to the method embedding, which began with one."""
    if get(values, "method.kind") != "embedding":
        return
    rename(values, "method.words", "words")
    words = cast("object", values.setdefault("words", [{}]))
    rename(values, "method.keep_norm", "words_keep_norm")
    keep = values.pop("words_keep_norm", True)
    for word in cast("list[object]", words) if isinstance(words, list) and not keep else []:
        if isinstance(word, dict):
            cast("Values", word)["keep_norm"] = keep


def _from_2(values: Values) -> None:
    """DoRA knew magnitudes of outputs only."""
    if get(values, "method.dora") is True:
        put(values, "method.dora_axis", "outputs")


def _from_3(values: Values) -> None:
    """The model's precision was fp32 where nothing was said of it."""
    if isinstance(values.get("model", {}), dict) and get(values, "model.dtype") is None:
        put(values, "model.dtype", "fp32")


def _from_4(values: Values) -> None:
    """Checkpointing was a switch, offloading a number, and where nothing was said of them, they were off."""
    if isinstance(shown := get(values, "training.gradient_checkpointing"), bool):
        put(values, "training.gradient_checkpointing", "all" if shown else "none")
    if isinstance(share := get(values, "model.offload"), int | float) and not isinstance(share, bool):
        put(values, "model.offload", str(Share(float(share))))


def _from_5(values: Values) -> None:
    """Compiling was a switch, and off where nothing was said of it; "auto" compiles where speed is preferred."""
    shown = get(values, "general.compile")
    if isinstance(shown, bool):
        put(values, "general.compile", "on" if shown else "off")
    elif shown is None and get(values, "general.prefer") == "fast":
        put(values, "general.compile", "off")


STEPS: dict[int, Callable[[Values], None]] = {
    0: _from_0,
    1: _from_1,
    2: _from_2,
    3: _from_3,
    4: _from_4,
    5: _from_5,
}  # from this version to the next; changes values in place
