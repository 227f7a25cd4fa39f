"""Files that strangers made: each is a regular file of a sane size before a byte of it is read.

A name in an archive can be a pipe that never ends, a link to /dev/zero, or a config of 300 MB.
"""

from __future__ import annotations

import errno
import json
import stat
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO, cast

from modules.errors import UserError
from modules.sentences.printable import printable
from modules.sentences.problem import Problem, problem
from modules.text import MB

MAX_HEADER_BYTES = 20 * MB  # of .safetensors; published models have a tenth, the format's own library reads 100
MAX_JSON_BYTES = 5 * MB  # configs, manifests, indexes, presets: the largest published ones have a tenth of it


def is_inside_name(name: str) -> bool:
    """Whether a name that a stranger wrote stays in the folder that it is joined to, on every system.

    "cats/tabby" does; what goes up, begins anew, or names a drive, a stream or another machine does not: to ask whether
    a file of another machine is there would already send Windows to it, with the user's credentials.
    """
    path = PureWindowsPath(name)  # knows both slashes, drives and shares
    return bool(path.parts) and not path.anchor and ".." not in path.parts and ":" not in name and "\0" not in name


def look_at(path: Path) -> None:
    """Let the system say why it does not even look at a path: permissions, a name that is too long.

    From Python 3.14 on, `Path.exists` and its kind call such a path missing. One that is missing passes.

    Raises:
        OSError: what the system says.
    """
    with suppress(FileNotFoundError, NotADirectoryError, ValueError):
        path.stat()


class UnusableFile(UserError, OSError):
    """What cannot be read as a file. For those who pass over what a disk does not give, an OSError as any other."""

    def __init__(self, what: Problem, path: Path) -> None:
        super().__init__(what)
        self.errno, self.strerror, self.filename = errno.EINVAL, "not a file that can be used", str(path)


def open_file(path: Path, most: int | None = None) -> BinaryIO:
    """A regular file to read from, of at most so many bytes.

    Raises:
        UnusableFile: it is a folder, a pipe or a device, or larger.
        OSError: it is not there, or the system does not give it.
    """
    about, name = path.stat(), printable(path, line=True)
    if stat.S_ISDIR(about.st_mode):
        raise UnusableFile(problem("read.folder", file=name), path)
    if not stat.S_ISREG(about.st_mode):
        raise UnusableFile(problem("read.not-a-file", file=name), path)
    if most is not None and about.st_size > most:
        raise UnusableFile(problem("read.too-large", file=name, size=about.st_size, most=most), path)
    return path.open("rb")


def read_bytes(path: Path, most: int = MAX_JSON_BYTES) -> bytes:
    """All of a small file; raises as `open_file`."""
    with open_file(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:  # /proc says of its files that they are empty
        raise UnusableFile(problem("read.too-large", file=printable(path, line=True), size=len(data), most=most), path)
    return data


def read_text(path: Path, most: int = MAX_JSON_BYTES) -> str:
    """All of a small file in UTF-8, with or without its mark.

    Raises:
        UnusableFile, OSError: as `open_file`.
        UnicodeDecodeError: it is no UTF-8. This is a ValueError, as what JSON raises.
    """
    return read_bytes(path, most).decode("utf-8-sig")


def read_json(path: Path, most: int = MAX_JSON_BYTES) -> Any:
    """What a small JSON file holds.

    Raises:
        UnusableFile, OSError: as `open_file`.
        ValueError: it is no JSON, or nested without end.
    """
    try:
        return json.loads(read_text(path, most))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error


def index_of(folder: Path) -> Path | None:
    """The file that says what classes a diffusers folder is made of; a modular pipeline's has another name."""
    names = ("model_index.json", "modular_model_index.json")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def safetensors_header(file: BinaryIO, path: Path) -> tuple[dict[str, Any], int]:
    """The header of a .safetensors file, and the place where its tensors begin."""
    length = int.from_bytes(file.read(8), "little")
    size = path.stat().st_size
    if size < 8 or length > MAX_HEADER_BYTES:
        raise UserError("weights.not-safetensors", file=path)
    if 8 + length > size:
        raise cut_short(path, 8 + length)
    try:
        header = json.loads(file.read(length), object_pairs_hook=_without_duplicate_keys)
    except (ValueError, RecursionError) as error:
        raise UserError("weights.header", file=path) from error
    if not isinstance(header, dict):
        raise UserError("weights.no-header", file=path)
    return cast("dict[str, Any]", header), 8 + length


def _without_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. A tensor that is listed twice would be another one for another program."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def cut_short(path: Path, expected: int) -> UserError:
    code = "weights.cut-short" if expected else "weights.ends-early"
    return UserError(code, file=path, size=path.stat().st_size, expected=expected)
