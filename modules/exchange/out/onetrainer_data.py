"""OneTrainer's concepts and samples, inside of its configuration."""

from __future__ import annotations

from typing import Any

from modules.exchange.onetrainer.data import EFFECTS, KINDS, SCHEDULERS
from modules.preset.paths import Values, put

VERSION = 2  # of a concept
TYPES = {ours: theirs for theirs, ours in KINDS.items()}
DROPOUT = {"each": "RANDOM", "weighted": "RANDOM WEIGHTED", "all": "FULL"}
LISTS = {"keep": "WHITELIST", "only": "BLACKLIST"}
CAPITALS = {
    "upper": "capslock", "title": "title", "first": "first", "random": "random",
    "any": "capslock, title, first, random",
}  # fmt: skip
NAMED = {samplers: name for name, samplers in SCHEDULERS.items()}


def dropout(values: Values) -> float:
    """One share of captions that are left out, for all concepts."""
    return max((each["caption_dropout"] for each in values["concepts"]), default=0.0)


def concepts(values: Values) -> list[Values]:
    """A preset without folders is a configuration without concepts."""
    return [_concept(each) for each in values["concepts"]]


def _concept(ours: Values) -> Values:
    balanced = {"balancing": float(ours["repeats"]), "balancing_strategy": "REPEATS"}
    if ours["samples"]:
        balanced = {"balancing": float(ours["samples"]), "balancing_strategy": "SAMPLES"}
    found: Values = {
        "__version": VERSION, "name": ours["name"], "path": ours["path"], "enabled": ours["enabled"],
        "type": TYPES.get(ours["kind"], "STANDARD"), "include_subdirectories": ours["subfolders"],
        "image_variations": ours["variants"], **balanced, "loss_weight": ours["loss_weight"],
    }  # fmt: skip
    for name, value in {**_text(ours), **_image(ours)}.items():
        put(found, name, value)
    return found


def _text(ours: Values) -> dict[str, Any]:
    drops = ours["tag_dropout"] > 0
    return {
        "text.prompt_source": "filename" if ours["captions"] == "filename" else "sample",
        "text.enable_tag_shuffling": ours["shuffle_tags"], "text.tag_delimiter": ours["tag_separator"],
        "text.keep_tags_count": ours["keep_tags"], "text.tag_dropout_enable": drops,
        "text.tag_dropout_mode": DROPOUT[ours["tag_dropout_kind"]], "text.tag_dropout_probability": ours["tag_dropout"],
        "text.tag_dropout_special_tags_mode": LISTS.get(ours["tag_list_use"], "NONE"),
        "text.tag_dropout_special_tags": ours["tag_separator"].join(ours["tag_list"].splitlines()),
        "text.tag_dropout_special_tags_regex": ours["tag_list_patterns"],
        "text.caps_randomize_enable": ours["capitals"] in CAPITALS,
        "text.caps_randomize_mode": CAPITALS.get(ours["capitals"], CAPITALS["any"]),
        "text.caps_randomize_probability": ours["capitals_share"],
    }  # fmt: skip


def _image(ours: Values) -> dict[str, Any]:
    found: dict[str, Any] = {
        "image.enable_crop_jitter": ours["random_crop"], "image.enable_random_flip": ours["flip"],
        "image.enable_fixed_flip": ours["flip_always"],
        "image.enable_random_mask_rotate_crop": ours["mask_crop"] == "around",
        "image.enable_resolution_override": bool(ours["resolutions"]),
        "image.resolution_override": ours["resolutions"] or "512",
    }  # fmt: skip
    for effect in EFFECTS:
        name = "rotation" if effect == "rotate" else effect
        size = f"image.random_{effect}_max_{'angle' if effect == 'rotate' else 'strength'}"
        on, fixed = ours[name] != 0, ours[f"{name}_fixed"]
        found |= {f"image.enable_random_{effect}": on and not fixed, f"image.enable_fixed_{effect}": on and fixed}
        found[size] = ours[name] / (180 if effect == "hue" else 1)
    return found


def samples(values: Values) -> list[Values]:
    """The prompts; a side of 0 is that of the training."""
    side = values["training"]["resolution"]
    return [_sample(each, side) for each in values["sampling"]["prompts"]]


def _sample(ours: Values, side: int) -> Values:
    scheduler = NAMED.get((ours["sampler"], ours["spacing"])) or NAMED.get((ours["sampler"], "default"))
    return {
        "enabled": ours["enabled"], "prompt": ours["prompt"], "negative_prompt": ours["negative"],
        "width": ours["width"] or side, "height": ours["height"] or side, "seed": max(0, ours["seed"]),
        "random_seed": ours["seed"] < 0, "diffusion_steps": ours["steps"], "cfg_scale": ours["guidance"],
        **({"noise_scheduler": scheduler} if scheduler else {}), "base_image_path": ours["image"],
        "mask_image_path": ours["mask"],
    }  # fmt: skip
