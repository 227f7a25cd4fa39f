"""Where the prompts of a grid come from: the run's own, captions of its images, what the base knows, a file."""

from __future__ import annotations

from pathlib import Path

from modules.data.scan.scan import scan
from modules.data.text.captions import undrawn_caption
from modules.errors import UserError
from modules.preset.files.prompt_file import read_prompts
from modules.preset.preset import Preset
from modules.system.seeds import seed_of

EMPTY = "@empty"
USUAL = ("@samples 3", "@known 3", EMPTY)


def sample_prompts(preset: Preset, count: int | None = None) -> list[str]:
    """The run's own sample prompts, each once."""
    return list(dict.fromkeys(prompt.prompt for prompt in preset.sampling.prompts if prompt.enabled))[:count]


def known_prompts(preset: Preset, count: int | None = None) -> list[str]:
    """What the base knows: the prompts that forgetting is measured with, or those of its family."""
    return list(preset.known_prompts)[:count]


def dataset_prompts(preset: Preset, count: int = 5, seed: int = 0) -> list[str]:
    """Captions of the run's images as training reads them, at random; the same for the same seed.

    Raises:
        UserError: the images cannot be found.
    """
    cache = Path(preset.general.cache) if preset.general.cache else None
    index = scan(preset, cache=cache, report=lambda _done, _total: None, stop=lambda: False)
    found = {undrawn_caption(item.captions[0], index.concepts[item.concept]) for item in index}
    captions = [caption for caption in found if caption]
    return sorted(captions, key=lambda caption: seed_of(seed, "grid", caption))[:count]


def file_prompts(path: Path) -> list[str]:
    """The prompts of a file in kohya's notation; what it says of sizes and seeds is the grid's to say.

    Raises:
        UserError: it cannot be read.
    """
    return list(dict.fromkeys(str(prompt.get("prompt", "")) for prompt in read_prompts(path.expanduser()).prompts))


def prompts_of(text: str, preset: Preset) -> list[str]:
    """The prompts that a value of an axis stands for: those of a source, or itself.

    Raises:
        UserError: there is no such source, or it gives nothing.
    """
    if not text.startswith("@"):
        return [text]
    word, _, rest = text[1:].strip().partition(" ")
    if word == "usual":
        return [prompt for source in USUAL for prompt in _if_any(source, preset)]
    if word == "empty":
        return [""]
    if word == "file":
        return file_prompts(Path(rest.strip()))
    sources = {"samples": sample_prompts, "known": known_prompts, "dataset": dataset_prompts}
    if word not in sources or not (not rest.strip() or rest.strip().isdecimal()):
        raise UserError("grid.no-source", source=text)
    found = sources[word](preset, int(rest)) if rest.strip() else sources[word](preset)
    if not found:
        raise UserError("grid.empty-source", source=text)
    return found


def _if_any(source: str, preset: Preset) -> list[str]:
    try:
        return prompts_of(source, preset)
    except UserError:  # a run may have no sample prompts
        return []
