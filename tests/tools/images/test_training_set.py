"""A training set made with a model: what is drawn, what it says of itself, and what is not made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modules.errors import UserError
from modules.messages import Event, Finished, Note, RunTool, SampleReady, Stage, Stop
from modules.preset.rules.rules import validate
from modules.tools import sample
from modules.tools.images.training_set import KEPT, REJECTED, Settings, caption_of, planned, sizes_in
from modules.trainer.sampling.image_files import MADE_BY_A_MODEL
from tests.test_run import do
from tests.trainer.runs import values

PROMPT = {"prompt": "blip robot", "steps": 2, "width": 64, "height": 64, "guidance": 1.0, "seed": 5}


def settings_for(workspace: Path, *prompts: str, **more: Any) -> dict[str, Any]:
    drawn = [{**PROMPT, "prompt": prompt} for prompt in prompts or ("blip robot",)]
    return {"preset": values(workspace), "prompts": drawn, "count": 2, "out": str(workspace / "set"), **more}


def make(workspace: Path, *prompts: str, **more: Any) -> list[Event]:
    return do(RunTool("training-set", settings_for(workspace, *prompts, **more)))


def images(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


def plan(workspace: Path, *prompts: str, **more: Any) -> list[dict[str, Any]]:
    """What would be drawn."""
    settings = Settings(**settings_for(workspace, *prompts, **more))
    preset = validate(sample.with_prompts(settings, 1), trains=False)
    return [each.prompt.model_dump() | {"mark": each.mark} for each in planned(settings, preset)]


def test_each_image_has_its_caption_and_says_what_made_it(tmp_path: Path) -> None:
    events = make(tmp_path, "(blip:1.2) {red|blue} robot, masterpiece", replacements="masterpiece =>")
    made = images(tmp_path / "set")
    assert events[-1] == Finished(path=str(tmp_path / "set"))
    assert [Path(event.path) for event in events if isinstance(event, SampleReady)] == made and len(made) == 2
    for path in made:
        assert path.with_suffix(".txt").read_text() in ("blip red robot\n", "blip blue robot\n")
        with Image.open(path) as image:
            said = str(image.info["parameters"])
            assert MADE_BY_A_MODEL in image.info["XML:com.adobe.xmp"]
        assert said.startswith("(blip:1.2) ") and "Steps: 2, Sampler: Euler" in said and "Model: " in said


def test_a_stopped_set_goes_on_and_what_was_put_aside_is_not_made_again(tmp_path: Path) -> None:
    prompts = ("blip", "blop")

    def after_one(event: Event) -> Stop | None:
        return Stop() if isinstance(event, SampleReady) else None

    stopped = do(RunTool("training-set", settings_for(tmp_path, *prompts, sizes="64, 64x128")), after_one)
    assert stopped[-1] == Finished(stopped=True)
    first = images(tmp_path / "set")
    assert 0 < len(first) < 4
    for place, path in zip((KEPT, REJECTED), [first[0], first[-1]][: len(first)], strict=False):
        (path.parent / place).mkdir(exist_ok=True)
        path.rename(path.parent / place / path.name)
    events = make(tmp_path, *prompts, sizes="64, 64x128")
    told = [event.text for event in events if isinstance(event, Note)]
    assert any("in" in text and "already" in text for text in told)
    every = [path for place in ("", KEPT, REJECTED) for path in images(tmp_path / "set" / place)]
    assert len(every) == 4 and len({path.name for path in every}) == 4
    assert not [event for event in make(tmp_path, *prompts, sizes="64, 64x128") if isinstance(event, Stage)]


def test_more_images_leave_those_that_are_there_as_they_are(tmp_path: Path) -> None:
    few = [each["mark"] for each in plan(tmp_path, "a", "b")]
    more = [each["mark"] for each in plan(tmp_path, "a", "b", "c", count=3)]
    assert set(few) < set(more) and len(set(more)) == 9
    assert {each["mark"] for each in plan(tmp_path, "a", "b", loras=["style.safetensors:0.5"])}.isdisjoint(few)


def test_seeds_words_and_sizes_differ_between_images(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "animal.txt").write_text("# of a farm\ncat\n\n__big__\n", encoding="utf-8")
    (tmp_path / "lists" / "big.txt").write_text("{white|black} bear", encoding="utf-8")
    lists = str(tmp_path / "lists")
    drawn = plan(tmp_path, "a __animal__", total=40, sizes="64x96, 128", wildcard_folder=lists)
    assert {each["prompt"] for each in drawn} == {"a cat", "a white bear", "a black bear"}
    assert len({each["seed"] for each in drawn}) == 40
    assert [(each["width"], each["height"]) for each in drawn[:3]] == [(64, 96), (128, 128), (64, 96)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"prompts": ["a __cat__"]}, "no folder of word lists"),
        ({"prompts": ["a __cat__"], "wildcard_folder": "."}, "cat.txt does not exist"),
        ({"prompts": ["a __loop__"], "wildcard_folder": "."}, "without end"),
        ({"prompts": ["a __empty__"], "wildcard_folder": "."}, "holds no words"),
        ({"sizes": "512, large"}, "large is not a size"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is(
    more: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.txt").write_text("a __loop__", encoding="utf-8")
    Path("empty.txt").write_text("# nothing\n", encoding="utf-8")
    prompts = more.pop("prompts", ["a"])
    with pytest.raises(UserError, match=said):
        make(tmp_path, *prompts, **more)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("prompt", "more", "caption"),
    [
        ("a [red] dog <lora:x:0.8>, (best:1.3), ohwx", {"replacements": "best =>\nohwx => dog"}, "a red dog, dog"),
        ("a red dog", {"captions": "text", "caption": " dog "}, "dog"),
        ("a dog BREAK on grass", {}, "a dog on grass"),
    ],
)
def test_a_caption_is_the_prompt_without_what_is_none_of_a_caption(
    prompt: str, more: dict[str, Any], caption: str, tmp_path: Path
) -> None:
    settings = Settings(**settings_for(tmp_path, prompt, **more))
    preset = validate(sample.with_prompts(settings, 1), trains=False)
    assert caption_of(settings, preset, preset.sampling.prompts[0]) == caption


def test_without_captions_no_files_are_written_beside_the_images(tmp_path: Path) -> None:
    make(tmp_path, captions="none", count=1)
    assert [path.suffix for path in (tmp_path / "set").iterdir()] == [".png"]


def test_the_usual_folder_is_named_after_the_first_prompt(tmp_path: Path) -> None:
    events = make(tmp_path, "a {red|blue} dog: sitting", count=1, out="")
    assert isinstance(events[-1], Finished)
    assert Path(events[-1].path).parts[-2:] == ("training sets", "a red blue dog sitting")


def test_sizes_are_pairs_or_one_side_of_a_square() -> None:
    assert sizes_in(" 512, 512x768 ,640X448,") == [(512, 512), (512, 768), (640, 448)]
