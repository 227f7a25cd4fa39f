"""Problems and findings in the words of the window: settings by page and label, and ways out that one can click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app.gui.draft.labels import breadcrumb, value_text
from modules.language import tr, translated
from modules.messages import Failed, Finding, Note, Paused
from modules.preset.validate import setting_at
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.problem import Problem
from modules.sentences.render import Renderer, text_of
from modules.text import findings_counted

# Rows of the catalogue whose advice is for the command line
INSTEAD: dict[str, tuple[str, str]] = {
    "preset.no-concepts": ("There are no images to train on.", "Add a folder of images on the page Concepts."),
    "preset.no-model": ("No base model is chosen.", "Choose a file or a folder, or write a Hugging Face name."),
    "output.exists": ("{file} exists already.", "Choose another name, or switch “Overwrite existing file” on."),
    "export.exists": ("{file} exists already.", "Choose another folder."),
    "card.taken": (
        "“{run}” is training on this graphics card.",
        "Wait for its end, or let this run begin after it.",
    ),
    "costs.time:unknown": (
        "Nothing like this has been trained on this machine yet: how long it takes is not known.",
        "It shows a few steps after the start.",
    ),
}


def name_of(path: str) -> str:
    """A setting as a person finds it: “Training > Batch size”."""
    return f"“{breadcrumb(path)}”" if setting_at(path) else path


WORDS = Renderer(name_of, translated, INSTEAD)


def _text(problems: Sequence[Problem], told: str) -> str:
    """The problems in these words; as the engine told them, if it is of another version."""
    return text_of(problems, WORDS) if problems and all(each.code in CATALOGUE for each in problems) else told


def failure_text(event: Failed) -> str:
    """Why a job has failed."""
    return _text(event.problems, event.message)


def note_text(event: Note) -> str:
    """What a job tells on its way."""
    return _text(event.problems, event.text)


def pause_text(event: Paused) -> str:
    """Why a run has paused by itself; "" if somebody asked for it."""
    return _text(event.problems, event.reason)


def failure_headline(event: Failed) -> str:
    """The same in one sentence, without advice; of a fault, or of an older version, its first line."""
    return WORDS.headline(event.problems[0]) if event.problems else "".join(event.message.splitlines()[:1])


def finding_title(finding: Finding) -> str:
    """What was found; of an engine that knows more than this window, as it said it."""
    return WORDS.what(finding.problem) if finding.code in CATALOGUE else finding.title


def finding_text(finding: Finding) -> str:
    """Why it matters and what to do."""
    return WORDS.advice(finding.problem) if finding.code in CATALOGUE else finding.text


def lines_by_path(problems: Sequence[Problem]) -> dict[str, str]:
    """For a form: what stands under each setting, a line for each of its problems."""
    found: dict[str, str] = {}
    for problem in problems:
        text = WORDS.sentence(problem)
        found[problem.path] = f"{found[problem.path]}\n{text}" if problem.path in found else text
    return found


# Findings


def counted(counts: Counter[str]) -> str:
    """How it stands, in a line: "2 warnings, 10 notes"."""
    return findings_counted(counts) or tr("No problems found")


def describe_changes(changes: Mapping[str, Any]) -> str:
    """What a mend does, a line for each setting: "Training \u203a Batch size: 2 images"."""
    lines: list[str] = []
    for path, value in changes.items():
        setting = setting_at(path)
        lines.append(f"{breadcrumb(path)}: {value_text(setting, value) if setting else value}")
    return "\n".join(lines)
