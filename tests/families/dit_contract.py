"""What every family with a transformer must do beside the contract of all: it is held against diffusers' pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
import torch
from torch import Tensor

from modules.families.family import Condition, Family
from tests.families.contract import LONG, OPTIONS, FamilyContract

PROMPTS = ["a robot", LONG]


class Drawn(NamedTuple):
    """What a pipeline did: (noisy latents, time, what the scheduler was told) of each step, and its latents."""

    steps: list[tuple[Tensor, Tensor, Tensor]]
    latents: Tensor


class DitContract(FamilyContract):
    """Tests over a tiny model whose pipeline diffusers has."""

    pipeline: ClassVar[str]  # diffusers' class
    sets = ("all", "blocks", "attention-mlp", "attention", "mlp")
    wishes: ClassVar[dict[str, Any]] = {"guidance_scale": 1.0}  # of its call: no guidance

    @pytest.fixture(scope="class")
    @classmethod
    def drawing(cls, folder: Path) -> Iterator[Any]:
        kind: Any = getattr(import_module("diffusers"), cls.pipeline)
        pipeline = kind.from_pretrained(str(folder))
        pipeline.set_progress_bar_config(disable=True)
        yield pipeline

    def unpacked(self, family: Family, latents: Tensor, height: int, width: int) -> Tensor:
        """A pipeline's latents as the contract has them, (B, C, h, w)."""
        del family, height, width
        return latents

    def packed(self, family: Family, latents_BChw: Tensor) -> Tensor:
        """The other way round."""
        del family
        return latents_BChw

    def draw(self, drawing: Any, family: Family, noise_BChw: Tensor, prompts: list[str], steps: int = 2) -> Drawn:
        seen: list[tuple[Tensor, Tensor, Tensor]] = []
        step, (height, width) = drawing.scheduler.step, [family.downscale * side for side in noise_BChw.shape[2:]]

        def watched(said: Tensor, time: Tensor, noisy: Tensor, **more: Any) -> Any:
            one, other = (self.unpacked(family, x, height, width) for x in (noisy, said))
            seen.append((one, time, other))
            return step(said, time, noisy, **more)

        drawing.scheduler.step = watched
        try:
            latents = drawing(
                prompt=[*prompts], height=height, width=width, num_inference_steps=steps, output_type="latent",
                latents=self.packed(family, noise_BChw.clone()), **self.wishes,
            )[0]  # fmt: skip
        finally:
            drawing.scheduler.step = step
        return Drawn(seen, self.unpacked(family, latents, height, width))

    @pytest.mark.parametrize("size", [(4, 8), (8, 6)])
    def test_the_denoiser_is_asked_as_the_pipeline_asks_it(
        self, family: Family, drawing: Any, size: tuple[int, int]
    ) -> None:
        noise = torch.randn(2, family.channels, *size)
        drawn = self.draw(drawing, family, noise, PROMPTS)
        condition = self.heard(family, *PROMPTS)
        with torch.no_grad():
            for noisy, time, said in drawn.steps:
                ours = family.predict(noisy, time.repeat(2), condition)
                torch.testing.assert_close(ours, said.float(), atol=1e-5, rtol=1e-4)

    def test_a_text_encoder_read_block_by_block_says_the_same(self, family: Family, folder: Path) -> None:
        lean = self.kind.load(str(folder), replace(OPTIONS, text_memory=0))
        for one, other in zip(family.encode_text(PROMPTS).rows(), lean.encode_text(PROMPTS).rows(), strict=True):
            assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        for spec in self.kind.card.components:
            if spec.reads_text and not spec.trainable:
                held = [p for p in lean.component(spec.name).parameters() if not p.is_meta]
                assert len(held) < len(list(family.component(spec.name).parameters())), "all of it is in memory"

    def test_padding_of_a_condition_is_counted(self, family: Family) -> None:
        condition = family.encode_text(PROMPTS)
        if condition.mask_BT is not None:
            assert list(condition.lengths) == condition.mask_BT.sum(dim=1).tolist()
            assert [len(text) for text in Condition.texts(condition)] == list(condition.lengths)
