"""Images, masks and captions that cannot be used."""

SENTENCES: dict[str, tuple[str, str]] = {
    "image.unusable": (
        "{file} cannot be used: {reason}.",
        "Copy it again or save it anew with an image editor, or take it out of the folder.",
    ),
    "image.too-large": ("{file} cannot be used: {reason}.", "Make it smaller, or take it out of the folder."),
    "image.changed": ("{file} cannot be used: {reason}.", "Start the run again."),
    "mask.unusable": ("The mask {file} cannot be used: {reason}.", "Save it again with an image editor, or delete it."),
    "samples.cannot-be-made": ("The samples cannot be made", ""),
    "tokens.without-caption": ("These tokens could not be learned, because no caption holds them", ""),
    "token.without-caption": (
        '{token}: put it into the captions, for example with concepts.0.prefix "{token} ".',
        "",
    ),
    "tokens.wrong": ("The new tokens cannot be learned as they are", ""),
    "token.characters": ('"{token}" has other characters than letters, digits, < > - and _.', ""),
    "token.twice": ('"{token}" is there twice, or differs from another only in < > or upper case.', ""),
    "concepts.unreadable": ("Some concepts cannot be read", ""),
    "captions.unreadable": ("{count:# caption file|# caption files} cannot be read", ""),
    "captions.changed": (
        "Another program has changed these captions meanwhile; nothing was written. Open the page anew",
        "",
    ),
}
