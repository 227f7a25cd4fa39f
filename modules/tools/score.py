"""Scores of images: of a grid's cells, a run's samples or a folder; a table by step or column, CSV and JSON.

What stands in scores.json is not computed again while image, prompt, model and reference images are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modules.errors import UserError
from modules.messages import Stage, note
from modules.scores.settings import Settings
from modules.sentences.problem import Problem, problem

if TYPE_CHECKING:
    from modules.data.source.file_hashes import FileHashes
    from modules.scores.how import How
    from modules.scores.image_set import ImageSet, Scanning
    from modules.scores.record import Scores
    from modules.scores.references import References
    from modules.scores.reuse import Chosen
    from modules.scores.table import Number
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

__all__ = ["Settings", "run"]

TABLES = {"step": "score.table:step", "column": "score.table:column", "": "score.table"}
ROWS = {
    "": "score.row", "concept": "score.row:concept", "known": "score.row:known", "other": "score.row:other",
}  # fmt: skip


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Compute what is missing, write it and tell the table; gives the folder.

    Raises:
        UserError: there are no images, no score is left, a model cannot be used, or the folder cannot be written.
    """
    from modules.data.source.file_hashes import FileHashes  # noqa: PLC0415
    from modules.scores.image_set import Scanning, image_set_of  # noqa: PLC0415
    from modules.scores.reuse import known_scores, made_of  # noqa: PLC0415
    from modules.scores.scoring import Scoring  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415

    if not _wanted(settings):
        raise UserError("score.none")

    tell(Stage("stage.scanning-images"))
    scanning = Scanning(
        lambda done, total: tell(Stage("stage.scanning-images", done, total)), control.stop_requested,
        lambda said: tell(note(said, level="warning")),
    )  # fmt: skip
    images = image_set_of(settings.source, scanning)
    control.check()
    folder = Path(settings.out).expanduser().absolute() if settings.out else images.folder
    check_writable(folder)
    how = _how(settings, images, tell, control)
    with FileHashes(how.cache) as hashes:
        references, names = _references(settings, images, hashes, how, scanning)
        control.check()
        names = _that_have_prompts(names, images, how)
        chosen = _chosen(settings, names, tell)
        made = {each.name: made_of(each, references, settings.copies_from) for each in chosen}
        known = known_scores(images, made, folder, hashes.of)
    scores = Scoring(known, images.pictures, references, folder, how).run(chosen)
    _tell(scores, tell)
    return str(folder)


def _wanted(settings: Settings) -> list[str]:
    from modules.scores.kinds import SCORES  # noqa: PLC0415

    return [name for name in SCORES if getattr(settings, name)]


def _how(settings: Settings, images: ImageSet, tell: Tell, control: Control) -> How:
    from modules.scores.how import How  # noqa: PLC0415
    from modules.system.devices import device_named, use_tf32, use_threads  # noqa: PLC0415

    device = device_named(settings.device)
    use_threads(images.preset.general.threads)
    use_tf32(device, wanted=False)

    def progress(stage: str, done: int, total: int) -> None:
        control.check()
        tell(Stage(stage, done, total))

    def say(said: Problem) -> None:
        tell(note(said, level="warning"))

    return How(device, settings.batch_size, Path(images.preset.general.cache), progress, say)


def _references(
    settings: Settings, images: ImageSet, hashes: FileHashes, how: How, scanning: Scanning
) -> tuple[References | None, list[str]]:
    """The reference images, and the scores that can be computed with what there is.

    Raises:
        UserError: none can.
    """
    from modules.scores.kinds import REFERENCES  # noqa: PLC0415
    from modules.scores.references import references_of  # noqa: PLC0415

    names = _wanted(settings)
    comparing, left = _needing(REFERENCES, names)
    if not comparing:
        return None, names
    why: list[Problem] = []
    found = None
    try:
        found = references_of(images, settings.reference, settings.references, hashes.of, scanning)
    except UserError as error:
        if settings.reference:
            raise
        why = error.report
    if found is None:
        if not left:
            raise UserError("score.no-references:why" if why else "score.no-references", scores=comparing, why=why)
        code = "score.without-references:why" if why else "score.without-references"
        how.say(problem(code, scores=comparing, why=why))
        return None, left
    if len(found.files) < found.total:
        how.say(problem("score.some-references", count=len(found.files), total=found.total))
    return found, names


def _that_have_prompts(names: list[str], images: ImageSet, how: How) -> list[str]:
    """The scores that can be computed with the prompts that there are.

    Raises:
        UserError: none can.
    """
    from modules.scores.kinds import TEXT  # noqa: PLC0415

    reading, left = _needing(TEXT, names)
    if not reading or any(picture.prompt for picture in images.pictures):
        return names
    if not left:
        raise UserError("score.no-prompts", scores=reading)
    how.say(problem("score.without-prompts", scores=reading))
    return left


def _needing(what: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The titles of the scores that need something, and the names of the others."""
    from modules.scores.kinds import SCORES  # noqa: PLC0415

    titles = [SCORES[name].title for name in names if what in SCORES[name].needs]
    return titles, [name for name in names if what not in SCORES[name].needs]


def _chosen(settings: Settings, names: Sequence[str], tell: Tell) -> list[Chosen]:
    """The scores with their models, which are downloaded and looked at before the first is computed."""
    from modules.image_models.finding import find_model  # noqa: PLC0415
    from modules.scores.head import FILES  # noqa: PLC0415
    from modules.scores.kinds import SCORES  # noqa: PLC0415
    from modules.scores.model import config_of  # noqa: PLC0415
    from modules.scores.reuse import Chosen, mark_of  # noqa: PLC0415

    find = partial(find_model, offline=settings.offline, report=lambda said: tell(note(said)))
    found: list[Chosen] = []
    places: dict[str, Path] = {}
    for name in names:
        path = f"{name}_model"
        source: str = getattr(settings, path)
        if source not in places:
            places[source] = find(source, path)
        config_of(places[source], source, SCORES[name])
        head = find(settings.aesthetic_head, "aesthetic_head", files=FILES) if name == "aesthetic" else None
        found.append(Chosen(name, source, places[source], mark_of(places[source]), head))
    return found


def _tell(scores: Scores, tell: Tell) -> None:
    """The table: a line for each row, of all images and of each side; and what is to be known of it."""
    from modules.scores.table import sides_of, table_of  # noqa: PLC0415

    sides = sides_of(scores)
    tell(note(Problem(TABLES[scores.by])))
    for side in [*(sides if len(sides) > 1 else []), ""]:
        for row in table_of(scores, side):
            numbers = [_words(name, number) for name, number in row.numbers.items()]
            code = ROWS[side] if row.label else "score.row:all"
            tell(note(problem(code, label=row.label, images=row.images, numbers=numbers)))
    cut = {image.prompt for image in scores.images if image.cut}
    if cut:
        tell(note(problem("score.cut", count=len(cut)), level="warning"))


def _words(name: str, number: Number) -> str:
    from modules.scores.kinds import SCORES  # noqa: PLC0415
    from modules.sentences.numbers import plural  # noqa: PLC0415

    kind = SCORES[name]
    half = "" if number.low is None else f" \u00b1 {number.mean - number.low:.{kind.digits}f}"
    copies = f" ({plural(number.copies, '# near-copy|# near-copies')})" if name == "copies" else ""
    return f"{kind.title} {number.mean:.{kind.digits}f}{half}{copies}"
