"""The weights of a grid's cells: one model is open at a time, and what differs from it is laid over it for a while."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from modules.check.plan.drawing import hold_to_draw
from modules.data.cache.store import Cache
from modules.families import Family
from modules.families.parts.adapter_origin import read_for, reservations
from modules.families.parts.building import file_name as file_name_of
from modules.formats.adapter_files import is_adapter
from modules.formats.embedding import read_bundle
from modules.formats.tensors import read_tensors
from modules.grids.cells import Cell, Weights
from modules.messages import Stage, note
from modules.methods import attach
from modules.methods.adapter import Adapter
from modules.methods.textual_inversion import TokenTables, beside, file_name
from modules.placement.holding import Holding
from modules.preset.preset import Preset
from modules.preset.sections.method import ADAPTERS
from modules.preset.sections.sampling import Prompt
from modules.system.weights import open_weights
from modules.tools.opening.models import open_model
from modules.tools.weights.merge import OpenMerge, merge_in, opened_merge
from modules.trainer.backup import read_entry
from modules.trainer.control import Control
from modules.trainer.preparation import Tell, load_options, resolved
from modules.trainer.retention.anchors import Anchors
from modules.trainer.retention.drift import drift_of
from modules.trainer.retention.preparing import base_asked
from modules.trainer.retention.schedule import LONG, SHORT
from modules.trainer.sampling.lora_overlay import with_loras
from modules.trainer.sampling.sampler import Sampler

METHOD, AVERAGE = "method.pt", "ema.pt"  # of a backup
Rows = dict[str, Tensor]  # the vectors of a word, by text encoder
Components = Iterable[tuple[str, Mapping[str, Tensor]]]


@dataclass
class Learnt:
    """What a file or a backup of a run holds: one of an adapter and whole weights, and words beside it."""

    adapter: Path | None = None
    components: Components = ()
    words: dict[str, Rows] = field(default_factory=dict[str, Rows])


class GridModel:
    """An open base model, and whatever of a run is drawn with at the moment.

    Adapters are added to its weights and taken off again, bit for bit. What a full fine-tune or a merge makes of it is
    copied over its weights, part by part; what was there is kept in main memory, to be put back.
    """

    def __init__(
        self, source: str, preset: Preset, prompts: Sequence[Prompt], tell: Tell, control: Control, *, merges: bool
    ) -> None:
        """`merges`: another model is merged with it. Raises a UserError where the model cannot be read.

        For a model for which a card has no room, it is held as the memory plan has it, as far as that can be.
        """
        self.preset, self._tell, self._control = preset, tell, control
        self.family = open_model(source, preset.model.family, load_options(preset, tell))
        packs = not merges and preset.method.kind != "full"  # what is packed cannot be written over
        hold_to_draw(self.family, preset, prompts, tell, packs=packs, texts=True)
        if not packs:
            self.family.options = replace(self.family.options, holding=Holding())
        self._base: dict[tuple[str, str], Tensor] = {}  # by component and name: what was there before
        self._second: Family | None = None
        self._merges: dict[str, OpenMerge] = {}  # by their settings
        self._anchors: Anchors | None = None
        self._words: dict[str, dict[str, nn.Parameter]] = {}  # by token and text encoder
        self._tables: TokenTables | None = None
        self._base_texts: dict[str, Sampler] = {}  # by run: what draws with texts as the base's encoders read them

    def _sampler(self) -> Sampler:
        resolution = resolved(self.preset, self.family).resolution
        sampling, seed = self.preset.sampling, self.preset.general.seed
        return Sampler(self.family, resolution, cache_texts=True, sampling=sampling, seed=seed)

    def ask_base(self) -> None:
        """Keep what the base answers, for `forgotten`. To be called before `read`."""
        preset = resolved(self.preset, self.family)
        extent = SHORT if preset.examine.points == "noise" else LONG
        with closing(Cache(Path(preset.general.cache))) as cache:
            anchors = Anchors(preset, self.family, extent, cache)
            anchors.read()
            self._anchors = base_asked(anchors, self._tell, self._control)

    def forgotten(self) -> float | None:
        """How far the answers of merged weights have moved from the base's; None where there is no measure."""
        anchors = self._anchors
        if anchors is None or anchors.points is None:
            return None
        self._tell(Stage("stage.retention"))
        answers = anchors.ask(anchors.read_now(), self._going_on)
        schedule = self.family.noise_schedule
        return drift_of(anchors.points, answers, anchors.unprompted, anchors.extent.times, schedule).forgotten

    def _going_on(self, done: int, total: int) -> None:
        """Between two pieces of work: somebody may have stopped it."""
        del done, total
        self._control.check()

    def read(self, cells: Sequence[Cell], presets: Mapping[str, Preset]) -> None:
        """Read prompts ahead, and let the text encoders go where nothing that is drawn changes them.

        `presets`: of each run that cells are of.
        """
        kept = False
        for run, self.preset in presets.items():
            own = [cell for cell in cells if cell.weights.run == run]
            self._base_texts[run] = self._sampler()
            self._base_texts[run].read([cell.prompt for cell in own])
            kept = kept or any(map(self._may_change_texts, {cell.weights for cell in own}))
        if not kept:
            self.family.unload(*self.family.text_encoders)

    def _may_change_texts(self, weights: Weights) -> bool:
        own = self.preset.trains_text or self.preset.method.kind == "full"
        of_the_run = Path(weights.run) in Path(weights.file).parents if weights.run else False
        return weights.merges or bool(weights.file and (own or not of_the_run))

    @contextmanager
    def holding(self, weights: Weights, preset: Preset) -> Generator[Sampler]:
        """The model with these weights, and what draws with them. `preset`: of the run.

        Raises:
            UserError: a file cannot be read, or was made for another model.
        """
        self.preset = preset
        with ExitStack() as stack:
            learnt = self._learnt(weights, stack)
            changed = self._write_over(learnt.components, weights)
            self._add_words(learnt.words)
            texts = bool(learnt.words) or not changed.isdisjoint(self.family.text_encoders)
            if learnt.adapter:
                texts = texts or self._adapts_texts(learnt.adapter)
                parts = ("denoiser", *self.family.text_encoders) if texts else ("denoiser",)
                unread = {} if self.preset.sampling.skip_unread else None
                stack.enter_context(with_loras(self.family, ((learnt.adapter, weights.strength),), parts, unread))
                for said in reservations(self.family, learnt.adapter, (unread or {}).get(learnt.adapter)):
                    self._tell(note(said, level="warning"))
            yield self._sampler() if texts else self._base_texts[weights.run]

    # What was learnt
    def _learnt(self, weights: Weights, stack: ExitStack) -> Learnt:
        path = Path(weights.file)
        if not weights.file:
            return Learnt()
        if path.parent.name == "backups":
            return self._of_backup(path, stack, average=weights.average)
        words = self._words_beside(path)
        if self.preset.method.kind == "embedding" and words:
            return Learnt(words=words)
        if path.is_file() and is_adapter(open_weights(path).shapes):
            bundled = read_bundle(read_tensors(path), self.family.embedding_names, path)
            return Learnt(path, words=words or bundled)
        return Learnt(components=self.family.components_in(path), words=words)

    def _words_beside(self, path: Path) -> dict[str, Rows]:
        """The words of the run, from their files."""
        if not self.preset.words:
            return {}
        stem = path.with_name(path.name.removesuffix(".safetensors"))
        alone = self.preset.method.kind == "embedding"
        places = {word.token: (stem if alone else beside(stem)) / file_name(word) for word in self.preset.words}
        if alone and path.is_file():
            places = {self.preset.words[0].token: path}
        return {token: self._token_tables.read(file) for token, file in places.items() if file.is_file()}

    def _of_backup(self, backup: Path, stack: ExitStack, *, average: bool) -> Learnt:
        state = _state(backup / (AVERAGE if average else METHOD))
        tokens = {word.token for word in self.preset.words}
        words: dict[str, Rows] = {}
        components: dict[str, dict[str, Tensor]] = {}
        for label, tensor in state.items():
            first, _, name = label.partition("|")
            (words if first in tokens else components).setdefault(first, {})[name] = tensor
        if self.preset.method.kind in ADAPTERS:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="seachange-grid-")))
            own = {label: tensor for label, tensor in state.items() if label.partition("|")[0] not in tokens}
            return Learnt(self._as_file(own, folder / f"{backup.name}.safetensors"), words=words)
        return Learnt(components=components.items(), words=words)

    def _as_file(self, state: dict[str, Tensor], target: Path) -> Path:
        """What a backup holds of an adapter, as the run would have saved it."""
        model = self.preset.model.model_copy(update={"training_adapters": ()})
        method = attach(self.family, self.preset.model_copy(update={"model": model, "words": ()}))
        assert isinstance(method, Adapter)
        try:
            with method.weights(state, exact=True):
                (path,) = method.export(target, {})
        finally:
            for update in method.updates.values():
                update.detach()
            for component in method.modified_components:
                self.family.component(component).eval().requires_grad_(False)
        return path

    def _adapts_texts(self, adapter: Path) -> bool:
        unread: list[str] = []
        return any(name.partition("|")[0] != "denoiser" for name in read_for(self.family, adapter, unread))

    # Putting it on the model
    @torch.no_grad()
    def _write_over(self, components: Components, weights: Weights) -> set[str]:
        """Give the model these weights, at a strength, merged with the second model; gives the parts that changed.

        What is not among them is as the base has it.
        """
        changed: dict[tuple[str, str], Tensor] = {}
        for component, tensors in components:
            for name, tensor in tensors.items():
                changed |= self._put(component, name, tensor, weights.strength)
        for component, tensors in self._second_model(weights):
            for name, tensor in tensors.items():
                share = 1.0 if weights.merge else weights.ratio
                changed |= self._put(component, name, tensor, share, over=(component, name) in changed)
        for key in self._base.keys() - changed.keys():
            place = _place(self.family, *key)
            assert place is not None  # it was there when it was changed
            place.copy_(self._base.pop(key))
        return {component for component, _ in changed}

    def _put(
        self, component: str, name: str, tensor: Tensor, share: float, *, over: bool = False
    ) -> dict[tuple[str, str], Tensor]:
        """Move one weight from the base's (or `over` what is there now) towards another; nothing if it is the same."""
        place = _place(self.family, component, name)
        if place is None or not place.is_floating_point():
            return {}
        key = (component, name)
        base = self._base.get(key, place)
        start = place if over else base
        wanted = tensor.to(place.device)
        if share != 1:
            wanted = torch.lerp(start.to(place.device, torch.float32), wanted.float(), share)
        wanted = wanted.to(place.dtype)
        if not over and torch.equal(wanted, base.to(place.device)):
            return {}
        kept = self._base.setdefault(key, place.detach().to("cpu", copy=True))
        place.copy_(wanted)
        return {key: kept}

    def _second_model(self, weights: Weights) -> Components:
        if weights.merge:
            self._merges[weights.merge] = merge = self._merges.get(weights.merge) or self._opened_merge(weights.merge)
            return merge.tensors(weights.ratio, self._going_on).items()
        if not weights.second:
            return ()
        self._second = self._second or open_model(weights.second, self.family.name, self.family.options, sure=True)
        return self._merged_tensors(self._second)

    def _opened_merge(self, text: str) -> OpenMerge:
        return opened_merge(merge_in(text), self._tell)

    def _merged_tensors(self, second: Family) -> Components:
        for component in self.family.card.trainable:  # pictures are decoded by the base's own VAE
            module, weights = self.family.component(component), second.weights(component)
            names = {name: file_name_of(name, module) for name in module.state_dict()}
            yield component, {name: weights.read(file) for name, file in names.items() if file in weights.shapes}

    @property
    def _token_tables(self) -> TokenTables:
        self._tables = self._tables or TokenTables(self.family)
        return self._tables

    def _add_words(self, words: dict[str, Rows]) -> None:
        """Let prompts hold these words; one that an earlier step has brought gets the vectors of this one."""
        for token, rows in words.items():
            known = self._words.get(token)
            if known is None:
                device = self.family.options.device
                own = {encoder: tensor.to(device, torch.float32) for encoder, tensor in rows.items()}
                self._words[token] = self._token_tables.add(token, own)
                continue
            for encoder, tensor in rows.items():
                known[encoder].data.copy_(tensor)


def _state(file: Path) -> dict[str, Tensor]:
    return read_entry(file, "cpu")


def _place(family: Family, component: str, name: str) -> Tensor | None:
    """A weight of the model where it is computed with; None for what it does not hold."""
    module = family.component(component)
    path, _, last = name.rpartition(".")
    try:
        return getattr(module.get_submodule(path), last)
    except AttributeError:
        return None
