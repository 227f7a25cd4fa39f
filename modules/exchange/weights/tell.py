"""A preset of a LoRA or model without settings: what its tensors tell, and what is left of a header."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from modules.catalog import FAMILIES
from modules.catalog.contents import families_called, family_of
from modules.exchange.imported import Imported, Intake, as_number
from modules.exchange.weights.shape import LoraShape, shape_of
from modules.preset.files.text_file import NotText, decoded
from modules.preset.paths import Values
from modules.sentences.problem import Problem, problem
from modules.system.reading import read_bytes

Texts = Mapping[str, str]
PEFT = "adapter_config.json"  # beside a LoRA of PEFT


def tell(path: Path, header: Values, texts: Texts, start: int, who: Problem) -> Imported | None:
    """What a file tells; None where it is neither an update of layers nor a model that is known."""
    shape = shape_of(header, path, start)
    names = [name for name in header if name != "__metadata__"]
    intake = Intake(path.name, {}, {})
    if shape is not None:
        intake.note("import.by-its-tensors", file=path.name, who=who)
        _lora(intake, shape, path, texts)
    else:
        family = family_of(names, texts)
        if not family:
            return None
        intake.note("import.model-itself", file=path.name)
        _family(intake, family, guessed=False)
        _put(intake, "file", str(path), "model.source")
        variants = FAMILIES[family].named_variants(path.name)
        if len(variants) == 1 and FAMILIES[family].variant_titles:
            _put(intake, "variant", variants[0].title, "model.variant")
        if "v_pred" in names:
            _put(intake, "v_pred", True, "objective.prediction", "v_prediction")
        if "ztsnr" in names:
            _put(intake, "ztsnr", True, "objective.zero_terminal_snr", "on")
    _header(intake, texts, is_model=shape is None)
    return intake.finish({}, partial=True)


def _put(intake: Intake, name: str, theirs: Any, path: str, ours: Any = None, why: Problem | None = None) -> None:
    intake.given[name] = theirs
    intake.put(path, theirs if ours is None else ours, name, why=why)


def _family(intake: Intake, family: str, *, guessed: bool) -> None:
    _put(intake, "model", FAMILIES[family].title, "model.family", family,
         problem("import.guessed-by-layers") if guessed else None)  # fmt: skip


# LoRA -----------------------------------------------------------------------------------------------------------------


def _lora(intake: Intake, shape: LoraShape, path: Path, texts: Texts) -> None:
    called = families_called(texts)
    family = called[0] if len(called) == 1 else shape.family
    if family:
        _family(intake, family, guessed=not called)
    else:
        intake.note("import.no-family-told", file=path.name)
    peft = _peft(path, texts)
    _put(intake, "kind", shape.kind, "method.kind")
    _size(intake, shape, peft)
    if shape.dora and shape.kind in ("lora", "lokr", "loha"):
        _put(intake, "dora", True, "method.dora")
        intake.put("method.dora_axis", shape.dora)
    if shape.conv_ranks and shape.kind != "oft":
        _put(intake, "conv_rank", shape.conv_ranks.most_common(1)[0][0], "method.conv_rank")
        intake.put("method.conv", True)
    card = FAMILIES[family or "sd"]
    layers = shape.layer_set(flow=card.is_flow)
    if shape.layers and family:
        _put(intake, "layers", len(shape.layers), "method.layers", layers if layers in card.layer_sets else "all")
    _put(intake, "denoiser", bool(shape.layers), "training.denoiser.train")
    for number, name in enumerate([name for name in card.trainable if name != "denoiser"], 1):
        _put(intake, name, number in shape.encoders, f"training.{name}.train")


def _size(intake: Intake, shape: LoraShape, peft: Values) -> None:
    if shape.kind == "oft":
        _put(intake, "block_size", shape.rank, "method.block_size") if shape.rank > 1 else None
        return
    if shape.kind == "lokr":
        _put(intake, "factor", shape.factor, "method.factor") if shape.factor else None
        if shape.full_matrix:
            _put(intake, "full_matrix", True, "method.full_matrix")
            return
    if not shape.rank:
        return
    several = problem("import.several-ranks", count=len(shape.ranks)) if len(shape.ranks) > 1 else None
    _put(intake, "rank", shape.rank, "method.rank", why=several)
    alpha = shape.alphas.most_common(1)[0][0] if shape.alphas else as_number(peft.get("lora_alpha"))
    _put(intake, "alpha", alpha or float(shape.rank), "method.alpha",
         why=None if alpha else problem("import.alpha-not-told"))  # fmt: skip


def _peft(path: Path, texts: Texts) -> Values:
    """What PEFT wrote beside the file or diffusers into it: alpha above all."""
    given = texts.get("lora_adapter_metadata", "")
    try:
        text = given or decoded(read_bytes(path.parent / PEFT, 1_000_000)).text
        found = json.loads(text)
    except (OSError, NotText, ValueError, RecursionError):
        return {}
    values = cast("Values", found) if isinstance(found, dict) else {}
    return {name.rpartition(".")[2]: value for name, value in values.items()}


# The rest of the header -----------------------------------------------------------------------------------------------


def _header(intake: Intake, texts: Texts, *, is_model: bool) -> None:
    """ModelSpec, and what ai-toolkit tells of a run's length."""
    if sides := re.fullmatch(r"(\d{2,5})x(\d{2,5})", texts.get("modelspec.resolution", "")):
        side = round((int(sides[1]) * int(sides[2])) ** 0.5 / 8) * 8
        _put(intake, "modelspec.resolution", sides[0], "training.resolution", side)
    prediction = {"epsilon": "epsilon", "v": "v_prediction"}.get(texts.get("modelspec.prediction_type", ""))
    if prediction and not FAMILIES[intake.family].is_flow:
        _put(intake, "modelspec.prediction_type", prediction, "objective.prediction")
    skip = texts.get("modelspec.encoder_layer", "")
    if skip.isdecimal() and 1 <= int(skip) <= 11 and intake.family == "sd":
        _put(intake, "modelspec.encoder_layer", int(skip), "model.clip_skip")
    if is_model:
        return
    if times := re.fullmatch(r"(\d{1,4}),(\d{1,4})", texts.get("modelspec.timestep_range", "")):
        intake.put("objective.times.lower", int(times[1]) / 1000)
        _put(intake, "modelspec.timestep_range", times[0], "objective.times.upper", min(1.0, int(times[2]) / 1000))
    try:
        info = json.loads(texts.get("training_info", "null"))
    except (ValueError, RecursionError):
        info = None
    steps = as_number(cast("Values", info).get("step")) if isinstance(info, dict) else None
    if steps and steps >= 1:
        _put(intake, "training_info.step", int(steps), "training.steps", why=problem("import.steps-so-far"))
