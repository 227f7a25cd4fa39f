"""Files are known by what is in them, and nothing in them can do harm."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli import run
from modules.errors import UserError
from modules.exchange.kohya.names import DEFAULTS as KOHYA
from modules.exchange.kohya.names import NETWORK_OPTIONS
from modules.exchange.onetrainer.names import DEFAULTS as ONETRAINER
from modules.exchange.reading import foreign, read, read_text
from modules.preset.files.store import load
from modules.preset.validate import examine
from modules.sentences.render import PLAIN
from modules.system.bundled import ROOT
from tests.exchange.kohya.test_arguments import WINDOW
from tests.exchange.onetrainer.test_configuration import LORA

TOKEN = "hf_abcdefghijklmnopqrstuvwxyzABCD"


def test_a_program_is_known_by_its_settings_and_not_by_a_name(tmp_path: Path) -> None:
    for values, program in ((LORA, "OneTrainer"), (WINDOW, "kohya_ss"), ({**KOHYA, "network_dim": 4}, "sd-scripts")):
        file = tmp_path / "preset.txt"
        file.write_text(json.dumps(values), encoding="utf-8")
        assert read(file).program == program


@pytest.mark.parametrize("values", [LORA, WINDOW])
def test_each_of_their_settings_has_a_row_and_unknown_ones_are_named(values: dict[str, Any]) -> None:
    found = read_text(json.dumps({**values, "something_new": 7}), "a file")
    told = {row.theirs for row in found.rows}
    assert set(values) - {"additional_parameters"} <= told
    assert [row.problem.values["why"].code for row in found.rows if row.theirs == "something_new"] == ["import.unknown"]
    for row in found.rows:
        assert PLAIN.line(row.problem)


def test_secrets_are_neither_copied_nor_shown() -> None:
    files = (
        {**LORA, "secrets": {"huggingface_token": TOKEN, "cloud": {"password": "x" * 9}}, "huggingface_token": TOKEN},
        {**WINDOW, "huggingface_token": TOKEN, "wandb_api_key": "y" * 40, "training_comment": f"mine {TOKEN}",
         "additional_parameters": f"--huggingface_token={TOKEN}"},
    )  # fmt: skip
    for values in files:
        found = read_text(json.dumps(values), "a file")
        said = json.dumps(found.values) + "".join(PLAIN.line(row.problem) for row in found.rows)
        assert TOKEN not in said and "yyyy" not in said and "xxxx" not in said
        assert any(row.theirs.endswith("huggingface_token") for row in found.of("none"))


WORDS = sorted({*KOHYA, *ONETRAINER, *WINDOW, *LORA, *NETWORK_OPTIONS, "concepts", "samples", "datasets", "general"})
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
    | st.sampled_from(["-1", "1e999", "0.5", "full", "LOGIT_NORMAL", "cosine", "a=b", "1,2,3", "STEP", "../x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize("values", [LORA, WINDOW, {**KOHYA, "network_dim": 4}])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(strange=st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=6))
def test_no_value_breaks_it_and_what_comes_out_can_be_used(values: dict[str, Any], strange: dict[str, Any]) -> None:
    try:
        found = read_text(json.dumps({**values, **strange}), "a file")
    except UserError:
        return
    assert examine(found.values)[1] == {}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "{}", '{"a": 1}', "a: b", "hello --there --you --all", "{" * 500,
     "x = " + "[" * 3000, "\x00\x01"],
)  # fmt: skip
def test_what_is_none_ends_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "file.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read(file)
    assert str(caught.value)


def test_a_lora_of_kohya_tells_its_settings(tmp_path: Path) -> None:
    texts = json.loads((ROOT / "tests/golden/kohya_sd15_lora_meta.json").read_text(encoding="utf-8"))
    texts = texts.get("metadata", texts.get("__metadata__", texts))
    header = json.dumps({"__metadata__": {name: str(text) for name, text in texts.items()}}).encode()
    file = tmp_path / "lora.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    found = read(file)
    assert found.program == "sd-scripts"
    method = found.preset.method.model_dump()
    assert str(method["rank"]) == texts["ss_network_dim"]
    assert method["alpha"] == float(texts["ss_network_alpha"])


def test_the_command_line_imports_and_says_so_where_a_preset_is_expected(tmp_path: Path, capsys: Any) -> None:
    file, out = tmp_path / "config.json", tmp_path / "mine.json"
    file.write_text(json.dumps(LORA), encoding="utf-8")
    assert run(["import", str(file), "-o", str(out)]) == 0
    assert "training.batch_size" in capsys.readouterr().out
    assert load(out).values["training"]["batch_size"] == 4
    assert run(["import", str(file), "-o", str(out)]) == 2
    assert run(["check", str(file)]) == 2
    assert "import" in capsys.readouterr().err


def test_a_damaged_file_of_another_program_is_not_taken_for_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("job: extension\nconfig:\n  a: b: c\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 3"):
        foreign(file)
    file.write_text("some: words\n", encoding="utf-8")
    assert foreign(file) is None
