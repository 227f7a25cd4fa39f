"""What is made of images before they are learnt from: draws that are kept, sizes in turn, kinds of concepts."""

from __future__ import annotations

from collections.abc import Iterator

from modules.check.context import CheckContext
from modules.check.images.balance import ConceptShare, shares_of
from modules.data.buckets import resolutions_of
from modules.data.image.variants import variant_count
from modules.data.index import Index
from modules.messages import Finding
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix


def findings(context: CheckContext, index: Index) -> Iterator[Finding]:
    """Yield what there is to say of an index with one row for each image."""
    for share in shares_of(index):
        yield from _variants(context, share)
        yield from _several_resolutions(context, share)
    yield from _kinds(context, index)


def _variants(context: CheckContext, share: ConceptShare) -> Iterator[Finding]:
    """What random augmentation becomes of with a cache: never silently frozen."""
    concept, path, values = share.concept, f"concepts.{share.number}.variants", {"concept": share.title}
    if not concept.varies:
        return
    if context.family is not None and context.family.inpaints and concept.variants:
        return  # nothing of it is cached
    if not context.preset.general.cache_latents:
        return  # nothing at all is
    if concept.live:
        yield Finding("images.live", "info", path, values, [fix("fix.variants-8", {path: 8})])
    elif concept.variants == 1:
        ways = [fix("fix.variants-4", {path: 4}), fix("fix.variants-live", {path: 0})]
        yield Finding("images.frozen", "warning", path, values, ways)
    else:
        images = variant_count(concept) * share.images
        yield Finding("images.variants", "info", path, {**values, "variants": concept.variants, "images": images})


def _several_resolutions(context: CheckContext, share: ConceptShare) -> Iterator[Finding]:
    sizes = resolutions_of(context.preset, share.concept)
    if len(sizes) < 2:
        return
    yield Finding(
        "images.in-turn",
        "info",
        f"concepts.{share.number}.resolutions" if share.concept.resolutions else "training.resolutions",
        {"concept": share.title, "count": len(sizes), "sizes": ", ".join(map(str, sizes))},
    )


def _kinds(context: CheckContext, index: Index) -> Iterator[Finding]:
    """Which images are not simply trained on."""
    images = index.images_of()
    counts = {
        kind: int(sum(images[n] for n, concept in enumerate(index.concepts) if concept.kind == kind))
        for kind in ("class", "prior", "validation")
    }
    kinds = [problem(f"kinds.{kind}", count=count) for kind, count in counts.items() if count]
    if kinds:
        balance = [Problem("kinds.balanced")] if context.preset.prior.balance else []
        yield Finding("images.kinds", "info", "concepts", {"kinds": kinds, "balance": balance})
