"""What bad input gets: a sentence with what, where and what to do; exit code 2; nothing written, nothing trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from app.__main__ import main
from tests.data.pictures import picture
from tests.tiny import tiny_sd, tiny_sdxl
from tests.trainer.runs import STARTER, model_of, run, values

ROBOT = "presets/Starter/Robot LoRA.json"
QUICK = ("training.steps=2", "training.resolution=64", "general.device=cpu", "sampling.first=false",
         "sampling.last=false", "sampling.every=never", "general.tensorboard=false")  # fmt: skip
CACHED = {"cache"}  # what was read of images may stay


@pytest.fixture(autouse=True)
def _signals_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line takes over Ctrl-C and SIGTERM of its process; here that process is the tests'."""
    monkeypatch.setattr("app.follow.Interrupts.install", lambda self: None)


@dataclass
class Result:
    code: int
    said: str
    shown: str
    left: set[str]  # what lies in the workspace now


@pytest.fixture
def train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    def do(*settings: str, concept: Path | None = None, workspace: Path | None = None) -> Result:
        place = workspace or tmp_path / "workspace"
        options = [word for setting in (*QUICK, *settings) for word in ("--set", setting)]
        options += ["--concept", str(concept)] if concept else []
        capsys.readouterr()
        code = main(["train", ROBOT, "--workspace", str(place), *options])
        shown, said = capsys.readouterr()
        left = {path.name for path in place.iterdir()} if place.is_dir() else set[str]()
        return Result(code, said, shown, left)

    return do


def refused(answer: Result, *words: str) -> None:
    assert answer.code == 2, answer
    for word in words:
        assert word in answer.said
    assert "Traceback" not in answer.said + answer.shown
    assert answer.left <= CACHED
    assert answer.said.rstrip().endswith((".", "?"))


def robots(folder: Path, count: int = 4) -> Path:
    for number in range(count):
        picture(folder / f"{number}.png", 64, 64, shade=40 * number)
        (folder / f"{number}.txt").write_text("a robot", encoding="utf-8")
    return folder


def test_every_wrong_value_is_named_at_once_before_anything_loads(train) -> None:
    answer = train("training.lr=3", "training.batch_size=0", "method.rank=many", "sampling.every=often")
    refused(answer, "Did you mean training.learning_rate?", "training.batch_size: 0", '"many"', '"often"')
    assert "Starting" not in answer.shown


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.source=/nowhere/it.safetensors", ("There is no model at /nowhere/it.safetensors.", "Check the path")),
        ("model.source=some/one", ("has not been downloaded", "general.offline")),
        ("model.vae=/nowhere/vae.safetensors", ("There is no model at /nowhere/vae.safetensors.",)),
        ("method.layers=nonsense", ('method.layers: nothing in this model matches "nonsense".', "attention")),
        ("method.layers=([", ("is not a regular expression",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_model_or_a_layer_that_is_not_there_is_named(setting, words, train) -> None:
    refused(train(setting, "general.offline=true"), *words)


def test_a_model_of_another_kind_is_refused_by_its_name(train, tmp_path: Path) -> None:
    sd, xl = tiny_sd(tmp_path / "sd"), tiny_sdxl(tmp_path / "xl")
    refused(train(f"model.source={xl}"), str(xl), "Stable Diffusion XL", "Change the model type.")
    refused(train(f"model.source={sd}", "model.family=sdxl"), str(sd), "another type", "change the model type")
    file = tmp_path / "xl.safetensors"
    assert main(["convert", str(xl), str(file)]) == 0
    refused(train(f"model.source={file}"), "is a model of the type Stable Diffusion XL", "Set the model type")
    half = tmp_path / "half.safetensors"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    refused(train(f"model.source={half}"), "is incomplete", "download it again")
    (sd / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    refused(train(f"model.source={sd}"), "holds no weights", "The download is incomplete")


def test_what_is_no_model_is_no_base_model(train, tmp_path: Path) -> None:
    lora = model_of(run(values(tmp_path, "training.steps=1")))
    refused(train(f"model.source={lora}"), "is a LoRA, not a model", "Choose a full Stable Diffusion checkpoint")
    refused(train(f"model.source={robots(tmp_path / 'robots')}"), "not a model folder", "single model file")
    refused(train(f"model.source={tmp_path / 'robots' / '0.png'}"), "not a kind of file that models come in")


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_code_in_a_checkpoint_never_runs(train, tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    torch.save({"state_dict": {"x": torch.ones(1), "y": Evil(mark)}}, tmp_path / "model.ckpt")
    refused(train(f"model.source={tmp_path / 'model.ckpt'}"), "could run code", "as .safetensors")
    assert not mark.exists()


def test_a_folder_without_images_is_refused(train, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(train(concept=tmp_path / "nowhere"), "does not exist", "Give the folder that holds the images.")
    refused(train(concept=tmp_path / "empty"), 'The concept "empty"', "there are no images", ".png")


def test_a_caption_that_cannot_be_read_leaves_out_its_image_alone(train, tmp_path: Path) -> None:
    folder = robots(tmp_path / "robots")
    (folder / "1.txt").write_bytes("naïve".encode("latin-1"))
    (folder / "2.txt").write_bytes(b"\x81\x00\xff")
    answer = train(concept=folder)
    assert answer.code == 0
    assert "2.txt" in answer.shown and "1.txt cannot" not in answer.shown


def torn(path: Path) -> None:
    """Its header can still be read."""
    picture(path, 64, 64, shade=99)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with Image.open(path) as image:
        assert image.size == (64, 64)


def test_a_torn_image_is_named_once_and_the_others_are_trained(train, tmp_path: Path) -> None:
    folder = robots(tmp_path / "robots")
    torn(folder / "2.png")
    (folder / "3.png").write_bytes(b"")
    answer = train(concept=folder)
    assert answer.code == 0
    assert answer.shown.count(f"{folder / '2.png'}") == 1
    assert answer.shown.count(f"{folder / '3.png'}") == 1
    assert f"{folder / '2.png'} is left out: it is torn: its end is missing." in answer.shown
    assert f"{folder / '3.png'} is left out: it is empty." in answer.shown
    log = tmp_path / "workspace" / "Robot LoRA" / "log.txt"
    assert log.read_text(encoding="utf-8").count("2.png is left out") == 1


def test_nothing_but_torn_images_is_an_error_and_no_run(train, tmp_path: Path) -> None:
    folder = robots(tmp_path / "robots", count=2)
    for number in range(2):
        torn(folder / f"{number}.png")
    refused(train(concept=folder), "None of the 2 images can be used.", f"{folder / '0.png'}: it is torn", "again")


def test_an_output_that_exists_is_never_replaced_unasked(train, tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"mine")
    refused(train(f"output.path={mine}"), f"output.path: {mine} exists already.", "output.overwrite")
    assert mine.read_bytes() == b"mine"
    (tmp_path / "folder.safetensors").mkdir()
    settings = (f"output.path={tmp_path / 'folder.safetensors'}", "output.overwrite=true")
    refused(train(*settings), "is a folder, which a file cannot replace")
    assert train(f"output.path={mine}", "output.overwrite=true").code == 0
    assert mine.stat().st_size > 1000


def test_a_workspace_that_is_no_folder_is_refused(train, tmp_path: Path) -> None:
    place = tmp_path / "a file"
    place.write_text("mine", encoding="utf-8")
    refused(train(workspace=place), f"Nothing can be written to {place}.", "Choose another folder")
    assert place.read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_workspace_that_may_not_be_written_is_refused(train, tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    refused(train(workspace=place), f"Nothing can be written to {place}", "permissions")


def test_a_sampler_that_cannot_draw_with_the_model_is_refused_before_training(train, tmp_path: Path) -> None:
    model = tiny_sd(tmp_path / "z", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    answer = train(f"model.source={model}", "sampling.first=true", "sampling.prompts.0.sampler=heun")
    refused(answer, "The sampler Heun does not work with this model", "Choose another sampler: Euler, Euler a")


def test_a_word_that_no_caption_holds_is_refused_because_it_would_never_be_learnt(train) -> None:
    word = ("method.kind=embedding", 'words=[{"token": "<blip-2>"}]')
    refused(train(*word), "<blip-2>: put it into the captions", "concepts.0.prefix")
    assert train(*word, "concepts.0.prefix=<BLIP-2> ").code == 0


def test_a_run_that_cannot_be_continued_is_refused(train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["train", ROBOT, "--resume", "--workspace", str(tmp_path / "w"), "--set", "general.device=cpu"])
    assert code == 2
    assert 'There is no run named "Robot LoRA"' in capsys.readouterr().err
    assert not list(tmp_path.rglob("log.txt"))


# Images and conversions -----------------------------------------------------------------------------------------------


def test_bad_loras_and_models_make_no_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lora = model_of(run(values(tmp_path, STARTER, "training.steps=1")))
    word = ("method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> ")
    embedding = model_of(run(values(tmp_path, "training.steps=1", *word)))
    xl = tiny_sdxl(tmp_path / "xl")
    out = ["--out", str(tmp_path / "pictures"), "--steps", "1", "--size", "64", "--prompt", "x"]
    cases = [
        (["starter:model", "--lora", str(tmp_path / "no.safetensors")], "There is no file"),
        (["starter:model", "--lora", str(embedding)], "holds no LoRA for this model"),
        ([str(xl), "--lora", str(lora)], "was made for Stable Diffusion 1 and 2: of its"),
        ([str(lora)], "is a LoRA, not a model"),
        ([str(tmp_path / "no.safetensors")], "There is no model at"),
    ]
    capsys.readouterr()
    for arguments, words in cases:
        assert main(["sample", *arguments, *out]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "pictures").exists()


def test_bad_conversions_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sd, word = tiny_sd(tmp_path / "sd"), ("method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> ")
    embedding = str(model_of(run(values(tmp_path, "training.steps=1", *word))))
    lora = str(model_of(run(values(tmp_path, "training.steps=1"))))
    new, file = str(tmp_path / "new.safetensors"), tmp_path / "file"
    file.write_bytes(b"mine")
    cases = [
        ([new, "--parts", str(tmp_path / "no.safetensors")], "There is no file"),
        ([new, "--parts", embedding], "holds no part of this model"),
        ([new, "--parts", lora], "was made for another model: its LoRA for"),
        ([str(file)], "exists already"),
        ([str(file), "--overwrite"], "is a file, which a folder cannot replace"),
        ([str(tmp_path / "new.ckpt"), "--format", "single_file"], "Let it end with .safetensors"),
        ([new, "--format", "folder"], "Leave out the .safetensors"),
        ([str(file / "new.safetensors")], "Nothing can be written to"),
    ]
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    for arguments, words in cases:
        assert main(["convert", str(sd), *arguments]) == 2
        assert words in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_bytes() == b"mine"
