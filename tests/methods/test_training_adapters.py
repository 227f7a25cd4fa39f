"""A training adapter lies under the model while it is trained, and is in nothing that is drawn, kept or saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.catalog import FAMILIES
from modules.check.memory.step_memory import BatchShape, step_bytes
from modules.errors import UserError
from modules.families import Family, LoadOptions
from modules.formats.adapter_files import kohya_tensors
from modules.formats.lora import LoraTensors
from modules.formats.metadata import base_name
from modules.messages import Note
from modules.methods import Method, attach, check_training_adapters
from modules.methods.training_adapters import TrainingAdapters, adapters_key
from modules.preset.preset import Preset
from modules.sentences.render import PLAIN
from modules.tools.opening.models import merge_lora
from tests.families.pretend.card import CARD
from tests.families.pretend.family import Pretend
from tests.families.pretend.model import tiny_pretend
from tests.methods.setting import answer, inputs, learn, opened, preset
from tests.trainer.runs import assert_equal, folder_of, model_of, run, stop_after_a_backup, trained, values

METHODS: list[dict[str, Any]] = [
    {"kind": "lora", "rank": 2, "layers": "attention"},
    {"kind": "lora", "rank": 2, "layers": "all", "conv": True},
    {"kind": "lokr", "layers": "attention"},
    {"kind": "full", "layers": "all"},
]


def written(family: Family, path: Path, part: str = "denoiser", *, dora: bool = False) -> Path:
    """A LoRA for every layer of a part that can have one, convolutions too."""
    generator, found = torch.Generator().manual_seed(3), dict[str, Any]()
    for name, theirs in family.lora_names().items():
        component, _, layer = name.partition("|")
        if component == part:
            shape = family.component(component).get_submodule(layer).get_parameter("weight").shape
            down = torch.randn(2, *shape[1:], generator=generator) / shape[1:].numel() ** 0.5
            up = torch.randn(shape[0], 2, *[1] * (len(shape) - 2), generator=generator) * 0.3
            found[theirs] = LoraTensors.of(
                down, up, 1.0, torch.ones(shape[0], *[1] * (len(shape) - 1)) if dora else None
            )
    save_file(kohya_tensors(found, torch.float32), path)
    return path


def using(path: Path, method: dict[str, Any], *texts: str, kind: str = "sd", **more: Any) -> Preset:
    return preset(method, *texts, kind=kind, model={"training_adapters": [{"path": str(path), **more}]})


def moved(method: Method, before: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: p.detach() - before[name] for name, p in method.parameters().items()}


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
@pytest.mark.parametrize("chosen", METHODS, ids=lambda each: each["kind"])
def test_training_over_it_is_training_on_a_model_that_has_it_merged(tmp_path: Path, kind: str, chosen: dict[str, Any]):
    path = written(opened(kind), tmp_path / "a.safetensors")
    over, merged = opened(kind), opened(kind)
    merge_lora(merged, path, strength=0.5)
    methods = [attach(over, using(path, chosen, kind=kind, strength=0.5)), attach(merged, preset(chosen, kind=kind))]
    torch.testing.assert_close(answer(over), answer(merged), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(answer(over), answer(opened(kind)), atol=1e-2), "it does nothing"
    before = [{name: p.detach().clone() for name, p in method.parameters().items()} for method in methods]
    for _ in range(3):
        learn(over, methods[0])
        learn(merged, methods[1])
    one, other = (moved(method, old) for method, old in zip(methods, before, strict=True))
    for name, change in one.items():
        torch.testing.assert_close(change, other[name], rtol=1e-3, atol=2e-5, msg=name)
    assert any(float(change.abs().max()) > 1e-4 for change in one.values())


def test_a_dit_has_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(FAMILIES, "pretend", CARD)
    folder = str(tiny_pretend(tmp_path / "model"))
    over, merged, plain = (Pretend.load(folder, LoadOptions()) for _ in range(3))
    path = written(plain, tmp_path / "a.safetensors")
    merge_lora(merged, path)
    noisy, time, _ = inputs()
    noisy = torch.randn(2, plain.channels, 8, 8, generator=torch.Generator().manual_seed(1))
    condition = plain.encode_text(["a", "b"])
    before = plain.predict(noisy, time, condition)
    with TrainingAdapters(over, using(path, METHODS[0], kind="pretend")) as laid:
        torch.testing.assert_close(
            over.predict(noisy, time, condition), merged.predict(noisy, time, condition), rtol=1e-4, atol=1e-5
        )
        assert not torch.allclose(over.predict(noisy, time, condition), before, atol=1e-3)
        with laid.off():
            assert torch.equal(over.predict(noisy, time, condition), before)
    assert torch.equal(over.predict(noisy, time, condition), before), "it is taken off at the end"


@pytest.mark.parametrize("chosen", [METHODS[0], METHODS[3]], ids=["lora", "full"])
def test_samples_and_files_are_those_of_the_plain_model_and_what_is_trained(tmp_path: Path, chosen: dict[str, Any]):
    over, plain = opened(), opened()
    method = attach(over, using(written(plain, tmp_path / "a.safetensors"), chosen))
    other = attach(plain, preset(chosen))
    learn(over, method)
    other.load_state_dict(method.state_dict())
    with method.without_training_adapters():
        assert torch.equal(answer(over), answer(plain))
    assert not torch.allclose(answer(over), answer(plain), atol=1e-3)
    files = [next(iter(each.export(tmp_path / name, {}))) for each, name in ((method, "x"), (other, "y"))]
    assert_equal(*map(load_file, files))


def test_the_base_models_own_predictions_are_asked_under_it(tmp_path: Path):
    over, plain = opened(), opened()
    path = written(plain, tmp_path / "a.safetensors")
    method = attach(over, using(path, METHODS[0]))
    before = answer(over)
    learn(over, method)
    with method.original():
        torch.testing.assert_close(answer(over), before)
    strong = using(path, METHODS[0], strength=0.5)
    keys = [adapters_key(each) for each in (using(path, METHODS[0]), strong, preset(METHODS[0]))]
    assert keys[0] != keys[1] and keys[2] == [], "answers that are kept of a model without one stay what they are"


@pytest.mark.parametrize("more", [{"enabled": False}, {"strength": 0.0}])
def test_one_that_is_switched_off_does_nothing(tmp_path: Path, more: dict[str, Any]):
    family = opened()
    before = answer(family)
    attach(family, using(tmp_path / "nowhere.safetensors", METHODS[0], **more))
    torch.testing.assert_close(answer(family), before)


def test_what_is_no_training_adapter_is_refused_before_anything_is_loaded(tmp_path: Path):
    family = opened()
    bad = {
        "does not exist": tmp_path / "none.safetensors",
        "is a DoRA": written(family, tmp_path / "dora.safetensors", dora=True),
        "changes no layer of the denoiser": written(family, tmp_path / "text.safetensors", "text_encoder_1"),
        "was made for Stable Diffusion XL: of its": written(opened("sdxl"), tmp_path / "xl.safetensors"),
    }
    for words, path in bad.items():
        with pytest.raises(UserError) as caught:
            check_training_adapters(opened(), using(path, METHODS[0]))
        assert words in PLAIN.sentence(caught.value.problem), PLAIN.sentence(caught.value.problem)
    check_training_adapters(opened(), using(written(family, tmp_path / "a.safetensors"), METHODS[0]))


def test_its_memory_is_counted(tmp_path: Path):
    family, shape = opened(), BatchShape((64, 64), "a cat")
    path = written(family, tmp_path / "a.safetensors")
    held = {*family.component_names}
    plain = step_bytes(family, preset(METHODS[0]), shape, held)
    over = step_bytes(family, using(path, METHODS[0]), shape, held)
    size = sum(t.numel() * 4 for name, t in load_file(path).items() if name.endswith(".weight"))
    assert over.extra - plain.extra == size and over.trained == plain.trained


def test_a_run_draws_and_saves_without_it_and_goes_on_bit_for_bit(tmp_path: Path):
    settings = ("training.steps=4", "sampling.first=true", "backup.at_end=true",
                "sampling.prompts=" + json.dumps([{"prompt": "cat", "steps": 2}]))  # fmt: skip
    plain = run(values(tmp_path / "plain", *settings))
    adapter = model_of(run(values(tmp_path / "made", "training.steps=2", "training.learning_rate=0.05")))
    over = (*settings, "model.training_adapters=" + json.dumps([{"path": str(adapter), "strength": 3}]))
    whole = run(values(tmp_path / "whole", *over))
    first = [next((folder_of(events) / "samples").glob("*.png")).read_bytes() for events in (plain, whole)]
    assert first[0] == first[1]
    learnt, other = trained(folder_of(plain)), trained(folder_of(whole))
    assert any(not torch.equal(tensor, other[name]) for name, tensor in learnt.items())
    assert any(f"{adapter.name} (strength 3) lies under" in event.text for event in whole if isinstance(event, Note))
    part = values(tmp_path / "part", *over, "backup.every=2 steps")
    folder = folder_of(run(part, answer=stop_after_a_backup))
    run(part, resume=str(folder))
    assert_equal(trained(folder), other)
    tensors = load_file(model_of(whole))
    assert tensors.keys() == load_file(model_of(plain)).keys()
    with model_of(whole).open("rb") as file:
        about = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
    assert json.loads(about["ss_training_adapters"]) == [{"name": base_name(str(adapter)), "strength": 3.0}]
    assert str(adapter.parent) not in json.dumps(about)
