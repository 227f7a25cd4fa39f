"""Several LoRAs as one: their changes with strengths, added up exactly or in fewer ranks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modules.errors import UserError
from modules.messages import Stage, note
from modules.preset.files.lora_strength import file_and_strength, with_strength
from modules.preset.setting import Section, Setting
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from modules.formats.lora import LoraTensors
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

NEARLY = 64  # ranks of what is no LoRA, where no rank is asked for


class Settings(Section):
    """Join LoRAs"""

    out: str = Setting(..., "Result", widget="save", min_length=1, aliases="save_to")
    """The .safetensors file to write."""
    loras: tuple[str, ...] = Setting((), "LoRA files", widget="loras", flag="lora", aliases="models, ratios")
    """Two or more, each with its strength: FILE or FILE:0.8. Of any kind and in any program's names; the folder of a
    run is what it saved last. What only one of them changes stays in."""
    rank: int = Setting(0, "Rank", ge=0, le=1024, zero="exact", aliases="new_rank, concat")
    """Of every layer at most. 0: the sum is exact, and its rank that of all together."""
    lora_format: Literal["auto", "kohya", "diffusers", "native"] = Setting(
        "auto", "LoRA format", level="expert", flag="format",
        labels={"auto": "As it is", "kohya": "kohya", "diffusers": "diffusers", "native": "Native"},
    )  # fmt: skip
    """The names of the layers in the file. As it is: those of the first file."""
    base: str = Setting("", "Base model", widget="model", level="expert")
    """Needed for DoRA and OFT alone, which say nothing without the weights that they were made for."""
    skip_unread: bool = Setting(False, "Skip unreadable tensors", level="expert")
    """Uses what can be read of a LoRA file and names the rest. Off: such a file is refused."""
    dtype: Literal["fp16", "bf16", "fp32"] = Setting("fp16", "Precision")
    """The numbers that the file holds."""
    overwrite: bool = Setting(False, "Overwrite existing file")
    """Write over a file that is there already."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Write the sum; gives its path.

    Raises:
        UserError: a file cannot be read, needs its base model, or the target is taken.
    """
    from modules.formats.adapter_files import left_out  # noqa: PLC0415
    from modules.merging.low_rank import Wanted  # noqa: PLC0415
    from modules.tools.opening.adapter_tools import MadeFor, embeddings_in, form_of, tell_approximate, write_lora  # noqa: PLC0415
    from modules.tools.opening.models import check_file  # noqa: PLC0415
    from modules.tools.run_steps import file_of  # noqa: PLC0415

    target = Path(settings.out).expanduser().absolute()
    check_file(target, overwrite=settings.overwrite)
    files = [(file_of(name), strength) for name, strength in map(file_and_strength, settings.loras)]
    if len(files) < 2:
        raise UserError("join.two", "loras")
    form = form_of(files[0][0]) if settings.lora_format == "auto" else settings.lora_format
    tell(Stage("stage.opening-model"))
    made_for = MadeFor.of(files[0][0], settings.base)
    members: dict[str, list[tuple[LoraTensors, float]]] = {}
    beside: dict[str, Any] = {}
    for file, strength in files:
        unread: list[str] | None = [] if settings.skip_unread else None
        lora = made_for.layers(file, form, Wanted(settings.rank or NEARLY), unread)
        tell_approximate(lora, file, tell)
        tell(note(problem("merge.lora", file=file.name, count=len(lora.layers), strength=strength)))
        if unread:
            tell(note(left_out(file, unread), level="warning"))
        for name, layer in lora.layers.items():
            members.setdefault(name, []).append((layer, strength))
        beside = {**embeddings_in(file), **beside}
    layers = _added_up(members, settings.rank, tell, control)
    about = {"seachange.joined": ", ".join(with_strength(file.name, strength) for file, strength in files)}
    metadata = {**made_for.family.modelspec(), "ss_network_module": "networks.lora", **about}
    return write_lora(target, layers, form, settings.dtype, metadata, beside, tell)


def _added_up(
    members: dict[str, list[tuple[LoraTensors, float]]], rank: int, tell: Tell, control: Control
) -> dict[str, LoraTensors]:
    from modules.merging.adapters import smaller, together  # noqa: PLC0415
    from modules.merging.low_rank import Wanted  # noqa: PLC0415

    layers: dict[str, LoraTensors] = {}
    kept: list[float] = []
    for number, (name, loras) in enumerate(members.items()):
        control.check()
        tell(Stage("stage.joining", number, len(members)))
        layers[name] = together(loras)
        if rank:
            layers[name], share = smaller(layers[name], Wanted(rank))
            kept.append(share)
    if kept:
        tell(note(problem("join.kept", share=sum(kept) / len(kept), rank=rank)))
    return layers
