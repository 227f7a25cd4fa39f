"""The settings of captioning: which images, which models, how captions are written. No torch."""

from __future__ import annotations

from typing import Literal

from modules.captioning.kinds import SMOL, WD_EVA
from modules.preset.setting import Section, Setting, When
from modules.preset.text.caption_sources import EndingText

BY_TAGS, BY_SENTENCES = When("kind", ("tags", "both")), When("kind", ("sentences", "both"))

TAGS = "{tags}"  # in a prompt: the tags of the image
KINDS = {"tags": "Tags", "sentences": "Sentences", "both": "Both"}
LENGTHS = {"short": "Short", "medium": "Medium", "long": "Long"}
IMAGES = {"missing": "Without a caption", "all": "All"}
EXISTING = {"keep": "Keep", "beside": "Beside", "replace": "Replace"}
UNDERSCORES = {"spaces": "Spaces", "keep": "Keep"}


class Settings(Section):
    """Make captions"""

    source: str = Setting(..., "Images", widget="folder", min_length=1)
    """The folder of images: that of a concept, for example."""
    kind: Literal["tags", "sentences", "both"] = Setting("tags", "Captions", labels=KINDS)
    """"tags": words with commas between, by a tagger. "sentences": by a vision language model. "both": tags in .tags
    and sentences in .prose, two caption sources of which training can pick or which it can join."""
    tagger: str = Setting(WD_EVA, "Tagger", widget="model", when=BY_TAGS, aliases="wd14 tagger, booru tags")
    """A folder with model.onnx and selected_tags.csv, or a name on Hugging Face: WD v2 and v3, PixAI, Camie as
    deepghs exports it."""
    captioner: str = Setting(
        SMOL, "Sentence model", widget="model", when=BY_SENTENCES, aliases="BLIP, Florence-2, JoyCaption, Qwen-VL, VLM"
    )
    """A folder, or a name on Hugging Face: BLIP, BLIP-2, Florence-2, LLaVA (JoyCaption), Qwen-VL, SmolVLM, Gemma 3,
    InternVL and what else transformers can run without its author's code."""
    prompt: str = Setting("", "Prompt", widget="lines", max_length=4000, when=BY_SENTENCES)
    """What the model is asked. {tags} becomes the tags of each image: those just made, or what its .tags file or its
    caption says. Empty: its usual words. Florence-2 takes none."""
    length: Literal["short", "medium", "long"] = Setting("medium", "Length", when=BY_SENTENCES, labels=LENGTHS)
    """What is asked for. A model may not keep to it."""
    prefix: str = Setting("", "Prefix", max_length=500)
    """Put before every caption."""
    trigger: str = Setting("", "Trigger word", max_length=200, aliases="activation word")
    """Put first where the caption does not contain it."""
    images: Literal["missing", "all"] = Setting("missing", "Which images", labels=IMAGES)
    """"missing": those that have no caption in a file with the extension below."""
    existing: Literal["keep", "beside", "replace"] = Setting("keep", "Existing captions", labels=EXISTING)
    """"keep": they stay. "beside": the new ones go into another file, .tags or .prose. "replace": they are replaced;
    what was there is remembered, and --undo brings it back."""
    general: float = Setting(0.0, "Threshold", ge=0, le=1, zero="the model's", when=BY_TAGS, level="expert")
    """Tags with a lower probability are left out. 0: what the model's files recommend, or 0.35."""
    character: float = Setting(0.0, "Threshold of characters", ge=0, le=1, zero="the model's", when=BY_TAGS,
                               level="expert")  # fmt: skip
    """0: what the model's files recommend, or 0.85. 1: none."""
    copyright: float = Setting(0.0, "Threshold of series", ge=0, le=1, zero="the model's", when=BY_TAGS, level="expert")
    """0: what the model's files recommend, or 0.85. 1: none. Not every tagger knows series."""
    artist: float = Setting(1.0, "Threshold of artists", ge=0, le=1, zero="the model's", when=BY_TAGS, level="expert")
    """1: none."""
    meta: float = Setting(1.0, "Threshold of meta tags", ge=0, le=1, zero="the model's", when=BY_TAGS, level="expert")
    """Of tags such as "highres". 1: none."""
    rating: float = Setting(1.0, "Threshold of ratings", ge=0, le=1, zero="the model's", when=BY_TAGS, level="expert")
    """Of how decent an image is. Only the likeliest is written. 1: none."""
    exclude: str = Setting("", "Exclude", max_length=20_000, aliases="undesired_tags, leave-out list")
    """With commas between: tags that are never written; of sentences, phrases that are cut out, such as "The image
    shows"."""
    underscores: Literal["spaces", "keep"] = Setting(
        "spaces", "Underscores", when=BY_TAGS, level="expert", labels=UNDERSCORES
    )
    """"spaces" turns long_hair into "long hair", but leaves faces such as ^_^ alone."""
    overlaps: bool = Setting(False, "Overlapping tags", when=BY_TAGS, level="expert")
    """Keep "hair" and "long hair" beside "very long hair"."""
    most_tokens: int = Setting(256, "Tokens at most", ge=8, le=2048, when=BY_SENTENCES, level="expert",
                               aliases="max_new_tokens")  # fmt: skip
    """A longer text ends with its last whole sentence."""
    temperature: float = Setting(0.0, "Temperature", ge=0, le=2, when=BY_SENTENCES, level="expert")
    """0: always the likeliest word, the same each time. JoyCaption's authors use 0.6."""
    beams: int = Setting(1, "Beams", ge=1, le=16, when=BY_SENTENCES, level="expert", aliases="num_beams")
    """How many beginnings are followed at once. More is slower; BLIP's authors use 3 to 5."""
    ending: EndingText = Setting(".txt", "Caption file extension", max_length=60, level="expert")
    """What stands after the image's name."""
    subfolders: bool = Setting(True, "Include sub-folders", level="expert")
    """Images in folders within the folder, too."""
    batch_size: int = Setting(0, "Batch size", ge=0, le=256, level="expert", unit="images", zero="8 for tags, else 1")
    """How many images a model sees at once. Fewer where memory is short."""
    device: Literal["auto", "cpu", "cuda"] = Setting("auto", "Device", level="expert", scope="machine")
    """Of sentences; "auto" takes the graphics card when there is one. Taggers run where ONNX Runtime does."""
    offline: bool = Setting(False, "Offline", level="expert", scope="machine")
    """Never asks Hugging Face; models must have been downloaded before."""
    only: tuple[str, ...] = Setting((), "Only these", level="expert")
    """Paths of images in the folder. Empty: all of it."""
    preview: bool = Setting(False, "Preview", level="expert")
    """Show the captions of these images, and write nothing."""
    undo: bool = Setting(False, "Undo", level="expert")
    """Make no captions: take back what was written last into this folder. Files that were changed since stay."""
