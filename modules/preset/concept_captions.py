"""Where a concept's captions come from, what is done with their text, and when they are dropped.

What is done with their tags stands in concept_tags.py. The order of it all is told in modules/data/captions.py.
"""

from __future__ import annotations

from typing import Literal

from modules.preset.caption_sources import CaptionSource, EndingText, SharesText, SourcesText, of_ending, parse
from modules.preset.concept_source import Source
from modules.preset.rewriting import ReplacementsText
from modules.preset.setting import Setting, When


class Captioned(Source):
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
