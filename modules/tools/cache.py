"""Fill the cache: only the preparation of a run, so that the next one starts at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.messages import note
from modules.preset.rules.rules import validate
from modules.preset.setting import Section, Setting
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell


class Settings(Section):
    """Fill the cache"""

    preset: dict[str, Any] = Setting(..., "Preset", widget="preset")
    """Whose images and captions are encoded."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Encode what a run with this preset would encode, with the model held as that run would hold it."""
    from modules.check.context import CheckContext  # noqa: PLC0415
    from modules.check.plan.start import hold_as_planned  # noqa: PLC0415
    from modules.preset.files.absolute_paths import with_absolute_paths  # noqa: PLC0415
    from modules.trainer.class_images import with_class_images  # noqa: PLC0415
    from modules.trainer.preparation import open_family, resolved, scan_images  # noqa: PLC0415
    from modules.trainer.prepared_data import cache_with_retry, complete_cache, prepare_data  # noqa: PLC0415
    from modules.trainer.run_folder.disk_retry import DiskRetry  # noqa: PLC0415
    from modules.trainer.run_folder.workspace import check_writable  # noqa: PLC0415
    from modules.trainer.step.prior_preservation import needs_teacher_cache  # noqa: PLC0415

    preset = with_absolute_paths(validate(settings.preset))
    check_writable(Path(preset.general.cache))
    family = open_family(preset, tell)
    preset = resolved(preset, family)
    general = preset.general.model_copy(update={"cache_latents": True, "cache_texts": True})
    asked = preset = preset.model_copy(update={"general": general})

    def hold() -> None:
        hold_as_planned(CheckContext(asked, family, scan_images(asked, tell, control), tell, control))

    preset = with_class_images(asked, family, tell, control, hold)
    index = scan_images(preset, tell, control)
    if needs_teacher_cache(preset):
        hold_as_planned(CheckContext(preset, family, index, tell, control))
    with cache_with_retry(preset, DiskRetry(control, tell)) as cache:
        prepared = prepare_data(preset, family, index, cache, tell, control)
        complete_cache(preset, family, prepared.loader, tell, control)
    tell(note(problem("cache.filled", folder=preset.general.cache)))
    return ""
