"""Make images with a model and, if wanted, with LoRA files on it: the same sampler as in training, and no training."""

from __future__ import annotations

from pathlib import Path

from modules.errors import UserError
from modules.messages import MakeImages, Note, Phase, SampleReady
from modules.preset.preset import Preset
from modules.preset.rules.live_changes import prompt_of
from modules.preset.rules.rules import validate
from modules.preset.sections.sampling import Prompt
from modules.tools.models import add_embeddings, merge_lora, open_model
from modules.trainer.control import Control
from modules.trainer.preparation import Tell, check_samplers, load_options, with_resolution
from modules.trainer.run_folder.workspace import check_writable, with_absolute_paths
from modules.trainer.sampling.image_files import file_name, save_sample
from modules.trainer.sampling.sampler import Sampler


def make_images(job: MakeImages, tell: Tell, control: Control) -> str:
    """Draw every prompt of the job into its folder; gives the folder.

    Raises:
        UserError: the model or a LoRA cannot be read, or the folder cannot be written.
    """
    preset = with_absolute_paths(_with_prompts(validate(job.preset, trains=False), job))
    folder = Path(job.folder)
    check_writable(folder)
    tell(Phase("Opening the model"))
    family = open_model(preset.model.source, preset.model.family, load_options(preset))
    check_samplers(preset, family)
    for lora in job.loras:
        changed = merge_lora(family, Path(lora))
        tell(Note(f"{Path(lora).name} changes {changed} layers."))
    if words := add_embeddings(family, [Path(file) for file in job.embeddings], [Path(lora) for lora in job.loras]):
        tell(Note(f"Prompts can hold {', '.join(words)}."))
    prompts = preset.sampling.prompts
    resolution, sampling = with_resolution(preset, family).resolution, preset.sampling
    sampler = Sampler(family, resolution, cache_texts=True, sampling=sampling, seed=preset.general.seed)
    sampler.read(prompts)
    if not job.loras and not words:
        family.unload(*family.text_encoders)
    done, total = 0, sum(prompt.steps for prompt in prompts)

    def step_done(images: int) -> None:
        nonlocal done
        done = min(done + images, total)
        control.check()
        tell(Phase("Making images", done, total))

    def failed(prompt: Prompt, error: UserError) -> None:
        if len(prompts) == 1:
            raise error
        tell(Note(f'"{prompt.prompt[:60]}" is not drawn: {error}', "error"))

    # Seeds of chance follow the numbers of the images, so that the next call draws others.
    for sample in sampler.draw(prompts, step_done, step=_next_number(folder), failed=failed):
        path = _next_file(folder, sample.prompt)
        save_sample(sample, path, model=Path(preset.model.source).stem)
        tell(SampleReady(str(path), sample.prompt.prompt, 0, sample.number))
    return str(folder)


def _with_prompts(preset: Preset, job: MakeImages) -> Preset:
    prompts = tuple(prompt_of(values) for values in job.prompts)
    return preset.model_copy(update={"sampling": preset.sampling.model_copy(update={"prompts": prompts})})


def _next_file(folder: Path, prompt: Prompt) -> Path:
    """A file of the first free number: images of earlier calls stay."""
    return folder / file_name(_next_number(folder), prompt.seed, prompt.prompt)


def _next_number(folder: Path) -> int:
    taken = [path.name[:6] for path in folder.glob("[0-9]*.png")] if folder.is_dir() else []
    return 1 + max((int(name) for name in taken if name.isdecimal()), default=0)
