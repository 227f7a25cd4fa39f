"""Rules between settings: each setting is right by itself, and together they are not. Checked before anything loads.

A rule is a function that yields sentences: the settings by their paths, what is wrong, and the ways out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import PurePath

from modules.errors import Problems
from modules.preset.paths import Values
from modules.preset.preset import Preset
from modules.preset.rules.data import (
    CAPTION_RULES,
    IMAGE_RULES,
    WORD_RULES,
    class_images_without_prompt,
    embedding_without_tokens,
    no_training_concept,
)
from modules.preset.rules.training import ADAPTER_RULES, RATE_RULES, SAMPLING_RULES
from modules.preset.sections.training import encoder_names
from modules.preset.validate import TITLE, examine


def validate(values: Values, problems: tuple[str, ...] = (), *, trains: bool = True) -> Preset:
    """The preset of these values, if nothing at all is wrong; `problems` are what is known already.

    Raises:
        Problems: wrong values, unknown keys, clashes and, for a run that trains, what is missing: all together.
    """
    preset, wrong = examine(values)
    rules = [*conflicts(preset), *missing_settings(preset)] if trains else conflicts(preset)
    # What was wrong stands at its default here: a rule about it would speak of a value that nobody wrote.
    rest = [rule for rule in rules if not any(path in rule or path.partition(".")[0] == path for path in wrong)]
    if found := [*problems, *wrong.values(), *rest]:
        raise Problems(TITLE, found)
    return preset


def conflicts(preset: Preset) -> list[str]:
    """Settings that contradict one another."""
    return list(chain.from_iterable(rule(preset) for rule in RULES))


def missing_settings(preset: Preset) -> list[str]:
    """What a preset to share may leave open, and a run may not."""
    found: list[str] = []
    if not preset.model.source:
        found.append("model.source: no base model is chosen. Give a file, a folder or a Hugging Face name.")
    active = [concept for concept in preset.concepts if concept.enabled]
    if not preset.concepts:
        found.append("concepts: there are no images to learn from. Give a folder: --concept FOLDER.")
    elif not active:
        found.append("concepts: all of them are switched off. Set enabled on one of them.")
    for number, concept in enumerate(preset.concepts):
        if concept.enabled and not concept.path:
            found.append(f"concepts.{number}.path: no folder is chosen. Choose one, or switch the concept off.")
    return [*found, *embedding_without_tokens(preset), *no_training_concept(preset)]


# Rules ----------------------------------------------------------------------------------------------------------------


def _precision(preset: Preset) -> Iterator[str]:
    if preset.model.dtype == "fp16" and preset.training.weights == "bf16":
        yield (
            "model.dtype fp16 and training.weights bf16 do not go together. Set training.weights to fp32, or "
            "model.dtype to bf16."
        )
    if preset.method.kind == "full" and preset.model.dtype == "fp32" and preset.training.weights == "bf16":
        yield (
            "model.dtype fp32 and training.weights bf16 do not go together in a full fine-tune: trained layers could "
            "not work with the others. Set model.dtype to bf16, or training.weights to fp32."
        )


def _trained(preset: Preset) -> Iterator[str]:
    wanted = [name for name in encoder_names() if preset.training.component(name).train]
    if preset.method.kind == "embedding":
        for name in wanted:
            yield (
                f"training.{name}.train is on, and method.kind embedding teaches a new word to an unchanged text "
                f"encoder. Switch training.{name}.train off, or take method.kind lora or full."
            )
        return
    for name in wanted:
        if name not in preset.card.trainable:
            lacks = "keeps it as it is" if name in preset.card.text_encoders else "has no such part"
            yield f"training.{name}.train is on, and model.family {preset.model.family} {lacks}. Switch it off."
    if not list(preset.trained_parts()):
        yield (
            "training.denoiser.train and the text encoders are all off, so nothing would be trained. Switch "
            "training.denoiser.train on."
        )


def _objective(preset: Preset) -> Iterator[str]:
    if preset.objective.prediction == "epsilon" and preset.objective.zero_terminal_snr == "on":
        yield (
            "objective.zero_terminal_snr on needs v-prediction (at pure noise epsilon says nothing), and "
            "objective.prediction is epsilon. Set one of them to auto, or objective.prediction to v_prediction."
        )


def _flow(preset: Preset) -> Iterator[str]:
    if preset.objective.prediction != "flow":
        return
    if preset.objective.zero_terminal_snr == "on":
        yield (
            "objective.zero_terminal_snr on is for v-prediction, and objective.prediction is flow, which always ends "
            "in pure noise. Set objective.zero_terminal_snr to auto."
        )


def _loss_and_timesteps(preset: Preset) -> Iterator[str]:
    loss, times = preset.objective.loss, preset.objective.times
    if not any((loss.mse, loss.mae, loss.huber, loss.pseudo_huber, loss.log_cosh)):
        yield "objective.loss: every measure is 0, so nothing would be learnt. Set objective.loss.mse to 1."
    if times.lower >= times.upper:
        yield (
            f"objective.times.lower {times.lower:g} leaves no room below objective.times.upper {times.upper:g}. "
            "Set objective.times.lower to 0, or objective.times.upper to 1."
        )


def _sizes(preset: Preset) -> Iterator[str]:
    sizes = {"training.resolution": preset.training.resolution, "training.max_side": preset.training.max_side}
    for number, prompt in enumerate(preset.sampling.prompts):
        sizes[f"sampling.prompts.{number}.width"] = prompt.width
        sizes[f"sampling.prompts.{number}.height"] = prompt.height
    step = preset.card.size_step
    for path, size in sizes.items():
        if size % step:
            fitting = size // step * step or step
            yield f"{path}: {size} is no multiple of {step}, as images must be. Set it to {fitting}."


def _validation(preset: Preset) -> Iterator[str]:
    settings = preset.validation
    if settings.enabled and settings.patience and settings.every == "never":
        yield (
            f"validation.patience {settings.patience} counts validations, and validation.every is never. Set "
            'validation.every to "1 epoch", or validation.patience to 0.'
        )


def _output_path(preset: Preset) -> Iterator[str]:
    """A path whose name says another kind of file than the one that would be written."""
    if not preset.output.path:
        return
    suffix = PurePath(preset.output.path).suffix.lower()
    method = preset.method
    if method.kind == "embedding" and len(preset.words) == 1 and not suffix:
        return  # a folder for the file of the one word, as good as the file itself
    folder = preset.saves_folder or (method.kind == "embedding" and len(preset.words) > 1)
    if folder and suffix in (".safetensors", ".ckpt", ".pt"):
        yield f"output.path {preset.output.path}: a folder is written, not a file. Leave out the {suffix}."
    elif not folder and suffix != ".safetensors":
        yield f"output.path {preset.output.path}: a single file is written. Let its name end with .safetensors."


RULES = (
    _precision,
    *RATE_RULES,
    _trained,
    _objective,
    _flow,
    _loss_and_timesteps,
    _sizes,
    *CAPTION_RULES,
    *IMAGE_RULES,
    *SAMPLING_RULES,
    _validation,
    _output_path,
    *WORD_RULES,
    class_images_without_prompt,
    *ADAPTER_RULES,
)
