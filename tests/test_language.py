"""A locale is a table in a file; what it leaves out stays English, and what does not fit is not taken."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.language import PLURALS, Locale, LocaleError, cached, load, plural, tr, translated, use


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    use(None)


def written(folder: Path, **data: Any) -> Path:
    path = folder / "language.json"
    path.write_text(json.dumps({"language": "Deutsch", "plurals": "one", "sentences": {}, **data}), encoding="utf-8")
    return path


def test_a_file_of_templates_changes_what_is_said_and_what_it_leaves_out_stays_english(tmp_path: Path) -> None:
    sentences = {"Load {name}?": "{name} laden?", "{count:,} images": ["{count:,} Bild", "{count:,} Bilder"]}
    use(load(written(tmp_path, sentences=sentences)))
    assert tr("Load {name}?", name="Robot") == "Robot laden?"
    assert [plural(n, "1 image", "{count:,} images") for n in (1, 1234)] == ["1 Bild", "1,234 Bilder"]
    assert tr("Undo") == "Undo" and translated("Load {name}?") == "{name} laden?"
    use(None)
    assert tr("Load {name}?", name="Robot") == "Load Robot?"


def test_english_has_one_and_many() -> None:
    assert [plural(n, "1 step", "{count:,} steps") for n in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]


def test_braces_in_a_sentence_without_values_are_only_braces() -> None:
    assert tr("It begins with { and ends with }.") == "It begins with { and ends with }."


@pytest.mark.parametrize(
    ("rule", "forms"),
    [
        ("none", {0: [0, 1, 2, 5]}),
        ("one", {0: [1], 1: [0, 2, 11, 21]}),
        ("up to one", {0: [0, 1], 1: [2, 21]}),
        ("russian", {0: [1, 21, 101], 1: [2, 4, 22], 2: [0, 5, 11, 12, 14, 111]}),
        ("polish", {0: [1], 1: [2, 4, 22], 2: [0, 5, 12, 21, 101]}),
    ],
)
def test_each_rule_gives_the_form_that_its_languages_use(rule: str, forms: dict[int, list[int]]) -> None:
    assert {form: [n for n in numbers if PLURALS[rule](n) == form] for form, numbers in forms.items()} == forms


@pytest.mark.parametrize(
    "sentences",
    [
        {"Load {name}?": "{title} laden?"},
        {"{count:,} images": ["{count} Bilder", "{count:,} Bilder"]},
        {"{count:,} images": ["{count:,} Bilder"]},
        {"Undo": "{0.__class__}"},
    ],
    ids=["another value", "another format", "too few forms", "a value where there is none"],
)
def test_a_translation_that_does_not_fit_its_template_is_not_taken(tmp_path: Path, sentences: dict[str, Any]) -> None:
    with pytest.raises(LocaleError, match="does not fit"):
        load(written(tmp_path, sentences=sentences))


@pytest.mark.parametrize("text", ["", "[]", '{"language": "x"}', '{"language": "x", "plurals": "?", "sentences": {}}'])
def test_a_file_that_is_no_locale_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "language.json").write_text(text)
    with pytest.raises(LocaleError, match="not a language file"):
        load(tmp_path / "language.json")


def test_a_locale_need_not_be_a_file() -> None:
    use(Locale("loud", {"Undo": "UNDO"}))
    assert tr("Undo") == "UNDO"


def test_what_is_kept_of_one_language_is_not_said_in_another() -> None:
    made: list[str] = []

    @cached
    def title(name: str) -> str:
        made.append(name)
        return tr("Start training") + name

    assert (title("!"), title("!"), made) == ("Start training!", "Start training!", ["!"])
    use(Locale("Deutsch", {"Start training": "Training starten"}))
    try:
        assert title("!") == "Training starten!"
    finally:
        use(None)
    assert (title("!"), made) == ("Start training!", ["!", "!"])
