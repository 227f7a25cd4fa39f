"""Settings of adapters that contradict others are refused in words, before anything is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from modules.catalog import FAMILIES
from modules.preset.rules.rules import conflicts
from modules.preset.validate import preset_of
from modules.sentences.render import PLAIN
from tests.families.pretend.card import CARD

CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"kind": "loha"}, {"output": {"lora_format": "diffusers"}}, "output.lora_format diffusers has no names"),
    ({"kind": "lora", "dora": True}, {"output": {"lora_format": "diffusers"}},
     "output.lora_format diffusers has no names for a DoRA with method.dora_axis inputs"),
    ({"kind": "lora"}, {"output": {"lora_format": "native"}}, "output.lora_format native is none of the formats"),
    ({"kind": "lora", "rank_from_file": True}, {}, "method.rank_from_file takes the ranks of a file"),
    ({"kind": "oft", "groups": [{"alpha": 2.0}]}, {}, "method.groups.0.alpha scales an update"),
    ({"kind": "lora", "rate_ratio": 4.0}, {"optimizer": {"kind": "prodigy"}, "training": {"learning_rate": 1.0}},
     "method.rate_ratio 4 gives some weights"),
    ({"kind": "lokr", "max_norm": 1.0}, {"optimizer": {"kind": "schedule_free_adamw"}}, "method.max_norm changes"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "others", "words"), CASES, ids=[words for _, _, words in CASES])
def test_clashes_are_refused(method: dict[str, Any], others: dict[str, Any], words: str) -> None:
    found = list(map(PLAIN.line, conflicts(preset_of({"version": 6, "method": method, **others}))))
    assert [sentence for sentence in found if sentence.startswith(words)], found


@pytest.mark.parametrize(
    ("method", "asked", "formats"),
    [({"kind": "lora"}, "auto", ["kohya", "diffusers"]), ({"kind": "lora", "dora": True}, "auto", ["kohya", "kohya"]),
     ({"kind": "lokr"}, "auto", ["kohya", "kohya"]), ({"kind": "lora"}, "native", ["native", "native"])],
)  # fmt: skip
def test_a_file_has_the_names_that_most_programs_read(
    method: dict[str, Any], asked: str, formats: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, "pretend", CARD)
    output = {"lora_format": asked}
    found = [preset_of({"version": 6, "method": method, "output": output, "model": {"family": family}}) for family in
             ("sd", "pretend")]  # fmt: skip
    assert [preset.lora_format for preset in found] == formats


def test_a_dora_has_no_native_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "pretend", CARD)
    given = {
        "method": {"kind": "lora", "dora": True},
        "output": {"lora_format": "native"},
        "model": {"family": "pretend"},
    }
    found = list(map(PLAIN.line, conflicts(preset_of({"version": 6, **given}))))
    assert any(sentence.startswith("output.lora_format native has no names for a DoRA") for sentence in found), found


@pytest.mark.parametrize("method", [{"kind": "lora", "rate_ratio": 4.0, "max_norm": 1.0}, {"kind": "oft"}])
def test_sound_settings_are_not(method: dict[str, Any]) -> None:
    assert conflicts(preset_of({"version": 6, "method": method})) == []
