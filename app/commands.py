"""What each command does: read the preset, lay the options over it, judge it, and give the engine a job.

Nothing here imports torch: that happens inside the job, so that a typing error is answered at once.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from app import manual
from modules.errors import UserError
from modules.messages import CheckPreset, ConvertModel, FillCache, Job, MakeImages, Train
from modules.preset.files import store
from modules.preset.files.prompt_file import read_prompts
from modules.preset.files.set_option import apply_overrides, apply_valid_overrides
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.rules import rules
from modules.preset.sections.sampling import NEW_EACH_TIME, sampler_named
from modules.system.bundled import ROOT, is_bundled

Command = Callable[[argparse.Namespace], int]
Options = argparse.Namespace
MAX_IMAGES_PER_PROMPT = 1000  # images of each prompt
FRACTIONAL_OPTIONS = ("guidance", "strength")  # options that need not be whole numbers


def train(options: Options) -> int:
    """One run, to its end."""
    values = _validated_values(options)
    if get(values, "validation.then") == "pause":  # nobody is there to go on
        put(values, "validation.then", "tell")
    return _run_job(Train(values, _run_to_resume(options.resume)), options)


def cache(options: Options) -> int:
    """Encode what a run would encode."""
    return _run_job(FillCache(_validated_values(options)), options)


def check(options: Options) -> int:
    """Everything that can be validated without training."""
    return _run_job(CheckPreset(_validated_values(options), options.probe), options)


def sample(options: Options) -> int:
    """Images of a model, or of a preset's model."""
    is_preset = options.model.endswith(".json")
    loaded = (
        store.load(_preset_path(Path(options.model))) if is_preset else store.Loaded({"version": Preset.VERSION}, ())
    )
    values = loaded.values
    if not is_preset:
        put(values, "model.source", _absolute_if_exists(options.model))
    if options.family:
        put(values, "model.family", options.family)
    values = apply_overrides(values, options.set)
    prompts = _prompts(options, get(values, "sampling.prompts") or [])
    put(values, "sampling.prompts", prompts)
    preset = rules.validate(values, loaded.problems, trains=False)
    if not preset.model.source:
        raise UserError("model.source: no model is chosen.", advice="Give one with --set model.source=...")
    values = _values_of(preset)
    loras = [str(Path(lora).expanduser().absolute()) for lora in options.lora]
    words = [str(Path(word).expanduser().absolute()) for word in options.embedding]
    folder = str(options.out.expanduser().absolute())
    return _run_job(MakeImages(values, values["sampling"]["prompts"], loras, folder, words), options)


def convert(options: Options) -> int:
    """A model in another form."""
    target = options.out.expanduser().absolute()
    form = options.format or ("single_file" if target.suffix == ".safetensors" else "folder")
    job = ConvertModel(
        _absolute_if_exists(options.model),
        str(target),
        options.family or "",
        form,
        options.dtype,
        _absolute_if_exists(options.parts) if options.parts else "",
        options.overwrite,
    )
    return _run_job(job, options)


def settings(options: Options) -> int:
    """The list of all settings."""
    if options.json_schema:
        text = json.dumps(manual.schema(), indent=2, ensure_ascii=False)
    else:
        text = manual.markdown() if options.markdown else manual.plain_text()
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0


def test(_options: Options) -> int:
    """Only said: the start script runs the checks, because they need more than the program does."""
    raise UserError(
        "The checks are run by the start script.", advice="From the folder of Seachange: ./start-ui.sh test"
    )


# From options to a job ------------------------------------------------------------------------------------------------


def _validated_values(options: Options) -> Values:
    """The values of the preset with the options over them; every problem of the file and the options at once."""
    loaded = store.load(_preset_path(options.preset))
    values, problems = loaded.values, list(loaded.problems)
    if options.concept:
        values["concepts"] = _concepts_with_folders(
            values.get("concepts"), [_concept_folder(folder) for folder in options.concept]
        )
        problems = [problem for problem in problems if not problem.startswith("concepts.")]
    if options.workspace:
        put(values, "general.workspace", str(options.workspace.expanduser().absolute()))
    if getattr(options, "name", ""):
        put(values, "general.name", options.name)
    values, wrong = apply_valid_overrides(values, options.set)
    problems.extend(wrong)
    return _values_of(rules.validate(values, tuple(problems)))


def _concepts_with_folders(given: Any, folders: list[str]) -> list[Values]:
    """A concept for each folder.

    What a preset describes without a folder (captions, repeats, a trigger word) is for them, in their order; the last
    description is for all that are left.
    """
    kept = [entry for entry in cast("list[Any]", given) if isinstance(entry, dict)] if isinstance(given, list) else []
    open_ones = [entry for entry in kept if not entry.get("path")] or [{}]
    return [{**open_ones[min(n, len(open_ones) - 1)], "path": folder} for n, folder in enumerate(folders)]


def _values_of(preset: Preset) -> Values:
    return preset.model_dump(mode="json")


def _preset_path(path: Path) -> Path:
    """The file as named from where the user stands, or one of those that came with Seachange."""
    path = path.expanduser()
    shipped = ROOT / path
    return shipped if not path.exists() and path.parts[:1] == ("presets",) and shipped.is_file() else path


def _concept_folder(folder: str) -> str:
    if is_bundled(folder):
        return folder
    if not folder.strip():  # which would be the folder where one stands
        raise UserError("--concept names no folder.", advice="Give the folder that holds the images.")
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        what = "is a file, not a folder" if path.is_file() else "does not exist"
        raise UserError(f"--concept {folder}: {path} {what}.", advice="Give the folder that holds the images.")
    return str(path)


def _absolute_if_exists(name: str) -> str:
    """A file or folder as an absolute path; a hub name, a bundled reference, or what is not there, as it is."""
    path = Path(name).expanduser()
    return str(path.absolute()) if not is_bundled(name) and path.exists() else name


def _run_to_resume(resume: str) -> str:
    """A folder as an absolute path; the name of a run, which lies in the workspace, as it is."""
    path = Path(resume).expanduser()
    return str(path.absolute()) if resume and path.is_dir() else resume


def _prompts(options: Options, preset_prompts: list[Any]) -> list[Any]:
    """Prompts from the options, or the preset's with the options over them; `count` of each, with seeds that follow."""
    over: Values = {"negative": options.negative, **_parsed_sampler(options.sampler)}
    over |= {name: _parsed_number(options, name) for name in ("seed", "steps", "guidance", "strength")}
    over |= _parsed_size(options.size)
    over |= {name: _absolute_if_exists(text) for name in ("image", "mask") if (text := getattr(options, name))}
    over = {name: value for name, value in over.items() if value is not None}
    asked = [{"prompt": text} for text in options.prompt] + (
        _prompts_from_file(options.prompts) if options.prompts else []
    )
    drawn = asked or [p for p in preset_prompts if isinstance(p, dict)]
    if not drawn:
        raise UserError("There is nothing to draw.", advice='Say what: --prompt "a photograph of a cat".')
    if options.count < 1:
        raise UserError(f"--count {options.count} makes no image.", advice="Give 1 or more.")
    if options.count > MAX_IMAGES_PER_PROMPT:
        raise UserError(f"--count {options.count} is too many.", advice=f"At most {MAX_IMAGES_PER_PROMPT} at once.")
    each = [{**prompt, **over} for prompt in drawn]
    return [_with_seed(prompt, more) if more else prompt for prompt in each for more in range(options.count)]


def _with_seed(prompt: Values, more: int) -> Values:
    """The same prompt with the seed that follows; one that is left to chance stays so."""
    seed = prompt.get("seed", 42)
    return prompt if seed == NEW_EACH_TIME else {**prompt, "seed": seed + more}


def _parsed_sampler(name: str | None) -> Values:
    """Also "DPM++ 2M Karras", as other programs say it; what nothing is called is left for the schema to refuse."""
    return {} if name is None else sampler_named(name) or {"sampler": name}


def _prompts_from_file(path: Path) -> list[Values]:
    found = read_prompts(path.expanduser())
    for note in found.notes:
        sys.stderr.write(f"{path.name}, {note}\n")
    return found.prompts


def _parsed_number(options: Options, name: str) -> Any:
    text = getattr(options, name)
    if text is None:
        return None
    try:
        return float(text) if name in FRACTIONAL_OPTIONS else int(text)
    except ValueError:
        text = text if len(text) <= 40 else f"{text[:37]}..."
        raise UserError(f"--{name} {text} is no {'' if name in FRACTIONAL_OPTIONS else 'whole '}number.") from None


def _parsed_size(text: str | None) -> Values:
    if text is None:
        return {}
    match = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text)
    if not match:
        raise UserError(f"--size {text} is no size.", advice="Write 512x768 (width x height), or 512 for a square.")
    return {"width": int(match[1]), "height": int(match[2] or match[1])}


def _run_job(job: Job, options: Options) -> int:
    from app.follow import follow  # noqa: PLC0415  brings the progress bar, which a list of settings does not need
    from app.terminal import display  # noqa: PLC0415

    shown = display(options.events == "json")
    from modules.session import Session  # noqa: PLC0415

    return follow(Session(job), shown)
