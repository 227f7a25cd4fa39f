"""What is written at the end, in which format."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting, When


class Output(Section):
    """Finished model"""

    path: str = Setting(
        "", "Save to", scope="machine", widget="save",
        aliases="output_model_destination, output_dir, save path, where to save",
    )  # fmt: skip
    """A file or folder for the finished model. Empty: the folder "models" of the run."""
    overwrite: bool = Setting(False, "Overwrite", scope="machine", level="expert", aliases="prevent_overwrites")
    """Off: a path that exists is refused before training."""
    model_format: Literal["folder", "single_file"] = Setting(
        "single_file", "Model format", when=When("method.kind", ("full",)),
        aliases="save_model_as, use_safetensors, output_model_format",
    )  # fmt: skip
    """A single .safetensors file for ComfyUI, A1111 and others, or a diffusers folder."""
    lora_format: Literal["auto", "kohya", "diffusers", "native"] = Setting(
        "auto", "LoRA format", when=When("method.kind", ("lora",)),
        aliases="lora_checkpoint_format, LEGACY_LORA, ComfyUI",
    )  # fmt: skip
    """The names of the layers in the file. "auto": those that most programs read for this type of model: for Stable
    Diffusion "kohya" (ComfyUI and Forge leave out half of a file in "diffusers" names), for most newer models
    "diffusers". "native": those of the model's single files, after "diffusion_model."."""
    bundle_words: bool = Setting(
        False, "Bundle embeddings", level="expert", when=When("output.lora_format", ("auto", "kohya")),
        aliases="bundle_additional_embeddings",
    )  # fmt: skip
    """Puts embeddings that were trained beside a LoRA into its file too, where A1111, Forge and OneTrainer find them.
    They always get files of their own as well. diffusers refuses a LoRA file with embeddings in it: off, every
    program reads it."""
    parts: Literal["all", "trained"] = Setting(
        "all", "Saved parts", level="expert", when=When("method.kind", ("full",)),
        aliases="save_checkpoint_format, trained_only_diffusers",
    )  # fmt: skip
    """"trained" saves only what was trained, to be put back into a full model later (see convert)."""
    dtype: Literal["fp32", "fp16", "bf16"] = Setting(
        "fp16", "Saved precision", aliases="save_precision, output_dtype, save_dtype, output data type"
    )
    """fp16 is what others expect; fp32 loses nothing and is twice as large."""
    include_preset: bool = Setting(
        True, "Include the settings", level="expert",
        aliases="include_train_config, no_metadata, metadata, embed config",
    )  # fmt: skip
    """Writes the recipe (no path, no name of yours) into the file, so that others can see how it was made."""
    include_tags: bool = Setting(
        True, "Include the tags", level="expert", when=When("output.include_preset", (True,)),
        aliases="ss_tag_frequency, tag frequency, training tags",
    )  # fmt: skip
    """Writes how often each tag stands in the captions into a LoRA's file, as kohya does: A1111, Forge and CivitAI show
    it. Off where captions name somebody, or are nobody's business. Of more than 50,000 images no tags are written."""
