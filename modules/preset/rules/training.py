"""Rules about how it is trained: optimizer, learning rate, schedule, adapters, and what samples are made with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter, LowRank, Oft
from modules.preset.sections.sampling import Prompt
from modules.sentences.problem import Problem, problem

FIRST_ORDER = ("euler", "ddim")  # samplers of one straight line a step (first_order in diffusion/solvers.py)
MAX_CFG_PLUS_PLUS = 2.0


# Optimizer, learning rate, schedule -----------------------------------------------------------------------------------


def _schedule_free(preset: Preset) -> Iterator[Problem]:
    kind, here = preset.optimizer.kind, "optimizer.kind"
    if not preset.optimizer.is_schedule_free:
        return
    if preset.schedule.kind != "constant":
        yield problem(
            "rules.schedule-free-schedule", here, "schedule.kind", optimizer=kind, schedule=preset.schedule.kind
        )
    if preset.training.weights == "bf16":
        yield problem("rules.schedule-free-bf16", here, "training.weights", optimizer=kind)
    if preset.training.ema:
        yield problem("rules.schedule-free-ema", "training.ema", here, optimizer=kind)


def _learning_rate_free(preset: Preset) -> Iterator[Problem]:
    kind, training, here = preset.optimizer.kind, preset.training, "optimizer.kind"
    if not preset.optimizer.is_learning_rate_free:
        return
    if training.learning_rate < 0.1:
        yield problem(
            "rules.rate-free-low", here, "training.learning_rate", optimizer=kind, rate=training.learning_rate
        )
    own = learning_rates_of(preset)
    if preset.optimizer.has_single_rate and len(own) > 1:
        yield problem("rules.rate-free-several", here, optimizer=kind, rates=[f"{each:g}" for each in sorted(own)])
    if training.scale_rate != "none":
        yield problem("rules.rate-free-scaled", "training.scale_rate", here, optimizer=kind, scale=training.scale_rate)


def learning_rates_of(preset: Preset) -> set[float]:
    """All learning rates that components, groups of layers and tokens have."""
    shared = preset.training.learning_rate
    own = {preset.training.component(part).learning_rate or shared for part in preset.trained_parts()}
    own |= {
        group.learning_rate for group in getattr(preset.method, "groups", ()) if group.train and group.learning_rate
    }
    own |= {word.learning_rate or shared for word in preset.words if word.train}
    return own


def _learning_rate_too_high(preset: Preset) -> Iterator[Problem]:
    rate, optimizer = preset.training.learning_rate, preset.optimizer
    most = 0.5 * max(1.0, optimizer.rates[1])
    if not optimizer.is_learning_rate_free and rate >= most:
        yield problem(
            "rules.rate-too-high", "training.learning_rate", "optimizer.kind", rate=rate, optimizer=optimizer.kind
        )


def _matrix_optimizer(preset: Preset) -> Iterator[Problem]:
    if preset.optimizer.matrices_only and any(word.train for word in preset.words):
        yield problem("rules.matrices-and-tokens", "optimizer.kind", "words", optimizer=preset.optimizer.kind)


def _paged(preset: Preset) -> Iterator[Problem]:
    if preset.optimizer.paged and preset.general.device == "cpu":
        yield problem("rules.paged-on-cpu", "optimizer.kind", "general.device", optimizer=preset.optimizer.kind)


def _frozen(preset: Preset) -> Iterator[Problem]:
    """Weights that are held so that they cannot be trained."""
    model, trained = preset.model, preset.method.kind == "full" and "denoiser" in preset.trained_parts()
    if model.quantization not in ("off", "auto") and trained:
        yield problem("rules.quantized-trained", "model.quantization", "method.kind", how=model.quantization)
    if model.int8_products and model.quantization not in ("int8", "auto"):
        yield problem("rules.int8-products", "model.int8_products", "model.quantization", how=model.quantization)
    if model.int8_products and preset.general.device == "cpu":
        yield problem("rules.int8-products-on-cpu", "model.int8_products", "general.device")
    if model.offloaded and trained:
        yield problem("rules.offload-trained", "model.offload", "method.kind")
    if model.offloaded and preset.general.device == "cpu":
        yield problem("rules.offload-on-cpu", "model.offload", "general.device")


def _gradients(preset: Preset) -> Iterator[Problem]:
    """Main memory for gradients is for full fine-tunes on a card."""
    if preset.training.gradients != "main_memory":
        return
    if preset.method.kind != "full":
        yield problem("rules.gradients-of-adapters", "training.gradients", "method.kind", method=preset.method.kind)
    if preset.general.device == "cpu":
        yield problem("rules.gradients-on-cpu", "training.gradients", "general.device")


# Adapters -------------------------------------------------------------------------------------------------------------


def _adapter_format(preset: Preset) -> Iterator[Problem]:
    """PEFT has names for LoRA alone; diffusers' DoRA is always of outputs, and native names have none."""
    method, form = preset.method, preset.lora_format
    if not isinstance(method, Adapter) or form == "kohya":
        return
    if form not in preset.card.lora_formats:
        yield problem("rules.lora-format", "output.lora_format", "model.family", form=form, type=preset.card.title)
    elif method.kind != "lora":
        yield problem("rules.adapter-format", "output.lora_format", "method.kind", form=form, method=method.kind)
    elif method.dora and (form == "native" or method.dora_axis == "inputs"):
        yield problem("rules.dora-axis", "output.lora_format", "method.dora_axis", form=form, axis=method.dora_axis)


def _rank_without_file(preset: Preset) -> Iterator[Problem]:
    """Ranks of no file."""
    if isinstance(preset.method, Adapter) and preset.method.rank_from_file and not preset.method.start_from:
        yield problem("rules.rank-without-file", "method.rank_from_file", "method.start_from")


def _oft_alpha(preset: Preset) -> Iterator[Problem]:
    """OFT has no alpha."""
    for number, group in enumerate(preset.method.groups if isinstance(preset.method, Oft) else ()):
        if group.alpha:
            yield problem("rules.oft-alpha", f"method.groups.{number}.alpha", "method.kind")


def _lora_plus(preset: Preset) -> Iterator[Problem]:
    """An optimizer that finds one rate for all, and LoRA+, which wants two."""
    method, kind = preset.method, preset.optimizer.kind
    if isinstance(method, LowRank) and method.rate_ratio != 1 and preset.optimizer.has_single_rate:
        yield problem(
            "rules.rate-free-lora-plus", "method.rate_ratio", "optimizer.kind", ratio=method.rate_ratio, optimizer=kind
        )


def _max_norm(preset: Preset) -> Iterator[Problem]:
    """An average that the limit would spoil."""
    if isinstance(preset.method, LowRank) and preset.method.max_norm and preset.optimizer.is_schedule_free:
        kind = preset.optimizer.kind
        yield problem("rules.schedule-free-max-norm", "method.max_norm", "optimizer.kind", optimizer=kind)


# Samples --------------------------------------------------------------------------------------------------------------


def _guidance(preset: Preset) -> Iterator[Problem]:
    for path, prompt in _enabled_prompts(preset):
        if prompt.guidance_start >= prompt.guidance_end:
            yield problem(
                "rules.guidance-range", f"{path}.guidance_start", f"{path}.guidance_end",
                start=prompt.guidance_start, end=prompt.guidance_end,
            )  # fmt: skip
        if prompt.cfg_plus_plus and prompt.sampler not in FIRST_ORDER:
            yield problem(
                "rules.cfg-plus-plus-sampler", f"{path}.cfg_plus_plus", f"{path}.sampler",
                sampler=prompt.sampler, samplers=list(FIRST_ORDER),
            )  # fmt: skip
        if prompt.cfg_plus_plus and prompt.guidance > MAX_CFG_PLUS_PLUS:
            yield problem(
                "rules.cfg-plus-plus-guidance", f"{path}.cfg_plus_plus", f"{path}.guidance", guidance=prompt.guidance
            )


def _mask(preset: Preset) -> Iterator[Problem]:
    for path, prompt in _enabled_prompts(preset):
        if prompt.mask and not prompt.image:
            yield problem("rules.mask-without-image", f"{path}.mask", f"{path}.image")


def _enabled_prompts(preset: Preset) -> Iterator[tuple[str, Prompt]]:
    for number, prompt in enumerate(preset.sampling.prompts):
        if prompt.enabled:
            yield f"sampling.prompts.{number}", prompt


TRAINING_RULES: tuple[Callable[[Preset], Iterator[Problem]], ...] = (
    _schedule_free,
    _learning_rate_free,
    _learning_rate_too_high,
    _matrix_optimizer,
    _paged,
    _frozen,
    _gradients,
    _guidance,
    _mask,
    _adapter_format,
    _rank_without_file,
    _oft_alpha,
    _lora_plus,
    _max_norm,
)
