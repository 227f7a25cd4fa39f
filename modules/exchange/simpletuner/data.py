"""SimpleTuner's datasets, which lie in a JSON file of their own, and its validation prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from modules.exchange.imported import Intake, as_number, flattened
from modules.exchange.samples import Common, put_prompts
from modules.exchange.simpletuner.names import DATASET, WITHOUT_DATASET
from modules.preset.files.text_file import NotText, decoded
from modules.preset.paths import Values
from modules.sentences.problem import problem
from modules.system.reading import read_bytes

MOST = 10_000
CAPTIONS = {"textfile": "file", "filename": "filename", "instanceprompt": "prompt", "instance_prompt": "prompt"}


def recognizes(found: Any) -> bool:
    """Whether a list is one of its datasets."""
    entries = cast("list[Any]", found) if isinstance(found, list) else []
    marks = {"instance_data_dir", "dataset_type", "cache_dir_vae"}
    return any(isinstance(each, dict) and "id" in each and bool(marks & set(cast("Values", each))) for each in entries)


def read_beside(intake: Intake, name: str, folder: Path | None) -> Any:
    """What stands in a JSON file that a setting names, by its path or beside the imported file."""
    given = intake.text(name).replace("\\", "/")
    if not given:
        return None
    near = [folder / given, folder / Path(given).name, folder.parent / given] if folder else []
    for place in (Path(given).expanduser(), *near):
        try:
            return json.loads(decoded(read_bytes(place, 5_000_000)).text)
        except (OSError, NotText, ValueError, RecursionError):
            continue
    intake.leave_out(name, problem("import.file-missing"))
    return None


def put_concepts(intake: Intake, folder: Path | None) -> None:
    """The datasets that the arguments name, and what they say of all of them."""
    side = _side(intake.number("resolution"), intake.text("resolution_type"))
    if side:
        intake.put("training.resolution", side, "resolution")
    intake.put("training.bucket_step", intake.whole("aspect_bucket_alignment"), "aspect_bucket_alignment")
    found = read_beside(intake, "data_backend_config", folder)
    if found is not None:
        intake.put("training.buckets", True, "data_backend_config")
    put_datasets(intake, found)


def put_datasets(intake: Intake, found: Any) -> None:
    """A concept for each set of images of a list."""
    entries = [cast("Values", each) for each in cast("list[Any]", found) if isinstance(each, dict)] if (
        isinstance(found, list)) else []  # fmt: skip
    images = [each for each in entries[:MOST] if each.get("dataset_type", "image") in ("image", "eval")]
    dropout = intake.number("caption_dropout_probability")
    for number, entry in enumerate(images):
        _concept(intake, number, entry)
    for number in range(max(1, len(images)) if dropout else 0):
        intake.put(f"concepts.{number}.caption_dropout", dropout, "caption_dropout_probability")


def _side(amount: float, kind: str) -> int:
    """Pixels of a square's side: given so, or as megapixels."""
    return round(1000 * amount**0.5 / 8) * 8 if kind == "area" else int(amount)


def _concept(intake: Intake, number: int, entry: Values) -> None:
    own = Intake(intake.program, flattened(entry), DATASET, intake.values, intake.rows, f"datasets.{number}.")
    to = f"concepts.{number}"
    if own.text("type") not in ("local", "parquet", "csv"):
        own.leave_out("type", problem("import.no-cloud-data"))
    own.put(f"{to}.path", own.text("instance_data_dir"), "instance_data_dir")
    own.put(f"{to}.name", own.text("id")[:100], "id")
    own.put(f"{to}.subfolders", True)
    own.put(f"{to}.enabled", not own.yes("disabled"), "disabled")
    kind = "prior" if own.yes("is_regularisation_data") else "train"
    validation = own.text("dataset_type") == "eval"
    own.put(f"{to}.kind", "validation" if validation else kind, "is_regularisation_data")
    why = problem("import.repeats-beside") if own.has("repeats") else None
    own.put(f"{to}.repeats", own.number("repeats") + 1.0, "repeats", why=why)
    _captions(own, to, intake)
    _image(own, to, intake)
    own.finish(WITHOUT_DATASET)


def _captions(own: Intake, to: str, intake: Intake) -> None:
    name = "caption_strategy"
    strategy = own.text(name) or intake.text(name)
    only = own.yes("only_instance_prompt") or intake.yes("only_instance_prompt")
    prompt = own.text("instance_prompt") or intake.text("instance_prompt")
    ours = "prompt" if only else CAPTIONS.get(strategy, "file")
    why = None if only or strategy in CAPTIONS else problem("import.no-counterpart")
    own.put(f"{to}.captions", ours, "only_instance_prompt" if only else name, why=why)
    if ours == "prompt" and prompt:
        own.put(f"{to}.prompt", prompt, "instance_prompt")
    elif prompt and (own.yes("prepend_instance_prompt") or intake.yes("prepend_instance_prompt")):
        own.put(f"{to}.prefix", f"{prompt} ", "instance_prompt", "prepend_instance_prompt")
    else:
        own.leave_out("instance_prompt", problem("import.not-used-there"))


def _image(own: Intake, to: str, intake: Intake) -> None:
    amount = as_number(own.raw("resolution"))
    side = _side(amount, own.text("resolution_type") or intake.text("resolution_type")) if amount else 0
    if side and side != intake.values.get("training", {}).get("resolution"):
        training = intake.values.setdefault("training", {})
        first = to.endswith(".0") and not intake.has("resolution")
        if first:
            training["resolution"] = side
        own.put("training.resolution" if first else f"{to}.resolutions", side if first else str(side), "resolution")
    if own.yes("crop"):
        own.put(f"{to}.random_crop", own.text("crop_style") == "random", "crop", "crop_style")
        if own.text("crop_aspect") == "square":
            own.put("training.buckets", False, "crop_aspect")
    if own.whole("minimum_image_size") > 4 and (own.text("resolution_type") or "pixel") != "area":
        own.take(f"{to}.min_size", "minimum_image_size")


def put_samples(intake: Intake, folder: Path | None) -> None:
    """The validation prompt, and those of a library beside it."""
    texts = [intake.text("validation_prompt")] if intake.text("validation_prompt") else []
    library = read_beside(intake, "user_prompt_library", folder)
    if isinstance(library, dict):
        texts += [str(each) for each in cast("Values", library).values() if isinstance(each, str)]
        intake.raw("user_prompt_library")
    real = intake.number("validation_guidance_real")
    common = Common(
        size=intake.raw("validation_resolution"), steps=intake.whole("validation_num_inference_steps"),
        seed=intake.whole("validation_seed") if intake.has("validation_seed") else None,
        guidance=intake.number("validation_guidance"), negative=intake.text("validation_negative_prompt"),
    )  # fmt: skip
    put_prompts(intake, texts, common, "validation_prompt")
    for number in range(len(texts) if real > 1 else 0):
        intake.put(f"sampling.prompts.{number}.guidance", real, "validation_guidance_real")
    if intake.number("validation_guidance_rescale"):
        for number in range(len(texts)):
            intake.put(f"sampling.prompts.{number}.guidance_rescale", intake.number("validation_guidance_rescale"),
                       "validation_guidance_rescale")  # fmt: skip
