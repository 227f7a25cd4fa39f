"""Class images that the base model draws before it is trained (DreamBooth, arXiv:2208.12242, section 3.2)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from modules.families import Family
from modules.messages import Stage, note
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.preset.sections.prior import ClassImages
from modules.preset.sections.sampling import Prompt
from modules.sentences.problem import problem
from modules.system.files import staged_file, write_text
from modules.system.seeds import seed_of
from modules.trainer.control import Control
from modules.trainer.preparation import Tell
from modules.trainer.sampling.image_files import save_sample
from modules.trainer.sampling.sampler import Sampler

BATCH_SIZE = 16  # handed to the sampler together
ENDINGS = (".png", ".txt")  # of an image; an image with its caption is a whole one


def with_class_images(
    preset: Preset, family: Family, tell: Tell, control: Control, hold: Callable[[], None] = lambda: None
) -> Preset:
    """The preset with a concept of the class images that it asks for; what is not there yet is drawn now.

    `hold`: has the family hold its weights so that there is room for them. What is drawn goes by the same name however
    they are held: nobody wants hundreds of images anew because a plan has changed.

    Raises:
        Interrupted: the user stops it; what is drawn by then is kept.
    """
    settings = preset.prior.made
    if not settings.count:
        return preset
    folder = folder_of(preset, family)
    missing = [number for number in range(settings.count) if not _exists(folder, number)]
    if missing:
        hold()
        _draw(preset, family, folder, missing, tell, control)
        family.unload(*family.component_names)
        tell(note(problem("class-images.made", count=len(missing), folder=str(folder))))
    return with_concept(preset, folder)


def _exists(folder: Path, number: int) -> bool:
    """Whether an image is in the folder, if need be by a copy from one that was made for another number of images."""
    name = f"{number:06d}"
    if (folder / f"{name}.txt").exists():
        return True
    others = folder.parent.glob(f"{folder.name.partition('-')[0]}-*")
    other = next((other for other in others if (other / f"{name}.txt").exists()), None)
    if other is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ENDINGS:
        with staged_file(folder / f"{name}{ending}") as draft:
            shutil.copyfile(other / f"{name}{ending}", draft)
    return True


def with_concept(preset: Preset, folder: Path) -> Preset:
    """The preset with the images of a folder for what they were made for."""
    if any(Path(concept.path) == folder for concept in preset.concepts):
        return preset
    settings = preset.prior.made
    concept = Concept(path=str(folder), name="Class images", kind=settings.use, captions="file")
    return preset.model_copy(update={"concepts": (*preset.concepts, concept)})


def folder_of(preset: Preset, family: Family) -> Path:
    """Where class images lie, named after all that they depend on, and after how many there are."""
    settings = preset.prior.made
    facts = settings.model_dump(mode="json", exclude={"count", "use"})
    models = [family.fingerprint(name) for name in family.component_names]
    side = preset.resolution
    noise_schedule = family.sampling_schedule(side, side, settings.steps).scheduler_config()
    text = json.dumps([facts, models, noise_schedule, preset.resolution], sort_keys=True, default=str)
    return (
        Path(preset.general.cache)
        / "class images"
        / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}-{settings.count}"
    )


def prompt_of(settings: ClassImages, number: int, resolution: int) -> Prompt:
    """What the image of this number shows: prompts take turns, and each image has noise of its own."""
    lines = lines_of(settings)
    return Prompt(
        prompt=lines[number % len(lines)], negative=settings.negative, sampler=settings.sampler, steps=settings.steps,
        guidance=settings.guidance, width=resolution, height=resolution,
        seed=seed_of(settings.seed, "class image", number) % 2**32,
    )  # fmt: skip


def lines_of(settings: ClassImages) -> list[str]:
    """The prompts; one without words, where there is none."""
    return [line.strip() for line in settings.prompts.splitlines() if line.strip()] or [""]


def _draw(preset: Preset, family: Family, folder: Path, numbers: list[int], tell: Tell, control: Control) -> None:
    settings = preset.prior.made
    sampler = Sampler(family, preset.resolution, cache_texts=True)
    done, total = 0, len(numbers) * settings.steps

    def step_done(images: int) -> None:
        nonlocal done
        done += images
        control.check()
        tell(Stage("stage.class-images", done, total))

    sampler.read([prompt_of(settings, number, preset.resolution) for number in range(len(lines_of(settings)))])
    family.unload(*family.text_encoders)
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(numbers), BATCH_SIZE):
        first_names = numbers[start : start + BATCH_SIZE]
        prompts = [prompt_of(settings, number, preset.resolution) for number in first_names]
        for number, sample in zip(first_names, sampler.draw(prompts, step_done), strict=True):
            save_sample(sample, folder / f"{number:06d}.png", model=Path(preset.model.source).stem)
            write_text(folder / f"{number:06d}.txt", f"{sample.prompt.prompt}\n")
