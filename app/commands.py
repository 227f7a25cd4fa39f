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
from modules.preset import rules, store
from modules.preset.overlay import lay, lay_most
from modules.preset.paths import Values, get, put
from modules.preset.preset import Preset
from modules.preset.promptfile import read_prompts
from modules.preset.sampler_names import sampler_named
from modules.preset.sampling import NEW_EACH_TIME
from modules.system.bundled import ROOT, is_bundled

Command = Callable[[argparse.Namespace], int]
Options = argparse.Namespace
MOST_AT_ONCE = 1000  # images of each prompt
FRACTIONS = ("guidance", "strength")  # options that need not be whole numbers


def train(options: Options) -> int:
    """One run, to its end."""
    values = _judged(options)
    if get(values, "validation.then") == "pause":  # nobody is there to go on
        put(values, "validation.then", "tell")
    return _do(Train(values, _run_to_continue(options.resume)), options)


def cache(options: Options) -> int:
    """Encode what a run would encode."""
    return _do(FillCache(_judged(options)), options)


def check(options: Options) -> int:
    """Everything that can be validated without training."""
    return _do(CheckPreset(_judged(options), options.probe), options)


def sample(options: Options) -> int:
    """Images of a model, or of a preset's model."""
    is_preset = options.model.endswith(".json")
    loaded = (
        store.load(_preset_file(Path(options.model))) if is_preset else store.Loaded({"version": Preset.VERSION}, ())
    )
    values = loaded.values
    if not is_preset:
        put(values, "model.source", _absolute_if_there(options.model))
    if options.family:
        put(values, "model.family", options.family)
    values = lay(values, options.set)
    prompts = _prompts(options, get(values, "sampling.prompts") or [])
    put(values, "sampling.prompts", prompts)
    preset = rules.judged(values, loaded.problems, trains=False)
    if not preset.model.source:
        raise UserError("model.source: no model is chosen.", advice="Give one with --set model.source=...")
    values = _as_values(preset)
    loras = [str(Path(lora).expanduser().absolute()) for lora in options.lora]
    words = [str(Path(word).expanduser().absolute()) for word in options.embedding]
    folder = str(options.out.expanduser().absolute())
    return _do(MakeImages(values, values["sampling"]["prompts"], loras, folder, words), options)


def convert(options: Options) -> int:
    """A model in another form."""
    target = options.out.expanduser().absolute()
    form = options.format or ("single_file" if target.suffix == ".safetensors" else "folder")
    job = ConvertModel(
        _absolute_if_there(options.model),
        str(target),
        options.family or "",
        form,
        options.dtype,
        _absolute_if_there(options.parts) if options.parts else "",
        options.overwrite,
    )
    return _do(job, options)


def settings(options: Options) -> int:
    """The list of all settings."""
    if options.json_schema:
        text = json.dumps(manual.schema(), indent=2, ensure_ascii=False)
    else:
        text = manual.markdown() if options.markdown else manual.plain()
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0


def test(_options: Options) -> int:
    """Only said: the start script runs the checks, because they need more than the program does."""
    raise UserError(
        "The checks are run by the start script.", advice="From the folder of Seachange: ./start-ui.sh test"
    )


# From options to a job ------------------------------------------------------------------------------------------------


def _judged(options: Options) -> Values:
    """The values of the preset with the options over them; every problem of the file and the options at once."""
    loaded = store.load(_preset_file(options.preset))
    values, problems = loaded.values, list(loaded.problems)
    if options.concept:
        values["concepts"] = _with_folders(values.get("concepts"), [_concept(folder) for folder in options.concept])
        problems = [problem for problem in problems if not problem.startswith("concepts.")]
    if options.workspace:
        put(values, "general.workspace", str(options.workspace.expanduser().absolute()))
    if getattr(options, "name", ""):
        put(values, "general.name", options.name)
    values, wrong = lay_most(values, options.set)
    problems.extend(wrong)
    return _as_values(rules.judged(values, tuple(problems)))


def _with_folders(given: Any, folders: list[str]) -> list[Values]:
    """A concept for each folder.

    What a preset describes without a folder (captions, repeats, a trigger word) is for them, in their order; the last
    description is for all that are left.
    """
    kept = [entry for entry in cast("list[Any]", given) if isinstance(entry, dict)] if isinstance(given, list) else []
    open_ones = [entry for entry in kept if not entry.get("path")] or [{}]
    return [{**open_ones[min(n, len(open_ones) - 1)], "path": folder} for n, folder in enumerate(folders)]


def _as_values(preset: Preset) -> Values:
    return preset.model_dump(mode="json")


def _preset_file(path: Path) -> Path:
    """The file as named from where the user stands, or one of those that came with Seachange."""
    path = path.expanduser()
    shipped = ROOT / path
    return shipped if not path.exists() and path.parts[:1] == ("presets",) and shipped.is_file() else path


def _concept(folder: str) -> str:
    if is_bundled(folder):
        return folder
    if not folder.strip():  # which would be the folder where one stands
        raise UserError("--concept names no folder.", advice="Give the folder that holds the images.")
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        what = "is a file, not a folder" if path.is_file() else "does not exist"
        raise UserError(f"--concept {folder}: {path} {what}.", advice="Give the folder that holds the images.")
    return str(path)


def _absolute_if_there(name: str) -> str:
    """A file or folder as an absolute path; a hub name, a bundled reference, or what is not there, as it is."""
    path = Path(name).expanduser()
    return str(path.absolute()) if not is_bundled(name) and path.exists() else name


def _run_to_continue(resume: str) -> str:
    """A folder as an absolute path; the name of a run, which lies in the workspace, as it is."""
    path = Path(resume).expanduser()
    return str(path.absolute()) if resume and path.is_dir() else resume


def _prompts(options: Options, of_preset: list[Any]) -> list[Any]:
    """Prompts from the options, or the preset's with the options over them; `count` of each, with seeds that follow."""
    over: Values = {"negative": options.negative, **_sampler(options.sampler)}
    over |= {name: _number(options, name) for name in ("seed", "steps", "guidance", "strength")}
    over |= _size(options.size)
    over |= {name: _absolute_if_there(text) for name in ("image", "mask") if (text := getattr(options, name))}
    over = {name: value for name, value in over.items() if value is not None}
    asked = [{"prompt": text} for text in options.prompt] + (_of_file(options.prompts) if options.prompts else [])
    drawn = asked or [p for p in of_preset if isinstance(p, dict)]
    if not drawn:
        raise UserError("There is nothing to draw.", advice='Say what: --prompt "a photograph of a cat".')
    if options.count < 1:
        raise UserError(f"--count {options.count} makes no image.", advice="Give 1 or more.")
    if options.count > MOST_AT_ONCE:
        raise UserError(f"--count {options.count} is too many.", advice=f"At most {MOST_AT_ONCE} at once.")
    each = [{**prompt, **over} for prompt in drawn]
    return [_with_seed(prompt, more) if more else prompt for prompt in each for more in range(options.count)]


def _with_seed(prompt: Values, more: int) -> Values:
    """The same prompt with the seed that follows; one that is left to chance stays so."""
    seed = prompt.get("seed", 42)
    return prompt if seed == NEW_EACH_TIME else {**prompt, "seed": seed + more}


def _sampler(name: str | None) -> Values:
    """Also "DPM++ 2M Karras", as other programs say it; what nothing is called is left for the schema to refuse."""
    return {} if name is None else sampler_named(name) or {"sampler": name}


def _of_file(path: Path) -> list[Values]:
    found = read_prompts(path.expanduser())
    for note in found.notes:
        sys.stderr.write(f"{path.name}, {note}\n")
    return found.prompts


def _number(options: Options, name: str) -> Any:
    text = getattr(options, name)
    if text is None:
        return None
    try:
        return float(text) if name in FRACTIONS else int(text)
    except ValueError:
        text = text if len(text) <= 40 else f"{text[:37]}..."
        raise UserError(f"--{name} {text} is no {'' if name in FRACTIONS else 'whole '}number.") from None


def _size(text: str | None) -> Values:
    if text is None:
        return {}
    match = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text)
    if not match:
        raise UserError(f"--size {text} is no size.", advice="Write 512x768 (width x height), or 512 for a square.")
    return {"width": int(match[1]), "height": int(match[2] or match[1])}


def _do(job: Job, options: Options) -> int:
    from app.follow import follow  # noqa: PLC0415  brings the progress bar, which a list of settings does not need
    from app.terminal import display  # noqa: PLC0415

    shown = display(options.events == "json")
    from modules.session import Session  # noqa: PLC0415

    return follow(Session(job), shown)
