"""sd-scripts' network, or the word, or the whole model; and what is trained of it at which rate."""

from __future__ import annotations

from typing import Any

from modules.catalog import FAMILIES
from modules.exchange.kohya.network import LYCORIS_PRESETS
from modules.exchange.out.optimizers import number_text
from modules.preset.paths import Values

MODULES = {
    "sd": "networks.lora", "sdxl": "networks.lora", "flux1": "networks.lora_flux", "chroma": "networks.lora_flux",
    "sd3": "networks.lora_sd3", "anima": "networks.lora_anima",
}  # fmt: skip
ALGORITHMS = {"lora": "locon", "loha": "loha", "lokr": "lokr", "oft": "diag-oft"}
PRESETS = {"attention-mlp": "attn-mlp", **{ours: theirs for theirs, ours in LYCORIS_PRESETS.items()}}
SWITCHES = {"decompose_both": "decompose_both", "tucker": "use_tucker"}
Arguments = dict[str, Any]


def network(values: Values) -> Arguments:
    """The method and its size."""
    method = values["method"]
    if method["kind"] == "full":
        return {}
    if method["kind"] == "embedding":
        return _word(values)
    lycoris = _needs_lycoris(values)
    given: Arguments = {"network_module": "lycoris.kohya" if lycoris else MODULES[values["model"]["family"]]}
    given |= _size(method)
    given["network_dropout"] = method.get("dropout") or None
    options = _options(values, lycoris)
    given["network_args"] = [f"{name}={number_text(value)}" for name, value in options.items()] or None
    given["scale_weight_norms"] = method.get("max_norm") or None
    if method["start_from"]:
        given |= {"network_weights": method["start_from"], "dim_from_weights": method["rank_from_file"]}
    return given


def _needs_lycoris(values: Values) -> bool:
    """LyCORIS for what sd-scripts' own LoRA does not have: other kinds, DoRA, attention alone."""
    method = values["method"]
    layers = method["layers"] in LYCORIS_PRESETS.values() and not FAMILIES[values["model"]["family"]].is_flow
    return method["kind"] != "lora" or method["dora"] or layers


def _size(method: Values) -> Arguments:
    if method["kind"] == "oft":
        return {"network_dim": method["block_size"], "network_alpha": 1}
    if method.get("full_matrix"):
        return {"network_dim": 10_000, "network_alpha": 1}
    return {"network_dim": method["rank"], "network_alpha": number_text(method["alpha"])}


def _options(values: Values, lycoris: bool) -> Arguments:
    method = values["method"]
    flow = FAMILIES[values["model"]["family"]].is_flow
    given: Arguments = {"algo": ALGORITHMS[method["kind"]]} if lycoris else {}
    given |= {name: method[name] for name in ("rank_dropout", "module_dropout", "constraint") if method.get(name)}
    if method.get("rate_ratio", 1.0) != 1:
        given["loraplus_lr_ratio"] = method["rate_ratio"]
    if method.get("dora"):
        given |= {"dora_wd": True, "wd_on_output": method["dora_axis"] == "outputs" if "dora_axis" in method else False}
    if method["kind"] == "lokr":
        given |= {"factor": method["factor"] or -1}
        given |= {"full_matrix": True} if method["full_matrix"] else {}
    given |= {theirs: True for ours, theirs in SWITCHES.items() if method.get(ours)}
    if lycoris and (flow or method["layers"] in PRESETS):
        given["preset"] = _lycoris_preset(method, flow)
    elif values["model"]["family"] in ("flux1", "chroma") and method["layers"] == "attention-mlp":
        given |= {"img_mod_dim": 0, "txt_mod_dim": 0, "single_mod_dim": 0}
    if method["conv"] and not flow and method["kind"] != "oft":
        given |= {"conv_dim": method.get("conv_rank") or method["rank"]}
        given |= {"conv_alpha": method.get("conv_alpha") or method["alpha"]}
    return given


def _lycoris_preset(method: Values, flow: bool) -> str:
    """It adapts convolutions, too, where it is told "full"."""
    if flow:
        return PRESETS.get(method["layers"], "full")
    return "full" if method["conv"] and method["layers"] == "attention-mlp" else PRESETS[method["layers"]]


def _word(values: Values) -> Arguments:
    """The first of the words: sd-scripts learns one at a time."""
    word: Values = next(iter(values["words"]), {})
    return {
        "token_string": word.get("token", "<new>"), "init_word": word.get("start") or None,
        "num_vectors_per_token": word.get("vectors", 4), "weights": word.get("file") or None,
    }  # fmt: skip


def rates(values: Values) -> Arguments:
    """A rate of 0 switches a text encoder off there."""
    training, kind = values["training"], values["method"]["kind"]
    common = training["learning_rate"]
    given: Arguments = {"learning_rate": common}
    encoders = [part for part in FAMILIES[values["model"]["family"]].trainable if part != "denoiser"]
    told: list[float] = [training[part]["learning_rate"] if training[part]["train"] else 0 for part in encoders]
    if kind == "full":
        return given | _full_rates(values["model"]["family"], told)
    if kind == "embedding":
        own = next((word["learning_rate"] for word in values["words"]), 0)
        return {"learning_rate": own or common}
    if not training["denoiser"]["train"]:
        given["network_train_text_encoder_only"] = True
    else:
        given["unet_lr"] = training["denoiser"]["learning_rate"]
    if any(told):
        given["text_encoder_lr"] = told
    elif training["denoiser"]["train"]:
        given["network_train_unet_only"] = True
    return given


def _full_rates(family: str, told: list[float]) -> Arguments:
    if family == "sd":
        return {"learning_rate_te": told[0]} if any(told) else {"stop_text_encoder_training": -1}
    if family == "sdxl" and any(told):
        return {"train_text_encoder": True, **{f"learning_rate_te{n}": str(rate) for n, rate in enumerate(told, 1)}}
    return {}
