"""Where the finished model of a run goes, and what is written into it about how it was made."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from modules.data.balance import PRIOR_KINDS
from modules.data.index import Index
from modules.data.order import due_of_buckets
from modules.data.text.tags import every_tag
from modules.errors import UserError
from modules.families import Family
from modules.formats.hashes import model_hashes
from modules.formats.metadata import ConceptStats, RunFacts, file_metadata
from modules.methods.textual_inversion import beside, file_name
from modules.preset.files.naming import run_name
from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter
from modules.system.bundled import resolve
from modules.system.seeds import seed_of
from modules.trainer.run_folder.own_files import OwnFiles
from modules.trainer.run_folder.workspace import check_writable


class ModelPaths:
    """Paths and metadata of the models that one run writes. Backups keep when it started."""

    may_be_missing = True  # in backups of older versions

    def __init__(self, preset: Preset, folder: Path | None = None) -> None:
        """`folder`: of the run that is continued; one that is new gets its own later, with `use`."""
        self.preset = preset
        self.folder = folder or Path(preset.general.workspace) / run_name(preset)
        self.own = OwnFiles(self.folder, continued=folder is not None)
        self.started = time.time()
        self._modelspec: dict[str, str] = {}
        self._concepts: tuple[ConceptStats, ...] = ()
        self._buckets: tuple[tuple[int, int, int], ...] = ()
        self._aspect_error, self._zero_terminal_snr = 0.0, False
        self._hashes: dict[str, str] = {}
        self._steps = self._steps_per_epoch = 0

    def use(self, folder: Path) -> None:
        """The folder of a new run is this one."""
        self.folder, self.own = folder, OwnFiles(folder, continued=False)

    def state_dict(self) -> dict[str, float]:
        return {"started": self.started}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self.started = state["started"]

    def describe(
        self,
        family: Family,
        index: Index,
        steps: int,
        steps_per_epoch: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Gather what files tell of the run they come from: counts, tags and hashes, no names and no paths.

        `check` is called while the model's file is read for its hash, and may raise to end that.
        """
        self._modelspec = family.modelspec()
        self._zero_terminal_snr = family.noise_schedule.zero_terminal_snr
        self._concepts = tuple(concept_facts(index))
        if self.preset.training.buckets:
            self._buckets, self._aspect_error = bucket_counts(index), aspect_error(index)
        if isinstance(self.preset.method, Adapter) and self.preset.output.include_preset:
            self._hashes = base_hashes(self.preset, check)
        self._steps, self._steps_per_epoch = steps, steps_per_epoch

    def metadata(self, target: Path, step: int, epoch: int) -> dict[str, str]:
        """The metadata of a model that is written at this step."""
        facts = RunFacts(
            name=target.name.removesuffix(".safetensors"),
            step=step,
            steps=self._steps,
            epoch=epoch,
            epochs=-(-self._steps // self._steps_per_epoch),
            steps_per_epoch=self._steps_per_epoch,
            started=self.started,
            finished=time.time(),
            concepts=self._concepts,
            session=seed_of(str(self.started)) % 2**32,
            buckets=self._buckets,
            zero_terminal_snr=self._zero_terminal_snr,
            aspect_error=self._aspect_error,
            model_hashes=self._hashes,
        )
        return file_metadata(self.preset, self._modelspec, facts)

    def check_free(self) -> None:
        """Refuse an explicit output path that exists, before anything is trained.

        Raises:
            UserError: it exists and replacing was not asked for, or nothing can be written there.
        """
        check_writable(Path(self.preset.general.workspace))
        check_writable(Path(self.preset.general.cache))
        if self.preset.output.path:
            check_writable(self.wanted.parent)
        self.check_overwrite()

    def check_overwrite(self) -> None:
        """The half of `check_free` that looks at names only.

        Raises:
            UserError: the output exists and replacing was not asked for, or could not replace it.
        """
        if not self.preset.output.path:
            return
        taken = self._taken(self.wanted)
        if taken and not self.preset.output.overwrite and self.own.step_of(self.wanted) < 0:
            raise UserError("model.exists", "output.path", "output.overwrite", file=taken[0])
        for path in taken:
            if path.is_dir() != self._folder:
                code = "model.file-for-folder" if self._folder else "model.folder-for-file"
                raise UserError(code, "output.path", file=path)

    @property
    def wanted(self) -> Path:
        """The finished model: the path that the preset gives, or one named after the run."""
        return Path(self.preset.output.path or self.folder / "models" / f"{self.folder.name}{self._suffix}")

    def final(self, step: int) -> Path:
        """Where the finished model is written: a name beside the wanted one, if that was taken during the run.

        The run's own from an earlier end gets the name of its step.
        """
        wanted = self.wanted
        if (self.preset.output.path and self.preset.output.overwrite) or not self._taken(wanted):
            return wanted
        earlier = self.own.step_of(wanted)
        if earlier < 0:
            return self._free(wanted)
        if earlier != step:
            self.own.set_aside(wanted, self._free(self.at_step(earlier, wanted)))
        return wanted

    def _taken(self, target: Path) -> list[Path]:
        """What is there already of the files that would be written."""
        files = [target]
        if words := [word for word in self.preset.words if word.train]:
            alone = self.preset.method.kind == "embedding"
            folder = target if alone else beside(target.with_name(target.name.removesuffix(".safetensors")))
            files = [*([] if alone else files), *(folder / file_name(word) for word in words)]
        return [path for path in files if path.exists()]

    def intermediate(self, step: int) -> Path:
        """A model that is saved before the end."""
        return self._free(self.at_step(step))

    def at_step(self, step: int, model: Path | None = None) -> Path:
        """The name of a model of a step: of one before the end, or of what is `model` until a later end."""
        model = model or self.folder / "models" / f"{self.folder.name}{self._suffix}"
        return model.with_name(f"{model.name.removesuffix(self._suffix)}-step-{step:08d}{self._suffix}")

    def best(self) -> Path:
        """The best model by validation, which a better one replaces."""
        return self.folder / "models" / f"{self.folder.name}-best{self._suffix}"

    def averaged(self, target: Path) -> Path:
        """The moving average, beside a model with the last weights."""
        return self._free(target.with_name(f"{target.name.removesuffix(self._suffix)}-ema{self._suffix}"))

    def _free(self, path: Path) -> Path:
        number, candidate = 2, path
        while candidate.exists() and self.own.step_of(candidate) < 0:
            candidate = path.with_name(f"{path.name.removesuffix(self._suffix)} {number}{self._suffix}")
            number += 1
        return candidate

    @property
    def _folder(self) -> bool:
        return self.preset.saves_folder

    @property
    def _suffix(self) -> str:
        """Embeddings go into a folder, a file for each word; the method names them."""
        if self._folder or self.preset.method.kind == "embedding":
            return ""
        return ".safetensors"


MOST_TAGGED = 50_000  # images: of more, the tags would be longer than the model, and take long to count


def concept_facts(index: Index) -> list[ConceptStats]:
    """How many images each concept has, and how often each tag stands in their captions, if they are not too many."""
    images = np.bincount(index.concept_numbers, minlength=len(index.concepts)).tolist()
    tags = [Counter[str]() for _ in images]
    for item in index if len(index) <= MOST_TAGGED else ():
        concept = index.concepts[item.concept]
        found = {tag for caption in item.captions for tag in every_tag(caption, concept)}
        tags[item.concept].update(sorted(found))  # a set has another order in each process
    return [
        ConceptStats(count, concept.repeats, own, is_regularization=concept.kind in PRIOR_KINDS)
        for count, concept, own in zip(images, index.concepts, tags, strict=True)
        if count
    ]


def bucket_counts(index: Index) -> tuple[tuple[int, int, int], ...]:
    """Width, height and showings in the first epoch of each bucket that has any."""
    shown = due_of_buckets(index).tolist()
    return tuple(sorted((w, h, n) for (h, w), n in zip(index.buckets, shown, strict=True) if n))


def aspect_error(index: Index) -> float:
    """The mean difference of aspect ratios, width by height, between buckets and the images in them."""
    if not len(index):
        return 0.0
    ratios = np.array([width / height for height, width in index.buckets])
    return float(np.abs(ratios[index.bucket_numbers] - index.widths / index.heights).mean())


def base_hashes(preset: Preset, check: Callable[[], None]) -> dict[str, str]:
    """The hashes of the base model and of a VAE of its own, of those that are single files."""
    found: dict[str, str] = {}
    for name, source in (("sd_model", preset.model.source), ("vae", preset.model.vae)):
        if source and (path := resolve(source)).is_file():
            old, new = model_hashes(path, Path(preset.general.cache), check)
            found |= {f"{name}_hash": old, f"new_{name}_hash": new}
    return found
