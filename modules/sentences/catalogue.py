"""Every sentence about a problem, by its code: what is wrong, and what to do. A room is a table in tables/."""

from __future__ import annotations

from modules.sentences.tables import (
    adapters,
    check_captions,
    check_images,
    check_run,
    check_start,
    commands,
    data,
    events,
    memory_plan,
    models,
    preset_files,
    rules,
    run_folders,
    training,
    values,
)

TABLES = (
    adapters, check_captions, check_images, check_run, check_start, commands, data, events, memory_plan, models,
    preset_files, rules, run_folders, training, values,
)  # fmt: skip
CATALOGUE: dict[str, tuple[str, str]] = {code: row for table in TABLES for code, row in table.SENTENCES.items()}
