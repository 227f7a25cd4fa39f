"""The check before a run: images, their buckets, their balance, what is made of them."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    "images.unreadable": ("{part:,} of {whole:# image|# images} ({share:percent}) cannot be read and will be skipped.",
        "Copy {part:it|them} again, save {part:it|them} again with an image editor, or move {part:it|them} out of the "
        "folder."),
    "images.unreadable:all": ("{part:,} of {whole:# image|# images} ({share:percent}) cannot be read.",
        "Copy {part:it|them} again, save {part:it|them} again with an image editor, or move {part:it|them} out of the "
        "folder."),
    "images.sampled": ("Of {total:,} images, {count:,} were looked at.",
        "They are spread evenly over each concept. What is said of pixels, masks and copies is of them; sizes and "
        "captions are known of all. Training puts aside what cannot be read, whether it was looked at or not."),
    "images.not-taken": ("{count:# image is|# images are} of a kind that is not read: {kinds:list}.",
        "Save {count:it|them} as PNG or JPEG with an image editor."),
    "images.nested": (
        '{count:# folder|# folders} inside of "{concept}" {count:holds|hold} images that are not trained.',
        "Switch {path} on to train them, too."),
    "fix.subfolders": ("Include sub-folders", ""),
    "images.folder-repeats": (
        'The name of the folder of "{concept}" asks for {times:,} repeats, as kohya\'s trainers read it; {path} is 1.',
        "Seachange does not take repeats from names."),
    "images.folder-repeats:several": (
        'Folders of "{concept}" ask for different repeats by their names, as kohya\'s trainers read them; {path} is 1.',
        "Add each folder as a concept of its own, with its own repeats."),
    "fix.repeats": ("Repeat each image {times:,} times", ""),
    "images.copies": (
        "{part:,} of {whole:# image|# images} ({share:percent}) "
        "{part:is a duplicate file|are duplicate files}.{across}",
        "Duplicates count double. Delete the copies, unless you want that."),
    "images.alike": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:is|are} nearly the same as another.{across}",
        "Smaller or compressed copies, or images of one series: together they count for more than the others, and the "
        "model memorizes them. Keep the best of each."),
    "copies.in-several-concepts": (" {count:# image is|# images are} in several concepts.", ""),
    "images.transparent": ("{part:,} of {whole:# image|# images} ({share:percent}) {part:is|are} partly transparent.",
        "Transparent areas become white, and the model learns the white. Put another background behind it yourself if "
        "you want one."),
    "images.turned": ("{part:,} of {whole:# image|# images} ({share:percent}) {part:is|are} rotated by EXIF.",
        "Seachange rotates them as image viewers do. Nothing needs to be done."),
    "images.animated": ("{part:,} of {whole:# image|# images} ({share:percent}) {part:holds|hold} more than one frame.",
        "Only the first frame is trained on. Save the others as files of their own if you want them."),
    "images.cmyk": ("{part:,} of {whole:# image|# images} ({share:percent}) {part:has|have} print colours (CMYK).",
        "They are converted to RGB, by their colour profile where they have one. Look at them once on the page "
        "concepts: without a profile colours may come out differently than you know them."),
    "images.16-bit": ("{part:,} of {whole:# image|# images} ({share:percent}) {part:has|have} 16 bits per channel.",
        "They are converted to 8 bits, as every model wants them. Nothing needs to be done."),
    "images.colourless": ("{part:,} of {whole:# image|# images} ({share:percent}) {part:has|have} no colour.",
        "The model learns black and white along with what they show, unless their captions say it, for example with "
        '"black and white photo".'),
    # Buckets
    "images.buckets": ("{count:# image|# images} in {buckets:# bucket|# buckets}.",
        "Images are resized to the bucket whose shape is nearest to their own, and each batch holds one bucket."),
    "images.small": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:is|are} smaller than {part:its|their} bucket; "
        "the smallest is enlarged {times:.1f} times.",
        "The model learns their blur as if it belonged to the image. Take larger originals, leave the smallest out, or "
        "train at a lower resolution."),
    "fix.resolution": ("Train at {resolution} pixels", ""),
    "images.cut": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:loses|lose} more than {much:percent} of "
        "{part:its|their} area at the edges; the worst loses {worst:percent}.",
        "They are longer or narrower than their bucket. The middle is kept: crop them yourself where something else "
        "matters."),
    "images.huge": (
        "{part:,} of {whole:# image|# images} ({share:percent}) {part:is|are} much larger than needed: {times} times "
        "the pixels of the bucket and more.",
        "They are shrunk; only the first start takes longer. The largest has {largest:.0f} million pixels."),
    # Balance
    "images.example": ('The example images of "{concept}" are still trained, beside your own.',
        "They came with Seachange for a first try: your model would learn them, too."),
    "fix.no-example": ("Train without the example images", ""),
    "images.balance": (
        '"{most}" is shown {times:.0f} times as often as "{least}": {most_shown:,} and {least_shown:,} times an epoch.',
        "What is shown rarely is learned late, or not at all. Raise the repeats of the small concepts, or lower those "
        "of the large ones, unless you want it so."),
    "fix.balance": ("Show each concept about equally often", ""),
    "images.single": ('"{concept}" holds one image.',
        "The model will memorize that image: its background and its pose as much as what it shows. Add more, taken in "
        "other places and other light."),
    "images.made": (
        '{part:,} of {whole:# image|# images} ({share:percent}) of "{concept}" {part:was|were} made by a model.',
        "Their faults and their style are learnt, too, and grow from one model to the next. Add real images, keep only "
        "the best, or make this a concept of class images."),
    "images.left-out": ('An epoch shows {shown:,} of the {images:# image|# images} of "{concept}".',
        "The others follow in later epochs: each comes up about every {epochs:.1f} epochs."),
    "fix.show-all": ('Show every image of "{concept}" in each epoch', ""),
    # Masks, augmentation, kinds
    "images.masks": ('{part:,} of {whole:# image|# images} ({share:percent}) of "{concept}" {part:has|have} no mask.',
        "All of {part:it|them} is trained. {how}, or leave it so."),
    "images.black-masks": (
        '{part:,} of {whole:# mask|# masks} ({share:percent}) of "{concept}" {part:is|are} black all over.',
        "Next to nothing is learnt of {part:this image|these images}. Make {part:the mask|the masks} again or delete "
        "{part:it|them}: without a mask all of an image counts."),
    "images.white-masks": ('All {count:# mask|# masks} of "{concept}" are white all over, as if there were none.',
        "White counts, black does not: perhaps they hold nothing yet."),
    "images.other-masks": (
        '{part:,} of {whole:# mask|# masks} ({share:percent}) of "{concept}" {part:has|have} other proportions than '
        "{part:its image|their images}.",
        "They are stretched, and show other places than they were made for. Where an image was cropped or turned after "
        "its mask was made, make it again."),
    "masks.file": ("Put NAME-masklabel.png beside NAME.jpg, or let Make masks (mask) do it", ""),
    "masks.alpha": ("Save them with transparency around the subject (PNG or WebP)", ""),
    "fix.no-masks": ("Go without masks", ""),
    "images.metadata": ('{file} beside the images of "{concept}" is not read.',
        "It is a list of these images, perhaps with their captions, as Hugging Face's image folders have it."),
    "fix.metadata": ("Take the images of that list", ""),
    "images.filtered": (
        '{left:,} of {total:# image|# images} of "{concept}" {left:is|are} left by its filters.',
        "Left out: {why:list}."),
    "images.weights": (
        '{images:# image|# images} of "{concept}" {images:has|have} weights, and {images:counts|count} as {shown:,} an '
        "epoch.", "One is shown {least:.2g} to {most:.2g} times an epoch."),
    "images.live": ('The images of "{concept}" are encoded again each time they are shown.',
        "Crops, rotation and colours are random each time. That takes time at each step and keeps the VAE in memory."),
    "fix.variants-8": ("Cache 8 variants of each image instead", ""),
    "images.frozen": ('Crops, rotation and colours of "{concept}" are random once and stay so for the whole run.',
        "One variant of each image is cached, so each epoch shows the same. More variants cost disk space, and time "
        "before the training."),
    "fix.variants-4": ("Cache 4 variants of each image", ""),
    "fix.variants-live": ("Encode again each time", ""),
    "images.variants": (
        '{variants} variants of each image of "{concept}" are cached, and each time one of them is shown.',
        "With flips that makes up to {images:# image|# images} in the cache. More variants vary more; 0 makes a new "
        "one each time and takes more time."),
    "images.in-turn": ('Each image of "{concept}" is shown in {count} resolutions ({sizes}), in turn.',
        "It takes {count:# epoch|# epochs} at one repeat until each was shown in all of them. Each resolution has its "
        "own entries in the cache."),
    "images.kinds": ("Not simply trained on: {kinds:list}.", "{balance}Validation images are never trained on."),
    "kinds.class": ("{count:# class image|# class images}", ""),
    "kinds.prior": ("{count:# prior image|# prior images}, which hold the model to what it predicts now", ""),
    "kinds.validation": ("{count:# validation image|# validation images}", ""),
    "kinds.balanced": ("Class and prior images together are shown as often as yours, however many there are. ", ""),
}
