"""Which images are scored: the cells of a grid, the samples of a run, or a folder; each with its prompt and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from modules.data.index import Index
from modules.data.scan.scan import scan
from modules.data.source.folders import FolderSource
from modules.data.source.source import DataFile
from modules.data.text.captions import has_trigger, undrawn_caption
from modules.data.text.prompt_weights import parse_prompt_weights
from modules.errors import UserError
from modules.grids.pictures import parameters_of
from modules.grids.record import FILE as GRID
from modules.grids.record import read_record
from modules.grids.samples import prompt_in, samples_of
from modules.preset.files.absolute_paths import with_absolute_paths
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.preset.sections.concept import Concept
from modules.preset.text.lora_tags import split_tags
from modules.run_folders import is_run, recorded_preset
from modules.scores.record import Side
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem


@dataclass(frozen=True)
class Scanning:
    """Whom a scan of images tells: how far it is, what it has left out; and who stops it."""

    report: Callable[[int, int], None]
    stop: Callable[[], bool]
    say: Callable[[Problem], None]


@dataclass(frozen=True)
class Picture:
    """An image to be scored, and where it stands."""

    file: DataFile
    prompt: str  # its words, without weights and the names of LoRAs
    label: str = ""
    order: int = 0
    step: int = -1
    column: int = -1
    row: int = -1
    tab: int = -1
    side: Side = ""


@dataclass(frozen=True)
class ImageSet:
    """What is scored. `preset` is that of the run; without a run that can be read, the usual settings."""

    kind: Literal["grid", "run", "images"]
    folder: Path
    preset: Preset
    run: Path | None = None
    by: Literal["step", "column", ""] = ""
    pictures: tuple[Picture, ...] = field(default_factory=tuple)


def image_set_of(source: str, scanning: Scanning) -> ImageSet:
    """The images in a folder of any of the three kinds.

    Raises:
        UserError: there is no such folder, or no image in it.
    """
    folder = Path(source).expanduser().absolute()
    if not folder.is_dir():
        raise UserError("score.no-folder", "source", folder=folder)
    if (folder / GRID).is_file():
        found = _of_grid(folder)
    elif is_run(folder):
        found = _of_run(folder)
    else:
        found = _of_folder(folder, scanning)
    if not found.pictures and found.kind != "images":  # a scan says itself that there are none, unless it was stopped
        raise UserError("score.no-samples" if found.kind == "run" else "score.no-cells", "source", folder=folder)
    return found


def preset_with(folder: Path | None = None) -> Preset:
    """The usual settings, with this folder as the only concept."""
    concepts = [{"path": str(folder)}] if folder else []
    return with_absolute_paths(validate({"concepts": concepts}, trains=False))


def images_in(preset: Preset, scanning: Scanning) -> Index:
    """The images of the concepts that are learnt from, once each; raises as `scan`."""
    index = scan(preset, cache=Path(preset.general.cache), report=scanning.report, stop=scanning.stop)
    for bad in index.bad:
        scanning.say(problem("image.left-out", file=printable(bad.place, line=True), reason=bad.reason))
    return index.of_kind("train").training_rows().one_row_per_image()


def markers_of(concept: Concept) -> list[str]:
    """What a prompt asks for a concept with."""
    return [concept.trigger.strip()] if concept.trigger.strip() else []


def _of_run(folder: Path) -> ImageSet:
    preset = _preset_of(folder)
    samples = [sample for _, sample in sorted(samples_of(folder).items()) if sample.path.is_file()]
    steps = {step: number for number, step in enumerate(dict.fromkeys(sample.step for sample in samples))}
    source = _source(folder)
    pictures = [
        _placed(source, sample.path, sample.prompt, preset, {
            "label": f"{sample.step:,}", "order": steps[sample.step], "step": sample.step,
        })
        for sample in samples
    ]  # fmt: skip
    return ImageSet("run", folder, preset or preset_with(), folder if preset else None, "step", tuple(pictures))


def _of_grid(folder: Path) -> ImageSet:
    record = read_record(folder)
    run = Path(record["run"]).expanduser().absolute() if record["run"] else None
    preset = _preset_of(run) if run else None
    axes = {name: record["axes"][f"{name}s"] for name in ("column", "row", "tab")}
    by = next((name for name, axis in axes.items() if axis["kind"] == "step"), "column")
    source = _source(folder)
    pictures: list[Picture] = []
    for cell in record["cells"]:
        path = folder / cell["file"]
        if path.is_file():
            place = {name: int(cell[name]) for name in axes} | _row_of(cell, axes, by)
            pictures.append(_placed(source, path, prompt_in(parameters_of(path)), preset, place))
    kind = "step" if axes[by]["kind"] == "step" else "column"
    return ImageSet("grid", folder, preset or preset_with(), run if preset else None, kind, tuple(pictures))


def _row_of(cell: Mapping[str, int], axes: Mapping[str, Any], by: str) -> dict[str, Any]:
    """The row of the table that a cell counts in: its step or column, and of several tabs its tab."""
    heads = axes[by]["heads"]
    head, label, order = heads[cell[by]], str(heads[cell[by]]["label"]), cell[by]
    if by != "tab" and len(tabs := axes["tab"]["heads"]) > 1:
        label, order = f"{tabs[cell['tab']]['label']} / {label}", cell["tab"] * len(heads) + order
    return {"label": label, "order": order, "step": int(head["step"])}


def _of_folder(folder: Path, scanning: Scanning) -> ImageSet:
    preset = preset_with(folder)
    pictures = tuple(_with_caption(images_in(preset, scanning)))
    return ImageSet("images", folder, preset, pictures=pictures)


def _with_caption(index: Index) -> Iterator[Picture]:
    """Images with the prompt that they carry, or else the first caption beside them."""
    for item in index:
        own = prompt_in(parameters_of(item.file.path)) if item.file.path else ""
        text = own or undrawn_caption(item.captions[0], index.concepts[item.concept])
        yield Picture(item.file, words_of(text) if own else text)


def _placed(source: FolderSource, path: Path, text: str, preset: Preset | None, place: Mapping[str, Any]) -> Picture:
    weighted = preset is None or preset.sampling.prompt_weights
    file = DataFile(source, path.relative_to(source.folder).as_posix())
    side = side_of(text, preset) if preset else ""
    return Picture(file, words_of(text, weighted=weighted), side=side, **place)


def words_of(prompt: str, *, weighted: bool = True) -> str:
    """A prompt without the names of LoRAs, and without weights where they are read as such."""
    text, _ = split_tags(prompt)
    return "".join(piece.text for piece in parse_prompt_weights(text)) if weighted else text


def side_of(prompt: str, preset: Preset) -> Side:
    """Whether a prompt asks for what is learnt, or for what the base model knew before."""
    if prompt.strip() in preset.known_prompts:
        return "known"
    concepts = [concept for concept in preset.concepts if concept.enabled and concept.kind == "train"]
    markers = [mark for concept in concepts for mark in markers_of(concept)] + [word.token for word in preset.words]
    if not markers:
        return "concept" if prompt.strip() else "other"
    return "concept" if any(has_trigger(prompt, mark) for mark in markers) else "other"


def _preset_of(run: Path) -> Preset | None:
    preset = recorded_preset(run) if run.is_dir() else None
    return with_absolute_paths(preset) if preset else None


def _source(folder: Path) -> FolderSource:
    return FolderSource(folder, Concept(path=str(folder)))
