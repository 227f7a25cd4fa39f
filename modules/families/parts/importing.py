"""Imports of diffusers and transformers without what nobody needs of them."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast


@contextmanager
def without_bitsandbytes() -> Generator[None]:
    """Import models without bitsandbytes, which diffusers and peft load for quantized models if it is installed.

    That costs 0.8 s and a message about kernels, and nothing here is quantized. Neither has a switch for it; a name
    that is None in `sys.modules` is one that cannot be imported. What is imported already stays.
    """
    from diffusers.utils import import_utils  # noqa: PLC0415

    name = "bitsandbytes"
    if name in sys.modules:
        yield
        return
    there: bool = import_utils._bitsandbytes_available  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownMemberType]
    sys.modules[name] = cast("Any", None)
    import_utils._bitsandbytes_available = False  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    try:
        yield
    finally:
        del sys.modules[name]
        import_utils._bitsandbytes_available = there  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
