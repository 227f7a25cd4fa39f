"""Models by their Hugging Face names: downloaded once, found again offline, and every refusal in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Protocol

from modules.errors import UserError
from modules.sentences.problem import Problem, problem
from modules.system.bundled import resolve
from modules.system.disks import free_bytes
from modules.system.reading import look_at
from modules.text import GB, MB

# Beside what is asked for of each component. Everything else in a repository (other formats, pictures) is left there.
ALWAYS = ("*model_index.json", "scheduler/*.json", "*tokenizer*/*")
TOKENIZER = ("tokenizer*.json", "vocab.json", "merges.txt", "spiece.model", "special_tokens_map.json")
# A component that is a repository of its own, such as another VAE, has its files outside of folders.
OUTSIDE = (
    "config.json", "preprocessor_config.json", "model*.safetensors*", "diffusion_pytorch_model*.safetensors*",
    *TOKENIZER,
)  # fmt: skip
PICKLED = ("pytorch_model*.bin*", "diffusion_pytorch_model*.bin*")  # where that is all a component has
IGNORED_FILES = (
    "*.msgpack",
    "*.onnx*",
    "*openvino*",
    "*non_ema*",
    "safety_checker/*",
    "feature_extractor/*",
    "*.fp16.*",
)
WEIGHTS = (".safetensors", ".bin", ".pth", ".onnx")
MARGIN = 2 * GB  # which a download leaves free
WORTH_SAYING = 10 * MB  # configs and tokenizers are fetched without a word


# Tokens by their form, and whatever stands where one usually does: in a header, before the @ of an address, in a query.
SECRET = re.compile(r"hf_\w+|(?<=//)[^/@\s]+(?=@)|(?i:(?<=bearer )\S+|(?<=token=)[^&\s]+|(?<=signature=)[^&\s]+)")


def redact_secrets(text: str) -> str:
    """A message of the hub's library, with nothing in it that would open a door."""
    return SECRET.sub("***", text)


def looks_like_hub_name(name: str) -> bool:
    """`owner/model`, and not a path: those begin with a dot, a slash, a drive or a home, or name a file."""
    return re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", name) is not None and not name.endswith(
        (".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin", ".onnx")
    )


def missing_model(name: str) -> Problem | None:
    """Why nothing can be opened under this name; None if a file or folder is there, or it may be a hub model's name.

    Looks at the path alone. What the system does not show is not called missing: opening it tells the reason.
    """
    try:
        path = resolve(name)
        look_at(path)
    except UserError as error:
        return error.problem
    except OSError:
        return None
    return None if path.exists() or looks_like_hub_name(name) else problem("model.not-there", name=name)


def is_downloaded(name: str, cache: Path | None = None) -> bool:
    """Whether weights of a hub model were downloaded before. Looks at names alone, and asks no network."""
    from huggingface_hub import constants  # noqa: PLC0415

    snapshots = _place_of(name, cache or Path(constants.HF_HUB_CACHE)) / "snapshots"
    return any(path.suffix in WEIGHTS and path.exists() for path in snapshots.glob("*/*"))


class HubApi(Protocol):
    """What is asked of Hugging Face before a download: an `HfApi`."""

    def model_info(self, repo_id: str, *, files_metadata: bool) -> Any: ...
    def auth_check(self, repo_id: str) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What of a model is asked for."""

    folders: tuple[str, ...]  # those with weights, the denoiser's first
    alone: bool = False  # one component, which may be a repository of its own
    tokenizer: bool = False  # nothing but the tokenizer of such a repository
    files: tuple[str, ...] = ()  # nothing but these, by patterns

    @property
    def ignored(self) -> tuple[str, ...]:
        """What is left there though a pattern has it; who names files means them."""
        return () if self.files else IGNORED_FILES

    def patterns(self, ending: str) -> tuple[str, ...]:
        """The names of files to fetch; `ending` of those with weights."""
        if self.files:
            return self.files
        if self.tokenizer:
            return TOKENIZER
        configs = (f"{folder}/config.json" for folder in self.folders)
        weights = (f"{folder}/*.{ending}*" for folder in self.folders)
        return (*ALWAYS, *configs, *weights, *(OUTSIDE if self.alone else ()))

    def patterns_for(self, names: Iterable[str]) -> tuple[str, ...]:
        """Pickles only where there is nothing better: an old model has both, and they are as large again."""
        first, names = self.patterns("safetensors"), list(names)
        if self.alone and not self.files:
            tensors = [pattern for pattern in first if "safetensors" in pattern]
            return first if any(fnmatch(name, each) for name in names for each in tensors) else (*first, *PICKLED)
        plain = not self.folders or any(
            name.startswith(f"{self.folders[0]}/") and ".safetensors" in name for name in names
        )
        return first if plain else (*first, *self.patterns("bin"))


def download_model(
    name: str,
    wanted: Wanted,
    *,
    offline: bool = False,
    cache: Path | None = None,
    report: Callable[[Problem], None] = lambda _: None,
    api: HubApi | None = None,
) -> Path:
    """The folder of a hub model on this machine; the token comes from HF_TOKEN or the hub's own login.

    Args:
        cache: where downloads are kept, instead of the hub's own place.
        report: is given how much is fetched, before it is.

    Raises:
        UserError: unknown, gated, larger than the room on the disk, or there is no internet.
    """
    with _in_words(name, offline):
        patterns = None if offline else check_download(name, wanted, cache=cache, report=report, api=api)
        if patterns is not None:
            return _snapshot(name, patterns, wanted, offline, cache)
        folder = _snapshot(name, wanted.patterns("safetensors"), wanted, offline, cache)
        if wanted.alone or not wanted.folders or any(folder.glob(f"{wanted.folders[0]}/*.safetensors*")):
            return folder
        return _snapshot(name, wanted.patterns_for(()), wanted, offline, cache)


def check_download(
    name: str, wanted: Wanted, *, cache: Path | None, report: Callable[[Problem], None], api: HubApi | None = None
) -> tuple[str, ...] | None:
    """What is to be fetched, as patterns, after asking whether it may be and has room; None if nobody answers.

    Raises:
        UserError: gated, or larger than the room on the disk.
    """
    from huggingface_hub import HfApi, constants  # noqa: PLC0415
    from huggingface_hub.errors import GatedRepoError, HTTPError  # noqa: PLC0415 # pyright: ignore[reportPrivateImportUsage]
    from huggingface_hub.utils import filter_repo_objects  # noqa: PLC0415

    asked, place = api or HfApi(), cache or Path(constants.HF_HUB_CACHE)
    try:
        found = asked.model_info(name, files_metadata=True)
        files: list[Any] = found.siblings or []
        patterns = wanted.patterns_for(file.rfilename for file in files)
        chosen = filter_repo_objects(
            files, allow_patterns=[*patterns], ignore_patterns=[*wanted.ignored], key=lambda file: file.rfilename
        )
        missing = [file for file in chosen if not _is_here(file, name, place)]
        if missing and found.gated:
            asked.auth_check(name)
    except GatedRepoError as error:
        raise _gated(name, error) from error
    except (HTTPError, OSError):
        return None  # what was downloaded before may be enough
    size, free = sum(file.size or 0 for file in missing), free_bytes(place)
    if missing and size + MARGIN > free:
        raise UserError("hub.no-room", name=name, size=size, free=free, folder=place)
    if size >= WORTH_SAYING:
        report(problem("hub.downloading", name=name, size=size))
    return patterns


def _is_here(file: Any, name: str, cache: Path) -> bool:
    """Whether a file was downloaded before, also as part of another release of the model."""
    blob = file.lfs.sha256 if file.lfs else file.blob_id
    return bool(blob) and (_place_of(name, cache) / "blobs" / blob).is_file()


def _place_of(name: str, cache: Path) -> Path:
    return cache / f"models--{name.replace('/', '--')}"


@contextmanager
def _in_words(name: str, offline: bool) -> Generator[None]:
    """Raise what the hub's library raises as a UserError."""
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        HFValidationError,
        # Its network library's, whose name depends on the release; a connection that breaks is no OSError.
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )  # fmt: skip

    try:
        yield
    except GatedRepoError as error:
        raise _gated(name, error) from error
    except RepositoryNotFoundError as error:
        raise UserError("hub.no-model", name=name) from error
    except LocalEntryNotFoundError as error:
        raise UserError("hub.offline" if offline else "hub.unreachable", name=name) from error
    except HFValidationError as error:
        raise UserError("hub.name", name=name) from error
    except (HTTPError, OSError) as error:
        raise UserError("hub.download", name=name, reason=redact_secrets(str(error))) from error


def _gated(name: str, error: Any) -> UserError:
    """401 is said to who has no token, 403 to who has one that does not suffice."""
    known = getattr(error.response, "status_code", 401) == 403
    return UserError("hub.gated:logged-in" if known else "hub.gated", name=name)


def _snapshot(name: str, patterns: tuple[str, ...], wanted: Wanted, offline: bool, cache: Path | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    return Path(
        snapshot_download(
            name,
            allow_patterns=[*patterns],
            ignore_patterns=[*wanted.ignored],
            local_files_only=offline,
            cache_dir=cache,
        )
    )
