"""YAML is data: nothing in it is run, and nothing in it grows without end."""

import pytest

from modules.errors import UserError
from modules.exchange.reading import read_text
from modules.exchange.yaml_file import parse_yaml


def test_numbers_names_and_merges_are_read() -> None:
    text = "a: &x {rate: 1e-4, on: yes, n: 12}\nb:\n  <<: *x\n  n: 13\nc: '1e-4'\nd: ~\ne: [*x, 2024-01-01]\n"
    found = parse_yaml(text, "a file")
    assert found is not None
    assert found["b"] == {"rate": 1e-4, "on": True, "n": 13}
    assert (found["c"], found["d"], found["e"]) == ("1e-4", None, [found["a"], "2024-01-01"])


@pytest.mark.parametrize(
    "text", ["", "a", "- a", "a: [", "a: b: c", "{" * 500, "a: " + "[" * 5000, "%TAG ! x\n", "\x00"]
)
def test_what_is_no_object_is_none(text: str) -> None:
    assert parse_yaml(text, "a file") is None


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(UserError, match="never end"):
        parse_yaml("\n".join(lines), "a file")


def test_one_that_holds_itself_is_refused() -> None:
    with pytest.raises(UserError, match="nested"):
        parse_yaml("a: &a [*a]", "a file")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!mine", "!!binary"])
def test_tags_are_refused_in_words(tag: str) -> None:
    with pytest.raises(UserError, match="no code from a file is ever run"):
        read_text(f"job: extension\nconfig:\n  process: {tag} ['true']\n", "a file")


def test_the_line_of_a_damage_is_named() -> None:
    with pytest.raises(UserError, match="line 3"):
        read_text("job: extension\nconfig:\n  a: b: c\n", "a file")
