"""The tab "concepts": folders of images with their captions.

The settings of a concept are many, so they stand in six classes: where the images are and how much they count, what is
made of their captions, of the tags in them, of the images (concepts/images.py), which of them are taken
(concepts/filters.py), and what masks say. The order in which a caption is made: modules/data/text/captions.py.
"""

from __future__ import annotations

from typing import Literal

from modules.preset.sections.concepts.filters import FilterSettings
from modules.preset.sections.concepts.images import EFFECTS, ImageSettings
from modules.preset.setting import Section, Setting, When
from modules.preset.text.caption_sources import CaptionSource, EndingText, SharesText, SourcesText, of_ending, parse
from modules.preset.text.replacements import ReplacementsText

# Besides folders, a concept reads what archives and Parquet files with images, and lists of images end in.
IMAGE_FILES = (".tar", ".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")


class FolderSettings(Section):
    """Images"""

    path: str = Setting(
        "", "Image folder", scope="machine", widget="images",
        aliases="train_data_dir, image_dir, instance_data_dir, dataset_dir, folder_path, dataset folder, webdataset, "
        "tar, parquet, metadata.jsonl",
    )  # fmt: skip
    """The folder with the images. Also a tar archive or a Parquet file with images, a folder of these, or a list of
    images: JSON as kohya's metadata, JSONL, CSV or Parquet."""
    name: str = Setting("", "Name", max_length=100)
    """For you: shown on the card and in messages. Empty: the name of the folder."""
    enabled: bool = Setting(True, "Enabled")
    """Off: the concept stays in the list and is not trained."""
    kind: Literal["train", "class", "prior", "validation"] = Setting(
        "train",
        "Concept type",
        aliases="is_reg, reg_data_dir, class_data_dir, regularization images, class images, "
        "PRIOR_PREDICTION, is_regularisation_data, validation images, dreambooth",
    )
    """ "train": images to learn from. "class": regularization images of the same kind of thing, which keep the model
    from forgetting it. "prior": the model is trained towards the base model's own predictions for these images
    (prior preservation). "validation": never trained on, only measured."""
    subfolders: bool = Setting(False, "Include sub-folders", aliases="include_subdirectories, recursive")
    """Also take the images of folders inside this folder."""
    repeats: float = Setting(
        1.0, "Repeats", gt=0, le=10_000, unit="times an epoch",
        aliases="num_repeats, dataset_repeats, balancing, multiply.txt, oversampling",
    )  # fmt: skip
    """How often each image is shown in an epoch. 0.5 shows half of the images in one epoch, the others in the next."""
    samples: int = Setting(
        0, "Images per epoch", ge=0, unit="images an epoch", level="expert", zero="repeats decide",
        aliases="balancing_strategy, samples per epoch",
    )  # fmt: skip
    """Show exactly this many images an epoch, whatever the folder holds. 0: repeats decide."""
    loss_weight: float = Setting(
        1.0, "Loss weight", ge=0, le=100, level="expert", aliases="loss_multiplier, per-image loss weight"
    )
    """The loss of this concept's images is multiplied by this. Usual: 1."""


class CaptionSettings(FolderSettings):
    """Captions"""

    captions: Literal["file", "filename", "folder", "prompt", "none"] = Setting(
        "file", "Caption source", aliases="prompt_source, caption_strategy, caption_column"
    )
    """"file": a text file beside each image, each line an alternative. "filename": the name of the image. "folder": the
    name of its folder, without a number in front ("10_sks dog" says "sks dog"). "prompt": one text for all images.
    "none": no caption."""
    prompt: str = Setting(
        "", "Caption for all images", widget="lines", when=When("captions", ("prompt",)),
        aliases="instance_prompt, instance_caption, default_caption, prompt_path",
    )  # fmt: skip
    """The caption of every image of this concept; each line is an alternative."""
    caption_ending: EndingText = Setting(
        ".txt", "Caption file extension", max_length=60, level="expert", when=When("captions", ("file",)),
        aliases="caption_extension, caption_ext",
    )  # fmt: skip
    """What stands after the image's name: ".txt" takes robot.txt for robot.png. Other programs write ".caption" or
    "-tags.txt". ".json" takes what stands under "caption" in robot.json, ".json:tags" what stands under "tags"."""
    more_captions: SourcesText = Setting(
        "", "More caption sources", max_length=200, level="expert", aliases="dual captions, metadata_file, in_json"
    )
    """Further caption sources, with commas between: extensions of other files beside the images (".tags",
    ".json:tags"), "name" for the image's name, "folder" for its folder's. Empty: only the one above."""
    several: Literal["first", "pick", "join"] = Setting(
        "first", "Combine sources", level="expert", aliases="caption + tags, multiple captions"
    )
    """With several caption sources. "first": the first that has a text. "pick": each showing picks one of those that
    have a text at random. "join": all of them, one after the other, in their order. A missing file is passed over."""
    shares: SharesText = Setting("", "Source weights", max_length=100, level="expert", when=When("several", ("pick",)))
    """How often each source is picked, in their order: "3, 1" picks the first three times as often. Empty: equally
    often."""
    join_with: str = Setting(", ", "Join with", max_length=20, level="expert", when=When("several", ("join",)))
    r"""What stands between the texts of two sources. \n is a new line. Usual: a comma and a space."""
    wrapped: bool = Setting(False, "One caption over several lines", level="expert", aliases="multi-line captions")
    """Read a caption file of several lines as one caption that was wrapped. Off: each line is an alternative, and each
    showing picks one at random."""
    trigger: str = Setting("", "Trigger word", max_length=200, aliases="class_tokens, instance token, activation word")
    """The word that will call up what is learnt here. It is put in front of every caption that does not contain it
    already. Take one that means nothing to the model yet, such as "ohwx"."""
    prefix: str = Setting("", "Caption prefix", aliases="caption_prefix")
    """Put before every caption, as it is: end it with a comma and a space if you want them."""
    suffix: str = Setting("", "Caption suffix", level="expert", aliases="caption_suffix")
    """Put after every caption, as it is."""
    wildcards: bool = Setting(False, "Wildcards {a|b}", level="expert", aliases="enable_wildcard, dynamic prompts")
    """Each showing picks one of the words in braces at random: "a {red|blue} robot". They may be nested. {{ and }} are
    plain braces. Off: braces are read as they stand."""
    replacements: ReplacementsText = Setting(
        "", "Replace words", max_length=20_000, widget="lines", level="expert",
        aliases="tag_replacement, find and replace",
    )  # fmt: skip
    """One rule a line: "old => new" replaces whole words; "old =>" removes them."""
    underscores: bool = Setting(False, "Underscores to spaces", level="expert", aliases="remove underscores")
    """"red_hair" becomes "red hair". Words in <...> and of three letters at most, such as ^_^, stay. For tags from
    image boards: SD reads them better so."""
    caption_dropout: float = Setting(
        0.0, "Caption dropout", ge=0, le=1, level="expert",
        aliases="caption_dropout_rate, caption_dropout_probability, dropout_probability, proportion_empty_prompts, "
        "cond_dropout, unconditional training, ucg, cfg dropout",
    )  # fmt: skip
    """Share of showings with an empty caption, so that classifier-free guidance keeps working. Usual: 0.05 to 0.1, or
    0."""
    dropout_epochs: int = Setting(
        0, "Caption dropout every N epochs", ge=0, le=10_000, unit="epochs", level="expert", zero="never"
    )
    """All captions are empty in every Nth epoch: 5 drops them in the 5th, 10th, ... Usual: 0."""

    caption_table: str = Setting(
        "", "Table of captions", scope="machine", widget="file", level="expert",
        aliases="metadata.parquet, in_json, metadata file, caption column",
    )  # fmt: skip
    """A JSON, JSONL, CSV or Parquet file with captions for images that have no caption file. Rows are found by the
    image's name without its ending: in a column "id", "key" or "md5", or by the image that a row names. As a caption
    source ".tags" is the column "tags", and ".txt" the first of "caption", "text", "prompt", "tags"."""

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

    tags: Literal["all", "first", "more", "none"] = Setting("all", "Sources with tags", level="expert")
    """Which sources are lists of tags. "first": only the first one; "more": only the others, so that prose in the first
    stays as it is; "none": no source, and the tag settings below do nothing."""
    shuffle_tags: bool = Setting(
        False, "Shuffle tags", when=When("tags", TAGGED),
        aliases="shuffle_caption, shuffle_tokens, caption_shuffle, enable_tag_shuffling, shuffle_caption_delimiter, "
        "shuffle captions",
    )  # fmt: skip
    """Show the tags of a caption in another order each time, so that none is favoured for standing first."""
    tag_separator: str = Setting(
        ",", "Tag separator", min_length=1, max_length=8, level="expert", when=When("tags", TAGGED),
        aliases="caption_separator, tag_delimiter",
    )  # fmt: skip
    """What stands between two tags of a caption. One inside ( ) or [ ] separates nothing."""
    keep_tags: int = Setting(
        0, "Keep first tags", ge=0, unit="tags", when=When("tags", TAGGED),
        aliases="keep_tokens, keep_tags_count, keep first n tags",
    )  # fmt: skip
    """This many tags stay at the front, in their order: they are neither shuffled nor dropped. 1 keeps a trigger word
    first."""
    keep_separator: str = Setting(
        "|||", "Keep separator", max_length=8, level="expert", when=When("tags", TAGGED),
        aliases="keep_tokens_separator",
    )  # fmt: skip
    """Tags before this sign stay at the front, however many; those after a second one at the end. It is removed from
    the caption. Empty: no sign."""
    group_separator: str = Setting(
        ";;;", "Group separator", max_length=8, level="expert", when=When("tags", TAGGED), aliases="secondary_separator"
    )
    """Tags with this sign between stay together as if they were one; it becomes the tag separator. Empty: no sign."""
    unique_tags: bool = Setting(
        False, "Remove duplicate tags", level="expert", when=When("tags", TAGGED), aliases="deduplicate tags"
    )
    """A tag that occurs twice in a caption is read once. Capitals make no difference."""
    tag_dropout: float = Setting(
        0.0, "Tag dropout", ge=0, le=1, level="expert", when=When("tags", TAGGED),
        aliases="caption_tag_dropout_rate, token_dropout_rate, tag_dropout_probability",
    )  # fmt: skip
    """How likely tags are dropped from a showing, so that the model does not need all of them at once. Tags that are
    kept in front stay. Usual: 0, or 0.1 to 0.3."""
    tag_dropout_kind: Literal["each", "weighted", "all"] = Setting(
        "each", "Tag dropout mode", level="expert", when=When("tags", TAGGED)
    )
    """ "each": every tag by itself. "weighted": later tags more often, the last one with the full probability, the
    first hardly ever. "all": all of them at once, or none."""
    tag_list_use: Literal["none", "keep", "only"] = Setting(
        "none", "Tag list mode", level="expert", when=When("tags", TAGGED),
        aliases="tag_dropout_special_tags_mode, blacklist, whitelist",
    )  # fmt: skip
    """ "keep": tags of the list are never dropped. "only": no others are dropped. "none": there is no list."""
    tag_list: str = Setting(
        "", "Tag list", max_length=100_000, widget="lines", level="expert", when=When("tag_list_use", LISTED),
        aliases="tag_dropout_special_tags",
    )  # fmt: skip
    """One tag a line. Brackets around a tag, and capitals, make no difference."""
    tag_list_patterns: bool = Setting(
        False, "Tag list as regex", level="expert", when=When("tag_list_use", LISTED),
        aliases="tag_dropout_special_tags_regex, regular expression",
    )  # fmt: skip
    """Lines are simple regular expressions that match a whole tag: ".* hair" is any hair. Groups cannot be repeated,
    and a line holds at most three repetitions."""
    most_tags: int = Setting(
        0, "Maximum tags", ge=0, unit="tags", level="expert", zero="all", when=When("tags", TAGGED)
    )
    """A caption shows at most this many tags; with shuffled tags others each time. Tags that are kept in front always
    stay."""
    tag_warmup: int = Setting(
        0, "Tag warm-up", ge=0, unit="steps", level="expert", zero="off", when=When("tags", TAGGED),
        aliases="token_warmup_step",
    )  # fmt: skip
    """Begin with few tags, the first ones, and show all of them after this many steps. Usual: 0."""
    tag_warmup_from: int = Setting(
        1, "Tag warm-up start", ge=0, unit="tags", level="expert", when=When("tags", TAGGED), aliases="token_warmup_min"
    )
    """With how many tags, besides those kept in front, the warm-up begins."""
    capitals: Literal["as_is", "lower", "upper", "title", "first", "random", "any"] = Setting(
        "as_is", "Capitalization", level="expert", when=When("tags", TAGGED),
        aliases="caps_randomize_enable, caps_randomize_mode, uppercase",
    )  # fmt: skip
    """Write tags in another way: in small letters, CAPITALS, With Capitals, with a first Capital, rAndoM, or any of
    these, picked for each tag. SD and SDXL read capitals as small letters and learn nothing from it; other text
    encoders do."""
    capitals_share: float = Setting(
        1.0, "Capitalization probability", gt=0, le=1, level="expert", when=When("tags", TAGGED),
        aliases="caps_randomize_probability",
    )  # fmt: skip
    """How likely a tag is written in that way. Usual: 1, or 0.3."""

    def has_tags(self, source: int) -> bool:
        """Whether the source of this number, counted from 0, is a list of tags."""
        return self.tags == "all" or (self.tags == "first" and source == 0) or (self.tags == "more" and source > 0)


MASKED = ("file", "alpha")
PLAIN = {"flip": False, "flip_vertical": False, "random_crop": False, **dict.fromkeys(EFFECTS, 0.0)}


class Concept(FilterSettings, ImageSettings, TagSettings):
    """Concept"""

    masks: Literal["none", "file", "alpha"] = Setting(
        "none", "Masks", aliases="masked_loss, masked_training, alpha_mask, use_masks, mask_path, conditioning_data_dir"
    )
    """Which parts of each image count in the loss. "file": NAME-masklabel.png beside NAME.jpg, white counts, black
    hardly; the tool Make masks makes them. "alpha": the image's own transparency. An image without a mask counts as
    a whole. How much black counts is set on the page Training, under Masked training."""
    mask_crop: Literal["no", "keep", "around"] = Setting(
        "no", "Crop by mask", level="expert", when=When("masks", MASKED),
        aliases="enable_random_mask_rotate_crop, face crop",
    )  # fmt: skip
    """ "keep": where an image is cut, what the mask shows stays in. "around": cut close around it, so that a small
    subject fills the image. "no": as without masks."""
    mask_margin: float = Setting(0.2, "Mask margin", ge=0, le=2, level="expert", when=When("mask_crop", ("around",)))
    """How much space is left around, as a share of the masked part's size; with random crop, up to twice as much.
    Usual: 0.2."""

    def plain(self) -> Concept:
        """The same without any chance in its pictures: for what is to be looked at, not learnt from."""
        return self.model_copy(update=PLAIN)


class StreamedConcept(Concept):
    """A concept as it is loaded where latents are not cached: every image is encoded when its turn comes."""

    @property
    def live(self) -> bool:
        return True
