"""A problem becomes a sentence: settings by the names of who reads, numbers with their words, problems in problems."""

from __future__ import annotations

import pytest

from modules.messages import Failed, Finding
from modules.sentences.catalogue import CATALOGUE
from modules.sentences.numbers import plural, significant
from modules.sentences.problem import Problem, problem
from modules.sentences.render import PLAIN, Renderer, fix
from modules.wire import decode, encode


def labelled(path: str) -> str:
    return f"<{path.rpartition('.')[2]}>"


def test_a_sentence_names_settings_as_its_reader_does() -> None:
    wrong = problem("rules.fp16-and-bf16", "model.dtype", "training.weights")
    assert PLAIN.sentence(wrong).startswith("model.dtype fp16 and training.weights bf16")
    assert Renderer(labelled).sentence(wrong).startswith("<dtype> fp16 and <weights> bf16")


def test_a_setting_in_a_list_and_its_neighbour_have_their_places() -> None:
    wrong = problem("rules.flips", "concepts.3.flip_always", "concepts.3.flip")
    assert PLAIN.what(wrong) == "concepts.3.flip_always mirrors every image, and concepts.3.flip every other."


def test_a_line_begins_with_its_setting_only_where_the_sentence_names_none() -> None:
    wrong = problem("value.int", "training.steps", value='"many"')
    assert PLAIN.line(wrong) == 'training.steps: "many" is not a whole number.'
    assert PLAIN.sentence(wrong) == '"many" is not a whole number.'
    flips = problem("rules.flips", "concepts.0.flip_always")
    assert PLAIN.line(flips) == PLAIN.sentence(flips)


def test_a_template_is_translated_before_it_is_filled_in() -> None:
    asked: list[str] = []

    def french(template: str) -> str:
        asked.append(template)
        return "{value} n'est pas un nombre entier."

    wrong = problem("value.int", "training.steps", value="3.5")
    assert Renderer(translate=french).sentence(wrong) == "3.5 n'est pas un nombre entier."
    assert asked == ["{value} is not a whole number."]


def test_a_reader_can_need_other_words_for_a_row() -> None:
    window = Renderer(labelled, instead={"preset.no-concepts": ("No images.", "Add a concept.")})
    assert window.sentence(Problem("preset.no-concepts", "concepts")) == "No images. Add a concept."
    assert "--concept FOLDER" in PLAIN.sentence(Problem("preset.no-concepts", "concepts"))


def test_what_a_stranger_wrote_is_safe_to_show() -> None:
    assert PLAIN.what(problem("rules.token-space", token="a\x1b[2J b")).startswith('"a\\x1b[2J b" contains')


def test_problems_stand_in_problems_and_survive_the_wire() -> None:
    reason = problem("arithmetic.unseen.early", epoch=16, steps=1)
    values = {"part": 14, "whole": 16, "share": 14 / 16, "reason": reason}
    train = fix("fix.train-for", {"training.steps": 16}, steps=16)
    finding = Finding("arithmetic.unseen", "warning", "training.steps", values, [train])
    assert finding.text == "An epoch has 16 steps, and the run ends after 1. Train longer, or remove them."
    read = decode(encode(finding))
    assert isinstance(read, Finding)
    assert (PLAIN.what(read.problem), PLAIN.advice(read.problem)) == (finding.title, finding.text)
    assert PLAIN.label(read.fixes[0]) == read.fixes[0].label == "Train for 16 steps"


def test_a_failure_carries_its_problems_and_one_of_an_older_version_its_message() -> None:
    failed = decode(encode(Failed("x", problems=[problem("value.int", "training.steps", value="3.5")])))
    assert isinstance(failed, Failed)
    assert failed.problems == [Problem("value.int", "training.steps", {"value": "3.5"})]
    old = '{"kind": "Failed", "message": "Full.", "details": "", "mends": [{"label": "Less", "changes": {}}]}'
    read = decode(old)
    assert isinstance(read, Failed)
    assert (read.message, read.problems, PLAIN.label(read.fixes[0])) == ("Full.", [], "Less")


@pytest.mark.parametrize(
    ("number", "forms", "text"),
    [
        (1, "# image|# images", "1 image"),
        (0, "# image|# images", "0 images"),
        (2000, "# image is|# images are", "2,000 images are"),
        (1, "it|them", "it"),
        (2, "it|them", "them"),
    ],
)
def test_one_function_knows_plurals(number: int, forms: str, text: str) -> None:
    assert plural(number, forms) == text


def test_numbers_keep_the_figures_that_matter() -> None:
    assert [significant(number) for number in (1234, 8, 0.3, 0.0123)] == ["1,200", "8", "0.3", "0.012"]


def test_every_row_can_be_parsed_and_names_only_formats_that_there_are() -> None:
    import string

    from modules.sentences.numbers import FORMATS

    known = {"", "setting", "headline", "advice", *FORMATS}
    odd = [
        (code, spec)
        for code, row in CATALOGUE.items()
        for template in row
        for _, name, spec, _ in string.Formatter().parse(template)
        if name and spec not in known and "|" not in spec and not set(spec) & set(",.gf")
    ]
    assert odd == []


def test_both_numbers_of_a_share_are_written_alike() -> None:
    shares = [template for row in CATALOGUE.values() for template in row if "of {whole:" in template]
    assert len(shares) > 10
    assert not [template for template in shares if "{part} of" in template]


def test_tables_share_no_code() -> None:
    from modules.sentences.catalogue import TABLES

    assert len(CATALOGUE) == sum(len(table.SENTENCES) for table in TABLES)
