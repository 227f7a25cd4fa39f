"""Rules between optimizer, learning rate, schedule, adapters, and what samples are drawn with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, LowRank, Oft
from modules.preset.sections.sampling import Prompt


def adapter_format(preset: Preset) -> Iterator[str]:
    """Diffusers has names for LoRA alone."""
    method = preset.method
    if isinstance(method, Adapter) and method.kind != "lora" and preset.output.lora_format == "diffusers":
        yield (
            f"output.lora_format diffusers has no names for method.kind {method.kind}. Set output.lora_format to "
            "kohya, or take method.kind lora."
        )


def rank_without_file(preset: Preset) -> Iterator[str]:
    """Sizes of no file."""
    if isinstance(preset.method, Adapter) and preset.method.rank_from_file and not preset.method.start_from:
        yield (
            "method.rank_from_file takes the sizes of a file, and method.start_from names none. Give a file, or switch "
            "method.rank_from_file off."
        )


def oft_alpha(preset: Preset) -> Iterator[str]:
    """OFT has no alpha."""
    if not isinstance(preset.method, Oft):
        return
    for number, group in enumerate(preset.method.groups):
        if group.alpha:
            yield f"method.groups.{number}.alpha scales an update, and method.kind oft has no scale. Set it to 0."


def has_single_rate(preset: Preset) -> Iterator[str]:
    """An optimizer that finds one rate for all, and LoRA+, which wants two."""
    method, kind = preset.method, preset.optimizer.kind
    if isinstance(method, LowRank) and method.rate_ratio != 1 and preset.optimizer.has_single_rate:
        yield (
            f"method.rate_ratio {method.rate_ratio:g} gives some weights their own rate, and optimizer.kind {kind} "
            "finds one rate for all. Set method.rate_ratio to 1, or take another optimizer."
        )


def max_norm_while_averaging(preset: Preset) -> Iterator[str]:
    """An average that the limit would spoil."""
    if isinstance(preset.method, LowRank) and preset.method.max_norm and preset.optimizer.is_schedule_free:
        yield (
            f"method.max_norm moves the weights behind the back of optimizer.kind {preset.optimizer.kind}, which "
            "averages them. Set method.max_norm to 0, or take another optimizer."
        )


ADAPTER_RULES = (adapter_format, rank_without_file, oft_alpha, has_single_rate, max_norm_while_averaging)

FIRST_ORDER = ("euler", "ddim")  # samplers of one straight line a step (first_order in diffusion/solvers.py)
MAX_CFG_PLUS_PLUS = 2.0


def _guidance(preset: Preset) -> Iterator[str]:
    for path, prompt in _enabled_prompts(preset):
        if prompt.guidance_start >= prompt.guidance_end:
            yield (
                f"{path}.guidance_start {prompt.guidance_start:g} leaves no step for guidance before "
                f"{path}.guidance_end {prompt.guidance_end:g}. Set guidance_start to 0, or guidance_end to 1."
            )
        if prompt.cfg_plus_plus and prompt.sampler not in FIRST_ORDER:
            yield (
                f"{path}.cfg_plus_plus is on, and {path}.sampler {prompt.sampler} takes steps it is not made for. Set "
                f"the sampler to {' or '.join(FIRST_ORDER)}, or turn cfg_plus_plus off."
            )
        if prompt.cfg_plus_plus and prompt.guidance > MAX_CFG_PLUS_PLUS:
            yield (
                f"{path}.cfg_plus_plus is on, and {path}.guidance {prompt.guidance:g} is one for CFG: the picture "
                "would burn. Set guidance to 0.6, or turn cfg_plus_plus off."
            )


def _pictures(preset: Preset) -> Iterator[str]:
    for path, prompt in _enabled_prompts(preset):
        if prompt.mask and not prompt.image:
            yield f"{path}.mask is given, and no {path}.image that it could belong to. Give one, or leave out the mask."


def _enabled_prompts(preset: Preset) -> Iterator[tuple[str, Prompt]]:
    for number, prompt in enumerate(preset.sampling.prompts):
        if prompt.enabled:
            yield f"sampling.prompts.{number}", prompt


SAMPLING_RULES: tuple[Callable[[Preset], Iterator[str]], ...] = (_guidance, _pictures)


def _schedule_free(preset: Preset) -> Iterator[str]:
    kind = preset.optimizer.kind
    if not preset.optimizer.is_schedule_free:
        return
    if preset.schedule.kind != "constant":
        yield (
            f"optimizer.kind {kind} replaces a falling rate, and schedule.kind is {preset.schedule.kind}. "
            "Set schedule.kind to constant (a warm-up is fine), or take another optimizer."
        )
    if preset.training.weights == "bf16":
        yield (
            f"optimizer.kind {kind} keeps an average that bf16 is too coarse for, and training.weights is "
            "bf16. Set training.weights to fp32, or take another optimizer."
        )
    if preset.training.ema:
        yield (
            f"training.ema is on, and optimizer.kind {kind} keeps an average of its own. Turn training.ema "
            "off, or take another optimizer."
        )


def _learning_rate_free(preset: Preset) -> Iterator[str]:
    """Optimizers that find the rate by themselves."""
    kind, training = preset.optimizer.kind, preset.training
    if not preset.optimizer.is_learning_rate_free:
        return
    if training.learning_rate < 0.1:
        yield (
            f"optimizer.kind {kind} finds the rate by itself and multiplies it by training.learning_rate, which is "
            f"{training.learning_rate:g}: next to nothing would be learnt. Set training.learning_rate to 1, or take "
            "another optimizer."
        )
    own = learning_rates_of(preset)
    if preset.optimizer.has_single_rate and len(own) > 1:
        yield (
            f"optimizer.kind {kind} finds one rate for all, and what is trained has different ones "
            f"({', '.join(f'{each:g}' for each in sorted(own))}). Set the learning_rate of each to 0, or take "
            "another optimizer."
        )
    if training.scale_rate != "none":
        yield (
            f"training.scale_rate {training.scale_rate} is for rates that are given, and optimizer.kind {kind} finds "
            "its own. Set training.scale_rate to none, or take another optimizer."
        )


def learning_rates_of(preset: Preset) -> set[float]:
    """All learning rates that parts, groups of layers and words have."""
    shared = preset.training.learning_rate
    own = {preset.training.component(part).learning_rate or shared for part in preset.trained_parts()}
    own |= {
        group.learning_rate for group in getattr(preset.method, "groups", ()) if group.train and group.learning_rate
    }
    own |= {word.learning_rate or shared for word in preset.words if word.train}
    return own


def _learning_rate_too_high(preset: Preset) -> Iterator[str]:
    """Optimizers that take the rate of the form."""
    rate, optimizer = preset.training.learning_rate, preset.optimizer
    most = 0.5 * max(1.0, optimizer.rates[1])
    if not optimizer.is_learning_rate_free and rate >= most:
        yield (
            f"training.learning_rate {rate:g} destroys a model within a few steps with optimizer.kind "
            f"{optimizer.kind}. Set it near 1e-4, or take optimizer.kind prodigy."
        )


def _matrix_optimizer(preset: Preset) -> Iterator[str]:
    words = any(word.train for word in preset.words)
    if preset.optimizer.matrices_only and words:
        yield (
            f"optimizer.kind {preset.optimizer.kind} turns whole matrices, and a new word is a few vectors beside one "
            "another. Take another optimizer, such as adamw, or leave out the words."
        )


def _paged(preset: Preset) -> Iterator[str]:
    if preset.optimizer.paged and preset.general.device == "cpu":
        yield (
            f"optimizer.kind {preset.optimizer.kind} moves between a graphics card and main memory, and general.device "
            "is cpu. Take another optimizer, such as adamw8bit, or train on a card."
        )


RATE_RULES = (_schedule_free, _learning_rate_free, _learning_rate_too_high, _matrix_optimizer, _paged)
