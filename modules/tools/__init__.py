"""The tools: what can be done beside training. A tool is a row of `TOOLS` and the file that the row names.

That file has a section of settings, `Settings`, and a function `run(settings, tell, control)`, which gives the path of
what came out, or "". The card in the window, the flags of the command line and their help, the manual's page and the
message to the engine are loops over these. The window reads the settings and has no torch: what needs torch is
imported inside `run`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from modules.errors import Problems, UserError
from modules.messages import Event
from modules.preset.paths import Values
from modules.preset.setting import Section
from modules.preset.validate import CANNOT_BE_USED, examine_section

Result = Literal["images", "path", "words"]  # images as they are made; a file or a folder; what it says on the way


@dataclass(frozen=True)
class Tool:
    """What is known of a tool before its file is imported."""

    name: str  # of the command and in messages
    title: str  # of its card and its button
    icon: str  # of resources/icons
    help: str  # one sentence
    running: str  # what the run bar says meanwhile
    module: str
    result: Result

    @property
    def settings(self) -> type[Section]:
        return import_module(self.module).Settings

    def run(self, values: Values, tell: Callable[[Event], None], control: object) -> str:
        """Do the work; gives the path of what came out, or "". `control` is the engine's, and for the tool alone.

        Raises:
            Problems: these are no settings of this tool.
            UserError: it cannot be done.
        """
        settings, wrong = examine_section(self.settings, values)
        if wrong:
            raise Problems(CANNOT_BE_USED, list(wrong.values()))
        return import_module(self.module).run(settings, tell, control)


def _by_name(*tools: Tool) -> dict[str, Tool]:
    return {tool.name: tool for tool in tools}


# In the order of the page and of the command line's help.
TOOLS = _by_name(
    Tool("sample", "Make images", "sparkles", "Make images from prompts, with or without LoRAs and embeddings.",
         "Making images", "modules.tools.sample", "images"),
    Tool("training-set", "Make a training set", "image-plus",
         "Make images with captions to train on: prompts with wildcards times seeds, with any model and LoRAs.",
         "Making a training set", "modules.tools.images.training_set", "path"),
    Tool("grid", "Make a grid", "images",
         "Draw steps of a run, strengths, prompts or settings side by side, with a labelled picture and a web page.",
         "Drawing a grid", "modules.tools.grid", "path"),
    Tool("score", "Score images", "gauge",
         "Score the images of a run, a grid or a folder: likeness to prompts and concept, near-copies, taste.",
         "Scoring images", "modules.tools.score", "path"),
    Tool("mask", "Make masks", "layers",
         "Make masks of a training set: without the background, of what words name, or of faces.", "Making masks",
         "modules.tools.images.mask", "path"),
    Tool("caption", "Make captions", "captions",
         "Write captions with models: tags, sentences or both, beside the images.", "Writing captions",
         "modules.tools.images.caption", "words"),
    Tool("convert", "Convert a model", "box",
         "Write a model as one file or as a folder, in another precision, with trained parts or a LoRA put in.",
         "Converting", "modules.tools.weights.convert", "path"),
    Tool("merge", "Merge models", "git-merge",
         "Make one model out of several, by ratio and by block, and put LoRAs into it.", "Merging",
         "modules.tools.weights.merge", "path"),
    Tool("extract", "Extract a LoRA", "scissors",
         "Write what a fine-tuned model has learnt as a LoRA, with convolutions (LoCon) and text encoders, or as LoKr.",
         "Extracting", "modules.tools.weights.extract", "path"),
    Tool("weight-shift", "Compare weights", "activity",
         "Measure how far weights have moved from one model to another, by block and kind of layer.", "Comparing",
         "modules.tools.weights.weight_shift", "path"),
    Tool("resize", "Resize a LoRA", "minimize-2", "Write a LoRA in fewer ranks, by rank or by how much of it is kept.",
         "Resizing", "modules.tools.weights.resize", "path"),
    Tool("join", "Join LoRAs", "plus", "Write several LoRAs as one, exactly or in fewer ranks.", "Joining",
         "modules.tools.weights.join", "path"),
    Tool("prepare", "Prepare images", "crop",
         "Make images ready in a folder of their own: crop, resize, enlarge, mend, leave out copies, rename.",
         "Preparing images", "modules.tools.images.prepare", "path"),
    Tool("cache", "Fill the cache", "download", "Encode all images and captions now, so that later runs begin at once.",
         "Filling the cache", "modules.tools.cache", "words"),
)  # fmt: skip


def tool_named(name: str) -> Tool:
    """The tool of this name.

    Raises:
        UserError: there is none.
    """
    if name not in TOOLS:
        raise UserError("tool.none", name=name, names=list(TOOLS))
    return TOOLS[name]
