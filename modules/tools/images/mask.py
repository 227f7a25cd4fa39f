"""Masks of a training set, made by a model: NAME-masklabel.png beside each image, as training reads them.

What a person painted is never overwritten: see `modules.data.image.mask_files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from modules.errors import UserError, system_error
from modules.masking.kinds import BACKGROUND, FACES, OUTLINES, WORDS
from modules.messages import SampleReady, Stage, note
from modules.preset.sections.concept import Concept
from modules.preset.setting import Section, Setting, When
from modules.sentences.problem import Problem, problem

if TYPE_CHECKING:
    from modules.data.source.source import Entry, Source
    from modules.masking.models import Asked, Maker
    from modules.masking.operations import Joining, Mask, Operations
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

FIRST = 5  # names of images in a message


class Settings(Section):
    """Make masks"""

    source: str = Setting(..., "Images", widget="folder", min_length=1)
    """A folder of images, or a list of them. A mask is written beside each, as NAME-masklabel.png; concepts use it with
    Masks = file."""
    subfolders: bool = Setting(False, "Include sub-folders")
    """Also the images in the folders inside."""
    kind: Literal["background", "words", "faces"] = Setting(
        "background", "What counts", aliases="rembg, clipseg, sam, segmentation, auto mask",
        labels={"background": "All but the background", "words": "What words name", "faces": "Faces"},
    )  # fmt: skip
    """Stays white in the mask; the rest becomes black."""
    background_model: str = Setting(
        BACKGROUND[0].name, "Background model", widget="model", when=When("kind", ("background",))
    )
    """A name on Hugging Face, an .onnx file, or a model that rembg has downloaded (u2net, isnet-anime ...)."""
    words: str = Setting("", "Words", when=When("kind", ("words",)), aliases="prompt, text prompt")
    """What to look for, in English; several with commas between: "hair, hat"."""
    words_model: str = Setting(WORDS[0].name, "Words model", widget="model", when=When("kind", ("words",)))
    """CLIPSeg (small, soft edges), Grounding DINO (with SAM 2), or SAM 3: a folder, or a name on Hugging Face."""
    outlines_model: str = Setting(
        OUTLINES[0].name, "Outlines model", widget="model", level="expert", when=When("kind", ("words",))
    )
    """SAM 2, which draws the outlines of what Grounding DINO finds."""
    faces_model: str = Setting(FACES[0].name, "Faces model", widget="model", when=When("kind", ("faces",)))
    """YuNet or a YOLO of one kind of thing: a name on Hugging Face, or an .onnx file."""
    confidence: float = Setting(0.3, "Confidence", ge=0, le=1, level="expert", when=When("kind", ("words",)))
    """How sure Grounding DINO or SAM 3 must be of a thing. CLIPSeg has only the threshold. Usual: 0.3."""
    face_confidence: float = Setting(0.5, "Face confidence", ge=0, le=1, level="expert", when=When("kind", ("faces",)))
    """How sure the model must be of a face. Usual: 0.5; higher where it takes other things for faces."""
    face_margin: float = Setting(0.2, "Face margin", ge=0, le=2, when=When("kind", ("faces",)))
    """How much is added around a face on each side, as a share of its size."""
    threshold: float = Setting(0.3, "Threshold", ge=0, le=1, zero="soft edges")
    """From where on the model's map counts as white. Usual: 0.3; higher cuts closer."""
    fill_holes: bool = Setting(False, "Fill holes")
    """Black parts that white encloses become white."""
    keep_largest: bool = Setting(False, "Largest part only")
    """The other white parts become black."""
    grow: int = Setting(0, "Grow", unit="pixels", ge=-1024, le=1024, aliases="expand, dilate, erode")
    """White grows by so many pixels of the image; below 0 it shrinks."""
    soften: int = Setting(0, "Soften", unit="pixels", ge=0, le=1024, aliases="blur, feather, smooth")
    """Blurs the edge."""
    invert: bool = Setting(False, "Invert")
    """White becomes black: the model's part is what does not count."""
    existing: Literal["keep", "replace", "add", "subtract"] = Setting(
        "keep", "Existing masks",
        labels={"keep": "Keep", "replace": "Replace", "add": "Add to them", "subtract": "Take away from them"},
    )  # fmt: skip
    """What becomes of masks that this tool made before. Painted masks, and those of other programs, always stay as they
    are. "subtract" takes from the whole image where there is no mask."""
    only: tuple[str, ...] = Setting((), "Only these", flag="only", level="expert")
    """Names of images, as they are in the folder. None: all of them."""
    out: str = Setting("", "Folder", widget="folder", level="expert")
    """Writes the masks there instead, for a look at them: whatever stands beside the images stays."""
    device: Literal["auto", "cpu", "cuda"] = Setting("auto", "Device", level="expert", scope="machine")
    """"auto" takes the graphics card when there is one."""
    offline: bool = Setting(False, "Offline", level="expert", scope="machine")
    """Never asks Hugging Face; models must have been downloaded before."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Make the masks that are to be made; gives the folder. What was written when the user stops stays.

    Raises:
        UserError: there are no images, or no place for files beside them; the model cannot be used; nothing is asked.
    """
    from modules.masking.models import maker_of  # noqa: PLC0415
    from modules.system.devices import device_named, use_tf32  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415

    asked = _asked(settings)
    tell(Stage("stage.scanning-images"))
    jobs = _jobs(settings, tell)
    if not jobs:
        tell(note(Problem("mask.nothing-to-do")))
        return ""
    control.check()
    check_writable(jobs[0].target.parent)
    device = device_named(settings.device)
    use_tf32(device, wanted=False)
    tell(Stage("stage.loading-model"))
    maker = maker_of(asked, device, offline=settings.offline, report=lambda said: tell(note(said)))
    done = _make(settings, asked, jobs, maker, tell, control)
    _tell_result(done, tell)
    return settings.out or str(jobs[0].entry.file.source.folder or jobs[0].target.parent)


@dataclass(frozen=True)
class _Job:
    """An image, and where its mask goes."""

    entry: Entry
    target: Path
    before: Path | None  # the mask that it is joined with


@dataclass
class _Done:
    written: int = 0
    empty: list[str] = field(default_factory=list[str])
    full: list[str] = field(default_factory=list[str])


def _asked(settings: Settings) -> Asked:
    from modules.masking.models import Asked  # noqa: PLC0415

    words = tuple(filter(None, map(str.strip, settings.words.split(","))))
    if settings.kind == "words" and not words:
        raise UserError("mask.no-words", "words")
    path = f"{settings.kind}_model"
    sure = settings.face_confidence if settings.kind == "faces" else settings.confidence
    return Asked(
        settings.kind, getattr(settings, path), settings.outlines_model, words, sure, settings.face_margin, path
    )


# Which images ---------------------------------------------------------------------------------------------------------


def _jobs(settings: Settings, tell: Tell) -> list[_Job]:
    """The images that get a mask; tells how many keep theirs.

    Raises:
        UserError: there are none, or files cannot be put beside them.
    """
    from modules.data.source.kinds import source_of  # noqa: PLC0415

    source = source_of(Concept(path=settings.source, subfolders=settings.subfolders))
    listing = source.listing()
    for file, reason in listing.unreadable_images:
        tell(note(problem("image.left-out", file=file, reason=reason), level="warning"))
    entries = [entry for entry in listing.entries if not settings.only or entry.file.key in settings.only]
    if settings.only and not entries:
        raise UserError("mask.none-of-these", "only", names=list(settings.only[:FIRST]), source=source.place)
    targets = {_target(entry, source, settings): entry for entry in reversed(entries)}  # of one stem the first
    found = [_job(target, entry, settings) for target, entry in reversed(targets.items())]
    for kind, code in (("kept", "mask.kept"), ("painted", "mask.painted")):
        if count := sum(each is kind for each in found):
            tell(note(problem(code, count=count)))
    return [each for each in found if isinstance(each, _Job)]


def _target(entry: Entry, source: Source, settings: Settings) -> Path:
    """Where the mask of an image is or would be."""
    from modules.data.image.mask_files import mask_of  # noqa: PLC0415

    if settings.out:
        key = mask_of(entry).key
        inside = (part.replace(":", "") for part in key.split("/") if part not in ("", ".."))  # lists name any path
        return Path(settings.out).expanduser().absolute().joinpath(*inside)
    place = mask_of(entry).path if entry.file.path else None
    if place is None:
        raise UserError("mask.packed", "source", source=source.place)
    return place


def _job(target: Path, entry: Entry, settings: Settings) -> _Job | Literal["kept", "painted"]:
    from modules.data.image.mask_files import is_as_made, mask_of  # noqa: PLC0415
    from modules.data.source.folders import on_disk  # noqa: PLC0415

    beside = mask_of(entry).path if entry.mask else None
    if settings.out:  # nothing of the user's is there to be kept
        return _Job(entry, target, beside)
    if not target.exists():
        return _Job(entry, target, None)
    if settings.existing == "keep":
        return "kept"
    return _Job(entry, target, target) if is_as_made(on_disk(target)) else "painted"


# The work -------------------------------------------------------------------------------------------------------------


def _make(settings: Settings, asked: Asked, jobs: Sequence[_Job], maker: Maker, tell: Tell, control: Control) -> _Done:
    from modules.data.image.mask_files import write_mask  # noqa: PLC0415
    from modules.masking.operations import Operations, is_empty, is_full  # noqa: PLC0415

    names = Operations.__dataclass_fields__
    operations = Operations(**{name: getattr(settings, name) for name in names})
    how = {"tool": "mask", "model": asked.model, "settings": settings.model_dump(mode="json", exclude_defaults=True)}
    done = _Done()
    for number, (job, image) in enumerate(_opened(jobs, tell)):
        control.check()
        tell(Stage("stage.masks", number, len(jobs)))
        if image is None:
            continue
        how_joined = "replace" if settings.existing == "keep" else settings.existing
        mask = _mask(maker(image), operations, job.before, how_joined)
        if is_empty(mask):
            done.empty.append(str(job.entry.file))
            continue
        if is_full(mask):
            done.full.append(str(job.entry.file))
        try:
            write_mask(job.target, Image.fromarray(mask), how)
        except OSError as error:
            raise system_error(error) or UserError("folder.not-writable", folder=job.target.parent) from error
        done.written += 1
        if settings.out:
            tell(SampleReady(str(job.target), job.entry.file.key, 0, number + 1))
    return done


def _opened(jobs: Sequence[_Job], tell: Tell) -> Iterator[tuple[_Job, Image.Image | None]]:
    """Each image as training sees it, decoded a little ahead; None, and told, where it cannot be read."""
    from modules.data.image.pixels import open_image  # noqa: PLC0415
    from modules.data.image_errors import UnusableImage  # noqa: PLC0415
    from modules.data.source.parallel_read import map_in_threads  # noqa: PLC0415

    def opened(job: _Job) -> Image.Image | UnusableImage:
        try:
            return open_image(job.entry.file)
        except UnusableImage as error:
            return error

    for job, found in zip(jobs, map_in_threads(opened, jobs, lambda: False), strict=True):
        if isinstance(found, UnusableImage):
            tell(note(found.problem, level="warning"))
            yield job, None
        else:
            yield job, found


def _mask(made: Mask, operations: Operations, before: Path | None, how: Joining) -> Mask:
    """What is written: after the operations, and with what was there before."""
    from modules.data.image.masks import open_mask  # noqa: PLC0415
    from modules.data.source.folders import on_disk  # noqa: PLC0415
    from modules.masking.operations import joined  # noqa: PLC0415

    mask = operations.apply(made)
    if before is None or how == "replace":
        return joined(None, mask, how)
    old = open_mask(on_disk(before), alpha=False)
    size = mask.shape[1], mask.shape[0]
    return joined(np.asarray(old if old.size == size else old.resize(size)), mask, how)


def _tell_result(done: _Done, tell: Tell) -> None:
    tell(note(problem("mask.written", count=done.written)))
    for code, files in (("mask.empty", done.empty), ("mask.full", done.full)):
        if files:
            tell(note(problem(code, count=len(files), files=files[:FIRST]), level="warning"))
