"""What a model's folder may claim of itself, checked before anything of that size is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from modules.catalog import ComponentSpec, FamilyCard
from modules.errors import UserError
from modules.sentences.printable import printable

T = TypeVar("T")

# (least, most) of the numbers that decide how much is made. Every published model of these families is far within.
LIMITS = {
    "in_channels": (1, 1024), "out_channels": (1, 256), "latent_channels": (1, 256), "layers_per_block": (1, 64),
    "block_out_channels": (1, 65_536), "norm_num_groups": (1, 4096), "attention_head_dim": (1, 65_536),
    "num_attention_heads": (1, 65_536), "transformer_layers_per_block": (0, 256), "cross_attention_dim": (1, 65_536),
    "projection_class_embeddings_input_dim": (1, 1_000_000), "addition_time_embed_dim": (1, 65_536),
    "hidden_size": (1, 65_536), "intermediate_size": (1, 1_000_000), "num_hidden_layers": (1, 256),
    "max_position_embeddings": (3, 10_000_000), "projection_dim": (1, 65_536), "vocab_size": (1, 10_000_000),
    "num_train_timesteps": (1, 100_000), "sample_size": (1, 65_536), "num_layers": (0, 256),
    "d_model": (1, 65_536), "d_ff": (1, 1_000_000), "num_heads": (1, 65_536), "d_kv": (1, 65_536),
    "joint_attention_dim": (1, 65_536), "num_key_value_heads": (1, 65_536), "head_dim": (1, 65_536),
    "z_dim": (1, 256), "base_dim": (1, 65_536), "num_res_blocks": (1, 64),
    "base_image_seq_len": (1, 10_000_000), "max_image_seq_len": (1, 10_000_000),
}  # fmt: skip
BY_BLOCK = {  # may be a list, a number for each block
    "block_out_channels", "layers_per_block", "attention_head_dim", "num_attention_heads", "cross_attention_dim",
    "transformer_layers_per_block",
}  # fmt: skip
NOISE_LIMITS = {  # (least, what it must be below) of a scheduler
    "beta_start": (1e-12, 1), "beta_end": (1e-12, 1), "shift": (1e-3, 1000), "flow_shift": (1e-3, 1000),
    "base_shift": (0, 20), "max_shift": (0, 20), "shift_terminal": (0, 1),
}  # fmt: skip
NOT_NULL = ("beta_start", "beta_end")
REQUIRED: dict[str, tuple[str, ...]] = {  # by the kind of a component or its class
    "unet": ("in_channels", "block_out_channels"), "dit": ("in_channels",), "t5": ("d_model",),
    "AutoencoderKL": ("latent_channels",), "AutoencoderKLFlux2": ("latent_channels",),
    "AutoencoderKLQwenImage": ("z_dim", "latents_mean", "latents_std"),
}  # fmt: skip

# Everything that diffusers and transformers raise for a config that makes no sense.
CONFIG_ERRORS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, ZeroDivisionError, AssertionError,
    NotImplementedError, OverflowError,
)  # fmt: skip


def check_configs(configs: Mapping[str, Mapping[str, Any]], card: FamilyCard, where: object) -> None:
    """Refuse sizes that are none, or that no machine could hold. `where` is the model's path.

    Raises:
        UserError: naming the component and the setting.
    """
    specs = {spec.name: spec for spec in card.components}
    for name, config in configs.items():
        folder = specs[name].folder if name in specs else name  # the scheduler's
        for key in _required(specs[name]) if name in specs else ():
            if config.get(key) is None:
                raise UserError("config.lacks", where=where, part=folder, key=key)
        for key, value in config.items():
            if not _is_within_limits(key, value):
                raise UserError("config.value", where=where, part=folder, key=key, value=_brief(value))


def _required(spec: ComponentSpec) -> tuple[str, ...]:
    return REQUIRED.get(spec.kind, ()) + REQUIRED.get(spec.class_name, ())


# By the kind of a component or its class: settings that ask for an input that is never given here, or for arithmetic
# that is not done, and what that is. None, False and the values in SUPPORTED are fine.
UNSUPPORTED: dict[str, dict[str, str]] = {
    "unet": {
        "time_cond_proj_dim": "the guidance as an input (LCM)", "class_embed_type": "classes as an input",
        "num_class_embeds": "classes as an input", "encoder_hid_dim": "embeddings of another text or image encoder",
        "encoder_hid_dim_type": "embeddings of another text or image encoder",
        "addition_embed_type": "another input beside the text", "attention_type": "positions of objects (GLIGEN)",
    },
    "QwenImageTransformer2DModel": {
        "zero_cond_t": "images to edit as a second input (Qwen-Image-Edit-2511)",
        "use_additional_t_cond": "layers of an image (Qwen-Image-Layered)",
        "use_layer3d_rope": "layers of an image (Qwen-Image-Layered)",
        "guidance_embeds": "the guidance as an input",
    },
    "CosmosTransformer3DModel": {
        "img_context_dim_in": "another image as an input", "use_crossattn_projection": "text of another width",
    },
    "AutoencoderKL": {
        "latents_mean": "another scale for each channel", "latents_std": "another scale for each channel",
    },
    "scheduler": {"timestep_type": "noise levels of another kind (EDM)"},
}  # fmt: skip
SUPPORTED = {"addition_embed_type": "text_time", "attention_type": "default", "timestep_type": "discrete"}
# Schedulers whose config says how the model was trained, by what their names begin with
SCHEDULERS = ("DDIM", "DDPM", "PNDM", "LMS", "Euler", "Heun", "DPMSolver", "KDPM2", "DEIS", "UniPC", "LCM", "TCD",
              "SASolver", "FlowMatch")  # fmt: skip


def check_supported(configs: Mapping[str, Mapping[str, Any]], card: FamilyCard, where: object) -> None:
    """Refuse models that would be asked wrongly: with an input that they never get, or in another arithmetic.

    Raises:
        UserError: naming the component and the setting.
    """
    kinds = {"scheduler": ("scheduler", "scheduler", "")} | {
        spec.name: (spec.folder, spec.kind, spec.class_name) for spec in card.components
    }
    for name, config in configs.items():
        folder, kind, class_name = kinds[name]
        for setting, what in {**UNSUPPORTED.get(kind, {}), **UNSUPPORTED.get(class_name, {})}.items():
            value = config.get(setting)
            if value not in (None, False, SUPPORTED.get(setting)):
                values = {"folder": folder, "setting": setting, "value": _brief(value), "meaning": what}
                raise UserError("model.unsupported", file=where, fixes=(), **values)
    scheduler = str(configs.get("scheduler", {}).get("_class_name") or SCHEDULERS[0])
    if not scheduler.startswith(SCHEDULERS):
        raise UserError("model.scheduler", file=where, scheduler=_brief(scheduler))


def _brief(value: object) -> str:
    return printable(str(value)[:60], line=True)


def _is_within_limits(name: str, value: Any) -> bool:
    if value is None:
        return name not in NOT_NULL
    if name in NOISE_LIMITS:
        least, end = NOISE_LIMITS[name]
        return isinstance(value, int | float) and least <= value < end
    if name not in LIMITS:
        return True
    if isinstance(value, list) and name not in BY_BLOCK:
        return False
    least, most = LIMITS[name]
    return all(type(each) is int and least <= each <= most for each in _numbers(value))


def _numbers(value: Any) -> Iterator[Any]:
    """What a size says: one number, or one for each block, or lists of them."""
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _numbers(each)
    else:
        yield value


def build_from_config(make: Callable[[], T], what: str) -> T:
    """What `make` makes of a config.

    Raises:
        UserError: the config describes nothing that can be made. `what` names the part.
    """
    from huggingface_hub.errors import StrictDataclassError  # noqa: PLC0415 - transformers' own check of configs

    try:
        return make()
    except (*CONFIG_ERRORS, StrictDataclassError) as error:
        why = printable(" ".join(str(error).split())[:200], line=True)
        raise UserError("config.wrong", part=what, reason=why) from error


# What a config says of how it is loaded, and not of what the model is. Seachange loads by itself, in the precision of
# the settings; these would have the libraries fetch and import code, or build layers that it does not know.
LOADING_KEYS = {
    "attn_implementation", "experts_implementation", "use_kernels", "kernel_config",  # kernels from the hub
    "auto_map", "custom_pipelines", "trust_remote_code",  # classes from the hub
    "quantization_config", "compression_config", "adapters", "peft_config",  # other layers
    "torch_dtype", "dtype",  # a text that is looked up in torch
}  # fmt: skip


def without_loading_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as it describes a model: without keys that steer the libraries, and without their own notes (_name)."""
    return {
        name: without_loading_keys(cast("Mapping[str, Any]", value)) if isinstance(value, dict) else value
        for name, value in config.items()
        if name not in LOADING_KEYS and not name.startswith("_")
    }
