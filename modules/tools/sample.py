"""Make images with a model and, if wanted, with LoRA files on it: the same sampler as in training, and no training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from modules.errors import UserError
from modules.messages import SampleReady, Stage, note
from modules.preset.files.lora_strength import file_and_strength
from modules.preset.paths import Values, put
from modules.preset.rules.rules import validate
from modules.preset.sections.sampling import NEW_EACH_TIME, Prompt
from modules.preset.setting import Section, Setting
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from modules.families import Family
    from modules.preset.preset import Preset
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell
    from modules.trainer.sampling.sampler import Sample, Sampler


class Settings(Section):
    """Make images"""

    preset: dict[str, Any] = Setting(..., "Model", widget="preset or model")
    """A file, a folder or a name on Hugging Face."""
    loras: tuple[str, ...] = Setting((), "LoRA files", widget="loras", flag="lora")
    """They are put on the model one after another, each with its strength: FILE or FILE:0.8. Usual: 0.6 to 1."""
    embeddings: tuple[str, ...] = Setting((), "Embeddings", widget="files", flag="embedding", level="expert")
    """New words that prompts can hold, each called as its file is."""
    skip_unread: bool = Setting(False, "Skip unreadable tensors", level="expert")
    """Uses what can be read of a LoRA file and names the rest. Off: such a file is refused."""
    prompts: tuple[Prompt, ...] = Setting(..., "Prompts", widget="prompts")
    """What is drawn."""
    count: int = Setting(1, "Images of each", ge=1, le=1000)
    """The seed goes up by one with each."""
    hires_scale: float = Setting(
        1.0,
        "Hires fix",
        ge=1,
        le=8,
        level="expert",
        aliases="hires upscale, hr_scale, upscale by, two-pass, latent upscale",
    )
    """Draws each image again, so many times larger on a side, beginning with the first one enlarged: large images keep
    the composition of the size that the model was made for. 1: off. Usual: 1.5 or 2."""
    hires_strength: float = Setting(
        0.5, "Hires denoising strength", gt=0, le=1, level="expert", aliases="hires denoising, hr denoise, denoise"
    )
    """How much of the enlarged image is drawn anew. Lower keeps it as it was and soft, higher invents detail. Usual:
    0.3 to 0.6."""
    out: str = Setting("", "Folder", widget="folder", level="expert")
    """Where the images go. Empty: the workspace's folder images; on the command line, the folder samples where you
    stand."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Draw every prompt into the folder; gives the folder.

    Raises:
        UserError: the model or a LoRA cannot be read, or the folder cannot be written.
    """
    from modules.preset.files.absolute_paths import with_absolute_paths  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415

    preset = with_absolute_paths(validate(with_prompts(settings, settings.count), trains=False))
    folder = Path(settings.out) if settings.out else Path(preset.general.workspace) / "images"
    check_writable(folder)
    drawing = Drawing(preset, settings, tell, control)
    # Seeds of chance follow the numbers of the images, so that the next call draws others.
    drawing.draw(preset.sampling.prompts, lambda sample: _next_file(folder, sample.prompt), step=_next_number(folder))
    return str(folder)


def with_prompts(settings: Settings, count: int) -> Values:
    """The preset's values with so many of each of these prompts, whose seeds follow."""
    values = deepcopy(settings.preset)
    prompts = [prompt.model_dump(mode="json") for prompt in settings.prompts]
    put(values, "sampling.prompts", [_with_seed(one, more) for one in prompts for more in range(count)])
    return values


def _with_seed(prompt: Values, more: int) -> Values:
    """The same prompt with a seed that follows; one that is left to chance stays so."""
    return prompt if prompt["seed"] == NEW_EACH_TIME else {**prompt, "seed": prompt["seed"] + more}


def _opened(preset: Preset, settings: Settings, tell: Tell, larger: Larger) -> tuple[Family, bool]:
    """The model with the files on it, and whether any of them can change what its text encoders say.

    Of a model for which a card has no room, the denoiser is held as the memory plan has it.
    """
    from modules.check.plan.drawing import hold_to_draw  # noqa: PLC0415
    from modules.families.parts.adapter_origin import reservations  # noqa: PLC0415
    from modules.tools.opening.models import add_embeddings, merge_lora, open_model  # noqa: PLC0415
    from modules.trainer.preparation import check_samplers, load_options  # noqa: PLC0415

    tell(Stage("stage.opening-model"))
    family = open_model(preset.model.source, preset.model.family, load_options(preset, tell))
    check_samplers(preset, family)
    prompts = [larger.of(each, preset.resolution or family.resolution) for each in preset.sampling.prompts]
    hold_to_draw(family, preset, prompts, tell, texts=bool(settings.loras or settings.embeddings))
    loras = [(Path(file), strength) for file, strength in map(file_and_strength, settings.loras)]
    for lora, strength in loras:
        unread: list[str] = []
        count = merge_lora(family, lora, unread if settings.skip_unread else None, strength)
        code = "sample.lora" if strength == 1 else "sample.lora:strength"
        tell(note(problem(code, file=lora.name, count=count, strength=strength)))
        for said in reservations(family, lora, unread):
            tell(note(said, level="warning"))
    if words := add_embeddings(family, [Path(file) for file in settings.embeddings], [lora for lora, _ in loras]):
        tell(note(problem("sample.embeddings", tokens=", ".join(words))))
    return family, bool(loras or words)


class Larger(NamedTuple):
    """Hires fix: how many times larger images are drawn again, and how much of them anew."""

    scale: float
    strength: float

    def steps_of(self, prompt: Prompt) -> int:
        """Steps that an image takes, with those of its second pass."""
        return prompt.steps + (max(1, int(prompt.steps * self.strength)) if self.scale > 1 else 0)

    def of(self, prompt: Prompt, usual: int) -> Prompt:
        """The prompt with the size at which it is drawn last."""
        sides = {side: round((getattr(prompt, side) or usual) * self.scale) for side in ("width", "height")}
        return prompt.model_copy(update=sides)

    def drawn(self, sample: Sample, sampler: Sampler, step_done: Callable[[int], None]) -> Sample:
        """The image drawn again from its own enlargement; its prompt stays that of the first pass, as A1111 has it."""
        if self.scale == 1:
            return sample
        prompt, multiple = sample.prompt, sampler.family.card.size_step
        size = [max(multiple, round(side * self.scale / multiple) * multiple) for side in sample.image.size]
        with TemporaryDirectory(prefix="seachange-hires-") as folder:
            first = Path(folder) / "first.png"
            sample.image.resize((size[0], size[1]), Image.Resampling.LANCZOS).save(first)
            start = {"image": str(first), "strength": self.strength, "width": size[0], "height": size[1]}
            (larger,) = sampler.draw([prompt.model_copy(update=start)], step_done)
        return replace(larger, prompt=prompt, number=sample.number)

    @property
    def about(self) -> dict[str, str]:
        """What the file says of it, in A1111's words."""
        if self.scale == 1:
            return {}
        strength, scale = f"{self.strength:g}", f"{self.scale:g}"
        return {"Denoising strength": strength, "Hires upscale": scale, "Hires upscaler": "Lanczos"}


class Drawing:
    """Draws prompts with the model and the files of the settings, as often as it is asked, and tells of each image.

    Raises:
        UserError: the model or a file cannot be read.
    """

    def __init__(self, preset: Preset, settings: Settings, tell: Tell, control: Control) -> None:
        from modules.trainer.preparation import resolved  # noqa: PLC0415
        from modules.trainer.sampling.sampler import Sampler  # noqa: PLC0415

        self._preset, self._tell, self._control = preset, tell, control
        self._larger = Larger(settings.hires_scale, settings.hires_strength)
        self.family, self._keeps_encoders = _opened(preset, settings, tell, self._larger)
        resolution, seed = resolved(preset, self.family).resolution, preset.general.seed
        self._sampler = Sampler(self.family, resolution, cache_texts=True, sampling=preset.sampling, seed=seed)
        self._done, self._total = 0, 0

    def expect(self, prompts: Sequence[Prompt]) -> None:
        """All that will be asked for, which may be drawn in several calls: the share that is done is one of these."""
        self._total += sum(map(self._larger.steps_of, prompts))

    def draw(self, prompts: Sequence[Prompt], file: Callable[[Sample], Path], *, step: int = 0) -> None:
        """Draw each into the file that `file` names. `step`: for seeds of chance."""
        if not self._total:
            self.expect(prompts)
        self._sampler.forget_texts()
        self._sampler.read(prompts)
        if not self._keeps_encoders:
            self.family.unload(*self.family.text_encoders)
        failed = partial(self._failed, len(prompts) == 1)
        for sample in self._sampler.draw(prompts, self._step_done, step=step, failed=failed):
            try:
                self._save(self._larger.drawn(sample, self._sampler, self._step_done), file)
            except UserError as error:
                failed(sample.prompt, error)
        for said in self._sampler.notes():
            self._tell(note(said, level="warning"))

    def _save(self, sample: Sample, file: Callable[[Sample], Path]) -> None:
        from modules.trainer.sampling.image_files import save_sample  # noqa: PLC0415

        path = file(sample)
        save_sample(sample, path, model=Path(self._preset.model.source).stem, more=self._larger.about)
        self._tell(SampleReady(str(path), sample.prompt.prompt, 0, sample.number))

    def _step_done(self, images: int) -> None:
        self._done = min(self._done + images, self._total)
        self._control.check()
        self._tell(Stage("stage.making-images", self._done, self._total))

    def _failed(self, alone: bool, prompt: Prompt, error: UserError) -> None:
        if alone:
            raise error
        self._tell(note(problem("sample.not-drawn", prompt=prompt.prompt[:60], why=error.report), level="error"))


def _next_file(folder: Path, prompt: Prompt) -> Path:
    """A file of the first free number: images of earlier calls stay."""
    from modules.trainer.sampling.image_files import file_name  # noqa: PLC0415

    return folder / file_name(_next_number(folder), prompt.seed, prompt.prompt)


def _next_number(folder: Path) -> int:
    taken = [path.name[:6] for path in folder.glob("[0-9]*.png")] if folder.is_dir() else []
    return 1 + max((int(name) for name in taken if name.isdecimal()), default=0)
