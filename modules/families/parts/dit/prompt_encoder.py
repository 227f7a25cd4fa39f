"""Text encoders that read a caption as a prompt: T5 and language models. A family says how, as a row.

Shapes: B captions, T tokens, D width of the states.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from modules.data.text.tokenizer import Tokenizer
from modules.families.condition import Condition
from modules.system.devices import to_device

# Of a tokenizer's folder: all that any program may want of it
TOKENIZER_FILES = ("*.json", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True)
class PromptFormat:
    """What stands around a caption, and how long the whole may be.

    Token ids are those of the whole text, as the pipelines of diffusers have them: what is too long loses its end,
    with the words behind the caption.
    """

    longest: int  # tokens of the whole prompt
    before: str = ""
    after: str = ""
    ending: str = ""  # what stands behind all that, whatever is cut
    closed: bool = False  # whether the tokenizer ends every text with a mark of its own (T5), which is never cut
    never: str = ""  # a mark that captions may not hold, and that is taken out


class PromptReader:
    """From captions to the token ids of one text encoder."""

    def __init__(self, tokenizer: Tokenizer, form: PromptFormat) -> None:
        self.tokenizer, self.form = tokenizer, form
        self.chunk_size = max(1, form.longest - len(self._encoded("")))
        self.padding = tokenizer.bpe.token_to_id(tokenizer.padding) or 0

    def ids(self, text: str) -> list[int]:
        """The ids of a caption alone."""
        return self.tokenizer.bpe.encode(text, add_special_tokens=False).ids

    def lengths(self, text: str) -> list[int]:
        """How many tokens each chunk would hold if there could be any number; only the first is read."""
        count = len(self.ids(text))
        return [min(self.chunk_size, count - start) for start in range(0, count or 1, self.chunk_size)]

    def fingerprint(self) -> str:
        side = " left" if self.tokenizer.pads_left else ""
        text = f"{self.form} {self.tokenizer.padding}{side} {self.tokenizer.text()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def read(self, caption: str) -> list[int]:
        """The ids of the whole prompt, no more than the encoder is given."""
        found, longest = self._encoded(caption), self.form.longest
        if len(found) <= longest:
            return found
        kept = 1 if self.form.closed else len(self.ids(self.form.ending))
        return [*found[: longest - kept], *found[len(found) - kept :]]

    def token_lengths(self, captions: Sequence[str]) -> list[int]:
        """How many tokens each whole prompt has."""
        return [len(self.read(caption)) for caption in captions]

    def padded(self, captions: Sequence[str], length: int = 0) -> tuple[Tensor, Tensor]:
        """Token ids (B, T) filled up at the tokenizer's side, and which of them are no padding, (B, T) bool.

        `length`: of all rows; 0: of the longest.
        """
        rows = [torch.tensor(self.read(caption), dtype=torch.long) for caption in captions]
        if length:
            rows.append(torch.zeros(length, dtype=torch.long))
        left = self.tokenizer.pads_left
        side = "left" if left else "right"
        ids_BT = pad_sequence(rows, batch_first=True, padding_value=self.padding, padding_side=side)
        lengths_B = torch.tensor([len(row) for row in rows])
        mask_BT = torch.arange(ids_BT.shape[1])[None] < lengths_B[:, None]
        mask_BT = mask_BT.flip(1) if left else mask_BT
        return (ids_BT[:-1], mask_BT[:-1]) if length else (ids_BT, mask_BT)

    def write(self, folder: Path) -> None:
        """The tokenizer's folder, as it was found; where it came from elsewhere, what today's programs need of it."""
        source = Path(self.tokenizer.where)
        folder.mkdir(parents=True)
        if source.is_dir():
            for pattern in TOKENIZER_FILES:
                for path in source.glob(pattern):
                    shutil.copyfile(path, folder / path.name)
        else:
            self.tokenizer.bpe.save(str(folder / "tokenizer.json"), pretty=False)
            side = "left" if self.tokenizer.pads_left else "right"
            about = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": self.tokenizer.padding}
            text = json.dumps({**about, "padding_side": side}) + "\n"
            (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")

    def _encoded(self, caption: str) -> list[int]:
        said = caption.replace(self.form.never, "") if self.form.never else caption
        text = f"{self.form.before}{said}{self.form.after}{self.form.ending}"
        return self.tokenizer.bpe.encode(text, add_special_tokens=self.form.closed).ids


def states_after(
    encoder: nn.Module, counts: Sequence[int], ids_BT: Tensor, mask_BT: Tensor, **also: Any
) -> list[Tensor]:
    """What a language model says after so many of its layers, before any last norm: (B, T, D) for each count.

    `counts` may be below 0, from the end of the layers that the encoder has here. `also`: what else it is asked with.
    """
    layers = cast("Any", encoder).layers
    found: dict[int, Tensor] = {}
    with ExitStack() as hooks:
        for count in counts:

            def keep(_module: nn.Module, _inputs: Any, said: Any, count: int = count) -> None:
                found[count] = said[0] if isinstance(said, tuple) else said

            hooks.enter_context(layers[count - 1 if count > 0 else count].register_forward_hook(keep))
        encoder(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False, **also)
    return [found[count] for count in counts]


def without_padding(states_BTD: Tensor, mask_BT: Tensor, lengths: Sequence[int]) -> Condition:
    """A condition whose padding, at the end of each row, is masked and no longer than the longest caption."""
    longest = max(lengths)
    masked = min(lengths) < longest
    on_device = to_device(mask_BT[:, :longest], states_BTD.device) if masked else None
    return Condition(states_BTD[:, :longest], on_device, lengths=tuple(lengths))
