"""From a problem to its sentence: the only place where templates and values meet.

A template of the catalogue is a `str.format` string. Beside the problem's values by name it may hold

* settings: `{training.weights}` by its path, `{path}` the problem's own, `{.flip}` its neighbour in the same section.
  Who renders says what they are called: a path for `--set`, "Training > Weights" in the window;
* numbers in words: `{count:# image|# images}`, `{share:percent}`, see numbers.py;
* other problems, each a part of the sentence: `{reason}`.

A translation is another template for the same row, chosen by `translate` before anything is filled in.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from modules.sentences.catalogue import CATALOGUE
from modules.sentences.numbers import FORMATS, plural
from modules.sentences.printable import printable
from modules.sentences.problem import Fix, Problem

MAX_LISTED = 50  # problems that are written out; more would only push the first ones off the screen
NameOf = Callable[[str], str]
Translate = Callable[[str], str]


def as_path(path: str) -> str:
    """A setting as the command line calls it."""
    return path


def as_written(template: str) -> str:
    """The template of the catalogue itself: English."""
    return template


class Renderer:
    """Makes sentences with one set of names: `name_of` for settings, `translate` for templates.

    Args:
        instead: rows that this reader needs in other words, because he acts in another way: `--concept FOLDER`.
    """

    def __init__(
        self,
        name_of: NameOf = as_path,
        translate: Translate = as_written,
        instead: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self.name_of, self._translate, self._instead = name_of, translate, instead or {}

    def sentence(self, problem: Problem) -> str:
        """What is wrong, and what to do about it."""
        advice = self.advice(problem)
        return f"{self.what(problem)} {advice}" if advice else self.what(problem)

    def line(self, problem: Problem) -> str:
        """A sentence for a list: it begins with the setting that it is about, unless it names one anyway."""
        return f"{self.headline(problem)} {self.advice(problem)}".rstrip(" ")

    def _is_nameless(self, problem: Problem) -> bool:
        """Whether it is about a setting that its sentence does not name."""
        fields = _fields(self._row(problem.code)[0])
        return bool(problem.path) and not any(_is_setting(name) or name == "problem" for name in fields)

    def what(self, problem: Problem) -> str:
        """What is wrong: one sentence."""
        return self._filled(self._row(problem.code)[0], problem)

    def headline(self, problem: Problem) -> str:
        """What is wrong, behind the name of its setting, unless the sentence names one anyway."""
        what = self.what(problem)
        return f"{printable(self.name_of(problem.path), line=True)}: {what}" if self._is_nameless(problem) else what

    def advice(self, problem: Problem) -> str:
        """Why it matters, and what to do; "" where there is nothing to say."""
        return self._filled(self._row(problem.code)[1], problem)

    def label(self, fix: Fix) -> str:
        """What a fix does, in a few words."""
        return self.what(Problem(fix.code, values=fix.values)) if fix.code in CATALOGUE else fix.label

    def words(self, label: str | Problem) -> str:
        """What stands in a list or beside a bar: a row in words, data as it is."""
        return label if isinstance(label, str) else self.what(label)

    def text(self, template: str) -> str:
        """A sentence that names nothing but settings."""
        return self._filled(template, Problem(""))

    def _row(self, code: str) -> tuple[str, str]:
        return self._instead.get(code) or CATALOGUE[code]

    def _filled(self, template: str, problem: Problem) -> str:
        return _Filling(self, problem).format(self._translate(template)) if template else ""


class _Filling(string.Formatter):
    """Fills a template in."""

    def __init__(self, words: Renderer, problem: Problem) -> None:
        self._words, self._problem = words, problem

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        """A value, or the name of a setting."""
        section = self._problem.path.rpartition(".")[0]
        field_name = field_name.lstrip(string.digits)  # from Python 3.14 on, "{.sampler}" comes as "0.sampler"
        if not _is_setting(field_name):
            return self._problem.values[field_name], field_name
        path = self._problem.path if field_name == "path" else field_name
        return self._words.name_of(f"{section}{path}".lstrip(".") if path.startswith(".") else path), field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """A value in words; what a stranger wrote is made safe to show."""
        if (inner := problems_in(value)) is not None:
            part = {"headline": self._words.headline, "advice": self._words.advice}.get(format_spec)
            value = [(part or self._words.sentence)(problem) for problem in inner]
            format_spec = "words" if part or not format_spec else format_spec
        if format_spec == "setting":
            return self._words.name_of(str(value))
        if "|" in format_spec:
            return plural(value, format_spec)
        return printable(FORMATS[format_spec](value) if format_spec in FORMATS else format(value, format_spec))


def _fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name]


def _is_setting(field_name: str) -> bool:
    return "." in field_name or field_name == "path"


def problems_in(value: Any) -> list[Problem] | None:
    """Problems as they are, or as a line of JSON holds them; None where a value is something else."""
    if isinstance(value, Problem):
        return [value]
    if isinstance(value, dict) and "code" in value:
        return [Problem(**cast("dict[str, Any]", value))]
    if isinstance(value, list | tuple):
        each = [problems_in(entry) for entry in cast("list[Any]", value)]
        return None if None in each else [problem for some in each for problem in some or ()]
    return None


def text_of(report: Sequence[Problem], words: Renderer) -> str:
    """One problem as its sentences; several as a title and a list, one line each."""
    what, *problems = report
    if not problems:
        return words.line(what)
    lines = [words.line(each) for each in problems[:MAX_LISTED]]
    if len(problems) > MAX_LISTED:
        lines.append(words.what(Problem("and-more", values={"count": len(problems) - MAX_LISTED})))
    return "\n".join([f"{words.what(what)}:", *(f"- {line}" for line in lines)])


PLAIN = Renderer()  # the sentences of the command line, of logs, and of whoever has no names of his own


def fix(code: str, changes: Mapping[str, Any], files: Mapping[str, str] | None = None, **values: Any) -> Fix:
    """Settings or files that would help, with the label of this row."""
    return Fix(PLAIN.what(Problem(code, values=values)), dict(changes), code, values, dict(files or {}))
