"""One model out of several, and LoRA files put into it. Written tensor by tensor: no model is held in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from modules.errors import Problems, UserError
from modules.merging.block_ratios import overall_ratios
from modules.messages import Stage, note
from modules.preset.files.lora_strength import file_and_strength
from modules.preset.setting import Section, Setting, When
from modules.preset.validate import CANNOT_BE_USED, examine_section
from modules.sentences.problem import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from modules.families.parts.pipeline import DiffusersFamily
    from modules.merging.merge import How, Loras, Merged
    from modules.merging.models import Model
    from modules.trainer.control import Control
    from modules.trainer.preparation import Tell

TITLES = {
    "weighted_sum": "Weighted sum", "add_difference": "Add difference", "slerp": "SLERP", "ties": "TIES",
    "dare": "DARE", "model_stock": "Model Stock", "geometric_median": "Geometric median",
}  # fmt: skip
WITH_BASE = ("add_difference", "ties", "dare", "model_stock")


class Settings(Section):
    """Merge models"""

    models: tuple[str, ...] = Setting((), "Models", widget="models", flag="model", aliases="model_a, model_b")
    """Files, folders or names on Hugging Face; the folder of a run, with :900 behind it for its step 900. What the
    others lack is taken from the first."""
    base: str = Setting("", "Base model", widget="model", when=When("method", WITH_BASE), aliases="model_c")
    """What the models were fine-tuned from: what they have learnt is the difference."""
    method: Literal[
        "weighted_sum", "add_difference", "slerp", "ties", "dare", "model_stock", "geometric_median"
    ] = Setting("weighted_sum", "Method", labels=TITLES, aliases="merge_mode, calc_mode")  # fmt: skip
    """Weighted sum: the average by ratios. Add difference: what a model has learnt, on the first. SLERP: along an arc.
    TIES, DARE: what several have learnt, without what contradicts. Model Stock, Geometric median: a middle of all."""
    ratio: str = Setting("", "Ratio", aliases="alpha, multiplier, weights")
    """How much of each model after the first: 0 is none, 1 all; 0.3, 0.2 for two of them. One number holds for all.
    Empty: equal shares; 1 for differences, Model Stock and Geometric median."""
    curve: Literal["flat", "inputs more", "outputs more", "middle more", "ends more"] = Setting(
        "flat", "Ratio by block", widget="curve",
        labels={"flat": "The same everywhere", "inputs more": "Inputs more", "outputs more": "Outputs more",
                "middle more": "Middle more", "ends more": "Ends more"},
    )  # fmt: skip
    """A curve around the ratio, from the first block of the net to the last."""
    blocks: str = Setting("", "Blocks", widget="blocks", aliases="MBW, merge block weighted")
    """Ratios of single blocks: IN00-IN05=0.2, MID=0.5, OUT08=0.9; of transformers 00-18=0.3. BASE is what lies outside
    of all blocks, TE the text encoders."""
    density: float = Setting(0.2, "Kept share", gt=0, le=1, when=When("method", ("ties", "dare")))
    """How much of each difference is kept: with TIES the largest numbers, with DARE some by chance."""
    seed: int = Setting(0, "Seed", ge=0, le=2**63 - 1, level="expert", when=When("method", ("dare",)))
    """Of DARE's chance."""
    text_encoders: Literal["ratio", "first"] = Setting(
        "ratio", "Text encoders", labels={"ratio": "By ratio", "first": "From the first model"}
    )
    """Merged like the rest, or those of the first model."""
    vae: Literal["first", "ratio"] = Setting(
        "first", "VAE", labels={"first": "From the first model", "ratio": "By ratio"}
    )
    """That of the first model, or merged like the rest."""
    loras: tuple[str, ...] = Setting((), "LoRA files", widget="loras", flag="lora")
    """Put into the result one after another, each with its strength: FILE or FILE:0.8."""
    skip_unread: bool = Setting(False, "Skip unreadable tensors", level="expert")
    """Uses what can be read of a LoRA file and names the rest. Off: such a file is refused."""
    dtype: Literal["as_is", "fp32", "bf16", "fp16"] = Setting("as_is", "Precision", labels={"as_is": "As it is"})
    """The numbers that the result is stored as; it is computed in fp32. As it is: as in the first model."""
    recipe: str = Setting("", "Recipe", widget="file", level="expert")
    """A merged model whose settings are used again, all but these: the models if any are given here, and the result."""
    out: str = Setting(..., "Result", widget="save", min_length=1)
    """The file or folder to write. A name that ends with .safetensors is a file's."""
    overwrite: bool = Setting(False, "Overwrite existing file")
    """Write over a file or folder that is there already."""


def run(settings: Settings, tell: Tell, control: Control) -> str:
    """Write the merged model; gives its path.

    Raises:
        UserError: a model cannot be read, they do not belong together, or the target is taken.
    """
    from modules.system.devices import DTYPES  # noqa: PLC0415
    from modules.tools.opening.models import check_target  # noqa: PLC0415
    from modules.tools.weights.recipes import RECIPE, recipe_of, with_recipe  # noqa: PLC0415

    settings = with_recipe(settings)
    _check(settings)
    target = Path(settings.out).expanduser().absolute()
    single = target.suffix == ".safetensors"
    check_target(target, single, overwrite=settings.overwrite)
    tell(Stage("stage.opening-model"))
    merging = opened_merge(settings, tell)
    family = merging.family
    _check_form(family, merging.models[0].name, single, tell)

    def progress(done: int, total: int) -> None:
        control.check()
        tell(Stage("stage.merging", done, total))

    metadata = {**family.modelspec(), RECIPE: recipe_of(settings)}
    family.save(
        target, single_file=single, dtype=DTYPES.get(settings.dtype), parts=family.component_names,
        metadata=metadata, tensors=merging.tensors(progress=progress),
    )  # fmt: skip
    return str(target)


@dataclass(frozen=True)
class OpenMerge:
    """Models that are open, and what is made of them."""

    models: Sequence[Model]
    base: Model | None
    settings: Settings
    loras: Loras

    @property
    def family(self) -> DiffusersFamily:
        """The first model's."""
        family = self.models[0].family
        assert family is not None
        return family

    def tensors(
        self, ratio: float | None = None, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, Mapping[str, Tensor]]:
        """All that is not as in the first model's own files, by component. `ratio`: in the place of the first one."""
        from modules.merging.merge import merged  # noqa: PLC0415

        settings = self.settings if ratio is None else self._at(ratio)
        how = _how(settings, self.family, len(self.models))
        return _whole(merged(self.models, self.base, how, self.loras, progress), self.models[0], self.family)

    def _at(self, ratio: float) -> Settings:
        from modules.merging.block_ratios import at_ratio, usual_ratio  # noqa: PLC0415
        from modules.merging.blocks import Blocks  # noqa: PLC0415

        settings, names = self.settings, Blocks(self.family).names
        usual = usual_ratio(settings.method, len(self.models))
        text, blocks = at_ratio(settings.ratio, settings.blocks, ratio, usual, names)
        return settings.model_copy(update={"ratio": text, "blocks": blocks})


def opened_merge(settings: Settings, tell: Tell) -> OpenMerge:
    """Open what these settings name.

    Raises:
        UserError: a model cannot be read, or they do not belong together.
    """
    models, base = _opened(settings, tell)
    family = models[0].family
    assert family is not None
    return OpenMerge(models, base, settings, _loras(settings, family, tell))


def merge_in(text: str) -> Settings:
    """The settings of a merge in JSON, of which no file is written.

    Raises:
        UserError: they cannot be used.
    """
    from modules.tools.weights.recipes import with_recipe  # noqa: PLC0415

    try:
        values: Any = json.loads(text)
        found, wrong = examine_section(Settings, {**values, "out": "-"})
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError("merge.no-settings", "merge") from error
    if wrong:
        raise Problems(CANNOT_BE_USED, list(wrong.values()))
    settings = with_recipe(cast("Settings", found))
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Refuse what cannot be meant, before anything is opened."""
    count = len(settings.models)
    if count < (1 if settings.loras else 2):
        raise UserError("merge.none", "models")
    if count > 2 and settings.method == "slerp":
        raise UserError("merge.two", "method", count=count)
    if count > 1 and settings.method in WITH_BASE and not settings.base:
        raise UserError("merge.base", "base", method=TITLES[settings.method])
    if (given := len(overall_ratios(settings.ratio))) not in (0, 1, max(1, count - 1)):
        raise UserError("merge.ratios", "ratio", given=given, wanted=count - 1)


def _opened(settings: Settings, tell: Tell) -> tuple[list[Model], Model | None]:
    from modules.families import LoadOptions  # noqa: PLC0415
    from modules.merging.models import opened  # noqa: PLC0415
    from modules.tools.run_steps import place_of  # noqa: PLC0415

    wanted = [place_of(model) for model in settings.models]
    needs_base = len(wanted) > 1 and settings.method in WITH_BASE
    places = [*wanted, place_of(settings.base)] if needs_base else wanted
    models = opened(places, LoadOptions(report=lambda said: tell(note(said))))
    base = models.pop() if needs_base else None
    family = models[0].family
    assert family is not None
    held = sum(len(weights.shapes) for weights in models[0].weights.values())
    tell(note(problem("merge.models", title=family.card.title, count=len(models), tensors=held)))
    for name, path in family.source.places.items():
        tell(note(problem("merge.taken", part=family.card.component(name).subject, file=path.name)))
    for model in models[1:]:
        _compare(models[0], model, tell)
    return models, base


def _compare(first: Model, other: Model, tell: Tell) -> None:
    """Tell what of a model is not merged, and whether it was taught to predict something else."""
    assert first.family is not None
    if other.family is None:
        count, whole = (sum(len(held.shapes) for held in model.weights.values()) for model in (other, first))
        values: dict[str, Any] = {"file": other.name, "count": count, "whole": whole, "first": first.name}
        tell(note(problem("merge.parts", **values)))
        return
    one, two = (f.noise_schedule for f in (first.family, other.family))
    if (one.prediction, one.zero_terminal_snr) != (two.prediction, two.zero_terminal_snr):
        said = problem("merge.marks", first=first.name, file=other.name, one=one.prediction, other=two.prediction)
        tell(note(said, level="warning"))


def _check_form(family: DiffusersFamily, name: str, single: bool, tell: Tell) -> None:
    """Find out whether the result can be written so; tell what of it will not be."""
    from modules.catalog import FAMILIES  # noqa: PLC0415

    parts = [spec for spec in FAMILIES[family.name].components if not spec.optional]
    missing = [spec.subject for spec in parts if spec.name not in family.component_names]
    missing += [
        spec.subject for spec in family.card.components if spec.reads_text and spec.name not in family.tokenizers
    ]
    if not single and missing:
        raise UserError("merge.folder", "out", parts=missing, count=len(missing))
    if single and family.card.comes_in_parts:
        left = [spec.subject for spec in family.card.components if spec.name != "denoiser" and not spec.in_denoiser]
        if left:
            tell(note(problem("merge.left-out", parts=left, file=name, count=len(left))))


def _how(settings: Settings, family: DiffusersFamily, count: int) -> How:
    from modules.merging.block_ratios import on_curve, ratios_in, usual_ratio  # noqa: PLC0415
    from modules.merging.blocks import Blocks  # noqa: PLC0415
    from modules.merging.combine import Mix  # noqa: PLC0415
    from modules.merging.merge import WITHOUT_SHARES, How  # noqa: PLC0415

    ratios = overall_ratios(settings.ratio) or (usual_ratio(settings.method, count),)
    shares = ratios if settings.method in WITHOUT_SHARES or len(ratios) == count - 1 else ratios * max(1, count - 1)
    names = Blocks(family).names
    by_block = on_curve(settings.curve, shares[0], names) | ratios_in(settings.blocks, names)
    encoders = [name for name in family.card.trainable if name != "denoiser" and settings.text_encoders == "ratio"]
    vae = ["vae"] if settings.vae == "ratio" and "vae" in family.component_names else []
    mix = Mix(shares, settings.density, settings.seed)
    return How(settings.method, mix, by_block, ("denoiser", *encoders, *vae))


def _loras(settings: Settings, family: DiffusersFamily, tell: Tell) -> Loras:
    from modules.families.parts.adapter_origin import read_for, reservations  # noqa: PLC0415
    from modules.tools.opening.models import SKIP  # noqa: PLC0415
    from modules.tools.run_steps import file_of  # noqa: PLC0415

    found: list[Any] = []
    for named, strength in map(file_and_strength, settings.loras):
        file = file_of(named)
        unread: list[str] | None = [] if settings.skip_unread else None
        found.append((read_for(family, file, unread, fixes=SKIP), strength))
        tell(note(problem("merge.lora", file=file.name, count=len(found[-1][0]), strength=strength)))
        for said in reservations(family, file, unread):
            tell(note(said, level="warning"))
    return found


def _whole(tensors: Mapping[str, Merged], first: Model, family: DiffusersFamily) -> dict[str, Mapping[str, Any]]:
    """What is merged, and of a backup also what is not: a family knows of its own files only."""
    from modules.merging.merge import Merged  # noqa: PLC0415

    others = [name for name in family.component_names if first.weights[name] is not family.weights(name)]
    return {
        name: tensors.get(name) or Merged(family, name, [first], None, lambda _, __, held, ___: held[0])
        for name in {*tensors, *others}
    }
