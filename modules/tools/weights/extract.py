"""What a fine-tuned model has learnt, as a LoRA: a small file that does nearly the same to its base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modules.errors import UserError
from modules.messages import Stage, note
from modules.preset.setting import Section, Setting, When
from modules.sentences.problem import Problem, problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modules.families import Family
    from modules.formats.adapter import AdapterTensors
    from modules.merging.extraction import Extraction, Kept
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

MIB = 2**20
WORST = 5  # layers that are named
SMALL_SHARE = 0.1  # of the change, beyond which what is left out is a warning


class Settings(Section):
    """Extract a LoRA"""

    base: str = Setting(..., "Base model", widget="model", min_length=1, aliases="model_org, original model")
    """What the other model was fine-tuned from: a file, a folder or a name on Hugging Face."""
    tuned: str = Setting(..., "Fine-tuned model", widget="model", min_length=1, aliases="model_tuned")
    """The model whose change is wanted, of the same family; or the folder of a full fine-tune's run, with :900 behind
    it for its step 900."""
    out: str = Setting(..., "LoRA file", widget="save", min_length=1, aliases="save_to")
    """The .safetensors file to write."""
    kind: Literal["lora", "lokr"] = Setting("lora", "Kind", labels={"lora": "LoRA", "lokr": "LoKr"})
    """A LoRA, with convolutions what others call LoCon; or LoKr, the nearest Kronecker product, which is small and
    holds less of the change."""
    size_by: Literal["energy", "rank", "file_size"] = Setting(
        "energy", "Size by", when=When("kind", ("lora",)), flag="by",
        labels={"energy": "Kept change", "rank": "Rank", "file_size": "File size"},
    )  # fmt: skip
    """Kept change: each layer gets the rank that it needs. Rank: all get the same. File size: ranks go where they hold
    most, up to a size of the file."""
    energy: float = Setting(
        90.0, "Kept change", ge=1, le=99.99, unit="%", when=When("size_by", ("energy",)), aliases="sv_fro, sv_ratio"
    )
    """How much of the change of each layer is kept, as the share of its squares."""
    rank: int = Setting(32, "Rank", ge=1, le=1024, when=When("size_by", ("rank",)), aliases="dim, network_dim")
    """Of every layer."""
    megabytes: float = Setting(64.0, "File size", gt=0, le=100_000, unit="MB", when=When("size_by", ("file_size",)))
    """The largest file that is wanted."""
    max_rank: int = Setting(
        128, "Maximum rank", ge=1, le=1024, level="expert", when=When("size_by", ("energy", "file_size"))
    )
    """No layer gets more."""
    factor: int = Setting(8, "LoKr factor", ge=1, le=64, when=When("kind", ("lokr",)))
    """The size of the small matrix of each layer."""
    convolutions: bool = Setting(True, "Convolutions", aliases="conv_dim, LoCon")
    """Layers with kernels wider than 1x1 too, where the model has them."""
    text_encoders: bool = Setting(True, "Text encoders")
    """Those that have changed, too."""
    lora_format: Literal["auto", "kohya", "diffusers", "native"] = Setting(
        "auto", "LoRA format", level="expert", flag="format",
        labels={"auto": "Automatic", "kohya": "kohya", "diffusers": "diffusers", "native": "Native"},
    )  # fmt: skip
    """The names of the layers in the file. Automatic: those that most programs read for this family."""
    dtype: Literal["fp16", "bf16", "fp32"] = Setting("fp16", "Precision")
    """The numbers that the file holds."""
    overwrite: bool = Setting(False, "Overwrite existing file")
    """Write over a file that is there already."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Write the LoRA; gives its path.

    Raises:
        UserError: a model cannot be read, they do not belong together or are the same, or the target is taken.
    """
    from modules.families import LoadOptions  # noqa: PLC0415
    from modules.merging.extraction import extract  # noqa: PLC0415
    from modules.merging.models import opened  # noqa: PLC0415
    from modules.tools.opening.models import check_file  # noqa: PLC0415
    from modules.tools.run_steps import place_of  # noqa: PLC0415

    target = Path(settings.out).expanduser().absolute()
    check_file(target, overwrite=settings.overwrite)
    tell(Stage("stage.opening-model"))
    options = LoadOptions(report=lambda said: tell(note(said)))
    base, tuned = opened([place_of(settings.base), place_of(settings.tuned)], options)
    family = base.family
    assert family is not None
    components = [name for name in family.card.trainable if name == "denoiser" or settings.text_encoders]
    components = [name for name in components if name in tuned.weights]

    def progress(done: int, total: int) -> None:
        control.check()
        tell(Stage("stage.extracting", done, total))

    updates, kept = extract(base, tuned, components, _how(settings), progress)
    if not updates:
        raise UserError("extract.nothing", base=Path(settings.base).name, tuned=Path(settings.tuned).name)
    for component, about in kept.items():
        _report(family, component, about, updates, tell)
    _write(family, updates, settings, target)
    tell(note(problem("extract.written", layers=len(updates), size=target.stat().st_size)))
    return str(target)


def _how(settings: Settings) -> Extraction:
    from modules.merging.extraction import Extraction  # noqa: PLC0415
    from modules.merging.low_rank import Wanted  # noqa: PLC0415
    from modules.system.devices import DTYPES, device_named  # noqa: PLC0415

    wanted = {
        "energy": Wanted(settings.max_rank, settings.energy / 100),
        "rank": Wanted(settings.rank),
        "file_size": Wanted(settings.max_rank),
    }[settings.size_by]
    by_size = settings.size_by == "file_size" and settings.kind == "lora"
    numbers = int(settings.megabytes * MIB / DTYPES[settings.dtype].itemsize) if by_size else 0
    device = device_named("auto")
    return Extraction(settings.kind, wanted, numbers, settings.convolutions, settings.factor, device)


def _report(family: Family, component: str, kept: Kept, updates: Mapping[str, AdapterTensors], tell: Tell) -> None:
    """How much of the change of a component is in the file, and where least is."""
    subject = family.card.component(component).subject
    if not kept.layers:
        tell(note(problem("extract.unchanged", part=subject)))
        return
    ranks: dict[str, Any] = {"part": subject, "share": kept.held / kept.whole, "layers": len(kept.layers)}
    tell(note(problem("extract.kept", **ranks)))
    for row in _groups(subject, kept, updates):
        tell(note(row))
    if worst := [f"{name.partition('|')[2]} ({share:.0%})" for name, share in kept.worst(WORST)]:
        tell(note(problem("extract.worst", names=worst)))
    if kept.left_out:
        share = kept.outside / kept.whole
        values: dict[str, Any] = {"part": subject, "count": len(kept.left_out), "share": share}
        tell(note(problem("extract.left-out", **values), level="warning" if share > SMALL_SHARE else "info"))


def _groups(subject: Any, kept: Kept, updates: Mapping[str, AdapterTensors]) -> Iterator[Problem]:
    """What is kept of each group of layers, and in which ranks."""
    from modules.formats.lora import LoraTensors  # noqa: PLC0415
    from modules.merging.blocks import GROUPS, group_of  # noqa: PLC0415

    groups = {layer: group_of(f"{layer.partition('|')[2]}.weight") for layer in kept.layers}
    for group in [each for each in GROUPS if each in groups.values()]:
        layers = [layer for layer, its in groups.items() if its == group]
        squares, shares = zip(*(kept.layers[layer] for layer in layers), strict=True)
        whole = sum(squares)
        held = sum(square * share for square, share in zip(squares, shares, strict=True))
        values: dict[str, Any] = {"part": subject, "group": group, "layers": len(layers), "share": held / whole}
        ranks = [each.rank for layer in layers if isinstance(each := updates.get(layer), LoraTensors)]
        if ranks:
            code = "extract.group:ranks" if len({*ranks}) > 1 else "extract.group:rank"
            yield problem(code, **values, low=min(ranks), high=max(ranks))
        else:
            yield problem("extract.group", **values)


def _write(family: Family, updates: Mapping[str, AdapterTensors], settings: Settings, target: Path) -> None:
    from modules.formats.adapter_files import named_tensors  # noqa: PLC0415
    from modules.formats.hashes import with_hashes  # noqa: PLC0415
    from modules.formats.tensors import write_tensors  # noqa: PLC0415
    from modules.system.devices import DTYPES  # noqa: PLC0415

    form = settings.lora_format
    if form == "auto":
        form = family.card.lora_formats[0] if settings.kind == "lora" else "kohya"
    links = family.adapter_links(form, fused=settings.kind == "lora")
    tensors = named_tensors(updates, links, form, DTYPES[settings.dtype])
    about = {
        **family.modelspec(),
        "ss_network_module": "networks.lora" if settings.kind == "lora" else "lycoris.kohya",
        "ss_network_dim": "Dynamic",
        "ss_network_alpha": "Dynamic",
        "seachange.extracted": f"{Path(settings.tuned).name} less {Path(settings.base).name}",
    }
    write_tensors(target, tensors, with_hashes(tensors, about))
