"""Whether there is something to measure on, and whether what is there is used."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.context import CheckContext
from modules.check.wording import counted
from modules.messages import Finding, Fix

FEW = 4  # images, from which a mean says little


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say."""
    index, settings = context.index, context.preset.validation
    if index is None:
        return
    idle = index.of_kind("validation").images
    if not settings.enabled:
        if idle:
            yield Finding(
                "validation.off",
                "know",
                f"{counted(idle, 'image')} of the kind validation {'is' if idle == 1 else 'are'} not used.",
                "They are there to be measured on, and validation is switched off.",
                "validation.enabled",
                [Fix("Switch validation on", {"validation.enabled": True})],
            )
        return
    validation_images = index.validation_images().images
    if not validation_images:
        yield Finding(
            "validation.nothing",
            "stop",
            "There is no image to measure on: no concept has two.",
            "Add a concept of the kind validation, or switch validation off.",
            "validation.enabled",
            [Fix("Switch validation off", {"validation.enabled": False})],
        )
    elif validation_images < FEW:
        yield Finding(
            "validation.few",
            "know",
            f"Validation measures on {counted(validation_images, 'image')} only.",
            "So few say little about others. More amounts of noise for each help a little, more images help more.",
            "concepts" if idle else "validation.share",
        )
