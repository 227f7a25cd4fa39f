"""The Sampling page and the form of a prompt: what is in sight, what is folded, and prompts from a file."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tkinter", reason="this Python has no tkinter")

from app.gui.context import AppContext
from app.gui.form.prompt_form import BASIC, FIELDS, PromptForm
from app.gui.pages.sampling import PROMPTS, USUAL
from modules.preset.rules.live_changes import prompt_of
from tests.gui.by_hand import page_of
from tests.gui.conftest import Pump


def test_prompts_of_a_file_stand_behind_those_that_are_there(context: AppContext, pump: Pump, tmp_path: Path) -> None:
    said: list[tuple[str, Any]] = []
    context.notify = lambda text, action="", act=None: said.append((text, act))
    page = page_of(context, "sampling")
    page.list.add()
    file = tmp_path / "prompts.txt"
    file.write_text("a cat --w 512 --ss euler_a --am 3\na dog --d -1", encoding="utf-8")
    page.take(file)
    pump()
    prompts = context.draft.get("sampling.prompts")
    assert [prompt["prompt"] for prompt in prompts] == ["", "a cat", "a dog"]
    assert (prompts[1]["sampler"], prompts[1]["width"], prompts[2]["seed"]) == ("euler_a", 512, -1)
    assert "2 prompts from prompts.txt" in said[-1][0] and "--am is for other models" in said[-1][0]
    said[-1][1]()
    assert len(context.draft.get("sampling.prompts")) == 1
    file.write_text("", encoding="utf-8")
    page.take(file)
    assert "holds no prompts" in said[-1][0]


def test_only_words_seed_and_size_of_a_prompt_are_in_sight(context: AppContext, pump: Pump) -> None:
    context.draft.add("sampling.prompts")
    page = page_of(context, "sampling")
    pump()
    card = page.list.made[0]
    assert tuple(card.rows) == BASIC
    context.draft.put("sampling.prompts.0.perturbation", "pag")
    assert "PAG" in PROMPTS.summary(context.draft.get("sampling.prompts")[0])
    page.reveal("sampling.prompts.0.perturbation_scale")
    assert "perturbation_scale" in card.rows and "seg_blur" not in card.rows


def test_lora_files_to_draw_with_are_a_list_of_their_own(context: AppContext, pump: Pump) -> None:
    page = page_of(context, "sampling")
    page.loras.add()
    pump()
    context.draft.put("sampling.loras.0.path", "/files/a.safetensors")
    assert context.draft.get("sampling.loras") == [{"path": "/files/a.safetensors", "strength": 1.0, "enabled": True}]
    page.reveal("sampling.loras.0.strength")


def test_the_form_keeps_what_is_folded_and_says_what_clashes(context: AppContext, pump: Pump) -> None:
    form = PromptForm(context.app, {**USUAL, "prompt": "a cat", "steps": 12, "guidance": 0.6, "cfg_plus_plus": True})
    form.pack()
    pump()
    assert tuple(form.rows) == BASIC
    read = form.read()
    assert read is not None and prompt_of(read).steps == 12 and read["cfg_plus_plus"] is True
    form.unfold()
    assert set(form.rows) == set(FIELDS)
    again = form.read()
    assert again == read
    form.controls["guidance"].set("7")
    assert form.read() is None
    form.controls["guidance"].set("0.6")
    form.controls["width"].set("70")
    assert form.read() is None
    form.controls["width"].set("64")
    assert form.read() is not None
