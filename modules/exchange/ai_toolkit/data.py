"""ai-toolkit's datasets and samples."""

from __future__ import annotations

from typing import Any, cast

from modules.exchange.ai_toolkit.names import DATASET, WITHOUT_DATASET
from modules.exchange.imported import Intake, as_number, flattened
from modules.exchange.samples import Common, put_prompts
from modules.preset.paths import Values
from modules.sentences.problem import problem

MOST = 10_000


def put_concepts(intake: Intake, datasets: list[Any]) -> None:
    """A concept for each dataset, and the resolution of the first for the training."""
    entries = [cast("Values", each) for each in datasets[:MOST] if isinstance(each, dict)]
    first = _resolutions(entries[0]) if entries else []
    if len(first) == 1:
        intake.put("training.resolution", first[0])
    elif first:
        intake.put("training.resolutions", ", ".join(map(str, first)))
    trigger = intake.text("trigger_word")
    for number, entry in enumerate(entries):
        _concept(intake, number, entry, first)
        if trigger and not entry.get("trigger_word"):
            intake.put(f"concepts.{number}.trigger", trigger, "trigger_word")
    if not entries and trigger:
        intake.put("concepts.0.trigger", trigger, "trigger_word")


def _resolutions(entry: Values) -> list[int]:
    given = entry.get("resolution", DATASET["resolution"])
    sides = [as_number(each) for each in (cast("list[Any]", given) if isinstance(given, list) else [given])]
    return [int(side) for side in sides if side and 64 <= side <= 8192]


def _concept(intake: Intake, number: int, entry: Values, first: list[int]) -> None:
    own = Intake(intake.program, flattened(entry), DATASET, intake.values, intake.rows, f"datasets.{number}.")
    to = f"concepts.{number}"
    path = next((name for name in ("folder_path", "dataset_path") if own.has(name)), "folder_path")
    own.put(f"{to}.path", own.text(path), path)
    own.put(f"{to}.subfolders", True)
    prior = own.yes("prior_reg")
    own.put(f"{to}.kind", "prior" if prior else "class" if own.yes("is_reg") else "train",
            "prior_reg" if prior else "is_reg")  # fmt: skip
    own.put(f"{to}.repeats", max(1.0, own.number("num_repeats")), "num_repeats")
    _size(own, to, entry, first)
    _captions(own, to)
    own.take_on(f"{to}.flip", "flip_x")
    own.take_on(f"{to}.flip_vertical", "flip_y")
    own.take_on(f"{to}.random_crop", "random_crop")
    if own.number("loss_multiplier") != 1:
        own.take(f"{to}.loss_weight", "loss_multiplier")
    if own.yes("alpha_mask"):
        own.put(f"{to}.masks", "alpha", "alpha_mask")
    elif own.has("mask_path"):
        own.put(f"{to}.masks", "file", "mask_path", why=problem("import.mask-folder"))
    if own.values[to.partition(".")[0]][number].get("masks"):
        own.put("training.masks.unmasked_weight", own.number("mask_min_value"), "mask_min_value")
        own.put("training.masks.unmasked_probability", 0.0)
    own.finish(WITHOUT_DATASET)


def _size(own: Intake, to: str, entry: Values, first: list[int]) -> None:
    """Each image there is shown once at each resolution in an epoch."""
    sides = _resolutions(entry)
    why = problem("import.once-each-resolution", program=own.program) if len(sides) > 1 else None
    path = "training.resolution" if len(first) == 1 else "training.resolutions"
    if sides != first and sides:
        path = f"{to}.resolutions"
    value: Any = sides[0] if path == "training.resolution" and sides else ", ".join(map(str, sides))
    own.put(path, value, "resolution", why=why)
    if not own.yes("buckets"):
        own.put("training.buckets", False, "buckets")


def _captions(own: Intake, to: str) -> None:
    ending = own.text("caption_ext")
    own.put(f"{to}.caption_ending", ending if ending.startswith(".") else f".{ending}", "caption_ext")
    if own.text("default_caption"):
        own.put(f"{to}.more_captions", "folder")
        own.leave_out("default_caption", problem("import.class-tokens"))
    if own.text("trigger_word"):
        own.take(f"{to}.trigger", "trigger_word")
    own.take(f"{to}.caption_dropout", "caption_dropout_rate")
    own.take(f"{to}.shuffle_tags", "shuffle_tokens")
    own.take(f"{to}.tag_dropout", "token_dropout_rate")
    own.take(f"{to}.keep_tags", "keep_tokens")


def put_samples(intake: Intake, lists: dict[str, list[Any]]) -> None:
    """The prompts, with the trigger word where they ask for it."""
    samples = [each for each in lists["sample.samples"] if isinstance(each, dict)]
    prompts = [str(cast("Values", each).get("prompt") or "") for each in samples]
    name = "sample.samples" if samples else "sample.prompts"
    prompts = prompts or [str(each) for each in lists["sample.prompts"]]
    trigger = intake.text("trigger_word")
    common = Common(
        size=(intake.whole("sample.width"), intake.whole("sample.height")), seed=intake.whole("sample.seed"),
        steps=intake.whole("sample.sample_steps"), guidance=intake.number("sample.guidance_scale"),
        negative=intake.text("sample.neg") if intake.raw("sample.neg") is not False else "",
        walk=intake.yes("sample.walk_seed"),
    )  # fmt: skip
    put_prompts(intake, [prompt.replace("[trigger]", trigger).strip() for prompt in prompts], common, name)
    for number, sample in enumerate(cast("list[Values]", samples)):
        for ours, theirs in (("width", "width"), ("height", "height"), ("steps", "sample_steps"), ("seed", "seed")):
            if as_number(sample.get(theirs)) is not None and sample.get("prompt"):
                intake.put(f"sampling.prompts.{number}.{ours}", int(as_number(sample[theirs]) or 0))
