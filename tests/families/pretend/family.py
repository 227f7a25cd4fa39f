"""The pretend family: a flow whose DiT is asked in packed latents, with text from two CLIPs, a T5 and an LLM.

Shapes: B batch, T tokens, D widths, C latent channels, h w latent size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from modules.data.text.tokenizer import END, Tokenizer
from modules.diffusion.noise_schedule import NoiseSchedule
from modules.families.condition import Condition
from modules.families.family import LoadOptions
from modules.families.parts.model_files import ModelFiles
from modules.families.parts.objective import flow_from_config
from modules.families.parts.pipeline import DiffusersFamily
from modules.formats.layout import Layout, within
from tests.families.pretend.card import CARD

LONGEST = {"text_encoder_1": 10, "text_encoder_2": 10, "text_encoder_3": 24, "text_encoder_4": 8}


@dataclass(frozen=True)
class Reader:
    """One chunk of up to so many tokens; what goes beyond it is cut."""

    tokenizer: Tokenizer
    chunk_size: int

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.bpe.encode(text, add_special_tokens=False).ids

    def lengths(self, text: str) -> list[int]:
        ids = self.ids(text)
        return [len(ids[start : start + self.chunk_size]) for start in range(0, len(ids) or 1, self.chunk_size)]

    def fingerprint(self) -> str:
        return self.tokenizer.text()

    def read(self, text: str) -> list[int]:
        end = self.tokenizer.bpe.token_to_id(END)
        return [*self.ids(text)[: self.chunk_size], end]


@dataclass(frozen=True)
class PatchedLatents:
    """2x2 latents in one, brought to mean 0 and variance 1 by statistics that the VAE's file holds."""

    norm: Any

    def normalized(self, latents_BChw: Tensor) -> Tensor:
        packed = nn.functional.pixel_unshuffle(latents_BChw, 2)
        return (packed - self.norm.running_mean[:, None, None]) / self._spread

    def restored(self, latents_BChw: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(latents_BChw * self._spread + self.norm.running_mean[:, None, None], 2)

    @property
    def _spread(self) -> Tensor:
        return (self.norm.running_var + self.norm.eps).sqrt()[:, None, None]


class Pretend(DiffusersFamily):
    """A DiT and four text encoders."""

    name: ClassVar = "pretend"
    card: ClassVar = CARD
    layout: ClassVar = Layout(
        *within("transformer_blocks.{i}", "blocks.{i}", ("to_q + to_k + to_v", "qkv", "fuse"), ("to_out", "out")),
    )
    downscale = 16
    tokenizers: dict[str, Reader]

    def __init__(self, source: ModelFiles, options: LoadOptions, noise_schedule: NoiseSchedule) -> None:
        super().__init__(source, options, noise_schedule)
        self.channels *= 4

    @classmethod
    def noising_of(cls, files: ModelFiles, options: LoadOptions) -> NoiseSchedule:
        return flow_from_config(files.configs["scheduler"], options)

    def prepare(self, name: str, module: nn.Module) -> None:
        if self.card.component(name).kind == "clip":
            inner: Any = getattr(module, "text_model", module)
            inner.eos_token_id = self.tokenizers[name].tokenizer.bpe.token_to_id(END)

    # Text

    def reader(self, encoder: str) -> Reader:
        return Reader(self.source.tokenizers[encoder], LONGEST[encoder])

    def write_tokenizer(self, encoder: str, folder: Path) -> None:
        self.tokenizers[encoder].tokenizer.write(folder, LONGEST[encoder] + 2)

    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        """T5's states without padding; pooled vectors of both CLIPs; the LLM's states, of which padding counts too."""
        del weighted
        clip_1, clip_2 = (self._run(name, captions) for name in self.text_encoders[:2])
        pooled_BD = torch.cat([clip_1.pooler_output, clip_2.text_embeds], dim=-1)
        llm = self._run("text_encoder_4", captions, output_hidden_states=True).hidden_states[-2]
        lengths = [len(self.tokenizers["text_encoder_3"].read(caption)) for caption in captions]
        tokens_BTD = self._run("text_encoder_3", captions, attention=True).last_hidden_state[:, : max(lengths)]
        mask_BT = None
        if min(lengths) < max(lengths):
            mask_BT = torch.tensor([[i < n for i in range(max(lengths))] for n in lengths], device=tokens_BTD.device)
        return Condition(tokens_BTD, mask_BT, pooled_BD, extras={"llm": llm})

    def _run(self, encoder: str, captions: Sequence[str], *, attention: bool = False, **asked: Any) -> Any:
        reader, room = self.tokenizers[encoder], LONGEST[encoder] + 1
        read = [reader.read(caption) for caption in captions]
        ids_BT = torch.tensor([[*ids, *[0] * (room - len(ids))] for ids in read], device=self.options.device)
        if attention:
            rows = [[i < len(ids) for i in range(room)] for ids in read]
            asked["attention_mask"] = torch.tensor(rows, device=ids_BT.device).long()
        return cast("Any", self.component(encoder))(ids_BT, **asked)

    # Images

    @property
    def latents(self) -> PatchedLatents:
        return PatchedLatents(cast("Any", self.component("vae")).bn)

    # Denoising

    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        height, width = noisy_BChw.shape[2:]
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        places_N2 = torch.stack([rows.flatten(), columns.flatten()], dim=1).to(noisy_BChw.device)
        text, mask_BT = condition.tokens_BTD, condition.mask_BT
        if mask_BT is None:
            mask_BT = torch.ones(text.shape[:2], dtype=torch.bool, device=text.device)
        answer_BNC = cast("Any", self.component("denoiser"))(
            noisy_BChw.flatten(2).transpose(1, 2), time_B.float() / 1000, text, mask_BT, condition.extras["llm"],
            condition.pooled_BD, places_N2, condition.extras.get("guidance", torch.ones(len(text), device=text.device)),
        )  # fmt: skip
        return answer_BNC.transpose(1, 2).unflatten(2, (height, width))

    def modelspec(self) -> dict[str, str]:
        return {"modelspec.architecture": "pretend", "modelspec.prediction_type": "flow"}


FAMILY = Pretend
