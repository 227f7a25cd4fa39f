"""Whether there is something to measure on, and whether what is there is used."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.context import CheckContext
from modules.messages import Finding
from modules.sentences.render import fix

FEW = 4  # images, from which a mean says little


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say."""
    index, settings = context.index, context.preset.validation
    if index is None:
        return
    idle = index.of_kind("validation").images
    if not settings.enabled:
        if idle:
            switch_on = fix("fix.validation-on", {"validation.enabled": True})
            yield Finding("validation.off", "info", "validation.enabled", {"count": idle}, [switch_on])
        return
    measured = index.validation_images().images
    if not measured:
        switch_off = fix("fix.validation-off", {"validation.enabled": False})
        yield Finding("validation.nothing", "error", "validation.enabled", fixes=[switch_off])
    elif measured < FEW:
        path = "concepts" if idle else "validation.share"
        yield Finding("validation.few", "info", path, {"count": measured})
