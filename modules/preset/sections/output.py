"""What is written at the end, in which format."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When


class Output(Section):
    """Finished model"""

    path: str = Setting("", "Save to", scope="machine", widget="save")
    """A file or folder for the finished model. Empty: the folder "models" of the run."""
    overwrite: bool = Setting(False, "Replace what is there", scope="machine", level="expert")
    """Off: a path that exists is refused before training."""
    model_format: Literal["folder", "single_file"] = Setting(
        "single_file", "Format", when=When("method.kind", ("full",))
    )
    """A single .safetensors file for ComfyUI, A1111 and others, or a diffusers folder."""
    lora_format: Literal["kohya", "diffusers"] = Setting("kohya", "Format", when=When("method.kind", ("lora",)))
    """"kohya" names are read by ComfyUI, A1111, Forge, InvokeAI and diffusers; "diffusers" names by diffusers and its
    kin."""
    bundle_words: bool = Setting(
        False, "Words into the LoRA file", level="expert", when=When("output.lora_format", ("kohya",))
    )
    """Puts new words that were learnt beside a LoRA into its file too, where A1111, Forge and OneTrainer find them.
    They always get files of their own as well. diffusers refuses a LoRA file with words in it: off, every program reads
    it."""
    parts: Literal["all", "trained"] = Setting("all", "Parts", level="expert", when=When("method.kind", ("full",)))
    """"trained" saves only what was trained, to be put back into a full model later (see convert)."""
    dtype: Literal["fp32", "fp16", "bf16"] = Setting("fp16", "Precision")
    """fp16 is what others expect; fp32 loses nothing and is twice as large."""
    include_preset: bool = Setting(True, "Include the settings", level="expert")
    """Writes the recipe (no path, no name of yours) into the file, so that others can see how it was made."""
