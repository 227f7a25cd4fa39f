from __future__ import annotations

import random

from modules.system.sorting import natural_key, natural_order

PARTS = ["a", "B", "1", "01", "10", "2", "/", "_", ".", "-", "é", "e\u0301", "ß", "ss", "0", "9" * 25, "~", " "]


def test_many_names_are_ordered_as_one_by_one() -> None:
    draw = random.Random(1)
    for rare in ("", "\n", "\1"):
        for _ in range(200):
            names = {"".join(draw.choices([*PARTS, rare], k=draw.randint(1, 6))).strip("/") for _ in range(30)}
            paths = draw.sample(sorted(names), len(names))
            assert [paths[place] for place in natural_order(paths)] == sorted(paths, key=natural_key)
    assert natural_order([]) == []
