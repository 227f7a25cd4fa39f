"""What every family with a transformer must do beside the contract of all: it is held against diffusers' pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any, ClassVar, NamedTuple

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from modules.catalog.contents import family_of
from modules.diffusion.solvers import denoise
from modules.errors import UserError
from modules.families import family_class
from modules.families.condition import Condition
from modules.families.family import Family, LoadOptions
from modules.families.parts import building, opening
from modules.families.parts.dit.dit_files import bundled_config
from modules.formats.checkpoint import planned
from modules.system.weights import PlannedTensor, write_safetensors
from tests.families.contract import LONG, OPTIONS, FamilyContract, assert_same_weights

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

    @pytest.mark.parametrize(("size", "steps"), [((4, 8), 4), ((8, 6), 9)])
    def test_a_drawing_is_the_pipelines(self, family: Family, drawing: Any, size: tuple[int, int], steps: int) -> None:
        noise = torch.randn(2, family.channels, *size)
        drawn = self.draw(drawing, family, noise, PROMPTS, steps)
        condition = self.heard(family, *PROMPTS)
        height, width = [family.downscale * side for side in size]
        with torch.no_grad():
            ours = denoise(
                lambda noisy, time: family.predict(noisy, time, condition),
                family.sampling_schedule(height, width, steps),
                noise,
                solver="euler",
                steps=steps,
                generators=[],
            )
        torch.testing.assert_close(ours, drawn.latents.float(), atol=1e-4, rtol=1e-3)

    def test_a_text_encoder_read_block_by_block_says_the_same(self, family: Family, folder: Path) -> None:
        lean = self.kind.load(str(folder), replace(OPTIONS, text_memory=0))
        for one, other in zip(family.encode_text(PROMPTS).rows(), lean.encode_text(PROMPTS).rows(), strict=True):
            assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        for spec in self.kind.card.components:
            if spec.reads_text and not spec.trainable:
                held = [p for p in lean.component(spec.name).parameters() if not p.is_meta]
                assert len(held) < len(list(family.component(spec.name).parameters())), "all of it is in memory"

    # Single files

    def beside(self, folder: Path) -> LoadOptions:
        """Options under which a file with nothing but the denoiser opens: the other components from the folder."""
        others = [spec.name for spec in self.kind.card.components if spec.name != "denoiser"]
        return replace(OPTIONS, others=dict.fromkeys(others, str(folder)), offline=True)

    def test_a_denoiser_is_written_into_one_file_and_read_again(
        self, family: Family, folder: Path, tmp_path: Path
    ) -> None:
        path = self.save(family, tmp_path / "denoiser.safetensors", single=True)
        again = self.kind.load(str(path), self.beside(folder))
        assert_same_weights(family.denoiser, again.denoiser)
        assert {name: family.fingerprint(name) for name in family.component_names} == {
            name: again.fingerprint(name) for name in again.component_names
        }
        assert again.save(tmp_path / "again", single_file=False, dtype=None, parts=again.component_names, metadata={},
                          tensors={}) is None  # fmt: skip
        assert_same_weights(self.kind.load(str(tmp_path / "again"), OPTIONS).denoiser, family.denoiser)
        if self.kind.name == "flux2":  # told by its depth, which this one has not
            return
        other = family_class("flux1" if self.kind.name == "chroma" else "chroma")  # refused before anything is fetched
        with pytest.raises(UserError, match=f"is a model of the type {re.escape(self.kind.card.title)}"):
            other.load(str(path), replace(OPTIONS, offline=True))

    @pytest.mark.parametrize("prefix", ["model.diffusion_model.", "net.", ""])
    def test_the_file_of_a_denoiser_is_known_behind_any_prefix(
        self, family: Family, folder: Path, tmp_path: Path, prefix: str
    ) -> None:
        path = self.save(family, tmp_path / "denoiser.safetensors", single=True)
        with safe_open(path, "pt") as file:
            tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
        tensors = {prefix + name.removeprefix(family.card.file_prefix): tensor for name, tensor in tensors.items()}
        save_file(tensors, path, metadata)
        assert_same_weights(family.denoiser, self.kind.load(str(path), self.beside(folder)).denoiser)
        save_file(tensors | {f"{prefix}surplus.weight": torch.zeros(3)}, path, metadata)
        with pytest.raises(UserError, match="surplus"):
            self.kind.load(str(path), self.beside(folder))

    def test_a_file_tells_its_family_under_its_authors_names_and_under_diffusers(self) -> None:
        spec, layout = self.kind.card.component("denoiser"), self.kind.layout
        inside = {f"{each.in_denoiser}weight" for each in self.kind.card.components if each.in_denoiser}
        for variant in self.kind.card.variants:
            shapes, _ = building.tensor_shapes(spec, bundled_config(variant.kind, spec))
            native = {link.theirs for link in layout.links(shapes).values()} | inside if layout else set[str]()
            for names in (native, shapes):
                for prefix in ("", "model.diffusion_model.", "transformer."):
                    assert family_of([prefix + name for name in names]) == self.kind.name

    def test_trained_weights_alone_in_a_file_find_their_places(self, family: Family, tmp_path: Path) -> None:
        name, old = next((n, p) for n, p in family.denoiser.named_parameters() if n.endswith("to_q.weight"))
        new = torch.randn_like(old)
        path = tmp_path / "part.safetensors"
        self.save(family, path, single=True, tensors={"denoiser": {name: new}}, only_these=True)
        held = dict(family.components_in(path))
        assert held.keys() == {"denoiser"} and torch.equal(held["denoiser"][name], new)
        weights = dict(family.denoiser.named_parameters())
        assert all(torch.equal(tensor, weights[n]) for n, tensor in held["denoiser"].items() if n != name)
        assert len(held["denoiser"]) < len(weights) / 2

    def test_components_in_files_of_their_own_are_opened_and_told_apart(
        self, family: Family, folder: Path, tmp_path: Path
    ) -> None:
        files = {}
        for spec in self.kind.card.components[1:]:
            files[spec.name] = str(next((folder / spec.folder).glob("*.safetensors")))
        again = self.kind.load(str(folder), replace(OPTIONS, others=files))
        for name in again.component_names:
            assert again.fingerprint(name) == family.fingerprint(name)
        for spec in self.kind.card.components[1:]:
            other = self.kind.card.component("vae" if spec.kind != "vae" else self.kind.card.text_encoders[0])
            for wrong in (files[other.name], str(folder / other.folder), str(folder / "transformer")):
                with pytest.raises(UserError, match="belongs there"):
                    self.kind.load(str(folder), replace(OPTIONS, others={spec.name: wrong}))
        with pytest.raises(UserError, match=f"is a VAE.*and no model of the type {re.escape(self.kind.card.title)}"):
            self.kind.load(files["vae"], OPTIONS)

    def test_an_encoder_of_another_kind_is_refused_by_its_name(self, folder: Path, tmp_path: Path) -> None:
        for spec in self.kind.card.components:
            if spec.reads_text:
                config = {"model_type": "gemma2", "hidden_size": 2304, "num_hidden_layers": 26}
                (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
                with pytest.raises(UserError, match=r"[Tt]ext (encoder|conditioner).* is Gemma 2 2B: .* belongs there"):
                    self.kind.load(str(folder), replace(OPTIONS, others={spec.name: str(tmp_path)}))

    def test_a_vae_is_opened_under_its_authors_names(self, family: Any, folder: Path, tmp_path: Path) -> None:
        layout, weights = family.layout_of("vae"), family.weights("vae")
        links = layout.links(weights.shapes)
        values = {name: PlannedTensor(shape, weights.dtype(name), partial(weights.read, name)) for name, shape in
                  weights.shapes.items()}  # fmt: skip
        write_safetensors(tmp_path / "ae.safetensors", planned(values, links), {})
        again = self.kind.load(str(folder), replace(OPTIONS, others={"vae": str(tmp_path / "ae.safetensors")}))
        assert {link.theirs for link in links.values()} != links.keys()
        assert again.fingerprint("vae") == family.fingerprint("vae")
        assert_same_weights(again.component("vae"), family.component("vae"))

    def test_what_a_file_lacks_is_fetched_or_asked_for(
        self, family: Family, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = self.save(family, tmp_path / "denoiser.safetensors", single=True)
        with pytest.raises(UserError, match="holds no"):
            self.kind.load(str(path), replace(OPTIONS, offline=True))
        asked: list[str] = []
        real = opening.model_path

        def found(name: str, *more: Any) -> Path:
            asked.append(name)
            return folder if name.count("/") == 1 else real(name, *more)

        monkeypatch.setattr(opening, "model_path", found)
        whole = self.kind.load(str(path), OPTIONS)
        assert asked[1:] == [self.kind.card.variants[0].repo]
        assert_same_weights(whole.component("vae"), family.component("vae"))

    def test_the_layers_of_text_encoders_have_the_names_of_comfyui(self, family: Any) -> None:
        spellings = family.layer_spellings()
        for spec in self.kind.card.components:
            inside = {"clip": "text_model.", "llm": "model."}.get(spec.kind, "")
            paths = [
                path for path, _ in family.empty(spec.name).named_modules() if path.endswith(("q_proj", "Attention.q"))
            ]
            for path in paths if spec.reads_text else ():
                whole = inside + path.removeprefix("text_model.")
                for start in spec.file_names:
                    assert spellings[f"text_encoders.{start}.transformer.{whole}"] == f"{spec.name}|{path}"

    def test_a_tokenizer_beside_the_file_of_a_text_encoder_is_its(
        self, family: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the hub; where there is none, one that anyone may fetch comes first."""
        others = {"vae": str(folder / "vae")}
        for spec in self.kind.card.components:
            if spec.reads_text:
                others[spec.name] = str(tmp_path / f"{spec.name}.safetensors")
                copyfile(next((folder / spec.folder).glob("*.safetensors")), others[spec.name])
                copytree(folder / spec.tokenizer, tmp_path / spec.name)
        path = self.save(family, tmp_path / "denoiser.safetensors", single=True)
        files = self.kind.open_file(path)
        for name, other in others.items():
            opening.take_other(files, name, other, replace(OPTIONS, offline=True), self.kind)
        self.kind.complete(files, replace(OPTIONS, offline=True))
        for name, reader in family.tokenizers.items():
            assert files.tokenizers[name].text() == reader.tokenizer.text()
            files.tokenizers.pop(name)
        if any(spec.reads_text and spec.kind != "clip" for spec in self.kind.card.components):
            with pytest.raises(UserError, match=r"without a tokenizer \(text encoder .*into a folder beside"):
                self.kind.complete(files, replace(OPTIONS, offline=True))
        open_to_all = {spec.tokenizer_repo: tmp_path / spec.name for spec in self.kind.card.components}
        monkeypatch.setattr(opening, "model_path", lambda name, *_: open_to_all[name])
        if all(spec.tokenizer_repo for spec in self.kind.card.components if spec.kind in ("t5", "llm")):
            self.kind.complete(files, OPTIONS)
            assert files.tokenizers.keys() == family.tokenizers.keys()

    def test_padding_of_a_condition_is_counted(self, family: Family) -> None:
        condition = family.encode_text(PROMPTS)
        if condition.mask_BT is not None:
            assert list(condition.lengths) == condition.mask_BT.sum(dim=1).tolist()
            assert [len(text) for text in Condition.texts(condition)] == list(condition.lengths)
