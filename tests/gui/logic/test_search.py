from app.gui.shell.search import search
from modules.preset.validate import all_settings


def first(query: str) -> str:
    return search(query)[0].setting.path


def test_the_label_itself_comes_first() -> None:
    assert first("learning rate") == "training.learning_rate"
    assert first("seed") == "general.seed"
    assert first("Batch") == "training.batch_size"


def test_a_choice_leads_to_the_setting_that_offers_it() -> None:
    assert first("prodigy") == "optimizer.kind"


def test_every_word_must_be_found_somewhere() -> None:
    assert search("learning bananas") == []
    assert first("text encoder rate") in {f"training.text_encoder_{n}.learning_rate" for n in (1, 2)}


def test_words_of_the_help_are_found_last() -> None:
    paths = [hit.setting.path for hit in search("snr")]
    assert paths.index("objective.min_snr_gamma") < paths.index("objective.weighting")


def test_every_setting_is_found_by_its_label_and_none_twice() -> None:
    for setting in all_settings():
        found = [hit.setting.path for hit in search(setting.label, at_most=200)]
        assert setting.path in found, setting.path
        assert len(found) == len(set(found))


def test_an_empty_query_finds_nothing() -> None:
    assert search("  ") == []
