"""Command lines of sd-scripts, from a shell or a batch file: words are taken apart, nothing is run."""

from __future__ import annotations

import re
import shlex
from typing import Any

from modules.preset.paths import Values

SCRIPT = re.compile(r"([\w-]+)\.py$")
MOST = 5000  # words
SEVERAL = ("network_args", "optimizer_args", "lr_scheduler_args", "text_encoder_lr", "base_weights",
           "base_weights_multiplier", "schedulefree_wrapper_args")  # fmt: skip


def joined(text: str) -> str:
    """A command on one line: continuations of Unix, of cmd and of PowerShell are taken away, comments too."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|rem\b|::|@echo)", line, re.IGNORECASE)]
    return re.sub(r"[\\^`]\s*\n", " ", "\n".join(lines) + "\n")


def words_of(text: str) -> list[str]:
    """Its words; a quote that does not end, and backslashes of Windows' paths, are taken as they stand."""
    flat = joined(text).replace("\n", " ")
    windows = bool(re.search(r"[A-Za-z]:\\", flat))
    try:
        words = shlex.split(flat.replace("\\", "\\\\") if windows else flat, posix=True)
    except ValueError:
        words = flat.split()
    return words[:MOST]


def recognizes(text: str) -> bool:
    """Whether a text is such a command: it has options, and names one of its programs or of its settings."""
    return len(re.findall(r"(?:^|\s)--\w+", text)) >= 3 and bool(
        re.search(r"(train\w*|fine_tune|_network)\.py|--pretrained_model|--network_module|--train_batch_size", text)
    )


def script_of(text: str) -> str:
    """The last part of the program's name: "sdxl_train_network"."""
    last = (word.replace("\\", "/").rpartition("/")[2] for word in words_of(text))
    names = [match[1] for name in last if (match := SCRIPT.search(name))]
    return next((name for name in names if "train" in name or "fine_tune" in name), "")


def arguments_of(text: str) -> Values:
    """The options by their names: `--name value`, `--name=value`, several values for those that take them."""
    found: Values = {}
    name = ""
    for word in words_of(text):
        if match := re.match(r"--([A-Za-z]\w*)(?:=(.*))?$", word, re.DOTALL):
            name = match[1]
            found[name] = True if match[2] is None else match[2]
        elif name in SEVERAL:
            before: Any = found[name]
            found[name] = [*(before if isinstance(before, list) else [] if before is True else [before]), word]
        elif name and found[name] is True:
            found[name] = word
    return {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in found.items()}
