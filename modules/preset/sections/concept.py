"""The tab "concepts": folders of images with their captions.

The settings of a concept are many, so they stand in five classes, each adding to the one before: where the images are
and how much they count, what is made of their captions, of the tags in them, of the images, and what masks say. The
order in which a caption is made: modules/data/text/captions.py.
"""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When
from modules.preset.text.caption_sources import CaptionSource, EndingText, SharesText, SourcesText, of_ending, parse
from modules.preset.text.replacements import ReplacementsText
from modules.preset.text.resolutions import ResolutionsText


class FolderSettings(Section):
    """Images"""

    path: str = Setting("", "Folder", scope="machine", widget="folder")
    """The folder with the images."""
    name: str = Setting("", "Name", max_length=100)
    """For you: shown on the card and in messages. Empty: the name of the folder."""
    enabled: bool = Setting(True, "Enabled")
    """Off: the concept stays in the list and is not trained."""
    kind: Literal["train", "class", "prior", "validation"] = Setting("train", "Kind")
    """"train": learnt from. "class": pictures of the same kind of thing that keep the model from forgetting it
    (regularisation). "prior": the model is held to what it said before the training. "validation": never learnt from,
    only measured."""
    subfolders: bool = Setting(False, "Include sub-folders")
    """Also take the images of folders inside this folder."""
    repeats: float = Setting(1.0, "Repeats", gt=0, le=10_000, unit="times an epoch")
    """How often each image is shown in an epoch. 0.5 shows half of the images in one epoch, the others in the next."""
    samples: int = Setting(0, "Samples", ge=0, unit="images an epoch", level="expert", zero="repeats decide")
    """Show exactly this many images an epoch, whatever the folder holds. 0: repeats decide."""
    loss_weight: float = Setting(1.0, "Loss weight", ge=0, le=100, level="expert")
    """Images of this concept count this much. Usual: 1."""


class CaptionSettings(FolderSettings):
    """Captions"""

    captions: Literal["file", "filename", "folder", "prompt", "none"] = Setting("file", "Captions from")
    """"file": a text file beside each image, each line an alternative. "filename": the name of the image. "folder": the
    name of its folder, without a number in front ("10_sks dog" says "sks dog"). "prompt": one text for all images.
    "none": no caption."""
    prompt: str = Setting("", "Caption for all", widget="lines", when=When("captions", ("prompt",)))
    """The caption of every image of this concept; each line is an alternative."""
    caption_ending: EndingText = Setting(
        ".txt", "Ending of caption files", max_length=60, level="expert", when=When("captions", ("file",))
    )
    """What stands after the image's name: ".txt" takes robot.txt for robot.png. Other programs write ".caption" or
    "-tags.txt". ".json" takes what stands under "caption" in robot.json, ".json:tags" what stands under "tags"."""
    more_captions: SourcesText = Setting("", "More sources", max_length=200, level="expert")
    """Further places where captions stand, with commas between: endings of other files beside the images (".tags",
    ".json:tags"), "name" for the image's name, "folder" for its folder's. Empty: only the one above."""
    several: Literal["first", "pick", "join"] = Setting("first", "Several sources", level="expert")
    """"first": the first source that says anything. "pick": each showing draws one of those that do. "join": all that
    do, one after the other, in their order. What is missing is passed over."""
    shares: SharesText = Setting("", "Shares", max_length=100, level="expert", when=When("several", ("pick",)))
    """How often each source is drawn, in their order: "3, 1" draws the first three times as often. Empty: equally
    often."""
    join_with: str = Setting(", ", "Put between", max_length=20, level="expert", when=When("several", ("join",)))
    """What stands between the texts of two sources. \\n is a new line. Usual: a comma and a space."""
    wrapped: bool = Setting(False, "Lines belong together", level="expert")
    """Read a caption file of several lines as one caption that was wrapped. Off: each line is an alternative, and each
    showing draws one."""
    trigger: str = Setting("", "Trigger word", max_length=200)
    """The word that will call up what is learnt here. It is put in front of every caption that does not hold it
    already. Take one that means nothing yet, such as "ohwx"."""
    prefix: str = Setting("", "Caption prefix")
    """Put before every caption, as it is: end it with a comma and a space if you want them."""
    suffix: str = Setting("", "Caption suffix", level="expert")
    """Put after every caption, as it is."""
    wildcards: bool = Setting(False, "Draw from {a|b}", level="expert")
    """Each showing draws one of the words in braces: "a {red|blue} robot". They may stand in one another. {{ and }} are
    plain braces. Off: braces are read as they stand."""
    replacements: ReplacementsText = Setting("", "Replace", max_length=20_000, widget="lines", level="expert")
    """One rule a line: "old => new" puts new words in the place of whole old ones; "old =>" takes them out."""
    underscores: bool = Setting(False, "Underscores to spaces", level="expert")
    """"red_hair" becomes "red hair". Words in <...> and of three letters at most, such as ^_^, stay. For tags from
    image boards: SD reads them better so."""
    caption_dropout: float = Setting(0.0, "Caption dropout", ge=0, le=1, level="expert")
    """Share of showings with an empty caption, which keeps guidance working. Usual: 0.05 to 0.1, or 0."""
    dropout_epochs: int = Setting(
        0, "Drop every so many epochs", ge=0, le=10_000, unit="epochs", level="expert", zero="never"
    )
    """All captions are empty in every so-many-th epoch: 5 drops them in the 5th, 10th, ... Usual: 0."""

    @property
    def caption_sources(self) -> tuple[CaptionSource, ...]:
        """All sources of captions, in their order; the same one once."""
        if self.captions == "none":
            return ()
        first = of_ending(self.caption_ending) if self.captions == "file" else CaptionSource(self.captions)
        return tuple(dict.fromkeys([first, *parse(self.more_captions)]))

    @property
    def caption_files(self) -> tuple[CaptionSource, ...]:
        """Those of them that are files beside the images."""
        return tuple(source for source in self.caption_sources if source.kind == "file")


TAGGED = ("all", "first", "more")
LISTED = ("keep", "only")


class TagSettings(CaptionSettings):
    """Tags"""

    tags: Literal["all", "first", "more", "none"] = Setting("all", "Tags are in", level="expert")
    """Which sources are lists of tags. "first": only the first one; "more": only the others, so that prose in the first
    stays as it is; "none": no source, and all below is left out."""
    shuffle_tags: bool = Setting(False, "Shuffle tags", when=When("tags", TAGGED))
    """Show the tags of a caption in another order each time, so that none is favoured for standing first."""
    tag_separator: str = Setting(
        ",", "Tag separator", min_length=1, max_length=8, level="expert", when=When("tags", TAGGED)
    )
    """What stands between two tags of a caption. One inside ( ) or [ ] separates nothing."""
    keep_tags: int = Setting(0, "Keep first tags", ge=0, unit="tags", when=When("tags", TAGGED))
    """This many tags stay at the front, in their order: they are neither shuffled nor dropped. 1 keeps a trigger word
    first."""
    keep_separator: str = Setting("|||", "Keep separator", max_length=8, level="expert", when=When("tags", TAGGED))
    """Tags before this sign stay at the front, however many; those after a second one at the end. It is taken out of
    the caption. Empty: no sign."""
    group_separator: str = Setting(";;;", "Group separator", max_length=8, level="expert", when=When("tags", TAGGED))
    """Tags with this sign between stay together as if they were one; it becomes the tag separator. Empty: no sign."""
    unique_tags: bool = Setting(False, "Each tag once", level="expert", when=When("tags", TAGGED))
    """A tag that stands in a caption twice is read once. Capitals make no difference."""
    tag_dropout: float = Setting(0.0, "Tag dropout", ge=0, le=1, level="expert", when=When("tags", TAGGED))
    """How likely tags are left out of a showing, so that the model does not need all of them at once. Kept tags stay.
    Usual: 0, or 0.1 to 0.3."""
    tag_dropout_kind: Literal["each", "weighted", "all"] = Setting(
        "each", "Which tags drop", level="expert", when=When("tags", TAGGED)
    )
    """"each": every tag by itself. "weighted": later tags more often, the last one as often as said, the first hardly.
    "all": all of them at once, or none."""
    tag_list_use: Literal["none", "keep", "only"] = Setting(
        "none", "List of tags", level="expert", when=When("tags", TAGGED)
    )
    """"keep": tags of the list are never dropped. "only": no others are dropped. "none": there is no list."""
    tag_list: str = Setting(
        "", "Tags of the list", max_length=100_000, widget="lines", level="expert", when=When("tag_list_use", LISTED)
    )
    """One tag a line. Brackets around a tag, and capitals, make no difference."""
    tag_list_patterns: bool = Setting(
        False, "The list holds patterns", level="expert", when=When("tag_list_use", LISTED)
    )
    """Lines are simple regular expressions that match a whole tag: ".* hair" is any hair. Groups cannot be repeated,
    and a line holds at most three repetitions."""
    most_tags: int = Setting(0, "Most tags", ge=0, unit="tags", level="expert", zero="all", when=When("tags", TAGGED))
    """A caption shows at most so many tags; with shuffled tags others each time. Kept tags always stay."""
    tag_warmup: int = Setting(
        0, "Tag warm-up", ge=0, unit="steps", level="expert", zero="off", when=When("tags", TAGGED)
    )
    """Begin with few tags, the first ones, and show all of them after so many steps. Usual: 0."""
    tag_warmup_from: int = Setting(1, "Tags at the start", ge=0, unit="tags", level="expert", when=When("tags", TAGGED))
    """With how many tags, besides the kept ones, the warm-up begins."""
    capitals: Literal["as_is", "lower", "upper", "title", "first", "random", "any"] = Setting(
        "as_is", "Capitals", level="expert", when=When("tags", TAGGED)
    )
    """Write tags in another way: in small letters, CAPITALS, With Capitals, with a first Capital, rAndoM, or any of
    these, drawn for each tag. SD and SDXL read capitals as small letters and learn nothing from it; other text encoders
    do."""
    capitals_share: float = Setting(1.0, "Share of tags", gt=0, le=1, level="expert", when=When("tags", TAGGED))
    """How likely a tag is written in that way. Usual: 1, or 0.3."""

    def has_tags(self, source: int) -> bool:
        """Whether the source of this number, counted from 0, is a list of tags."""
        return self.tags == "all" or (self.tags == "first" and source == 0) or (self.tags == "more" and source > 0)


EFFECTS = ("rotation", "brightness", "contrast", "saturation", "hue")  # each with a setting NAME_fixed


class ImageSettings(TagSettings):
    """Pictures"""

    resolutions: ResolutionsText = Setting("", "Resolutions", max_length=100, level="expert")
    """For this concept alone, as in training.resolutions: "768", "512, 768" or "832x1216". Empty: those of the
    training."""
    flip: bool = Setting(False, "Random flip")
    """Show each image mirrored half of the time. Not for text, logos, or faces with a scar on one side."""
    flip_always: bool = Setting(False, "Flip always", level="expert")
    """Show every image mirrored, each time: for a folder that was scanned the wrong way round."""
    flip_vertical: bool = Setting(False, "Random upside down", level="expert")
    """Show each image upside down half of the time. For textures and views from above; hardly for anything else."""
    random_crop: bool = Setting(False, "Random crop", level="expert")
    """Cut at a random place instead of the middle where an image is larger than its bucket."""
    rotation: float = Setting(0.0, "Rotation", ge=-45, le=45, unit="degrees", level="expert", zero="none")
    """Turn each image by a random angle up to this one, to either side. It is cut a little closer, so that no empty
    corners come in. Usual: 0, or 3 to 10."""
    rotation_fixed: bool = Setting(False, "Exactly this rotation", level="expert")
    """Turn by exactly the angle above, each time, counter-clockwise; a negative one clockwise."""
    brightness: float = Setting(0.0, "Brightness", ge=-1, le=1, level="expert", zero="as it is")
    """Make images brighter or darker by a random share up to this one. Usual: 0, or 0.05 to 0.2."""
    brightness_fixed: bool = Setting(False, "Exactly this brightness", level="expert")
    """Change by exactly the share above, each time; a negative one is darker."""
    contrast: float = Setting(0.0, "Contrast", ge=-1, le=1, level="expert", zero="as it is")
    """Make contrasts stronger or weaker by a random share up to this one. Usual: 0, or 0.05 to 0.2."""
    contrast_fixed: bool = Setting(False, "Exactly this contrast", level="expert")
    """Change by exactly the share above, each time; a negative one is weaker."""
    saturation: float = Setting(0.0, "Saturation", ge=-1, le=1, level="expert", zero="as it is")
    """Make colours stronger or paler by a random share up to this one. Usual: 0, or 0.05 to 0.2."""
    saturation_fixed: bool = Setting(False, "Exactly this saturation", level="expert")
    """Change by exactly the share above, each time; -1 is grey."""
    hue: float = Setting(0.0, "Hue", ge=-180, le=180, unit="degrees", level="expert", zero="as it is")
    """Shift all colours around the colour wheel by a random angle up to this one. Usual: 0, or 5 to 15. Not where a
    colour belongs to the subject."""
    hue_fixed: bool = Setting(False, "Exactly this hue", level="expert")
    """Shift by exactly the angle above, each time."""
    augmented: float = Setting(1.0, "Augmented share", ge=0, le=1, level="expert")
    """Share of the draws that rotation and colours change; the others stay as they are. Usual: 1, or 0.33."""
    variants: int = Setting(4, "Cached variants", ge=0, le=64, level="expert", zero="encode each time")
    """How many draws of crop, rotation and colours are kept of each image; every showing draws one of them, flips
    besides. More vary more and fill the cache. 0: draw anew at each showing, which keeps the VAE in memory and takes
    time at each step."""

    @property
    def augments_colors(self) -> bool:
        """Whether colours change, by chance or always."""
        return any(getattr(self, name) for name in EFFECTS if name != "rotation")

    @property
    def varies(self) -> bool:
        """Whether an image has draws that are too many to be kept: crop, rotation, colours. Flips are few."""
        changed = [name for name in EFFECTS if getattr(self, name)]
        drawn = any(not getattr(self, f"{name}_fixed") for name in changed)
        return self.random_crop or drawn or (bool(changed) and 0 < self.augmented < 1)

    @property
    def live(self) -> bool:
        """Whether images are encoded at each showing, and not cached."""
        return self.varies and not self.variants


MASKED = ("file", "alpha")
PLAIN = {"flip": False, "flip_vertical": False, "random_crop": False, **dict.fromkeys(EFFECTS, 0.0)}


class Concept(ImageSettings):
    """Concept"""

    masks: Literal["none", "file", "alpha"] = Setting("none", "Masks")
    """What counts in each image. "file": NAME-masklabel.png beside NAME.jpg, white counts, black hardly. "alpha": the
    image's own transparency. An image without a mask counts as a whole. How much black counts stands in the tab
    training."""
    mask_crop: Literal["no", "keep", "around"] = Setting(
        "no", "Crop by mask", level="expert", when=When("masks", MASKED)
    )
    """"keep": where an image is cut, what the mask shows stays in. "around": cut close around it, so that a small
    subject fills the picture. "no": as without masks."""
    mask_margin: float = Setting(
        0.2, "Margin around the mask", ge=0, le=2, level="expert", when=When("mask_crop", ("around",))
    )
    """How much room is left around, as a share of the masked part's size; with random crop, up to twice as much is
    drawn. Usual: 0.2."""

    def plain(self) -> Concept:
        """The same without any chance in its pictures: for what is to be looked at, not learnt from."""
        return self.model_copy(update=PLAIN)
