"""sd-scripts' table of images (TOML), and its file of prompts."""

from __future__ import annotations

import json
from typing import Any, cast

from modules.exchange.out.optimizers import number_text
from modules.preset.paths import Values
from modules.preset.text.interval import Interval
from modules.sentences.problem import Problem, problem

DATASET, PROMPTS = "dataset.toml", "prompts.txt"
PLACE = "path/to/images"  # where a preset names no folder
SAMPLERS = {"euler": "euler", "euler_a": "euler_a", "heun": "heun", "dpm2": "dpm_2", "dpm2_a": "dpm_2_a", "ddim":
            "ddim", "pndm": "pndm", "lms": "lms", "dpmpp_2m": "dpmsolver++"}  # fmt: skip
ALWAYS = {
    "shuffle_tags": "shuffle_caption", "keep_tags": "keep_tokens", "tag_dropout": "caption_tag_dropout_rate",
    "wildcards": "enable_wildcard", "caption_dropout": "caption_dropout_rate",
    "dropout_epochs": "caption_dropout_every_n_epochs", "flip": "flip_aug", "random_crop": "random_crop",
}  # fmt: skip


def trained(values: Values) -> tuple[Problem, ...]:
    """Take away the concepts that sd-scripts would train on and must not, and say of which."""
    concepts = cast("list[Values]", values["concepts"])
    held_out = [each for each in concepts if each["enabled"] and each["kind"] == "validation"]
    values["concepts"] = [each for each in concepts if each["enabled"] and each["kind"] != "validation"]
    name = (held_out[0]["name"] or held_out[0]["path"]) if held_out else ""
    return (problem("export.no-validation", program="sd-scripts", name=name),) if held_out else ()


def tables(values: Values) -> Values:
    """Sets of images of one size each, that of the training first."""
    sets: dict[str, list[Values]] = {}
    for concept in values["concepts"]:
        sets.setdefault(_own_side(concept), []).append(_subset(concept))
    if not sets:
        sets[""] = [{"image_dir": PLACE, "caption_extension": ".txt"}]
    found = [_set(values["training"], side, sets[side]) for side in sorted(sets, key=bool)]
    return {"general": {}, "datasets": found}


def _own_side(concept: Values) -> str:
    return concept["resolutions"] if concept["resolutions"].isdecimal() else ""


def _set(training: Values, side: str, subsets: list[Values]) -> Values:
    given: Values = {"resolution": int(side or training["resolution"]), "batch_size": training["batch_size"]}
    given["enable_bucket"] = training["buckets"]
    if training["buckets"]:
        given |= {"min_bucket_reso": training["min_side"], "max_bucket_reso": training["max_side"]}
        given |= {"bucket_reso_steps": training["bucket_step"], "bucket_no_upscale": not training["enlarge"]}
    return {**given, "subsets": subsets}


def _subset(concept: Values) -> Values:
    """One folder, or a list of images."""
    file = concept["path"].lower().endswith((".json", ".jsonl"))
    given: Values = {"metadata_file" if file else "image_dir": concept["path"] or PLACE}
    if not file:
        given["caption_extension"] = concept["caption_ending"]
    given["num_repeats"] = max(1, round(concept["repeats"]))
    given |= {"is_reg": True} if concept["kind"] in ("class", "prior") else {}
    given |= {theirs: concept[ours] for ours, theirs in ALWAYS.items() if concept[ours]}
    if concept["prefix"].strip():
        given["caption_prefix"] = concept["prefix"].strip()
    if concept["suffix"].strip():
        given["caption_suffix"] = concept["suffix"].strip()
    if concept["hue"] == 8 and not concept["hue_fixed"]:
        given["color_aug"] = True
    if concept["masks"] == "alpha":
        given["alpha_mask"] = True
    return given | _tags(concept)


def _tags(concept: Values) -> Values:
    """How tags are told apart, where something is done to them."""
    given: Values = {}
    if concept["tag_warmup"]:
        given |= {"token_warmup_step": concept["tag_warmup"], "token_warmup_min": concept["tag_warmup_from"]}
    if concept["shuffle_tags"] or concept["tag_dropout"] or given:
        given["caption_separator"] = concept["tag_separator"]
        for ours, theirs in (("keep_separator", "keep_tokens_separator"), ("group_separator", "secondary_separator")):
            given |= {theirs: concept[ours]} if concept[ours] else {}
    return given


def dataset_text(sets: Values) -> str:
    """The tables as TOML."""
    lines: list[str] = []
    for each in sets["datasets"]:
        lines += ["[[datasets]]", *(_line(name, value) for name, value in each.items() if name != "subsets"), ""]
        for subset in each["subsets"]:
            lines += ["  [[datasets.subsets]]", *(f"  {_line(name, value)}" for name, value in subset.items()), ""]
    return "\n".join(lines)


def _line(name: str, value: Any) -> str:
    """A text of JSON is one of TOML, but for a character that JSON leaves as it is."""
    if isinstance(value, bool):
        return f"{name} = {'true' if value else 'false'}"
    if isinstance(value, str):
        return f"{name} = {json.dumps(value, ensure_ascii=False).replace(chr(127), chr(92) + 'u007f')}"
    return f"{name} = {value!r}"


def prompt_text(values: Values) -> str:
    """A line for each prompt that is drawn; "" where none is."""
    sampling = values["sampling"]
    if Interval.parse(sampling["every"]).unit not in ("step", "epoch"):
        return ""
    sampling["prompts"] = [each for each in sampling["prompts"] if each["enabled"]]
    return "".join(f"{_prompt(each)}\n" for each in sampling["prompts"])


def _prompt(prompt: Values) -> str:
    words = [" ".join(prompt["prompt"].split())]
    if prompt["negative"].strip():
        words.append(f"--n {' '.join(prompt['negative'].split())}")
    for ours, theirs in (("width", "w"), ("height", "h"), ("steps", "s"), ("guidance", "l")):
        words += [f"--{theirs} {number_text(prompt[ours])}"] if prompt[ours] else []
    if prompt["seed"] >= 0:
        words.append(f"--d {prompt['seed']}")
    if prompt["sampler"] in SAMPLERS:
        words.append(f"--ss {SAMPLERS[prompt['sampler']]}")
    if prompt["distilled_guidance"]:
        words.append(f"--g {number_text(prompt['distilled_guidance'])}")
    return " ".join(words)
