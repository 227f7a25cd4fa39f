"""Another program's settings in the window: what would come of them here, and the list of what became of each."""

from __future__ import annotations

from typing import Any, cast

from app.gui.draft.preset_diff import with_preset_values
from app.gui.draft.problem_labels import WORDS
from app.gui.draft.state import values_of
from app.gui.draft.tree_edit import replaced
from app.gui.kit import Frame, Label, ScrollArea, px
from modules.exchange.imported import Imported
from modules.preset.paths import Values, get
from modules.preset.preset import Preset
from modules.preset.validate import preset_of, setting_paths

HIGH = 170
ORDER = ("none", "other", "default", "taken")  # what a person must look at comes first
ROLES = {"none": "changed", "other": "text", "default": "text2", "taken": "text2"}


def laid_over(mine: Values, imported: Imported) -> Preset:
    """The window's settings with theirs: the machine's stay, but for what their file says itself.

    Their concepts take the place of mine where they have folders; where a file only says how all images are read, it
    says so for each of mine.
    """
    theirs_whole = values_of(preset_of(_beneath(mine, imported.values))) if imported.partial else None
    new = with_preset_values(mine, theirs_whole or values_of(imported.preset))
    for path in setting_paths("machine"):
        if ".0." not in path and get(imported.values, path) not in (None, ""):
            new = replaced(new, path, get(imported.values, path))
    theirs = cast("list[Values]", imported.values.get("concepts") or [])
    if any(concept.get("path") for concept in theirs):
        return preset_of(replaced(new, "concepts", values_of(imported.preset)["concepts"]))
    own = cast("list[Values]", get(mine, "concepts") or [])
    for concept in theirs[:1]:
        said = {name: value for name, value in concept.items() if name not in ("kind", "subfolders", "repeats")}
        own = [{**each, **said} for each in own]
    return preset_of(replaced(new, "concepts", own))


def _beneath(mine: Values, theirs: Values) -> Values:
    """Theirs with mine beneath it; another kind of method or optimizer brings its own defaults."""
    found = dict(mine)
    for name, value in theirs.items():
        own = mine.get(name)
        same = (
            isinstance(own, dict) and isinstance(value, dict) and value.get("kind", own.get("kind")) == own.get("kind")
        )
        found[name] = _beneath(cast("Values", own), cast("Values", value)) if same else value
    return found


def show_rows(master: Any, imported: Imported) -> ScrollArea:
    """The list of what became of each of their settings, under a line that counts them."""
    frame = Frame(master)
    frame.pack(fill="both", expand=True, pady=(px(8), 0))
    Label(frame, f"{WORDS.what(imported.summary)}.", role="text2", wrap=True).pack(fill="x", pady=(0, px(4)))
    area = ScrollArea(frame)
    area.configure(height=px(HIGH))
    area.pack(fill="both", expand=True)
    for fate in ORDER:
        for row in imported.of(fate):
            Label(area.body, WORDS.line(row.problem), role=ROLES[fate], wrap=True).pack(fill="x", pady=px(2))
    return area
