"""The way to the card "Your own LoRA", which is imported when it is first shown."""

from __future__ import annotations

from app.gui.context import AppContext
from modules.system.bundled import is_bundled

KEY = "own_lora"  # of the window's state: "open", "closed", or "" until it was offered


def open_card(context: AppContext) -> None:
    """Show it; the example images of the tutorial leave, and come back with an undo. A run keeps its images."""
    draft = context.draft
    examples = [n for n, concept in enumerate(draft.get("concepts")) if is_bundled(str(concept["path"]))]
    if examples and not context.running.training:
        draft.remove("concepts", *examples)
    context.window_state.put(KEY, "open")
    context.go("general")
