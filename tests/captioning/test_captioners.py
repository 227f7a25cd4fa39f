"""Vision language models of every kind that is named, tiny, through the way by which real ones are opened."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from modules.captioning import captioner as module
from modules.captioning.captioner import Ask, Captioner, weight_bytes
from modules.captioning.kinds import CHAT, JOY, LENGTHS, prompt_for
from modules.errors import UserError
from tests.captioning import tiny_captioners as tiny

CPU = torch.device("cpu")
RED, BLUE = Image.new("RGB", (40, 30), (200, 30, 30)), Image.new("RGB", (30, 60), (20, 30, 190))


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_every_kind_writes_what_transformers_writes(kind: str) -> None:
    """In a batch of other images, too, which is padded at the left."""
    made = Captioner(tiny.model(kind), kind, CPU)
    ask = Ask(prompt_for(kind, kind, "", "short"), 6)
    answers = made.write([RED, BLUE], ask)
    assert answers == [made.write([image], ask)[0] for image in (RED, BLUE)]
    given: Any = made._inputs([made._sized(RED)], ask.prompt)
    net: Any = AutoModelForImageTextToText.from_pretrained(str(tiny.model(kind))).eval()
    found = net.generate(**given, max_new_tokens=6, do_sample=False)[0].tolist()
    asked = given["input_ids"][0].tolist() if "input_ids" in given else []
    words = found[len(asked) :] if asked and found[: len(asked)] == asked else found
    assert answers[0].text == made._processor.decode(words, skip_special_tokens=True).strip()


def test_the_prompt_reaches_the_model() -> None:
    made = Captioner(tiny.model("qwen2_5_vl"), "qwen", CPU)
    assert made.write([RED], Ask("what robot ?", 6)) != made.write([RED], Ask("describe this image", 6))


def test_a_stop_does_not_wait_for_the_end_of_a_text() -> None:
    asked: list[int] = []

    def before() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Captioner(tiny.model("llava"), "llava", CPU).write([RED], Ask("describe", 50), before)
    assert len(asked) == 3


def test_llava_kinds_see_the_size_that_they_were_trained_with() -> None:
    assert Captioner(tiny.model("llava"), "llava", CPU)._sized(RED).size == (tiny.SIDE, tiny.SIDE)


def test_what_a_model_is_asked() -> None:
    assert prompt_for("qwen3_vl", "Qwen/x", "", "long") == CHAT["long"]
    assert prompt_for("qwen3_vl", "Qwen/x", "Which colours?", "short") == f"Which colours? {LENGTHS['short']}"
    assert prompt_for("llava", "fancyfeast/llama-joycaption-beta-one-hf-llava", "", "short") == JOY["short"]
    assert prompt_for("florence2", "x", "not read", "medium") == "<DETAILED_CAPTION>"
    assert prompt_for("blip", "x", "a photo of", "short") == "a photo of"
    assert prompt_for("blip-2", "x", "what is it?", "short") == "Question: what is it? Answer:"


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.model("llava")
    monkeypatch.setattr(module, "free_memory", lambda _: weight_bytes(folder, "fp32"))
    with pytest.raises(UserError, match="of memory"):
        Captioner(folder, "llava", CPU)


def test_the_memory_of_weights_is_that_of_the_precision() -> None:
    folder = tiny.model("llava")
    whole = sum(each.numel() for each in AutoModelForImageTextToText.from_pretrained(str(folder)).parameters())
    assert (weight_bytes(folder, "fp32"), weight_bytes(folder, "bf16")) == (4 * whole, 2 * whole)


def test_a_batch_that_is_too_large_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Captioner(tiny.model("llava"), "llava", CPU)
    ask, whole = Ask("describe", 4), made._write
    wanted = made.write([RED, BLUE], ask)

    def short_of_memory(images: Any, *more: Any) -> Any:
        if len(images) > 1:
            raise torch.OutOfMemoryError
        return whole(images, *more)

    monkeypatch.setattr(made, "_write", short_of_memory)
    assert made.write([RED, BLUE], ask) == wanted


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "bert"}, "writes no captions"),
        ({"model_type": "moondream1", "auto_map": {"AutoModel": "x.Y"}}, "code of its own"),
        ({"model_type": "florence2", "auto_map": {"AutoModel": "x.Y"}}, "florence-community"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=words):
        Captioner(tmp_path, "owner/model", CPU)


def test_a_folder_without_a_processor_is_named(tmp_path: Path) -> None:
    folder = copytree(tiny.model("llava"), tmp_path / "model")
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(UserError, match="reads images and prompts"):
        Captioner(folder, "llava", CPU)


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    folder = copytree(tiny.model("llava"), tmp_path / "model")
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}  # it is mapped
    file.write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(UserError, match="cannot be opened"):
        Captioner(folder, "llava", CPU)
    file.unlink()
    name = next(name for name in tensors if "q_proj" in name)
    save_file({each: tensor for each, tensor in tensors.items() if each != name}, file, {"format": "pt"})
    with pytest.raises(UserError, match="lacks"):
        Captioner(folder, "llava", CPU)
