"""The paths in a preset, made absolute: what a run writes down means the same from everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modules.preset.preset import Preset
from modules.preset.sections.method import Adapter
from modules.preset.sections.sampling import Sampling
from modules.system.bundled import in_program_folder, is_bundled


def with_absolute_paths(preset: Preset) -> Preset:
    """The same preset with absolute paths, so that the copy in the folder of the run means the same from everywhere."""

    def full(path: str) -> str:
        return path if not path or is_bundled(path) else str(Path(path).expanduser().absolute())

    general, model = preset.general, preset.model
    laid = model.training_adapters
    workspace = str(in_program_folder(general.workspace))
    cache = str(in_program_folder(general.cache) if general.cache else Path(workspace) / "cache")
    here = {
        name: full(value) for name in ("source", "vae") if Path(value := getattr(model, name)).expanduser().exists()
    }
    return preset.model_copy(
        update={
            "general": general.model_copy(update={"workspace": workspace, "cache": cache}),
            "model": model.model_copy(
                update={name: path for name, path in here.items() if path}
                | {"training_adapters": tuple(each.model_copy(update={"path": full(each.path)}) for each in laid)}
            ),
            "concepts": tuple(c.model_copy(update={"path": full(c.path)}) for c in preset.concepts),
            "method": _method_with_absolute_paths(preset, full),
            "words": tuple(word.model_copy(update={"file": full(word.file)}) for word in preset.words),
            "output": preset.output.model_copy(update={"path": full(preset.output.path)}),
            "sampling": _sampling_with_absolute_paths(preset.sampling, full),
        }
    )


def _method_with_absolute_paths(preset: Preset, full: Callable[[str], str]) -> Any:
    """The method, with the place of the file that it goes on from."""
    if not isinstance(preset.method, Adapter):
        return preset.method
    return preset.method.model_copy(update={"start_from": full(preset.method.start_from)})


def _sampling_with_absolute_paths(sampling: Sampling, full: Callable[[str], str]) -> Sampling:
    return sampling.model_copy(
        update={
            "lora_folder": full(sampling.lora_folder),
            "loras": tuple(lora.model_copy(update={"path": full(lora.path)}) for lora in sampling.loras),
            "prompts": tuple(
                prompt.model_copy(update={"image": full(prompt.image), "mask": full(prompt.mask)})
                for prompt in sampling.prompts
            ),
        }
    )
