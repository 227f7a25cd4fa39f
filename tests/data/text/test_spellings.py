import pytest

from modules.data.text.spellings import written_in_several_ways


@pytest.mark.parametrize(
    "ways",
    [
        ("long hair", "long_hair"), ("blonde hair", "blond hair"), ("1girl", "1 girl"), ("one eye", "one-eyed"),
        ("blue eyes", "blue-eyed"), ("Grey-haired", "gray hair"), ("t-shirt", "tshirt"), ("Red Hat", "red hat"),
    ],
)  # fmt: skip
def test_one_tag_in_two_ways_is_found_and_the_frequent_way_is_first(ways: tuple[str, str]) -> None:
    first, second = ways
    assert written_in_several_ways({second: 2, "robot": 9, first: 7}) == [[first, second]]


@pytest.mark.parametrize(
    "tags",
    [
        ("red hat", "red cat"), ("glass", "glasses"), ("closed eye", "closed eyes"), ("^_^", "^^"), ("red", "tired"),
        ("smile", "smiling"), ("hair", "haired"), ("2girls", "1girl"), ("v", "-v-"), ("bare arms", "bear arms"),
        ("winged", "wing"), ("colored pencil", "pencil"),
    ],
)  # fmt: skip
def test_tags_that_are_only_alike_raise_no_alarm(tags: tuple[str, str]) -> None:
    assert written_in_several_ways(dict.fromkeys(tags, 3)) == []


def test_all_ways_of_a_tag_are_one_group_and_what_is_used_most_comes_first() -> None:
    counts = {"one-eyed": 2, "one eye": 7, "One_Eyed": 1, "long_hair": 20, "long hair": 30}
    assert written_in_several_ways(counts) == [["long hair", "long_hair"], ["one eye", "one-eyed", "One_Eyed"]]
