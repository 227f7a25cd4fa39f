"""A LoRA in fewer ranks: a smaller file that does nearly the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modules.messages import Stage, note
from modules.preset.setting import Section, Setting, When
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from modules.merging.adapters import Lora
    from modules.merging.low_rank import Wanted
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

WORST = 5  # layers that are named


class Settings(Section):
    """Resize a LoRA"""

    lora: str = Setting(..., "LoRA", widget="file", min_length=1, aliases="model")
    """The file; or the folder of a run, with :900 behind it for what it saved at step 900. LoHa, LoKr, DoRA and OFT
    become LoRAs, nearly the same."""
    out: str = Setting(..., "Result", widget="save", min_length=1, aliases="save_to")
    """The .safetensors file to write."""
    size_by: Literal["energy", "rank"] = Setting(
        "energy", "Size by", flag="by", labels={"energy": "Kept change", "rank": "Rank"}, aliases="dynamic_method"
    )
    """Kept change: each layer gets the smallest rank that holds so much. Rank: all get the same at most."""
    energy: float = Setting(
        95.0, "Kept change", ge=1, le=99.99, unit="%", when=When("size_by", ("energy",)), aliases="sv_fro, sv_ratio"
    )
    """How much of the change of each layer is kept, as the share of its squares."""
    rank: int = Setting(16, "Rank", ge=1, le=1024, when=When("size_by", ("rank",)), aliases="new_rank, dim")
    """Of every layer at most: none gets more than it has."""
    max_rank: int = Setting(128, "Maximum rank", ge=1, le=1024, level="expert", when=When("size_by", ("energy",)))
    """No layer gets more."""
    lora_format: Literal["auto", "kohya", "diffusers", "native"] = Setting(
        "auto", "LoRA format", level="expert", flag="format",
        labels={"auto": "As it is", "kohya": "kohya", "diffusers": "diffusers", "native": "Native"},
    )  # fmt: skip
    """The names of the layers in the file. As it is: those of the file."""
    base: str = Setting("", "Base model", widget="model", level="expert")
    """Needed for DoRA and OFT alone, which say nothing without the weights that they were made for."""
    skip_unread: bool = Setting(False, "Skip unreadable tensors", level="expert")
    """Uses what can be read of a LoRA file and names the rest. Off: such a file is refused."""
    dtype: Literal["fp16", "bf16", "fp32"] = Setting("fp16", "Precision")
    """The numbers that the file holds."""
    overwrite: bool = Setting(False, "Overwrite existing file")
    """Write over a file that is there already."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Write the smaller LoRA; gives its path.

    Raises:
        UserError: the file cannot be read, needs its base model, or the target is taken.
    """
    from modules.merging.adapters import smaller  # noqa: PLC0415
    from modules.merging.low_rank import Wanted  # noqa: PLC0415
    from modules.system.weights import open_weights  # noqa: PLC0415
    from modules.tools.opening.adapter_tools import embeddings_in, form_of, tell_approximate, write_lora  # noqa: PLC0415
    from modules.tools.opening.models import check_file  # noqa: PLC0415
    from modules.tools.run_steps import file_of  # noqa: PLC0415

    target = Path(settings.out).expanduser().absolute()
    check_file(target, overwrite=settings.overwrite)
    file = file_of(settings.lora)
    by_rank = settings.size_by == "rank"
    wanted = Wanted(settings.rank) if by_rank else Wanted(settings.max_rank, settings.energy / 100)
    form = form_of(file) if settings.lora_format == "auto" else settings.lora_format
    found = _layers(settings, file, form, wanted, tell)
    tell_approximate(found, file, tell)
    layers, kept = {}, dict[str, float]()
    for number, (name, lora) in enumerate(found.layers.items()):
        control.check()
        tell(Stage("stage.resizing", number, len(found.layers)))
        layers[name], kept[name] = smaller(lora, wanted)
    ranks = sorted(lora.rank for lora in layers.values())
    values: dict[str, Any] = {"least": ranks[0], "most": ranks[-1], "share": sum(kept.values()) / len(kept)}
    tell(note(problem("resize.kept", **values)))
    worst = sorted(kept, key=lambda name: kept[name])[:WORST]
    if kept[worst[0]] < 0.99:
        tell(note(problem("extract.worst", names=[f"{name} ({kept[name]:.0%})" for name in worst])))
    metadata = {**open_weights(file).metadata, "seachange.resized": file.name}
    return write_lora(target, layers, form, settings.dtype, metadata, embeddings_in(file), tell)


def _layers(settings: Settings, file: Path, form: Any, wanted: Wanted, tell: Tell) -> Lora:
    """Those of the file under its own names if it stays what it is, else as its model has them."""
    from modules.formats.adapter_files import left_out  # noqa: PLC0415
    from modules.merging.adapters import Lora, plain_layers  # noqa: PLC0415
    from modules.tools.opening.adapter_tools import MadeFor, form_of  # noqa: PLC0415

    if form == form_of(file) and not settings.base and (plain := plain_layers(file)) is not None:
        return Lora(plain)
    unread: list[str] | None = [] if settings.skip_unread else None
    tell(Stage("stage.opening-model"))
    found = MadeFor.of(file, settings.base).layers(file, form, wanted, unread)
    if unread:
        tell(note(left_out(file, unread), level="warning"))
    return found
