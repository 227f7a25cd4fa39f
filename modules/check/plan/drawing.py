"""How a model is held that draws and is not trained: the first way of the ladder for which a card has room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modules.check.memory.findings import is_tiny
from modules.check.memory.memory_tracker import for_a_card
from modules.check.memory.phases import SizeCache, Vae, sample_work
from modules.check.memory.weight_bytes import part_bytes
from modules.check.plan.findings import place_of
from modules.check.plan.held import HeldWeights, held_weights, share_of
from modules.check.plan.ladder import WHOLE, Way, frozen_ladder
from modules.check.plan.numbers import UNPACKED
from modules.check.plan.plan import Place
from modules.families import Family
from modules.messages import note
from modules.plan_text import way_problem
from modules.preset.preset import Preset
from modules.preset.sections.sampling import Prompt
from modules.preset.text.share import Share
from modules.sentences.problem import Problem, problem
from modules.system.devices import CARD_CONTEXT
from modules.trainer.preparation import Tell, load_options, resolved, with_planned, without_plan

PLENTY = 2  # times its weights as they are: a card with that much has room for pictures of any usual size


@dataclass(frozen=True)
class DrawingBytes:
    """What drawing takes of a card."""

    weights: HeldWeights  # of the denoiser
    work: Vae  # drawing and decoding
    vae: int
    texts: int  # of text encoders that stay

    def peak(self, way: Way, offloaded: int, room: int) -> int:
        """With so many blocks in main memory."""
        unpacked = UNPACKED * self.weights.largest if way != WHOLE else 0
        held = CARD_CONTEXT + self.weights.on_card(way.quantization, offloaded) + unpacked + self.texts
        drawing, decoding = self.work.within(room, held + self.vae)
        return held + max(drawing, self.vae + decoding)

    def choices(self, ways: Sequence[Way]) -> Iterator[tuple[Way, int]]:
        """The ways in their order, each with as few blocks in main memory as there are."""
        for way in ways:
            for offloaded in range(1, len(self.weights.blocks) + 1) if way.offloads else (0,):
                yield way, offloaded


def hold_to_draw(
    family: Family, preset: Preset, prompts: Sequence[Prompt], tell: Tell, *, packs: bool = True, texts: bool = False
) -> None:
    """Have an open family load its denoiser so that a card has room to draw these prompts; says how, if not as it is.

    Where nothing fits, that is said before anything is loaded, and the smallest way is tried. What the preset says of
    it stays so. `packs`: False where weights are written over, which packed ones do not allow; `texts`: text encoders
    stay loaded beside it.
    """
    place, preset = place_of(preset), resolved(preset, family)
    if not place.on_card or is_tiny(family) or _has_plenty(family, preset, place):
        return
    sampling = preset.sampling.model_copy(update={"prompts": tuple(prompts)})
    asked = preset.model_copy(update={"sampling": sampling})
    with for_a_card():
        found = _counted(family, asked, texts=texts)
        ways = [way for way in frozen_ladder(asked, on_card=True)[0] if packs or way == WHOLE] or [WHOLE]
        peaks = [(found.peak(*choice, place.room), *choice) for choice in found.choices(ways)]
    peak, way, offloaded = next((one for one in peaks if one[0] <= place.room), min(peaks, key=lambda one: one[0]))
    share = str(Share(share_of(offloaded, len(found.weights.blocks))))
    held = with_planned(preset, {"model.quantization": way.quantization, "model.offload": share})
    family.options = load_options(held, tell)
    if way != WHOLE:
        settings = without_plan(held).model_dump(mode="json")
        how = way_problem({f"model.{name}": settings["model"][name] for name in ("quantization", "offload")})
        tell(note(problem("drawing.held", card=_card(place), how=how)))
    if peak > place.room:
        tell(note(problem("drawing.too-large", card=_card(place), needed=peak, usable=place.usable), level="warning"))


def _card(place: Place) -> Problem:
    return problem("plan.card", name=place.name)


def _has_plenty(family: Family, preset: Preset, place: Place) -> bool:
    sizes = part_bytes(family, without_plan(preset), family.component_names)
    return PLENTY * sum(sizes.values()) <= place.room


def _counted(family: Family, preset: Preset, *, texts: bool) -> DrawingBytes:
    plain = without_plan(preset)
    encoders = part_bytes(family, plain, family.text_encoders, 0) if texts else {}
    return DrawingBytes(
        held_weights(family, plain),
        sample_work(family, plain, SizeCache(family, family.cache_dir)),
        part_bytes(family, plain, ("vae",))["vae"],
        sum(encoders.values()),
    )
