"""Means over prompts with their intervals, near-copies counted, sides told apart; and the file that holds them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest

from modules.errors import UserError
from modules.scores.record import FILE, TABLE, Made, Scored, Scores, read_scores, scores_of, write_scores
from modules.scores.table import CRITICAL, interval, sides_of, table_of, write_table


def scored(step: int, prompt: str, value: float, side: str = "concept") -> Scored:
    return Scored(
        f"{step} {prompt} {value}.png", "", prompt, str(step), step, step, side=side, values={"copies": value}
    )  # type: ignore[arg-type]


SCORES = Scores(
    "run", "/runs/a", "/runs/a", "step", {"copies": Made("dino", "x", "/runs/a", 9, 0.9)},
    (
        scored(20, "a", 0.95), scored(20, "a", 0.85), scored(20, "b", 0.5), scored(20, "car", 0.1, "known"),
        scored(3, "a", 0.9), scored(3, "b", 0.2),
    ),
)  # fmt: skip


def test_prompts_are_counted_and_not_their_images() -> None:
    first, second = table_of(SCORES, "concept")
    assert [(row.label, row.step, row.images) for row in (first, second)] == [("3", 3, 2), ("20", 20, 3)]
    number = second.numbers["copies"]
    assert (number.count, number.prompts, number.copies) == (3, 2, 1)
    assert number.mean == pytest.approx(mean([0.9, 0.5]))
    half = 12.706 * stdev([0.9, 0.5]) / 2**0.5
    assert (number.low, number.high) == pytest.approx((0.7 - half, 0.7 + half))
    assert first.numbers["copies"].copies == 1  # at the threshold
    assert table_of(SCORES)[1].numbers["copies"].prompts == 3
    assert [row.label for row in table_of(SCORES, "known")] == ["20"]
    assert sides_of(SCORES) == ["concept", "known"]


def test_of_one_prompt_the_images_are_counted_and_of_one_image_nothing_is_said() -> None:
    one = replace(SCORES, images=SCORES.images[:2])
    number = table_of(one)[0].numbers["copies"]
    assert number.low == pytest.approx(0.9 - 12.706 * stdev([0.95, 0.85]) / 2**0.5)
    alone = table_of(replace(SCORES, images=SCORES.images[:1]))[0].numbers["copies"]
    assert (alone.low, alone.high, alone.count) == (None, None, 1)


def test_the_interval_has_student_s_t_and_goes_on_without_a_leap() -> None:
    assert CRITICAL[9] == 2.228 and CRITICAL[29] == 2.042
    for pairs, critical in ((15, 2.0452), (16, 2.0395), (200, 1.9659)):  # with 29, 31 and 399 degrees of freedom
        values = [0.0, 1.0] * pairs
        low, high = interval(values) or (0, 0)
        assert (high - low) / 2 == pytest.approx(critical * stdev(values) / len(values) ** 0.5, rel=2e-4)


def test_scores_come_back_as_they_were_written_with_their_paths(tmp_path: Path) -> None:
    write_scores(tmp_path, SCORES)
    found = read_scores(tmp_path)
    assert found and table_of(found, "known") == table_of(SCORES, "known")
    assert scores_of(tmp_path)[tmp_path / "3 b 0.2.png"].values == {"copies": 0.2}
    assert read_scores(tmp_path / "other") is None and scores_of(tmp_path / "other") == {}


@pytest.mark.parametrize("damage", ['{"kind": "run"', '{"kind": "run", "source": 3}', '{"version": 2}'])
def test_a_damaged_file_or_one_of_a_later_version_is_refused(damage: str, tmp_path: Path) -> None:
    write_scores(tmp_path, SCORES)
    held = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**held, "version": 2}) if "version" in damage else damage)
    with pytest.raises(UserError) as refused:
        read_scores(tmp_path)
    assert refused.value.problem.code == "score.not-ours" and scores_of(tmp_path) == {}


def test_the_csv_has_a_line_for_each_row_and_side(tmp_path: Path) -> None:
    write_table(tmp_path, SCORES)
    rows = [*csv.DictReader((tmp_path / TABLE).read_text().splitlines())]
    assert [(row["label"], row["prompts of"], row["copies"]) for row in rows] == [
        ("3", "all", "1"), ("20", "all", "1"), ("3", "concept", "1"), ("20", "concept", "1"), ("20", "known", "0"),
    ]  # fmt: skip
    assert float(rows[3]["mean"]) == pytest.approx(0.7)
