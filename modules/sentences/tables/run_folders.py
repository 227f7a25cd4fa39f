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
    "resume.unreadable": (
        "The run {folder} cannot be continued: no backup of it can be read. {first}",
        "Start a new run, without --resume.",
    ),
    "resume.damaged": (
        "The run {folder} cannot be continued: all {count} backups of it are damaged.",
        "Start a new run, without --resume.",
    ),
    "backup.lacks": (
        "The backup {folder} has no {part}: it was made with other settings.",
        "Continue with the preset of that run (preset.json in its folder), or start a new run.",
    ),
    "backup.misfit": (
        "The backup {folder} does not fit these settings: {part}: {reason}",
        "Continue with the preset of that run (preset.json in its folder), or start a new run.",
    ),
    "backup.skipped": ("The backup of step {step} is skipped: {file} cannot be read ({reason}).", ""),
    "folder.not-writable": ("Nothing can be written to {folder}.", "Choose another folder, or change its permissions."),
    "run.in-use": (
        "{folder} is in use by another Seachange{process}.",
        "Wait until that run has ended, or stop it there. A new run gets a folder of its own.",
    ),
    "run.process": (" (process {number})", ""),
    "run.no-folder": (
        "The folder {folder} cannot be made: {reason}.",
        "Choose another {path}, free some space, or change the permissions of the folder.",
    ),
    "model.exists": (
        "{path}: {file} exists already.",
        "Choose another path, move the old one away, or set {output.overwrite} to true.",
    ),
    "model.folder-for-file": (
        "{path}: {file} is a folder, which a file cannot replace.",
        "Choose another path, or move it away.",
    ),
    "model.file-for-folder": (
        "{path}: {file} is a file, which a folder cannot replace.",
        "Choose another path, or move it away.",
    ),
    # Disks that take nothing
    "disk.waits": ("{reason} {advice} The run then continues by itself.", ""),
    "disk.full-advice": ("Free some space.", ""),
    "disk.forbidden-advice": ("Change the permissions of the folder.", ""),
    "disk.gone-advice": ("Put the folder back, plug its disk in, or make an empty folder of that name.", ""),
    "disk.read-only-advice": ("Make the disk writable again.", ""),
    "disk.failing-advice": ("Check the disk and its cable.", ""),
    "disk.gave-up": ("{cause}{point}{model}", ""),
    "disk.not-written": ("{what:capital} was not written. {reason}", ""),
    "disk.model-later": (" Continuing the run writes the model.", ""),
    "disk.no-backup": (" There is no backup of this run: its {steps:# step is|# steps are} lost.", ""),
    "disk.lost": (" The last intact backup is from step {step}: {steps:# step is|# steps are} lost.", ""),
    "disk.nothing-lost": (" The last intact backup is from step {step}: nothing is lost.", ""),
    "disk.full": ("The disk with {place} is full: {free:bytes} free.", ""),
    "disk.full-needs": ("The disk with {place} is full: {free:bytes} free, {what} needs {size:bytes}.", ""),
    "disk.full-needs-more": (
        "The disk with {place} is full: {free:bytes} free, {what} needs more than {free:bytes}.",
        "",
    ),
    "disk.forbidden": ("There is no permission to write {what} to {place}.", ""),
    "disk.gone": ("{place} no longer exists: {what} cannot be written.", ""),
    "disk.read-only": ("The disk with {place} is read-only: {what} cannot be written.", ""),
    "disk.failing": ("The disk with {place} is failing ({reason}): {what} cannot be written.", ""),
}
