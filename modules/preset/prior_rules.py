"""Rules about what keeps a model from forgetting."""

from __future__ import annotations

from collections.abc import Iterator

from modules.preset.preset import Preset


def unlearnt(preset: Preset) -> Iterator[str]:
    """Images of every kind but one to learn from."""
    kinds = {concept.kind for concept in preset.concepts if concept.enabled}
    if kinds and "train" not in kinds:
        yield (
            f"concepts: all of them are of the kind {' or '.join(sorted(kinds))}, and nothing is to be learnt. Set the "
            "kind of one of them to train."
        )


def undrawn(preset: Preset) -> Iterator[str]:
    """Class images of nobody knows what."""
    made = preset.prior.made
    if made.count and not made.prompts.strip():
        yield (
            f"prior.made.count {made.count} asks for class images, and prior.made.prompts says nothing. Write what to "
            'draw, such as "a photo of a dog", or set prior.made.count to 0.'
        )
