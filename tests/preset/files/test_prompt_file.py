"""Prompts in kohya's notation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modules.errors import UserError
from modules.preset.files.prompt_file import read_prompts
from modules.preset.rules.live_changes import prompt_of
from modules.preset.sections.sampling import SAMPLERS, sampler_named
from modules.preset.text.lora_tags import split_tags
from modules.sentences.render import PLAIN


def read(folder: Path, name: str, text: str) -> list[dict[str, object]]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    found = read_prompts(path).prompts
    assert all(prompt_of(prompt) for prompt in found)  # the schema takes each
    return found


def test_a_line_is_a_prompt_with_options(tmp_path: Path) -> None:
    text = (
        "\ufeff# my prompts\n\n"
        "a cat, well-made --n low quality, --bad -- --w 515 --h 768 --d 7 --s 28 --l 7.5 --ss k_euler_a\n"
        'a dog\n--prompt "a bird" --steps 12 --cfg_scale 4\n'
    )
    first, second, third = read(tmp_path, "prompts.txt", text.replace(" --bad --", ""))
    assert first == {
        "prompt": "a cat, well-made", "negative": "low quality,", "width": 512, "height": 768, "seed": 7, "steps": 28,
        "guidance": 7.5, "sampler": "euler_a",
    }  # fmt: skip
    assert second == {"prompt": "a dog"}
    assert third == {"prompt": "a bird", "steps": 12, "guidance": 4.0}


def test_guidance_as_an_input_and_shift_of_flow_models_are_read(tmp_path: Path) -> None:
    wanted = [{"prompt": "a cat", "distilled_guidance": 3.5, "flow_shift": 2.0}]
    assert read(tmp_path, "prompts.txt", "a cat --g 3.5 --fs 2") == wanted
    table = json.dumps([{"prompt": "a cat", "guidance_scale": 3.5, "flow_shift": 2}])
    assert read(tmp_path, "prompts.json", table) == wanted


@pytest.mark.parametrize(("step", "side"), [(8, 536), (16, 528), (32, 512)])
def test_sizes_are_rounded_to_what_the_model_can_draw(step: int, side: int, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("a cat --w 540 --h 0", encoding="utf-8")
    assert read_prompts(path, step).prompts == [{"prompt": "a cat", "width": side, "height": 0}]


@pytest.mark.parametrize("options", ["--w=96 --s=4", "-w 96 -s 4", "\u2014w 96 \u2013s=4", "--w 96 -s 4"])
def test_options_are_understood_however_their_dash_was_written(options: str, tmp_path: Path) -> None:
    assert read(tmp_path, "prompts.txt", f"a cat {options}") == [{"prompt": "a cat", "width": 96, "steps": 4}]


def test_one_dash_before_words_stays_in_the_prompt_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("rock -n roll, well -known --w 96", encoding="utf-8")
    found = read_prompts(path)
    assert found.prompts == [{"prompt": "rock -n roll, well -known", "width": 96}]
    assert [PLAIN.sentence(note) for note in found.notes] == [
        "line 1: -n stays in the prompt. An option has two dashes: --n."
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_of_any_usual_encoding_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("un café", encoding=encoding)
    assert read_prompts(path).prompts == [{"prompt": "un café"}]


def test_the_tables_of_kohya_are_read_with_what_all_share(tmp_path: Path) -> None:
    toml = (
        '[prompt]\nwidth = 512\nsample_steps = 20\n[[prompt.subset]]\nprompt = "a cat"\nscale = 6\n'
        '[[prompt.subset]]\nprompt = "a dog"\nwidth = 768\nsample_sampler = "dpmsolver++"\n'
    )
    expected = [
        {"prompt": "a cat", "width": 512, "steps": 20, "guidance": 6.0},
        {"prompt": "a dog", "width": 768, "steps": 20, "sampler": "dpmpp_2m"},
    ]
    assert read(tmp_path, "prompts.toml", toml) == expected
    tables = [{"prompt": "a cat", "negative_prompt": "fog", "seed": 3, "enum": 0}, "a dog"]
    assert read(tmp_path, "prompts.json", json.dumps(tables)) == [
        {"prompt": "a cat", "negative": "fog", "seed": 3},
        {"prompt": "a dog"},
    ]


def test_what_is_for_other_models_is_said_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("a cat --am 3.5 --cn image.png --zz 3", encoding="utf-8")
    found = read_prompts(path)
    assert found.prompts == [{"prompt": "a cat"}]
    assert len(found.notes) == 3
    assert "--am is for other models" in PLAIN.sentence(found.notes[0])
    assert "--zz is not known" in PLAIN.sentence(found.notes[2])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "a cat --s many", "line 1, s: many is not a number"),
        ("a.txt", "a cat --ss magic", 'no sampler is called "magic"'),
        ("a.txt", "# nothing\n", "holds no prompts"),
        ("a.json", "{", "is damaged"),
        ("a.toml", "prompt = ", "is damaged"),
        ("a.json", "3", "is not a list"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        read(tmp_path, name, text)


def test_a_file_that_is_missing_or_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_prompts(tmp_path / "nothing.txt")
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match="not text in UTF-8"):
        read_prompts(tmp_path / "picture.txt")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("DPM++ 2M Karras", {"sampler": "dpmpp_2m", "spacing": "karras"}),
        ("dpmpp_2m_sde_karras", {"sampler": "dpmpp_2m_sde", "spacing": "karras"}),
        ("Euler a", {"sampler": "euler_a"}),
        ("dpm_2_a", {"sampler": "dpm2_a"}),
        ("DPM++ SDE Exponential", {"sampler": "dpmpp_sde", "spacing": "exponential"}),
        ("Euler SGM Uniform", {"sampler": "euler", "spacing": "default"}),
    ],
)
def test_samplers_are_known_by_the_names_that_people_use(text: str, settings: dict[str, str]) -> None:
    assert sampler_named(text) == settings


def test_every_sampler_that_kohya_offers_has_a_name_here() -> None:
    """The choices of --sample_sampler in kohya's train_util.py."""
    theirs = (
        "ddim", "pndm", "lms", "euler", "euler_a", "heun", "dpm_2", "dpm_2_a", "dpmsolver", "dpmsolver++", "dpmsingle",
        "k_lms", "k_euler", "k_euler_a", "k_dpm_2", "k_dpm_2_a",
    )  # fmt: skip
    found = [sampler_named(name) for name in theirs]
    assert all(each is not None and each["sampler"] in SAMPLERS for each in found)
    assert sampler_named("magic") is None


def test_tags_name_files_and_are_no_words() -> None:
    words, tags = split_tags("a cat <lora:my style:0.8>, at night <lora:x>")
    assert words == "a cat, at night"
    assert tags == (("my style", 0.8), ("x", 1.0))
    assert split_tags("a <robot> (cat:1.2)") == ("a <robot> (cat:1.2)", ())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cfg_plus_plus": True, "guidance": 7.0}, "would be overexposed"),
        ({"cfg_plus_plus": True, "guidance": 0.6, "sampler": "heun"}, "is not made for the steps of sampler heun"),
        ({"guidance_start": 0.5, "guidance_end": 0.5}, "no step would be guided"),
        ({"mask": "mask.png"}, "no image that it could belong to"),
        ({"seed": -2}, "out of range"),
    ],
)
def test_settings_of_a_prompt_that_clash_are_refused_before_anything_loads(
    settings: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        prompt_of({"prompt": "a cat", **settings})
    assert prompt_of({"prompt": "a cat", "cfg_plus_plus": True, "guidance": 0.6})
