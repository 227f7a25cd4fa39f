"""The steps before training that checks and caching share: open the model, look at the images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from modules.data.batches import Feed
from modules.data.index import Index
from modules.data.order import epoch_order
from modules.data.scan import scan
from modules.diffusion.solvers import scheduler_for
from modules.errors import Problems, UserError
from modules.families import Family, LoadOptions, family_class
from modules.messages import Event, Note, Phase
from modules.preset.preset import Preset
from modules.system.bundled import is_bundled, resolve
from modules.system.devices import DTYPES, device_named, use_threads
from modules.trainer.control import Control

Tell = Callable[[Event], None]


def open_family(preset: Preset, tell: Tell) -> Family:
    """Open the base model: configs and tokenizers now, weights when they are needed.

    Raises:
        UserError: it cannot be found or read, or is of another architecture.
    """
    tell(Phase("Opening the model"))
    family = family_class(preset.model.family).load(place_of(preset.model.source), load_options(preset))
    family.memo_folder = Path(preset.general.cache)
    kind = {"epsilon": "the noise (epsilon)", "v_prediction": "the velocity (v)"}[family.noising.prediction]
    zero = ", down to pure noise (zero terminal SNR)" if family.noising.zero_terminal_snr else ""
    tell(Note(f"{preset.card.title}: the model predicts {kind}{zero}."))
    for note in family.notes:
        tell(Note(note, "warning"))
    return family


def load_options(preset: Preset) -> LoadOptions:
    """How the settings want a model to be held.

    Raises:
        UserError: the device is not there.
    """
    use_threads(preset.general.threads)
    model, objective = preset.model, preset.objective
    return LoadOptions(
        device=device_named(preset.general.device),
        dtype=DTYPES[model.dtype],
        vae_dtype=DTYPES[model.vae_dtype],
        vae=place_of(model.vae),
        clip_skip=model.clip_skip,
        max_chunks=model.max_chunks,
        offline=preset.general.offline,
        prediction=objective.prediction,
        zero_terminal_snr=objective.zero_terminal_snr,
    )


def place_of(source: str) -> str:
    """Where a model lies: a bundled one by its path, a file or a hub name as it is."""
    return str(resolve(source)) if is_bundled(source) else source


def with_resolution(preset: Preset, family: Family) -> Preset:
    """The preset with the resolution that the model was made for, where it leaves that open."""
    if preset.training.resolution:
        return preset
    training = preset.training.model_copy(update={"resolution": family.resolution})
    return preset.model_copy(update={"training": training})


def check_samplers(preset: Preset, family: Family) -> None:
    """Find out before training whether the samples can be drawn with this model.

    Raises:
        Problems: with every sampler that cannot.
    """
    problems: list[str] = []
    for name in sorted({prompt.sampler for prompt in preset.sampling.prompts if prompt.enabled}):
        try:
            scheduler_for(name, family.noising)
        except UserError as error:
            problems.append(f"sampling.prompts: {error}")
    if problems:
        raise Problems("The samples cannot be drawn:", problems)


def scan_images(preset: Preset, tell: Tell, control: Control) -> Index:
    """Look at every image and caption of the concepts; bad images are named and left out.

    Raises:
        UserError: a folder is missing or holds nothing to learn from.
    """
    tell(Phase("Looking at the images"))
    index = scan(
        preset,
        memo=Path(preset.general.cache) / "images.arrow",
        report=lambda done, total: tell(Phase("Looking at the images", done, total)),
        stop=control.stop_wanted,
    )
    control.check()
    tell_bad(index, tell)
    for note in index.notes:
        tell(Note(note))
    return index


def check_words(preset: Preset, index: Index) -> None:
    """Find out before training whether the images' captions hold the words that are to be learnt.

    Raises:
        Problems: with every word that no caption holds: it would stay as it began.
    """
    if preset.method.kind != "embedding":
        return
    around = [(concept.prefix, concept.suffix) for concept in index.concepts]
    captions = {text.join(around[item.concept]) for item in index for text in item.captions}
    read = "\n".join(captions).lower()  # CLIP reads without regard to case
    lost = [word.token for word in preset.method.words if word.token.lower() not in read]
    if lost:
        raise Problems(
            "These words could not be learnt, because no caption holds them:",
            [f'{word}: put it into the captions, for example with concepts.0.prefix "{word} ".' for word in lost],
        )


def tell_bad(index: Index, tell: Tell, known: int = 0) -> None:
    """Name each image that is left out, but for the first `known`, which were named before."""
    for bad in index.bad[known:]:
        tell(Note(f"{bad.path} is left out: {bad.reason}.", "warning"))


def repeats_notes(preset: Preset, feed: Feed) -> list[str]:
    """How many showings of an epoch only fill up batches, if there are any."""
    filled = epoch_order(feed.index, preset.training.batch_size, preset.general.seed, 0).filled
    if not filled:
        return []
    return [f"{filled} images an epoch are shown once more, because their bucket does not fill its last batch."]


def note_long_captions(index: Index, family: Family, tell: Tell) -> None:
    """Say how many captions are read in several chunks, and how many are cut."""
    room = {name: family.room(name) for name in family.text_encoders}
    most = family.options.max_chunks
    captions = {caption for row in range(len(index)) for caption in index[row].captions}
    counts = [family.token_counts(caption) for caption in captions]
    long = sum(any(tokens > room[name] for name, tokens in count.items()) for count in counts)
    cut = sum(any(tokens > room[name] * most for name, tokens in count.items()) for count in counts)
    if long:
        tell(Note(f"{long} of {len(counts)} captions exceed {min(room.values())} tokens and are read in chunks."))
    if cut:
        tell(Note(f"{cut} captions are longer than {most} chunks and are cut. Raise model.max_chunks.", "warning"))
