"""Models by their Hugging Face names: downloaded once, found again offline, and every refusal in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from modules.errors import UserError
from modules.sentences.problem import Problem, problem
from modules.system.bundled import resolve
from modules.system.reading import look_at

# Beside the folders with weights. Everything else in a repository (other formats, pictures) is left there.
ALWAYS = ("model_index.json", "*/config.json", "scheduler/*.json", "tokenizer*/*")
IGNORED_FILES = (
    "*.msgpack",
    "*.onnx*",
    "*openvino*",
    "*non_ema*",
    "safety_checker/*",
    "feature_extractor/*",
    "*.fp16.*",
)


# Tokens by their form, and whatever stands where one usually does: in a header, before the @ of an address, in a query.
SECRET = re.compile(r"hf_\w+|(?<=//)[^/@\s]+(?=@)|(?i:(?<=bearer )\S+|(?<=token=)[^&\s]+|(?<=signature=)[^&\s]+)")


def redact_secrets(text: str) -> str:
    """A message of the hub's library, with nothing in it that would open a door."""
    return SECRET.sub("***", text)


def looks_like_hub_name(name: str) -> bool:
    """`owner/model`, and not a path: those begin with a dot, a slash, a drive or a home, or name a file."""
    return re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", name) is not None and not name.endswith(
        (".safetensors", ".gguf", ".ckpt", ".pt", ".bin")
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


def download_model(name: str, folders: Sequence[str], *, offline: bool = False, cache: Path | None = None) -> Path:
    """The folder of a hub model on this machine; the token comes from HF_TOKEN or the hub's own login.

    Args:
        folders: those with weights, the denoiser's first.
        cache: where downloads are kept, instead of the hub's own place.

    Raises:
        UserError: unknown, gated, or there is no internet.
    """
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        HFValidationError,
        # Its network library's, whose name depends on the release; a connection that breaks is no OSError.
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )  # fmt: skip

    try:
        wanted = (*ALWAYS, *(f"{each}/*.safetensors*" for each in folders))
        folder = _snapshot(name, wanted, offline, cache)
        # Pickles only where there is nothing better: an old model has both, and they are as large again.
        if any(folder.glob(f"{folders[0]}/*.safetensors*")):
            return folder
        return _snapshot(name, (*wanted, *(f"{each}/*.bin*" for each in folders)), offline, cache)
    except GatedRepoError as error:
        raise UserError("hub.gated", name=name) from error
    except RepositoryNotFoundError as error:
        raise UserError("hub.no-model", name=name) from error
    except LocalEntryNotFoundError as error:
        raise _unreachable(name, offline) from error
    except HFValidationError as error:
        raise UserError("hub.name", name=name) from error
    except (HTTPError, OSError) as error:
        raise UserError("hub.download", name=name, reason=redact_secrets(str(error))) from error


def _snapshot(name: str, patterns: tuple[str, ...], offline: bool, cache: Path | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    return Path(
        snapshot_download(
            name,
            allow_patterns=[*patterns],
            ignore_patterns=[*IGNORED_FILES],
            local_files_only=offline,
            cache_dir=cache,
        )
    )


def _unreachable(name: str, offline: bool) -> UserError:
    if offline:
        return UserError("hub.offline", name=name)
    return UserError("hub.unreachable", name=name)
