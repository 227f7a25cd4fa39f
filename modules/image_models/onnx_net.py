"""Models that come as ONNX: taggers and background removers. Run by ONNX Runtime; no code of the file's author runs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.errors import UserError

CHANNELS = (1, 3, 4)
PROVIDERS = ("CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider")  # what is installed of these


class OnnxNet:
    """One model in memory, which takes one batch of images.

    Args:
        file: the .onnx file.
        threads: how many of the CPU's; 0 leaves it to ONNX Runtime.
        card: whether it may run on a graphics card, if what is installed of ONNX Runtime can.

    Raises:
        UserError: it is damaged, no ONNX file, or of a newer kind than is installed.
    """

    def __init__(self, file: Path, threads: int = 0, *, card: bool = True) -> None:
        import onnxruntime  # noqa: PLC0415

        runtime: Any = onnxruntime
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        usable = set(runtime.get_available_providers() if card else PROVIDERS[-1:])
        try:
            self._session: Any = runtime.InferenceSession(
                str(file), options, providers=[name for name in PROVIDERS if name in usable]
            )
        except Exception as error:  # a class for each kind of fault, of no common base
            raise UserError("onnx.damaged", file=file, error=_first_line(error)) from error
        self._file = file

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on the CPU."""
        return self._session.get_providers()[:1] == [PROVIDERS[-1]]

    @cached_property
    def layout(self) -> str:
        """ "NHWC" or "NCHW".

        Raises:
            UserError: its input is no batch of images.
        """
        shape = self._shape
        if shape[1] in CHANNELS:
            return "NCHW"
        if shape[3] in CHANNELS:
            return "NHWC"
        raise UserError("onnx.no-images", file=self._file, shape=[str(each) for each in shape])

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width in pixels that it takes; None for any.

        Raises:
            UserError: its input is no batch of images.
        """
        height, width = self._shape[2:4] if self.layout == "NCHW" else self._shape[1:3]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    @property
    def batched(self) -> bool:
        """Whether it takes several images at once."""
        return not isinstance(self._shape[0], int) or self._shape[0] > 1

    @property
    def outputs(self) -> dict[str, list[Any]]:
        """Names and shapes; a dimension without a fixed size is a word or None."""
        return {each.name: list(each.shape) for each in self._session.get_outputs()}

    def __call__(self, images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """(n, h, w, c) or (n, c, h, w), as `layout` says; every output by its name.

        Raises:
            UserError: it does not take these, or fails on the way.
        """
        names = list(self.outputs)
        try:
            return dict(zip(names, self._session.run(names, {self._input.name: images}), strict=True))
        except Exception as error:  # as above
            raise UserError("onnx.failed", file=self._file, error=_first_line(error)) from error

    @cached_property
    def _input(self) -> Any:
        given = self._session.get_inputs()
        if len(given) != 1 or len(given[0].shape) != 4 or given[0].type != "tensor(float)":
            shapes = [f"{each.name}: {each.type} {each.shape}" for each in given]
            raise UserError("onnx.no-images", file=self._file, shape=shapes)
        return given[0]

    @property
    def _shape(self) -> list[Any]:
        return list(self._input.shape)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
