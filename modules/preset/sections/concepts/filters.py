"""Which images of a concept are trained on, and how much each counts, by what is known of it besides its pixels."""

from __future__ import annotations

from modules.preset.setting import Section, Setting
from modules.preset.text.filters import ColumnText, NumberText


class FilterSettings(Section):
    """Filters"""

    needs_tags: str = Setting(
        "", "Only with tags", max_length=2000, level="expert", aliases="filter by tag, include tags, whitelist, subset"
    )
    """Only images whose captions have all of these tags: "solo, red hair". A | between two tags means either:
    "red hair | blue hair". Capitals, and _ for a space, make no difference. Empty: all images."""
    without_tags: str = Setting(
        "", "Not with tags", max_length=2000, level="expert", aliases="filter by tag, exclude tags, blacklist, comic"
    )
    """No images whose captions have any of these tags: "comic, monochrome"."""
    ratings: str = Setting("", "Ratings", max_length=200, level="expert", aliases="rating, nsfw filter, sfw, safe")
    """Only images of these ratings, with commas between: "g, s". What stands under "rating" in a list, a Parquet file,
    the table of captions or a JSON file beside the image. One letter is enough: "g" takes "general". Empty: all."""
    min_score: NumberText = Setting(
        "", "Lowest score", max_length=20, level="expert", aliases="score filter, aesthetic score, quality filter"
    )
    """Only images whose score is at least this. Empty: all. An image without a score is then left out."""
    score_column: ColumnText = Setting("score", "Column of scores", min_length=1, max_length=60, level="expert")
    """Where scores are: a column of the list, or what stands in a JSON file beside the image. Such as "score",
    "fav_count" or "aesthetic"."""
    splits: str = Setting("", "Splits", max_length=200, level="expert", aliases="split, train split, subset, fold")
    """Only images whose column "split" says one of these, with commas between: "train". Empty: all."""
    min_size: int = Setting(
        0, "Smallest side", ge=0, le=100_000, unit="pixels", level="expert", zero="any",
        aliases="minimum_image_size, min_size, skip small images, minimum resolution",
    )  # fmt: skip
    """Only images whose shorter side has at least so many pixels: smaller ones would be blown up. 0: all."""
    weight_column: ColumnText = Setting(
        "", "Column of weights", max_length=60, level="expert",
        aliases="sampling weight, sample weight, weighted sampling, per-image repeats",
    )  # fmt: skip
    """A column that says how often each image is shown against the others, besides the repeats: one of weight 2 comes
    twice as often as one of weight 1, one of 0.5 in every second epoch, one of 0 never. An image without a weight has
    1. Empty: all images as often."""
