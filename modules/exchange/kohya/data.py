"""sd-scripts' data: subsets of images from its TOML tables, from folders named "10_sks dog", or from one file."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from modules.errors import UserError
from modules.exchange.imported import Intake, as_number
from modules.exchange.kohya.names import DEFAULTS, SUBSET
from modules.preset.files.prompt_file import prompts_of, read_prompts
from modules.preset.files.text_file import NotText, decoded
from modules.preset.paths import Values
from modules.sentences.problem import problem
from modules.system.reading import read_bytes

FOLDER = re.compile(r"(\d{1,4})_(.+)")
MOST = 10_000
MUSUBI = {"image_directory": "image_dir", "image_jsonl_file": "metadata_file"}
OF_SETS = (
    "resolution", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale",
    "batch_size",
)  # fmt: skip


def side_of(value: Any) -> tuple[int, int] | None:
    """Width and height in "1024,768", "512", 512 or [1024, 768]."""
    words = value if isinstance(value, list | tuple) else re.split(r"[,xX\s]+", str(value or "").strip("()[] "))
    sides = [as_number(word) for word in cast("list[Any]", list(words)) if word not in ("", None)]
    if not sides or any(side is None or not 1 <= side <= 100_000 for side in sides):
        return None
    return int(sides[0] or 0), int(sides[-1] or 0)


def tables_of(values: Mapping[str, Any]) -> Values:
    """The tables that hold sets of images; a dataset of musubi-tuner is a set with one subset."""
    general, datasets = values.get("general"), values.get("datasets")
    sets = cast("list[Any]", datasets) if isinstance(datasets, list) else []
    return {
        "general": cast("Values", general) if isinstance(general, dict) else {},
        "datasets": [_as_set(cast("Values", each)) for each in sets if isinstance(each, dict)],
    }


def _as_set(table: Values) -> Values:
    if not set(MUSUBI) & set(table):
        return table
    of_subset = (*MUSUBI, "num_repeats", "caption_extension")
    subset = {MUSUBI.get(name, name): table[name] for name in of_subset if name in table}
    return {**{name: value for name, value in table.items() if name not in of_subset}, "subsets": [subset]}


def put_sizes(intake: Intake, tables: Values) -> None:
    """Resolution and buckets: of the arguments, or of the first set of images."""
    sides = side_of(intake.raw("resolution"))
    bucketed = intake.yes("enable_bucket")
    square = sides is not None and sides[0] == sides[1]
    if sides is None:
        intake.leave_out("resolution", problem("import.no-number"))
    elif square or bucketed:
        side = sides[0] if square else round(math.sqrt(sides[0] * sides[1]) / 8) * 8
        intake.put("training.resolution", side, "resolution", why=None if square else problem("import.area"))
    else:
        intake.put("training.resolutions", f"{sides[0] // 8 * 8}x{sides[1] // 8 * 8}", "resolution")
    intake.put("training.buckets", bucketed or bool(sides and not square), "enable_bucket")
    if bucketed:
        _buckets(intake, sides)
    else:
        intake.leave_out_all(OF_SETS[2:6], "import.not-used-there")


def with_dataset_file(intake: Intake, tables: Values, folder: Path | None) -> Values:
    """The tables, or those of the file that is named; what the first set says of sizes counts for the training."""
    if not _datasets(tables) and intake.has("dataset_config"):
        tables = _dataset_file(intake, folder)
    first = next(iter(_datasets(tables)), {})
    for name in OF_SETS:
        value = first.get(name, tables["general"].get(name))
        if value is not None:
            intake.given["train_batch_size" if name == "batch_size" else name] = value
    return tables


def _buckets(intake: Intake, sides: tuple[int, int] | None) -> None:
    intake.put("training.bucket_step", intake.whole("bucket_reso_steps"), "bucket_reso_steps")
    intake.put("training.enlarge", not intake.yes("bucket_no_upscale"), "bucket_no_upscale")
    if intake.yes("bucket_no_upscale"):
        for name in ("min_bucket_reso", "max_bucket_reso"):
            intake.leave_out(name, problem("import.not-used-there"))
        return
    most = intake.whole("max_bucket_reso")
    low = sides is not None and 0 < most <= math.sqrt(sides[0] * sides[1])
    intake.put("training.min_side", intake.whole("min_bucket_reso"), "min_bucket_reso")
    intake.put(
        "training.max_side", most, "max_bucket_reso", why=problem("import.low-bucket", side=most) if low else None
    )


def _datasets(tables: Values) -> list[Values]:
    given = tables["datasets"]
    return [
        each for each in cast("list[Any]", given if isinstance(given, list) else [])[:MOST] if isinstance(each, dict)
    ]


# Subsets --------------------------------------------------------------------------------------------------------------


def put_concepts(intake: Intake, tables: Values) -> None:
    """A concept for each subset; without any folder, one that says how all are to be read."""
    own = {name: intake.given[name] for name in SUBSET if intake.has(name)}
    number = 0
    for number, (subset, prefix) in enumerate(_subsets(intake, tables), 1):
        _concept(intake, number - 1, {**own, **subset}, prefix)
    if not number and _says_something(own):
        _concept(intake, 0, own, "")
    for name in own:
        intake.raw(name)


def _says_something(own: Mapping[str, Any]) -> bool:
    usual: Values = {**DEFAULTS, "caption_extension": own.get("caption_extension")}
    return any(_is_on(value) and as_number(value) != usual.get(name) for name, value in own.items()
               if value != usual.get(name))  # fmt: skip


def _is_on(value: Any) -> bool:
    return value is True or str(value).lower() == "true" or as_number(value) not in (None, 0.0)


def _dataset_file(intake: Intake, folder: Path | None) -> Values:
    path = Path(intake.text("dataset_config").replace("\\", "/")).expanduser()
    for place in (path, *([folder / path, folder / path.name] if folder else [])):
        try:
            found = tomllib.loads(decoded(read_bytes(place)).text)
        except (OSError, NotText, ValueError, RecursionError):
            continue
        return tables_of(found)
    intake.leave_out("dataset_config", problem("import.file-missing"))
    return tables_of({})


def _subsets(intake: Intake, tables: Values) -> Iterator[tuple[Values, str]]:
    """Each subset with what its set and all sets say beneath it."""
    general = tables["general"]
    for number, each in enumerate(_datasets(tables)):
        inner = each.get("subsets")
        for place, subset in enumerate(cast("list[Any]", inner if isinstance(inner, list) else [])[:MOST]):
            if isinstance(subset, dict):
                yield {**general, **{k: v for k, v in each.items() if k != "subsets"},
                       **cast("Values", subset)}, f"datasets.{number}.subsets.{place}."  # fmt: skip
    if not _datasets(tables):
        yield from _folders(intake)


def _folders(intake: Intake) -> Iterator[tuple[Values, str]]:
    metadata = intake.text("in_json")
    if metadata:
        repeats = intake.raw("dataset_repeats") or 1
        intake.raw("train_data_dir")
        intake.put("concepts.0.path", metadata, "in_json")
        yield {"metadata_file": metadata, "image_dir": metadata, "num_repeats": repeats}, ""
        return
    if intake.has("image_folder"):  # of fine-tuning in the window of kohya_ss: all images of one folder
        yield {"image_dir": intake.text("image_folder"), "num_repeats": intake.raw("dataset_repeats") or 1}, ""
    for name, is_reg in (("train_data_dir", False), ("reg_data_dir", True)):
        if not intake.has(name):
            continue
        parent = Path(intake.text(name)).expanduser()
        found = _numbered(parent)
        if not found:
            intake.note("import.folder-missing", theirs=name, folder=str(parent))
            yield {"image_dir": str(parent), "is_reg": is_reg, "subfolders": True}, ""
        for folder, repeats in found:
            yield {"image_dir": folder, "num_repeats": repeats, "is_reg": is_reg}, ""
        intake.raw(name)


def _numbered(parent: Path) -> list[tuple[str, int]]:
    try:
        folders = sorted(each for each in parent.iterdir() if each.is_dir())
    except (OSError, ValueError):
        return []
    return [(str(each), int(match[1])) for each in folders if (match := FOLDER.fullmatch(each.name)) and int(match[1])]


def _concept(intake: Intake, number: int, given: Values, prefix: str) -> None:
    own = Intake(intake.program, given, {**DEFAULTS, **intake.defaults}, intake.values, intake.rows, prefix)
    to = f"concepts.{number}"
    if own.has("image_dir") or own.has("metadata_file"):
        own.put(f"{to}.path", own.text("metadata_file") or own.text("image_dir"), "image_dir")
        own.raw("metadata_file")
    own.put(f"{to}.kind", "class" if own.yes("is_reg") else "train", "is_reg")
    own.put(f"{to}.subfolders", own.yes("subfolders"))
    own.put(f"{to}.repeats", own.number("num_repeats") or 1, "num_repeats")
    _captions(own, to)
    _tags(own, to)
    _image(own, to)
    if prefix:
        _own_size(own, to)
    if prefix:
        own.finish({r"face_crop_aug_range|masked_loss|custom_attributes|resize_interpolation|network_multiplier"
                    r"|validation\w*|cache_info|control_\w+|multiple_target": "import.no-counterpart",
                    r"cache_directory|debug_dataset": "import.of-its-window"})  # fmt: skip


def _image(own: Intake, to: str) -> None:
    own.take_on(f"{to}.flip", "flip_aug")
    own.take_on(f"{to}.random_crop", "random_crop")
    if own.yes("color_aug"):
        own.put(f"{to}.hue", 8.0, "color_aug", why=problem("import.colours"))
        own.put(f"{to}.augmented", 0.33)
    if own.yes("alpha_mask"):
        own.put(f"{to}.masks", "alpha", "alpha_mask")
    own.leave_out("conditioning_data_dir", problem("import.mask-folder"))


def _own_size(own: Intake, to: str) -> None:
    """A set of images of another size than the first."""
    sides = side_of(own.raw("resolution"))
    if sides and sides[0] == sides[1] and sides[0] != own.values.get("training", {}).get("resolution"):
        own.put(f"{to}.resolutions", str(sides[0]), "resolution")
    for name in OF_SETS:
        own.raw(name)


def _captions(own: Intake, to: str) -> None:
    ending = own.text("caption_extension") or ".caption"
    if own.has("image_dir") and not own.has("metadata_file"):
        dotted = ending if ending.startswith((".", "-", "_")) else f".{ending}"
        own.put(f"{to}.caption_ending", dotted, "caption_extension")
        own.put(f"{to}.more_captions", "folder")
    own.leave_out("class_tokens", problem("import.class-tokens"))
    if own.text("caption_prefix"):
        own.put(f"{to}.prefix", f"{own.text('caption_prefix')} ", "caption_prefix")
    if own.text("caption_suffix"):
        own.put(f"{to}.suffix", f" {own.text('caption_suffix')}", "caption_suffix")
    own.take(f"{to}.wildcards", "enable_wildcard")
    own.take(f"{to}.caption_dropout", "caption_dropout_rate")
    own.take(f"{to}.dropout_epochs", "caption_dropout_every_n_epochs")


def _tags(own: Intake, to: str) -> None:
    own.take(f"{to}.shuffle_tags", "shuffle_caption")
    own.take(f"{to}.keep_tags", "keep_tokens")
    own.take(f"{to}.tag_dropout", "caption_tag_dropout_rate")
    for ours, theirs in (("tag_separator", "caption_separator"), ("keep_separator", "keep_tokens_separator"),
                         ("group_separator", "secondary_separator")):  # fmt: skip
        if own.has(theirs):
            own.put(f"{to}.{ours}", str(own.raw(theirs)), theirs)
    if own.number("token_warmup_step") >= 1:
        own.take(f"{to}.tag_warmup", "token_warmup_step")
        own.take(f"{to}.tag_warmup_from", "token_warmup_min")


# Samples --------------------------------------------------------------------------------------------------------------


def put_samples(intake: Intake, folder: Path | None) -> None:
    """The prompts: kohya_ss keeps their text, sd-scripts a file's name."""
    given = intake.text("sample_prompts")
    if not given:
        return
    try:
        if "\n" in given or not given.lower().endswith((".txt", ".toml", ".json")):
            prompts = prompts_of(given)
        else:
            path = Path(given.replace("\\", "/")).expanduser()
            prompts = read_prompts(path if path.is_file() or not folder else folder / path.name).prompts
    except (UserError, OSError, ValueError):
        intake.leave_out("sample_prompts", problem("import.file-missing"))
        return
    if prompts:
        intake.put("sampling.prompts", prompts[:1000], "sample_prompts")
