"""Problems of continuing a run: which one it is, and what its folder holds."""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    "resume.none-of-name": (
        'There is no run named "{name}" in {workspace} to continue.',
        "Start it without --resume, or name the folder of the run.",
    ),
    "resume.missing": (
        "There is no run {wanted}, and none of that name in {workspace}.",
        "Give the folder of a run, or only --resume for the newest run of this name.",
    ),
    "resume.no-run": (
        "{folder} is not the folder of a run: no settings, events or backup of one. Nothing in it was changed.",
        "Give the folder of a run, which holds preset.json, events.jsonl and backups.",
    ),
    "resume.backup": (
        "{folder} is a backup; a run always continues from its newest intact one.",
        "Give the folder of the run, {run}. To go back, move its newer backups away.",
    ),
    "save.name-taken": (
        "{file} is there already, and this run has not written it: the model is saved under another name.",
        "",
    ),
    "resume.other-settings": ("Continued with other settings: {changes:list}.", ""),
    "resume.setting": ("{path} {old} -> {new}", ""),
    "resume.which": ('Continuing "{name}", the newest run of this name{others}.', ""),
    "resume.others": ("; passed over: {names:list}", ""),
}
