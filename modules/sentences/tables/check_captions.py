"""The check before a run: captions, their tags, and how long they are for the text encoders."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    # Files
    "captions.unreadable": (
        "{part:,} of {whole:# image|# images} ({share:percent}) will be skipped, as {part:its caption|their captions} "
        "cannot be read.",
        "Write {part:it|them} again on the page Captions, or save {part:it|them} as UTF-8 in a text editor."),
    "captions.legacy": (
        "{count:# caption file is|# caption files are} not in UTF-8 and {count:was|were} read as Windows-1252.",
        "If the accents and quotes below are right, convert {count:it|them}. If not, save {count:it|them} as UTF-8 "
        "with the program that wrote {count:it|them}."),
    "captions.near-miss": (
        "{count:# caption file has|# caption files have} almost the name of an image that has no caption.",
        "As {count:it is|they are} now, {count:it belongs|they belong} to no image. A caption has the name of its "
        "image, with another ending."),
    "fix.to-utf8": ("Convert {count:# file|# files} to UTF-8", ""),
    "fix.rename-captions": ("Rename {count:# caption file|# caption files}", ""),
    # Words
    "captions.missing": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:has|have} no caption: {reasons:list}.",
        "They train the empty prompt; a trigger word will not learn from them. Write a {ending} file of the same name "
        "beside each image, or choose where else captions come from."),
    "captions.missing:named": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:has|have} no caption: {reasons:list}.",
        "They get only the trigger word, prefix and suffix of their concept. Write a {ending} file of the same name "
        "beside each image, or choose where else captions come from."),
    "missing.empty-file": ("{count:,} with an empty {ending} file", ""),
    "missing.no-file": ("{count:,} without a {endings:or} file", ""),
    "missing.filename": ("{count:,} whose file name says nothing", ""),
    "missing.concept": ("{count:,} of a concept whose caption for all is empty", ""),
    "fix.captions-from-names": ("Take the file names as captions", ""),
    "captions.dropped": ("The caption is dropped {share:percent} of the time.",
        "Little is then learned of what the words mean. Usual is {usual:g}, or 0."),
    "fix.dropout": ("Drop {share:percent}", ""),
    "captions.word": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:lacks|lack} the token {token} in "
        "{part:its|their} caption.",
        "They teach it nothing, and cost time. Put it into their captions, or into the prefix of their concept."),
    "captions.same": ('All {count:,} captions are the same: "{caption}".',
        "Everything that the images have in common is then learned with these words: the background and the light as "
        "well. Captions that name what differs keep that out."),
    "captions.duplicates": (
        "{part:,} of {whole:# caption|# captions} ({share:percent}) {part:is|are} used by several images.",
        "Give images that differ different captions."),
    "captions.alternatives": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:has|have} a caption of several lines.",
        "Each line is a caption of its own, and one is chosen at random each time. If a caption was only wrapped, "
        "switch {path} on."),
    "captions.braces": (
        "{count:# caption has|# captions have} words in braces with a bar between, which are read as they are.",
        "If one of these words is to be chosen at random each time, switch {path} on."),
    "fix.wildcards": ("Choose one of them", ""),
    "captions.signs": ("{count:# caption has|# captions have} invisible characters.",
        "The text encoder reads them as if they were letters. They come from copied text, or from a file that was "
        "converted wrongly: delete them."),
    # Tags
    "captions.tags": (
        'The most common of {tags:# tag|# tags} is "{tag}": it is in {part:,} of {whole:# caption|# captions}.',
        "What nearly every image shows is learned with the tags that nearly every caption has. A tag for something "
        "that is to be changed later (clothes, a background) should not be in all of them."),
    "captions.rare-tags": ("{part:,} of {whole:# tag|# tags} ({share:percent}) {part:is|are} in one caption only.",
        "A tag is hardly learned from one image. Look for misspelt tags, and for other words for a common tag."),
    "captions.variants": ("{count:# tag is|# tags are} written in more than one way.",
        "Spaces, underscores, hyphens and spellings make other tags for the encoder, and each way is learned from "
        "fewer images. Upper case makes no difference to it. Choose one way; the page Captions merges them."),
    # Length
    "encoders": ("{count:text encoder|text encoders} {numbers:list}", ""),
    "captions.long": (
        "{part:,} of {whole:# caption|# captions} ({share:percent}) {part:is|are} longer than the {chunk} tokens of "
        "{encoders}.",
        "They are read in up to {needed} chunks of {chunk}, and nothing is cut: the longest has {longest:,} tokens. "
        "One more chunk costs a little memory and time."),
    "captions.cut": (
        "{part:,} of {whole:# caption|# captions} ({share:percent}) {part:is|are} cut after {most:# chunk|# chunks} of "
        "{chunk} tokens by {encoders}; {lost} never read.",
        "What is cut off is never learned, and what it shows is learned as part of the rest. The longest has "
        "{longest:,} tokens. Raise {model.max_chunks} to {needed}."),
    "captions.cut:too-long": (
        "{part:,} of {whole:# caption|# captions} ({share:percent}) {part:is|are} cut after {most:# chunk|# chunks} of "
        "{chunk} tokens by {encoders}; {lost} never read.",
        "What is cut off is never learned, and what it shows is learned as part of the rest. The longest has "
        "{longest:,} tokens. Shorten them: that is longer than can be read."),
    "lost.tokens": ("{part:,} of {whole:,} tokens ({share:percent}) are", ""),
    "lost.tags": ("{part:,} of {whole:,} tags ({share:percent}) are", ""),
    "fix.max-chunks": ("Read up to {chunks} chunks", ""),
}
