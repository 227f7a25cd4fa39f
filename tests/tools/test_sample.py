"""Images of a model with what was trained on it, without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.errors import UserError
from modules.messages import Event, Finished, MakeImages, Note, Phase, SampleReady, Stop
from tests.test_run import do
from tests.trainer.runs import folder_of, model_of, run, values

PROMPT = {"prompt": "blip robot", "negative": "fog", "steps": 2, "width": 64, "height": 64, "guidance": 3.0, "seed": 5}


def make(
    workspace: Path, *, loras: tuple[Path, ...] = (), prompts: tuple[dict[str, object], ...] = (PROMPT,)
) -> MakeImages:
    return MakeImages(values(workspace), list(prompts), [str(lora) for lora in loras], str(workspace / "pictures"))


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
    ],
    ids=["lora", "text encoder and convolutions", "dora", "diffusers names"],
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
        make(tmp_path, prompts=(slow,)), lambda event: Stop() if isinstance(event, Phase) and event.done else None
    )
    assert events[-1] == Finished(stopped=True)
    assert len(events) < 20
    assert not drawn(events)
