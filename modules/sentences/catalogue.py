"""Every sentence about a problem, by its code: what is wrong, and what to do. A room is a table in tables/."""

from __future__ import annotations

from modules.sentences.tables import (
    check_captions,
    check_images,
    check_run,
    check_start,
    data,
    files,
    preset_files,
    rules,
    run_folders,
    stages,
    training,
    values,
)

TABLES = (
    values,
    rules,
    preset_files,
    check_start,
    check_run,
    check_images,
    check_captions,
    data,
    files,
    run_folders,
    training,
    stages,
)
CATALOGUE: dict[str, tuple[str, str]] = {code: row for table in TABLES for code, row in table.SENTENCES.items()}
