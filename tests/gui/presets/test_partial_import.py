"""A file that tells only a part: what it does not say stays in the window as it was."""

from app.gui.draft.state import values_of
from app.gui.presets.imported import laid_over
from modules.exchange.reading import read_text
from modules.preset.validate import preset_of


def test_a_list_of_images_changes_nothing_else() -> None:
    mine = values_of(preset_of({
        "training": {"learning_rate": 3e-4, "steps": 77}, "method": {"kind": "loha", "rank": 9},
        "concepts": [{"path": "/old"}],
    }))  # fmt: skip
    found = read_text('resolutions = [768]\n[[directory]]\npath = "/new"\nnum_repeats = 5\n', "a file")
    preset = laid_over(mine, found)
    assert [(concept.path, concept.repeats) for concept in preset.concepts] == [("/new", 5)]
    assert (preset.training.learning_rate, preset.training.steps, preset.training.resolution) == (3e-4, 77, 768)
    assert preset.method.model_dump()["rank"] == 9
