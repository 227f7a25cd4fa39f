from app.gui.draft.draft import Draft
from app.gui.draft.labels import breadcrumb, number_text
from app.gui.draft.preset_diff import differences
from app.gui.draft.preset_library import Library, change_of
from app.gui.draft.problem_labels import WORDS
from modules.preset.files import store
from modules.sentences.problem import as_it_is, problem
from modules.system.bundled import ROOT

LIBRARY = Library()


def draft() -> Draft:
    return Draft(store.read(ROOT / "presets" / "Starter" / "Robot LoRA.json"), "Robot LoRA")


def test_nothing_differs_from_itself() -> None:
    assert differences(draft().values, draft().values) == []


def test_a_difference_is_said_as_the_form_shows_it() -> None:
    before, after = draft(), draft()
    after.put("training.gradient_checkpointing", "all")
    after.put("training.batch_size", 1)
    found = {each.path: (each.label, each.old, each.new) for each in differences(before.values, after.values)}
    assert found == {
        "training.gradient_checkpointing": ("Training \u203a Gradient checkpointing", "automatic", "all"),
        "training.batch_size": ("Training \u203a Batch size", "4 images", "1 image"),
    }


def test_lists_are_told_by_the_names_of_their_entries() -> None:
    before, after = draft(), draft()
    after.put("concepts.0.path", "/my/cat")
    after.add("concepts", {"path": "/x", "name": "dogs"})
    after.remove("sampling.prompts", 1, 2, 3)
    (concepts, prompts) = differences(before.values, after.values)
    assert (concepts.old, concepts.new) == ("1 concept: starter:robot", "2 concepts: /my/cat, dogs")
    assert prompts.new == "1 prompt: blip robot"


def test_settings_that_no_side_shows_do_not_differ() -> None:
    before, after = draft(), draft()
    after.put("training.ema", True)
    after.put("training.ema_decay", 0.5)
    after.put("training.ema", False)
    assert differences(before.values, after.values) == []


def test_loading_changes_exactly_what_was_announced() -> None:
    now = draft()
    for entry in LIBRARY.entries():
        before = now.values
        announced = change_of(now, entry)
        now.load(entry.name, entry.preset or store.read(entry.path))
        assert announced == differences(before, now.values)
        assert change_of(now, entry) == []
        now.undo()


def test_places_are_named_as_a_person_finds_them() -> None:
    values = draft().values
    assert breadcrumb("concepts.1.flip", values) == "Concepts \u203a concept 2 \u203a Random flip"
    assert breadcrumb("training.text_encoder_1.train", values) == "Training \u203a Text encoder 1 \u203a Train"
    assert breadcrumb("optimizer.kind", values) == "Optimizer"


def test_a_problem_names_settings_as_a_person_finds_them() -> None:
    wrong = problem("rules.flips", "concepts.1.flip_always", "concepts.1.flip")
    assert "and “Concepts \u203a concept 2 \u203a Random flip” every other." in WORDS.sentence(wrong)
    assert "training.steps" in WORDS.sentence(as_it_is("a file called training.steps"))


def test_numbers_are_written_plainly() -> None:
    assert [number_text(x) for x in (1e-4, 0.5, 7.0, 1e-8, 0.0, -0.8)] == ["0.0001", "0.5", "7", "1e-8", "0", "-0.8"]
