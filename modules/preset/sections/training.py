"""The tab "training": how long, how much at once, at which rate, and which parts."""

from __future__ import annotations

import re
from typing import Any, Literal, Self, cast

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails

from modules.catalog import most_text_encoders
from modules.preset.setting import Section, Setting, When
from modules.preset.text.interval import IntervalText
from modules.preset.text.resolutions import ResolutionsText
from modules.preset.text.share import Share, ShareText


class Masks(Section):
    """Masked training"""

    unmasked_weight: float = Setting(0.1, "Unmasked weight", ge=0, le=1, level="expert", aliases="mask_min_value")
    """How much the black parts of a mask count; white ones count 1. 0 learns nothing of the background, which then may
    drift. Usual: 0.1."""
    unmasked_probability: float = Setting(0.1, "Unmasked probability", ge=0, le=1, level="expert")
    """Share of showings in which the whole image counts, so that the model keeps the parts together. Usual: 0.1."""
    normalize: bool = Setting(True, "Normalize by mask area", level="expert", aliases="normalize_masked_area_loss")
    """Divide the loss by the mean of the mask, so that an image with a small white part teaches as much as one with a
    large part. Off: small parts teach little."""


ENCODER = re.compile(r"text_encoder_[1-9]\d?")


def encoder_names() -> tuple[str, ...]:
    """The names of text encoders: as many as the family has that has most."""
    return tuple(f"text_encoder_{number}" for number in range(1, most_text_encoders() + 1))


class DenoiserPart(Section):
    """Denoiser (U-Net)"""

    train: bool = Setting(
        True, "Train", aliases="train_unet, unet.train, train_transformer, network_train_text_encoder_only, freeze unet"
    )
    """Train the denoiser, the part that draws. Off only to train a text encoder alone."""
    learning_rate: float = Setting(
        0.0, "Learning rate", ge=0, le=10, level="expert", zero="as above",
        aliases="unet_lr, unet_learning_rate, transformer_learning_rate",
    )  # fmt: skip
    """For this component alone. 0: the learning rate above."""
    stop_after: IntervalText = Setting("never", "Stop training after", level="expert", widget="interval")
    """Freeze this component after this many steps or epochs: "500 steps", "3 epochs", "never"."""
    start_after: IntervalText = Setting("never", "Start training after", level="expert", widget="interval")
    """Keep this component frozen for this many steps or epochs. "never": train it from the beginning."""


class TextEncoderPart(Section):
    """Text encoder"""

    train: bool = Setting(False, "Train", aliases="train_text_encoder, text_encoder.train, network_train_unet_only")
    """Train the text encoder, the part that reads captions. It learns new words better, needs more memory, and forgets
    faster."""
    learning_rate: float = Setting(
        0.0, "Learning rate", ge=0, le=10, level="expert", zero="as above",
        aliases="text_encoder_lr, learning_rate_te, learning_rate_te1, text_encoder_1_lr, TE learning rate, "
        "learning_rate_te2, text_encoder_2_lr",
    )  # fmt: skip
    """For this component alone; usual is a third to a tenth of the denoiser's. 0: the learning rate above."""
    stop_after: IntervalText = Setting(
        "never", "Stop training after", level="expert", widget="interval",
        aliases="stop_text_encoder_training, freeze text encoder",
    )  # fmt: skip
    """Freeze this part after this many steps or epochs: "500 steps", "3 epochs", "never"."""
    start_after: IntervalText = Setting("never", "Start training after", level="expert", widget="interval")
    """Keep this part frozen for this many steps or epochs. "never": train it from the beginning."""


class Guards(Section):
    """Bad steps"""

    enabled: bool = Setting(
        True, "Skip bad steps", level="expert", aliases="NaN, Inf, non-finite loss, loss is NaN, divergence"
    )
    """A step whose loss or gradient is NaN, infinite or a spike changes nothing; after several the run rolls back to a
    backup. Off: a run ends at the first loss that is NaN."""
    spikes: float = Setting(
        50.0, "Spike threshold", ge=0, unit="times", level="expert", zero="off",
        when=When("training.guards.enabled", (True,)), aliases="loss spikes, gradient spikes",
    )  # fmt: skip
    """A step whose loss or gradient norm is this many times larger than the mean of the last 100 good ones is skipped;
    the first 20 steps only set the mean. 0: off. Ordinary runs stay below 15. Lower it to 20 if single images throw
    a run off."""
    patience: int = Setting(
        5, "Bad steps before a rollback", ge=1, le=20, unit="steps", level="expert",
        when=When("training.guards.enabled", (True,)),
    )  # fmt: skip
    """After this many bad steps among the last 20 the run rolls back to its newest backup from before them."""
    then: Literal["lower_rate", "continue", "pause"] = Setting(
        "lower_rate", "After a rollback", level="expert", when=When("training.guards.enabled", (True,)),
        aliases="rollback, roll back",
    )  # fmt: skip
    """How the run continues, with other noise. "lower_rate": at half the learning rate. "continue": at the same rate.
    "pause": it waits for you."""
    returns: int = Setting(
        3, "Maximum rollbacks", ge=0, le=100, level="expert", when=When("training.guards.enabled", (True,))
    )
    """After this many rollbacks the run ends without a finished model; its backups stay. 0: it ends instead of rolling
    back."""


class TextEncoders(Section):
    """A section that has settings for each text encoder, by the name of the component: any number of them."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, TextEncoderPart] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    @classmethod
    def settings_fields(cls) -> dict[str, FieldInfo]:
        encoders = {name: FieldInfo(annotation=TextEncoderPart, default=TextEncoderPart()) for name in encoder_names()}
        before, after = dict[str, FieldInfo](), dict(cls.model_fields)
        while "denoiser" in after:  # text encoders stand behind the denoiser
            name = next(iter(after))
            before[name] = after.pop(name)
        return before | encoders | after

    @model_validator(mode="wrap")
    @classmethod
    def _takes_text_encoders(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Give each text encoder its settings; refuse what else has no field."""
        if not isinstance(values, dict):
            return handler(values)
        given = cast("dict[str, Any]", values)
        known = {name: given[name] for name in given if name in cls.model_fields or name in encoder_names()}
        errors: list[InitErrorDetails] = []
        found = None
        try:
            found = handler({name: {} for name in encoder_names()} | known)
        except ValidationError as error:
            errors += [
                InitErrorDetails(type=each["type"], loc=each["loc"], input=each["input"], ctx=each.get("ctx", {}))
                for each in error.errors()
            ]
        unknown = (name for name in given if name not in known)
        errors += [InitErrorDetails(type="extra_forbidden", loc=(name,), input=given[name]) for name in unknown]
        if found is None or errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return found

    def component(self, name: str) -> DenoiserPart | TextEncoderPart:
        """The settings of a component of the model."""
        return getattr(self, name, TextEncoderPart())

    @property
    def text_encoders(self) -> tuple[TextEncoderPart, ...]:
        """The settings of all text encoders, the first one first."""
        names = sorted(self.__pydantic_extra__, key=lambda name: int(name.rpartition("_")[2]))
        return tuple(self.__pydantic_extra__[name] for name in names)


AVERAGED = When("training.ema", (True,))


class Training(TextEncoders):
    """Steps, batches and learning rate"""

    steps: int = Setting(
        0, "Steps", ge=0, unit="steps", zero="epochs decide",
        aliases="max_train_steps, num_train_steps, iterations, total steps",
    )  # fmt: skip
    """End after exactly this many steps. 0: epochs decide."""
    epochs: int = Setting(
        20, "Epochs", ge=1, unit="epochs", when=When("training.steps", (0,)),
        aliases="num_train_epochs, max_train_epochs",
    )  # fmt: skip
    """How many times every image is shown. Counts only where no steps are given."""
    batch_size: int = Setting(
        2, "Batch size", ge=1, le=4096, unit="images",
        aliases="train_batch_size, micro_batch_size_per_gpu, local batch size, VRAM, batch",
    )  # fmt: skip
    """Images per forward and backward pass. Larger is smoother and needs more memory."""
    accumulation: int = Setting(
        1, "Gradient accumulation", ge=1, le=4096, unit="batches", level="expert",
        aliases="gradient_accumulation_steps, grad accum, effective batch size, virtual batch, accumulate gradients",
    )  # fmt: skip
    """Batches whose gradients are added up for one step: the effect of a larger batch at the price of time instead of
    memory."""
    learning_rate: float = Setting(1e-4, "Learning rate", gt=0, le=10, aliases="lr")
    """The size of each update. LoRA: about 1e-4. Full fine-tune: about 1e-5. Embedding: about 5e-3. Prodigy: 1."""
    scale_rate: Literal["none", "batch", "accumulation", "both"] = Setting(
        "none", "Scale learning rate by", level="expert", aliases="learning_rate_scaler, scale_lr"
    )
    """Multiplies all learning rates by the root of the batch size, of the gradient accumulation, or of both, so that
    the same rate fits when you change them. The run says what the rates come to. Usual: none."""
    scale_by: Literal["root", "linear"] = Setting(
        "root", "Scaling rule", level="expert", when=When("training.scale_rate", ("batch", "accumulation", "both")),
    )  # fmt: skip
    """"root" for optimizers of Adam's kind (arXiv:2205.10287), "linear" for SGD (arXiv:1706.02677)."""
    resolution: int = Setting(
        0, "Resolution", ge=0, le=8192, unit="pixels", zero="what the model was made for",
        aliases="target_resolution, max_resolution, datasets.resolution, image size",
    )  # fmt: skip
    """Training size: 512 is about 512x512 pixels; images of another shape get a bucket of the same area. 0: what the
    model was made for."""
    max_side: int = Setting(
        0, "Maximum bucket side", ge=0, le=16384, unit="pixels", level="expert", zero="twice the resolution",
        aliases="max_bucket_reso, end_dim",
    )  # fmt: skip
    """Longer buckets are shortened to this, and keep their shape with fewer pixels. 0: twice the resolution."""
    resolutions: ResolutionsText = Setting(
        "", "Several resolutions", max_length=100, level="expert", aliases="multi-resolution, multires training"
    )
    """Several sizes, such as "512, 768, 1024": from epoch to epoch each image is shown in each of them in turn. An
    exact size such as "832x1216" (width x height) gives all images this shape. Empty: the resolution above."""
    min_side: int = Setting(
        0, "Minimum bucket side", ge=0, le=8192, unit="pixels", level="expert", zero="no limit",
        aliases="min_bucket_reso, start_dim",
    )  # fmt: skip
    """No bucket has a shorter side. 0: no limit but the shape 4:1."""
    bucket_step: int = Setting(
        0, "Bucket step", ge=0, le=1024, unit="pixels", level="expert", zero="as the model's family",
        aliases="bucket_reso_steps, divisible_by",
    )  # fmt: skip
    """Sides of buckets are multiples of this. Smaller: less is cut off, and more batches have to be filled up. Usual:
    64, or 32."""
    buckets: bool = Setting(
        True, "Aspect ratio buckets", level="expert",
        aliases="bucket, enable_bucket, aspect_ratio_bucketing, enable_ar_bucket, square crop",
    )  # fmt: skip
    """Images of similar shape are trained together, with little cut off. Off: every image is cut to a square."""
    enlarge: bool = Setting(True, "Upscale small images", level="expert", aliases="bucket_no_upscale, upscale")
    """Off: images with fewer pixels than their bucket get a smaller bucket of their own size instead."""
    weights: Literal["fp32", "bf16"] = Setting(
        "fp32", "Trained weights precision", level="expert",
        aliases="full_bf16, stochastic_rounding, adamw_bf16, master weights, VRAM",
    )  # fmt: skip
    """The data type of the weights that are trained. bf16 takes half the memory; small updates survive because they are
    rounded at random (stochastic rounding)."""
    clip_gradients: float = Setting(
        1.0, "Gradient clipping", ge=0, level="expert", zero="off", aliases="max_grad_norm, clip_grad_norm"
    )
    """Maximum norm of the gradient; a longer one is scaled down. 0: off. Usual: 1."""
    gradient_checkpointing: ShareText = Setting(
        "auto", "Gradient checkpointing", widget="share",
        aliases="activation_checkpointing, VRAM, out of memory, OOM, low memory, low vram",
    )  # fmt: skip
    """Saves much memory by computing activations twice; about a quarter slower for "all" blocks of the model. The
    result is the same. "none", "all", or a share of the blocks such as "25 %". "auto": as few as fit."""
    gradients: Literal["auto", "card", "main_memory"] = Setting(
        "auto", "Gradients", level="expert",
        aliases="fused_backward_pass, fused_back_pass, fused_optimizer_groups, blockwise_fused_optimizers, "
        "gradient release, gradient offload, optimizer CPU offload, save VRAM",
    )  # fmt: skip
    """Where a full fine-tune keeps its gradients. "main_memory": each leaves the graphics card as it appears and comes
    back for the update, a few at a time: as much is saved as the trained weights take, and clipping, accumulation and
    the result stay the same, bit for bit. "auto": on the card."""
    ema: bool = Setting(
        False, "EMA (moving average)", level="expert", aliases="use_ema, ema_config, exponential moving average"
    )
    """Keeps a moving average of the weights. It is smoother than the last weights, and is what is sampled and saved."""
    ema_decay: float = Setting(0.999, "EMA decay", ge=0, lt=1, level="expert", when=AVERAGED)
    """How slowly the average follows. Half of it comes from the last 693 steps at 0.999, 69 at 0.99, 6,931 at 0.9999.
    It begins faster, and reaches 0.999 at step 8,990. Usual: 0.99 for a few hundred steps, 0.999 for thousands."""
    ema_every: int = Setting(
        1, "EMA update interval", ge=1, le=10_000, unit="steps", level="expert", when=AVERAGED,
        aliases="ema_update_step_interval, ema_update_every",
    )  # fmt: skip
    """Steps between two updates of the average. More than 1 saves time and hardly changes it. Usual: 1, or 5 to 10
    where the average is kept in main memory."""
    ema_device: Literal["same", "cpu"] = Setting(
        "same", "EMA device", level="expert", when=AVERAGED, aliases="offload_ema, EMA on CPU, EMA GPU"
    )
    """Where the average is kept. "same": on the device that trains. "cpu": in main memory, which saves 4 bytes of the
    card's memory for each trained weight; training does not wait for the copies."""
    ema_save: Literal["instead", "beside", "no"] = Setting("instead", "Save EMA", level="expert", when=AVERAGED)
    """"instead": the saved model is the average. "beside": the model has the last weights, and the average is saved as
    NAME-ema. "no": the average is only sampled and measured."""
    turns: IntervalText = Setting(
        "never", "Alternate components", level="expert", widget="interval", aliases="alternating training"
    )
    """Train one component at a time: first the denoiser for this many steps or epochs, then the text encoders, and so
    on. "never": all at once, which is usual."""
    denoiser: DenoiserPart = DenoiserPart()
    # text_encoder_1, text_encoder_2, ...: as many as a family of the catalog has; see `TextEncoders`
    masks: Masks = Masks()
    guards: Guards = Guards()

    @property
    def checkpointed(self) -> float:
        """The share of the blocks whose activations are computed twice."""
        return Share.parse(self.gradient_checkpointing).amount

    @property
    def rate_scale(self) -> float:
        """By what all learning rates are multiplied for the size of a step."""
        sizes = {"none": 1, "batch": self.batch_size, "accumulation": self.accumulation}
        size = sizes.get(self.scale_rate, self.batch_size * self.accumulation)
        return size**0.5 if self.scale_by == "root" else float(size)
