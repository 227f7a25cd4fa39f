"""Make a training set with a model: prompts with wildcards times seeds, each image with its caption beside it.

An image is named after what made it, so that what is there is not made again: after a stop, with more images of each
prompt, or with another prompt more. That holds for images that were kept or rejected in the window, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from modules.errors import UserError
from modules.messages import Stage, note
from modules.preset.sections.sampling import Prompt
from modules.preset.setting import Setting, When
from modules.preset.text.replacements import ReplacementsText
from modules.sentences.problem import problem
from modules.tools import sample

if TYPE_CHECKING:
    from modules.preset.preset import Preset
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell
    from modules.trainer.sampling.sampler import Sample

FOLDER = "training sets"  # of the workspace
KEPT, REJECTED = "kept", "rejected"  # folders beside the images, into which the window moves them
AT_ONCE = 128  # prompts that are read together
SEEDS = 2**32
MARK = 12  # letters of what a file's name says of what made it
SIZE = re.compile(r"(\d{2,4})(?:x(\d{2,4}))?", re.IGNORECASE)


class Settings(sample.Settings):
    """Make a training set"""

    prompts: tuple[Prompt, ...] = Setting(..., "Prompts", widget="prompts")
    """What is drawn. {red|blue} is one of these words, __animal__ a line of animal.txt in the folder of word lists."""
    count: int = Setting(4, "Images of each", ge=1, le=10_000)
    """Each has a seed of its own, and draws other words."""
    total: int = Setting(0, "Images in all", ge=0, le=100_000, zero="so many of each", level="expert")
    """Prompts take turns until there are so many. 0: of each prompt, so many as stand above."""
    captions: Literal["prompt", "text", "none"] = Setting(
        "prompt", "Captions", labels={"prompt": "The prompt", "text": "One text", "none": "None"}
    )
    """ "prompt": what was drawn, without weights and LoRA tags. "text": the same words for all, such as a class word.
    "none": no captions: they are written later."""
    caption: str = Setting("", "Caption of all", when=When("captions", ("text",)))
    """Such as "a photo of a dog", or only "dog"."""
    replacements: ReplacementsText = Setting(
        "", "Replace words in captions", max_length=20_000, widget="lines", level="expert",
        when=When("captions", ("prompt",)),
    )  # fmt: skip
    """One rule a line: "old => new" replaces whole words; "old =>" removes them: words for quality, or the trigger word
    of a LoRA that helped."""
    sizes: str = Setting("", "Sizes in turn", max_length=200, level="expert")
    """Such as "1024x1024, 832x1216": images take turns. Empty: all have the size of the prompts."""
    wildcard_folder: str = Setting("", "Folder of word lists", widget="folder", level="expert", aliases="wildcards")
    """Text files with a word or phrase on each line. Only needed for __names__ in prompts."""
    out: str = Setting("", "Folder", widget="folder", level="expert")
    """Where the images go. Empty: a folder named after the first prompt, in the workspace's folder "training sets"."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Make the images that are missing; gives their folder.

    Raises:
        UserError: a prompt, the model or a LoRA cannot be used, or the folder cannot be written.
    """
    from modules.preset.files.absolute_paths import with_absolute_paths  # noqa: PLC0415
    from modules.preset.rules.rules import validate  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415

    preset = with_absolute_paths(validate(sample.with_prompts(settings, 1), trains=False))
    folder = folder_of(settings, preset)
    wanted = list(planned(settings, preset))
    check_writable(folder)
    there = marks_in(folder)
    missing = [each for each in wanted if each.mark not in there]
    if len(missing) < len(wanted):
        tell(note(problem("training-set.there", count=len(wanted) - len(missing), folder=str(folder))))
    if missing:
        _draw(settings, preset, missing, folder, tell, control)
    return str(folder)


def folder_of(settings: Settings, preset: Preset) -> Path:
    """Where the images go."""
    if settings.out:
        return Path(settings.out)
    words = re.sub(r"[^\w\- ]+", " ", settings.prompts[0].prompt)
    name = re.sub(r"\s+", " ", words).strip()[:40].strip() or "empty prompt"
    return Path(preset.general.workspace) / FOLDER / name


def marks_in(folder: Path) -> set[str]:
    """Of the images that were made already, wherever they were put."""
    places = (folder, folder / KEPT, folder / REJECTED)
    return {path.stem.rpartition("-")[2] for place in places for path in place.glob("*.png")}


class Wanted(NamedTuple):
    """An image of the set: its prompt with words, seed and size filled in, and the name of what makes it."""

    prompt: Prompt
    mark: str


def planned(settings: Settings, preset: Preset) -> Iterator[Wanted]:
    """All images of the set, in the order in which they are made: prompts take turns.

    Words and seed depend on the prompt and on how often it was drawn before, and on no other prompt.

    Raises:
        UserError: a list of words is missing, or a size is none.
    """
    from modules.data.text.random_choice import KeyedChoice  # noqa: PLC0415
    from modules.data.text.wildcard_files import WildcardFiles  # noqa: PLC0415
    from modules.data.text.wildcards import with_wildcards  # noqa: PLC0415
    from modules.system.seeds import seed_of  # noqa: PLC0415

    lists = WildcardFiles(Path(settings.wildcard_folder) if settings.wildcard_folder else None)
    sizes, marks = sizes_in(settings.sizes), _Marks(settings, preset)
    drawn: Counter[str] = Counter()
    prompts = preset.sampling.prompts
    for number in range(settings.total or len(prompts) * settings.count):
        turn, place = divmod(number, len(prompts))
        prompt = prompts[place]
        key = ("training set", prompt.seed, prompt.prompt, drawn[prompt.prompt])
        drawn[prompt.prompt] += 1
        choice = KeyedChoice(key, 0, 0)
        words = with_wildcards(lists.filled(prompt.prompt, choice, "list"), choice, "wildcard")
        changes: dict[str, object] = {"prompt": words, "seed": seed_of(*key) % SEEDS}
        if sizes:
            changes["width"], changes["height"] = sizes[(turn + place) % len(sizes)]
        filled = prompt.model_copy(update=changes)
        yield Wanted(filled, marks.of(filled))


def sizes_in(text: str) -> list[tuple[int, int]]:
    """ "512, 512x768": widths and heights.

    Raises:
        UserError: one is no size.
    """
    found: list[tuple[int, int]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = SIZE.fullmatch(part)
        if match is None:
            raise UserError(problem("training-set.size", "sizes", size=part))
        found.append((int(match[1]), int(match[2] or match[1])))
    return found


class _Marks:
    """Names what makes an image: its prompt, the model and all that is put on it."""

    def __init__(self, settings: Settings, preset: Preset) -> None:
        from modules.grids.cells import Weights, fingerprint, opening_of  # noqa: PLC0415
        from modules.preset.files.lora_strength import file_and_strength  # noqa: PLC0415

        self._preset, self._known = preset, dict[str, str]()
        self._weights = Weights("", preset.model.source, opening_of(preset))
        loras = [(fingerprint(file), strength) for file, strength in map(file_and_strength, settings.loras)]
        self._added = [loras, [*map(fingerprint, settings.embeddings)], settings.hires_scale, settings.hires_strength]

    def of(self, prompt: Prompt) -> str:
        from modules.grids.cells import name_of  # noqa: PLC0415

        facts = [name_of(prompt, self._weights, self._preset, self._known), self._added]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:MARK]


def _draw(
    settings: Settings, preset: Preset, missing: list[Wanted], folder: Path, tell: Tell, control: Control
) -> None:
    from modules.system.files import write_text  # noqa: PLC0415

    tell(Stage("stage.opening-model"))
    drawing = sample.Drawing(preset, settings, tell, control)
    drawing.expect([each.prompt for each in missing])
    next_number = 1 + max(map(_number_of, _names_in(folder)), default=0)
    for start in range(0, len(missing), AT_ONCE):
        batch = missing[start : start + AT_ONCE]
        first = next_number + start

        def file(made: Sample, batch: list[Wanted] = batch, first: int = first) -> Path:
            """Its caption is written first: an image that is there is a whole one."""
            path = folder / f"{first + made.number - 1:05d}-{batch[made.number - 1].mark}.png"
            if settings.captions != "none":
                write_text(path.with_suffix(".txt"), f"{caption_of(settings, preset, made.prompt)}\n")
            return path

        drawing.draw([each.prompt for each in batch], file)


def _names_in(folder: Path) -> Iterator[str]:
    return (path.stem for place in (folder, folder / KEPT, folder / REJECTED) for path in place.glob("*.png"))


def _number_of(name: str) -> int:
    first = name.partition("-")[0]
    return int(first) if first.isdecimal() else 0


def caption_of(settings: Settings, preset: Preset, prompt: Prompt) -> str:
    """The caption of an image that was drawn with this prompt."""
    from modules.data.text.prompt_weights import parse_prompt_weights  # noqa: PLC0415
    from modules.data.text.word_changes import with_replacements  # noqa: PLC0415
    from modules.preset.sections.concept import Concept  # noqa: PLC0415
    from modules.preset.text.lora_tags import split_tags  # noqa: PLC0415

    if settings.captions == "text":
        return settings.caption.strip()
    words, _ = split_tags(prompt.prompt)
    if preset.sampling.prompt_weights:
        words = "".join(f" {piece.text}" if piece.breaks else piece.text for piece in parse_prompt_weights(words))
    words = with_replacements(words, Concept(replacements=settings.replacements))
    return re.sub(r"\s+", " ", re.sub(r"(\s*,)+", ",", words)).strip(" ,")
