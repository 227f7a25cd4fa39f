"""What turns an image and a prompt into tensors for a vision language model: transformers' own, without its videos.

Many of these processors read videos, too, and that part wants torchvision, which nothing else here needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from modules.errors import UserError

VIDEO = "video_processor"


def processor_of(folder: Path, name: str, config: Any) -> Any:
    """The processor of the model in a folder.

    Raises:
        UserError: a file of it is missing or damaged, or it needs what is not installed.
    """
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING  # noqa: PLC0415

    try:
        kind: Any = PROCESSOR_MAPPING[type(config)]
        own: Any = sys.modules[kind.__module__]
        if getattr(own, "num2words", own) is None:  # SmolVLM's spells the numbers of a video's frames with it
            own.num2words = str
        processor = _for_images(kind).from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise UserError("captioning.processor", folder=folder, name=name, reason=reason) from error
    processor.tokenizer.padding_side = "left"  # what is written goes on where the prompt ends
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _for_images(kind: Any) -> Any:
    if VIDEO not in kind.get_attributes():
        return kind

    class ForImages(kind):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in kind.get_attributes() if name != VIDEO]

        @classmethod
        def from_args_and_dict(cls, args: Any, processor_dict: dict[str, Any], **more: Any) -> Any:
            return super().from_args_and_dict([*args, None], processor_dict, **more)  # it is always the last

        video_processor = SimpleNamespace(num_frames=1, fps=1, max_frames=1)  # SmolVLM asks it for images, too

    ForImages.__name__ = kind.__name__
    return ForImages
