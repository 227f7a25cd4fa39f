"""Every job from the command that starts it to the last file it writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from modules.data.cache import shards
from modules.data.cache.store import Cache
from modules.messages import (
    BackupNow,
    BackupSaved,
    Change,
    Channel,
    CheckPreset,
    Command,
    Continue,
    Continued,
    Event,
    Finished,
    Job,
    ModelSaved,
    Note,
    Pause,
    Paused,
    Progress,
    Result,
    RunTool,
    SampleNow,
    SampleReady,
    SaveNow,
    Stage,
    Started,
    Stop,
    Train,
)
from modules.run import run_job
from tests.data.pictures import picture
from tests.tiny import SMALLEST, SMALLEST_XL, tiny_sd, tiny_sd2, tiny_sdxl
from tests.trainer.runs import assert_equal, end_of, folder_of, model_of, run, stop_after_a_backup, trained, values

SAMPLE = 'sampling.prompts=[{"prompt": "blip robot", "steps": 2, "width": 64, "height": 64}]'
LAST = (SAMPLE, "sampling.last=true")
METHODS = {
    "lora": (),
    "full": ("method.kind=full", "training.learning_rate=1e-4"),
    "embedding": ("method.kind=embedding", "words.0.token=<new>", "concepts.0.prefix=<new> "),
}
MODELS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "sd": ("sd", lambda folder: tiny_sd(folder, unet=SMALLEST)),
    "sd2": ("sd", lambda folder: tiny_sd2(folder, prediction_type="v_prediction")),
    "sd inpainting": ("sd", lambda folder: tiny_sd(folder, unet={**SMALLEST, "in_channels": 9})),
    "sdxl": ("sdxl", lambda folder: tiny_sdxl(folder, unet=SMALLEST_XL)),
    "sdxl inpainting": ("sdxl", lambda folder: tiny_sdxl(folder, unet={**SMALLEST_XL, "in_channels": 9})),
}


def do(job: Job, answer: Callable[[Event], Command | None] | None = None) -> list[Event]:
    """Do any job to its end and give its events."""
    channel = Channel.open()
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if answer and (command := answer(event)):
            channel.commands.put(command)

    channel.events.put = listen  # type: ignore[method-assign]
    run_job(job, channel)
    return events


def once(*commands: Command, at: type[Any] = Progress) -> Callable[[Event], Command | None]:
    """A user who gives these commands, one at each event of a kind."""
    waiting = list(commands)
    return lambda event: waiting.pop(0) if waiting and isinstance(event, at) else None


def size_of(picture: str) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


def notes(events: list[Event], level: str = "") -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note) and level in ("", event.level))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_method_trains_every_model_draws_and_saves(model, method, tmp_path: Path) -> None:
    family, made = model
    base = made(tmp_path / "model")
    settings = (f"model.family={family}", f"model.source={base}", "training.steps=2", "method.layers=all", *LAST)
    settings = tuple(s for s in settings if "embedding" not in str(method) or not s.startswith("method.layers"))
    events = run(values(tmp_path, *settings, *method))
    assert end_of(events) == Finished(2, path=str(model_of(events)))
    losses = [point for event in events if isinstance(event, Progress) for point in event.losses]
    assert [step for step, _ in losses] == [1, 2]
    assert all(0 < loss < 100 for _, loss in losses)
    picture = next(event for event in events if isinstance(event, SampleReady))
    assert size_of(picture.path) == (64, 64)
    assert model_of(events).is_file()


# What is prepared -----------------------------------------------------------------------------------------------------


def encodings(events: list[Event]) -> list[Stage]:
    return [event for event in events if isinstance(event, Stage) and event.title.startswith("Encoding")]


def test_what_the_cache_job_encoded_no_run_encodes_again(tmp_path: Path) -> None:
    first = do(RunTool("cache", {"preset": values(tmp_path)}))
    assert isinstance(first[-1], Finished)
    assert encodings(first)
    assert not (tmp_path / "test").exists()
    events = run(values(tmp_path, "training.steps=2"))
    assert not encodings(events)
    assert encodings(run(values(tmp_path, "training.steps=2", "training.resolution=72")))


def test_a_cache_above_its_limit_loses_what_this_run_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)  # nothing is written behind what is there
    with Cache(tmp_path / "cache") as cache:
        cache.put("ab" * 32, {"of another run": torch.zeros(4)})
    limited = ("general.cache_limit=0.0000001", f"general.cache={tmp_path / 'cache'}")
    (unused,) = (tmp_path / "cache").glob("*.shard")
    said = notes(do(RunTool("cache", {"preset": values(tmp_path, *limited)})))
    assert "of the cache were deleted, unused for longest" in said and "more than its limit" in said
    needed = sorted((tmp_path / "cache").glob("*.shard"))
    assert needed and unused not in needed
    assert not encodings(run(values(tmp_path, "training.steps=1", *limited)))
    assert sorted((tmp_path / "cache").glob("*.shard")) == needed


def test_a_check_counts_and_writes_nothing(tmp_path: Path) -> None:
    events = do(CheckPreset(values(tmp_path, "training.batch_size=3", "training.steps=0", "training.epochs=5")))
    answer = next(event for event in events if isinstance(event, Result))
    assert "16 images" in answer.text
    assert "30 steps in 5 epochs of 6 steps" in answer.text
    assert isinstance(events[-1], Finished)
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not (tmp_path / "test").exists()


# Commands under way ---------------------------------------------------------------------------------------------------


def test_what_the_user_asks_for_is_done_between_two_steps(tmp_path: Path) -> None:
    moment = {"prompt": "one: more? <robot>", "seed": 7, "steps": 1, "width": 64, "height": 72, "sampler": "ddim"}
    asked = once(SampleNow(), SampleNow(moment), SampleNow(moment), BackupNow(), SaveNow(), SaveNow())
    events = run(values(tmp_path, "training.steps=30", SAMPLE), answer=asked)
    assert end_of(events).step == 30
    drawn = [event for event in events if isinstance(event, SampleReady)]
    assert [(event.number, event.prompt) for event in drawn] == [(1, "blip robot")] + 2 * [(0, "one: more? <robot>")]
    assert size_of(drawn[1].path) == (64, 72)
    assert len({event.path for event in drawn}) == 3
    assert all(not set(Path(event.path).name) & set('<>:"/\\|?*') for event in drawn)
    backups = [event for event in events if isinstance(event, BackupSaved)]
    assert len(backups) == 2  # the one asked for, and the one at the end
    saved = [Path(event.path) for event in events if isinstance(event, ModelSaved)]
    assert len(set(saved)) == 3
    assert all(path.is_file() for path in saved)


def test_a_pause_stands_still_and_still_obeys(tmp_path: Path) -> None:
    def user(event: Event) -> Command | None:
        if isinstance(event, Progress) and event.step < 20 and not paused:
            paused.append(event.step)
            return Pause()
        if isinstance(event, Paused):
            return BackupNow()
        return Continue() if isinstance(event, BackupSaved) and event.step < 20 else None

    paused: list[int] = []
    events = run(values(tmp_path, "training.steps=20"), answer=user)
    kinds = [type(event) for event in events if isinstance(event, Paused | BackupSaved | Continued | Finished)]
    assert kinds == [Paused, BackupSaved, Continued, BackupSaved, Finished]
    assert end_of(events).step == 20


def test_live_settings_change_and_others_are_refused_in_words(tmp_path: Path) -> None:
    changes = once(
        Change("backup.every", "1 step"),
        Change("training.learning_rate", 1.0),
        Change("sampling.evry", "1 step"),
        Change("sampling.every", "often"),
        at=BackupSaved,
    )
    events = run(values(tmp_path, "training.steps=9", "backup.every=4 steps"), answer=changes)
    assert len({event.step for event in events if isinstance(event, BackupSaved)}) >= 5
    assert "backup.every is now 1 step." in notes(events, "info")
    said = notes(events, "error")
    assert "training.learning_rate cannot change while a run is under way." in said
    assert "Did you mean sampling.every?" in said
    assert "such as" in said
    rates = [rate for event in events if isinstance(event, Progress) for rate in event.rates.values()]
    assert max(rates) <= 1e-3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompt": "x", "stepps": 3}, "Did you mean steps?"),
        ({"prompt": "x", "steps": 0}, "steps: 0 is out of range"),
        ({"prompt": "x", "width": 70}, "width: 70 is not a multiple of 8"),
        ({"prompt": "x", "sampler": "eulr"}, 'Did you mean "euler"?'),
        ("a cat", "must be a group of settings"),
    ],
    ids=str,
)
def test_a_prompt_of_the_moment_that_is_wrong_is_refused_and_the_run_goes_on(wrong, said, tmp_path: Path) -> None:
    events = run(values(tmp_path, "training.steps=3", "backup.every=1 step"), answer=once(SampleNow(wrong), at=Started))
    assert end_of(events) == Finished(3, path=str(model_of(events)))
    assert said in notes(events, "error")
    assert "prompts.0" not in notes(events, "error")
    assert not list((folder_of(events) / "samples").glob("*"))


# Stops ----------------------------------------------------------------------------------------------------------------


def at_stage(code: str, command: Command, done: int = 1) -> Callable[[Event], Command | None]:
    return lambda event: command if isinstance(event, Stage) and event.code == code and event.done == done else None


@pytest.mark.parametrize("command", [Stop(), Stop(now=True)], ids=["stop", "stop now"])
def test_a_stop_while_images_are_encoded_ends_at_once_and_keeps_what_is_done(command, tmp_path: Path) -> None:
    preset = values(tmp_path, "training.steps=2")
    events = run(preset, answer=at_stage("stage.encoding-images", command, 5), cold=True)
    assert events[-1] == Finished(stopped=True)
    assert not any(isinstance(event, Started | BackupSaved | ModelSaved) for event in events)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]  # no run began
    again = run(preset)
    assert end_of(again).step == 2
    assert 0 < encodings(again)[0].total < encodings(events)[0].total


def test_a_stop_now_while_drawing_ends_without_a_backup(tmp_path: Path) -> None:
    preset = values(tmp_path, "training.steps=9", SAMPLE, "sampling.every=3 steps")
    events = run(preset, answer=at_stage("stage.samples", Stop(now=True)))
    assert end_of(events) == Finished(3, stopped=True)
    assert not any(isinstance(event, BackupSaved | SampleReady | ModelSaved) for event in events)
    assert [step for event in events if isinstance(event, Progress) for step, _ in event.losses] == [1, 2, 3]
    records = folder_of(events) / "events.jsonl"
    assert json.loads(records.read_text(encoding="utf-8").splitlines()[-1])["stopped"]


def test_a_stop_while_drawing_leaves_out_the_other_pictures_and_backs_up(tmp_path: Path) -> None:
    prompt = '{"prompt": "blip robot", "steps": %d, "width": 64, "height": 64}'
    prompts = f"sampling.prompts=[{prompt % 2}, {prompt % 3}, {prompt % 4}]"
    preset = values(tmp_path, "training.steps=9", prompts, "sampling.every=3 steps")
    events = run(preset, answer=at_stage("stage.samples", Stop()))
    assert end_of(events) == Finished(3, stopped=True)
    assert len([event for event in events if isinstance(event, SampleReady)]) == 1
    assert [event.step for event in events if isinstance(event, BackupSaved)] == [3]
    unbroken = run(values(tmp_path / "unbroken", "training.steps=9"))
    assert_equal(trained(folder_of(unbroken)), trained(folder_of(run(preset, resume="newest"))))


# What comes out -------------------------------------------------------------------------------------------------------


def test_no_path_and_no_name_of_the_users_gets_into_a_file_that_is_shared(tmp_path: Path) -> None:
    folder = tmp_path / "Jane Doe secret" / "my cat Tiddles"
    folder.mkdir(parents=True)
    for number, colour in enumerate(("red", "blue")):
        Image.new("RGB", (64, 64), colour).save(folder / f"IMG_private_{number}.png")
        (folder / f"IMG_private_{number}.txt").write_text("a cat, sitting", encoding="utf-8")
    concept = f'concepts=[{{"path": "{folder}"}}]'
    for number, method in enumerate(METHODS.values()):
        settings = ("training.steps=1", concept, *method)
        model = model_of(run(values(tmp_path / f"workspace {number}", *settings, "general.name=portrait")))
        with safe_open(model, "pt") as file:
            told = json.dumps(file.metadata())
        assert "modelspec.architecture" in told
        assert "seachange" in told.lower()
        found = re.findall(rf"(?i){tmp_path}|Jane|Tiddles|IMG_private|workspace \d|{Path.home()}/", told)
        assert not found
        assert str(tmp_path).encode() not in model.read_bytes()


def test_a_lora_of_a_run_opens_in_diffusers_and_draws_what_the_run_drew(tmp_path: Path) -> None:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    base = tiny_sd(tmp_path / "model")
    settings = (f"model.source={base}", "training.steps=3", "training.learning_rate=0.05", "training.clip_gradients=0")
    settings += ("training.text_encoder_1.train=true", "method.layers=all", "method.conv=true")
    model = model_of(run(values(tmp_path, *settings)))
    pipe: Any = StableDiffusionPipeline.from_pretrained(base, safety_checker=None, local_files_only=True)
    noise, words = torch.ones(1, 4, 8, 8), pipe.tokenizer("robot", return_tensors="pt").input_ids

    def says() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            heard = pipe.text_encoder(words)[0]
            return heard, pipe.unet(noise, torch.tensor(500), heard).sample

    before = says()
    pipe.load_lora_weights(model)
    after = says()
    modules = [name for name, _ in pipe.unet.named_modules() if name.endswith("lora_A.default_0")]
    in_file = {name.partition(".")[0] for name in load_file(model) if name.startswith("lora_unet_")}
    assert len(modules) == len(in_file) > 20
    assert all((one - other).abs().max() > 1e-4 for one, other in zip(before, after, strict=True))


def test_an_embedding_of_a_run_opens_in_diffusers(tmp_path: Path) -> None:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    base = tiny_sd(tmp_path / "model")
    settings = (f"model.source={base}", "training.steps=2", *METHODS["embedding"])
    model = model_of(run(values(tmp_path, *settings)))
    pipe: Any = StableDiffusionPipeline.from_pretrained(base, safety_checker=None, local_files_only=True)
    pipe.load_textual_inversion(model, token="<new>")
    rows = next(iter(load_file(model).values()))
    table = pipe.text_encoder.get_input_embeddings().weight
    assert torch.equal(table[-len(rows) :], rows)
    assert model.stem != "<new>"  # no name for a file on Windows


def test_a_full_model_of_a_run_trains_again_and_holds_what_was_learnt(tmp_path: Path) -> None:
    settings = ("training.steps=2", *METHODS["full"])
    first = run(values(tmp_path, *settings))
    second = run(values(tmp_path, *settings, f"model.source={model_of(first)}", "training.steps=1"))
    assert end_of(second).step == 1
    folder = run(values(tmp_path, *settings, "output.model_format=folder"))
    third = run(values(tmp_path, *settings, f"model.source={model_of(folder)}", "training.steps=1"))
    assert_equal(trained(folder_of(second)), trained(folder_of(third)))
    start = run(values(tmp_path, *settings, "training.steps=1"))
    again = trained(folder_of(second))
    assert any(not torch.equal(value, again[name]) for name, value in trained(folder_of(start)).items())


def test_a_finished_run_that_is_continued_says_that_nothing_is_left(tmp_path: Path) -> None:
    preset = values(tmp_path, "training.steps=2")
    first = run(preset)
    one = load_file(model_of(first))
    second = run(preset, resume="newest")
    assert "This run has already done its 2 steps" in notes(second, "warning")
    assert "Raise training.steps" in notes(second, "warning")
    assert model_of(second) == model_of(first)
    assert_equal(one, load_file(model_of(second)))


def test_a_run_that_is_continued_with_fewer_images_counts_its_epochs_on(tmp_path: Path) -> None:
    run(values(tmp_path, "training.steps=9", "backup.every=4 steps"), answer=stop_after_a_backup)
    for number in range(4):
        picture(tmp_path / "images" / f"{number}.png", 64, 64, shade=30 * number)
    few = values(tmp_path, "training.steps=9", f"concepts.0.path={tmp_path / 'images'}", "backup.every=1 epoch")
    events = run(few, resume="newest")
    # 5 steps of an epoch of 8 are done: that epoch is over, and the next ones have 2 steps.
    assert [event.step for event in events if isinstance(event, BackupSaved)] == [7, 9, 9]
    assert trained(folder_of(events), "clock") == {"step": 9, "epoch": 3, "shown": 0}


def test_train_is_the_same_through_a_job(tmp_path: Path) -> None:
    events = do(Train(values(tmp_path, "training.steps=1")))
    assert end_of(events).step == 1
