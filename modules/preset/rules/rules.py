"""Rules between settings: each setting is right by itself, and together they are not. Checked before anything loads.

A rule is a function that yields problems, each with the settings that it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import PurePath

from modules.errors import Problems
from modules.preset.paths import Values
from modules.preset.preset import Preset
from modules.preset.rules.data import DATA_RULES, embedding_without_tokens, no_training_concept, size_step
from modules.preset.rules.training import TRAINING_RULES
from modules.preset.sections.training import encoder_names
from modules.preset.validate import CANNOT_BE_USED, examine
from modules.sentences.problem import Problem, problem


def validate(values: Values, problems: Sequence[Problem] = (), *, trains: bool = True) -> Preset:
    """The preset of these values, if nothing at all is wrong; `problems` are what is known already.

    Raises:
        Problems: wrong values, unknown keys, conflicts and, for a run that trains, what is missing: all together.
    """
    preset, wrong = examine(values)
    rules = [*conflicts(preset), *missing_settings(preset)] if trains else conflicts(preset)
    if found := [*problems, *wrong.values(), *rules_about_others(rules, wrong)]:
        raise Problems(CANNOT_BE_USED, found)
    return preset


def rules_about_others(rules: Iterable[Problem], wrong: Iterable[str]) -> list[Problem]:
    """Without those about a wrong setting: it stands at its default, and the rule speaks of a value nobody wrote."""
    return [rule for rule in rules if not any(_is_in(path, bad) for path in rule.paths for bad in wrong)]


def _is_in(path: str, section: str) -> bool:
    """Whether a setting is this one, or inside of it."""
    return f"{path}.".startswith(f"{section}.")


def conflicts(preset: Preset) -> list[Problem]:
    """Settings that contradict one another."""
    return list(chain.from_iterable(rule(preset) for rule in RULES))


def missing_settings(preset: Preset) -> list[Problem]:
    """What a preset to share may leave open, and a run may not."""
    found: list[Problem] = []
    if not preset.model.source:
        found.append(problem("preset.no-model", "model.source"))
    if not preset.concepts:
        found.append(problem("preset.no-concepts", "concepts"))
    elif not any(concept.enabled for concept in preset.concepts):
        found.append(problem("preset.concepts-disabled", "concepts"))
    for number, concept in enumerate(preset.concepts):
        if concept.enabled and not concept.path:
            found.append(problem("preset.no-folder", f"concepts.{number}.path"))
    return [*found, *embedding_without_tokens(preset), *no_training_concept(preset)]


# Rules ----------------------------------------------------------------------------------------------------------------


def _precision(preset: Preset) -> Iterator[Problem]:
    here, there = "model.dtype", "training.weights"
    if preset.model.dtype == "fp16" and preset.training.weights == "bf16":
        yield problem("rules.fp16-and-bf16", here, there)
    if preset.method.kind == "full" and preset.model.dtype == "fp32" and preset.training.weights == "bf16":
        yield problem("rules.fp32-and-bf16", here, there)


def _variant(preset: Preset) -> Iterator[Problem]:
    variant, card = preset.model.variant, preset.card
    if card.uses("model.variant") and variant not in ("auto", *card.variant_titles):
        known = [*card.variant_titles]
        yield problem("rules.variant", "model.variant", "model.family", variant=variant, type=card.title, known=known)


def _trained(preset: Preset) -> Iterator[Problem]:
    wanted = [name for name in encoder_names() if preset.training.component(name).train]
    for name in wanted:
        path = f"training.{name}.train"
        if preset.method.kind == "embedding":
            yield problem("rules.embedding-trains-encoder", path, "method.kind")
        elif name not in preset.card.trainable:
            code = "rules.frozen-encoder" if name in preset.card.text_encoders else "rules.no-such-encoder"
            yield problem(code, path, "model.family", family=preset.model.family)
    if preset.method.kind != "embedding" and not list(preset.trained_parts()):
        yield problem("rules.nothing-trained", "training.denoiser.train")


def _objective(preset: Preset) -> Iterator[Problem]:
    here, there, prediction = "objective.zero_terminal_snr", "objective.prediction", preset.objective.prediction
    if preset.card.is_flow and prediction not in ("auto", "flow"):
        yield problem("rules.always-flow", there, "model.family", family=preset.model.family, prediction=prediction)
    if preset.objective.zero_terminal_snr != "on":
        return
    if prediction == "epsilon":
        yield problem("rules.epsilon-zero-snr", here, there)
    if prediction == "flow":
        yield problem("rules.flow-zero-snr", here, there)


def _loss_and_timesteps(preset: Preset) -> Iterator[Problem]:
    loss, times = preset.objective.loss, preset.objective.times
    if not any((loss.mse, loss.mae, loss.huber, loss.pseudo_huber, loss.log_cosh)):
        yield problem("rules.no-loss", "objective.loss.mse")
    if times.lower >= times.upper:
        yield problem(
            "rules.timestep-range", "objective.times.lower", "objective.times.upper",
            lower=times.lower, upper=times.upper,
        )  # fmt: skip


def _sizes(preset: Preset) -> Iterator[Problem]:
    sizes = {"training.resolution": preset.training.resolution, "training.max_side": preset.training.max_side}
    for number, prompt in enumerate(preset.sampling.prompts):
        sizes[f"sampling.prompts.{number}.width"] = prompt.width
        sizes[f"sampling.prompts.{number}.height"] = prompt.height
    step = preset.card.size_step
    for path, size in sizes.items():
        yield from size_step(path, size, step)


def _validation(preset: Preset) -> Iterator[Problem]:
    settings = preset.validation
    if settings.enabled and settings.patience and settings.every == "never":
        yield problem(
            "rules.patience-without-validation", "validation.patience", "validation.every", patience=settings.patience
        )


def _output_path(preset: Preset) -> Iterator[Problem]:
    """A path whose name says another kind of file than the one that would be written."""
    path = preset.output.path
    if not path:
        return
    suffix = PurePath(path).suffix.lower()
    method = preset.method
    if method.kind == "embedding" and len(preset.words) == 1 and not suffix:
        return  # a folder for the file of the one token, as good as the file itself
    folder = preset.saves_folder or (method.kind == "embedding" and len(preset.words) > 1)
    if folder and suffix in (".safetensors", ".gguf", ".ckpt", ".pt"):
        yield problem("rules.output-is-a-folder", "output.path", file=path, suffix=suffix)
    elif not folder and suffix != ".safetensors":
        yield problem("rules.output-is-a-file", "output.path", file=path)


RULES = (
    _precision,
    _variant,
    *TRAINING_RULES,
    _trained,
    _objective,
    _loss_and_timesteps,
    _sizes,
    *DATA_RULES,
    _validation,
    _output_path,
)
