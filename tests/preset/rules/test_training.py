"""Settings of adapters that contradict others are refused in words, before anything is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from modules.preset.rules.rules import conflicts
from modules.preset.validate import preset_of
from modules.sentences.render import PLAIN

CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"kind": "loha"}, {"output": {"lora_format": "diffusers"}}, "output.lora_format diffusers has no names"),
    ({"kind": "lora", "dora": True}, {"output": {"lora_format": "diffusers"}},
     "output.lora_format diffusers has no names for a DoRA with method.dora_axis inputs"),
    ({"kind": "lora", "rank_from_file": True}, {}, "method.rank_from_file takes the ranks of a file"),
    ({"kind": "oft", "groups": [{"alpha": 2.0}]}, {}, "method.groups.0.alpha scales an update"),
    ({"kind": "lora", "rate_ratio": 4.0}, {"optimizer": {"kind": "prodigy"}, "training": {"learning_rate": 1.0}},
     "method.rate_ratio 4 gives some weights"),
    ({"kind": "lokr", "max_norm": 1.0}, {"optimizer": {"kind": "schedule_free_adamw"}}, "method.max_norm changes"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "others", "words"), CASES, ids=[words for _, _, words in CASES])
def test_clashes_are_refused(method: dict[str, Any], others: dict[str, Any], words: str) -> None:
    found = list(map(PLAIN.line, conflicts(preset_of({"version": 3, "method": method, **others}))))
    assert [sentence for sentence in found if sentence.startswith(words)], found


@pytest.mark.parametrize("method", [{"kind": "lora", "rate_ratio": 4.0, "max_norm": 1.0}, {"kind": "oft"}])
def test_sound_settings_are_not(method: dict[str, Any]) -> None:
    assert conflicts(preset_of({"version": 3, "method": method})) == []
