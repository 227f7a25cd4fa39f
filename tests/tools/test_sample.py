"""Images of a model with what was trained on it, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from modules.errors import UserError
from modules.families import LoadOptions
from modules.messages import Event, Finished, Note, RunTool, SampleReady, Stage, Stop
from modules.tools.opening.models import merge_lora, open_model
from tests.test_run import do
from tests.trainer.runs import folder_of, model_of, run, smallest_model, values

PROMPT = {"prompt": "blip robot", "negative": "fog", "steps": 2, "width": 64, "height": 64, "guidance": 3.0, "seed": 5}


def make(
    workspace: Path, *, loras: tuple[Path, ...] = (), prompts: tuple[dict[str, object], ...] = (PROMPT,), **more: Any
) -> RunTool:
    settings = {"preset": values(workspace), "prompts": list(prompts), "loras": [str(lora) for lora in loras]}
    return RunTool("sample", {**settings, "out": str(workspace / "pictures"), **more})


def drawn(events: list[Event]) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for event in events:
        if isinstance(event, SampleReady):
            with Image.open(event.path) as image:
                found.append(np.asarray(image).astype(int))
    return found


@pytest.mark.parametrize(
    "method",
    [
        (),
        ("training.text_encoder_1.train=true", "method.conv=true", "method.layers=all"),
        ("method.dora=true",),
        ("output.lora_format=diffusers",),
        ("method.kind=loha", "method.rank=2"),
        ("method.kind=lokr", "method.full_matrix=true"),
        ("method.kind=oft",),
    ],
    ids=["lora", "text encoder and convolutions", "dora", "diffusers names", "loha", "lokr", "oft"],
)
def test_a_lora_put_on_a_model_draws_what_the_run_drew(method: tuple[str, ...], tmp_path: Path) -> None:
    prompt = f"sampling.prompts=[{PROMPT}]".replace("'", '"')
    learnt = ("training.steps=4", "training.learning_rate=0.05", "schedule.warmup=0 steps", "sampling.last=true")
    events = run(values(tmp_path, *learnt, prompt, *method))
    (of_run,) = drawn(events)
    with_lora = do(make(tmp_path, loras=(model_of(events),)))
    assert any(isinstance(event, Note) and "changes" in event.text for event in with_lora)
    assert np.abs(drawn(with_lora)[0] - of_run).max() <= 1  # a merged weight rounds otherwise than an added one
    (plain,) = drawn(do(make(tmp_path)))
    assert np.abs(plain - of_run).max() > 5
    assert (folder_of(events) / "samples").is_dir()


def test_a_strength_scales_what_a_lora_changes(tmp_path: Path) -> None:
    events = run(values(tmp_path, "training.steps=4", "training.learning_rate=0.05", "schedule.warmup=0 steps"))
    lora = model_of(events)
    plain, half, whole = (
        _weights(None) if strength is None else _weights(lora, strength) for strength in (None, 0.5, 1.0)
    )
    changed = [name for name in plain if not torch.equal(plain[name], whole[name])]
    assert changed
    for name in changed:
        torch.testing.assert_close(half[name] - plain[name], (whole[name] - plain[name]) / 2, atol=1e-6, rtol=1e-4)
    told = do(make(tmp_path, loras=(Path(f"{lora}:0.5"),)))
    assert any(isinstance(event, Note) and event.text.endswith("at strength 0.5.") for event in told)
    (none,) = drawn(do(make(tmp_path, loras=(Path(f"{lora}:0"),))))
    (without,) = drawn(do(make(tmp_path)))
    assert np.array_equal(none, without)


def _weights(lora: Path | None, strength: float = 1.0) -> dict[str, torch.Tensor]:
    family = open_model(str(smallest_model()), "sd", LoadOptions())
    if lora is not None:
        merge_lora(family, lora, strength=strength)
    return {name: weight.detach().clone() for name, weight in family.denoiser.named_parameters()}


def test_images_of_earlier_calls_stay_and_numbers_go_on(tmp_path: Path) -> None:
    other = {**PROMPT, "prompt": "sleepy", "seed": 6}
    first = do(make(tmp_path, prompts=(PROMPT, other)))
    second = do(make(tmp_path))
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["000001 - 5 - blip robot.png", "000002 - 6 - sleepy.png", "000003 - 5 - blip robot.png"]
    assert np.array_equal(drawn(first)[0], drawn(second)[0])
    assert first[-1] == Finished(path=str(tmp_path / "pictures"))


def test_a_prompt_that_is_wrong_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="steps: 0 is out of range"):
        do(make(tmp_path, prompts=({**PROMPT, "steps": 0},)))
    assert not (tmp_path / "pictures").exists()


def test_a_stop_ends_between_two_steps(tmp_path: Path) -> None:
    slow = {**PROMPT, "steps": 500}
    events = do(
        make(tmp_path, prompts=(slow,)), lambda event: Stop() if isinstance(event, Stage) and event.done else None
    )
    assert events[-1] == Finished(stopped=True)
    assert len(events) < 20
    assert not drawn(events)


def test_a_word_of_a_run_can_be_used_from_its_file_and_from_its_lora(tmp_path: Path) -> None:
    prompt = f"sampling.prompts=[{ {**PROMPT, 'prompt': 'a blop'} }]".replace("'", '"')
    word = ('words=[{"token": "blop", "learning_rate": 0.5}]', "concepts.0.prefix=blop ", "training.learning_rate=1e-9")
    word += ("output.bundle_words=true",)
    events = run(values(tmp_path, "training.steps=4", "sampling.last=true", "schedule.warmup=0 steps", prompt, *word))
    (of_run,) = drawn(events)
    lora = next((folder_of(events) / "models").glob("*.safetensors"))
    alone = folder_of(events) / "models" / f"{lora.stem}_embeddings" / "blop.safetensors"
    asked = {**PROMPT, "prompt": "a blop"}
    with_word = do(make(tmp_path, prompts=(asked,), embeddings=[str(alone)]))
    assert any(isinstance(event, Note) and event.text == "Prompts can hold blop." for event in with_word)
    assert np.abs(drawn(with_word)[0] - of_run).max() <= 1
    assert np.abs(drawn(do(make(tmp_path, prompts=(asked,), loras=(lora,))))[0] - of_run).max() <= 1
    assert np.abs(drawn(do(make(tmp_path, prompts=(asked,))))[0] - of_run).max() > 5


def test_an_embedding_called_as_a_word_that_the_model_knows_is_refused(tmp_path: Path) -> None:
    save_file({"emp_params": torch.ones(1, 16)}, tmp_path / "cat.safetensors")
    with pytest.raises(UserError, match='knows the word "cat" already'):
        do(make(tmp_path, embeddings=[str(tmp_path / "cat.safetensors")]))
    save_file({"emp_params": torch.ones(1, 64)}, tmp_path / "kat.safetensors")
    with pytest.raises(UserError, match="vectors of 64 numbers, and this model's have 16"):
        do(make(tmp_path, embeddings=[str(tmp_path / "kat.safetensors")]))


def test_several_images_of_a_prompt_have_seeds_that_follow(tmp_path: Path) -> None:
    do(make(tmp_path, count=2, prompts=(PROMPT, {**PROMPT, "seed": -1, "prompt": "sleepy"})))
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert [name.split(" - ")[1] for name in names[:2]] == ["5", "6"]
    assert len(names) == 4


def test_hires_fix_draws_the_image_again_from_its_own_enlargement(tmp_path: Path) -> None:
    prompt = {**PROMPT, "steps": 4}
    (small,) = drawn(do(make(tmp_path / "small", prompts=(prompt,))))
    events = do(make(tmp_path / "large", prompts=(prompt, {**prompt, "seed": 6}), hires_scale=2, hires_strength=0.5))
    large, other = drawn(events)
    assert large.shape == other.shape == (128, 128, 3) and not np.array_equal(large, other)
    Image.fromarray(small.astype(np.uint8)).resize((128, 128), Image.Resampling.LANCZOS).save(tmp_path / "start.png")
    by_hand = {**prompt, "image": str(tmp_path / "start.png"), "strength": 0.5, "width": 128, "height": 128}
    assert np.array_equal(large, drawn(do(make(tmp_path / "by hand", prompts=(by_hand,))))[0])
    stages = [event for event in events if isinstance(event, Stage) and event.total]
    assert (stages[-1].done, stages[-1].total) == (12, 12)  # of each: four steps, and half of them once more
    (path, _) = sorted((tmp_path / "large" / "pictures").glob("*.png"))
    with Image.open(path) as image:
        told = image.info["parameters"]
    assert "Size: 64x64" in told and "Denoising strength: 0.5, Hires upscale: 2, Hires upscaler: Lanczos" in told
