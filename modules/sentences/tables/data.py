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
    "captions.changed": (
        "Another program has changed these captions meanwhile; nothing was written. Open the page anew",
        "",
    ),
    # Folders of images
    "images.none-usable": (
        "None of the {count:,} images can be used. The first is {file}: {reason}.",
        "Copy the images again, or choose other folders.",
    ),
    "images.gone": (
        "None of the images can be read any more.",
        "Was their folder moved, or its drive taken out? Put it back and continue from the last backup.",
    ),
    "concept.none-usable": (
        "No image in {place} can be used. The first is {file}: {reason}.",
        "Copy the images again, or choose another folder.",
    ),
    "concept.no-caption-usable": (
        "No image in {place} can be used. The first is {file}: {reason}.",
        "Save its captions as UTF-8.",
    ),
    "concepts.all-off": (
        "There are no images to train on: every concept is off.",
        "Add a folder of images in the tab concepts, or name one with --concept FOLDER.",
    ),
    "concepts.none": (
        "There are no images to train on: there is no concept.",
        "Add a folder of images in the tab concepts, or name one with --concept FOLDER.",
    ),
    "concept.forbidden": (
        'The concept "{title}": there is no permission to read {folder}.',
        "Change the permissions of the folder, or choose another one.",
    ),
    "concept.empty": ('The concept "{title}": {why}{first}', "Images are files that end in {kinds:commas}."),
    "concept.first": (" {file}: {reason}.", ""),
    "concept.no-images": ("there are no images in {folder}.", ""),
    "concept.other-files": ("there are no images in {folder}, only {others:# file|# files} of other kinds.", ""),
    "concept.other-kinds": ("there are no images in {folder}, only {kinds:list}.", ""),
    "concept.has-folders": (
        '{found} It has folders inside: turn on "Include sub-folders" if the images are there.',
        "",
    ),
    "concept.no-folder": ('The concept "{title}" has no folder.', "Choose the folder with its images."),
    "concept.folder-missing": (
        'The concept "{title}": there is no folder {folder}.',
        "Was it moved or renamed, or is its drive not connected? Choose it again in the tab concepts.",
    ),
    "concept.file": (
        'The concept "{title}": {folder} is a file, not a folder.',
        "Choose the folder that holds the images.",
    ),
    # Sizes and the cache
    "resolution.too-small": (
        "A resolution of {size} pixels is too small to train at.",
        "Set {path} to {step} or more; 512 is usual, and 0 is what the model was made for.",
    ),
    "resolution.max-side": (
        "The longest side of a bucket ({longest} pixels) is shorter than the resolution ({size} pixels).",
        "Set {path} to 0, which is twice the resolution, or make the resolution smaller.",
    ),
    "cache.disk-full": (
        "The disk with the cache ({folder}) is full.",
        "Make room, or choose another folder in {path}. What was encoded so far is kept.",
    ),
    "cache.not-writable": (
        "The cache in {folder} cannot be written ({reason}).",
        "Check the permissions of the folder, or choose another one in {path}.",
    ),
    "model.no-tokenizer": (
        "{folder} holds no tokenizer.",
        "A model folder has tokenizer.json, or vocab.json and merges.txt.",
    ),
}
