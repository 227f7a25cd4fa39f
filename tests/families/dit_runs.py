"""What every family with a transformer must do in runs: learn, continue bit for bit, be saved, checked and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from modules.check.memory.step_memory import BatchShape, step_bytes
from modules.check.memory.weight_bytes import part_bytes
from modules.diffusion.solvers import denoise
from modules.families.family import Condition, Family, LoadOptions
from modules.families.parts import building, pipeline
from modules.families.parts.dit.dit_family import DitFamily
from modules.families.parts.dit.dit_files import bundled_config
from modules.families.parts.model_files import ModelFiles
from modules.formats.tensors import read_tensors
from modules.messages import CheckPreset, Event, Finding, Note, SampleReady
from modules.methods import attach
from modules.preset.validate import preset_of
from modules.system.weights import Weights
from tests.families.contract import OPTIONS
from tests.families.test_pretend_runs import performed
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
)  # fmt: skip

OFTEN = ("backup.every=2 steps", "training.gradient_checkpointing=all")


class DitRuns:
    """Beside `DitContract` in a family's test, which has `kind`, `write` and the fixture `folder`."""

    kind: ClassVar[type[DitFamily]]
    parameters: ClassVar[Mapping[str, Mapping[str, float]]]  # by kind of model and component: billions of weights

    short: ClassVar[Mapping[str, Any]]  # of the denoiser's config: full width, but only a block or two of each kind
    reads_inner: ClassVar[bool] = False  # whether the denoiser reads blocks of the text encoder other than the last
    heart_rate: ClassVar[float] = 6e-3  # at which two images are learnt by heart
    heart_left: ClassVar[float] = 0.8  # of how far what is drawn is from them
    heart_tokens: ClassVar[int] = 512  # of a text that are learnt with; most of a long one is padding
    heart_shift: ClassVar[float] = 0.0  # with which they are drawn, where the family's own leaves few steps for details

    @classmethod
    def settings(cls, folder: Path, workspace: Path, *more: str) -> dict[str, Any]:
        base = {**ROBOT, "model": {"family": cls.kind.name, "source": str(folder)}}
        return values(workspace, "training.steps=4", *more, base=base)

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
        """A LoRA's run."""
        return run(cls.settings(folder, tmp_path_factory.mktemp("whole"), *OFTEN))

    def test_a_lora_run_that_was_interrupted_ends_in_the_same_weights(
        self, whole: list[Event], folder: Path, tmp_path: Path
    ) -> None:
        assert end_of(whole).step == 4
        broken = self.settings(folder, tmp_path, *OFTEN)
        first = run(broken, answer=stop_after_a_backup)
        run(broken, resume=str(folder_of(first)))
        assert_equal(trained(folder_of(whole)), trained(folder_of(first)))

    def test_what_is_trained_is_drawn_saved_and_opened(self, folder: Path, tmp_path: Path) -> None:
        prompts = 'sampling.prompts=[{"prompt": "a robot", "steps": 2, "width": 64, "height": 32, "guidance": 3}]'
        more = ("method.kind=full", "training.learning_rate=1e-3", "output.dtype=fp32", prompts, "sampling.last=true")
        events = run(self.settings(folder, tmp_path, *more))
        assert [event for event in events if isinstance(event, SampleReady)]
        others = [spec.name for spec in self.kind.card.components if spec.name != "denoiser"]
        saved = self.kind.load(str(model_of(events)), LoadOptions(others=dict.fromkeys(others, str(folder))))
        before = self.kind.load(str(folder), LoadOptions())
        pairs = zip(saved.denoiser.parameters(), before.denoiser.parameters(), strict=True)
        assert not all(one.equal(other) for one, other in pairs)

    def test_a_saved_lora_is_laid_over_the_model(self, whole: list[Event], folder: Path, tmp_path: Path) -> None:
        lora = model_of(whole)
        assert read_tensors(lora)
        prompt = '{"prompt": "a robot", "steps": 2, "width": 32, "height": 32}'
        more = (f'sampling.loras=[{{"path": "{lora}"}}]', f"sampling.prompts=[{prompt}]", "sampling.first=true")
        events = run(self.settings(folder, tmp_path / "with", *more))
        assert [event for event in events if isinstance(event, SampleReady)]
        assert not [event for event in events if isinstance(event, Note) and event.level == "error"]

    def test_the_check_knows_it(self, folder: Path, tmp_path: Path) -> None:
        findings = [e for e in performed(CheckPreset(self.settings(folder, tmp_path))) if isinstance(e, Finding)]
        assert not [finding for finding in findings if finding.severity == "error"]
        assert any(finding.code.startswith("memory") for finding in findings)

    def test_it_learns_two_images_by_heart(self, folder: Path) -> None:
        """50 steps on two made-up latents at 8 times each: the loss falls, and what is drawn comes near to them."""
        torch.manual_seed(0)
        family = self.kind.load(str(folder), OPTIONS)
        texts = self.texts(family, ["a robot", "a house"])
        clean, noise = torch.randn(2, family.channels, 2, 2), torch.randn(2, family.channels, 2, 2)
        before = self.drawn(family, noise, texts)
        many = self.texts(family, ["a robot", "a house"] * 8)
        batch = clean.repeat(8, 1, 1, 1)
        preset = preset_of({"version": 6, "model": {"family": self.kind.name}, "method": {"kind": "full"}})
        method = attach(family, preset)
        weights = list(method.parameters().values())
        optimizer, losses = torch.optim.AdamW(weights, self.heart_rate, weight_decay=0.0, fused=True), []
        for step in range(50):
            generator = torch.Generator().manual_seed(step)
            time, fresh = torch.rand(16, generator=generator) * 1000, torch.randn(batch.shape, generator=generator)
            noisy = family.noise_schedule.add_noise(batch, fresh, time)
            said = family.predict(noisy, time, many)
            loss = (said - family.noise_schedule.target(batch, fresh, time)).square().mean()
            loss.backward()
            losses.append(float(loss.detach()))
            untouched = [p for p in weights if p.grad is None]
            assert step or not self.unexpected(family, untouched)
            optimizer.step()
            optimizer.zero_grad()
        assert sum(losses[-5:]) < 0.7 * sum(losses[:5]), (losses[:3], losses[-3:])
        after = self.drawn(family, noise, texts)
        assert (after - clean).square().mean() < self.heart_left * (before - clean).square().mean()

    def texts(self, family: Family, captions: list[str]) -> Condition:
        whole = family.with_guidance(family.encode_text(captions), 1.0)
        if whole.tokens_BTD.shape[1] <= self.heart_tokens:
            return whole
        return replace(whole, tokens_BTD=whole.tokens_BTD[:, : self.heart_tokens])

    def unexpected(self, family: Family, untouched: list[Tensor]) -> list[str]:
        """Names of trained weights that no gradient reaches and that some should."""
        names = {id(p): name for name, p in family.denoiser.named_parameters()}
        return [names[id(p)] for p in untouched if not self.is_idle(names[id(p)])]

    def is_idle(self, name: str) -> bool:
        """Whether a weight of the denoiser has nothing to do with what it says here."""
        del name
        return False

    def drawn(self, family: Family, noise: Tensor, texts: Any) -> Tensor:
        side = 2 * family.downscale
        with torch.no_grad():
            return denoise(
                lambda noisy, time: family.predict(noisy, time, texts),
                family.sampling_schedule(side, side, 8, self.heart_shift),
                noise, solver="euler", steps=8, generators=[],
            )  # fmt: skip

    # Full size

    def full_size(self, kind: str, folder: Path, *, short_text: bool = False, **denoiser: Any) -> DitFamily:
        """A model of full size without a byte of weights. Its tokenizers are the tiny model's.

        `short_text`: text encoders of two blocks; `denoiser`: changes to its config.
        """
        tiny = self.kind.load(str(folder), OPTIONS)
        configs = {spec.name: bundled_config(kind, spec) for spec in self.kind.card.components}
        configs["denoiser"] |= denoiser
        if short_text and not self.reads_inner:
            configs |= {name: two_blocks(config) for name, config in configs.items() if name.startswith("text_encoder")}
        weights: dict[str, Weights] = {
            spec.name: _ShapesOnly(building.tensor_shapes(spec, configs[spec.name])[0])
            for spec in self.kind.card.components
        }
        configs["scheduler"] = tiny.source.configs["scheduler"]
        return self.kind.load_files(ModelFiles(folder, configs, tiny.source.tokenizers, weights), OPTIONS)

    def test_a_full_size_model_has_the_weights_that_are_published(self, folder: Path) -> None:
        for kind, wanted in self.parameters.items():
            family = self.full_size(kind, folder)
            for name, billions in wanted.items():
                count = sum(prod(shape) for shape in family.weights(name).shapes.values())
                assert count / 1e9 == pytest.approx(billions, rel=0.005), (kind, name)

    def test_a_step_at_full_width_is_counted(self, folder: Path) -> None:
        """Forward and backward on shapes alone; blocks are all alike, so that a few of them will do."""
        family = self.full_size(next(iter(self.parameters)), folder, short_text=True, **self.short)
        preset = preset_of({
            "version": 6, "model": {"family": self.kind.name, "dtype": "bf16", "vae_dtype": "bf16"},
            "method": {"kind": "lora", "rank": 16}, "training": {"resolution": 512, "gradient_checkpointing": "none"},
        })  # fmt: skip
        step = step_bytes(family, preset, BatchShape((512, 512), "a robot"), {"denoiser"})
        weights = sum(prod(shape) for shape in family.weights("denoiser").shapes.values())
        assert step.weights["denoiser"] == pytest.approx(2 * weights, rel=0.01)
        assert 0 < step.trained < 0.1 * weights and step.passes > 0

    def test_a_text_encoder_that_does_not_fit_is_counted_as_it_is_read(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        family = self.full_size(next(iter(self.parameters)), folder, **self.short)
        preset = preset_of({"version": 6, "model": {"family": self.kind.name, "dtype": "bf16"}})
        monkeypatch.setattr(pipeline, "free_memory", lambda _: 0)
        loaded = part_bytes(family, preset, family.component_names)
        for spec in self.kind.card.components:
            whole = sum(prod(shape) for shape in family.weights(spec.name).shapes.values())
            streamed = spec.reads_text and not spec.trainable
            assert (loaded[spec.name] < 0.5 * 2 * whole) == streamed, spec.name


def two_blocks(config: Mapping[str, Any]) -> dict[str, Any]:
    """A text encoder's config with two of its blocks, wherever transformers counts them."""
    made = {name: two_blocks(value) if name == "text_config" else value for name, value in config.items()}
    made |= {name: 2 for name in ("num_layers", "num_hidden_layers") if name in made}
    return made | ({"layer_types": made["layer_types"][:2]} if made.get("layer_types") else {})


class _ShapesOnly(Weights):
    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes, self.metadata = dict(shapes), {}

    def read(self, name: str, scratch: Tensor | None = None) -> Tensor:
        raise AssertionError(f"{name} was read")

    def dtype(self, name: str) -> torch.dtype:
        del name
        return torch.bfloat16

    @property
    def files(self) -> tuple[Path, ...]:
        return ()
