"""A check finds what would keep a run from starting, and reads no weights and writes no run for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.errors import UserError
from modules.messages import Answer, CheckPreset, Event, Finished, Note
from tests.data.pictures import picture
from tests.test_run import do
from tests.tiny import tiny_sd
from tests.trainer.runs import values


def check(workspace: Path, *settings: str) -> list[Event]:
    return do(CheckPreset(values(workspace, *settings)))


def answer(events: list[Event]) -> str:
    assert isinstance(events[-1], Finished)
    return next(event.text for event in events if isinstance(event, Answer))


def test_it_counts_what_a_run_would_do(tmp_path: Path) -> None:
    text = answer(check(tmp_path, "training.steps=0", "training.epochs=3", "training.accumulation=3"))
    assert "Stable Diffusion 1 and 2, LoRA, 128 pixels model." in text
    assert "16 images in 1 bucket (64x64: 16)." in text
    assert "3 steps an epoch, 9 steps in all; a step learns from 6 images." in text
    assert "Trained: denoiser." in text


def test_shapes_are_counted_by_width_and_height(tmp_path: Path) -> None:
    for number, (width, height) in enumerate([(64, 64), (128, 32), (128, 32)]):
        picture(tmp_path / "images" / f"{number}.png", width, height)
    text = answer(check(tmp_path, f'concepts=[{{"path": "{tmp_path / "images"}"}}]'))
    assert "3 images in 2 buckets (128x32: 2, 64x64: 1)." in text


def test_it_reads_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules.families.sd import Sd

    def loud(self: Sd, name: str) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(Sd, "part", loud)
    check(tmp_path, f"model.source={tiny_sd(tmp_path / 'model')}")
    assert {path.name for path in tmp_path.iterdir()} <= {"model", "cache"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("method.kind=embedding",), "<new>: put it into the captions"),
        (("model.source=/nowhere",), "There is no model at /nowhere"),
        (("concepts.0.path=/nowhere",), "/nowhere"),
        (("output.path=/",), "output.path"),
    ],
    ids=["word", "model", "folder", "output"],
)
def test_it_refuses_what_a_run_would_refuse(settings: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        check(tmp_path, *settings)


def test_a_sampler_that_cannot_draw_with_the_model_is_found(tmp_path: Path) -> None:
    model = tiny_sd(tmp_path / "model", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    prompts = 'sampling.prompts=[{"prompt": "x", "sampler": "heun"}]'
    with pytest.raises(UserError, match="The sampler Heun cannot draw"):
        check(tmp_path, f"model.source={model}", prompts)


def test_long_captions_and_missing_ones_are_counted(tmp_path: Path) -> None:
    for number, caption in enumerate(["a robot", "a robot " * 40, ""]):
        picture(tmp_path / "images" / f"{number}.png", 64, 64)
        (tmp_path / "images" / f"{number}.txt").write_text(caption, encoding="utf-8")
    events = check(tmp_path, f'concepts=[{{"path": "{tmp_path / "images"}"}}]', "model.max_chunks=2")
    said = "\n".join(event.text for event in events if isinstance(event, Note))
    assert "1 of 3 images have no caption." in said
    assert "1 of 3 captions exceed 30 tokens and are read in chunks." in said
    assert "1 captions are longer than 2 chunks and are cut. Raise model.max_chunks." in said
