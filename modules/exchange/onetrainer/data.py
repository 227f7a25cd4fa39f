"""OneTrainer's concepts and samples: inline in an exported configuration, or in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from modules.exchange.imported import Intake, flattened
from modules.preset.paths import Values
from modules.preset.sections.sampling import sampler_named
from modules.sentences.problem import problem
from modules.system.reading import read_json

CONCEPT: dict[str, Any] = {
    "name": "", "path": "", "enabled": True, "type": "STANDARD", "include_subdirectories": False,
    "image_variations": 1, "balancing": 1.0, "balancing_strategy": "REPEATS", "loss_weight": 1.0,
    "text.prompt_source": "sample", "image.enable_crop_jitter": True, "text.tag_delimiter": ",",
    "text.keep_tags_count": 1, "text.tag_dropout_mode": "FULL", "text.tag_dropout_special_tags_mode": "NONE",
    "image.resolution_override": "512", "text.caps_randomize_mode": "capslock, title, first, random",
}  # fmt: skip
SAMPLE: dict[str, Any] = {"enabled": True, "seed": 42, "diffusion_steps": 20, "cfg_scale": 7.0}
SCHEDULERS = {  # its names -> our sampler and spacing
    "DDIM": ("ddim", "default"), "EULER": ("euler", "default"), "EULER_A": ("euler_a", "default"),
    "DPMPP": ("dpmpp_2m", "default"), "DPMPP_SDE": ("dpmpp_2m_sde", "default"), "UNIPC": ("unipc", "default"),
    "EULER_KARRAS": ("euler", "karras"), "DPMPP_KARRAS": ("dpmpp_2m", "karras"),
    "DPMPP_SDE_KARRAS": ("dpmpp_2m_sde", "karras"), "UNIPC_KARRAS": ("unipc", "karras"),
}  # fmt: skip
KINDS = {"STANDARD": "train", "VALIDATION": "validation", "PRIOR_PREDICTION": "prior"}
EFFECTS = ("rotate", "brightness", "contrast", "saturation", "hue")
WITHOUT = {
    r".*__version|concept_stats.*|seed|.*\.__version": "import.not-a-setting",
    r"text_variations": "import.no-text-variants",
    r"(image|text)\..*": "import.not-used-there",
}
MOST = 10_000


def _inline_or_file(given: Any, name: str, intake: Intake, folder: Path | None) -> list[Values]:
    """The list itself, or that of the file which the configuration names, where it can be found."""
    file = intake.text(name)
    if not isinstance(given, list) and file and folder:
        near = [folder / file, folder.parent / file, folder / Path(file.replace("\\", "/")).name]
        for path in near:
            try:
                given = read_json(path)
                break
            except (OSError, ValueError):
                continue
        else:
            intake.leave_out(name, problem("import.file-missing"))
    entries = cast("list[Any]", given) if isinstance(given, list) else []
    return [cast("Values", entry) for entry in entries[:MOST] if isinstance(entry, dict)]


def put_concepts(intake: Intake, given: Any, folder: Path | None) -> None:
    """The concepts with their settings; without any, what the configuration says of all concepts goes to one."""
    dropout = intake.number("text_encoder.dropout_probability")
    masked = intake.yes("masked_training")
    entries = _inline_or_file(given, "concept_file_name", intake, folder)
    if not entries and not dropout and not masked:
        intake.leave_out("masked_training", None)
        return
    for number, entry in enumerate(entries or [{"image": {"enable_crop_jitter": False}}]):
        if entries:
            _concept(intake, number, entry)
        if masked:
            intake.put(f"concepts.{number}.masks", "file", "masked_training")
        if dropout:
            why = problem("import.empty-caption")
            intake.put(f"concepts.{number}.caption_dropout", dropout, "text_encoder.dropout_probability", why=why)


def _concept(intake: Intake, number: int, entry: Values) -> None:
    own = Intake(intake.program, flattened(entry), CONCEPT, intake.values, intake.rows, f"concepts.{number}.")
    to = f"concepts.{number}"
    own.put(f"{to}.path", own.text("path"), "path")
    own.put(f"{to}.name", own.text("name")[:100], "name")
    own.put(f"{to}.enabled", own.yes("enabled"), "enabled")
    own.put(f"{to}.kind", KINDS.get(own.text("type"), "train"), "type")
    own.put(f"{to}.subfolders", own.yes("include_subdirectories"), "include_subdirectories")
    own.put(f"{to}.loss_weight", own.number("loss_weight"), "loss_weight")
    if own.text("balancing_strategy") == "SAMPLES":
        own.put(f"{to}.samples", own.whole("balancing"), "balancing", "balancing_strategy")
    else:
        own.put(f"{to}.repeats", own.number("balancing"), "balancing", "balancing_strategy")
    own.put(f"{to}.variants", max(1, own.whole("image_variations")), "image_variations")
    _captions(own, to)
    _tags(own, to)
    _image(own, to)
    own.finish(WITHOUT)


def _captions(own: Intake, to: str) -> None:
    source = own.text("text.prompt_source")
    if source == "concept":
        own.put(f"{to}.captions", "file", "text.prompt_source", why=problem("import.prompt-file"))
        own.leave_out("text.prompt_path", problem("import.prompt-file"))
    else:
        own.put(f"{to}.captions", "filename" if source == "filename" else "file", "text.prompt_source")


def _tags(own: Intake, to: str) -> None:
    if own.yes("text.enable_tag_shuffling"):
        own.put(f"{to}.shuffle_tags", True, "text.enable_tag_shuffling")
    if own.yes("text.tag_dropout_enable"):
        mode = {"RANDOM": "each", "RANDOM WEIGHTED": "weighted"}.get(own.text("text.tag_dropout_mode"), "all")
        own.put(f"{to}.tag_dropout", own.number("text.tag_dropout_probability"), "text.tag_dropout_probability",
                "text.tag_dropout_enable")  # fmt: skip
        own.put(f"{to}.tag_dropout_kind", mode, "text.tag_dropout_mode")
        use = {"WHITELIST": "keep", "BLACKLIST": "only"}.get(own.text("text.tag_dropout_special_tags_mode"), "none")
        own.put(f"{to}.tag_list_use", use, "text.tag_dropout_special_tags_mode")
        words = own.text("text.tag_dropout_special_tags")
        if use != "none" and words.lower().endswith((".txt", ".csv")):
            own.leave_out("text.tag_dropout_special_tags", problem("import.file-of-tags"))
        elif use != "none" and words:
            tags = words.split(own.text("text.tag_delimiter") or ",")
            own.put(f"{to}.tag_list", "\n".join(tag.strip() for tag in tags), "text.tag_dropout_special_tags")
            own.put(f"{to}.tag_list_patterns", own.yes("text.tag_dropout_special_tags_regex"),
                    "text.tag_dropout_special_tags_regex")  # fmt: skip
    if own.yes("text.enable_tag_shuffling") or own.yes("text.tag_dropout_enable"):
        own.put(f"{to}.keep_tags", own.whole("text.keep_tags_count"), "text.keep_tags_count")
        own.put(f"{to}.tag_separator", own.text("text.tag_delimiter") or ",", "text.tag_delimiter")
    if own.yes("text.caps_randomize_enable"):
        modes = [word.strip() for word in own.text("text.caps_randomize_mode").split(",")]
        one = {"capslock": "upper", "title": "title", "first": "first", "random": "random"}.get(modes[0])
        own.put(f"{to}.capitals", one if len(modes) == 1 and one else "any", "text.caps_randomize_enable",
                "text.caps_randomize_mode")  # fmt: skip
        own.put(f"{to}.capitals_share", own.number("text.caps_randomize_probability"),
                "text.caps_randomize_probability")  # fmt: skip


def _image(own: Intake, to: str) -> None:
    if own.yes("image.enable_crop_jitter"):
        own.put(f"{to}.random_crop", True, "image.enable_crop_jitter")
    if own.yes("image.enable_random_flip"):
        own.put(f"{to}.flip", True, "image.enable_random_flip")
    if own.yes("image.enable_fixed_flip"):
        own.put(f"{to}.flip_always", True, "image.enable_fixed_flip")
    for effect in EFFECTS:
        drawn, fixed = f"image.enable_random_{effect}", f"image.enable_fixed_{effect}"
        if own.yes(drawn) or own.yes(fixed):
            size = f"image.random_{effect}_max_{'angle' if effect == 'rotate' else 'strength'}"
            ours = "rotation" if effect == "rotate" else effect
            amount = own.number(size) * (180 if effect == "hue" else 1)
            why = problem("import.hue-in-degrees") if effect == "hue" else None
            own.put(f"{to}.{ours}", amount, size, drawn, fixed, why=why)
            own.put(f"{to}.{ours}_fixed", own.yes(fixed))
    if own.yes("image.enable_random_mask_rotate_crop"):
        own.put(f"{to}.mask_crop", "around", "image.enable_random_mask_rotate_crop", why=problem("import.no-rotation"))
    if own.yes("image.enable_resolution_override"):
        own.put(f"{to}.resolutions", own.text("image.resolution_override"), "image.resolution_override",
                "image.enable_resolution_override")  # fmt: skip


def put_samples(intake: Intake, given: Any, folder: Path | None) -> None:
    """The prompts of samples."""
    entries = _inline_or_file(given, "sample_definition_file_name", intake, folder)
    for number, entry in enumerate(entries[:1000]):
        own = Intake(intake.program, flattened(entry), SAMPLE, intake.values, intake.rows, f"samples.{number}.")
        to = f"sampling.prompts.{number}"
        own.put(f"{to}.prompt", own.text("prompt"), "prompt")
        for ours, theirs in (
            ("negative", "negative_prompt"),
            ("image", "base_image_path"),
            ("mask", "mask_image_path"),
        ):
            if own.text(theirs):
                own.put(f"{to}.{ours}", own.text(theirs), theirs)
        for ours, theirs in (("width", "width"), ("height", "height"), ("steps", "diffusion_steps")):
            if own.has(theirs):
                own.put(f"{to}.{ours}", own.whole(theirs), theirs)
        own.put(f"{to}.enabled", own.yes("enabled"), "enabled")
        own.put(f"{to}.seed", -1 if own.yes("random_seed") else own.whole("seed"), "seed", "random_seed")
        if own.has("cfg_scale"):
            own.put(f"{to}.guidance", own.number("cfg_scale"), "cfg_scale")
        _sampler(own, to)
        own.finish({r"__version|frames|length|sample_inpainting|.*_path": "import.not-used-there"})


def _sampler(own: Intake, to: str) -> None:
    name = own.text("noise_scheduler")
    sampler, spacing = SCHEDULERS.get(name, ("", ""))
    own_name = {"sampler": sampler, "spacing": spacing} if sampler else None
    known = own_name or (sampler_named(name.lower()) if name else None)
    for setting, value in (known or {}).items():
        own.put(f"{to}.{setting}", value, "noise_scheduler")
    if name and not known:
        own.leave_out("noise_scheduler", problem("import.no-sampler"))
