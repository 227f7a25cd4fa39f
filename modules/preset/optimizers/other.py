"""Any other optimizer of the libraries that are here, by its name.

A preset may come from a stranger. So only these libraries are ever imported, only a class that stands right in them is
taken, and its arguments are read as plain numbers, words and lists: nothing in them can run.
"""

from __future__ import annotations

import ast
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from modules.errors import BadValue
from modules.preset.optimizers.optimizer import Optimizer
from modules.preset.setting import Setting

LIBRARIES = (
    "torch.optim", "bitsandbytes.optim", "pytorch_optimizer", "prodigyopt", "prodigyplus", "schedulefree",
    "lion_pytorch",
)  # fmt: skip
TAKEN = ("lr", "params")  # what is not theirs to say
LONGEST = 500  # characters


def checked_name(name: str) -> str:
    """ "library:Class", from "library.Class" too.

    Raises:
        BadValue: it names something else.
    """
    match = re.fullmatch(r"([a-z_.]+)[:.]([A-Za-z][A-Za-z0-9]*)", name.strip())
    if not match or match[1] not in LIBRARIES:
        raise BadValue("value.optimizer-class", libraries=list(LIBRARIES))
    return f"{match[1]}:{match[2]}"


def read_arguments(text: str) -> dict[str, Any]:
    """What "betas=(0.9, 0.99), eps=1e-8" says.

    Raises:
        BadValue: it is not a list of that kind.
    """
    if len(text) > LONGEST:
        raise BadValue("value.string-too-long", max_length=LONGEST)
    try:
        call = ast.parse(f"dict({text}\n)", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError(text)
        found = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise BadValue("value.arguments") from error
    if len(found) < len(call.keywords):  # "**{...}", or a name twice
        raise BadValue("value.arguments")
    for name in TAKEN:
        if name in found:
            raise BadValue("value.argument-taken", name=name)
    return found


def _checked(text: str) -> str:
    read_arguments(text)
    return text


class Other(Optimizer):
    """Another, by its name"""

    kind: Literal["other"] = "other"
    per_tensor: ClassVar[bool] = False  # nobody knows
    synchronizes: ClassVar[bool] = True
    rates: ClassVar[tuple[float, float]] = (1e-3, 1e4)
    name: Annotated[str, AfterValidator(checked_name)] = Setting(
        "pytorch_optimizer:Yogi", "Optimizer class", level="expert", aliases="custom optimizer, pytorch_optimizer"
    )
    """The library and the class, such as "pytorch_optimizer:Yogi" or "torch.optim:Adamax". Allowed libraries:
    torch.optim, bitsandbytes.optim, pytorch_optimizer, prodigyopt, prodigyplus, schedulefree, lion_pytorch. It is
    tried out on two small weights first. Those that this list has by their own names are better taken from there."""
    arguments: Annotated[str, AfterValidator(_checked)] = Setting(
        "", "Optimizer arguments", level="expert", max_length=LONGEST, aliases="optimizer_args, optimizer_params"
    )
    """Arguments of the class, by name: "betas=(0.9, 0.99), eps=1e-8". Numbers, words, true or false, and lists. Empty:
    none."""

    @property
    def source(self) -> str:
        return self.name

    def keywords(self) -> dict[str, Any]:
        return read_arguments(self.arguments)
