"""The command line, up to the job that it gives to the engine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import commands
from app.cli import parser, run
from app.preset_options import concept_path
from modules.errors import Problems, UserError
from modules.messages import CheckPreset, Failed, Job, RunTool, Train
from modules.preset.validate import preset_of
from modules.system.bundled import ROOT
from modules.system.runtime import python_command
from modules.wire import decode

ROBOT = "presets/Starter/Robot LoRA.json"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that would have been done."""
    found: list[Job] = []
    monkeypatch.setattr(commands, "_run_job", lambda job, options: found.append(job) or 0)
    return found


def trained(jobs: list[Job], *arguments: str) -> Train:
    assert run(["train", *arguments]) == 0
    job = jobs[-1]
    assert isinstance(job, Train)
    return job


def settings_of(jobs: list[Job], tool: str) -> dict[str, Any]:
    (job,) = jobs
    assert isinstance(job, RunTool) and job.name == tool
    return job.settings


def test_a_preset_with_options_over_it_becomes_a_job(jobs: list[Job], tmp_path: Path) -> None:
    job = trained(jobs, ROBOT, "--set", "training.steps=7", "--name", "mine", "--workspace", str(tmp_path))
    preset = preset_of(job.preset)
    assert preset.training.steps == 7
    assert preset.general.name == "mine"
    assert preset.general.workspace == str(tmp_path)
    assert preset.concepts[0].path == "starter:robot"
    assert job.resume == ""


def test_a_run_that_nobody_watches_does_not_wait_to_be_told_to_go_on(jobs: list[Job]) -> None:
    assert preset_of(trained(jobs, ROBOT, "--set", "validation.then=pause").preset).validation.then == "tell"
    assert preset_of(trained(jobs, ROBOT, "--set", "validation.then=stop").preset).validation.then == "stop"


def test_shipped_presets_are_found_from_any_folder(
    jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert trained(jobs, ROBOT).preset["title"] == "Robot LoRA"


def test_a_concept_that_a_preset_describes_without_a_folder_is_for_the_folders_of_the_command_line(
    jobs: list[Job], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    preset = tmp_path / "preset.json"
    concept = {"trigger": "ohwx", "repeats": 10.0}
    preset.write_text(json.dumps({"version": 6, "model": {"source": "starter:model"}, "concepts": [concept]}))
    job = trained(jobs, str(preset), "--concept", str(tmp_path / "a"), "--concept", str(tmp_path / "b"))
    found = [(each["path"], each["trigger"], each["repeats"]) for each in job.preset["concepts"]]
    assert found == [(str(tmp_path / name), "ohwx", 10.0) for name in ("a", "b")]


def test_concepts_of_the_command_line_replace_those_of_the_file(
    jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = str(ROOT / ROBOT)
    (tmp_path / "my cats").mkdir()
    monkeypatch.chdir(tmp_path)
    job = trained(jobs, shipped, "--concept", "my cats", "--concept", "starter:robot", "--set", "concepts.0.repeats=3")
    found = [(concept["path"], concept["repeats"]) for concept in job.preset["concepts"]]
    assert found == [(str(tmp_path / "my cats"), 3.0), ("starter:robot", 1.0)]


def test_a_run_is_continued_by_its_folder_or_as_the_newest(jobs: list[Job], tmp_path: Path) -> None:
    assert trained(jobs, ROBOT, "--resume").resume == "newest"
    assert trained(jobs, ROBOT, "--resume", str(tmp_path)).resume == str(tmp_path)
    # A name is looked for in the workspace, by the engine.
    assert trained(jobs, ROBOT, "--resume", "Robot LoRA 2").resume == "Robot LoRA 2"


def test_cache_and_check_take_the_same_presets(jobs: list[Job]) -> None:
    run(["cache", ROBOT])
    run(["check", ROBOT, "--set", "training.steps=3"])
    assert isinstance(jobs[0], RunTool) and jobs[0].name == "cache"
    assert preset_of(jobs[0].settings["preset"]).title == "Robot LoRA"
    assert isinstance(jobs[1], CheckPreset)
    assert jobs[1].preset["training"]["steps"] == 3


def test_sample_draws_the_prompts_given(jobs: list[Job], tmp_path: Path) -> None:
    lora = tmp_path / "a.safetensors"
    options = ["--prompt", "a cat", "--prompt", "a dog", "--size", "512x768", "--seed", "5", "--steps", "9"]
    run(["sample", "starter:model", *options, "--count", "2", "--lora", str(lora), "--out", str(tmp_path)])
    settings = settings_of(jobs, "sample")
    assert [(p["prompt"], p["seed"]) for p in settings["prompts"]] == [("a cat", 5), ("a dog", 5)]
    assert {(p["width"], p["height"], p["steps"], p["sampler"]) for p in settings["prompts"]} == {
        (512, 768, 9, "ddim")  # the starter's own sampler
    }
    assert (settings["loras"], settings["out"], settings["count"]) == ([str(lora)], str(tmp_path), 2)
    assert settings["preset"]["model"]["source"] == "starter:model"


def test_sample_draws_with_what_is_usual_for_the_model(jobs: list[Job]) -> None:
    run(["sample", "Tongyi-MAI/Z-Image-Turbo", "--family", "zimage", "--prompt", "a cat", "--guidance", "1.5"])
    (prompt,) = settings_of(jobs, "sample")["prompts"]
    assert (prompt["steps"], prompt["guidance"], prompt["sampler"]) == (8, 1.5, "euler")


def test_sample_with_a_preset_draws_its_own_prompts(
    jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(["sample", ROBOT, "--guidance", "5"])
    settings = settings_of(jobs, "sample")
    assert len(settings["prompts"]) == 4
    assert {(p["sampler"], p["guidance"]) for p in settings["prompts"]} == {("ddim", 5.0)}
    assert settings["out"] == str(tmp_path / "samples")


def test_every_setting_of_a_prompt_is_a_flag(jobs: list[Job]) -> None:
    run(["sample", "starter:model", "--prompt", "a cat", "--sampler", "DPM++ 2M Karras", "--guidance-end", "0.8"])
    (prompt,) = settings_of(jobs, "sample")["prompts"]
    assert (prompt["sampler"], prompt["spacing"], prompt["guidance_end"]) == ("dpmpp_2m", "karras", 0.8)


def test_convert_takes_paths_in_full(jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts.safetensors").touch()
    run(["convert", "starter:model", "a.safetensors", "--dtype", "bf16", "--parts", "parts.safetensors"])
    run(["convert", "starter:model", "a", "--family", "sdxl", "--overwrite", "--format", "folder"])
    others = ("model", "skip_unread", "vae", "text_encoder_1", "text_encoder_2", "text_encoder_3")
    given = [{k: v for k, v in job.settings.items() if k not in others} for job in jobs if isinstance(job, RunTool)]
    assert given == [
        {
            "out": str(tmp_path / "a.safetensors"), "format": "auto", "dtype": "bf16", "family": "auto",
            "variant": "auto", "parts": str(tmp_path / "parts.safetensors"), "overwrite": False,
        },
        {
            "out": str(tmp_path / "a"), "format": "folder", "dtype": "as_is", "family": "sdxl",
            "variant": "auto", "parts": "",
            "overwrite": True,
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "nothing.json"], "There is no file nothing.json"),
        (["train", ROBOT, "--concept", "nowhere"], "does not exist"),
        (["train", ROBOT, "--set", "training.epocs=3"], "Did you mean training.epochs?"),
        (["train", ROBOT, "--set", "training.steps=many"], '"many" is not a whole number'),
        (["train", ROBOT, "--set", "model.source="], "No base model is chosen"),
        (["train", "presets/SD 1.5/LoRA 8 GB.json"], "--concept FOLDER"),
        (["sample", "starter:model"], "nothing to draw"),
        (["sample", "starter:model", "--prompt", "x", "--size", "big"], "--size big is not a size"),
        (["sample", "starter:model", "--prompt", "x", "--steps", "0"], "steps: 0 is out of range"),
        (["sample", "starter:model", "--prompt", "x", "--seed", "one"], 'seed: "one" is not a whole number'),
        (["sample", "starter:model", "--prompt", "x", "--sampler", "ddjm"], 'Did you mean "ddim"?'),
        (["sample", "starter:model", "--prompt", "x", "--count", "0"], "count: 0 is out of range"),
        (["test"], "./start-ui.sh test"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_what_can_be_mended_is_a_sentence_and_exit_code_2(
    arguments: list[str], said: str, jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert jobs == []


def test_a_program_that_reads_events_is_told_of_mistakes_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "nothing.json", "--events", "json"]) == 2
    event = decode(capsys.readouterr().out)
    assert isinstance(event, Failed)
    assert "There is no file nothing.json" in event.message


def test_everything_wrong_in_file_and_options_is_said_together(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"version": 6, "general": {"threads": 2}, "training": {"batch_size": 0, "resolution": 500}}')
    options = parser().parse_args(["train", str(file), "--set", "training.epocs=3"])
    with pytest.raises(Problems) as caught:
        options.command(options)
    named = [problem.path for problem in caught.value.problems]
    assert named[:4] == ["general.threads", "training.epocs", "training.batch_size", "training.resolution"]
    assert {"model.source", "concepts"} <= set(named)


def test_options_that_are_none_are_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["train", ROBOT, "--stps", "5"])
    assert caught.value.code == 2
    assert "--stps" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "cache", "check", "sample", "convert", "settings"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run([command, "--help"])
    assert "usage:" in capsys.readouterr().out


def test_settings_are_listed_without_torch() -> None:
    code = "import sys; from app.__main__ import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    done = subprocess.run(python_command("-c", code, "settings"), capture_output=True, text=True, check=True)
    assert "training.learning_rate = 0.0001" in done.stdout
    assert "concepts.0.path" in done.stdout


def test_the_json_schema_knows_our_own_marks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings", "--json-schema"]) == 0
    schema: dict[str, Any] = json.loads(capsys.readouterr().out)
    general = schema["$defs"]["General"]["properties"]
    assert general["workspace"]["scope"] == "machine"
    assert general["seed"]["description"].startswith("The same seed")
    assert schema["properties"]["kind"]["enum"] == ["preset", "project"]


def test_a_list_that_nobody_reads_to_the_end_is_no_fault() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = python_command("-m", "app", "settings")
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(writing)
    assert done.stderr == ""


def test_a_user_error_is_raised_for_folders_that_are_files(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.touch()
    options = parser().parse_args(["train", str(ROOT / ROBOT), "--concept", str(file)])
    with pytest.raises(UserError, match="is a file, not a folder"):
        options.command(options)


def test_an_archive_or_a_list_is_a_concept(tmp_path: Path) -> None:
    assert concept_path(str(tmp_path)) == str(tmp_path)
    for name in ("a.tar", "b.JSONL", "c.parquet"):
        (tmp_path / name).touch()
        assert concept_path(str(tmp_path / name)) == str(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as Unix does it")
def test_a_signal_while_python_unloads_changes_no_exit_code() -> None:
    code = (
        "import atexit, os, signal; from app.__main__ import leave;"
        "atexit.register(os.kill, os.getpid(), signal.SIGTERM); leave(0)"
    )
    assert subprocess.run(python_command("-c", code), check=False).returncode == 0
