"""What the text encoders will see of the captions, and what they will not."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from modules.check.captions import caption_files, common_tags, token_limits
from modules.check.captions.texts import Captions, ImageCaptions, captions_of, invisible_characters
from modules.check.context import CheckContext
from modules.check.wording import part_of, short
from modules.data.text.captions import caption_of_name, undrawn_caption, with_affixes
from modules.messages import Finding, Fix
from modules.preset.preset import Preset
from modules.sentences.problem import Problem, problem
from modules.sentences.render import fix
from modules.system.stamps import NO_STAMP

MISSING_SHARE = 0.05  # the share of images without a caption above which they spoil what the others teach
DUPLICATE_SHARE = 0.1  # the share of captions that stand beside several images above which it is worth a word
MUCH_DROPPED = 0.5
USUAL_DROPPED = 0.1
NAMED = 20
WILDCARD = re.compile(r"\{[^{}|]*\|[^{}]*\}")


def findings(context: CheckContext) -> Iterator[Finding]:
    """Yield what there is to say; nothing where there are no images."""
    if context.index is not None:
        yield from caption_files.findings(context.index)
    texts = captions_of(context)
    if texts is None:
        return
    yield from token_limits.findings(context, texts)
    yield from _missing(texts)
    yield from _dropped(context.preset)
    yield from _words(context.preset, texts)
    yield from _duplicates(texts)
    yield from _alternatives(texts)
    yield from _braces(texts)
    yield from _invisible(texts)
    yield from common_tags.findings(texts)


# Missing --------------------------------------------------------------------------------------------------------------


def _missing(texts: Captions) -> Iterator[Finding]:
    asked = [image for image in texts.images if texts.concept_of(image).captions != "none"]
    bare = [image for image in asked if image.lines == ("",)]
    if not bare:
        return
    concepts = {image.concept for image in bare}
    named = all(with_affixes("", texts.index.concepts[n]).strip() for n in concepts)
    yield Finding(
        "captions.missing:named" if named else "captions.missing",
        "warning" if not named and len(bare) >= MISSING_SHARE * len(asked) else "info",
        f"concepts.{bare[0].concept}.captions",
        {**part_of(len(bare), len(asked)), "reasons": _reasons(texts, bare), "ending": _ending(texts, concepts)},
        _by_names(texts, concepts),
        items=[texts.name_of(image) for image in bare[:NAMED]],
    )


def _reasons(texts: Captions, bare: list[ImageCaptions]) -> list[Problem]:
    reasons = Counter(_reason(texts, image) for image in bare)
    return [problem(code, count=count, ending="".join(endings[:1]), endings=list(endings))
            for (code, endings), count in reasons.most_common()]  # fmt: skip


def _reason(texts: Captions, image: ImageCaptions) -> tuple[str, tuple[str, ...]]:
    """Why an image has no caption, and the endings of the files that could hold one."""
    concept = texts.concept_of(image)
    if concept.captions != "file":
        return ("missing.filename" if concept.captions == "filename" else "missing.concept"), ()
    file = texts.file_of(image)
    endings = tuple(source.ending for source in concept.caption_files)
    parts = [key.rpartition(".") for key in file.source.caption_keys(file.key)]
    ways = [f"{stem}.{way}" for stem, _, ending in parts for way in (ending, ending.upper())]
    there = any(file.source.stamp(key) != NO_STAMP for key in ways)
    return ("missing.empty-file" if there else "missing.no-file"), endings


def _ending(texts: Captions, concepts: set[int]) -> str:
    sources = texts.index.concepts[min(concepts)].caption_files
    return sources[0].ending if sources else ".txt"


def _by_names(texts: Captions, concepts: set[int]) -> list[Fix]:
    """Take the files' names, where no image of these concepts has a caption and all names say something."""
    for image in texts.images:
        if image.concept in concepts:
            by_file = texts.concept_of(image).captions == "file" and image.lines == ("",)
            if not by_file or not caption_of_name(texts.name_of(image)):
                return []
    changes = {f"concepts.{number}.captions": "filename" for number in sorted(concepts)}
    return [fix("fix.captions-from-names", changes)]


def _dropped(preset: Preset) -> Iterator[Finding]:
    much = {n: c for n, c in enumerate(preset.concepts) if c.enabled and c.caption_dropout >= MUCH_DROPPED}
    if not much:
        return
    number, worst = max(much.items(), key=lambda each: each[1].caption_dropout)
    changes = {f"concepts.{n}.caption_dropout": USUAL_DROPPED for n in much}
    yield Finding(
        "captions.dropped",
        "warning",
        f"concepts.{number}.caption_dropout",
        {"share": worst.caption_dropout, "usual": USUAL_DROPPED},
        [fix("fix.dropout", changes, share=USUAL_DROPPED)],
    )


# Words, repetitions, signs --------------------------------------------------------------------------------------------


def _words(preset: Preset, texts: Captions) -> Iterator[Finding]:
    """Tokens that some captions of a concept hold and others lack; a concept without the token may be meant so."""
    for word in preset.words:
        without, among = list[ImageCaptions](), 0
        for number in {image.concept for image in texts.images}:
            concept = texts.index.concepts[number]
            members = [image for image in texts.images if image.concept == number]
            holds = [all(word.token.lower() in undrawn_caption(line, concept).lower() for line in image.lines)
                     for image in members]  # fmt: skip
            if any(holds):
                among += len(members)
                without += [image for image, has_word in zip(members, holds, strict=True) if not has_word]
        if without:
            yield Finding(
                "captions.word",
                "warning",
                f"concepts.{without[0].concept}.prefix",
                {**part_of(len(without), among), "token": word.token},
                items=[texts.name_of(image) for image in without[:NAMED]],
            )


def _duplicates(texts: Captions) -> Iterator[Finding]:
    """Captions that stand beside several images, where they were written one by one."""
    own = Counter[str]()
    for (number, line), times in texts.times.items():
        if line and texts.index.concepts[number].captions in ("file", "filename"):
            own[line] += times
    total, twice = own.total(), {line: times for line, times in own.items() if times > 1}
    if len(own) == 1 and total > 1:
        yield Finding("captions.same", "info", "concepts", {"count": total, "caption": short(next(iter(own)))})
    elif sum(twice.values()) > DUPLICATE_SHARE * total:
        yield Finding(
            "captions.duplicates",
            "info",
            "concepts",
            part_of(sum(twice.values()), total),
            items=[f"{short(line)} ({times:,})" for line, times in Counter(twice).most_common(NAMED)],
        )


def _alternatives(texts: Captions) -> Iterator[Finding]:
    filed = [image for image in texts.images if texts.concept_of(image).caption_files]
    several = [image for image in filed if any(len(own) > 1 for own in image.caption_texts)]
    if several:
        yield Finding(
            "captions.alternatives",
            "info",
            f"concepts.{several[0].concept}.wrapped",
            part_of(len(several), len(filed)),
            items=[texts.name_of(image) for image in several[:NAMED]],
        )


def _braces(texts: Captions) -> Iterator[Finding]:
    """Wildcards that nobody draws from."""
    found = [
        image for image in texts.images
        if not texts.concept_of(image).wildcards and any(WILDCARD.search(line) for line in image.lines)
    ]  # fmt: skip
    if found:
        numbers = sorted({image.concept for image in found})
        yield Finding(
            "captions.braces",
            "info",
            f"concepts.{numbers[0]}.wildcards",
            {"count": len(found)},
            [fix("fix.wildcards", {f"concepts.{number}.wildcards": True for number in numbers})],
            items=[texts.name_of(image) for image in found[:NAMED]],
        )


def _invisible(texts: Captions) -> Iterator[Finding]:
    found = {
        image.row: (image, signs)
        for image in texts.images
        if (signs := list(invisible_characters("".join(image.lines))))
    }
    if found:
        items = [
            f"{texts.name_of(image)}: {', '.join(map(_character_name, signs))}"
            for image, signs in [*found.values()][:NAMED]
        ]
        yield Finding("captions.signs", "info", "concepts", {"count": len(found)}, items=items)


def _character_name(sign: str) -> str:
    return unicodedata.name(sign, f"control sign {ord(sign):02X}").lower()
