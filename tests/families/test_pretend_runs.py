"""The pretend family in every kind of run: trained, drawn, saved, resumed, checked and refused, as any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from modules.catalog import FAMILIES
from modules.data.buckets import buckets_of, resolutions_of
from modules.errors import Problems
from modules.families import Condition, LoadOptions
from modules.messages import (
    Channel,
    CheckPreset,
    Event,
    Finding,
    Note,
    Progress,
    RunTool,
    SampleNow,
    SampleReady,
    Started,
)
from modules.preset.rules.live_changes import prompt_of
from modules.preset.rules.rules import conflicts
from modules.preset.sections.concept import Concept
from modules.preset.validate import preset_of
from modules.run import run_job
from tests.families.pretend.card import CARD
from tests.families.pretend.family import Pretend
from tests.families.pretend.model import tiny_pretend
from tests.trainer.runs import (
    ROBOT,
    assert_equal,
    end_of,
    folder_of,
    model_of,
    run,
    stop_after_a_backup,
    trained,
    values,
)


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "pretend", CARD)
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pretend(tmp_path_factory.mktemp("pretend") / "model")


def settings(model: Path, workspace: Path, *more: str) -> dict[str, Any]:
    base = {**ROBOT, "model": {"family": "pretend", "source": str(model)}}
    return values(workspace, "training.steps=4", *more, base=base)


def performed(job: CheckPreset | RunTool) -> list[Event]:
    channel, events = Channel.open(), list[Event]()
    channel.events.put = events.append  # type: ignore[method-assign]
    run_job(job, channel)
    return events


def test_a_lora_is_trained_and_a_run_that_was_interrupted_ends_in_the_same_weights(model: Path, tmp_path: Path) -> None:
    encoders = ("text_encoder_1", "text_encoder_2", "text_encoder_3")
    both = (*(f"training.{name}.train=true" for name in encoders), "backup.every=2 steps")
    whole = run(settings(model, tmp_path / "whole", *both))
    assert end_of(whole).step == 4
    broken = settings(model, tmp_path / "broken", *both)
    first = run(broken, answer=stop_after_a_backup)
    run(broken, resume=str(folder_of(first)))
    one, other = trained(folder_of(whole)), trained(folder_of(first))
    assert_equal(one, other)
    assert {name.partition("|")[0] for name in one} == {"denoiser", *encoders}


def test_what_is_fine_tuned_is_saved_as_a_folder_and_drawn_with(model: Path, tmp_path: Path) -> None:
    prompts = 'sampling.prompts=[{"prompt": "a robot", "steps": 2, "width": 64, "height": 32}]'
    more = ("method.kind=full", "training.learning_rate=1e-4", "training.gradient_checkpointing=all", prompts)
    events = run(settings(model, tmp_path, *more, "sampling.last=true"))
    [sample] = [event for event in events if isinstance(event, SampleReady)]
    with Image.open(sample.path) as image:
        assert image.size == (64, 32)
    saved = Pretend.load(str(model_of(events)), LoadOptions())
    before = Pretend.load(str(model), LoadOptions())
    one, other = (family.denoiser.get_parameter("transformer_blocks.0.to_q.weight") for family in (saved, before))
    assert not one.equal(other)
    assert saved.fingerprint("text_encoder_4") == before.fingerprint("text_encoder_4")


def test_a_prompt_of_the_moment_is_read_by_encoders_that_are_gone_before_it_is_drawn(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, predict = list[set[str]](), Pretend.predict

    def watched(family: Pretend, noisy: torch.Tensor, time_B: torch.Tensor, condition: Condition) -> torch.Tensor:
        loaded.append(set(family.text_encoders) & family._components.keys())
        return predict(family, noisy, time_B, condition)

    monkeypatch.setattr(Pretend, "predict", watched)
    prompts = [{"prompt": "a house", "negative": "fog", "steps": 2, "width": side, "height": 32} for side in (32, 64)]
    asked = [SampleNow(prompt) for prompt in prompts]
    job = settings(model, tmp_path, "training.steps=8")
    # At the start, too: what is told of steps comes ten times a second, and these are fast.
    events = run(job, answer=lambda event: asked.pop() if asked and isinstance(event, Progress | Started) else None)
    assert sum(isinstance(event, SampleReady) for event in events) == 2
    told = [event.text for event in events if isinstance(event, Note) and "loaded again" in event.text]
    assert len(told) == 1 and "the 4 text encoders are loaded again" in told[0]
    assert len(loaded) > 8 and not any(loaded)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_norms_in_fp32_are_trained_beside_layers_in_bf16(model: Path, tmp_path: Path, method: str) -> None:
    bf16 = ("model.dtype=bf16", "training.weights=bf16", "training.learning_rate=1e-3", "training.steps=2")
    folder = folder_of(run(settings(model, tmp_path, f"method.kind={method}", "method.layers=all", *bf16)))
    found = {name: tensor.dtype for name, tensor in trained(folder).items()}
    assert torch.bfloat16 in found.values()
    assert all(dtype == torch.float32 for name, dtype in found.items() if ".norm." in name)
    assert any(".norm." in name for name in found) == (method == "full")


@pytest.mark.parametrize("form", ["kohya", "auto"])
def test_a_lora_of_either_spelling_is_laid_over_it(model: Path, tmp_path: Path, form: str) -> None:
    lora = model_of(run(settings(model, tmp_path / "w", f"output.lora_format={form}")))
    job = settings(model, tmp_path / "w")
    prompt = {"prompt": "a robot", "steps": 2, "width": 32, "height": 32, "seed": 5}

    def drawn(folder: str, *loras: str) -> list[Event]:
        wanted = {"preset": job, "prompts": [prompt], "loras": list(loras), "out": str(tmp_path / folder)}
        return performed(RunTool("sample", wanted))

    plain, changed = drawn("plain"), drawn("lora", str(lora))
    assert any("changes 8 layers" in event.text for event in changed if isinstance(event, Note))
    one, other = ([event for event in events if isinstance(event, SampleReady)] for events in (plain, changed))
    assert Path(one[0].path).read_bytes() != Path(other[0].path).read_bytes()


def test_the_check_counts_its_memory_its_captions_and_its_files(model: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions"
    captions.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(captions / f"{number}.png")
        (captions / f"{number}.txt").write_text("a robot, " * 12, encoding="utf-8")
    preset = settings(model, tmp_path, f'concepts=[{{"path": "{captions}"}}]')
    findings = [event for event in performed(CheckPreset(preset)) if isinstance(event, Finding)]
    found = {finding.code: finding.severity for finding in findings}
    assert "error" not in set(found.values()), findings
    assert any(code.startswith("memory") for code in found), found
    cut = next(finding for finding in findings if finding.code.startswith("captions.cut"))
    assert "after 1 chunk" in cut.title and not cut.fixes, "it reads no more than one, and no setting changes that"
    assert any(code.startswith("costs") for code in found), found


def test_a_sample_without_guidance_takes_the_memory_of_one_pass(model: Path, tmp_path: Path) -> None:
    from modules.check.memory.step_memory import sample_bytes

    family, sizes = Pretend.load(str(model), LoadOptions()), list[int]()
    for guidance in (1, 4):
        prompts = f'sampling.prompts=[{{"prompt": "x", "width": 256, "height": 256, "guidance": {guidance}}}]'
        sizes.append(sample_bytes(family, preset_of(settings(model, tmp_path, prompts)))[0])
    assert sizes[1] > 1.5 * sizes[0] > 0


def test_the_check_finds_class_images_that_a_flow_cannot_draw(model: Path, tmp_path: Path) -> None:
    from modules.check.start import _check_model

    found = list[Event]()
    preset = preset_of(settings(model, tmp_path, "prior.made.count=2", "prior.made.prompts=a duck"))
    _check_model(preset, Pretend.load(str(model), LoadOptions()), found.append)
    [finding] = [event for event in found if isinstance(event, Finding)]
    assert (finding.severity, finding.path) == ("error", "prior.made.sampler")
    assert finding.fixes[0].changes == {"prior.made.sampler": "euler"}


@pytest.mark.parametrize("step", [16, 32])
def test_no_size_that_its_latents_could_not_have_gets_through(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "pretend", replace(CARD, size_step=step, bucket_step=2 * step))
    odd = 10 * step + step // 2
    for training in ({"resolution": odd}, {"bucket_step": odd}, {"min_side": odd}, {"resolutions": f"{odd}x{odd}"}):
        preset = preset_of({"version": 6, "model": {"family": "pretend"}, "training": training})
        assert "rules.not-a-multiple" in [problem.code for problem in conflicts(preset)], training
    concept = {"path": "x", "resolutions": f"{odd}x{odd}"}
    preset = preset_of({"version": 6, "model": {"family": "pretend"}, "concepts": [concept]})
    assert [problem.code for problem in conflicts(preset)] == ["rules.not-a-multiple"]
    with pytest.raises(Problems, match=f"not a multiple of {step}"):
        prompt_of({"prompt": "a prompt of the moment", "width": odd}, "pretend")
    for side in (10 * step, 15 * step + 8):
        preset = preset_of({"version": 6, "model": {"family": "pretend"}, "training": {"resolutions": str(side)}})
        for resolution in resolutions_of(preset, Concept(path="x")):
            assert all(height % step == width % step == 0 for height, width in buckets_of(preset, resolution))


def test_settings_that_it_cannot_follow_are_refused_in_words(model: Path) -> None:
    base = {"version": 6, "model": {"family": "pretend", "source": str(model)}}

    def wrong(**sections: Any) -> list[str]:
        return [problem.code for problem in conflicts(preset_of({**base, **sections}))]

    assert not wrong()
    assert wrong(training={"text_encoder_4": {"train": True}}) == ["rules.frozen-encoder"]
    assert not wrong(training={"text_encoder_3": {"train": True}})
    assert wrong(words=[{"token": "<new>"}]) == ["rules.no-new-tokens"]
    assert wrong(training={"resolution": 72}) == ["rules.not-a-multiple"]
    assert wrong(training={"resolutions": "72x64"}) == ["rules.not-a-multiple"]
    assert wrong(sampling={"prompts": [{"prompt": "x", "width": 40}]}) == ["rules.not-a-multiple"]


def test_no_bucket_has_an_odd_number_of_latents(model: Path) -> None:
    for side in (64, 96, 100, 128, 512):
        training = {"resolution": side // 16 * 16}
        preset = preset_of({"version": 6, "model": {"family": "pretend"}, "training": training})
        assert all(height % 16 == 0 and width % 16 == 0 for height, width in buckets_of(preset)), side
