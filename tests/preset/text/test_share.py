"""A share of a model's blocks, as it is typed."""

from __future__ import annotations

import pytest

from modules.errors import BadValue
from modules.preset.text.share import Share


@pytest.mark.parametrize(
    ("typed", "amount", "written"),
    [
        ("none", 0.0, "none"),
        (" ALL ", 1.0, "all"),
        ("25%", 0.25, "25 %"),
        ("33.3 %", 0.333, "33.3 %"),
        ("0 %", 0.0, "none"),
        ("100 %", 1.0, "all"),
        ("auto", 0.0, "auto"),
    ],
)
def test_a_share_is_read_and_written(typed: str, amount: float, written: str) -> None:
    found = Share.parse(typed)
    assert (found.amount, str(found)) == (pytest.approx(amount), written)
    assert Share.parse(written) == found
    assert found.auto == (written == "auto")


@pytest.mark.parametrize("typed", ["", "0.25", "25", "101 %", "-5 %", "some", "1e1 %", True, 0.5])
def test_what_is_no_share_is_refused(typed: object) -> None:
    with pytest.raises(BadValue):
        Share.parse(typed)
