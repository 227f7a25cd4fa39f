"""Everything wrong is said at once, in words."""

from typing import Any

import pytest

from modules.errors import Problems
from modules.preset.validate import all_settings, closest_path, examine, preset_of
from modules.sentences.render import PLAIN


def sentences(**values: Any) -> list[str]:
    return [PLAIN.line(problem) for problem in examine({"version": 6, **values})[1].values()]


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(Problems) as caught:
        preset_of({"version": 6, "training": {"lr": 1, "batch_size": 0}, "method": {"kind": "full", "rank": 4}})
    assert {problem.path for problem in caught.value.problems} == {"training.batch_size", "training.lr", "method.rank"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"training": {"learning_rate": "fast"}}, 'training.learning_rate: "fast" is not a number.'),
        ({"training": {"batch_size": True}}, "training.batch_size: true is not a whole number."),
        ({"training": {"steps": 1.5}}, "training.steps: 1.5 is not a whole number."),
        ({"training": {"ema": "yes"}}, 'training.ema: "yes" must be true or false.'),
        ({"general": {"name": 7}}, "general.name: 7 must be text in quotes."),
        ({"training": 5}, "training: 5 must be a group of settings, in braces."),
        ({"sampling": {"prompts": {}}}, "sampling.prompts: {} must be a list, in square brackets."),
        (
            {"training": {"batch_size": 5000}},
            "training.batch_size: 5000 is out of range: it must be at least 1, at most 4096 images.",
        ),
        (
            {"model": {"dtype": "bf61"}},
            'model.dtype: "bf61" is none of "auto", "fp32", "bf16", "fp16". Did you mean "bf16"?',
        ),
        (
            {"backup": {"every": "5 fortnights"}},
            'backup.every: "5 fortnights" must be a number with a unit, such as "50 steps", "1 epoch", "10 minutes", '
            'or "never".',
        ),
        (
            {"training": {"gradient_checkpointing": True}},
            'training.gradient_checkpointing: true must be "auto", "none", "all" or a share such as "25 %".',
        ),
        ({"general": {"name": "x" * 101}}, f'general.name: "{"x" * 56}... is too long: at most 100 characters.'),
        ({"words": [{}] * 101}, f"words: [{'{}, ' * 14}... has too many entries: at most 100."),
        ({"concepts": [{}, 3]}, "concepts.1: 3 must be a group of settings, in braces."),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(values: dict[str, Any], said: str) -> None:
    assert sentences(**values) == [said]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("training.epocs", "training.epochs"),
        ("training.lr", "training.learning_rate"),
        ("learning_rate", "training.learning_rate"),
        ("concepts.3.pth", "concepts.0.path"),
        ("completely.different.thing", ""),
    ],
)
def test_an_unknown_key_gets_the_nearest_known_name(path: str, known: str) -> None:
    assert closest_path(path) == known


def test_a_method_without_a_kind_is_the_default_one() -> None:
    preset = preset_of({"version": 6, "method": {"rank": 4}})
    assert (preset.method.kind, preset.method.rank) == ("lora", 4)


def test_a_wrong_kind_lists_the_kinds() -> None:
    said = 'method.kind: "glora" is none of "full", "lora", "loha", "lokr", "oft", "embedding".'
    assert sentences(method={"kind": "glora"}) == [said]


def test_a_setting_of_another_kind_says_to_which_it_belongs() -> None:
    said = (
        'method.rank: This belongs to method.kind "lora", "loha", "lokr", and here that is "full". Leave it out, or '
        "change method.kind."
    )
    assert sentences(method={"kind": "full", "rank": 4}) == [said]


def test_wrong_values_stand_at_their_defaults_and_the_others_stay() -> None:
    preset, _ = examine({"version": 6, "training": {"batch_size": "many", "steps": 7}, "concepts": [{"x": 1}, {}]})
    assert (preset.training.batch_size, preset.training.steps, len(preset.concepts)) == (2, 7, 2)


def test_of_many_wrong_entries_each_keeps_its_number() -> None:
    found = examine({"version": 6, "concepts": [{}, 1, {}, *[2] * 8, {"repeats": 0}]})[1]
    assert list(found) == [*(f"concepts.{n}" for n in (1, *range(3, 11))), "concepts.11.repeats"]


def test_every_setting_has_a_help_text_and_a_label() -> None:
    assert [setting.path for setting in all_settings() if not setting.help or not setting.label] == []
