"""The glossary names settings that exist, and other programs' names that the search finds."""

import re

from app.search.search import find
from modules.preset.validate import all_settings
from modules.system.bundled import ROOT

PAGE = (ROOT / "resources/manual/glossary.md").read_text(encoding="utf-8")
# What is no name of a setting: other programs' files and commands.
OTHERS = {"sdxl_train.py", "fine_tune.py"}
ENTRIES = re.findall(r"^\*\*.*?(?=\n\n|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
KNOWN = {setting.path for setting in all_settings()}


def code(text: str) -> list[str]:
    return [name for name in re.findall(r"`([^`]+)`", text) if not name.startswith("./")]


def test_every_word_is_explained_in_a_sentence_or_two() -> None:
    assert len(ENTRIES) > 60
    for entry in ENTRIES:
        assert re.match(r"\*\*[^*]+\*\*[^*]*?(:|\()", entry), entry
        assert len(entry) < 520, entry


def test_settings_that_it_names_exist() -> None:
    sections = {path.partition(".")[0] for path in KNOWN}
    named = {name for entry in ENTRIES for name in code(entry) if name.partition(".")[0] in sections}
    assert named - KNOWN == set()
    assert len(named) > 60


def test_names_of_other_programs_lead_to_the_settings_of_their_entry() -> None:
    for entry in ENTRIES:
        settings = [name for name in code(entry) if name in KNOWN]
        for name in set(code(entry)) - KNOWN - OTHERS:
            found = [hit.setting.path for hit in find(name).hits[:6]]
            assert not settings or set(found) & set(settings), (name, found)
