"""What would keep a run from starting, each found by itself: what can be opened is opened, the rest is a finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from modules.check.subject import Subject
from modules.diffusion.solvers import scheduler_for
from modules.errors import Problems, UserError
from modules.families import Family
from modules.messages import Event, Finding, Mend, Phase
from modules.methods import check_layers, check_start_file
from modules.methods.inversion import known_words, word_problems
from modules.preset.preset import Preset
from modules.preset.problems import knob_at
from modules.system.bundled import resolve
from modules.system.devices import device_named
from modules.trainer.control import Control
from modules.trainer.outputs import Outputs
from modules.trainer.preparation import check_samplers, lost_words, open_family, scan_images, with_resolution

Tell = Callable[[Event], None]
T = TypeVar("T")
NAMED = 20


def opened(preset: Preset, tell: Tell, control: Control) -> Subject:
    """Everything that can be opened without weights, as far as it can be; what cannot is told as a finding."""

    def progress(event: Event) -> None:
        """What a run would note while it opens things, the rooms find themselves, and say more of it."""
        if isinstance(event, Phase):
            tell(event)

    attempt(tell, "output.taken", "output.path", Outputs(preset).refuse_taken)
    family = None
    if _device_is_there(preset, tell):
        family = attempt(tell, "model.cannot-open", "model.source", lambda: open_family(preset, progress))
    if family is not None:
        preset = with_resolution(preset, family)
        _judge_model(preset, family, tell)
    index = attempt(
        tell, "images.cannot-read", _first_lost_folder(preset), lambda: scan_images(preset, progress, control)
    )
    subject = Subject(preset, family, index, tell, control)
    _judge_words(subject)
    return subject


def attempt(tell: Tell, name: str, setting: str, work: Callable[[], T], mends: list[Mend] | None = None) -> T | None:
    """What `work` gives; None where the user must mend something first, which is told as a finding."""
    try:
        return work()
    except UserError as error:
        tell(finding_of(error, name, setting, mends or []))
        return None


def finding_of(error: UserError, name: str, setting: str, mends: list[Mend]) -> Finding:
    """An error that would end a run before it begins, as a finding of the check."""
    title, _, rest = str(error.args[0]).partition("\n")
    items: list[str] = []
    if isinstance(error, Problems):
        items, rest = list(error.problems[:NAMED]), ""
        if len(error.problems) == 1:
            title, items = error.problems[0], []
    mends = [*mends, *(Mend(**mend) for mend in error.mends)]
    return Finding(name, "stop", title.removesuffix(":"), f"{rest} {error.advice}".strip(), setting, mends, items=items)


def settings_findings(problems: tuple[str, ...]) -> list[Finding]:
    """Settings that no run could begin with, one finding each."""
    found: list[Finding] = []
    for problem in problems:
        title, stop, rest = problem.partition(". ")
        path = problem.partition(":")[0]
        setting = path if knob_at(path) else problem.split()[0].rstrip(":")
        found.append(Finding("settings", "stop", title + stop.strip(), rest, setting if knob_at(setting) else ""))
    return found


# The model ------------------------------------------------------------------------------------------------------------


def _device_is_there(preset: Preset, tell: Tell) -> bool:
    mend = Mend("Take what this machine has", {"general.device": "auto"})
    found = attempt(
        tell, "device.missing", "general.device", lambda: device_named(preset.general.device), [mend]
    )  # fmt: skip
    return found is not None


def _judge_model(preset: Preset, family: Family, tell: Tell) -> None:
    for note in family.notes:
        tell(Finding("model.guessed", "know", note, setting="objective.prediction"))
    able = _able_sampler(family)
    changes: dict[str, Any] = {
        f"sampling.prompts.{n}.{name}": value
        for n, prompt in enumerate(preset.sampling.prompts)
        if prompt.enabled and not _draws(prompt.sampler, family, prompt.spacing)
        for name, value in {"sampler": able, "spacing": "default"}.items()
    }
    mends = [Mend(f"Draw with {able}", changes)] if able else []
    attempt(tell, "samples.cannot-draw", "sampling.prompts", lambda: check_samplers(preset, family), mends)
    if preset.method.kind != "embedding":
        mends = [Mend("Take the usual layers", {"method.layers": type(preset.method).model_fields["layers"].default})]
        attempt(tell, "layers.none", "method.layers", lambda: check_layers(family, preset), mends)
    attempt(tell, "start.cannot-use", "method.start_from", lambda: check_start_file(family, preset))


def _draws(sampler: str, family: Family, spacing: str = "default") -> bool:
    try:
        scheduler_for(sampler, family.noising, spacing)
    except UserError:
        return False
    return True


def _able_sampler(family: Family) -> str:
    return next((name for name in ("euler", "ddim") if _draws(name, family)), "")


# Images and words -----------------------------------------------------------------------------------------------------


def _first_lost_folder(preset: Preset) -> str:
    """The setting that a failed look at the images is most likely about."""
    for number, concept in enumerate(preset.concepts):
        if concept.enabled and not resolve(concept.path).is_dir():
            return f"concepts.{number}.path"
    return "concepts"


def _judge_words(subject: Subject) -> None:
    """New words that could not be learnt: wrongly spelt, known to the model, or in no caption."""
    preset, tell = subject.preset, subject.tell
    for problem in word_problems(preset.words):
        tell(Finding("words.spelling", "stop", problem, setting="words"))
    known = known_words(subject.family, preset.words) if subject.family else []
    for number, word in enumerate(preset.words):
        if word in known:
            tell(_known(number, word.token))
    for word in lost_words(preset, subject.index) if subject.index else []:
        prefixes = {
            f"concepts.{n}.prefix": f"{word} {concept.prefix}"
            for n, concept in enumerate(preset.concepts)
            if concept.enabled
        }
        title = f"No caption holds the word {word}: it could not be learnt."
        text = "Put it into the captions, or in front of all of them."
        mend = Mend(f"Put {word} before every caption", prefixes)
        tell(Finding("words.lost", "stop", title, text, "concepts.0.prefix", [mend]))


def _known(number: int, token: str) -> Finding:
    other = f"<{token.strip('<>')}-1>"
    title = f'The model knows the word "{token}" already.'
    text = f"Choose a word that does not exist, such as {other}, and write it into the captions."
    return Finding("words.known", "stop", title, text, f"words.{number}.token")
