"""What is done with the tags of a concept's captions."""

from __future__ import annotations

from typing import Literal

from modules.preset.concept_captions import Captioned
from modules.preset.setting import Setting, When

TAGGED = ("all", "first", "more")
LISTED = ("keep", "only")


class Tagged(Captioned):
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
