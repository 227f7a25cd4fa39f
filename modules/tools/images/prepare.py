"""Make images ready for training, in a folder of their own: mended, cut, resized, enlarged, without copies, renamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modules.errors import UserError
from modules.messages import Stage, note
from modules.preparing.settings import Settings
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from modules.data.source.source import Listing, Source
    from modules.preparing.planning import Faces, Planned
    from modules.preparing.upscaler import Upscaler
    from modules.preparing.writing import Writing
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

__all__ = ["Settings", "run"]

SURE = 0.6  # of a face, as YuNet's authors have it
NAMED = 10  # of what is left out, so many are named


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Write the folder; gives its path.

    Raises:
        UserError: there are no images, the folder is taken or cannot be written, or the upscaler cannot be used.
    """
    from modules.preparing.places import put_in_place, source_for, target_folder  # noqa: PLC0415
    from modules.preparing.planning import plan  # noqa: PLC0415
    from modules.preparing.record import Record  # noqa: PLC0415
    from modules.preparing.writing import Writing  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415

    source = source_for(settings)
    folder = target_folder(settings, source.folder)
    check_writable(folder)
    record = Record(folder)
    tell(Stage("stage.scanning-images"))
    listing = source.listing()
    enlarge = _upscaler(settings, tell, control)

    def report(done: int, total: int) -> None:
        tell(Stage("stage.scanning-images", done, total))

    planned = plan(listing.entries, settings, _cache(), report, control.stop_requested, _faces(settings, tell))
    control.check()
    wanted = [each for each in planned if each.left_out is None]
    if not wanted:
        _tell(planned, listing, 0, tell)
        raise UserError("prepare.nothing", source=settings.source)
    writing = Writing(settings, record, _beside(source, planned), enlarge)
    made = _write(wanted, writing, tell, control)
    _tell(planned, listing, made, tell, record.kept)
    if settings.replace:
        assert source.folder is not None
        kept = put_in_place(folder, source.folder, (key for files in writing.beside.values() for key, _ in files))
        tell(note(problem("prepare.replaced", folder=kept)))
        return str(source.folder)
    return str(folder)


def _upscaler(settings: Settings, tell: Tell, control: Control) -> Upscaler | None:
    if settings.small != "enlarge" or not settings.upscaler or settings.shape == "keep":
        return None
    from modules.image_models.finding import find_model  # noqa: PLC0415
    from modules.preparing.upscaler import Upscaler  # noqa: PLC0415
    from modules.system.devices import device_named  # noqa: PLC0415

    report = partial(_say, tell)
    place = find_model(settings.upscaler, "upscaler", offline=settings.offline, report=report)
    return Upscaler(place, device_named(settings.device), control.check)


def _faces(settings: Settings, tell: Tell) -> Faces | None:
    if settings.focus != "faces" or settings.shape in ("keep", "longest", "shortest"):
        return None
    from PIL import Image  # noqa: PLC0415

    from modules.masking.models import Asked, maker_of  # noqa: PLC0415
    from modules.system.devices import device_named  # noqa: PLC0415

    asked = Asked("faces", settings.faces_model, confidence=SURE, path="faces_model")
    maker = maker_of(asked, device_named(settings.device), offline=settings.offline, report=partial(_say, tell))
    return lambda image: Image.fromarray(maker(image))


def _write(wanted: Sequence[Planned], writing: Writing, tell: Tell, control: Control) -> int:
    """Write what is not there yet; gives how many there are."""
    from modules.data.source.parallel_read import map_in_threads  # noqa: PLC0415

    writing.record.begin(wanted)
    new = [each for each in wanted if not writing.record.has(each, writing.settings)]
    there, failed = len(wanted) - len(new), 0
    results = map_in_threads(writing.write, new, control.stop_requested)
    for done, (each, why) in enumerate(zip(new, results, strict=False), 1):
        tell(Stage("stage.preparing-images", there + done, len(wanted)))
        if why is not None:
            failed += 1
            tell(note(problem("prepare.failed", file=each.key, reason=why), level="warning"))
    control.check()
    return len(wanted) - failed


def _beside(source: Source, planned: Sequence[Planned]) -> dict[str, list[tuple[str, str]]]:
    """The files of each image, where the source is a folder."""
    from modules.preparing.beside import files_beside  # noqa: PLC0415
    from modules.preparing.places import keys_in  # noqa: PLC0415

    if source.folder is None:
        return {}
    return files_beside(keys_in(source.folder), [each.key for each in planned])


def _cache() -> Path:
    from modules.preset.files.absolute_paths import with_absolute_paths  # noqa: PLC0415
    from modules.preset.preset import Preset  # noqa: PLC0415

    return Path(with_absolute_paths(Preset()).general.cache)


def _say(tell: Tell, said: object) -> None:
    tell(note(said))  # pyright: ignore[reportArgumentType]


def _tell(planned: Sequence[Planned], listing: Listing, made: int, tell: Tell, kept: Set[str] = frozenset()) -> None:
    """How many were made, what was left out and why, and how many were enlarged."""
    from modules.system.weights import first_names  # noqa: PLC0415

    enlarged = sum(each.target is not None and each.target.scale > 1.001 for each in planned)
    tell(note(problem("prepare.made", count=made, total=len(planned))))
    if enlarged:
        tell(note(problem("prepare.enlarged", count=enlarged)))
    whys = Counter(each.left_out.code for each in planned if each.left_out is not None)
    for code, count in whys.most_common():
        first = [each for each in planned if each.left_out is not None and each.left_out.code == code][:NAMED]
        rows = [problem("prepare.left-out-one", file=each.key, reason=each.left_out) for each in first]
        shown = "prepare.left-out:more" if count > len(rows) else "prepare.left-out"
        tell(note(problem(shown, count=count, first=rows, more=count - len(rows)), level="warning"))
    for name, why in listing.unreadable_images[:NAMED]:
        tell(note(problem("prepare.failed", file=name, reason=why), level="warning"))
    if kept:
        files = first_names(sorted(kept), NAMED)
        tell(note(problem("prepare.kept", count=len(kept), files=files), level="warning"))
