"""Turn a model into another form: folder or single file, another precision, with trained parts or a LoRA put in.

Written tensor by tensor: no model is held in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modules.catalog import FAMILIES
from modules.errors import UserError
from modules.messages import Stage, note
from modules.preset.setting import Section, Setting
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

    FamilyName = str
else:
    FamilyName = Literal["auto", *FAMILIES]


OTHERS = ("vae", "text_encoder_1", "text_encoder_2", "text_encoder_3")  # settings that name a component


class Settings(Section):
    """Convert a model"""

    model: str = Setting(..., "Model", widget="model", min_length=1)
    """A file, a folder or a name on Hugging Face."""
    parts: str = Setting("", "LoRA or trained parts to merge", widget="file")
    """Merged into the model (.safetensors). Empty: nothing."""
    skip_unread: bool = Setting(False, "Skip unreadable tensors", level="expert")
    """Merges what can be read of a LoRA file and names the rest. Off: such a file is refused."""
    vae: str = Setting("", "VAE", widget="model", level="expert")
    """A VAE to use instead: a file, a folder or a name on Hugging Face. Empty: the model's own."""
    text_encoder_1: str = Setting("", "Text encoder 1", widget="model", level="expert")
    """A text encoder to use instead, and where a model's file has none. Empty: the model's own, or the usual one from
    Hugging Face."""
    text_encoder_2: str = Setting("", "Text encoder 2", widget="model", level="expert")
    """As above, for the second text encoder."""
    text_encoder_3: str = Setting("", "Text encoder 3", widget="model", level="expert")
    """As above, for the third text encoder."""
    format: Literal["auto", "single_file", "folder"] = Setting(
        "auto", "Write as", labels={"auto": "By its name", "single_file": "One file", "folder": "Diffusers folder"}
    )
    """One .safetensors file, or a folder as diffusers has it. By its name: a file if the result ends with .safetensors,
    else a folder."""
    out: str = Setting(..., "Result", widget="save", min_length=1)
    """The file or folder to write."""
    dtype: Literal["as_is", "fp32", "bf16", "fp16"] = Setting("as_is", "Precision", labels={"as_is": "As it is"})
    """The numbers that the weights are stored as. As it is: each tensor as it was. fp32 is exact and large,
    bf16 and fp16 are half the size."""
    family: FamilyName = Setting(
        "auto", "Family", labels={"auto": "Automatic", **{name: card.title for name, card in FAMILIES.items()}}
    )
    """The type of the model. Automatic: as its weights say."""
    variant: str = Setting("auto", "Variant", level="expert")
    """Which model of its type a file is, where its name does not tell: "Z-Image-Turbo", say. A folder's settings of
    sampling come from it."""
    overwrite: bool = Setting(False, "Overwrite existing file")
    """Write over a file or folder that is there already."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Write the model; gives the path of what came out.

    Raises:
        UserError: the model or the parts cannot be read, they do not fit together, or the target is taken.
    """
    from modules.families import LoadOptions  # noqa: PLC0415
    from modules.system.devices import DTYPES  # noqa: PLC0415
    from modules.tools.opening.models import (  # noqa: PLC0415
        check_target,
        narrowed,
        open_model,
        part_reservations,
        replacement_tensors,
    )

    single, target = _form(settings)
    check_target(target, single, overwrite=settings.overwrite)
    tell(Stage("stage.opening-model"))
    # In fp32, so that a merge loses nothing that the last cast would have kept.
    named: dict[str, str] = {name: getattr(settings, name) for name in OTHERS}
    others = {name: source for name, source in named.items() if source}
    options = LoadOptions(others=others, variant=settings.variant, report=lambda said: tell(note(said)))
    family = open_model(settings.model, settings.family, options, sure=settings.family != "auto")
    unread: list[str] | None = [] if settings.skip_unread else None
    replacements = replacement_tensors(Path(settings.parts), family, unread) if settings.parts else {}
    if settings.parts and not replacements:
        raise UserError("tool.no-part", file=settings.parts)
    for component, tensors in replacements.items():
        values: dict[str, Any] = {"file": Path(settings.parts).name, "count": len(tensors), "component": component}
        tell(note(problem("convert.replaced", **values)))
    doubts = part_reservations(family, settings.parts, unread)
    for said in (*doubts, *narrowed(family, DTYPES.get(settings.dtype))):
        tell(note(said, level="warning"))
    control.check()
    tell(Stage("stage.writing-model"))
    family.save(
        target,
        single_file=single,
        dtype=DTYPES.get(settings.dtype),
        parts=family.component_names,
        metadata=family.modelspec(),
        tensors=replacements,
    )
    return str(target)


def _form(settings: Settings) -> tuple[bool, Path]:
    """Whether it becomes a single file, and its path."""
    target = Path(settings.out).expanduser().absolute()
    if settings.format == "auto":
        return target.suffix == ".safetensors", target
    if settings.format == "single_file" and not target.suffix:
        return True, target.with_name(f"{target.name}.safetensors")
    return settings.format == "single_file", target
